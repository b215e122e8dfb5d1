"""`loop.yaml`: the environments, each with its engine, its gateway and the versions that it serves."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from runner.spec.base import (
    Address,
    Commit,
    Digest,
    InsidePath,
    ModelName,
    Moment,
    Section,
    Text,
    Variable,
    WebAddress,
)
from runner.spec.base import Name as Name
from runner.spec.quantity import Duration, Ratio

LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)


class Engine(Section):
    """The vLLM replicas: started by the runner (`managed`), listed by address, or found by DNS."""

    managed: bool = False
    """Start vLLM on this machine; the embedded default."""
    listen: Address = "127.0.0.1:8100"
    """Address of the managed replica; private, since whoever reaches it may load adapters."""
    replicas: tuple[Text, ...] = ()
    """Base URLs of replicas (`http://10.0.0.1:8000`), or one `dns+http://name:port`."""
    max_loras: Annotated[int, Field(ge=1)] = 1
    """How many different adapters one batch may hold."""
    max_cpu_loras: Annotated[int, Field(ge=1)] | None = None
    """How many adapters stay in memory; `max_loras` where absent."""
    max_lora_rank: Annotated[int, Field(json_schema_extra={"enum": list(LORA_RANKS)})] = 16
    """Highest rank of an adapter that it takes: one of 1, 8, 16, 32, 64, 128, 256, 320, 512."""
    max_model_len: Annotated[int, Field(ge=16)] | None = None
    """Longest prompt and answer together, in tokens; the model's own limit where absent."""
    api_key_env: Variable | None = None
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


class GatewayAddress(Section):
    """A further gateway process beside the first, with the same settings."""

    listen: Address
    """Where users call it."""
    admin: Address
    """Where the runner writes its routes."""


class Gateway(Section):
    """The address users call, and the address the runner calls."""

    listen: Address = "127.0.0.1:8080"
    """Where users call the OpenAI-compatible API."""
    admin: Address = "127.0.0.1:8081"
    """Where the runner writes routes; never reachable by users."""
    more: tuple[GatewayAddress, ...] = ()
    """Further gateways of this environment; all obey the same routes and write the same event log."""
    alias: Name = "chat"
    """The model name that means whatever Git says."""
    keys_file: InsidePath | None = None
    """YAML file of API keys as SHA-256, each with its name and group; without it everybody is `anonymous`."""
    anonymous: Name | None = "public"
    """Group of callers without a key; `null` refuses them."""
    pinning_groups: tuple[Name, ...] = ("internal",)
    """Groups that may ask for a version by its name."""
    limits: Limits = Field(default_factory=Limits)
    """What it accepts of one caller."""


class Rollout(Section):
    """A candidate on trial, and the stage of `policies/rollout.yaml` it stands in."""

    candidate: Name
    """The version on trial."""
    stage: Name
    """The stage it stands in."""


class Shadow(Section):
    """A version that gets copies of requests and whose answers nobody sees."""

    version: Name
    """The version that gets copies."""
    sample: Annotated[Ratio, Field(gt=0)] = 1.0
    """Share of requests that is copied."""


class Experiment(Section):
    """An A/B test among several versions on a segment of users."""

    name: Name
    """What it is called in reports."""
    versions: Annotated[tuple[Name, ...], Field(min_length=2)]
    """The versions that are compared, at least two."""
    weights: tuple[Ratio, ...] = ()
    """Share of each version, in their order; equal where absent."""
    groups: tuple[Name, ...] = ()
    """Groups of users that take part; all where absent."""
    share: Ratio = 1.0
    """Share of these users' requests that takes part."""

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of each version, in their order, equal where none are written; they add up to 1."""
        return self.weights or (1.0 / len(self.versions),) * len(self.versions)


class Freeze(Section):
    """A window of local time in which nothing is promoted; rollback and self-heal always go on."""

    zone: Text
    """IANA time zone such as `Asia/Seoul`."""
    from_: Annotated[Moment, Field(alias="from")]
    """Start: a local date and time (`2026-12-20T00:00`) or a weekly one (`friday 16:00`)."""
    to: Moment
    """End, written in the same way as the start."""
    reason: Text
    """What `loop plan` says while it holds."""


class Soak(Section):
    """What another environment must have seen of a version before it may go on trial here."""

    environment: Name
    """The environment that comes before, such as `staging`."""
    soak: Duration
    """How long the version must have been the baseline there."""
    gates: tuple[Name, ...] = ()
    """Gates of `policies/evaluation.yaml` that must have passed."""


class Monitor(Section):
    """The process that measures every signal, shows them on a page and hands them to Prometheus."""

    listen: Address = "127.0.0.1:8088"
    """Where the page and `/metrics` are; whoever reaches it sees every figure and example questions."""
    every: Annotated[Duration, Field(ge=1)] = 15.0
    """Longest time between two measurements."""
    otlp: WebAddress | None = None
    """Address of an OpenTelemetry receiver that gets requests and signals; none where absent."""


class Console(Section):
    """The pages for people: arena, playground and review queue."""

    listen: Address = "127.0.0.1:8089"
    """Where the pages are; people sign in with the gateway's keys."""


