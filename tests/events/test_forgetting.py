"""Forgetting one user leaves nothing of that user and everything of everybody else, also where it is killed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import TerminalError, TransientError
from runner.events import forgotten, manifest
from runner.events.forgotten import Entry, Forgotten, Traces
from runner.events.lake import Lake
from runner.events.schema import Kind
from runner.feedback import collected as collection
from runner.feedback import forgetting
from runner.feedback.ballots import ballots
from runner.feedback.expiring import Ages
from runner.feedback.forgetting import Belongings, belongings, expire, forget, resume, settle, waiting
from runner.feedback.labels.items import preference_id
from runner.signals.cube.store import Store
from tests.doubles.event_files import DAY_US, START_US, line, segment
from tests.events.forgetting_world import (
    GONE,
    MARKER,
    NOW_US,
    OPEN,
    OTHERS,
    World,
    build,
    bytes_of,
    compactor,
    damaged,
    event,
    everything,
    is_open,
    place,
    said_by,
)
from tests.feedback.collected_worlds import ballot, collected, record

DAY_S = 86_400.0


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log to copy."""
    home = tmp_path_factory.mktemp("world") / "production"
    build(home)
    return home


@pytest.fixture(scope="module")
def before(built: Path) -> dict[str, dict[str, Any]]:
    return everything(built)


@pytest.fixture
def home(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "production"))


def close_segments(home: Path) -> None:
    """Let the gateway close what it has open."""
    for path in (home / "events").glob("*.open.jsonl"):
        path.rename(path.with_name(path.name.replace(".open", "")))


def traces_of_the_user(home: Path) -> list[str]:
    return [
        path.relative_to(home).as_posix()
        for path, data in bytes_of(home)
        if GONE.encode() in data or MARKER.encode() in data
    ]


def of_others(events: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the events of which nothing speaks of the user who is to go; ids and texts say whose they are."""
    return {
        identity: each
        for identity, each in events.items()
        if f"{GONE[:2]}-" not in identity and GONE not in json.dumps(each)
    }


def test_nothing_of_the_user_is_left_in_any_file_and_all_of_everybody_else_is(
    home: Path, before: dict[str, dict[str, Any]]
) -> None:
    assert MARKER in json.dumps(before) and len(of_others(before)) > 60
    assert len(traces_of_the_user(home)) > 20
    forget(place(home), (GONE,), NOW_US)
    assert everything(home) == of_others(before), "readers find nothing of it in open segments either"
    close_segments(home)
    for _ in range(2):
        settle(place(home))
    assert traces_of_the_user(home) == []
    assert everything(home) == of_others(before)
    assert damaged(home) == b'{"whose": "nobodys"\n'
    with Lake(home / "lake", home / "events") as lake:
        assert set(lake.requests().to_pyarrow()["loop.user"].to_pylist()) == set(OTHERS)


def test_what_is_deleted_is_counted_by_kind_and_a_dry_run_finds_the_same(home: Path) -> None:
    planned = belongings(place(home), (GONE,), NOW_US)
    assert planned.counts == forget(place(home), (GONE,), NOW_US).counts
    assert planned.counts == {
        **dict.fromkeys((Kind.REQUEST, Kind.CONTENT, Kind.SHADOW, Kind.FEEDBACK, Kind.VOTE, Kind.SAMPLE), 6),
        Kind.LABEL: 18,
    }
    assert belongings(place(home), (GONE,), NOW_US).counts == {}


def test_a_dry_run_changes_nothing(home: Path) -> None:
    files = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    belongings(place(home), (GONE,), NOW_US)
    expire(place(home), Ages(DAY_S, DAY_S, DAY_S), dry_run=True)
    assert files == {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_open_segments_are_counted_until_they_are_compacted(home: Path) -> None:
    forget(place(home), (GONE,), NOW_US)
    assert waiting(place(home)) == 2 * len(said_by(GONE, 0, OPEN))
    close_segments(home)
    settle(place(home))
    assert waiting(place(home)) == 0


def test_what_arrives_late_is_left_out_and_what_is_said_later_is_kept(home: Path) -> None:
    forget(place(home), (GONE,), NOW_US)
    request = f"{GONE[:2]}-{OPEN}-0"
    answer = f"chatcmpl-{request}"
    late = {
        Kind.SHADOW: event(Kind.SHADOW, f"{request}-shadow", NOW_US + 1, gen_ai__output__messages=MARKER),
        Kind.SAMPLE: event(Kind.SAMPLE, "late-sample", NOW_US + 1, loop__request__id=f"req-{request}"),
        Kind.FEEDBACK: event(
            Kind.FEEDBACK, "late-fb", NOW_US + 1, gen_ai__response__id=answer, loop__user=OTHERS[0]
        ),
        Kind.VOTE: event(
            Kind.VOTE, "late-vote", NOW_US + 1, loop__left__response=answer, loop__user=OTHERS[0]
        ),
        Kind.REQUEST: event(Kind.REQUEST, "new-request", NOW_US + 1, loop__user=GONE),
    }
    for kind, each in late.items():
        segment(home / "events", [line(each)], kind=kind, opened_us=NOW_US + 5)
    found = everything(home)
    assert "new-request" in found, "whoever comes back is a new user"
    assert not {"late-sample", "late-fb", "late-vote", f"{request}-shadow"} & found.keys()
    settle(place(home))
    assert everything(home) == found


def test_another_environment_and_an_unknown_user_find_nothing(home: Path, before: Any) -> None:
    assert forget(place(home), ("dd" * 16,), NOW_US).counts == {}
    assert everything(home) == before


def test_events_after_the_time_of_the_wish_stay(home: Path, before: dict[str, dict[str, Any]]) -> None:
    forget(place(home), (GONE,), START_US + 30_000_000)
    kept = everything(home)
    for identity in before:
        is_gone = f"{GONE[:2]}-" in identity and "-0" in identity
        assert (identity in kept) is not is_gone


class Killed(BaseException):
    """Ends a run where it stands."""


@contextmanager
def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Let the process die before its n-th step that another can see: a rename or a removal."""
    count = [0]

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*values: Any, **named: Any) -> Any:
            count[0] += 1
            if count[0] == step:
                raise Killed
            return call(*values, **named)

        return counted

    with monkeypatch.context() as patch:
        for name in ("replace", "unlink"):
            patch.setattr(Path, name, watched(getattr(Path, name)))
        yield count


