"""What a plan does about a rollout: it advances on proof, goes back on proof, and never twice what people undid."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import Any

import pytest

from runner.errors import Unknown
from runner.reconcile.actions import (
    AdvanceStage,
    ConcludeRollout,
    HoldReason,
    NoteLanded,
    NotifyRollback,
    Reason,
    WriteRollback,
)
from runner.reconcile.desired import Desired, Soak, Trial
from runner.reconcile.distil import Declared
from runner.reconcile.freeze import Window
from runner.reconcile.guard import Cause, Guard, without
from runner.reconcile.intent import Mark, quarantined
from runner.reconcile.memory import Kind, fold, from_json, to_json
from runner.reconcile.observed import BASELINE, Entered, Rollback, Standing
from runner.reconcile.plan import Plan, Verdict, plan
from runner.reconcile.routing import rollout_id
from runner.reconcile.trial import stage_in_force, subject_of
from runner.rollout.verdict import Assessment, Because, Step
from runner.serving.routes import Experiment, Route, RouteTable, Split
from runner.spec.environment import Engine, Environment, Gateway
from tests.reconcile.real_parts import POLICY
from tests.reconcile.simulated import Simulation, desired, version

V1, V2, V3 = version("v1"), version("v2"), version("v3")
TRIAL = desired("v1", candidate="v2", weight=0.05)
ID = rollout_id(V2, V1)
LAST = desired(
    "v1", candidate="v2", weight=0.95, trial=Trial(V2, "full", 0.95, next_stage=None, by_person=True)
)
CONCLUDED = desired("v2", standby="v1", revision="r2")
Promotion = AdvanceStage | ConcludeRollout


def found(step: Step = Step.ADVANCE, because: Because = Because.CERTIFIED, **changes: Any) -> Assessment:
    """Return what the evidence of the trial of v2 comes to."""
    value = Assessment(
        rollout_id=ID,
        candidate=V2.served,
        baseline=V1.served,
        stage="canary",
        next_stage="small",
        weight=0.05,
        step=step,
        because=because,
        at=0.0,
        since=0.0,
        elapsed=60.0,
        remaining=0.0,
        evidence=0.1,
        threshold=100.0,
        condition="error_rate > 5%",
    )
    return replace(value, **changes)


def proven(**changes: Any) -> Assessment:
    """Return the evidence of the trial of v2 in the last stage, once it is enough."""
    last = found(Step.CONCLUDE, Because.PULL_REQUEST, stage="full", next_stage=None, weight=0.95)
    return replace(last, **changes)


def record(**changes: Any) -> Rollback:
    value = Rollback(
        V2.served, ID, V1.served, "canary", 0.05, "error_rate > 5%", ("50 of 100 failed",), 1_000_000.0
    )
    return replace(value, **changes)


def on_trial(wanted: Desired = TRIAL, gateways: int = 2) -> Simulation:
    """Return a deployment that gives the trial to its users."""
    s = Simulation.of(2, gateways)
    assert s.settle(wanted).in_sync
    return s


def go_back(s: Simulation, **changes: Any) -> dict[str, str]:
    s.journal.now = s.now
    gateways = s.world().gateways
    return asyncio.run(Guard(s.journal).roll_back(record(at=s.now, **changes), Cause(), gateways))


def candidates(s: Simulation) -> list[str | None]:
    return [
        route.split.candidate.name if route.split else None
        for gateway in s.gateways.values()
        for route in gateway.table.routes
    ]


def kinds(planned: Plan) -> list[str]:
    return [action.kind for action in planned.actions]


def reasons(planned: Plan) -> set[HoldReason]:
    return {hold.reason for hold in planned.holds}


def test_a_certified_stage_is_advanced_by_one_commit() -> None:
    s = on_trial()
    s.assessment = found()
    planned, report = s.step(TRIAL)
    assert kinds(planned) == ["advance_stage"]
    assert not report.failed
    assert s.scribe.commits == [f"advance {V2.served} canary -> small"]


def test_a_stage_is_asked_for_once_also_while_the_commit_is_on_its_way() -> None:
    s = on_trial()
    s.assessment = found()
    s.step(TRIAL)
    planned, _ = s.step(TRIAL)
    assert planned.actions == ()
    assert HoldReason.PROPOSED in reasons(planned)
    assert len(s.scribe.commits) == 1


def test_where_a_person_went_back_the_runner_does_not_go_forward_again() -> None:
    s = on_trial()
    s.assessment = found()
    s.step(TRIAL)
    forward = desired("v1", candidate="v2", weight=0.2, revision="r2")
    s.assessment = None
    s.settle(forward)
    reverted = replace(TRIAL, revision="r3", spec_digest="spec-of-r3")
    s.settle(reverted)
    s.assessment = found()
    planned, _ = s.step(reverted)
    assert planned.actions == ()
    assert len(s.scribe.commits) == 1


def test_where_a_person_takes_the_step_a_pull_request_is_opened_and_waited_for() -> None:
    assert TRIAL.trial is not None
    wanted = replace(TRIAL, trial=replace(TRIAL.trial, by_person=True))
    s = on_trial(wanted)
    s.assessment = found(because=Because.PULL_REQUEST)
    s.step(wanted)
    planned, _ = s.step(wanted)
    assert s.scribe.commits == []
    assert s.scribe.pulls == [f"advance {V2.served} canary -> small"]
    assert any("https://forge/1" in hold.next for hold in planned.holds)
    assert planned.verdict is Verdict.IN_SYNC


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"suspended": True}, HoldReason.SUSPENDED),
        (
            {"freezes": (Window("UTC", "1970-01-01T00:00", "2200-01-01T00:00", "holidays"),)},
            HoldReason.FROZEN,
        ),
    ],
)
def test_nothing_advances_while_promotions_are_stopped(changes: dict[str, Any], reason: HoldReason) -> None:
    for wanted, certain in ((TRIAL, found()), (LAST, proven())):
        s = on_trial(wanted)
        s.assessment = certain
        planned, _ = s.step(replace(wanted, **changes))
        assert planned.actions == ()
        assert reason in reasons(planned)


def test_a_candidate_that_is_proven_in_the_last_stage_is_proposed_as_the_baseline_once() -> None:
    s = on_trial(LAST)
    s.assessment = proven()
    planned, _ = s.step(LAST)
    (action,) = planned.actions
    assert isinstance(action, ConcludeRollout)
    assert action.evidence and action.reason is Reason.PROVEN
    for _ in range(3):
        planned, _ = s.step(LAST)
        assert planned.actions == ()
    assert s.scribe.pulls == [f"conclude {V1.served} -> {V2.served}"]
    assert s.scribe.commits == []
    (hold,) = planned.holds
    assert hold.reason is HoldReason.PROPOSED
    assert hold.text == "proven; https://forge/1 makes it the baseline"
    assert hold.next == "a person merges https://forge/1"
    assert planned.verdict is Verdict.IN_SYNC


def test_a_runner_that_restarts_knows_that_the_conclusion_was_asked_for() -> None:
    s = on_trial(LAST)
    s.assessment = proven()
    s.step(LAST)
    memory = from_json(to_json(s.journal.memory()))
    assert memory == s.journal.memory()
    planned = plan(LAST, replace(s.observe(), memory=memory), s.now)
    assert planned.actions == ()


def test_what_is_not_proven_yet_is_not_proposed() -> None:
    s = on_trial(LAST)
    for because in (Because.TOO_EARLY, Because.NO_PROOF, Because.MISMATCH):
        s.assessment = proven(step=Step.HOLD, because=because)
        assert s.step(LAST)[0].actions == ()
    s.assessment = found(stage="full")  # of a policy in which another stage follows
    assert s.step(LAST)[0].actions == ()


def test_a_conclusion_that_a_person_took_back_is_not_proposed_again() -> None:
    s = on_trial(LAST)
    s.assessment = proven()
    planned, _ = s.step(replace(LAST, taken=frozenset({BASELINE})))
    assert planned.actions == ()
    assert HoldReason.PROPOSED in reasons(planned)


def test_a_policy_may_let_the_runner_conclude_by_a_commit() -> None:
    assert LAST.trial is not None
    by_itself = replace(LAST, trial=replace(LAST.trial, by_person=False))
    s = on_trial(by_itself)
    s.assessment = proven(because=Because.CERTIFIED)
    s.step(by_itself)
    assert s.scribe.commits == [f"conclude {V1.served} -> {V2.served}"]
    planned, _ = s.step(by_itself)
    assert planned.actions == ()
    assert len(s.scribe.commits) == 1


def test_what_was_rolled_back_in_the_last_stage_is_not_proposed() -> None:
    s = on_trial(LAST)
    go_back(s)
    s.assessment = proven()
    planned, _ = s.step(LAST)
    assert not [action for action in planned.actions if isinstance(action, ConcludeRollout)]
    assert candidates(s) == [None, None]


def test_invariant_5_a_conclusion_switches_routes_and_loads_nothing() -> None:
    s = on_trial(LAST)
    loads = {url: list(replica.loads) for url, replica in s.replicas.items()}
    planned, _ = s.step(CONCLUDED)
    assert set(kinds(planned)) == {"switch_routes"}
    for gateway in s.gateways.values():
        assert [(route.baseline, route.split) for route in gateway.table.routes] == [(V2, None)]
        assert gateway.table.replicas[V2.served] == tuple(s.replicas)
    assert s.settle(CONCLUDED).in_sync
    s.now += 3600.0
    assert s.settle(CONCLUDED).in_sync
    for url, replica in s.replicas.items():
        assert replica.loads == loads[url], "the same bytes are not loaded again"
        assert replica.adapters.keys() == {V1.served, V2.served}, "the old baseline stays loaded"


def test_invariant_5_a_conclusion_goes_back_without_the_engine() -> None:
    s = on_trial(LAST)
    s.settle(CONCLUDED)
    loads = {url: list(replica.loads) for url, replica in s.replicas.items()}
    planned, _ = s.step(replace(LAST, revision="r3"))
    assert set(kinds(planned)) == {"switch_routes"}
    assert candidates(s) == ["v2", "v2"]
    assert {url: replica.loads for url, replica in s.replicas.items()} == loads


@pytest.mark.parametrize("in_git", [False, True])
def test_invariant_8_a_conclusion_that_is_merged_after_its_candidate_went_back_gives_it_to_nobody(
    in_git: bool,
) -> None:
    s = on_trial(LAST)
    go_back(s)
    merged = replace(CONCLUDED, quarantine=frozenset({V2.served}) if in_git else frozenset())
    planned = s.settle(merged)
    for gateway in s.gateways.values():
        assert [(route.baseline, route.split) for route in gateway.table.routes] == [(V1, None)]
    (hold,) = [each for each in planned.holds if each.subject == "baseline v2"]
    assert hold.reason is HoldReason.QUARANTINED
    assert planned.verdict is Verdict.HELD


def test_a_baseline_that_another_environment_rolled_back_goes_on_and_can_be_gone_back_to() -> None:
    s = on_trial(LAST)
    s.settle(CONCLUDED)
    quarantine = frozenset({V2.served})
    s.settle(replace(CONCLUDED, revision="r3", quarantine=quarantine))
    assert [(route.baseline, route.split) for route in s.table().routes] == [(V2, None)]
    s.settle(desired("v3", standby="v2", revision="r4", quarantine=quarantine))
    s.settle(replace(CONCLUDED, revision="r5", quarantine=quarantine))
    assert [route.baseline for route in s.table().routes] == [V2]


@pytest.mark.parametrize("stop", [{"suspended": True}])
def test_a_conclusion_that_is_merged_while_promotions_are_stopped_changes_nobodys_arm(
    stop: dict[str, Any],
) -> None:
    s = on_trial(LAST)
    before = s.table().routes
    planned, _ = s.step(replace(CONCLUDED, **stop))
    assert s.table().routes == before
    assert HoldReason.SUSPENDED in reasons(planned)
    s.settle(replace(CONCLUDED, revision="r3"))
    assert [(route.baseline, route.split) for route in s.table().routes] == [(V2, None)]


def test_a_stage_that_is_certified_waits_for_a_signal_that_holds_and_goes_on_after_it() -> None:
    s = on_trial()
    s.assessment, s.holding = found(), ("input_drift is 0.20: input_drift > 0.1",)
    planned, _ = s.step(TRIAL)
    assert planned.actions == ()
    (hold,) = [hold for hold in planned.holds if hold.reason is HoldReason.SIGNAL]
    assert "input_drift > 0.1" in hold.text
    s.holding = ()
    planned, _ = s.step(TRIAL)
    assert [type(action) for action in planned.actions] == [AdvanceStage]


@pytest.mark.parametrize("silent", ["replica", "gateway", "evidence"])
@pytest.mark.parametrize("last", [False, True])
def test_invariant_3_an_outage_never_promotes(silent: str, last: bool) -> None:
    wanted, certain = (LAST, proven()) if last else (TRIAL, found())
    s = on_trial(wanted)
    s.assessment = certain if silent != "evidence" else Unknown("the log cannot be read")
    if silent == "replica":
        s.replicas["http://r1"].up = False
    if silent == "gateway":
        s.gateways["http://g1"].up = False
    planned, _ = s.step(wanted)
    assert not [action for action in planned.actions if isinstance(action, Promotion)]
    assert HoldReason.UNKNOWN in reasons(planned)


def test_evidence_of_another_rollout_or_stage_moves_nothing() -> None:
    s = on_trial()
    for other in (found(rollout_id="another"), found(stage="small")):
        s.assessment = other
        planned, _ = s.step(TRIAL)
        assert planned.actions == ()


def test_invariant_6_a_rollback_needs_no_engine_no_git_and_no_disk() -> None:
    s = on_trial()
    for replica in s.replicas.values():
        replica.up = False
    s.discovered, s.store.up, s.scribe.up = False, False, False

    class FullDisk:
        def append(self, kind: Kind, body: Any) -> None:
            raise OSError(28, "no space left on device")

        def memory(self) -> Any:
            return s.journal.memory()

    guard = Guard(FullDisk())
    results = asyncio.run(guard.roll_back(record(), Cause(), s.world().gateways))
    assert set(results.values()) == {"switched"}
    assert candidates(s) == [None, None]
    assert V2.served in guard.memory().rollbacks, "what the disk did not take is remembered"


def test_a_rollback_reaches_the_gateways_that_answer_and_the_others_with_the_next_passes() -> None:
    s = on_trial()
    s.gateways["http://g1"].up = False
    results = go_back(s)
    assert results["http://g0"] == "switched"
    assert "cannot be reached" in results["http://g1"]
    s.gateways["http://g1"].up = True
    s.step(TRIAL)
    assert candidates(s) == [None, None]


def test_invariant_7_after_a_rollback_git_live_and_status_agree_without_a_person() -> None:
    s = on_trial()
    go_back(s)
    planned, _ = s.step(TRIAL)
    assert kinds(planned)[0] == "write_rollback"
    assert HoldReason.PENDING_GIT in reasons(planned)
    assert planned.verdict is not Verdict.IN_SYNC
    assert s.scribe.commits == [f"roll back {V2.served}"]
    landed = replace(desired("v1", revision="r2"), quarantine=frozenset({V2.served}))
    end = s.settle(landed)
    assert end.in_sync
    assert s.journal.memory().rollbacks == {}
    assert [each.served for each in s.journal.memory().past] == [V2.served]
    assert s.scribe.told == [V2.served]


def test_invariant_7_a_rollback_is_written_to_git_again_and_again_until_it_lands() -> None:
    s = on_trial()
    s.scribe.up = False
    go_back(s)
    for _ in range(6):
        s.step(TRIAL)
        s.now += 600.0
        assert candidates(s) == [None, None]
    s.scribe.up = True
    s.step(TRIAL)
    s.step(TRIAL)
    assert s.scribe.commits == [f"roll back {V2.served}"]
    assert s.scribe.told == [V2.served], "it was told while Git was away, and once"


def test_invariant_8_what_was_rolled_back_is_not_put_on_trial_until_a_commit_lifts_it() -> None:
    s = on_trial()
    go_back(s)
    s.step(TRIAL)
    in_git = replace(TRIAL, revision="r2", quarantine=frozenset({V2.served}))
    for wanted in (TRIAL, in_git):
        for _ in range(4):
            s.step(wanted)
            assert candidates(s) == [None, None]
    lifted = replace(TRIAL, revision="r3", quarantine=frozenset())
    s.settle(lifted)
    assert candidates(s) == ["v2", "v2"]


def test_a_lift_counts_also_where_the_runner_slept_while_the_entry_came_and_went() -> None:
    s = on_trial()
    go_back(s)
    s.step(TRIAL)
    s.landed = {V2.served}  # the history holds the commit, the file no longer has the entry
    s.settle(replace(TRIAL, revision="r3"))
    assert candidates(s) == ["v2", "v2"]
    assert len(s.scribe.commits) == 1


def test_a_lifted_candidate_begins_its_trial_anew() -> None:
    s = on_trial()
    before = stage_in_force(TRIAL, s.observe(), s.journal.memory(), s.now)
    assert before is not None
    s.journal.append(Kind.ENTERED, asdict(before))
    go_back(s)
    assert s.journal.memory().entered is None
    s.settle(replace(TRIAL, revision="r2", quarantine=frozenset({V2.served})))
    s.settle(replace(TRIAL, revision="r3"))
    again = stage_in_force(TRIAL, s.observe(), s.journal.memory(), s.now)
    assert again is not None
    assert again.started == s.now


def test_a_quarantined_version_takes_part_in_no_experiment() -> None:
    both = Experiment("e1", "tone", (V1, V2), (0.5, 0.5))
    wanted = replace(
        desired("v1", candidate="v2"), trial=None, experiments=(both,), quarantine=frozenset({V2.served})
    )
    s = Simulation.of()
    planned = s.settle(wanted)
    assert s.table().routes[0].experiments == ()
    assert HoldReason.QUARANTINED in reasons(planned)


def test_experiments_and_shadows_are_routed_once_every_version_is_proven() -> None:
    both = Experiment("e1", "tone", (V1, V2), (0.5, 0.5))
    wanted = replace(desired("v1", candidate="v2"), trial=None, experiments=(both,))
    s = Simulation.of()
    s.replicas["http://r0"].no_ops.add(V2.served)
    s.settle(wanted)
    assert s.table().routes[0].experiments == ()
    s.replicas["http://r0"].no_ops.clear()
    s.replicas["http://r0"].restart()
    s.now += 1000
    s.settle(wanted)
    assert s.table().routes[0].experiments == (both,)
    assert V2.served in s.table().replicas


@pytest.mark.parametrize(
    ("soak", "missing"),
    [
        (Soak("staging", 3600.0, None), "not the baseline of 'staging'"),
        (Soak("staging", 3600.0, 999_000.0), "0.3 of 1 h"),
    ],
)
def test_a_candidate_goes_on_trial_only_after_it_has_proven_itself_elsewhere(
    soak: Soak, missing: str
) -> None:
    s = Simulation.of()
    planned = s.settle(replace(TRIAL, soak=soak))
    assert candidates(s) == [None]
    assert any(missing in hold.text for hold in planned.holds if hold.reason is HoldReason.SOAK)


@pytest.mark.parametrize("begun", [False, True])
def test_a_candidate_whose_evaluation_does_not_speak_for_it_serves_nobody(begun: bool) -> None:
    s = on_trial() if begun else Simulation.of(2, 2)
    doubted = replace(
        TRIAL, revision="r2", soak=Soak("staging", 3600.0, 0.0, ("gate 'facts-right' ended FAIL",))
    )
    planned = s.settle(doubted)
    assert candidates(s) == [None, None]
    (hold,) = [hold for hold in planned.holds if hold.reason is HoldReason.UNPROVEN]
    assert "gate 'facts-right' ended FAIL" in hold.text
    assert planned.verdict is Verdict.HELD
    s.settle(replace(TRIAL, revision="r3", soak=Soak("staging", 3600.0, 0.0)))
    assert candidates(s) == ["v2", "v2"], "once it is measured anew"


def test_a_trial_begins_once_its_soak_is_over_and_is_not_undone_by_it_later() -> None:
    s = Simulation.of()
    soaking = replace(TRIAL, soak=Soak("staging", 3600.0, s.now))
    s.settle(soaking)
    assert candidates(s) == [None]
    s.now += 3600.0
    s.settle(soaking)
    assert candidates(s) == ["v2"]
    s.settle(replace(TRIAL, soak=Soak("staging", 3600.0, None)))
    assert candidates(s) == ["v2"]


def test_a_stale_runner_touches_nothing() -> None:
    s = on_trial()
    newer = s.table()
    s.standing = {"http://g0": Standing.NEWER}
    planned, _ = s.step(desired("v1", revision="older"))
    assert planned.actions == ()
    assert HoldReason.STALE_RUNNER in reasons(planned)
    assert s.table() == newer


def test_a_runner_learns_from_the_routes_what_another_one_rolled_back() -> None:
    s = on_trial()
    for gateway in s.gateways.values():
        table = without(gateway.table, Mark(V2.served, int(s.now * 1e6)))
        gateway.table = replace(table, generation=table.generation + 1)
    planned, _ = s.step(TRIAL)
    assert candidates(s) == [None, None]
    assert not [action for action in planned.actions if isinstance(action, WriteRollback)]
    assert HoldReason.PENDING_GIT in reasons(planned)
    s.now += 3600.0
    s.step(TRIAL)
    assert s.scribe.commits == [f"roll back {V2.served}"], "its runner is lost, so this one writes it"


def test_the_routes_forget_a_rollback_once_git_shows_it_so_that_it_can_be_lifted() -> None:
    s = on_trial()
    go_back(s)
    in_git = replace(TRIAL, revision="r2", quarantine=frozenset({V2.served}))
    s.settle(in_git)
    assert [gateway.table.quarantined for gateway in s.gateways.values()] == [(), ()]
    assert quarantined(replace(in_git, quarantine=frozenset()), s.observe()) == frozenset()


def test_two_rollbacks_at_once_switch_each_gateway_by_generation() -> None:
    s = on_trial()
    gateways = s.world().gateways

    async def both() -> list[dict[str, str]]:
        one, other = Guard(s.journal), Guard(s.journal)
        return list(
            await asyncio.gather(
                one.roll_back(record(), Cause(), gateways), other.roll_back(record(), Cause(), gateways)
            )
        )

    for results in asyncio.run(both()):
        assert set(results.values()) == {"switched"}
    assert candidates(s) == [None, None]


def test_taking_a_candidate_off_leaves_every_other_route_as_it_was() -> None:
    other = Experiment("e2", "kept", (V1, V3), (0.5, 0.5))
    table = RouteTable(
        4,
        "r",
        (
            Route(
                "chat", V1, Split(ID, V2, 0.2), None, (Experiment("e1", "bad", (V1, V2), (0.5, 0.5)), other)
            ),
            Route("help", V3, Split("x", V1, 0.1)),
        ),
    )
    taken = without(table, Mark(V2.served, 7))
    assert taken.routes == (Route("chat", V1, None, None, (other,)), table.routes[1])
    assert taken.quarantined == (f"{V2.served}@7",)


def test_what_is_remembered_of_rollbacks_survives_a_checkpoint() -> None:
    s = on_trial()
    s.journal.append(Kind.ENTERED, {"rollout_id": ID, "stage": "canary", "started": 1.0, "since": 1.0})
    go_back(s)
    s.step(TRIAL)
    memory = s.journal.memory()
    assert memory.rollbacks
    assert from_json(to_json(memory)) == memory
    assert fold([], memory) == memory


def test_a_rollback_that_began_before_a_crash_is_continued() -> None:
    s = on_trial()
    body = {"action": "roll_back", "served": V2.served, "target": "x", "subject": "x"}
    s.journal.append(Kind.ATTEMPTED, {**body, "rollback": asdict(record())})
    planned, _ = s.step(TRIAL)
    assert candidates(s) == [None, None]
    assert [action for action in planned.actions if isinstance(action, WriteRollback)]


def test_once_git_shows_it_nothing_is_left_to_write_or_to_tell() -> None:
    s = on_trial()
    go_back(s)
    landed = replace(desired("v1", revision="r2"), quarantine=frozenset({V2.served}))
    planned, _ = s.step(landed)
    assert [a for a in planned.actions if isinstance(a, NoteLanded)]
    assert not [a for a in planned.actions if isinstance(a, WriteRollback)]
    planned, _ = s.step(landed)
    assert [a for a in planned.actions if isinstance(a, NotifyRollback)]
    planned, _ = s.step(landed)
    assert not [a for a in planned.actions if isinstance(a, NotifyRollback)]


def test_quarantine_is_about_bytes_and_not_about_their_name() -> None:
    renamed = replace(V2, name="v9")
    wanted = replace(TRIAL, quarantine=frozenset({V2.served}), trial=Trial(renamed, "canary", 0.05))
    s = Simulation.of()
    planned, _ = s.step(wanted)
    s.step(wanted)
    assert candidates(s) == [None]
    assert HoldReason.QUARANTINED in reasons(planned)


def test_what_was_rolled_back_cannot_be_asked_for_by_name_either() -> None:
    s = on_trial()
    assert V2 in s.table().pinned
    go_back(s)
    assert V2 not in s.table().pinned
    s.settle(replace(TRIAL, revision="r2", quarantine=frozenset({V2.served})))
    assert V2 not in s.table().pinned


@pytest.mark.parametrize("stop", [{"suspended": True}])
def test_nothing_goes_on_trial_in_an_empty_deployment_while_promotions_are_stopped(
    stop: dict[str, Any],
) -> None:
    s = Simulation.of()
    planned, _ = s.step(replace(TRIAL, **stop))
    s.step(replace(TRIAL, **stop))
    assert [route.baseline.name for route in s.table().routes] == ["v1"]
    assert candidates(s) == [None]
    assert HoldReason.SUSPENDED in reasons(planned)


def test_a_history_that_went_back_in_time_does_not_bring_the_candidate_back() -> None:
    s = on_trial()
    go_back(s)
    s.step(TRIAL)
    s.settle(replace(TRIAL, revision="r2", quarantine=frozenset({V2.served})))
    s.barred = {V2.served}  # the tip is now the commit before the rollback's
    s.settle(replace(TRIAL, revision="r1"))
    assert candidates(s) == [None, None]


def test_a_commit_that_was_pushed_and_got_lost_is_written_again() -> None:
    s = on_trial()
    go_back(s)
    s.step(TRIAL)
    s.now += 3600.0
    s.step(TRIAL)
    assert len(s.scribe.commits) == 2


def test_a_stage_that_was_renamed_is_no_subject_until_the_new_one_is_seen() -> None:
    entered = Entered(ID, "gone", 1.0, 1.0)
    environment = Environment(engine=Engine(), gateway=Gateway(), baseline="v1")
    declared = Declared(TRIAL, environment, "base", 2.0, POLICY)
    assert subject_of(declared, entered) is None
    assert subject_of(declared, replace(entered, stage="canary")) is not None


def test_a_step_that_another_runner_took_and_a_person_took_back_is_not_taken_again() -> None:
    s = on_trial()
    s.assessment = found()
    planned, _ = s.step(replace(TRIAL, taken=frozenset({"small"})))
    assert planned.actions == ()
    assert HoldReason.PROPOSED in reasons(planned)


def test_a_trial_that_is_taken_up_again_may_take_its_steps_again() -> None:
    s = on_trial()
    s.assessment = found()
    s.step(TRIAL)
    s.assessment = None
    s.settle(desired("v1", revision="r2"))
    s.settle(replace(TRIAL, revision="r3"))
    s.assessment = found()
    s.step(replace(TRIAL, revision="r3"))
    assert len(s.scribe.commits) == 2
