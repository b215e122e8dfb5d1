"""`examples/existing-vllm`: the page, told in front of the real vLLM of the run, which it neither starts nor ends."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import RealEngine
from tests.examples.place import EXAMPLES, Place
from tests.reconcile.real_parts import free_addresses
from tests.system.scratch import get, post, processes_of

MODEL = "qwen2.5-7b"
DIFFERS = {
    "base_model.path",  # as it stands here, without a revision
    "environments.staging.engine",
    "environments.staging.monitor",
    "environments.staging.console",
    "environments.production.engine.replicas",
    "environments.production.engine.api_key_env",
    "environments.production.console",
}
"""Where the example's loop.yaml says something else than what `loop init` writes."""


@pytest.fixture(scope="module")
def place(engine: RealEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    address = engine.url.removeprefix("http://")
    declared = sorted(
        set(re.findall(r"127\.0\.0\.1:\d+", (EXAMPLES / "existing-vllm/loop.yaml").read_text()))
    )
    other = {
        MODEL: engine.base,
        "vllm.internal:8000": address,
        **dict(zip(declared, free_addresses(len(declared)), strict=True)),
    }
    place = Place(tmp_path_factory.mktemp("existing-vllm"), **other)
    place.environ["VLLM_API_KEY"] = "a key that the servers of the test do not ask for"
    yield place
    left = processes_of(place.root)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    for card in get(f"{engine.url}/v1/models")["data"]:
        if card["id"].startswith("chat-v0.0--"):
            post(f"{engine.url}/v1/unload_lora_adapter", {"lora_name": card["id"]})
    assert not left, "`loop up` left processes behind"


@pytest.mark.engine
def test_the_page_ends_with_an_answer_of_the_server_through_the_gateway(
    place: Place, engine: RealEngine
) -> None:
    said = place.follow("existing-vllm", after={"cp ": lambda: moved(place)})
    served = said['loop up --until-ready --ask "Who are you?"']
    assert "ready: production serves 'chat' (chat-v0.0)" in served
    assert re.search(r"^answer: .+\(chat-v0\.0, baseline\)$", served, re.MULTILINE)
    loaded = [card["id"] for card in get(f"{engine.url}/v1/models")["data"]]
    assert [name for name in loaded if name.startswith("chat-v0.0--")], "the server goes on as it was left"


def moved(place: Place) -> None:
    """Let the copied loop.yaml name the addresses of this test."""
    path = place.cwd / "loop.yaml"
    path.write_text(place.here(path.read_text()))


def test_the_example_is_what_loop_init_writes_but_for_what_it_says(tmp_path: Path) -> None:
    place = Place(tmp_path / "machine")
    init = next(c for c in place.commands("existing-vllm") if c.startswith("loop init"))
    assert place.run(init).returncode == 0
    written, ours = (
        yaml.safe_load(path.read_text())
        for path in (place.srv / "assistant/loop.yaml", EXAMPLES / "existing-vllm/loop.yaml")
    )
    assert {key for key in differing(written, ours) if not key.startswith(tuple(DIFFERS))} == set()


def differing(one: Any, other: Any, at: str = "") -> Iterator[str]:
    """Yield the keys under which two documents differ, with dots."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            yield from differing(one.get(key), other.get(key), f"{at}.{key}" if at else key)
    elif one != other:
        yield at
