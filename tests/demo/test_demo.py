"""What the demo is made of: a quarter that fits the shipped repository, claims that can fail, a picture, a report."""

from __future__ import annotations

import shutil
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import yaml

import runner.demo.__main__ as demo
from runner.demo import place, quarter, story
from runner.demo.claims import Unfulfilled, claim, until
from runner.demo.ending import NOTHING
from runner.demo.faults import remote_away
from runner.demo.plots import Layer, Mark, shares
from runner.demo.report import Commit, Played, to_html
from runner.demo.telling import Line, Teller
from runner.simulation.people.crowd import Seen
from runner.simulation.people.person import Reaction
from runner.simulation.replay.result import Failure
from runner.spec.files import DirectoryFiles
from runner.spec.load import load_or_raise

ROOT = Path(__file__).resolve().parents[2]
CONTENT = ("loop.yaml", "models", "datasets", "policies", "dvc.yaml", "dvc.lock")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped declarations, shortened."""
    root = tmp_path_factory.mktemp("shop")
    for name in CONTENT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, root / name, ignore=shutil.ignore_patterns("*.jsonl", "base", "chat-v1.0")
            )
        else:
            shutil.copy2(source, root / name)
    quarter.shorten(root)
    return root


def test_the_shortened_repository_is_valid_and_has_production_alone(shop: Path) -> None:
    spec = load_or_raise(DirectoryFiles(shop))
    assert set(spec.loop.environments) == {"production"}
    production = spec.loop.environments["production"]
    assert production.baseline == story.FIRST and production.rollout is None
    assert production.engine.managed and spec.loop.git is not None


def test_its_stages_and_conditions_are_the_shipped_ones_but_for_what_is_listed(shop: Path) -> None:
    shipped, here = (yaml.safe_load((root / quarter.ROLLOUT).read_text()) for root in (ROOT, shop))
    assert [each["traffic"] for each in here["stages"]] == ["5%", "20%", "50%", "100%"]
    assert [each["name"] for each in here["stages"]] == list(story.STAGES)
    here["stages"][0]["rollback_if"] = here["stages"][0]["rollback_if"].replace("10%", "5%")
    for ours, theirs in zip(here["stages"], shipped["stages"], strict=True):
        assert {**ours, "duration": 0} == {**theirs, "duration": 0}
    differs = {name for name in here["always"] if here["always"][name] != shipped["always"][name]}
    assert differs == {"slow", "crashes"} and here["always"].keys() == shipped["always"].keys()


def test_every_edit_says_why_and_an_edit_that_fits_no_more_is_told(shop: Path, tmp_path: Path) -> None:
    assert all(edit.why for edit in quarter.EDITS)
    with pytest.raises(Unfulfilled, match="not once"):
        quarter.shorten(shop)
    (tmp_path / "file").write_text("a a")
    with pytest.raises(Unfulfilled, match="2 times"):
        quarter.replace_once(tmp_path / "file", "a", "b")


def test_who_is_in_a_hurry_takes_out_every_alarm_and_every_gate_but_one(shop: Path, tmp_path: Path) -> None:
    shutil.copytree(shop, tmp_path / "shop")
    story.hurry(tmp_path / "shop")
    before, after = (load_or_raise(DirectoryFiles(root)) for root in (shop, tmp_path / "shop"))
    assert set(after.policies.evaluation.gates) == {"keeps-up"} < set(before.policies.evaluation.gates)
    ours, theirs = (each.policies.training.recipes["dpo"] for each in (after, before))
    assert ours.optimiser.learning_rate == pytest.approx(15 * theirs.optimiser.learning_rate)
    assert after.policies.training.recipes["sft"] == before.policies.training.recipes["sft"]


def test_the_first_version_comes_on_trial_by_an_edit_that_is_valid(shop: Path, tmp_path: Path) -> None:
    root = tmp_path / "shop"
    shutil.copytree(shop, root)
    spec = root / "loop.yaml"
    shutil.copy2(root / "models/chat-v1.0.yaml", root / "models/chat-v1.1.yaml")
    text = (root / "models/chat-v1.1.yaml").read_text().replace("chat-v1.0", "chat-v1.1")
    (root / "models/chat-v1.1.yaml").write_text(text)
    spec.write_text(
        spec.read_text().replace("baseline: chat-v1.0", "baseline: chat-v1.1\n    standby: chat-v1.0")
    )
    story.try_first_again(root)
    production = yaml.safe_load(spec.read_text())["environments"]["production"]
    assert production["rollout"] == {"candidate": "chat-v1.0", "stage": "canary"}
    assert "standby" not in production


def test_a_claim_that_does_not_hold_says_what_was_found_instead() -> None:
    claim(1, "it holds")
    with pytest.raises(Unfulfilled, match="three answers\n  found: 2"):
        claim(False, "three answers", 2)
    with pytest.raises(Unfulfilled, match="a miracle"):
        until(lambda: None, "a miracle", patience_s=0.0)
    assert until(lambda: "there", "it") == "there"


def test_what_is_told_is_printed_with_its_time_and_kept() -> None:
    said: list[str] = []
    tell = Teller(said.append)
    tell.begin("A chapter")
    tell("first\nsecond")
    assert said[0] == "\nA chapter" and said[1].endswith(" s  first") and said[2].strip() == "second"
    assert [(line.chapter, line.text) for line in tell.lines] == [("A chapter", "first\nsecond")]


def test_a_pull_request_is_a_branch_that_a_reviewer_merges_and_a_revert_takes_back(tmp_path: Path) -> None:
    here = published(tmp_path)
    here.ask("ada/more", "More", lambda root: (root / "a.txt").write_text("2"))
    assert here.branches() == ["ada/more"] and here.text("a.txt") == "1"
    merged = here.merge("ada/more", "More of it")
    assert here.branches() == [] and here.text("a.txt") == "2" and here.tip() == merged
    commit = here.push("Too much", lambda root: (root / "a.txt").write_text("3"), who=place.HURRIED)
    assert here.text("a.txt") == "3"
    here.revert(commit)
    assert here.text("a.txt") == "2"
    assert here.subjects() == ["first", "Merge: More of it", "Too much", 'Revert "Too much"']
    assert [line.split()[1] for line in here.log()[:2]] == ["Grace", "Hurried"]


def published(home: Path) -> place.Place:
    seed = home / "seed"
    seed.mkdir()
    place.git(seed, "init", "--quiet", "--initial-branch=main")
    (seed / "a.txt").write_text("1")
    place.git(seed, "add", "--all")
    place.git(seed, "commit", "--quiet", "--message", "first")
    here = place.Place(home)
    place.git(home, "clone", "--quiet", "--bare", str(seed), str(here.remote))
    place.git(home, "clone", "--quiet", str(here.remote), str(here.desk))
    return here


SEEN = [
    Seen(100.0 + at, "customer-1", "chat-v1.0" if at < 20 else "chat-v1.1", 20.0, None, Reaction(at % 3 > 0))
    for at in range(40)
] + [Seen(141.0, "customer-2", "", 5.0, Failure("no_engine", 503), None)]


def test_the_picture_shows_every_version_and_each_mark_and_is_well_formed() -> None:
    drawn = shares([Layer("chat-v1.0", (4, 2)), Layer("chat-v1.1", (0, 2))], 4.0, [Mark(4.0, "a <canary>")])
    root = ET.fromstring(drawn)
    told = "".join(root.itertext())
    assert "chat-v1.0: 6 answers; chat-v1.1: 2 answers" in told and "a <canary>" in told
    bars = [each for each in root.iter() if each.tag.endswith("rect") and float(each.attrib["width"]) != 12]
    heights = [float(each.attrib["height"]) for each in bars]
    assert len(bars) == 3 and heights[1] == heights[2] == heights[0] / 2
    assert "no answers" in shares([], 4.0, [])


def test_the_report_tells_figures_story_gates_and_record_and_escapes_what_others_wrote() -> None:
    page = to_html(
        Played(
            began=100.0,
            figures={"seconds": 41.0, "promoted": "chat-v1.1", "rolled_back": None, "git_log": ["first"]},
            lines=[Line(101.0, "Opening", "it <serves>")],
            marks=[Mark(20.0, "chat-v1.1 at 'canary'")],
            seen=SEEN,
            evaluations={"chat-v1.1": {"gates": [{"gate": "g", "verdict": "PASS", "condition": "a < 5%"}]}},
            log=[Commit("abc1234", "Ada", "Take <it>")],
            fulfilled=True,
        )
    )
    parser = HTMLParser()
    parser.feed(page)
    for part in (
        "it &lt;serves&gt;",
        "Take &lt;it&gt;",
        "a &lt; 5%",
        "Gates of chat-v1.1",
        "session_gap: 30m",
    ):
        assert part in page, part
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", ""), "it loads nothing"


def test_a_gateway_that_does_not_answer_is_no_sign_that_users_were_led_away(tmp_path: Path) -> None:
    seed = tmp_path / "seed"
    seed.mkdir()
    place.git(seed, "init", "--quiet", "--initial-branch=main")
    spec = "environments: {production: {gateway: {admin: '127.0.0.1:9'}}}\n"
    (seed / "loop.yaml").write_text(spec)
    place.git(seed, "add", "--all")
    place.git(seed, "commit", "--quiet", "--message", "first")
    here = place.Place(tmp_path)
    place.git(tmp_path, "clone", "--quiet", "--bare", str(seed), str(here.remote))
    place.git(tmp_path, "clone", "--quiet", str(here.remote), str(here.desk))
    with remote_away(here):
        assert here.split() is None and not here.serves_alone("chat-v1.0")


def test_a_quarter_that_did_not_begin_has_every_figure_and_knows_none() -> None:
    assert set(NOTHING) >= {"seconds", "promoted", "rolled_back", "reverted_by_hand", "failed_requests"}
    assert set(NOTHING) >= {"zero_traffic_ms", "git_log"} and set(NOTHING.values()) == {None}


def test_a_home_that_is_not_empty_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("mine")
    for home in (tmp_path, tmp_path / "mine"):
        monkeypatch.setattr("sys.argv", ["demo", "--home", str(home)])
        with pytest.raises(SystemExit) as ended:
            demo.main()
        assert ended.value.code == 2 and "no empty folder" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


def test_a_chapter_that_does_not_come_true_ends_the_quarter_and_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The shop itself is played by `make demo`, which ends with 1 where this returns False."""
    played: list[str] = []
    said: list[str] = []

    def fails(_: object) -> None:
        played.append("fails")
        claim(False, "the sun rises", "night")

    monkeypatch.setattr(story, "opening", lambda _: None)
    monkeypatch.setattr(demo, "CHAPTERS", (("One", fails), ("Two", lambda _: played.append("second"))))
    shop = SimpleNamespace(tell=Teller(said.append))
    assert not demo._tell_all(cast(story.Quarter, shop))
    assert played == ["fails"]
    told = "\n".join(said)
    assert "NOT FULFILLED: the sun rises" in told and "night" in told


@pytest.mark.parametrize(
    ("ends", "code"), [(Unfulfilled("x"), 1), (OSError("disk"), 1), (KeyboardInterrupt(), 130)]
)
def test_a_quarter_that_breaks_off_is_no_success(
    ends: BaseException, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_: demo.Wish) -> int:
        raise ends

    monkeypatch.setattr(demo, "play", breaks)
    monkeypatch.setattr("signal.signal", lambda *_: None)  # of the demo's process, not of the tests'
    monkeypatch.setattr(sys, "argv", ["demo", "--home", str(tmp_path / "quarter")])
    assert demo.main() == code


def test_a_home_that_holds_something_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").write_text("kept")
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["demo", "--home", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        demo.main()
    assert ended.value.code == 2 and [path.name for path in tmp_path.iterdir()] == ["mine"]
