"""The words for every case: both numbers, what is missing, and what comes next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.rollout.explain import capital, condition, lines, record
from runner.rollout.verdict import Because, Estimate, Finding, Step, Verdict
from tests.rollout.streams import LAST, Manner, Trial, policy

RELATIVE = policy("worse: error_rate > baseline * 1.5", "limit: error_rate > 5%")
FAILED = Finding(
    condition="limit",
    text="error_rate > 5%",
    metric="error_rate",
    verdict=Verdict.FAIL,
    candidate=Estimate(10 / 1626, 0.003, 0.012, 1626, 10.0),
    baseline=None,
    evidence=200.0,
    certainty=0.0,
    needed=None,
)
ROLLED_BACK = replace(
    Trial(RELATIVE).serves(hours=1).assess(), step=Step.ROLL_BACK, because=Because.PROVEN, condition="limit"
)


def test_a_rollback_names_the_condition_and_both_numbers() -> None:
    trial = Trial(policy("worse: error_rate > baseline * 1.5")).serves(hours=20, candidate=Manner(errors=0.2))
    text = lines(trial.assess())
    assert text[0].startswith(
        "rolled back: chat-v1.1--cccccccccccc at 50% (stage 'half'): 'worse' is proven: "
    )
    assert (
        "of the candidate" in text[0]
        and "of the baseline" in text[0]
        and "error_rate > baseline * 1.5" in text[0]
    )
    assert "chat-v1.0--bbbbbbbbbbbb" in text[-1] and "quarantine" in text[-1]


def test_a_held_stage_says_what_is_missing_and_about_how_long_that_takes() -> None:
    stages = [{"name": "half", "traffic": "50%", "duration": "1h"}, LAST]
    held = Trial(policy("limit: error_rate > 2%", stages=stages), per_hour=60).serves(hours=2)
    text = lines(held.assess())
    assert text[0].startswith("held: ") and "inconclusive" in text[0] and "error_rate > 2%" in text[0]
    assert "more sessions" in text[-1] and "at this pace" in text[-1]


def test_silence_is_named_as_such() -> None:
    text = lines(Trial(RELATIVE).passes(hours=30).assess())
    assert "no session of the candidate" in text[0]
    assert any("no data of the candidate, no data of the baseline" in line for line in text)


def test_an_advance_says_how_many_sessions_make_it_certain_and_who_takes_the_step() -> None:
    found = Trial(RELATIVE).serves(hours=25).assess()
    text = lines(found)
    assert text[0].startswith("advances: ") and f"{found.sessions} sessions" in text[0]
    assert text[-1] == "  next: a commit sets the stage to 'full'"
    by_person = lines(replace(found, because=Because.PULL_REQUEST))
    assert "a person" in by_person[0] and "pull request" in by_person[-1]


def test_a_candidate_that_has_proven_itself_says_who_makes_it_the_baseline() -> None:
    stages = [{**LAST, "advance": "auto"}]
    trial = Trial(policy("limit: error_rate > 5%", stages=stages, conclude_after="20h"), stage="full")
    held = lines(trial.serves(hours=10).assess())
    assert held[0].startswith("held: ") and held[0].endswith("10 h of the stage have passed, 10 h are left")
    found = trial.serves(hours=12).assess()
    text = lines(found)
    assert text[0].startswith("proven: ") and text[-1] == "  next: a commit makes it the baseline"
    by_person = lines(replace(found, because=Because.PULL_REQUEST))
    assert by_person[-1] == "  next: a pull request makes it the baseline; merge it to end the rollout"


def test_what_a_stretch_proves_is_not_told_as_if_the_whole_showed_it() -> None:
    plain = replace(FAILED, candidate=Estimate(0.12, 0.05, 0.2, 200, 24.0))
    text = lines(replace(ROLLED_BACK, findings=(plain,)))
    assert "12% of the candidate (24 in 200 sessions), where" in text[0]
    assert not any("a stretch of it proves it" in line for line in text)
    late = replace(ROLLED_BACK, findings=(FAILED,))
    text = lines(late)
    told = "0.62% of the candidate (10 in 1626 sessions) over the whole rollout; a stretch of it proves it, where"
    assert told in text[0]
    assert any(line.startswith("  broken: limit: ") and "a stretch of it" in line for line in text)
    assert "a stretch of it proves it" in record(late)[0] and len(record(late)[0]) < 150


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("NOT satisfaction >= 4", 4.5, False),
        ("NOT satisfaction >= 4", 3.5, True),
        ("satisfaction < baseline * 0.9", 3.5, True),
        ("satisfaction < baseline * 0.9", 3.7, False),
    ],
)
def test_the_side_of_a_comparison_is_read_from_its_text(text: str, value: float, shown: bool) -> None:
    baseline = Estimate(4.0, 3.9, 4.1, 500)
    found = replace(
        FAILED, text=text, metric="satisfaction", candidate=Estimate(value, 1.0, 5.0, 90), baseline=baseline
    )
    told = lines(replace(ROLLED_BACK, findings=(found,)))[0]
    assert ("a stretch of it" in told) is not shown


@pytest.mark.parametrize("because", Because)
@pytest.mark.parametrize("step", Step)
def test_every_case_has_words(because: Because, step: Step) -> None:
    base = Trial(RELATIVE).serves(hours=2).assess()
    for extended in (False, True):
        text = lines(replace(base, because=because, step=step, extended=extended))
        assert all(line.strip() and "None" not in line and "nan" not in line for line in text)
        assert text[-1].startswith("  next: ")


def test_what_git_keeps_of_a_rollback_is_the_condition_as_written_and_one_short_line_first() -> None:
    found = Trial(RELATIVE).serves(hours=20, candidate=Manner(errors=0.2)).assess()
    assert condition(replace(found, condition="worse")) == "worse: error_rate > baseline * 1.5"
    assert condition(replace(found, condition="limit")) == "limit: error_rate > 5%"
    ended = replace(found, because=Because.INCONCLUSIVE_END)
    assert condition(ended) == "inconclusive when the time of 'half' was over"
    first, *more = record(replace(found, condition="worse"))
    assert first.endswith(
        "of the baseline ({} in {} sessions), at 50% (stage 'half')".format(*baseline_of(first))
    )
    assert len(first) < 150 and "[" not in first
    assert any("[" in line and "error_rate > 5%" in line for line in more)
    assert record(Trial(RELATIVE).passes(hours=3).assess())[0].startswith("0 sessions of the candidate seen")


def baseline_of(line: str) -> list[str]:
    """Return bad sessions and sessions of the baseline in a line."""
    words = line.partition("of the baseline (")[2].partition(" sessions)")[0]
    return words.split(" in ")


@pytest.mark.parametrize(
    ("evidence", "shown"),
    [
        (0.0, "0"),
        (3.0, "3"),
        (99.6, "99"),
        (0.052, "0.052"),
        (1e-9, "<0.01"),
        (1000.0, "1000"),
        (2.6e17, ">1000"),
    ],
)
def test_the_size_of_evidence_is_told_as_far_as_it_says_something(evidence: float, shown: str) -> None:
    assert capital(evidence, 100.0) == shown