def test_killed_at_any_step_it_leaves_everybody_else_whole_and_is_finished_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path / "built", (Kind.REQUEST, Kind.CONTENT))
    before = everything(tmp_path / "built")

    def copy(name: str) -> Path:
        return Path(shutil.copytree(tmp_path / "built", tmp_path / name))

    with killed_at(0, monkeypatch) as steps:
        forget(place(copy("whole")), (GONE,), NOW_US)
    assert steps[0] > 12
    others = of_others(before)
    for step in range(1, steps[0] + 1, 5):
        home = copy(f"step-{step}")
        with killed_at(step, monkeypatch), pytest.raises(Killed):
            forget(place(home), (GONE,), NOW_US)
        found = everything(home)
        assert of_others(found) == others, f"step {step}"
        if not resume(place(home)):  # it was killed before anything was promised, or after all was done
            assert found in (before, others), f"step {step}"
            forget(place(home), (GONE,), NOW_US)
        close_segments(home)
        for _ in range(2):
            settle(place(home))
        assert traces_of_the_user(home) == [], f"step {step}"
        assert everything(home) == others, f"step {step}"
        assert all(entry.finished for entry in forgotten.entries(home))
        shutil.rmtree(home)


def test_killed_before_what_was_collected_is_clean_the_next_run_cleans_it_of_votes_of_others_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, folder = tmp_path / "production", tmp_path / "collected"
    asked = event(Kind.REQUEST, "asked", START_US, loop__user=GONE, gen_ai__response__id="answer-1")
    written(home, [(Kind.REQUEST, asked)])
    compactor(home, grace_us=0).run()
    own, other = record("asked", user=GONE), record("of-other")
    on_answer = ballot("on-answer", user=OTHERS[0])
    on_answer = replace(on_answer, left=replace(on_answer.left, response="answer-1"))
    collection.write(folder, collected(own, other, on_answer))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("runner.feedback.collected.edit", lambda *_: (_ for _ in ()).throw(Killed))
        forget(place(home), (GONE,), NOW_US)
    assert everything(home) == {} and len(collection.read(folder).records) == 2
    assert resume(place(home))
    left = collection.read(folder)
    assert (left.records, left.ballots) == ((other,), ())


