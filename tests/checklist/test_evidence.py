"""What is gathered from each place: the journal, Git, the event log, files; and what is made of what is damaged."""

from __future__ import annotations

import hashlib
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import orjson
import pytest

from runner.checklist.evidence import files, log
from runner.checklist.evidence.gather import gather
from runner.checklist.evidence.history import Source, history
from runner.checklist.evidence.journal import journal
from runner.checklist.facts import Entered, Journal, Rolled, Rules, Sourced, Trained, Trial, Workflow
from runner.errors import LoopError, TerminalError, Unknown
from runner.events.lake import Lake
from runner.git import messages
from runner.git.repository import Repository
from runner.reconcile.journal import Journal as Book
from runner.reconcile.memory import Kind
from runner.reconcile.observed import Rollback
from runner.report import alerts
from runner.spec.files import DirectoryFiles
from runner.spec.load import load_or_raise
from tests.cli.workbench import PRODUCTION, Bench
from tests.doubles.event_files import DAY_US, START_US, line, request, segment

ONE, TWO = "http://127.0.0.1:1", "http://127.0.0.1:2"
BAD = "chat-v1.1--bbbbbbbbbbbb"
WORKFLOW = """\
on:
  schedule:
    - cron: "1 2 * * *"
  workflow_dispatch:
jobs:
  # loop data curate
  - run: loop data curate --json
"""


class Writer:
    """A journal that is written entry by entry, each a second after the one before."""

    def __init__(self, root: Path) -> None:
        self.root, self.now = root, 1_000.0
        self.path = root / ".loop/production/journal.jsonl"
        self._book = Book(self.path, lambda: self.now)

    def add(self, kind: Kind, **body: object) -> None:
        self.now += 1.0
        self._book.append(kind, body)

    def rollback(self, event: str = "event-1") -> None:
        """Write ahead that a candidate goes back, for an event a quarter of a second ago, or for a person."""
        record = Rollback(
            BAD, "r-1", "chat-v1.0--aaaaaaaaaaaa", "canary", 0.05, "error_rate > 5%", (), self.now
        )
        cause = {"event": event, "time_us": round((self.now + 0.75) * 1e6) if event else 0}
        self.add(Kind.ATTEMPTED, action="roll_back", served=BAD, rollback=asdict(record), cause=cause)

    def done(self, **gateways: str) -> None:
        result = {"gateways": gateways, "seconds": 0.1}
        named = {"action": "roll_back", "served": BAD, "target": "t", "subject": "t", "config": ""}
        self.add(Kind.DONE, **named, result=result)

    def switched(self, gateway: str) -> None:
        named = {"action": "switch_routes", "target": "t", "subject": "t"}
        self.add(Kind.DONE, gateway=gateway, **named, result={"generation": 2})

    def in_sync(self) -> None:
        self.add(Kind.IN_SYNC, revision="1" * 40, spec_digest="2" * 64)

    def read(self) -> Journal:
        self._book.close()
        return journal(self.path, self.root, (ONE, TWO))


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path)


def only(found: Journal) -> Rolled:
    (one,) = found.rollbacks
    return one


def test_the_time_of_a_rollback_begins_with_the_event_that_decided_it(writer):
    writer.rollback()
    writer.done(**{ONE: "switched", TWO: "switched"})
    one = only(writer.read())
    assert (one.attempted, one.done, one.event, one.late) == (1, 2, "event-1", ())
    assert one.switched is not None and one.switched - one.decided == pytest.approx(1.25)


def test_the_time_of_a_rollback_by_hand_begins_when_somebody_asked(writer):
    writer.rollback(event="")
    writer.done(**{ONE: "switched"})
    one = only(writer.read())
    assert (one.event, one.decided, one.switched) == ("", 1_000.0, 1_002.0)


def test_a_gateway_that_was_away_counts_until_it_was_switched(writer):
    writer.rollback()
    writer.done(**{ONE: "switched", TWO: "no answer within 5 s"})
    for _ in range(4):
        writer.add(
            Kind.FAILED, action="x", target="x", subject="x", failure="transient", message="", config=""
        )
    writer.switched(TWO)
    assert only(writer.read()).switched == 1_007.0


def test_a_gateway_that_never_came_back_leaves_the_time_open(writer):
    writer.rollback()
    writer.done(**{ONE: "switched", TWO: "no answer within 5 s"})
    one = only(writer.read())
    assert (one.switched, one.late) == (None, (TWO,))


def test_a_rollback_that_a_crash_cut_short_ends_where_live_agreed_with_git(writer):
    writer.rollback()
    writer.in_sync()
    one = only(writer.read())
    assert (one.done, one.switched, one.late) == (None, 1_002.0, ())


