"""`loop forget`: names a user as the gateway does, says what went and what is left where, and deletes what expired."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from runner.cli import forget
from runner.cli.upkeep import expire_forever
from runner.events.schema import Kind
from runner.feedback import collected as collection
from runner.feedback.records import record_id
from runner.reconcile.state import StatePaths
from runner.serving.gateway.callers import KeyedHash, read_secret
from tests.cli.workbench import Bench, refused
from tests.doubles.event_files import START_US, line, segment
from tests.events.forgetting_world import MARKER, event
from tests.feedback.collected_worlds import collected, label, record
from tests.waiting import until


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "repo")


def logged(bench: Bench, *identities: str) -> list[str]:
    """Log one request of each of some users, by their identities; return their hashes."""
    home = bench.state("x").parent
    hashed = KeyedHash(read_secret(home / "user-hash.key"))
    users = [hashed(each) for each in identities]
    for kind, suffix, text in (
        (Kind.REQUEST, "", {}),
        (Kind.CONTENT, "-content", {"gen_ai__input__messages": MARKER}),
    ):
        events = [
            event(
                kind,
                f"request-{place}{suffix}",
                START_US + place,
                **({} if suffix else {"loop__user": user}),
                **text,
            )
            for place, user in enumerate(users)
        ]
        segment(home / "events", map(line, events), kind=kind)
    return users


@pytest.mark.parametrize(
    ("arguments", "whose"),
    [
        (("kim",), 0),
        (("kim", "--key", "shop"), 1),
        (("--key", "shop"), 2),
    ],
)
def test_a_user_is_named_as_the_gateway_names_him(
    bench: Bench, arguments: tuple[str, ...], whose: int
) -> None:
    users = logged(bench, "anonymous\0kim", "key\0shop\0kim", "key\0shop")
    said = bench.loop("forget", *arguments, "--no-wait", "--json")
    assert said.code == 0, said
    report = json.loads(said.out)
    assert report["users"] == [users[whose]]
    assert report["events"] == {"request": 1, "content": 1}
    for each in users:
        left = json.loads(bench.loop("forget", "--hash", each, "--dry-run", "--json").out)
        assert bool(left["events"]) is (each != users[whose])


def test_a_dry_run_deletes_nothing_and_says_so(bench: Bench) -> None:
    logged(bench, "anonymous\0kim")
    said = bench.loop("forget", "kim", "--dry-run")
    assert said.out.startswith("would be deleted: 2 events:\n  request    1\n  content    1\n")
    assert not bench.state("forgotten.jsonl").exists()
    assert not (bench.state("lake") / "manifest.json").exists()


def test_who_is_not_known_is_told_so(bench: Bench) -> None:
    logged(bench, "anonymous\0kim")
    assert "there is nothing of this user" in bench.loop("forget", "lee", "--no-wait").out


def test_data_sets_that_still_hold_the_user_are_named_with_the_way_to_new_ones(bench: Bench) -> None:
    (user,) = logged(bench, "anonymous\0kim")
    for name, row in (
        ("datasets/collected/records.jsonl", {"id": record_id("request-0"), "user": user}),
        ("datasets/snapshot/preferences.jsonl", {"source": record_id("request-0")}),
        ("datasets/snapshot/thumbs.jsonl", {"source": "rec-other"}),
    ):
        path = bench.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(row) + "\n")
    said = bench.loop("forget", "kim", "--no-wait").out
    assert "  datasets/collected/records.jsonl  1 lines\n" in said
    assert "  datasets/snapshot/preferences.jsonl  1 lines\n" in said
    assert "thumbs" not in said and "loop data curate" in said


def test_what_was_collected_of_the_user_is_deleted_and_told_file_by_file(bench: Bench) -> None:
    (user,) = logged(bench, "anonymous\0kim")
    mine, other = record("request-0", user=user), record("request-of-other")
    judged = [label(f"l{place}", each.id, "answer", "good") for place, each in enumerate((mine, other))]
    collection.write(bench.root / collection.FOLDER, collected(mine, other, *judged))
    asked = bench.loop("forget", "kim", "--dry-run").out
    assert "in data sets:\n  datasets/collected/labels.jsonl  1 lines\n" in asked
    assert len(collection.read(bench.root / collection.FOLDER).records) == 2
    said = bench.loop("forget", "kim", "--no-wait").out
    assert (
        "deleted from datasets/collected:\n  records.jsonl  1 lines\n  labels.jsonl  1 lines\n  fix: `loop"
        in said
    )
    left = collection.read(bench.root / collection.FOLDER)
    assert (left.records, left.labels) == ((other,), (judged[1],))


def test_replaced_files_are_removed_after_the_wait(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forget, "GRACE_S", 0.0)
    (user,) = logged(bench, "anonymous\0kim")
    assert bench.loop("forget", "kim").code == 0
    for path in bench.state("x").parent.rglob("*"):
        if path.is_file() and path.name != "forgotten.jsonl":
            assert user.encode() not in path.read_bytes() and MARKER.encode() not in path.read_bytes()


def test_what_is_older_than_the_policy_allows_expires(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    logged(bench, "anonymous\0kim")
    bench.loop("forget", "nobody", "--no-wait")  # compacts
    later = START_US * 1000 + 100 * 86_400 * 10**9
    monkeypatch.setattr("runner.feedback.forgetting.time.time_ns", lambda: later)
    asked = bench.loop("forget", "--expired", "--dry-run", "--working-tree")
    assert asked.out == "would be deleted, older than policies/privacy.yaml allows: 1\n  content          1\n"
    assert bench.loop("forget", "--expired", "--working-tree").out.startswith("deleted, ")
    again = bench.loop("forget", "--expired", "--working-tree", "--json")
    assert json.loads(again.out) == {"dry_run": False, "expired": {}}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((), "name a user, a key or a hash"),
        (("kim", "--expired"), "name a user, a key or a hash"),
        (("--hash", "xyz"), "32 hex digits"),
        (("kim", "-e", "nowhere"), "there is no environment 'nowhere'"),
    ],
)
def test_what_is_no_wish_is_refused(bench: Bench, arguments: tuple[str, ...], part: str) -> None:
    refused(bench.loop("forget", *arguments), part)


def test_where_nothing_was_ever_logged_it_says_where_it_looked(bench: Bench) -> None:
    refused(bench.loop("forget", "kim"), "no user was ever logged here", "user-hash.key")


def test_a_resident_runner_has_it_done_now_and_then_and_tells_why_not(bench: Bench) -> None:
    logged(bench, "anonymous\0kim")
    told: list[str] = []

    async def resident(environment: str) -> None:
        paths = StatePaths(bench.root, environment)
        duty = asyncio.create_task(
            expire_forever(paths, told.append, working_tree=True, first=0.0, every=3600.0)
        )
        done = bench.root / ".loop" / environment / "lake" / "manifest.json"
        await asyncio.to_thread(until, lambda: done.exists() or told, "it is done, or told")
        duty.cancel()
        await asyncio.gather(duty, return_exceptions=True)

    asyncio.run(resident("production"))
    assert told == []
    asyncio.run(resident("nowhere"))
    assert told == ["what has expired is not deleted yet: there is no environment 'nowhere' in loop.yaml"]