def test_scored_answers_of_the_user_go_and_their_hours_are_counted_again(home: Path) -> None:
    forget(place(home), (GONE,), NOW_US)
    store = Store(home / "signals")
    state = store.load()
    (hour,) = state.hours.values()
    assert state.signature == "" and dict(hour.basis) == {}
    for name in (*hour.annotations, hour.pairs):
        rows = store.read(name)["event_id"].to_pylist()
        assert len(rows) == 4 and not [row for row in rows if row.startswith(GONE[:2])]


def test_drift_forgets_when_the_user_asked_and_what(home: Path) -> None:
    forget(place(home), (GONE,), NOW_US)
    kept = json.loads((home / "signals" / "drift.json").read_text())
    assert list(kept["seen"]) == [OTHERS[0]] and kept["topics"] == "t"
    assert kept["examples"] == [[3, [[START_US / 1e6 + 7, "of another"]]]]
    assert not (home / "evidence.json").exists()


def test_evidence_that_knows_nothing_of_the_user_stays(home: Path) -> None:
    (home / "evidence.json").write_text(json.dumps({"sessions": {f"{OTHERS[0]}/s": 1}}))
    forget(place(home), (GONE,), NOW_US)
    assert (home / "evidence.json").exists()


def test_collection_asks_whose_events_to_leave_out(home: Path) -> None:
    assert forgotten.forgotten(home) == {}
    forget(place(home), (GONE,), NOW_US - 5)
    forget(place(home), (GONE, OTHERS[0]), NOW_US)
    assert forgotten.forgotten(home) == {GONE: NOW_US, OTHERS[0]: NOW_US}


def test_a_list_that_cannot_be_read_is_an_error_and_not_an_empty_list(home: Path) -> None:
    forget(place(home), (GONE,), NOW_US)
    (home / forgotten.NAME).write_text('{"users": 3}\n')
    for use in (forgotten.forgotten, lambda home: compactor(home).run(), everything):
        with pytest.raises(TerminalError, match="list of users to be forgotten cannot be read"):
            use(home)


def test_a_compaction_under_way_is_waited_for(home: Path) -> None:
    calls = []

    class Busy(World):
        @property
        def compactor(self) -> Any:
            calls.append(1)
            if len(calls) < 4:
                raise TransientError("another compaction of this lake is running")
            return compactor(self.directory, grace_us=0)

    forget(Busy(home, home.parent / "collected", lambda: NOW_US, 0, lambda _: None), (GONE,), NOW_US)
    assert len(calls) > 4 and belongings(place(home), (GONE,), NOW_US).counts == {}


