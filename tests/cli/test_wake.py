"""`loop wake`: a push is in force at once where a hook calls it, and within one poll where none does."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

from runner.reconcile.journal import Journal
from tests.cli.remote import candidate, on_trial, revert_trial, running
from tests.cli.workbench import CHECKOUT, Bench, git, refused
from tests.waiting import PATIENCE_S

NEVER = "1h"
"""A poll that no test lives to see."""


def test_a_persons_revert_is_in_force_right_after_a_wake(tmp_path: Path) -> None:
    with on_trial(tmp_path / "repo", poll=NEVER) as (live, bare), running(live.bench) as runner:
        runner.agrees_with(live.bench.git("rev-parse", "HEAD").strip())
        assert candidate(live) == live.bench.served("chat-v1.1")
        revert = revert_trial(bare, tmp_path / "person")
        said = live.bench.loop("wake")
        assert (said.code, said.out) == (0, f"runner {runner.process.pid} looks now\n")
        runner.agrees_with(revert)
        assert candidate(live) is None
        assert not (live.bench.root / "quarantine.yaml").exists(), "a person's revert quarantines nothing"
        assert live.bench.git("rev-parse", "HEAD").strip() == revert, "the checkout went along"


def test_without_a_wake_it_is_in_force_within_one_poll(tmp_path: Path) -> None:
    with on_trial(tmp_path / "repo", poll="1s") as (live, bare), running(live.bench) as runner:
        runner.agrees_with(live.bench.git("rev-parse", "HEAD").strip())
        runner.agrees_with(revert_trial(bare, tmp_path / "person"))
        assert candidate(live) is None


def test_the_hook_that_help_shows_brings_a_push_into_force(tmp_path: Path) -> None:
    with on_trial(tmp_path / "repo", poll=NEVER) as (live, bare), running(live.bench) as runner:
        runner.agrees_with(live.bench.git("rev-parse", "HEAD").strip())
        line = re.search(r"^ +(loop --root \S+ wake)$", live.bench.loop("wake", "--help").out, re.MULTILINE)
        assert line is not None
        write_hook(bare, line[1].replace("/srv/models", str(live.bench.root)))
        runner.agrees_with(revert_trial(bare, tmp_path / "person"))
        assert candidate(live) is None


def test_a_hook_without_a_runner_does_not_keep_a_push_out(tmp_path: Path) -> None:
    with on_trial(tmp_path / "repo") as (live, bare):
        write_hook(bare, f"loop --root {live.bench.root} wake")
        revert = revert_trial(bare, tmp_path / "person")
        assert git(bare, "rev-parse", "main").strip() == revert


def write_hook(bare: Path, line: str) -> None:
    """Give a bare repository a `post-receive` hook, in which `loop` is this checkout's."""
    loop = f'loop() {{ PYTHONPATH="{CHECKOUT}" "{sys.executable}" -m runner.cli.main "$@"; }}'
    hook = bare / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{loop}\n{line}\n")
    hook.chmod(0o755)


def test_without_a_runner_it_says_how_to_start_one(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "repo")
    refused(bench.loop("wake"), "no runner is at work on 'production'", "`loop up` or `loop run`")
    refused(bench.loop("wake", "-e", "nosuch"), "'nosuch'", "staging, production")


def test_it_ends_no_command_that_holds_the_journal_for_a_moment(tmp_path: Path) -> None:
    """`loop apply` and `loop rollback` hold it too, and SIGHUP ends a process that has not asked for it."""
    bench = Bench(tmp_path / "repo")
    code = f"""
import asyncio, pathlib, sys
from runner.cli.deployment import deployment

async def holds():
    work = deployment(pathlib.Path({str(bench.root)!r}), "production", working_tree=False)
    async with work.reconciler(print, print):
        print("at work", flush=True)
        sys.stdin.readline()

asyncio.run(holds())
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "at work\n"
        assert bench.loop("wake").code == 0
        process.communicate("go on\n", timeout=PATIENCE_S)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


def test_a_hangup_ends_a_command_again_once_the_journal_is_free(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "repo")
    with Journal(bench.state("journal.jsonl"), lambda: 0.0):
        pass
    assert bench.loop("apply").code != 0, "nothing answers at these addresses"
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
