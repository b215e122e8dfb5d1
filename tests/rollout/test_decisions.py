"""A candidate that breaks a condition goes back, one that keeps it does not, and without data nothing happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.rollout.verdict import Because, Step, Verdict
from runner.spec.rollout import OnInconclusive, RolloutPolicy
from tests.rollout.streams import HEALTHY, LAST, START, Event, Manner, Trial, policy, request, vote

SEEDS = {
    "error_rate > 5% OR satisfaction < baseline": (Manner(errors=0.15), Manner(satisfied=0.55)),
    "error_rate > baseline * 1.5": (Manner(errors=0.08), Manner(late_errors=0.2)),
    "latency_p99 > 2000ms": (Manner(latency=1.5),),
    "satisfaction < baseline * 0.9": (Manner(satisfied=0.4),),
    "crash_rate > 1%": (Manner(crashes=0.08),),
    "latency_p99 > baseline * 1.2": (Manner(latency=0.8),),
    "refusal_rate > baseline * 1.5": (Manner(refusals=0.2),),
    "latency_p50 > 2s": (Manner(latency=3.0),),
    "first_token_p95 > 2s": (),
    "thumbs_down_rate > 40%": (Manner(satisfied=0.3),),
    "thumbs_down_rate > baseline * 1.5": (Manner(satisfied=0.4),),
    "thumbs_down_rate > baseline * 0.99": (),
    "answer_tokens > baseline * 1.5": (Manner(tokens=400),),
    "reask_rate > baseline": (),
    "answer_tokens > 300": (Manner(tokens=600),),
    "satisfaction < 3.5": (Manner(satisfied=0.3),),
    "NOT satisfaction >= baseline": (Manner(satisfied=0.5),),
    "error_rate > 5% AND latency_p99 > 2000ms": (Manner(errors=0.3, latency=2.0),),
}
BAD = [(condition, manner) for condition, manners in SEEDS.items() for manner in manners]


@pytest.mark.parametrize(("condition", "manner"), BAD, ids=[f"{c}-{i}" for i, (c, _) in enumerate(BAD)])
def test_a_candidate_that_breaks_a_condition_goes_back(condition: str, manner: Manner) -> None:
    trial = Trial(policy(f"limit: {condition}")).serves(hours=24, candidate=manner)
    found = trial.finds(Step.ROLL_BACK, Because.PROVEN)
    assert found.condition == "limit" and found.evidence >= found.threshold == 100
    assert trial.now - START < 12 * 3600
    assert Verdict.FAIL in {each.verdict for each in found.findings}


def test_a_candidate_that_makes_more_people_vote_down_is_found_by_its_votes_per_session() -> None:
    """Of those who vote the same share is unhappy, but far more of them vote."""
    keen = Manner(satisfied=0.5, voting=0.6)
    trial = Trial(policy("limit: thumbs_down_rate > baseline"))
    trial.serves(hours=24, candidate=keen, baseline=Manner(satisfied=0.5, voting=0.1))
    trial.finds(Step.ROLL_BACK, Because.PROVEN)


@pytest.mark.parametrize("condition", [each for each in SEEDS if "0.99" not in each])
def test_a_good_candidate_advances_when_its_time_has_passed(condition: str) -> None:
    # Where a mean of votes is compared, it takes twice the sessions to be sure.
    per_hour = 300 if "satisfaction" in condition else 150
    trial = Trial(policy(f"limit: {condition}"), per_hour=per_hour).serves(hours=23)
    trial.finds(Step.HOLD, Because.TOO_EARLY)
    found = trial.serves(hours=2).finds(Step.ADVANCE, Because.CERTIFIED)
    assert {each.verdict for each in found.findings} == {Verdict.PASS}


def test_guard_does_not_act_on_a_candidate_that_is_certainly_worse_but_not_by_the_factor() -> None:
    def trial(condition: str) -> Trial:
        given = Trial(policy(f"limit: {condition}"), per_hour=1500, turns=1)
        return given.serves(hours=6, candidate=Manner(errors=0.25), baseline=Manner(errors=0.2), look=0.2)

    trial("error_rate > baseline").finds(Step.ROLL_BACK, Because.PROVEN)
    held = trial("error_rate > baseline * 1.5")
    held.finds(Step.HOLD, Because.TOO_EARLY)
    worse = next(iter(held.ledger.evidence.values()))
    assert all(process.mixtures[0].log_e > held.ledger.bound for process in worse.processes.values())


def test_guard_finds_a_late_change_though_the_whole_past_hides_the_factor() -> None:
    trial = Trial(policy("limit: error_rate > baseline * 1.5"), per_hour=2000, turns=1).serves(hours=10)
    before = trial.ledger.sessions
    trial.serves(hours=6, candidate=Manner(errors=0.12), look=0.05).finds(Step.ROLL_BACK, Because.PROVEN)
    assert before > 9000 and trial.ledger.sessions - before < 600


def test_strict_needs_the_factor_itself_to_be_proven() -> None:
    def trial(method: str, seed: int = 1) -> Trial:
        given = policy("limit: error_rate > baseline * 1.5", decision={"method": method})
        return Trial(given, seed=seed).serves(
            hours=40, candidate=Manner(errors=0.07), baseline=Manner(errors=0.04)
        )

    guard, strict = trial("guard"), trial("strict")
    guard.finds(Step.ROLL_BACK, Because.PROVEN)
    assert strict.ledger.latched is None or strict.now > guard.now


@pytest.mark.parametrize("manner", [Manner(errors=0.3), Manner(latency=2.0)])
def test_of_an_and_one_broken_part_does_not_send_it_back(manner: Manner) -> None:
    trial = Trial(policy("limit: error_rate > 5% AND latency_p99 > 2000ms"))
    trial.serves(hours=25, candidate=manner).finds(Step.ADVANCE, Because.CERTIFIED)


@pytest.mark.parametrize("sessions", [0, 1, 5])
@pytest.mark.parametrize("outcome", ["ok", "error"])
def test_invariant_12_no_verdict_without_data(sessions: int, outcome: str) -> None:
    """Next to no traffic never rolls back and never advances, however long it lasts."""
    lines = [f"c{i}: {condition}" for i, condition in enumerate(SEEDS) if i < 5]
    trial = Trial(policy(*lines))
    trial.takes(
        [
            request(i, f"u{i}", "candidate", START + i, **{"loop.outcome": outcome})
            for i in range(min(sessions, 2))
        ]
    )
    trial.takes([request(i, f"u{i}", "candidate", START + i) for i in range(2, sessions)])
    for _ in range(10):
        found = trial.passes(hours=24).finds(Step.HOLD, Because.NO_PROOF)
        assert Verdict.PASS not in {each.verdict for each in found.findings} or sessions
    assert Verdict.FAIL not in {each.verdict for each in found.findings}


@pytest.mark.parametrize("name", [None, "one"])
@pytest.mark.parametrize("condition", list(SEEDS)[:5])
def test_one_abusive_user_alone_never_sends_a_candidate_back(condition: str, name: str | None) -> None:
    """Hundreds of failures and bad votes of one user are one session."""
    trial = Trial(policy(f"limit: {condition}"))
    worst = {
        "loop.outcome": "error",
        "error.type": "stream_broken",
        "loop.latency_ms": 9000.0,
        "loop.session": name,
    }
    slow: Event = {"loop.latency_ms": 9000.0, "loop.session": name}
    for i in range(0, 600, 2):
        at = trial.now + i
        events = [
            request(i, "mallory", "candidate", at, **worst),
            request(i + 1, "mallory", "candidate", at, **slow),
        ]
        trial.takes(events, [vote(n, "mallory", at, rating=1) for n in (i, i + 1)])
    trial.serves(hours=4).finds(Step.HOLD, Because.TOO_EARLY)


@pytest.mark.parametrize("condition", [each for each in list(SEEDS)[:5] if "AND" not in each])
def test_one_user_who_comes_back_again_and_again_does_not_either(condition: str) -> None:
    """Whatever he calls his sessions, a few of them a day count."""
    trial = Trial(policy(f"limit: {condition}"), per_hour=100)
    for i in range(60):
        worst: Event = {"loop.latency_ms": 9000.0, "loop.session": f"s{i}"}
        if "rate" in condition:
            worst |= {"loop.outcome": "error", "error.type": "stream_broken"}
        at = trial.now + 60 * i
        trial.takes(
            [request(10**7 + i, "mallory", "candidate", at, **worst)],
            [vote(10**7 + i, "mallory", at, rating=1)],
        )
    trial.serves(hours=3).finds(Step.HOLD, Because.TOO_EARLY)


DAY = 86_400.0


@pytest.mark.parametrize("condition", ["error_rate > 5%", "crash_rate > 1%", "latency_p99 > 2s"])
def test_a_service_account_alone_that_always_fails_goes_back_against_a_limit_after_a_few_windows(
    condition: str,
) -> None:
    trial = Trial(policy(f"limit: {condition}", "other: answer_tokens > 5000"))
    worst: Event = {"loop.latency_ms": 9000.0}
    if "rate" in condition:
        worst |= {"loop.outcome": "error", "error.type": "stream_broken"}
    for i in range(24 * 8):
        more = worst | {"loop.session": f"s{i}"}
        trial.takes([request(i, "service", "candidate", trial.now, **more)]).passes(hours=1)
        if trial.ledger.latched is not None:
            break
    assert trial.ledger.latched is not None
    assert DAY <= trial.now - START < 5 * DAY, "not within his first window"


def test_one_user_who_fails_more_than_all_others_together_does_not_hide_their_failures() -> None:
    trial = Trial(policy("limit: error_rate > 5%", "worse: error_rate > baseline * 1.5"))
    failed: Event = {"loop.outcome": "error"}
    for i in range(60):
        bot = [
            request(
                10**6 + 2 * i + j, "bot", "candidate", trial.now, **failed, **{"loop.session": f"{i}-{j}"}
            )
            for j in range(2)
        ]
        other = request(i, f"c{i}", "candidate", trial.now, **failed)
        trial.takes([*bot, other, request(10**7 + i, f"b{i}", "baseline", trial.now)]).passes(hours=0.02)
    trial.finds(Step.ROLL_BACK, Because.PROVEN)


def _voted(drummed: bool) -> int:
    """Return after how many candidate users a disliked candidate goes back, one user voting down beside them."""
    trial = Trial(policy("worse: satisfaction < baseline"))
    for i in range(300):
        rows: list[tuple[str, str, int, str | None]] = [
            ("candidate", f"c{i}", 1 if i % 5 else 5, None),
            ("baseline", f"b{i}", 5 if i % 10 else 1, None),
        ]
        rows += [("candidate", "drummer", 1, f"s{i}")] * drummed
        for at, (arm, user, rating, name) in enumerate(rows):
            asked = request(3 * i + at, user, arm, trial.now, **{"loop.session": name})
            trial.takes([asked], [vote(3 * i + at, user, trial.now + 5, rating=rating)])
        trial.passes(hours=0.02)
        if trial.ledger.latched is not None:
            break
    assert trial.ledger.latched is not None
    return i


def test_one_user_who_votes_down_without_end_changes_next_to_nothing() -> None:
    assert abs(_voted(drummed=True) - _voted(drummed=False)) <= 3


STAGES = [
    {
        "name": "small",
        "traffic": "20%",
        "duration": "2h",
        "advance": "auto",
        "rollback_if": "error_rate > 5%",
    },
    {"name": "half", "traffic": "50%", "duration": "2h", "advance": "auto", "rollback_if": "error_rate > 3%"},
    LAST,
]


def _arrivals(trial: Trial, sessions: int, every_nth_fails: int) -> Trial:
    """Let so many users of the candidate come within three hours, and of the baseline as the stage's share says."""
    for i in range(sessions):
        number = trial.number = trial.number + 1
        fails = {"loop.outcome": "error"} if i % every_nth_fails == every_nth_fails - 1 else {}
        weight = {"loop.weight": trial.weight}
        rows = [request(10 * number, f"c{number}", "candidate", trial.now, **weight, **fails)]
        rows += [
            request(10 * number + j, f"b{number}-{j}", "baseline", trial.now, **weight)
            for j in range(1, round(1 / trial.weight))
        ]
        trial.takes(rows).passes(hours=3 / sessions)
    return trial


