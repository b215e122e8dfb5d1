"""Rollouts with the real vLLM under load: the good arrive, the bad go back, and nobody's request fails.

One deployment serves all tests of this file, in order, under users who never pause; each test leaves it with nobody
on trial. Stages last seconds here; the evidence is as much as the policy asks for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import RealEngine
from tests.doubles.faulty_replica import Fault, Kind
from tests.system import rollouts
from tests.system.rollouts import STAGES, Shop
from tests.system.scratch import get, git, post
from tests.waiting import until

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def shop(engine: RealEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    unload_all(engine.url, engine.base)
    with rollouts.shop(tmp_path_factory.mktemp("rollouts"), engine.url) as running:
        yield running
    with contextlib.suppress(OSError):  # a run that was interrupted has no engine any more
        unload_all(engine.url, engine.base)


def unload_all(url: str, base: str) -> None:
    for card in get(f"{url}/v1/models")["data"]:
        if card["id"] != base:
            post(f"{url}/v1/unload_lora_adapter", {"lora_name": card["id"]})


def waited(shop: Shop, true: Callable[[], object], what: str) -> None:
    """Wait; what the runner said is part of the failure."""
    try:
        until(true, what)
    except AssertionError as error:
        pytest.fail(f"{error}\n{explained(shop)}\n{shop.place.output('up')[-4000:]}", pytrace=False)


def last_pass(shop: Shop) -> dict[str, Any]:
    found: dict[str, Any] = shop.place.status()["pass"]
    return found


def reasons(shop: Shop) -> set[str]:
    return {hold["reason"] for hold in last_pass(shop)["holds"]}


def explained(shop: Shop) -> str:
    found: dict[str, Any] | None = (shop.place.status()["pass"] or {}).get("rollout")
    if not found or "findings" not in found:
        return str(found)
    rows = [f"{found['stage']}: {found['step']}, {found['because']}, {found['elapsed']:.0f} s"]
    for each in found["findings"]:
        keys = ("text", "verdict", "evidence", "certainty", "needed", "candidate", "baseline")
        rows.append(str({key: each[key] for key in keys}))
    return "\n".join(rows)


def agree_that_it_went_back(shop: Shop, served: str, before: str, conditions: set[str]) -> None:
    """Git, live and status say the same: the version is off, in quarantine, and for the right reason."""
    waited(shop, lambda: served in shop.quarantined(), f"the commit that takes {served} back")
    assert shop.quarantined()[served].partition(":")[0] in conditions
    waited(shop, lambda: shop.live() == (None, None), "both gateways without a candidate")
    waited(shop, shop.in_sync, "agreement")
    assert shop.text("loop.yaml") == git(shop.remote, "show", f"{before}:loop.yaml"), "to the byte"
    assert f"Loop-Rollback: {served}" in git(shop.remote, "log", "--format=%B", f"{before}..main")
    shop.pull()
    assert shop.place.loop("plan", check=False).returncode == 0
    assert shop.users.failures() == []
    answered, by_it = shop.users.progress().answered, shop.users.answers(served)
    waited(shop, lambda: shop.users.progress().answered > answered + 40, "further answers")
    assert shop.users.answers(served) == by_it, "nobody is answered by it any more"


def test_a_candidate_that_errs_is_rolled_back_and_its_users_are_answered_by_the_baseline(shop: Shop) -> None:
    before = shop.tip()
    served = shop.put_on_trial("chat-v1.2")
    shop.replica.set(served, Fault(Kind.ERROR))
    agree_that_it_went_back(shop, served, before, {"errors"})
    assert shop.replica.faults.met[served] > 0
    shop.replica.clear()


def test_a_candidate_that_is_slow_is_rolled_back(shop: Shop) -> None:
    before = shop.tip()
    agree_that_it_went_back(shop, shop.put_on_trial("chat-v1.3"), before, {"slow", "less-satisfied"})


def test_a_candidate_that_refuses_is_rolled_back(shop: Shop) -> None:
    before = shop.tip()
    agree_that_it_went_back(shop, shop.put_on_trial("chat-v1.4"), before, {"refuses", "less-satisfied"})


def test_a_candidate_that_users_dislike_is_rolled_back(shop: Shop) -> None:
    before = shop.tip()
    agree_that_it_went_back(shop, shop.put_on_trial("chat-v1.5"), before, {"less-satisfied"})


def test_a_candidate_that_turns_bad_at_half_of_the_users_is_rolled_back_from_there(shop: Shop) -> None:
    before = shop.tip()
    served = shop.put_on_trial("chat-v1.6")
    waited(shop, lambda: shop.stage() == "half", "the third stage")
    shop.replica.set(served, Fault(Kind.ERROR))
    agree_that_it_went_back(shop, served, before, {"errors"})
    shop.replica.clear()


def test_invariant_8_automation_does_not_put_what_was_rolled_back_on_trial_again(shop: Shop) -> None:
    (served, *_) = shop.quarantined()
    name = served.rpartition("--")[0]
    shop.push_trial(name)
    waited(shop, lambda: last_pass(shop)["revision"] == shop.tip(), "the runner has seen the commit")
    waited(shop, lambda: "quarantined" in reasons(shop), "it says why")
    assert shop.live() == (None, None)
    shop.pull()
    git(shop.desk, "revert", "--no-edit", "HEAD")
    git(shop.desk, "push", "-q", "origin", "HEAD:main")
    waited(shop, shop.in_sync, "agreement")


def test_a_good_candidate_goes_through_all_stages_and_each_step_is_a_commit_of_one_line(shop: Shop) -> None:
    shop.put_on_trial("chat-v1.1")
    begin = shop.tip()
    waited(shop, lambda: shop.stage() == STAGES[-1], "the last stage")
    steps = git(shop.remote, "log", "--reverse", "--format=%H", f"{begin}..main").split()
    assert len(steps) == len(STAGES) - 1
    for step, stage in zip(steps, STAGES[1:], strict=True):
        assert git(shop.remote, "show", "--format=", "--numstat", step).split() == ["1", "1", "loop.yaml"]
        spec = git(shop.remote, "show", f"{step}:loop.yaml")
        assert f"{{candidate: chat-v1.1, stage: {stage}}}  # put on trial by hand" in spec
    served = shop.served("chat-v1.1")
    waited(shop, lambda: shop.live() == (served, served), "the candidate on both gateways")
    waited(shop, shop.in_sync, "agreement")
    assert served not in shop.quarantined()


def test_invariant_9_no_request_of_a_user_failed_in_all_of_this(shop: Shop) -> None:
    progress = shop.users.progress()
    assert (shop.users.failures(), progress.failed) == ([], 0)
    assert progress.answered > 500
    assert progress.feedback > 100