ids = st.sampled_from(["a", "b", "c", "d"])
texts = st.lists(st.none() | ids, min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(texts, texts, st.dictionaries(ids, st.integers(0, 3)), st.frozensets(ids))
def test_a_row_goes_exactly_where_its_user_or_what_it_is_about_is_named(
    users: list[str | None], answers: list[str | None], gone: dict[str, int], responses: frozenset[str]
) -> None:
    import pyarrow as pa

    size = min(len(users), len(answers))
    table = pa.table(
        {
            "event.id": [str(number) for number in range(size)],
            "event.time": pa.array(range(size), pa.int64()),
            "loop.user": pa.array(users[:size], pa.string()),
            "gen_ai.response.id": pa.array(answers[:size], pa.string()),
        }
    )
    kept = Forgotten(gone, Traces(responses=responses)).kept(Kind.FEEDBACK, table)
    wanted = [
        str(number)
        for number in range(size)
        if not (number <= gone.get(users[number] or "", -1) or answers[number] in responses)
    ]
    assert kept["event.id"].to_pylist() == wanted
    if len(wanted) == size:
        assert kept is table


def test_a_wish_that_is_repeated_keeps_what_it_found_before(tmp_path: Path) -> None:
    one, two = Traces(events=frozenset({"a"})), Traces(events=frozenset({"b"}))
    for traces in (one, two):
        forgotten.add(tmp_path, Entry((GONE,), 5, traces, late=traces))
    (entry,) = forgotten.entries(tmp_path)
    assert entry.traces == one | two and not entry.finished
    forgotten.add(tmp_path, Entry((GONE,), 6, one))
    forgotten.finish(tmp_path, (GONE,), 5)
    assert [(each.until_us, each.finished) for each in forgotten.entries(tmp_path)] == [(5, True), (6, False)]


def voted(identity: str, user: str, comparison: str, *answers: str, shown: int = 2) -> tuple[Kind, Any]:
    sides = zip(("left", "right"), answers, strict=True)
    fields = {f"loop__{side}__response": answer for side, answer in sides}
    fields |= {"loop__vote__question": comparison, "loop__vote__choice": "left", "loop__vote__prompt": "[]"}
    fields |= {"loop__vote__shown": shown, "loop__user": user}
    return Kind.VOTE, event(Kind.VOTE, identity, START_US, **fields)


def labelled(item: str, user: str = OTHERS[1], **more: str) -> tuple[Kind, Any]:
    named = {"loop__item": item, "loop__user": user, **more}
    return Kind.LABEL, event(Kind.LABEL, f"label-{item}", START_US, **named)


def written(home: Path, events: list[tuple[Kind, Any]]) -> None:
    for kind in {kind for kind, _ in events}:
        segment(home / "events", [line(each) for of, each in events if of is kind], kind=kind)


def pair_of(vote: tuple[Kind, Any]) -> str:
    return preference_id(ballots([vote[1]])[0])


def test_labels_on_what_the_user_voted_on_and_wrote_there_go_and_those_on_votes_of_others_stay(
    tmp_path: Path,
) -> None:
    own = voted("own-vote", GONE, "cmp-own", "of-nobody-1", "of-nobody-2")
    shared = voted("shared-vote", GONE, "cmp-shared", "of-nobody-3", "of-nobody-4")
    by_other = voted("vote-of-other", OTHERS[0], "cmp-shared", "of-nobody-3", "of-nobody-4")
    asked = event(Kind.REQUEST, "asked", START_US, loop__user=GONE, gen_ai__response__id="answer-1")
    of_three = voted("on-answer", OTHERS[0], "cmp-three", "answer-1", "answer-2", shown=3)
    others_three = voted("others-three", OTHERS[0], "cmp-four", "answer-5", "answer-6", shown=4)
    gone = ["own-vote", "cmp-own", "shared-vote", "on-answer", pair_of(of_three)]
    stay = ["cmp-shared", "vote-of-other", "others-three", pair_of(others_three), "rec-else"]
    votes = [own, shared, by_other, of_three, others_three]
    written(tmp_path, [(Kind.REQUEST, asked), *votes, *map(labelled, [*gone, *stay])])
    forget(place(tmp_path), (GONE,), NOW_US)
    found = everything(tmp_path)
    assert {name for name in found if name.startswith("label-")} == {f"label-{item}" for item in stay}
    assert {"vote-of-other", "others-three"} < found.keys()
    assert not {"own-vote", "shared-vote", "on-answer"} & found.keys()


def test_a_label_on_a_vote_of_the_user_that_arrives_late_is_left_out(tmp_path: Path) -> None:
    vote = voted("own-vote", GONE, "cmp", "of-nobody-1", "of-nobody-2", shown=3)
    written(tmp_path, [vote])
    forget(place(tmp_path), (GONE,), START_US + 5)
    written(tmp_path, [labelled("own-vote"), labelled(pair_of(vote)), labelled("rec-else")])
    assert set(everything(tmp_path)) == {"label-rec-else"}


def test_lines_made_of_votes_labels_and_feedback_of_the_user_are_found_in_data_sets(tmp_path: Path) -> None:
    home, folder = tmp_path / "production", tmp_path / "snapshot"
    folder.mkdir()
    said = {"loop__user": GONE, "gen_ai__response__id": "of-another"}
    better = {"loop__label__task": "answer", "loop__label__correction": "better"}
    written(
        home,
        [
            voted("own-vote", GONE, "cmp-own", "of-nobody-1", "of-nobody-2"),
            (Kind.FEEDBACK, event(Kind.FEEDBACK, "own-feedback", START_US, **said)),
            labelled("rec-of-another", GONE, **better),
            labelled("rec-judged", GONE, loop__label__task="answer"),
        ],
    )
    sources = [
        *("own-vote", "own-vote/correction", "cmp-own/preference", "own-feedback", "label-rec-judged"),
        *("rec-of-another/answer", "rec-of-another/correction", "rec-of-another", "rec-judged/answer", "x"),
    ]
    rows = [json.dumps({"id": "row", "sources": ["x", source]}) + "\n" for source in sources]
    for source, row in zip(sources, rows, strict=True):
        (folder / f"{source.replace('/', ' ')}.jsonl").write_text(row)
    found = belongings(place(home), (GONE,), NOW_US)
    counts = forgetting.lines_about(iter(sorted(folder.iterdir())), (GONE,), found)
    assert {path.stem for path in counts} == {source.replace("/", " ") for source in sources[:6]}


def test_lines_about_a_user_are_found_in_data_sets(tmp_path: Path) -> None:
    files = {
        "records.jsonl": [{"id": "rec-1", "user": GONE}, {"id": "rec-2", "user": "x"}],
        "preferences.jsonl": [{"prompt": [], "source": {"records": ["rec-of-a"]}}, {"note": f"not {GONE}"}],
        "clean.jsonl": [{"user": "x"}],
    }
    for name, rows in files.items():
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows) + "{broken\n")
    traces = Traces(items=frozenset({"rec-of-a"}))
    found = forgetting.lines_about(iter(sorted(tmp_path.iterdir())), (GONE,), Belongings(traces=traces))
    assert {path.name: count for path, count in found.items()} == {"records.jsonl": 1, "preferences.jsonl": 1}