@pytest.mark.parametrize(("sessions", "every_nth_fails"), [(100, 16), (150, 15), (500, 20)])
def test_a_stage_is_certified_by_its_own_sessions_however_clean_the_stage_before_was(
    sessions: int, every_nth_fails: int
) -> None:
    trial = _arrivals(Trial(policy(stages=STAGES)), 1000, 500)
    trial.finds(Step.ADVANCE, Because.CERTIFIED)
    trial.enters("half").passes(hours=1).finds(Step.HOLD, Because.TOO_EARLY)
    found = _arrivals(trial, sessions, every_nth_fails).assess()
    assert found.step is not Step.ADVANCE
    assert {each.verdict for each in found.findings} <= {Verdict.INCONCLUSIVE, Verdict.FAIL}


def test_comparisons_are_certified_by_the_stage_too() -> None:
    stages = [{**each, "rollback_if": "error_rate > baseline"} for each in STAGES[:2]]
    trial = _arrivals(Trial(policy(stages=[*stages, LAST])), 1000, 500)
    trial.finds(Step.ADVANCE, Because.CERTIFIED)
    trial.enters("half").passes(hours=3).finds(Step.HOLD, Because.NO_PROOF)
    _arrivals(trial, 600, 601).finds(Step.ADVANCE, Because.CERTIFIED)