def test_a_rollback_that_only_began_has_no_end(writer):
    writer.rollback()
    one = only(writer.read())
    assert (one.done, one.switched, one.late) == (None, None, (ONE, TWO))


def test_the_journal_tells_stages_probes_steps_to_git_and_what_waits(writer):
    writer.add(
        Kind.DONE, action="probe_adapter", served=BAD, replica="r", instance="i", target="t", subject="t"
    )
    writer.add(Kind.ENTERED, rollout_id="r-1", stage="canary", started=5.0, since=6.0, generation=1)
    writer.rollback()
    step = {"action": "write_rollback", "target": f"write_rollback {BAD}", "subject": "s", "served": BAD}
    writer.add(Kind.FAILED, **step, failure="transient", message="the remote is away\nmore", config="")
    waiting = writer.read()
    assert waiting.entered == (Entered(2, "r-1", "canary", 6.0),)
    assert waiting.probed == {BAD: 1}
    assert waiting.open == (BAD,)
    assert waiting.failing == (f"write_rollback {BAD} failed 1 times: the remote is away",)
    book = Book(writer.path, lambda: 2_000.0)
    book.append(Kind.DONE, {**step, "result": {"written": "4" * 40, "note": ""}})
    book.close()
    found = journal(writer.path, writer.root, ())
    assert [(each.action, each.written) for each in found.written] == [("write_rollback", "4" * 40)]
    assert found.failing == ()