# What is too old


def test_each_kind_goes_when_it_is_older_than_the_policy_says(home: Path, before: Any) -> None:
    close_segments(home)
    settle(place(home))
    now = NOW_US + DAY_US
    age = (now - START_US) / 1e6
    world = World(home, home.parent / "collected", lambda: now, 0, lambda _: None)
    feedback = {Kind.FEEDBACK, Kind.VOTE, Kind.LABEL}
    young = Ages(facts=age + 1, content=age + 1, feedback=age + 1)
    assert expire(world, young) == dict.fromkeys(expire(world, young), 0)
    assert everything(home) == before

    removed = expire(world, Ages(facts=age + 1, content=age - 30, feedback=age + 1))
    left = everything(home)
    assert removed["content"] == removed["text of shadow"] == removed["text of sample"] == 9
    firsts = {name for name in before if name.endswith(("-0-content", "-0-shadow")) or _is_sample(name)}
    assert before.keys() - left.keys() == {name for name in firsts if name.endswith("-content")}
    for name in firsts & left.keys():
        assert "gen_ai.output.messages" not in left[name] and "loop.sample.evidence" not in left[name]

    expire(world, Ages(facts=age + 1, content=age + 1, feedback=1.0))
    kinds = {each.split("-")[0] for each in left.keys() - everything(home).keys()}
    assert kinds == {"fb", "vote", "label", "own"} and feedback
    expire(world, Ages(1.0, 1.0, 1.0))
    assert everything(home) == {}


def _is_sample(name: str) -> bool:
    return name.startswith("sample-") and name.endswith("-0")


def test_what_is_young_is_not_even_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generation = manifest.load(home / "lake")
    monkeypatch.setattr("runner.events.compact.pq.read_table", lambda *_a, **_k: pytest.fail("was read"))
    expire(place(home), Ages(90 * DAY_S, 90 * DAY_S, 90 * DAY_S))
    assert manifest.load(home / "lake") == generation


def test_lines_that_are_no_events_go_with_the_texts(home: Path) -> None:
    assert damaged(home)
    later = World(
        home, home.parent / "collected", lambda: NOW_US + 10**9 * DAY_US // 10**6, 0, lambda _: None
    )
    expire(later, Ages(10**9, 10**9, 10**9))
    assert damaged(home)
    expire(later, Ages(10**9, 1.0, 10**9))
    assert not damaged(home)


def test_the_world_holds_its_open_segments(home: Path) -> None:
    from runner.events.reader import list_segments

    assert {is_open(each) for each in list_segments(home / "events") if each.live} == {True}