def test_what_was_asked_before_the_stage_does_not_certify_it_though_it_is_heard_of_later() -> None:
    stages = [{**each, "rollback_if": "satisfaction < 2"} for each in STAGES[:2]]
    trial = Trial(policy(stages=[*stages, LAST]))
    arms = ("candidate", "baseline")
    trial.takes([request(i, f"u{i}", arms[i % 2], START + i / 100) for i in range(600)])
    trial.passes(hours=0.1).enters("half")
    votes = [vote(i, f"u{i}", trial.now, rating=5) for i in range(600)]
    silent = [request(10**6 + i, f"new{i}", arms[i % 2], trial.now + 60) for i in range(20)]
    found = trial.takes(silent, votes).passes(hours=3).finds(Step.HOLD, Because.NO_PROOF)
    assert found.findings[0].candidate.n == 300, "shown, but no certificate"


def _mixed(trial: Trial, hours: int, sessions: tuple[int, int], every_nth_fails: tuple[int, int]) -> None:
    """Let so many users of the candidate and of the baseline come in each hour, of whom every nth fails."""
    for _ in range(hours):
        rows: list[Event] = []
        for arm, n, nth in zip(("candidate", "baseline"), sessions, every_nth_fails, strict=True):
            for i in range(n):
                trial.number += 1
                outcome = "error" if i % nth == nth // 2 else "ok"
                more: Event = {"loop.weight": trial.weight, "loop.outcome": outcome}
                rows.append(request(trial.number, f"{arm}{trial.number}", arm, trial.now, **more))
        trial.takes(rows).passes(hours=1)


