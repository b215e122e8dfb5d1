"""`loop data collect`: from a deployment's log to the folder, with the detectors and the masking of the policies."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from runner.cli.data_collect import Summary, collect, to_text
from runner.cli.repository import read_spec
from runner.errors import TerminalError
from runner.feedback import collected
from runner.feedback.records import Reason, record_id
from tests.cli.workbench import call
from tests.feedback.shop_log import HOUR_US, START_US, Log

CHECKOUT = Path(__file__).resolve().parents[2]
REFUSAL = "I'm sorry, but I can't help with that."
NOW_US = START_US + 200 * HOUR_US


def repository(root: Path) -> Path:
    """Make a repository with the shipped files, and without the data that DVC tracks."""
    for name in ("policies", "models", "datasets"):
        (root / name).mkdir(parents=True)
        for path in (CHECKOUT / name).glob("*.yaml"):
            shutil.copy(path, root / name)
    shutil.copytree(CHECKOUT / "models" / "reports", root / "models" / "reports")
    shutil.copy(CHECKOUT / "loop.yaml", root)
    return root


def hundred_refusals(events: Path, at_s: float = 0.0) -> list[str]:
    log = Log()
    names = [
        log.ask(f"Do you have volume {number * 7919} of it?", REFUSAL, user=f"u{number}", at_s=at_s)
        for number in range(100)
    ]
    log.write(events)
    return names


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], Summary, list[str]]:
    root, told = repository(tmp_path_factory.mktemp("root")), []
    names = hundred_refusals(root / ".loop" / "production")
    found = collect(root, read_spec(root), "production", None, told.append, now_us=NOW_US)
    return root, names, found, told


def test_a_hundred_refusals_are_records_after_one_call(done) -> None:
    root, names, found, _ = done
    assert found.written and found.reasons[Reason.REFUSAL] == 100
    records = collected.read(root / collected.FOLDER).records
    assert {each.id for each in records if Reason.REFUSAL in each.reasons} == set(map(record_id, names))


def test_the_manifest_says_from_what_by_which_policies_and_why_not_all(done) -> None:
    root, _, found, _ = done
    manifest = collected.manifest(root / collected.FOLDER)
    assert manifest["window"]["until_us"] == NOW_US
    assert {kind: each["events"] for kind, each in manifest["events"].items() if each["events"]} == {
        "request": 100,
        "content": 100,
    }
    assert set(manifest["policies"]) == {"collection", "privacy", "signals"}
    assert manifest["left_out"] == found.left_out
    assert manifest["records"]["refusal"] == manifest["files"]["records.jsonl"]["lines"] == 100


def test_collecting_again_gives_the_same_lines(done) -> None:
    root, _, _, _ = done
    before = (root / collected.FOLDER / collected.RECORDS).read_bytes()
    collect(root, read_spec(root), "production", now_us=NOW_US)
    assert (root / collected.FOLDER / collected.RECORDS).read_bytes() == before


def test_what_it_does_and_what_it_could_not_judge_is_told(done) -> None:
    _, _, found, told = done
    assert any("no refusal counts as right" in line for line in told)
    assert "refusal" in to_text(found) and "written: datasets/collected" in to_text(found)


def test_nothing_to_collect_is_no_error_and_leaves_what_was_collected_elsewhere(tmp_path) -> None:
    root = repository(tmp_path / "root")
    collected.write(root / collected.FOLDER, collected.Collected(facts={"environment": "pulled"}))
    said = call("--root", str(root), "data", "collect", "--window", "7d")
    assert said.code == 0
    assert "nothing to collect" in said.out
    assert collected.read(root / collected.FOLDER).facts == {"environment": "pulled"}


def test_a_dry_run_writes_nothing_and_json_is_for_programs(tmp_path) -> None:
    root = repository(tmp_path / "root")
    an_hour_ago = time.time() - START_US / 1e6 - 3600
    hundred_refusals(root / ".loop" / "production", an_hour_ago)
    said = call("--root", str(root), "data", "collect", "--dry-run", "--json", "--window", "2h")
    assert said.code == 0
    value = json.loads(said.out)
    assert (value["records"], value["written"]) == (100, False)
    assert not (root / collected.FOLDER).exists()


def test_an_unknown_environment_is_named_with_those_that_exist(tmp_path) -> None:
    root = repository(tmp_path / "root")
    with pytest.raises(TerminalError, match="there is no environment 'elsewhere'") as error:
        collect(root, read_spec(root), "elsewhere")
    assert "production" in str(error.value)
