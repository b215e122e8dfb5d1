"""From any state, through any accidents, promises are kept and the spec is reached."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.reconcile.actions import HoldReason
from runner.reconcile.desired import Desired, Limits
from runner.reconcile.plan import Verdict, plan
from tests.reconcile.accidents import Happening, accidents, check, mend, specs
from tests.reconcile.simulated import Simulation, desired

LASTING = {
    HoldReason.RANK,
    HoldReason.SLOTS,
    HoldReason.SUSPENDED,
    HoldReason.PRUNE_LIMIT,
    HoldReason.UNVERIFIED,
    HoldReason.IN_USE,
    HoldReason.GRACE,
}
SLOW = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
steps = st.lists(st.one_of(accidents, specs()), min_size=1, max_size=7)


def _live_through(s: Simulation, wanted: Desired, happenings: list[Happening | Desired]) -> Desired:
    for happening in happenings:
        if isinstance(happening, Desired):
            wanted = happening
        else:
            happening.happen(s)
        observed = s.observe()
        check(plan(wanted, observed, s.now), observed, s)
        s.step(wanted)
    return wanted


@SLOW
@given(first=specs(), happenings=steps, replicas=st.integers(1, 3), gateways=st.integers(1, 2))
def test_no_accident_makes_a_plan_break_its_promises(
    first: Desired, happenings: list[Happening | Desired], replicas: int, gateways: int
) -> None:
    _live_through(Simulation.of(replicas, gateways), first, happenings)


@SLOW
@given(first=specs(), happenings=steps, last=specs(), replicas=st.integers(1, 3))
def test_once_everything_answers_it_settles_and_every_remaining_hold_has_a_lasting_reason(
    first: Desired, happenings: list[Happening | Desired], last: Desired, replicas: int
) -> None:
    s = Simulation.of(replicas, 1)
    _live_through(s, first, happenings)
    mend(s)
    s.now += 7200.0
    settled = s.settle(replace(last, engine_config="repaired"))
    assert {hold.reason for hold in settled.holds} <= LASTING
    assert not s.step(replace(last, engine_config="repaired"))[1].done


@SLOW
@given(first=specs(), happenings=steps, replicas=st.integers(1, 3))
def test_a_spec_that_fits_is_reached_from_anywhere(
    first: Desired, happenings: list[Happening | Desired], replicas: int
) -> None:
    s = Simulation.of(replicas, 2)
    _live_through(s, first, happenings)
    mend(s)
    s.now += 7200.0
    goal = desired(
        "v1", "v0", "v2", revision="goal", engine_config="repaired", limits=Limits(8, 16, 9, 600.0)
    )
    settled = s.settle(goal)
    assert settled.verdict is Verdict.IN_SYNC
    (route,) = s.table().routes
    assert route.baseline == goal.baseline
    assert route.split is not None
    assert goal.trial is not None
    assert (route.split.candidate, route.split.weight) == (goal.trial.candidate, goal.trial.weight)
    everywhere = tuple(sorted(s.replicas))
    assert s.table().replicas == {a.served: everywhere for a in sorted(goal.adapters, key=lambda a: a.served)}


@SLOW
@given(first=specs(), happenings=steps)
def test_invariant_2_the_same_spec_observation_and_time_give_the_same_plan(
    first: Desired, happenings: list[Happening | Desired]
) -> None:
    s = Simulation.of(2, 2)
    wanted = _live_through(s, first, happenings)
    observed = s.observe()
    shuffled = replace(
        observed,
        replicas=dict(reversed(list(observed.replicas.items()))),
        gateways=dict(reversed(list(observed.gateways.items()))),
    )
    assert plan(wanted, observed, s.now) == plan(wanted, shuffled, s.now)
    assert plan(wanted, observed, s.now).digest == plan(wanted, shuffled, s.now).digest
