"""Evidence comes from the event log alone: followed, kept in a checkpoint, or rebuilt, it says the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.errors import Unknown
from runner.events.compact import Compactor
from runner.events.schema import Kind
from runner.reconcile.evidence import LoggedEvidence
from runner.reconcile.state import StatePaths
from runner.reconcile.trial import Subject
from runner.rollout.verdict import Assessment, Step
from runner.signals.detection import Detection
from runner.signals.refusal.detector import SHIPPED
from runner.spec.condition import parse
from runner.spec.rollout import RolloutPolicy
from tests.doubles.event_files import START_US, line

POLICY = RolloutPolicy.model_validate(
    {
        "decision": {"session_gap": "10s", "user_window": "10s"},
        "always": {"errors": "error_rate > 5%", "worse": "error_rate > baseline * 1.5"},
        "stages": [
            {"name": "canary", "traffic": "20%", "duration": "60s", "advance": "auto"},
            {"name": "full", "traffic": "100%", "duration": "stable"},
        ],
    }
)
START = START_US / 1_000_000
SUBJECT = Subject(
    policy=POLICY,
    rollout_id="r1",
    candidate="v2--222222222222",
    baseline="v1--111111111111",
    stage="canary",
    started=START,
    since=START,
)


def request(number: int, *, failed: bool = False, **changes: Any) -> dict[str, Any]:
    """Return the request of user `number`, one every 100 ms; every fifth user has the candidate."""
    arm = "candidate" if number % 5 == 0 else "baseline"
    event = {
        "event.id": f"e{number}",
        "event.time": START_US + number * 100_000,
        "loop.environment": "production",
        "loop.request.id": f"q{number}",
        "loop.user": f"u{number}",
        "loop.group": "public",
        "loop.alias": "chat",
        "loop.arm": arm,
        "loop.arm.assigned": arm,
        "loop.weight": 0.2,
        "loop.rollout": "r1",
        "loop.outcome": "error" if failed else "ok",
        "loop.fell_back": False,
        "loop.latency_ms": 20.0,
        "http.response.status_code": 502 if failed else 200,
    }
    return event | changes


def healthy(numbers: Iterable[int]) -> list[dict[str, Any]]:
    return [request(number) for number in numbers]


def broken(numbers: Iterable[int]) -> list[dict[str, Any]]:
    return [request(number, failed=number % 5 == 0) for number in numbers]


class Log:
    """The event log of an environment, written as a gateway does."""

    def __init__(self, root: Path) -> None:
        self.paths = StatePaths(root, "production")
        self.paths.events.mkdir(parents=True)
        self.now = START + 1.0
        self._segment = 0

    def write(self, events: list[dict[str, Any]], *, whole: bool = True, kind: Kind = Kind.REQUEST) -> None:
        path = self._path(live=True, kind=kind)
        data = b"".join(map(line, events))
        with path.open("ab") as file:
            file.write(data if whole else data[:-5])
        self.now = max(self.now, events[-1]["event.time"] / 1_000_000)

    def close_segment(self) -> None:
        self._path(live=True).rename(self._path(live=False))
        self._segment += 1

    def _path(self, *, live: bool, kind: Kind = Kind.REQUEST) -> Path:
        name = f"{kind.value}-{START_US + self._segment}-4194999"
        return self.paths.events / f"{name}{'.open' if live else ''}.jsonl"

    def evidence(self, subject: Subject | None = SUBJECT) -> LoggedEvidence:
        evidence = LoggedEvidence(self.paths, lambda: self.now)
        evidence.follow(subject)
        return evidence


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def look(evidence: LoggedEvidence, log: Log) -> Assessment:
    found = asyncio.run(evidence.look(log.now))
    assert isinstance(found, Assessment), found
    return found


def figures(found: Assessment) -> tuple[Any, ...]:
    return found.sessions, found.step, [finding.candidate.n for finding in found.findings]


def test_without_a_rollout_nothing_is_read(log: Log) -> None:
    (log.paths.events / "request-1-1.jsonl").mkdir()  # reading it would fail
    assert asyncio.run(log.evidence(None).look(log.now)) is None


def test_a_candidate_that_fails_is_found_and_the_event_that_decided_is_named(log: Log) -> None:
    evidence = log.evidence()
    log.write(healthy(range(100)))
    assert look(evidence, log).step is Step.HOLD
    log.write(broken(range(100, 200)))
    found = look(evidence, log)
    assert found.step is Step.ROLL_BACK
    decided = int(evidence.cause().event.removeprefix("e"))
    assert 100 <= decided < 199, "not merely the newest of the batch"


def test_the_same_is_found_however_often_one_looked(log: Log) -> None:
    often = log.evidence()
    for begin in range(0, 400, 20):
        log.write(healthy(range(begin, begin + 20)))
        look(often, log)
    once = log.evidence()
    assert figures(look(often, log)) == figures(look(once, log))


def test_a_runner_that_starts_again_goes_on_from_its_checkpoint(log: Log) -> None:
    first = log.evidence()
    log.write(healthy(range(200)))
    look(first, log)
    first.close()
    log.write(healthy(range(200, 300)))
    again = log.evidence()
    assert figures(look(again, log)) == figures(look(first, log))
    assert look(again, log).evidence == pytest.approx(look(first, log).evidence)


@pytest.mark.parametrize("damage", ["gone", "torn", "other"])
def test_without_a_usable_checkpoint_all_is_rebuilt_from_events(log: Log, damage: str) -> None:
    first = log.evidence()
    log.write(healthy(range(300)))
    before = figures(look(first, log))
    first.close()
    if damage == "gone":
        log.paths.evidence.unlink()
    if damage == "torn":
        log.paths.evidence.write_bytes(log.paths.evidence.read_bytes()[:-40])
    if damage == "other":
        value = json.loads(log.paths.evidence.read_bytes())
        log.paths.evidence.write_text(json.dumps({**value, "ledger": {}}))
    assert figures(look(log.evidence(), log)) == before


def test_events_that_were_compacted_while_no_runner_lived_count_too(log: Log) -> None:
    first = log.evidence()
    log.write(healthy(range(100)))
    look(first, log)
    first.close()
    log.write(healthy(range(100, 200)))
    log.close_segment()
    now = int(log.now * 1_000_000)
    for at in (now, now + 120_000_000):
        Compactor(log.paths.events, log.paths.lake, lambda at=at: at).run()
    assert not list(log.paths.events.glob("*.jsonl"))
    log.write(healthy(range(200, 300)))
    assert figures(look(log.evidence(), log)) == figures(look(first_of(log), log))
    assert look(log.evidence(), log).sessions == 60


def first_of(log: Log) -> LoggedEvidence:
    """Return evidence without any checkpoint."""
    log.paths.evidence.unlink(missing_ok=True)
    return log.evidence()


def test_a_change_of_a_condition_judges_all_that_happened_by_the_new_one(log: Log) -> None:
    evidence = log.evidence()
    log.write([request(number, failed=number % 50 == 0) for number in range(1000)])  # 10% of the candidate's
    assert look(evidence, log).step is Step.ROLL_BACK
    lenient = POLICY.model_copy(update={"always": {"errors": parse("error_rate > 40%")}})
    evidence.follow(replace(SUBJECT, policy=lenient))
    found = look(evidence, log)
    assert found.step is Step.ADVANCE
    assert found.sessions == 200


def test_a_trial_that_is_taken_up_again_does_not_suffer_for_the_one_before(log: Log) -> None:
    evidence = log.evidence(replace(SUBJECT, generation=3))
    log.write([event | {"loop.generation": 3} for event in broken(range(200))])
    assert look(evidence, log).step is Step.ROLL_BACK
    evidence.follow(replace(SUBJECT, started=START + 60.0, since=START + 60.0, generation=5))
    log.write([event | {"loop.generation": 5} for event in healthy(range(700, 800))])
    found = look(evidence, log)
    assert found.step is Step.HOLD
    assert found.sessions == 20


def test_what_was_decided_by_the_first_look_has_a_cause_too(log: Log) -> None:
    evidence = log.evidence()
    log.write(broken(range(200)))
    assert look(evidence, log).step is Step.ROLL_BACK
    assert evidence.cause().event == "e199"


def test_a_gateway_whose_clock_is_behind_is_heard_all_the_same(log: Log) -> None:
    evidence = log.evidence(replace(SUBJECT, started=START + 600.0, since=START + 600.0, generation=3))
    log.write([event | {"loop.generation": 3} for event in broken(range(200))])
    assert look(evidence, log).step is Step.ROLL_BACK


def test_a_checkpoint_that_the_disk_does_not_take_disturbs_no_verdict(log: Log) -> None:
    evidence = log.evidence()
    log.paths.evidence.mkdir()  # nothing can be put in its place
    log.write(broken(range(200)))
    assert look(evidence, log).step is Step.ROLL_BACK
    evidence.close()


def test_a_line_that_is_still_being_written_counts_once_it_is_whole(log: Log) -> None:
    evidence = log.evidence()
    log.write(healthy([0, 5]), whole=False)
    assert look(evidence, log).sessions == 1


def test_a_log_that_cannot_be_read_is_unknown_and_says_why(log: Log) -> None:
    evidence = log.evidence()
    log.paths.events.rmdir()
    log.paths.events.write_text("not a folder")
    found = asyncio.run(evidence.look(log.now))
    assert isinstance(found, Unknown)
    assert "cannot be read" in found.reason


REFUSING = replace(SUBJECT, policy=POLICY.model_copy(update={"always": {"r": parse("refusal_rate > 15%")}}))
GUARDED = replace(
    SUBJECT, policy=POLICY.model_copy(update={"always": {**POLICY.always, "r": parse("refusal_rate > 15%")}})
)


def answers(numbers: Iterable[int], answer: str) -> list[dict[str, Any]]:
    """Return what was said in the requests of these numbers."""
    return [
        {
            "event.id": f"e{number}-content",
            "event.time": START_US + number * 100_000,
            "loop.environment": "production",
            "loop.request.id": f"q{number}",
            "gen_ai.response.id": f"chatcmpl-{number}",
            "gen_ai.input.messages": json.dumps([{"role": "user", "content": "Where is it?"}]),
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": answer}]),
        }
        for number in numbers
    ]


def test_a_phrase_that_is_declared_later_makes_the_evidence_anew(log: Log) -> None:
    log.write(healthy(range(400)))
    log.write(answers(range(400), "It is on the third shelf, to the left of the stairs."), kind=Kind.CONTENT)
    first = log.evidence(REFUSING)
    assert look(first, log).step is not Step.ROLL_BACK
    first.close()
    declared = replace(REFUSING, detection=Detection(keywords=("left of the stairs",)))
    again = log.evidence(declared)
    assert look(again, log).step is Step.ROLL_BACK, "the checkpoint of the other detection is left alone"
    first.follow(declared)
    assert look(first, log).step is Step.ROLL_BACK, "while a runner is at work too"


def test_another_model_in_its_file_makes_the_evidence_anew(log: Log) -> None:
    path = log.paths.root / "model.json"
    subject = replace(REFUSING, detection=Detection(model="model.json"))
    path.write_bytes(SHIPPED.read_bytes())
    log.write(healthy(range(400)))
    log.write(answers(range(400), "Sorry, I cannot help with that."), kind=Kind.CONTENT)
    evidence = log.evidence(subject)
    assert look(evidence, log).step is Step.ROLL_BACK
    path.write_text(json.dumps({**json.loads(SHIPPED.read_bytes()), "bias": -99.0}))
    evidence.follow(subject)
    assert look(evidence, log).step is not Step.ROLL_BACK


@pytest.mark.parametrize("damage", ["gone", "torn"])
def test_a_model_that_cannot_be_used_is_unknown_and_says_why_until_it_can(log: Log, damage: str) -> None:
    path = log.paths.root / "model.json"
    subject = replace(GUARDED, detection=Detection(model="model.json"))
    if damage == "torn":
        path.write_bytes(SHIPPED.read_bytes()[:-40])
    log.write(healthy(range(300)))
    log.write(answers(range(300), "It is on the third shelf."), kind=Kind.CONTENT)
    evidence = log.evidence(subject)
    for _ in range(2):
        evidence.follow(subject)
        found = asyncio.run(evidence.look(log.now))
        assert isinstance(found, Unknown), found
        assert "refusals cannot be counted" in found.reason and str(path) in found.reason
    evidence.close()
    assert not log.paths.evidence.exists(), "what lacks refusals is not kept"
    path.write_bytes(SHIPPED.read_bytes())
    evidence.follow(subject)
    refusals = {each.text: each.candidate.n for each in look(evidence, log).findings}
    assert refusals["refusal_rate > 15%"] == 60


def test_without_a_usable_model_what_else_is_proven_still_rolls_back(log: Log) -> None:
    evidence = log.evidence(replace(GUARDED, detection=Detection(model="gone.json")))
    log.write(broken(range(200)))
    found = look(evidence, log)
    assert (found.step, found.condition) == (Step.ROLL_BACK, "errors")
    assert evidence.cause().event


def test_a_model_that_no_condition_needs_disturbs_nothing(log: Log) -> None:
    evidence = log.evidence(replace(SUBJECT, detection=Detection(model="gone.json")))
    log.write(healthy(range(100)))
    assert look(evidence, log).sessions == 20


def test_a_pass_while_the_past_is_read_does_not_begin_it_anew(log: Log) -> None:
    evidence = log.evidence()
    log.write(healthy(range(200)))

    async def looked_while_a_pass_went_by() -> object:
        looking = asyncio.create_task(evidence.look(log.now))
        await asyncio.sleep(0)
        evidence.follow(replace(SUBJECT))
        return await looking

    found = asyncio.run(looked_while_a_pass_went_by())
    assert isinstance(found, Assessment) and found.sessions == 40
