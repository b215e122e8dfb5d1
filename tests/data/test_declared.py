"""What Git declares of data sets, compared with what is here: each difference by its name, nothing where all fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.data.declared import Facts, Finding, State, compare, look
from runner.data.hashes import HashCache
from runner.feedback import snapshot
from runner.feedback.snapshot import Origins, build
from runner.spec.dataset import DatasetFile
from tests.feedback.collected_worlds import ballot, collected, policy

HERE, OTHER = "a" * 32, "b" * 32


def dataset(**changes: Any) -> DatasetFile:
    """A data set of two categories that asks for three rows, two of each."""
    value: dict[str, Any] = {
        "name": "pairs",
        "role": "preferences",
        "path": "data/made/pairs.jsonl",
        "hash": HERE,
        "schema": {"category": "text"},
        "minimum": {"rows": 3, "per_category": 2},
        "categories": ["a", "b"],
        "provenance": {"description": "made here", "stage": "make"},
    }
    return DatasetFile.model_validate(value | changes)


GOOD = Facts(HERE, 4, {"a": 2, "b": 2}, (), ())


def findings(facts: Facts, **changes: Any) -> list[State]:
    """Return the states that are found of one data set."""
    return [each.state for each in compare({"pairs": dataset(**changes)}, {"pairs": facts})]


def test_a_data_set_that_is_as_declared_and_passed_its_checks_is_not_spoken_of() -> None:
    assert findings(GOOD) == []


@pytest.mark.parametrize(
    ("facts", "states"),
    [
        (Facts(None), [State.MISSING]),
        (Facts(OTHER, 4, {"a": 2, "b": 2}, (), ()), [State.OTHER]),
        (Facts(HERE, 4, {"a": 2, "b": 2}, ("policies/x.yaml: y",), ()), [State.STALE]),
        (Facts(HERE, 2, {"a": 1, "b": 1}, (), ()), [State.TOO_SMALL, State.TOO_SMALL]),
        (Facts(HERE, 4, {"a": 3, "b": 1}, (), ()), [State.TOO_SMALL]),
        (Facts(HERE, 4, {"a": 4}, (), ()), [State.TOO_SMALL]),
        (Facts(HERE, 4, {"a": 2, "b": 2}, (), None), [State.UNCHECKED]),
        (Facts(HERE, 4, {"a": 2, "b": 2}, (), ("id is unique",)), [State.FAILED]),
        (Facts(HERE, 4, {"a": 2, "b": 2}, (), (), ("longer_share",)), [State.REFUSED]),
    ],
)
def test_every_difference_has_its_name(facts: Facts, states: list[State]) -> None:
    assert findings(facts) == states


def test_several_things_may_be_wrong_at_once() -> None:
    facts = Facts(OTHER, 1, {}, ("an/input",), ("id is unique",))
    assert findings(facts) == [State.OTHER, State.STALE, State.TOO_SMALL, State.TOO_SMALL, State.FAILED]


def test_data_that_is_here_and_not_declared_is_told_with_the_line_to_write() -> None:
    (found,) = compare({"pairs": dataset(hash=None)}, {"pairs": GOOD})
    assert found == Finding(
        "pairs", State.OTHER, f"here {HERE[:12]}, declared none", f"write `hash: {HERE}` into its file"
    )


def test_where_the_working_tree_declares_what_is_here_a_commit_is_all_that_is_missing() -> None:
    facts = Facts(OTHER, 4, {"a": 2, "b": 2}, (), (), written=OTHER)
    for declared in (dataset(), dataset(hash=None)):
        (found,) = compare({"pairs": declared}, {"pairs": facts})
        assert "`git commit`" in found.fix


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A pipeline of one stage whose output is a folder with the data set in it, just as the lock says."""
    (tmp_path / "data/made").mkdir(parents=True)
    (tmp_path / "data/made/pairs.jsonl").write_text('{"category": "a"}\n{"category": "b"}\nbroken\n')
    (tmp_path / "input.txt").write_text("input")
    (tmp_path / "policy.yaml").write_text("rules: {share: 40%, list: [1, 2]}\n")
    cache = HashCache(tmp_path / "hashes.json")
    stage = {
        "cmd": "make",
        "deps": [{"path": "input.txt", "hash": "md5", "md5": cache.dvc_hash(tmp_path / "input.txt")}],
        "params": {"policy.yaml": {"rules": {"share": "40%", "list": [1, 2]}, "rules.share": "40%"}},
        "outs": [{"path": "data/made", "hash": "md5", "md5": cache.dvc_hash(tmp_path / "data/made")}],
    }
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"make": stage}}))
    return tmp_path


