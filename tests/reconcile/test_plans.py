"""What a plan says: its order, its limits and figures, and when a saved one is stale."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace

import pytest

from runner.errors import TerminalError
from runner.reconcile import staleness
from runner.reconcile.actions import Hold, HoldReason, RetireFiles
from runner.reconcile.apply import apply
from runner.reconcile.desired import Limits, Role
from runner.reconcile.plan import Plan, Verdict, plan
from runner.report import plan as report
from tests.reconcile.simulated import STORE, Simulation, adapter, desired, version


def holds(planned: Plan, reason: HoldReason) -> list[Hold]:
    return [hold for hold in planned.holds if hold.reason is reason]


def test_the_first_plan_places_loads_and_probes_each_adapter_in_order_of_its_role() -> None:
    planned = Simulation.of(2).plan(desired("v2", "v1", "v3"))
    assert [(action.kind, action.served[:2]) for action in planned.actions] == [
        *(("place_files", name) for name in ("v2", "v1", "v3")),
        *((kind, "v2") for kind in ("load_adapter", "probe_adapter") * 2),
        *((kind, "v1") for kind in ("load_adapter", "probe_adapter") * 2),
        *((kind, "v3") for kind in ("load_adapter", "probe_adapter") * 2),
    ]


def test_a_rank_over_the_engines_is_refused_before_anything_is_touched_with_both_numbers() -> None:
    big = replace(desired("v1", None, "v2"), limits=Limits(8, 4))
    planned = Simulation.of().plan(big)
    assert planned.actions == ()
    assert all("rank 8" in hold.text and "at most 4" in hold.text for hold in holds(planned, HoldReason.RANK))
    assert len(holds(planned, HoldReason.RANK)) == 2


def test_slots_go_to_the_baseline_first_and_the_rest_is_refused_with_both_numbers() -> None:
    s = Simulation.of()
    planned = s.settle(replace(desired("v1", "v0", "v2"), limits=Limits(2, 16)))
    (hold,) = holds(planned, HoldReason.SLOTS)
    assert hold.subject == "adapter v2"
    assert "3 adapters, 2 slots" in hold.text
    assert set(s.replicas["http://r0"].adapters) == {version("v0").served, version("v1").served}


def test_more_removals_than_the_limit_are_refused_with_both_numbers() -> None:
    many = replace(
        desired("v1"),
        adapters=(*desired("v1").adapters, *(adapter(f"v{i}", Role.EXPERIMENT) for i in range(2, 7))),
    )
    s = Simulation.of()
    s.settle(many)
    planned = s.settle(desired("v1", revision="r2"))
    (hold,) = holds(planned, HoldReason.PRUNE_LIMIT)
    assert "5 adapters would be unloaded, the limit of one pass is 3" in hold.text
    assert len(s.replicas["http://r0"].adapters) == 6
    more = replace(desired("v1", revision="r3"), limits=Limits(8, 16, 5))
    s.settle(more)
    assert set(s.replicas["http://r0"].adapters) == {version("v1").served}


def test_nothing_is_removed_when_nothing_is_declared() -> None:
    s = Simulation.of()
    s.settle(desired("v1", "v0"))
    planned, _ = s.step(replace(desired("v1"), adapters=(), library={}))
    assert holds(planned, HoldReason.EMPTY_DESIRED)
    assert len(s.replicas["http://r0"].adapters) == 2


def test_an_adapter_that_somebody_else_loaded_is_left_alone() -> None:
    s = Simulation.of()
    s.replicas["http://r0"].adapters = {"theirs": "/theirs", version("v1").served: "/elsewhere"}
    planned = s.settle(desired("v1", "v0"))
    assert "/elsewhere" in holds(planned, HoldReason.FOREIGN)[0].text
    adapters = s.replicas["http://r0"].adapters
    assert (adapters["theirs"], adapters[version("v1").served]) == ("/theirs", "/elsewhere")
    assert version("v0").served in adapters, "the others go on"


def test_a_name_that_somebody_took_just_before_us_stays_theirs() -> None:
    s = Simulation.of()
    observed = s.observe()
    planned = plan(desired("v1"), observed, s.now)
    s.replicas["http://r0"].adapters[version("v1").served] = "/elsewhere"
    report = asyncio.run(apply(planned, observed, s.world(), s.journal, lambda: False))
    assert "another path" in report.failed[0].message
    s.settle(desired("v1"))
    assert s.replicas["http://r0"].adapters == {version("v1").served: "/elsewhere"}


def test_an_adapter_of_ours_under_another_path_is_put_right_once_nobody_uses_it() -> None:
    s = Simulation.of()
    s.settle(desired("v1", "v0"))
    s.replicas["http://r0"].adapters[version("v0").served] = "/moved"
    s.gateways["http://g0"].in_flight = {version("v0").served: 1}
    s.settle(desired("v1", "v0"))
    assert s.replicas["http://r0"].adapters[version("v0").served] == "/moved"
    s.gateways["http://g0"].in_flight = {}
    assert s.settle(desired("v1", "v0")).in_sync
    assert s.replicas["http://r0"].adapters[version("v0").served] == f"{STORE}/{version('v0').served}"


def test_an_adapter_is_unloaded_only_when_its_last_request_has_ended() -> None:
    s = Simulation.of()
    s.settle(desired("v1", "v0"))
    s.gateways["http://g0"].in_flight = {version("v0").served: 3}
    planned = s.settle(desired("v1", revision="r2"))
    assert "3 requests under way" in holds(planned, HoldReason.DRAINING)[0].text
    s.gateways["http://g0"].in_flight = {}
    s.settle(desired("v1", revision="r2"))
    assert version("v0").served not in s.replicas["http://r0"].adapters


def test_files_are_deleted_after_the_grace_period_and_not_before() -> None:
    s = Simulation.of()
    s.settle(desired("v1", "v0"))
    assert s.settle(desired("v1", revision="r2")).verdict is Verdict.IN_SYNC
    s.now += 590.0
    s.settle(desired("v1", revision="r2"))
    assert version("v0").served in s.store.files
    s.now += 30.0
    s.settle(desired("v1", revision="r2"))
    assert version("v0").served not in s.store.files


def test_one_pass_deletes_no_more_than_the_limit_the_longest_unused_first() -> None:
    s = Simulation.of()
    for number in range(5):
        s.settle(desired(f"v{number}", revision=f"r{number}"))
    s.now += 700.0
    oldest = [version(f"v{number}").served for number in range(4)]
    assert [action.served for action in s.step(desired("v4", revision="r4"))[1].done] == oldest[:3]
    assert [action.served for action in s.step(desired("v4", revision="r4"))[1].done] == oldest[3:]


def test_files_that_a_restart_left_unused_get_a_grace_period_of_their_own() -> None:
    s = Simulation.of()
    s.settle(desired("v1", "v0"))
    s.replicas["http://r0"].restart()
    kinds = [type(action) for _ in range(4) for action in s.step(desired("v1", revision="r2"))[0].actions]
    assert RetireFiles in kinds
    assert version("v0").served in s.store.files


def test_a_lasting_failure_is_not_tried_again_until_the_engine_changes() -> None:
    s = Simulation.of(2)
    s.replicas["http://r0"].refuses.add(version("v2").served)
    for _ in range(6):
        planned, _ = s.step(desired("v1", None, "v2"))
        s.now += 10_000.0
    loads = [
        name for replica in s.replicas.values() for name in replica.loads if name == version("v2").served
    ]
    assert len(loads) == 1, "a bad adapter is bad on every replica"
    assert holds(planned, HoldReason.TERMINAL)
    s.replicas["http://r0"].refuses.clear()
    assert s.settle(desired("v1", None, "v2", engine_config="other")).in_sync


def test_a_failure_that_may_pass_is_tried_again_less_and_less_often() -> None:
    s = Simulation.of()
    s.store.bad_sources.add("adapters/v1")
    tries = 0
    for _ in range(600):
        tries += len(s.step(desired("v1"))[1].failed)
    assert 8 <= tries <= 11
    s.store.bad_sources.clear()
    s.now += 300.0
    assert s.settle(desired("v1")).in_sync


def test_a_newer_revision_tries_a_file_again_at_once() -> None:
    s = Simulation.of()
    s.store.bad_sources.add("adapters/v1")
    for _ in range(20):
        s.step(desired("v1"))
    s.store.bad_sources.clear()
    assert s.settle(desired("v1", revision="r2")).in_sync


def test_bytes_that_are_not_in_the_working_tree_are_fetched_first() -> None:
    s = Simulation.of()
    s.missing.add("adapters/v1")
    planned, _ = s.step(desired("v1"))
    assert [action.kind for action in planned.actions[:2]] == ["pull_data", "place_files"]
    assert s.settle(desired("v1")).in_sync


def test_a_saved_plan_that_still_holds_is_accepted() -> None:
    s = Simulation.of()
    planned = s.plan(desired("v1", "v0"))
    saved = staleness.from_json(json.loads(json.dumps(staleness.to_json(planned))))
    s.now += 60.0
    staleness.check(saved, s.plan(desired("v1", "v0")))


def test_a_saved_plan_is_stale_once_an_adapter_was_unloaded_and_the_message_names_it() -> None:
    s = Simulation.of()
    s.settle(desired("v1", "v0"))
    saved = staleness.from_json(staleness.to_json(s.plan(desired("v1", "v0", "v2", revision="r2"))))
    del s.replicas["http://r0"].adapters[version("v0").served]
    with pytest.raises(TerminalError) as raised:
        staleness.check(saved, s.plan(desired("v1", "v0", "v2", revision="r2")))
    assert str(raised.value).startswith(
        f"error: plan {saved.digest[:4]} is stale: adapter '{version('v0').served}' on http://r0 was unloaded"
    )
    assert raised.value.changed == "nothing was applied"


@pytest.mark.parametrize("what", ["revision", "restart", "routes", "silence"])
def test_a_saved_plan_is_stale_once_what_it_rests_on_changed(what: str) -> None:
    s = Simulation.of()
    s.settle(desired("v1", "v0"))
    saved = staleness.from_json(staleness.to_json(s.plan(desired("v1", "v0", "v2", revision="r2"))))
    now = desired("v1", "v0", "v2", revision="r3" if what == "revision" else "r2")
    if what == "restart":
        s.replicas["http://r0"].restart()
    elif what == "routes":
        s.hand_written(pinned=())
    elif what == "silence":
        s.replicas["http://r0"].up = False
    with pytest.raises(TerminalError, match="is stale"):
        staleness.check(saved, s.plan(now))


def test_what_is_none_of_ours_makes_no_plan_stale() -> None:
    s = Simulation.of()
    s.settle(desired("v1", "v0"))
    saved = staleness.from_json(staleness.to_json(s.plan(desired("v1", "v0", "v2", revision="r2"))))
    s.replicas["http://r0"].adapters["theirs"] = "/theirs"
    s.gateways["http://g0"].in_flight = {version("v1").served: 12}
    staleness.check(saved, s.plan(desired("v1", "v0", "v2", revision="r2")))


@pytest.mark.parametrize("value", [None, [], {}, {"format": 2}, {"format": 1, "digest": 3}])
def test_a_file_that_is_no_plan_is_refused(value: object) -> None:
    with pytest.raises(TerminalError, match="not a saved plan"):
        staleness.from_json(value)


def test_the_plan_is_the_same_in_every_process_whatever_the_seed_of_its_hashes() -> None:
    script = (
        "from tests.reconcile.simulated import Simulation, desired\n"
        "s = Simulation.of(3, 2); s.settle(desired('v1', 'v0')); s.replicas['http://r1'].restart()\n"
        "print(s.plan(desired('v2', 'v1', 'v3', revision='r2')).digest)"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(digests) == 1


def rollout() -> Plan:
    s = Simulation.of(2)
    s.settle(desired("v1", "v0"))
    s.replicas["http://r1"].up = False
    return s.plan(desired("v1", "v0", "v2", weight=0.05, revision="abc" * 13 + "a"))


def test_the_text_shows_adapters_routes_actions_and_holds() -> None:
    text = report.to_text(staleness.to_json(rollout()), [("cost", ["none"])])
    v1, v2 = version("v1").served, version("v2").served
    for line in [
        "production at abcabcabcabc: 3 changes pending",
        "  3 of 8 slots used",
        f"  - chat -> {v1}",
        f"  + chat -> {v1}, 5% of users to {v2}",
        f"  + load {v2} on http://r0: declared and not there",
        "held: replica http://r1: did not answer: the engine cannot be reached",
        "  next: nothing of it is pruned",
        "cost:",
    ]:
        assert line in text.splitlines()


def test_the_markdown_begins_with_its_marker_and_lets_no_text_become_markup() -> None:
    value = staleness.to_json(rollout())
    hostile = "```\n# injected\n@everyone <img src=x> [click](http://x) | `x`"
    value["holds"][0]["text"] = hostile
    value["actions"][0]["source"] = hostile
    value["adapters"][0]["version"] = hostile
    text = report.to_markdown(value, [("data", [hostile])])
    assert text.startswith(report.MARKER)
    assert text.count("```") % 2 == 0
    outside = "".join(part for at, part in enumerate(text.split("```")) if at % 2 == 0)
    for markup in ("@everyone", "<img", "[click](", "\n# injected"):
        assert markup not in outside


def test_every_form_reads_the_same_actions() -> None:
    planned = rollout()
    value = staleness.to_json(planned)
    assert len(value["actions"]) == len(planned.actions)
    text, markdown = report.to_text(value), report.to_markdown(value)
    for action in value["actions"]:
        assert report.describe(action) in text
        assert report.describe(action) in markdown


def test_the_line_counts_what_is_to_do_and_what_is_held() -> None:
    assert (
        report.to_line(staleness.to_json(rollout()))
        == "production at abcabcabcabc: changing (3 to do, 2 held)"
    )