def test_a_factor_is_judged_within_the_stage_so_that_a_worse_time_before_does_not_hide_it() -> None:
    """Three times the baseline's errors now; together with a bad time of both arms before, it is less than 1.5."""
    stages = [{key: each[key] for key in ("name", "traffic", "duration")} for each in STAGES[:2]]
    trial = Trial(policy("worse: error_rate > baseline * 1.5", stages=[*stages, LAST]))
    _mixed(trial, 10, (20, 80), (5, 5))
    assert trial.ledger.latched is None
    trial.enters("half")
    _mixed(trial, 40, (50, 50), (17, 50))
    assert trial.ledger.latched is not None and trial.ledger.latched.stage == "half"


def test_the_first_failures_of_a_stage_do_not_show_a_factor_that_the_stages_before_denied() -> None:
    stages = [{key: each[key] for key in ("name", "traffic", "duration")} for each in STAGES[:2]]
    trial = Trial(policy("worse: error_rate > baseline * 1.5", stages=[*stages, LAST]))
    _mixed(trial, 60, (100, 400), (4, 5))
    trial.enters("half")
    worse = next(iter(trial.ledger.evidence.values()))
    assert all(process.mixtures[0].log_e > trial.ledger.bound for process in worse.processes.values())
    first = request(10**8, "first", "candidate", trial.now, **{"loop.outcome": "error"})
    trial.takes([first, request(10**8 + 1, "second", "baseline", trial.now)]).passes(hours=1)
    assert trial.ledger.latched is None


