"""`loop.yaml`: the environments, each with its engine, its gateway and the versions that it serves."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from runner.spec.base import Section
from runner.spec.quantity import Duration, Ratio

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)


class Engine(Section):
    """The vLLM replicas: started by the runner (`managed`), listed by address, or found by DNS."""

    managed: bool = False
    """Start vLLM on this machine; the embedded default."""
    listen: str = "127.0.0.1:8100"
    """Address of the managed replica; private, since whoever reaches it may load adapters."""
    replicas: tuple[str, ...] = ()
    """Base URLs of replicas (`http://10.0.0.1:8000`), or one `dns+http://name:port`."""
    max_loras: Annotated[int, Field(ge=1)] = 1
    """How many different adapters one batch may hold."""
    max_cpu_loras: Annotated[int, Field(ge=1)] | None = None
    """How many adapters stay in memory; `max_loras` where absent."""
    max_lora_rank: int = 16
    """One of 1, 8, 16, 32, 64, 128, 256, 320, 512."""
    max_model_len: Annotated[int, Field(ge=16)] | None = None
    """Longest prompt and answer together, in tokens; the model's own limit where absent."""
    api_key_env: str | None = None
    """Environment variable that holds the key to replicas that are not managed."""


class Limits(Section):
    """What one gateway accepts."""

    body_bytes: Annotated[int, Field(ge=1024)] = 1_048_576
    """Largest request body."""
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Rate limit of one API key (of one address where there are no keys); none where absent."""
    in_flight: Annotated[int, Field(ge=1)] = 512
    """Requests in flight at once; more are refused with 429."""
    first_byte_timeout: Duration = 30.0
    """Until the first byte of an answer; then another replica or the baseline is tried."""
    total_timeout: Duration = 300.0
    """Until the last byte of an answer."""


class Gateway(Section):
    """The address users call, and the address the runner calls."""

    listen: str = "127.0.0.1:8080"
    """Where users call the OpenAI-compatible API."""
    admin: str = "127.0.0.1:8081"
    """Where the runner writes routes; never reachable by users."""
    alias: Name = "chat"
    """The model name that means whatever Git says."""
    keys_file: str | None = None
    """YAML file of API keys as SHA-256, each with its name and group; without it everybody is `anonymous`."""
    anonymous: Name | None = "public"
    """Group of callers without a key; `null` refuses them."""
    pinning_groups: tuple[Name, ...] = ("public", "beta", "internal")
    """Groups that may ask for a version by its name."""
    limits: Limits = Limits()


class Rollout(Section):
    """A candidate on trial, and the stage of `policies/rollout.yaml` it stands in."""

    candidate: Name
    stage: Name


class Shadow(Section):
    """A version that gets copies of requests and whose answers nobody sees."""

    version: Name
    sample: Ratio = 1.0


class Experiment(Section):
    """An A/B test among several versions on a segment of users."""

    name: Name
    versions: Annotated[tuple[Name, ...], Field(min_length=2)]
    weights: tuple[Ratio, ...] = ()
    groups: tuple[Name, ...] = ()
    share: Ratio = 1.0


class Freeze(Section):
    """A window of local time in which nothing is promoted; rollback and self-heal always go on."""

    zone: str
    """IANA time zone such as `Asia/Seoul`."""
    from_: Annotated[str, Field(alias="from")]
    """Start: a local date and time (`2026-12-20T00:00`) or a weekly one (`friday 16:00`)."""
    to: str
    reason: str


class Environment(Section):
    """One place where the model serves."""

    engine: Engine
    gateway: Gateway
    baseline: Name
    """The version now trusted."""
    standby: Name | None = None
    """The version before it; stays loaded, so that going back needs no engine."""
    rollout: Rollout | None = None
    shadow: Shadow | None = None
    experiments: tuple[Experiment, ...] = ()
    suspend: bool = False
    """Stop promotions; self-heal and rollback go on."""
    freeze: tuple[Freeze, ...] = ()


class BaseModelRef(Section):
    """The base model that every adapter stands on."""

    name: str
    """Name by which the engine serves it."""
    path: str
    """Path in this repository (tracked by DVC), or a hub's name."""
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Content digest of a local path."""


class LoopFile(Section):
    """The top of the desired state."""

    name: Name
    base_model: BaseModelRef
    environments: dict[Name, Environment]
    policies: str = "policies"
    models: str = "models"
    datasets: str = "datasets"
    poll: Duration = 10.0
    """How often the runner looks for a new commit and at the live system, in seconds."""
    grace_period: Duration = 600.0
    """How long an unloaded adapter's files stay on the engine's disk, in seconds."""
    prune_limit: Annotated[int, Field(ge=0)] = 3
    """The most adapters that one pass may unload or delete."""