def seen(root: Path) -> Facts:
    """Return the facts of the one data set."""
    return look(root, {"pairs": dataset()}, HashCache(root / "hashes.json"), lambda _dataset, _hash: ("x",))[
        "pairs"
    ]


def test_rows_and_categories_are_counted_without_broken_lines(root: Path) -> None:
    facts = seen(root)
    assert (facts.rows, facts.categories, facts.changed, facts.failed) == (2, {"a": 1, "b": 1}, (), ("x",))


def test_an_input_that_changed_makes_what_was_made_of_it_stale(root: Path) -> None:
    (root / "input.txt").write_text("other")
    assert seen(root).changed == ("input.txt",)
    (root / "input.txt").unlink()
    assert seen(root).changed == ("input.txt",)


def test_what_dvc_ignores_makes_nothing_stale(root: Path) -> None:
    code, cache = root / "code", HashCache(root / "hashes.json")
    code.mkdir()
    (code / "a.py").write_text("x = 1")
    lock = yaml.safe_load((root / "dvc.lock").read_text())
    lock["stages"]["make"]["deps"].append({"path": "code", "md5": cache.dvc_hash(code)})
    (root / "dvc.lock").write_text(yaml.safe_dump(lock))
    (code / "__pycache__").mkdir()
    (code / "__pycache__" / "a.pyc").write_bytes(b"compiled")
    assert seen(root).changed == ("code",)
    (root / ".dvcignore").write_text("__pycache__/\n")
    assert seen(root).changed == ()


def test_a_parameter_that_changed_makes_it_stale_by_its_key(root: Path) -> None:
    (root / "policy.yaml").write_text("rules: {share: 30%, list: [1, 2]}\n")
    assert seen(root).changed == ("policy.yaml: rules", "policy.yaml: rules.share")


@pytest.mark.parametrize("lock", ["", "[]", "stages: 3", "{", "stages: {make: [1]}"])
def test_a_lock_that_cannot_be_read_makes_nothing_stale(root: Path, lock: str) -> None:
    (root / "dvc.lock").write_text(lock)
    assert seen(root).changed == ()


def test_pairs_of_a_snapshot_whose_checks_failed_are_refused_with_the_checks_names(root: Path) -> None:
    made = build(collected(ballot("v1", "Do you sell the atlas?")), policy(), ())
    snapshot.write(made, root / snapshot.FOLDER, Origins("a" * 40, {}, {}, {}))
    cache = HashCache(root / "hashes.json")

    def refused(file: str = "preferences.jsonl") -> tuple[str, ...]:
        declared = dataset(path=f"{snapshot.FOLDER}/{file}")
        return look(root, {"pairs": declared}, cache, lambda _dataset, _hash: ())["pairs"].refused

    assert "category_coverage" in refused()
    assert refused("thumbs.jsonl") == ()
    (root / snapshot.FOLDER / "provenance.json").write_text("{")
    assert refused() == ()


def test_a_file_that_is_not_there_has_no_hash(root: Path) -> None:
    (root / "data/made/pairs.jsonl").unlink()
    assert seen(root) == Facts(None)


def test_the_shipped_data_sets_are_what_their_files_declare() -> None:
    from runner.spec.files import DirectoryFiles
    from runner.spec.load import load_or_raise

    here = Path(__file__).parents[2]
    datasets = load_or_raise(DirectoryFiles(here)).datasets
    facts = look(here, datasets, HashCache(here / ".loop/never"), lambda _dataset, _hash: ())
    found = [each for each in compare(datasets, facts) if each.state is not State.MISSING]
    assert found == [], json.dumps([str(each) for each in found])