def test_forged_feedback_is_ignored() -> None:
    trial = Trial(policy("limit: satisfaction < baseline"))
    for i in range(2000):
        arm = ("candidate", "baseline")[i % 2]
        rating = 1 if arm == "candidate" else 5
        trial.takes([request(i, f"u{i}", arm, START + i)], [vote(i, f"forger{i}", START + i, rating=rating)])
    found = trial.passes(hours=1).finds(Step.HOLD, Because.TOO_EARLY)
    assert found.findings[0].candidate.n == 0


def test_a_candidate_that_turns_bad_late_is_found() -> None:
    trial = Trial(policy("limit: error_rate > 5%"), per_hour=2000, turns=1).serves(hours=10)
    trial.finds(Step.HOLD, Because.TOO_EARLY)
    before = trial.ledger.sessions
    trial.serves(hours=6, candidate=Manner(errors=0.2), look=0.1).finds(Step.ROLL_BACK, Because.PROVEN)
    assert before > 9000 and trial.ledger.sessions - before < 400


def test_what_was_proven_once_stays_proven() -> None:
    trial = Trial(policy("limit: error_rate > 5%")).serves(hours=9, candidate=Manner(errors=0.4))
    clean = [request(10**6 + i, f"late{i}", "candidate", trial.now + i / 10) for i in range(3000)]
    trial.takes(clean).passes(hours=1)
    assert trial.ledger.log_e() < trial.ledger.bound
    found = trial.finds(Step.ROLL_BACK, Because.PROVEN)
    assert found.evidence >= found.threshold and found.condition == "limit"


def _split_wrongly(trial: Trial, **candidate: object) -> Trial:
    """Half of the users are declared, two thirds come to the candidate."""
    events = []
    for i in range(900):
        arm = "baseline" if i % 3 == 0 else "candidate"
        events.append(request(i, f"u{i}", arm, START + i, **(candidate if arm == "candidate" else {})))
    trial.takes(events)
    return trial.passes(hours=1)


def test_a_wrong_split_holds_and_comparisons_prove_nothing() -> None:
    trial = _split_wrongly(Trial(policy("limit: error_rate > baseline")), **{"loop.outcome": "error"})
    trial = trial.passes(hours=30) if trial.ledger.latched is None else trial
    found = trial.finds(Step.HOLD, Because.MISMATCH)
    assert found.mismatch is not None and found.mismatch.found and found.mismatch.candidate == 600


def test_a_wrong_split_does_not_keep_an_absolute_limit_from_sending_it_back() -> None:
    trial = _split_wrongly(Trial(policy("limit: error_rate > 5%")), **{"loop.outcome": "error"})
    trial.finds(Step.ROLL_BACK, Because.PROVEN)


