from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from runner.feedback.labels.items import Item, items
from runner.feedback.labels.opinions import opinions
from runner.feedback.labels.queue import LEASE_S, Lease, Mode, Queue, Seat, State, released, state
from runner.feedback.records import Label
from tests.feedback.labels.made import label, record

NOW = 1_000.0
RATERS = 3


def queue(labels: list[Label], count: int = 3) -> Queue:
    return Queue(items([record(n) for n in range(1, count + 1)], []), opinions(labels), RATERS)


def given_to(found: Item | None) -> str | None:
    return found.id if found else None


def next_for(user: str, labels: list[Label], leases: tuple[Lease, ...] = (), **seat) -> str | None:
    return given_to(queue(labels).give(Seat(user, **seat), leases, NOW).item)


def test_the_oldest_item_comes_first() -> None:
    assert next_for("ann", []) == "rec-1"


def test_an_item_that_lacks_fewer_people_comes_before_older_ones() -> None:
    assert next_for("ann", [label("bob", "good", "rec-2"), label("cy", "good", "rec-2")]) == "rec-2"


def test_nobody_gets_an_item_twice() -> None:
    assert next_for("ann", [label("ann", "good", "rec-1")]) == "rec-2"


def test_nobody_judges_their_own_conversation() -> None:
    assert next_for("customer-1", []) == "rec-2"


def test_an_item_on_which_enough_people_have_spoken_is_given_to_nobody() -> None:
    assert next_for("ann", [label(user, "good", "rec-1") for user in ("bob", "cy", "di")]) == "rec-2"


def test_a_person_who_comes_back_gets_the_same_item() -> None:
    first = queue([]).give(Seat("ann"), (), NOW)
    ahead = [label("bob", "good", "rec-3")]

    again = queue(ahead).give(Seat("ann"), first.leases, NOW + 1)

    assert given_to(again.item) == given_to(first.item)


def test_what_was_put_off_comes_again_after_all_others() -> None:
    keys = [item.key for item in queue([]).items]

    assert next_for("ann", [], passed=tuple(keys[:2])) == "rec-3"
    assert next_for("ann", [], passed=(keys[1], keys[2], keys[0])) == "rec-2"


def test_places_that_others_hold_are_not_given_twice() -> None:
    almost = [label("bob", "good", "rec-1"), label("cy", "good", "rec-1")]
    held = queue(almost).give(Seat("ann"), (), NOW)

    assert next_for("di", almost, held.leases) == "rec-2"


def test_a_lease_that_has_run_out_frees_its_place() -> None:
    almost = [label("bob", "good", "rec-1"), label("cy", "good", "rec-1")]
    held = queue(almost).give(Seat("ann"), (), NOW)

    later = queue(almost).give(Seat("di"), held.leases, NOW + LEASE_S)

    assert given_to(later.item) == "rec-1"
    assert [lease.user for lease in later.leases] == ["di"]


def test_a_person_holds_one_lease_at_most() -> None:
    held = queue([]).give(Seat("ann"), (), NOW)
    moved = queue([]).give(Seat("ann", passed=(held.leases[0].key,)), held.leases, NOW)

    assert len(moved.leases) == 1
    assert released(moved.leases, "ann") == ()


DISPUTED = [
    label(user, value, "rec-1") for user, value in zip("abc", ("good", "bad", "unclear"), strict=True)
]


def test_disagreement_goes_to_somebody_who_has_not_voted() -> None:
    assert next_for("judge", DISPUTED, mode=Mode.ADJUDICATION) == "rec-1"
    assert next_for("a", DISPUTED, mode=Mode.ADJUDICATION) is None


def test_a_disputed_item_is_judged_by_one_person_at_a_time() -> None:
    held = queue(DISPUTED).give(Seat("judge", Mode.ADJUDICATION), (), NOW)

    assert next_for("other", DISPUTED, held.leases, mode=Mode.ADJUDICATION) is None


def test_what_a_last_word_has_settled_is_not_disputed_any_more() -> None:
    settled = [*DISPUTED, label("judge", "bad", "rec-1", final=True)]

    assert next_for("other", settled, mode=Mode.ADJUDICATION) is None


def test_progress_counts_every_item_once() -> None:
    labels = [*DISPUTED, *(label(user, "good", "rec-2") for user in "abc"), label("a", "bad", "rec-3")]

    found = queue(labels, 4).progress("a")

    assert (found.items, found.settled, found.waiting, found.disputed) == (4, 1, 2, 1)
    assert (found.own, found.open_to) == (3, 1)
    assert replace(found, own=0, open_to=1) == replace(queue(labels, 4).progress("customer-4"), open_to=1)


PEOPLE = [f"person-{n}" for n in range(5)]


@given(
    st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(["take", "say", "wait"])), max_size=60),
    st.integers(2, 4),
)
def test_several_people_at_once_never_overfill_an_item_nor_see_it_twice(steps, raters) -> None:
    """Each person takes items and labels them at their own pace, for as long as leases hold."""
    every = items([record(n) for n in range(4)], [])
    labels: list[Label] = []
    leases: tuple[Lease, ...] = ()
    looking: dict[str, Item | None] = {}
    for at, (user, step) in enumerate(steps):
        if step == "take":
            found = Queue(every, opinions(labels), raters).give(Seat(user), leases, NOW)
            leases, looking[user] = found.leases, found.item
        elif step == "say" and (item := looking.pop(user, None)) is not None:
            assert all((each.user, each.item) != (user, item.id) for each in labels)
            labels.append(label(user, "good", item.id, at=at))
            leases = released(leases, user)

    for each in opinions(labels).values():
        assert len(each.votes) <= raters


@given(st.integers(2, 4), st.integers(0, 2))
def test_enough_people_finish_the_whole_queue(raters: int, more: int) -> None:
    every = items([record(n) for n in range(5)], [])
    labels: list[Label] = []
    for user in PEOPLE[: raters + more]:
        while (item := Queue(every, opinions(labels), raters).give(Seat(user), (), NOW).item) is not None:
            labels.append(label(user, "good", item.id))

    assert {state(each, raters) for each in opinions(labels).values()} == {State.SETTLED}
    assert len(labels) == raters * len(every)
