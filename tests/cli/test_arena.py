"""`loop arena standings` and `loop data progress`: from votes on disk to what people and programs read."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from runner.events.schema import Kind
from runner.feedback.progress import DAY_S
from tests.cli.workbench import Bench, refused
from tests.feedback.arenas import decided, events
from tests.rollout.logs import empty, write


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A repository whose log holds 70 votes of the last hour, and one event that is no vote."""
    made = Bench(tmp_path_factory.mktemp("arena") / "repo")
    now = time.time()
    cast = [
        dataclasses.replace(
            each,
            at_us=round((now - 3600 + number) * 1e6),
            language="ko" if number % 3 == 0 else "en",
            category="creative" if number < 2 else "factual_qa",
        )
        for number, each in enumerate(decided("chat-v1.1", "chat-v1.0", 56, 14))
    ]
    old = [
        dataclasses.replace(each, id=f"old-{each.id}", comparison=f"old-{each.comparison}")
        for each in decided("chat-v1.1", "chat-v1.0", 0, 40)
    ]
    old = [dataclasses.replace(each, at_us=round((now - 60 * DAY_S) * 1e6)) for each in old]
    log = empty()
    log[Kind.VOTE] = [*events([*cast, *old]), {**events(cast)[0], "event.id": "odd", "loop.vote.prompt": "{"}]
    write(log, made.state("events"))
    return made


@pytest.fixture(scope="module")
def unused(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("unused") / "repo")


def test_standings_tell_the_better_version_and_how_sure_that_is(bench: Bench) -> None:
    said = bench.loop("arena", "standings")
    assert said.code == 0
    assert "70 votes of 7 raters on 2 versions; the baseline is chat-v1.0." in said.out
    assert "chat-v1.1 is better than chat-v1.0: it wins 80.0% (" in said.out
    assert said.err == "warning: left out: 1 events that are no vote\n"


def test_only_the_window_counts(bench: Bench) -> None:
    value = json.loads(bench.loop("arena", "standings", "--window", "90d", "--json").out)
    assert value["votes"] == 110
    assert value["duels"][0]["verdict"] == "not told apart"


def test_the_same_votes_give_the_same_figures(bench: Bench) -> None:
    first, second = (bench.loop("arena", "standings", "--json").out for _ in range(2))
    assert first == second


def test_a_category_or_language_can_be_picked_and_an_unknown_one_is_answered_with_those_there_are(
    bench: Bench,
) -> None:
    korean = json.loads(bench.loop("arena", "standings", "--language", "ko", "--json").out)
    assert korean["votes"] == 24
    refused(
        bench.loop("arena", "standings", "--category", "poems"), "'poems'", "there are creative, factual_qa"
    )


def test_the_page_and_the_picture_load_nothing(bench: Bench, tmp_path: Path) -> None:
    page, picture = tmp_path / "arena.html", tmp_path / "arena.svg"
    said = bench.loop("arena", "standings", "--html", str(page), "--svg", str(picture))
    assert said.code == 0
    text = page.read_text()
    assert "Standings: production, last 30d" in text and text.count("<svg") == 2
    for outside in ("<script", "<link", "src=", "href=", "url("):
        assert outside not in text + picture.read_text()
    assert ElementTree.fromstring(picture.read_text()).tag.endswith("svg")


def test_a_folder_that_is_not_there_is_refused_before_the_work(bench: Bench, tmp_path: Path) -> None:
    refused(bench.loop("arena", "standings", "--html", str(tmp_path / "no" / "a.html")), "there is no folder")
    refused(bench.loop("arena", "standings", "-e", "prod"), "there is no environment 'prod'")


def test_without_votes_standings_say_how_to_begin(unused: Bench) -> None:
    said = unused.loop("arena", "standings")
    assert said.code == 0 and "`loop console` opens the arena" in said.out
    assert json.loads(unused.loop("arena", "standings", "--json").out)["votes"] == 0


def test_progress_shows_a_bar_the_levels_and_what_to_ask_for(bench: Bench) -> None:
    value = json.loads(bench.loop("data", "progress", "--json").out)
    assert value["pairs"] == sum(part["pairs"] for part in value["categories"])
    said = bench.loop("data", "progress")
    assert said.code == 0
    assert f"] {value['pairs']} / 300" in said.out
    assert f"{300 - value['pairs']} more until the target" in said.out
    assert value["headline"] in said.out
    assert "cannot train yet" not in said.out, "how many rows a data set has that is not here, nobody knows"


def test_progress_is_a_page_too_that_loads_nothing(bench: Bench, tmp_path: Path) -> None:
    page = tmp_path / "progress.html"
    assert bench.loop("data", "progress", "--html", str(page)).code == 0
    assert page.read_text().count("<svg") == 2 and "<script" not in page.read_text()


def test_without_votes_progress_asks_to_open_the_arena(unused: Bench) -> None:
    said = unused.loop("data", "progress")
    assert said.code == 0 and "open the arena" in said.out and "not at this rate" in said.out