class Environment(Section):
    """One place where the model serves."""

    engine: Engine
    """What serves the weights."""
    gateway: Gateway
    """What users call."""
    monitor: Monitor | None = None
    """What measures the signals beside it, all the time; where absent, `loop signals` measures when asked."""
    console: Console | None = None
    """Pages on which people compare, try and judge answers; none where absent."""
    baseline: Name
    """The version now trusted."""
    standby: Name | None = None
    """The version before it; stays loaded, so that going back needs no engine."""
    promote_after: Soak | None = None
    """What has to be shown elsewhere before a version may go on trial here."""
    rollout: Rollout | None = None
    """The candidate on trial; none where absent."""
    shadow: Shadow | None = None
    """The version that sees copies of requests; none where absent."""
    experiments: tuple[Experiment, ...] = ()
    """A/B tests on segments of users."""
    suspend: bool = False
    """Stop promotions; self-heal and rollback go on."""
    freeze: tuple[Freeze, ...] = ()
    """Windows in which nothing is promoted."""


class BaseModelRef(Section):
    """The base model that every adapter stands on."""

    name: ModelName
    """Name by which the engine serves it."""
    path: InsidePath
    """Path in this repository (tracked by DVC), or a hub's name."""
    digest: Digest | None = None
    """Content digest of a local path."""
    revision: Commit | None = None
    """Commit of the hub's repository, where the path is a hub's name; whatever the hub has then where absent."""


class ForgeKind(StrEnum):
    """Which service holds the remote."""

    GITHUB = "github"
    """GitHub, or GitHub Enterprise under another address."""


class Forge(Section):
    """The service where pull requests are opened and commits get their status."""

    kind: ForgeKind
    """Which service it is."""
    repository: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", max_length=200)]
    """Owner and name, such as `acme/models`."""
    token_env: Variable = "GITHUB_TOKEN"  # noqa: S105 - the name of a variable, not a secret
    """Environment variable that holds the token."""
    api: WebAddress = "https://api.github.com"
    """Address of its API."""


class GitSettings(Section):
    """The remote that the runner follows and writes to; without it, the branch that is checked out."""

    remote: Name = "origin"
    """Name of the remote, fetched at every poll."""
    branch: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=200)] = "main"
    """The branch whose tip is the desired state."""
    forge: Forge | None = None
    """Where pull requests are opened; without it, branches are pushed and a person opens them."""
    author: Text = "loop"
    """Name under which the runner commits."""
    email: Text = "loop@localhost"
    """Address under which the runner commits."""


class LoopFile(Section):
    """The top of the desired state."""

    name: Name
    """What this repository is called in messages and metrics."""
    base_model: BaseModelRef
    """What every adapter stands on."""
    environments: Annotated[dict[Name, Environment], Field(min_length=1)]
    """The places where the model serves, by name; at least one."""
    git: GitSettings | None = None
    """The remote that is followed; where absent, the branch that is checked out here."""
    policies: InsidePath = "policies"
    """Folder of the policies."""
    models: InsidePath = "models"
    """Folder with one file for every version."""
    datasets: InsidePath = "datasets"
    """Folder with one file for every data set."""
    poll: Annotated[Duration, Field(gt=0)] = 2.0
    """Longest time between two looks at the commit that is checked out and at the live system."""
    grace_period: Duration = 600.0
    """How long an unloaded adapter's files stay on the engine's disk, in seconds."""
    prune_limit: Annotated[int, Field(ge=0)] = 3
    """The most adapters that one pass may unload or delete."""