def test_a_journal_that_is_not_there_is_empty_and_one_that_was_changed_is_refused(writer):
    assert journal(writer.root / ".loop/staging/journal.jsonl", writer.root, ()).entries == 0
    writer.in_sync()
    writer.in_sync()
    writer.path.write_text(writer.path.read_text().replace("1" * 40, "3" * 40, 1))
    with pytest.raises(TerminalError, match="the journal was changed"):
        writer.read()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A repository in which people and the runner have worked, and two workflows and a crontab stand."""
    bench = Bench(tmp_path_factory.mktemp("history"))
    on = {"environment": "production", "served": BAD, "rollout": "r-1", "evidence": ("n=3",)}
    own = bench.root / ".github/workflows"
    own.mkdir(parents=True)
    (own / "a.yml").write_text(WORKFLOW)
    (own / "hand.yml").write_text("on: workflow_dispatch\njobs:\n  - run: loop evaluate chat-v1.1\n")
    (bench.root / "crontab").write_text(
        "# loop evaluate\n5 4  * * 1  cd /srv/shop && loop evaluate chat-v1.1\n@daily /srv/shop/ops/night.sh\n"
    )
    (bench.root / "ops").mkdir()
    (bench.root / "ops/night.sh").write_text("set -e\nloop data curate\n")
    policy = load_or_raise(DirectoryFiles(bench.root)).policies.signals
    (bench.root / "rules.yaml").write_text(alerts.render(policy, "https://wiki.example/alerts"))
    (bench.root / "old.yaml").write_text(alerts.render(policy).replace("severity: warning", "severity: info"))
    lock = bench.root / "dvc.lock"
    lock.write_text("schema: '2.0' # 1\n")
    bench.commit("Take new data sets\n\nLoop-Data: curated")
    bench.git("commit", "--quiet", "--allow-empty", "--message", "By hand\n\nLoop-Data: curated")
    bench.roll_out("canary")
    bench.commit("Put chat-v1.1 on trial, by hand")
    bench.commit(messages.advance_message(**on, before="canary", after="small"))
    bench.commit(messages.advance_message(**{**on, "environment": "staging"}, before="canary", after="small"))
    return bench


def told(bench: Bench, *asked: str):
    repository = Repository(bench.root)
    spec = load_or_raise(DirectoryFiles(bench.root))
    return history(Source(repository, repository.head(), spec), "production", asked)


def test_git_tells_the_loops_own_commits_of_one_environment_oldest_first(shop):
    found = told(shop)
    assert [(each.trailer, each.value, each.rollout) for each in found.steps] == [
        ("Loop-Data", "curated", ""),
        ("Loop-Advance", f"{BAD} canary -> small", "r-1"),
    ]


def test_git_tells_who_merged_what_and_which_run_made_it(tmp_path):
    bench = Bench(tmp_path)
    bench.commit("Begin")
    main = bench.git("rev-parse", "--abbrev-ref", "HEAD").strip()

    def merged(number: int, trailers: str, who: str) -> None:
        bench.git("checkout", "--quiet", "-b", f"b{number}")
        (bench.root / "dvc.lock").write_text(f"# {number}\n")
        bench.commit(f"Take new data sets\n\nLoop-Data: {number}{trailers}")
        bench.git("checkout", "--quiet", main)
        bench.git("merge", "--quiet", "--no-ff", "--message", f"Merge {number}", f"b{number}")
        if who:
            bench.git("commit", "--quiet", "--amend", "--no-edit", "--author", who)

    merged(1, "\nLoop-Run: schedule https://git.example/runs/8", "Grace <grace@example.com>")
    merged(2, "\nLoop-Run: workflow_dispatch https://git.example/runs/9", "")
    (bench.root / "dvc.lock").write_text("# 3\n")
    bench.commit("Take new data sets\n\nLoop-Data: 3")
    first, second, third = told(bench).steps
    assert (first.value, first.run) == ("1", "schedule https://git.example/runs/8")
    assert first.merge is not None and first.merge.by == "Grace"
    assert first.merge.sha == bench.git("log", "--format=%H", "--grep=Merge 1").strip()
    assert (second.value, second.run, second.merge) == ("2", "", None)
    assert (third.value, third.run, third.merge) == ("3", "", None)


def test_a_trial_that_somebody_wrote_by_hand_is_seen(shop):
    (trial,) = told(shop).trials
    assert isinstance(trial, Trial) and trial.version == "chat-v1.1"
    assert trial.sha == shop.git("log", "--format=%H", "--grep=by hand").strip()


def test_what_runs_by_itself_is_told_with_its_line_and_what_starts_it(shop):
    assert told(shop).workflows == (
        Workflow(".github/workflows/a.yml", 7, "loop data curate", ("schedule 1 2 * * *",)),
        Workflow(".github/workflows/hand.yml", 3, "loop evaluate", ()),
        Workflow("crontab", 3, "loop data curate", ("cron @daily",)),
        Workflow("crontab", 2, "loop evaluate", ("cron 5 4 * * 1",)),
    )


def test_alert_rules_are_held_to_the_policy_whatever_their_link(shop):
    assert sorted(told(shop).rules, key=lambda each: each.path) == [
        Rules("old.yaml", False),
        Rules("rules.yaml", True),
    ]


def test_commits_are_known_where_the_history_has_them_and_values_have_their_line(shop):
    head = shop.git("rev-parse", "HEAD").strip()
    found = told(shop, head, "9" * 40)
    assert found.known == {head}
    path, _, number = found.places["baseline"].partition(":")
    text = shop.files.texts[path].splitlines()[int(number) - 1]
    assert text.strip() == "baseline: chat-v1.0"
    assert found.places["signal:refusal_rate"].startswith("policies/signals.yaml:")


def asked(number: int, arm: str = "candidate", weight: float = 0.05, **changes: object) -> dict[str, object]:
    own = {"loop__rollout": "r-1", "loop__weight": weight, "loop__arm__assigned": arm}
    return request(number, **{**own, **changes})


@contextmanager
def logged(root: Path, *events: dict[str, object], extra: bytes = b"") -> Iterator[Lake]:
    segment(root / "events", [*map(line, events), extra])
    with Lake(root / "lake", root / "events") as stored:
        yield stored


def test_the_log_counts_kinds_days_and_arms(tmp_path):
    events = (
        asked(1),
        asked(2, loop__outcome="error"),
        asked(3, arm="baseline", loop__fell_back=True),
        asked(4, weight=0.2),
        request(5, event__time=START_US + 3 * DAY_US),
        request(6, event__time=START_US + 9 * DAY_US, loop__console=True),
    )
    with logged(tmp_path, *events, extra=b"no event\n") as stored:
        found = log.log(stored, tmp_path, since=(START_US + DAY_US) / 1e6)
    assert (found.kinds["request"].n, found.kinds["request"].since) == (6, 2)
    assert set(found.kinds) == {"request"} and found.damaged == 1 and not found.forgotten
    assert found.days == (START_US // DAY_US, START_US // DAY_US + 3)
    rows = {(each.weight, each.arm): (each.n, each.failed, each.fell_back) for each in found.arms}
    assert rows == {
        (0.05, "candidate"): (2, 1, 0),
        (0.05, "baseline"): (1, 0, 1),
        (0.2, "candidate"): (1, 0, 0),
    }


def rolled(switched_us: int) -> Rolled:
    second = START_US / 1e6
    return Rolled(BAD, "r-1", "canary", "c", "e", second, 7, 8, (START_US + switched_us) / 1e6)


def test_who_came_to_a_candidate_is_followed_until_it_is_on_trial_again(tmp_path):
    again = Entered(9, "r-1", "canary", (START_US + 500) / 1e6)
    with logged(tmp_path, asked(100), asked(300), asked(310, arm="baseline"), asked(700)) as stored:
        (clean,) = log.followed(stored, [rolled(400)], [again])
        (stray,) = log.followed(stored, [rolled(200)], [again])
        (forever,) = log.followed(stored, [rolled(400)], [])
        (nobody,) = log.followed(stored, [Rolled(**{**asdict(rolled(400)), "rollout": "r-2"})], [])
    assert (clean.last_arrival, clean.strays) == ((START_US + 300) / 1e6, 0)
    assert stray.strays == 1 and forever.strays == 1
    assert (nobody.last_arrival, nobody.strays) == (None, 0)


def test_rows_are_followed_to_events_that_are_in_the_log(tmp_path):
    rows = (("event-1", "event-99"), ("event-99",), ("event-2",))
    with logged(tmp_path, asked(1), asked(2)) as stored:
        found = log.traced(stored, [Sourced("chat-v1.1", "p", rows), Sourced("chat-v1.2", "p", None)])
    assert found == (Trained("chat-v1.1", "p", 3, 2), Trained("chat-v1.2", "p", None, 0))


def test_a_log_of_which_files_are_gone_is_refused(tmp_path):
    part = {"kind": "request", "file": "request/gone.parquet", "rows": 1, "first_us": 1, "last_us": 2}
    value = {"format": 1, "generation": 1, "parts": [part], "segments": {}, "retired": {}}
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake/manifest.json").write_text(json.dumps(value))
    with logged(tmp_path, asked(1)) as stored, pytest.raises(LoopError, match=r"request/gone\.parquet"):
        log.demand_files(stored, tmp_path / "lake")


def test_what_a_version_was_trained_on_is_found_by_its_hash_wherever_it_lies(tmp_path):
    bench = Bench(tmp_path)
    rows = [{"id": "p1", "sources": ["vote-1"]}, {"id": "p2", "sources": ["rec-1", "rec-2/answer"]}]
    data = b"".join(orjson.dumps(row) + b"\n" for row in rows)
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    bench.files.set("models/chat-v1.1.yaml", "training", "dataset_hash", to=md5)
    bench.commit("trained")
    spec = load_or_raise(DirectoryFiles(bench.root))
    assert files.sourced(bench.root, spec) == (
        Sourced("chat-v1.1", "datasets/snapshot/preferences.jsonl", None),
    )
    for folder, name in (
        ("datasets/snapshot", "preferences.jsonl"),
        (f".dvc/cache/files/md5/{md5[:2]}", md5[2:]),
    ):
        (bench.root / folder).mkdir(parents=True, exist_ok=True)
        (bench.root / folder / name).write_bytes(data)
        records = bench.root / "datasets/collected/records.jsonl"
        records.parent.mkdir(exist_ok=True)
        records.write_text(json.dumps({"id": "rec-1", "sources": ["e-1", "e-1-content"]}) + "\n")
        (found,) = files.sourced(bench.root, spec)
        assert found.rows == (("vote-1",), ("e-1", "e-1-content", "rec-2"))
        (bench.root / "datasets/snapshot/preferences.jsonl").write_text("another snapshot\n")


def test_systems_that_are_away_or_hang_cost_nothing_of_the_rest(tmp_path):
    bench = Bench(tmp_path)
    bench.state("journal.jsonl")
    book = Book(bench.state("journal.jsonl"), lambda: 5.0)
    book.append(Kind.IN_SYNC, {"revision": "1" * 40, "spec_digest": "2" * 64})
    book.close()
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        bench.files.set(*PRODUCTION, "monitor", "listen", to=f"127.0.0.1:{deaf.getsockname()[1]}")
        bench.commit("a monitor that never answers")
        found = gather(bench.root, "production", 10.0)
    assert isinstance(found.page, Unknown) and "was not answered" in found.page.reason
    assert [isinstance(each, Unknown) for each in found.gateways.values()] == [True]
    assert isinstance(found.journal, Journal) and found.journal.entries == 1
    assert found.log.kinds == {}  # type: ignore[union-attr]


def test_what_answers_and_is_no_monitor_is_told(tmp_path):
    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"hello": 1}')

        def log_message(self, *arguments):
            pass

    bench = Bench(tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        bench.files.set(*PRODUCTION, "monitor", "listen", to=f"127.0.0.1:{other.server_port}")
        bench.commit("another program's address")
        found = gather(bench.root, "production", 10.0)
        other.shutdown()
    assert isinstance(found.page, Unknown) and "is no monitor of this version" in found.page.reason
