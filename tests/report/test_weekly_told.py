"""What the weekly report tells beside the signals: each part with its figures, and each without them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from runner.economics.agenda import Trained, agenda
from runner.economics.decide import decide
from runner.feedback.preferences.findings import Check, Finding, Verdict
from runner.feedback.progress import by_week
from runner.feedback.quality_score import Score
from runner.feedback.snapshot import Provenance
from runner.feedback.snapshot.provenance import Origins
from runner.feedback.standings.figures import Rules, rate
from runner.feedback.standings.pairings import pairings
from runner.report import weekly
from runner.report.document import Section
from runner.report.weekly import (
    Collected,
    Happening,
    Material,
    Quality,
    Rollouts,
    Stand,
    Told,
    Week,
)
from runner.signals.reading import Holds, Level
from runner.signals.readings.estimates import NO_DATA, Estimate
from runner.spec.files import DirectoryFiles
from runner.spec.load import load_or_raise
from runner.spec.model import TrainingType
from runner.spec.signals import SignalPolicy
from tests.economics.situations import CALM, NOW, cadence, situation
from tests.feedback.arenas import decided
from tests.feedback.test_progress import DAY_S, NOON, at, told
from tests.report.snapshots import quiet, reading

WEEK_S = 7 * DAY_S
RULES = Rules("chat-v1.0")
ADDRESS = "https://git.example.com/acme/bookshop/commit/" + "a" * 40
PARTS = ("Preferences", "Win rates", "Data quality", "Rollouts", "Decisions", "Cost")


def happening(what: str, **changed: object) -> Happening:
    fields = {
        "at": NOON,
        "environment": "production",
        "version": "chat-v1.1",
        "what": what,
        "because": "errors 0.2% in 900 sessions",
        "by": "loop",
        "commit": "aaaaaaaaaaaa",
        "address": ADDRESS,
        "is_rollback": False,
    }
    return Happening(**{**fields, **changed})  # type: ignore[arg-type]


def account(*checks: Finding) -> Provenance:
    return Provenance("f" * 64, Verdict.FAIL, Origins("", {}, {}, {}), {}, {}, checks, {}, {}, None)


@pytest.fixture(scope="module")
def policy() -> SignalPolicy:
    return load_or_raise(DirectoryFiles(Path())).policies.signals


@pytest.fixture(scope="module")
def everything(policy: SignalPolicy) -> Material:
    """Return a week in which everything happened."""
    ballots = at(*(NOON - 3600.0 * step for step in range(120)))
    failing = Finding(Check.RATER, Verdict.FAIL, 0.9, 0.9, 0.9, 0.4, 120, ("ada",))
    parts = Told(
        collected=Collected(told(ballots), by_week(ballots, NOON, 8), 319),
        pairings=pairings(decided("chat-v1.1", "chat-v1.0", 58, 42), RULES),
        quality=Quality(rate(85, 100, RULES), account(failing), Score(80, 100, 0.7, 0.88)),
        rollouts=Rollouts(
            (Stand("production", "chat-v1.0", "chat-v1.2", "canary"),),
            (happening("put on trial"), happening("taken back", is_rollback=True)),
        ),
        decision=decide(situation()),
        agenda=agenda(cadence(), NOW, 1, (Trained("chat-v1.1", TrainingType.DPO, date(2026, 11, 20), True),)),
        cost=Section("Cost", ("The running account comes to $300.00 a month.",)),
    )
    weeks = {
        "satisfaction": (
            Week(NOON - 3 * WEEK_S, NO_DATA),
            Week(NOON - 2 * WEEK_S, Estimate(3.5, 3.2, 3.8, 90)),
            Week(NOON - WEEK_S, Estimate(3.8, 3.6, 4.0, 120)),
        )
    }
    snapshot = replace(quiet("production", NOON))
    return Material("bookshop", snapshot, WEEK_S, policy, weeks=weeks, told=parts)


def section(material: Material, title: str) -> Section:
    return next(each for each in weekly.sections(material) if each.title == title)


def cells(found: Section) -> str:
    return "\n".join(" | ".join(row) for row in found.table)


def test_the_headline_has_the_collection_the_decision_and_the_rollback(everything):
    lines = section(everything, "In short").lines
    assert lines[1].startswith("85 of 300 preference pairs this week (target)")
    assert lines[2].startswith("production: train a new version now")
    assert lines[3] == "2 steps of rollouts, 1 rollback (chat-v1.1)."


def test_next_actions_stand_second_the_gravest_first_each_with_a_command_and_a_day(everything):
    assert [each.title for each in weekly.sections(everything)][1] == "Next actions"
    head, *rows = section(everything, "Next actions").table
    assert head == ("do", "command", "when")
    assert [row[0].split(". ", 1)[0] for row in rows] == [str(1 + number) for number in range(len(rows))]
    begins = [row[0].split(". ", 1)[1] for row in rows]
    wanted = [
        "chat-v1.1 was rolled back in production",
        "Train a new version, from chat-v1.0",
        "chat-v1.2 is on trial in production ('canary')",
        "A check of the preferences failed: votes from one person: 90.0%, at most 40.0%",
        "Collect 215 preference pairs more for the week's target",
    ]
    assert [each[: len(start)] for each, start in zip(begins, wanted, strict=False)] == wanted
    assert all(row[1].startswith("loop ") and row[2] for row in rows)
    assert [row[2] for row in rows if "week's target" in row[0]] == ["until Sun 2026-11-22"]
    assert begins[-1].startswith("Prepare the quarter's 'train'") and rows[-1][2] == "from Mon 2026-11-30"


def test_what_a_person_took_back_is_told_as_such_and_asks_nothing(everything):
    steps = (happening("taken back", is_rollback=True, by_person=True),)
    found = replace(everything, told=replace(everything.told, rollouts=Rollouts((), steps)))
    assert section(found, "In short").lines[3] == (
        "1 step of rollouts, no rollback; taken back by a person: chat-v1.1."
    )
    assert "rolled back" not in cells(section(found, "Next actions"))


def test_all_signals_that_ask_for_training_are_one_action_with_the_decision(everything):
    retrain = (("retrain", Holds.YES),)
    asking = tuple(
        reading(metric, 0.3, 0.2, 0.4, 90, level=Level.RETRAIN, conditions=retrain)
        for metric in ("refusal_rate", "input_drift")
    )
    found = replace(everything, snapshot=replace(everything.snapshot, readings=asking))
    for decision, said in (
        (
            decide(situation()),
            "Train a new version, from chat-v1.0, for refusal_rate (all), input_drift (all); "
            "ask first, the snapshot is FAIL",
        ),
        (
            decide(situation(signals=CALM)),
            "No training now, for change, although signals ask for it: refusal_rate (all), input_drift (all)",
        ),
        (None, "retrain: decide whether to train, for refusal_rate (all), input_drift (all)"),
    ):
        material = replace(found, told=replace(found.told, decision=decision))
        told_of = [row[0] for row in section(material, "Next actions").table if "input_drift" in row[0]]
        assert [row.partition(". ")[2] for row in told_of] == [said]


def test_a_round_that_is_left_out_is_told_with_its_reason_and_the_next_one(everything):
    skipped = replace(everything, told=replace(everything.told, decision=decide(situation(signals=CALM))))
    (row,) = [row for row in section(skipped, "Next actions").table if "No training now" in row[0]]
    assert row[0].endswith(". No training now, for change")
    assert row[1:] == ("loop decide", "again Sun 2026-11-22")


def test_pairs_for_the_next_round_are_asked_for_only_where_it_is_not_to_be_trained_now(everything):
    few = Collected(told([]), by_week([], NOON, 8), None)
    for decision, asked in (
        (decide(situation()), False),
        (decide(situation(signals=CALM)), True),
        (None, True),
    ):
        found = replace(everything, told=replace(everything.told, collected=few, decision=decision))
        text = cells(section(found, "Next actions"))
        assert ("100 preference pairs more for the next round" in text) is asked


def test_preferences_are_told_by_week_with_their_pace_and_when_the_target_is_reached(everything):
    found = section(everything, "Preferences")
    assert "pairs a day" in found.lines[1] and "the next round needs 100" in found.lines[2]
    assert "319 pairs that passed" in found.lines[3]
    assert [row[0] for row in found.table] == ["level", "minimum", "target", "optimal"]
    captions = [caption for caption, _ in found.plots]
    assert captions[1] == "pairs of each week"
    drawn = dict(found.plots)["pairs of each week"]
    assert drawn.count("of 300</text>") == 2, "from the first week on that has any"


def test_win_rates_have_an_interval_a_verdict_and_the_lengths(everything):
    head, row = section(everything, "Win rates").table
    told_ = dict(zip(head, row, strict=True))
    assert (told_["version"], told_["against"]) == ("chat-v1.1", "chat-v1.0")
    assert (told_["wins"], told_["lead"], told_["characters"]) == ("58.0%", "+16", "100 and 100")
    assert re.fullmatch(r"\d.*% to \d.*%", told_["interval"])
    assert told_["verdict"] == "not told apart"


def test_votes_on_one_version_alone_are_no_win_rate(everything):
    alone = replace(everything, told=replace(everything.told, pairings=()))
    assert section(alone, "Win rates").lines == (
        "No two versions were compared: 100 votes were on two answers of one version.",
    )


def test_data_quality_has_clear_winners_coverage_and_the_score(everything):
    lines = section(everything, "Data quality").lines
    assert lines[0].startswith("Clear winners: 85.0% of 100 votes")
    assert lines[1].startswith("Coverage: 1 of 5 categories have a pair of this week; none of comparison, ")
    assert lines[2].startswith("Quality score: 4.2 of 5, for 80.0% (70.0% to 88.0%) of 100 preferences")
    assert "FAIL" in cells(section(everything, "Data quality"))


def test_goals_have_their_last_weeks_in_words_and_as_a_line_with_the_goal_across(everything):
    found = section(everything, "Goals")
    (row,) = [row for row in found.table if row[0] == "user-satisfaction"]
    assert row[-1] == "3.50 → 3.80"
    drawing = dict(found.plots)["user-satisfaction, week by week"]
    assert "goal 4" in drawing and "no data" not in drawing
    assert len(found.plots) == 1, "one week is no line"


def test_steps_of_rollouts_lead_to_their_commits_in_both_forms(everything):
    assert f"[aaaaaaaaaaaa]({ADDRESS})" in weekly.to_markdown(everything)
    assert f'<a href="{ADDRESS}" rel="noreferrer">aaaaaaaaaaaa</a>' in weekly.to_html(everything)
    hidden = Rollouts((), (happening("put on trial", address=""),))
    plain = replace(everything, told=replace(everything.told, rollouts=hidden))
    assert "| aaaaaaaaaaaa |" in weekly.to_markdown(plain)


def test_decisions_have_every_reason_and_what_was_trained(everything):
    found = section(everything, "Decisions")
    assert "Trained since 2026-11-12: chat-v1.1 (DPO, Fri 2026-11-20)." in found.lines[2]
    assert "calendar (decided) | for" in cells(found)
    assert len(found.table) == 1 + len(everything.told.decision.reasons)


@pytest.mark.parametrize("title", PARTS)
def test_a_part_that_nobody_found_out_says_so_and_one_that_failed_says_why(policy, title):
    bare = Material("bookshop", quiet(), WEEK_S, policy)
    assert section(bare, title).lines[0] == "Not known: nobody looked."
    missing = dict.fromkeys(Told.__dataclass_fields__, "the journal was changed")
    failed = replace(bare, told=Told(missing=missing))
    assert section(failed, title).lines[0] == "Not known: the journal was changed."


def test_a_week_in_which_nothing_happened_says_so_everywhere(policy):
    nothing = Told(
        collected=Collected(told([]), by_week([], NOON, 8), None),
        pairings=(),
        quality=Quality(rate(0, 0, RULES), None, None),
        rollouts=Rollouts((Stand("production", "chat-v1.0", "", ""),), ()),
        agenda=agenda(cadence(), NOW, 1),
    )
    text = weekly.to_markdown(Material("bookshop", quiet(), WEEK_S, policy, told=nothing))
    for said in (
        "0 of 300 preference pairs this week",
        "Nobody compared answers in this time",
        "Clear winners: nobody voted in this time.",
        "There is no snapshot here",
        "No version was put on trial",
        "production: baseline chat-v1.0, nothing on trial",
        "Nothing was trained since",
    ):
        assert said in text


def test_programs_get_the_signals_and_every_part(everything):
    value = weekly.to_json(everything)
    assert value["next"][0]["command"] == "loop explain -e production"
    assert value["collection"]["headline"].startswith("85 of 300")
    assert value["rollouts"]["steps"][1]["is_rollback"] is True
    assert value["decision"]["decision"] == "retrain"
    assert "readings" in value and value["calendar"]["phase"] == "startup"
