"""A merge that brings a new version starts its canary by itself: its bytes come from the DVC remote.

Real are the Git remote, the DVC remote (a folder), the runner and a gateway; the engine is a stub.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from runner import digest
from runner.reconcile.memory import Kind
from tests.cli.workbench import git
from tests.reconcile.real_parts import make_adapter
from tests.reconcile.rollout_world import ENVIRONMENT, WEIGHT, World, users, world
from tests.waiting import until

NEW, NEXT = "chat-v1.2", "chat-v1.3"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Bring up a world whose repository has a DVC remote, with the first version in force and a runner at work."""
    home = tmp_path_factory.mktemp("arrivals")
    with dvc_settings(home), world(home / "world", gateways=1) as made:
        made.push(lambda desk: begin_dvc(desk, home / "store"), "Track weights by DVC")
        made.start_runner()
        until(lambda: made.status()["revision"] == made.tip() and made.on_trial() == [None], "in force")
        yield made


@contextmanager
def dvc_settings(home: Path) -> Iterator[None]:
    """Keep DVC to folders of the test; runners inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_NO_ANALYTICS", "1")
        patch.setenv("DVC_SITE_CACHE_DIR", str(home / "site"))
        patch.setenv("DVC_GLOBAL_CONFIG_DIR", str(home / "config"))
        yield


def begin_dvc(desk: Path, store: Path) -> None:
    (desk / ".dvc").mkdir()
    (desk / ".dvc/.gitignore").write_text("/cache\n/tmp\n/config.local\n")
    (desk / ".dvc/config").write_text(
        f"[core]\n    remote = store\n['remote \"store\"']\n    url = {store}\n"
    )
    store.mkdir()


def dvc(desk: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "dvc", *arguments]
    subprocess.run(command, cwd=desk, env=dict(os.environ), check=True, capture_output=True)


def bring(desk: Path, name: str) -> None:
    """Add a version and put it on trial, as the pull request of a promotion does; its bytes are not pushed yet."""
    make_adapter(desk, name)
    shutil.move(desk / "adapters" / name, desk / "models" / name)
    dvc(desk, "add", "--quiet", f"models/{name}")
    model = yaml.safe_load((desk / "models/chat-v1.1.yaml").read_text())
    model |= {"name": name, "parent": "chat-v1.0"}
    model["adapter"] |= {"path": f"models/{name}", "digest": digest.of_directory(desk / "models" / name)}
    (desk / f"models/{name}.yaml").write_text(yaml.safe_dump(model))
    loop = yaml.safe_load((desk / "loop.yaml").read_text())
    loop["environments"][ENVIRONMENT]["rollout"] = {"candidate": name, "stage": "canary"}
    (desk / "loop.yaml").write_text(yaml.safe_dump(loop, sort_keys=False))


def served(here: World, name: str) -> str:
    return digest.served_name(name, digest.of_directory(here.home / "engineer/models" / name))


def steps(here: World) -> list[str]:
    """Return what was done about the new version, in the order of the journal."""
    done = [entry.body for entry in here.entries() if entry.kind is Kind.DONE]
    return [body["action"] for body in done if str(body.get("served")).startswith(NEW)]


def test_a_merge_that_adds_a_version_starts_its_canary_once_its_bytes_are_there(here: World) -> None:
    with users(here.gateways[0].listen) as asked:
        merged = here.push(lambda desk: bring(desk, NEW), f"Add {NEW} and put it on trial")
        held = until(lambda: [h for h in here.status()["holds"] if "pull_data" in h["subject"]], "it is held")
        assert "the remote lacks it or cannot be reached" in held[0]["text"]
        assert "dvc push" in held[0]["text"]
        assert here.status()["revision"] == merged
        assert here.on_trial() == [None]
        desk = here.home / "engineer"
        dvc(desk, "push", "--quiet")
        until(lambda: here.on_trial() == [(served(here, NEW), WEIGHT)], "its canary has begun")
        assert steps(here) == ["pull_data", "place_files", "load_adapter", "probe_adapter"]
        shutil.rmtree(desk / "models" / NEW)  # what DVC tracks no more, Git would
        git(desk, "revert", "--no-edit", merged)
        git(desk, "push", "--quiet", "origin", "HEAD:main")
        until(lambda: here.on_trial() == [None], "the revert of the merge takes it out")
    assert asked.answered and not asked.failed


def test_what_a_killed_fetch_left_of_a_version_is_fetched_in_full(here: World) -> None:
    part = here.root / "models" / NEXT
    part.mkdir()

    def add_and_push(desk: Path) -> None:
        bring(desk, NEXT)
        dvc(desk, "push", "--quiet")
        shutil.copy(desk / "models" / NEXT / "adapter_config.json", part)

    here.push(add_and_push, f"Add {NEXT} and put it on trial")
    until(lambda: here.on_trial() == [(served(here, NEXT), WEIGHT)], "its canary has begun")
    assert digest.of_directory(part) == digest.of_directory(here.home / "engineer/models" / NEXT)