def test_a_right_split_is_no_mismatch() -> None:
    found = Trial(policy("limit: error_rate > 5%")).serves(hours=10).assess()
    assert found.mismatch is not None and not found.mismatch.found and found.mismatch.expected == 0.5


def test_groups_that_always_get_the_candidate_count_for_limits_and_not_for_comparisons() -> None:
    trial = Trial(policy("worse: error_rate > baseline", "limit: error_rate > 5%"))
    always = {"loop.arm.always": True, "loop.group": "internal"}
    trial.takes([request(i, f"u{i}", "candidate", START + i, **always) for i in range(400)])
    worse, limit = trial.passes(hours=30).assess().findings
    assert (worse.candidate.n, worse.verdict) == (0, Verdict.INCONCLUSIVE)
    assert (limit.candidate.n, limit.verdict) == (400, Verdict.INCONCLUSIVE), "no sample of all users"


def test_a_group_that_always_gets_the_candidate_sends_it_back_against_a_limit() -> None:
    trial = Trial(policy("limit: error_rate > 5%"))
    failed = {"loop.arm.always": True, "loop.group": "internal", "loop.outcome": "error"}
    trial.takes([request(i, f"u{i}", "candidate", START + i, **failed) for i in range(20)])
    trial.finds(Step.ROLL_BACK, Because.PROVEN)


def test_a_metric_that_answers_do_not_carry_blocks_the_advance_and_nothing_else() -> None:
    text = "limit: factuality < 80% OR error_rate > 5%"
    found = Trial(policy(text)).serves(hours=25).finds(Step.HOLD, Because.NO_PROOF)
    assert found.findings[0].verdict is Verdict.ERROR and "factuality" in found.findings[0].note
    bad = Trial(policy(text)).serves(hours=25, candidate=Manner(errors=0.3))
    bad.finds(Step.ROLL_BACK, Because.PROVEN)


def _stage(**more: Any) -> list[dict[str, Any]]:
    return [{"name": "half", "traffic": "50%", "duration": "2h", **more}, LAST]


@pytest.mark.parametrize(
    ("declared", "hours", "step", "because", "extended"),
    [
        ("hold", 3, Step.HOLD, Because.NO_PROOF, False),
        ("extend", 3, Step.HOLD, Because.NO_PROOF, True),
        ("extend", 5, Step.HOLD, Because.NO_PROOF, False),
        ("roll_back", 3, Step.ROLL_BACK, Because.INCONCLUSIVE_END, False),
        ("roll_back", 1, Step.HOLD, Because.TOO_EARLY, False),
    ],
)
def test_the_end_of_a_stage_without_proof_is_what_it_declares(
    declared: str, hours: float, step: Step, because: Because, extended: bool
) -> None:
    trial = Trial(policy("limit: error_rate > 5%", stages=_stage(on_inconclusive=declared)))
    assert trial.passes(hours).finds(step, because).extended is extended


def test_a_held_stage_advances_once_it_is_certain_by_whom_the_policy_says() -> None:
    trial = Trial(policy("limit: error_rate > 2%", stages=_stage(advance="pull_request")), per_hour=60)
    held = trial.serves(hours=2).finds(Step.HOLD, Because.NO_PROOF)
    assert held.needed and held.hours and held.hours < 48
    found = trial.serves(hours=30, candidate=Manner(errors=0.001)).finds(Step.ADVANCE, Because.PULL_REQUEST)
    assert found.next_stage == "full"


def test_the_last_stage_is_held_and_still_sends_a_bad_candidate_back() -> None:
    given = policy("limit: error_rate > 5%", holdback="5%")
    trial = Trial(given, stage="full").serves(hours=30)
    assert trial.finds(Step.HOLD, Because.TOO_EARLY).weight == 0.95
    trial.serves(hours=9, candidate=Manner(errors=0.5)).finds(Step.ROLL_BACK, Because.PROVEN)


