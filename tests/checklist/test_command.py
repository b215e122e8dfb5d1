"""`loop checklist`: where nothing has run, and where a version was on trial and taken back for real."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.checklist import report
from runner.checklist.points import check
from runner.console.monitor.app import serve
from runner.console.monitor.feed import Feed
from runner.report import exposition
from tests.checklist.whole import having, whole
from tests.cli.remote import asks, candidate, on_trial, running
from tests.cli.workbench import Bench, Live, Said, git, refused
from tests.console import pages
from tests.waiting import PATIENCE_S, until

USERS = tuple(f"user-{number}" for number in range(12))
COMMAND = re.compile(r"`(loop|dvc|git) ")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("fresh"))


def points(said: Said) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in json.loads(said.out)["points"]}


def open_findings(point: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in point["findings"] if each["verdict"] != "PASS"]


def test_where_nothing_has_run_nothing_passes_and_each_point_names_the_command_that_would_show_it(fresh):
    said = fresh.loop("checklist", "--json")
    assert said.code == 2, said
    found = points(said)
    assert len(found) == 23
    for name, point in found.items():
        assert point["verdict"] == "INCONCLUSIVE", (name, point)
        assert any(COMMAND.search(each["next"]) for each in open_findings(point)), (name, point)


def test_the_text_has_every_point_with_what_shows_it_and_what_would(fresh):
    said = fresh.loop("checklist")
    assert said.code == 2
    head = fresh.git("rev-parse", "HEAD").strip()[:12]
    assert re.fullmatch(
        rf"production: INCONCLUSIVE: 23 INCONCLUSIVE, at .* UTC, {head}", said.out.splitlines()[0]
    )
    assert "  INCONCLUSIVE  30-second rollback by adapter swap\n" in said.out
    assert "        next: put a version on trial and take it back: `loop rollback" in said.out


def test_markdown_and_html_say_the_same(fresh, tmp_path):
    page = tmp_path / "checklist.html"
    said = fresh.loop("checklist", "--markdown", "--html", str(page))
    assert said.code == 2 and f"written: {page}" in said.err
    html = page.read_text()
    for text in ("30-second rollback by adapter swap", "the journal has no rollback"):
        assert text in said.out and text in html
    assert "<script" not in html and not re.search(r"(src|href)=\"http", html)


def test_a_wrong_command_line_is_refused_before_anything_is_asked(fresh):
    refused(fresh.loop("checklist", "--markdown", "--json"), "say --markdown or --json, not both")
    refused(fresh.loop("checklist", "--environment", "moon"), "there is no environment 'moon'", "production")
    refused(
        fresh.loop("checklist", "--html", "/no/such/folder/a.html"), "there is no folder '/no/such/folder'"
    )


def test_an_html_file_shows_what_users_wrote_as_text():
    journal = whole().journal
    one = replace(journal.rollbacks[0], condition="<script>alert(1)</script>")  # type: ignore[union-attr]
    checked = check(having(journal=replace(journal, rollbacks=(one,))))  # type: ignore[type-var]
    assert "<script>" not in report.to_html(checked)
    assert "<script>" not in report.to_markdown(checked)


def test_the_exit_code_and_the_json_follow_the_worst_point():
    value = report.to_json(check(whole()))
    assert value["verdict"] == "PASS" and value["counts"]["PASS"] == len(value["points"]) == 23
    finding = value["points"][0]["findings"][0]
    assert set(finding) == {"wants", "verdict", "says", "links", "next"}
    assert set(finding["links"][0]) == {"kind", "where"}


@contextmanager
def monitored(listen: str, runner: int) -> Iterator[None]:
    """Serve the real page of the monitor with figures of a healthy deployment, measured now."""
    ready = threading.Event()
    found: dict[str, Any] = {}

    async def run() -> None:
        stop = asyncio.Event()
        made = pages.healthy(time.time())
        page = replace(made, runner=replace(made.runner, pid=runner))
        assert page.snapshot is not None
        metrics = exposition.text(page.snapshot)
        state = Feed("production", lambda: metrics)
        state.publish(page)
        found["stop"] = lambda: loop.call_soon_threadsafe(stop.set)
        loop = asyncio.get_running_loop()
        await serve(listen, state, stop, ready=lambda _: ready.set())

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE_S)
    try:
        yield
    finally:
        found["stop"]()
        thread.join(PATIENCE_S)


@dataclass(frozen=True)
class Seen:
    """What the command said while all was up, and once the systems had gone."""

    live: Live
    up: Said
    down: Said


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """A candidate gets users, a person takes it back, the runner writes it to Git; then everything is stopped."""
    home: Path = tmp_path_factory.mktemp("live")
    with on_trial(home / "repo") as (live, bare):
        bench = live.bench
        with running(bench) as runner:
            runner.agrees_with(bench.git("rev-parse", "HEAD").strip())
            assert candidate(live) == bench.served("chat-v1.1")
            assert len(set(asks(live, *USERS))) == 2
            assert bench.loop("rollback", "--reason", "a drill").code == 0
            asks(live, *USERS)
            until(lambda: "Roll back" in git(bare, "log", "-1", "--format=%s", "main"), "the commit")
            runner.agrees_with(git(bare, "rev-parse", "main").strip())
            declared = yaml.safe_load(bench.files.texts["loop.yaml"])["environments"]["production"]
            with monitored(declared["monitor"]["listen"], runner.process.pid):
                up = bench.loop("checklist", "--json")
    return Seen(live, up, live.bench.loop("checklist", "--json"))


def test_a_real_rollback_is_shown_with_its_milliseconds_and_its_entries_of_the_journal(seen):
    found = points(seen.up)["rollback"]
    assert found["verdict"] == "PASS", found
    first, strays = found["findings"]
    assert re.search(r"[\d,]+ ms from a person's request to zero traffic \(a drill\)", first["says"])
    assert [each["kind"] for each in first["links"]] == ["journal", "journal"]
    assert strays["says"] == "0 requests after 1 rollback"


def test_quarantine_and_the_way_into_git_are_shown_live(seen):
    found = points(seen.up)
    assert {
        name: found[name]["verdict"] for name in ("quarantine", "writing", "digests", "unharmed", "log")
    } == {
        "quarantine": "PASS",
        "writing": "PASS",
        "digests": "PASS",
        "unharmed": "PASS",
        "log": "PASS",
    }
    commit = next(each for each in found["writing"]["findings"][1]["links"] if each["kind"] == "commit")
    assert (
        seen.live.bench.git("log", "-1", "--format=%s", commit["where"]).strip()
        == "Roll back chat-v1.1 in production"
    )


def test_the_monitors_page_gives_dashboard_drift_and_response_rate(seen):
    found = points(seen.up)
    verdicts = {name: found[name]["verdict"] for name in ("dashboard", "alive", "drift-now", "response")}
    assert verdicts == dict.fromkeys(verdicts, "PASS"), found["dashboard"]
    assert "18,240" in json.dumps(found["dashboard"]), "each figure with its n"


def test_a_trial_that_nobody_evaluated_fails_the_point_of_the_gates(seen):
    found = points(seen.up)["gates"]
    assert (found["verdict"], found["findings"][0]["says"]) == (
        "FAIL",
        "chat-v1.1: no report about these bytes",
    )


def test_once_the_systems_are_away_that_is_an_error_and_the_rest_is_still_judged(seen):
    assert (seen.up.code, seen.down.code) == (2, 1)
    found = points(seen.down)
    assert {name for name, each in found.items() if each["verdict"] == "ERROR"} >= {
        "dashboard",
        "digests",
        "log",
    }
    assert found["rollback"]["verdict"] == "PASS", "the journal and the log are files"
    assert "could not look" in json.dumps(found["alive"])