def test_what_keeps_its_limits_at_full_traffic_for_long_enough_becomes_the_baseline() -> None:
    given = policy("limit: error_rate > 5%", holdback="5%", conclude_after="20h")
    trial = Trial(given, stage="full").serves(hours=19)
    assert trial.finds(Step.HOLD, Because.TOO_EARLY).remaining == pytest.approx(3600, abs=1)
    found = trial.serves(hours=2).finds(Step.CONCLUDE, Because.PULL_REQUEST)
    assert found.next_stage is None
    by_itself = policy("limit: error_rate > 5%", stages=[{**LAST, "advance": "auto"}], conclude_after="20h")
    Trial(by_itself, stage="full").serves(hours=21).finds(Step.CONCLUDE, Because.CERTIFIED)


@pytest.mark.parametrize("declared", list(OnInconclusive))
def test_a_stable_stage_without_proof_waits_whatever_it_declares_for_the_end_of_a_time(
    declared: OnInconclusive,
) -> None:
    stages = [{**LAST, "on_inconclusive": declared.value}]
    trial = Trial(policy("limit: error_rate > 5%", stages=stages, conclude_after="2h"), stage="full")
    assert not trial.passes(hours=9).finds(Step.HOLD, Because.NO_PROOF).extended


def test_without_a_holdback_comparisons_say_that_nothing_is_left_to_compare_with() -> None:
    given = policy("worse: satisfaction < baseline", "limit: error_rate > 5%", conclude_after="4h")
    trial = Trial(given, stage="full").serves(hours=5)
    worse, limit = trial.finds(Step.HOLD, Because.NO_PROOF).findings
    assert "nothing to compare" in worse.note and worse.verdict is Verdict.INCONCLUSIVE
    assert limit.verdict is Verdict.PASS


def test_a_later_stages_stricter_limit_begins_with_its_stage() -> None:
    stages = [
        {"name": "small", "traffic": "20%", "duration": "5h", "rollback_if": "error_rate > 20%"},
        {"name": "half", "traffic": "50%", "duration": "5h", "rollback_if": "error_rate > 2%"},
        LAST,
    ]
    trial = Trial(policy(stages=stages)).serves(hours=20, candidate=Manner(errors=0.1))
    assert trial.ledger.latched is None
    waiting = next(each for leaf, each in trial.ledger.evidence.items() if leaf.limit == 0.02)
    assert waiting.log_e == pytest.approx(0.0)
    trial.enters("half").serves(hours=5, candidate=Manner(errors=0.1))
    assert trial.finds(Step.ROLL_BACK, Because.PROVEN).condition == "half.rollback_if"


SHIPPED = Path(__file__).parents[2] / "policies" / "rollout.yaml"


def _journey(seed: int, candidate: Manner, per_hour: int = 120) -> tuple[str, Trial]:
    """Go through the shipped policy's stages; return where it was sent back, or 'through'."""
    shipped = RolloutPolicy.model_validate(yaml.safe_load(SHIPPED.read_text(encoding="utf-8")))
    trial = Trial(shipped, seed=seed, per_hour=per_hour, turns=1, users=20_000)
    for stage in shipped.stages[:3]:
        trial.enters(stage.name).serves((stage.duration or 0) / 3600, candidate=candidate, look=1.0)
        if trial.ledger.latched is not None:
            return stage.name, trial
    return "through", trial


@pytest.mark.parametrize("seed", range(3))
def test_a_healthy_candidate_comes_through_the_shipped_policy(seed: int) -> None:
    where, trial = _journey(seed, HEALTHY)
    assert where == "through"
    trial.finds(Step.ADVANCE, Because.PULL_REQUEST)


BROKEN = {
    "errors": Manner(errors=0.15),
    "crashes": Manner(crashes=0.15),
    "slow": Manner(latency=1.5),
    "disliked": Manner(satisfied=0.5),
    "refusing": Manner(refusals=0.6, satisfied=0.5),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_every_kind_of_bad_candidate_goes_back_in_the_first_stage(kind: str) -> None:
    assert _journey(1, BROKEN[kind], per_hour=200)[0] == "canary"
