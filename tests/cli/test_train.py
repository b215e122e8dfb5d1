"""`loop train`: from a recipe to a registered version, and every way in which it does not come to that."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner import digest
from runner.feedback.expectations.library import great_expectations
from runner.training.job import FOLDER
from tests.cli.workbench import ADDRESS, Said, argv, call, git, refused
from tests.reconcile.real_parts import free_addresses
from tests.spec.repository import Repository
from tests.waiting import until

CHECKOUT = Path(__file__).resolve().parents[2]
ROWS = 24
TRAINING, PAIRS = "policies/training.yaml", "datasets/bookshop-preferences.yaml"


class House:
    """A repository with the shipped base and first version, a few pairs, Git and DVC."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = Repository()
        self.files.texts = {
            path: text
            for path, text in self.files.texts.items()
            if not path.startswith("models/") or path == "models/chat-v1.0.yaml"
        }
        # A deployment of whoever runs the tests may live at the shipped addresses.
        free = iter(free_addresses(16))
        self.files.texts["loop.yaml"] = ADDRESS.sub(lambda _: next(free), self.files.texts["loop.yaml"])
        shipped = CHECKOUT / "datasets/snapshot/preferences.jsonl"
        lines = shipped.read_text().splitlines(keepends=True)[:ROWS]
        self.pairs = root / "datasets/snapshot/preferences.jsonl"
        self.pairs.parent.mkdir(parents=True)
        self.pairs.write_text("".join(lines))
        self.hash = hashlib.md5(self.pairs.read_bytes(), usedforsecurity=False).hexdigest()
        self.files.set(PAIRS, "hash", to=self.hash)
        self.files.set(PAIRS, "minimum", to={"rows": 8})
        self.files.set(PAIRS, "categories", to=sorted({json.loads(line)["category"] for line in lines}))
        self.files.set(TRAINING, "recipes", "dpo", "optimiser", "epochs", to=1)
        for name in ("base", "chat-v1.0"):
            shutil.copytree(CHECKOUT / "models" / name, root / "models" / name)
        base, first = (digest.of_directory(root / "models" / name) for name in ("base", "chat-v1.0"))
        self.files.set("loop.yaml", "base_model", "digest", to=base)
        self.files.set("models/chat-v1.0.yaml", "adapter", "digest", to=first)
        self.write()
        (root / ".gitignore").write_text(".loop/\nmodels/base\nmodels/chat-v1.0\n")
        git(root, "init", "--quiet", "--initial-branch=main")
        (root / ".dvc").mkdir()
        (root / ".dvc/config").write_text("[core]\n    analytics = false\n")
        (root / ".dvc/.gitignore").write_text("/cache\n/tmp\n/config.local\n")
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "--message=the desired state")

    def write(self) -> None:
        for path, text in self.files.texts.items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)

    def loop(self, *arguments: str) -> Said:
        return call("--root", str(self.root), *arguments)

    def set(self, path: str, *keys: str | int, to: Any) -> None:
        self.files.set(path, *keys, to=to)
        self.write()

    def registered(self) -> list[str]:
        """Return everything below models/ that a version consists of, beside what was there."""
        found = [
            path.relative_to(self.root / "models").as_posix() for path in (self.root / "models").rglob("*")
        ]
        old = ("base", "chat-v1.0", "reports/chat-v1.0.json")
        return sorted(name for name in found if not name.startswith(old) and name != "reports")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "house")


@dataclass(frozen=True)
class Failures:
    """What `loop train` said where registering failed, and where something was in the way; what became of the files."""

    failed: Said
    left: list[str]
    in_the_way: Said
    foreign: dict[str, str]


FOREIGN = ("chat-v1.1/notes.txt", "chat-v1.1.dvc", "reports/chat-v1.1/evaluation.json")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, Failures, Said]:
    """One run, which is registered with the third command, over what a killed registration left."""
    house = House(tmp_path_factory.mktemp("trained") / "house")
    models, config = house.root / "models", house.root / ".dvc/config"
    good = config.read_text()
    config.write_text("[core\n")
    failed = house.loop("train", "dpo")
    config.write_text(good)
    left = house.registered()
    for name in FOREIGN:
        (models / name).parent.mkdir(parents=True, exist_ok=True)
        (models / name).write_text("mine")
    refusal = house.loop("train", "dpo")
    foreign = {name: (models / name).read_text() for name in FOREIGN if (models / name).exists()}
    for name in FOREIGN:
        (models / name).unlink()
    (models / "chat-v1.1").rmdir()
    (run,) = (house.root / FOLDER).glob("chat-v1.1--*")
    shutil.copytree(run / "adapter", models / "chat-v1.1")
    (models / "reports/chat-v1.1/.training.json.4711").write_text('{"fo')
    said = house.loop("train", "dpo", "--json")
    (models / "reports/chat-v1.1/.training.json.4711").unlink(missing_ok=True)
    return house, Failures(failed, left, refusal, foreign), said


@pytest.fixture(scope="module")
def trained(course: tuple[House, Failures, Said]) -> tuple[House, Said]:
    """One run, whole."""
    house, _, said = course
    return house, said


def test_where_registering_fails_the_adapter_is_kept_and_the_same_command_goes_on(
    course: tuple[House, Failures, Said],
) -> None:
    _, failures, said = course
    wrong(
        failures.failed, "`dvc add models/chat-v1.1` failed", "kept in .loop/training/chat-v1.1--", "goes on"
    )
    assert "nothing was changed" not in failures.failed.err
    assert [name for name in failures.left if name != ".gitignore"] == []
    assert said.code == 0, said.err
    assert "step" not in said.err, "it was not trained again"


def test_what_lies_in_the_places_of_a_version_is_refused_before_a_run_and_left_alone(
    course: tuple[House, Failures, Said],
) -> None:
    _, failures, _ = course
    wrong(
        failures.in_the_way,
        "something else is in the way",
        "models/chat-v1.1.dvc",
        "evaluation.json",
        "--name",
    )
    assert "registering" not in failures.in_the_way.err
    assert failures.foreign == dict.fromkeys(FOREIGN, "mine")


def test_a_run_registers_the_next_version_and_the_repository_stays_valid(trained: tuple[House, Said]) -> None:
    house, said = trained
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert (told["version"], told["trained"], told["dataset"]["rows"]) == ("chat-v1.1", True, ROWS)
    value = yaml.safe_load((house.root / "models/chat-v1.1.yaml").read_text())
    assert (
        value["adapter"]["digest"] == digest.of_directory(house.root / "models/chat-v1.1") == told["digest"]
    )
    assert (value["parent"], value["type"], value["adapter"]["rank"]) == ("chat-v1.0", "DPO", 16)
    assert value["training"]["dataset_hash"] == house.hash
    assert value["training"]["revision"] == git(house.root, "rev-parse", "HEAD").strip()
    assert "evaluation" not in value
    checked = house.loop("validate")
    assert checked.code == 0, checked
    assert "warning" not in checked.out + checked.err


def test_everything_that_a_version_consists_of_is_there_and_git_sees_no_weights(
    trained: tuple[House, Said],
) -> None:
    house, _ = trained
    assert house.registered() == [
        ".gitignore",
        "chat-v1.1",
        "chat-v1.1.dvc",
        "chat-v1.1.yaml",
        "chat-v1.1/adapter_config.json",
        "chat-v1.1/adapter_model.safetensors",
        "chat-v1.1/probe.json",
        "reports/chat-v1.1",
        "reports/chat-v1.1/card.md",
        "reports/chat-v1.1/curves.json",
        "reports/chat-v1.1/curves.svg",
        "reports/chat-v1.1/training.json",
    ]
    assert "safetensors" not in git(house.root, "status", "--short", "--untracked-files=all")
    assert sorted(path.name for path in (house.root / FOLDER).iterdir()) == ["lock"]


def test_the_manifest_says_what_the_run_was_made_of_and_what_was_proven(trained: tuple[House, Said]) -> None:
    house, _ = trained
    about = json.loads((house.root / "models/reports/chat-v1.1/training.json").read_text())
    assert about["parent"]["name"] == "chat-v1.0"
    assert [term["kind"] for term in about["recipe"]["loss"]] == ["sigmoid", "sft"]
    assert {each["guard"] for each in about["proof"]} == {"max_step0_deviation", "reference"}
    assert all(each["verdict"] == "PASS" for each in (*about["proof"], *about["guards"]))
    assert "cannot be reached" in about["served_parent"]
    assert about["peak_mib"]["memory"] > 100
    for name in ("training.json", "curves.json", "card.md", "curves.svg"):
        assert str(house.root) not in (house.root / "models/reports/chat-v1.1" / name).read_text()


def test_the_same_inputs_are_not_trained_twice(trained: tuple[House, Said]) -> None:
    house, _ = trained
    said = house.loop("train", "dpo")
    assert said.code == 0
    assert said.out.startswith("nothing to do: 'chat-v1.1' was trained from exactly this")
    assert house.loop("train", "dpo", "--name", "chat-v1.1").code == 0
    wrong(house.loop("train", "dpo", "--name", "chat-v1.0"), "version 'chat-v1.0' exists already")


def wrong(said: Said, *parts: str) -> None:
    """Hold a command to one error, after whatever it had to note, with all these parts."""
    assert said.code == 1, said
    assert said.err.count("\nerror: ") + said.err.startswith("error: ") == 1, said.err
    for part in parts:
        assert part in said.err, said.err


def _missing(house: House) -> None:
    house.pairs.unlink()


def _changed(house: House) -> None:
    house.pairs.write_text(house.pairs.read_text() + house.pairs.read_text())


def _few(house: House) -> None:
    house.set(PAIRS, "minimum", "rows", to=ROWS + 1)


def _undeclared(house: House) -> None:
    house.files.remove(PAIRS, "hash")
    house.write()


def _rank(house: House) -> None:
    house.set(TRAINING, "recipes", "dpo", "lora", "rank", to=8)


def _unexpected(house: House) -> None:
    house.set(PAIRS, "expectations", to=[{"column": "origin", "expect": "in_set", "values": ["elsewhere"]}])


def _refused_by_snapshot(house: House) -> None:
    account = json.loads((CHECKOUT / "datasets/snapshot/provenance.json").read_text())
    account["checks"][0]["verdict"] = "FAIL"
    (house.pairs.parent / "provenance.json").write_text(json.dumps(account))


@pytest.mark.parametrize(
    "spoil, says",
    [
        (_unexpected, "cannot be trained on: expectation failed"),
        (_refused_by_snapshot, "cannot be trained on: refused by the snapshot's own checks"),
        (_missing, "cannot fetch 'datasets/snapshot/preferences.jsonl'"),
        (_changed, "cannot be trained on: other bytes than declared"),
        (_few, f"too small\n  datasets/snapshot/preferences.jsonl: {ROWS} rows of {ROWS + 1}"),
        (_undeclared, "here "),
        (_rank, "different shapes\n  rank: parent 16, recipe 8"),
    ],
)
def test_what_does_not_fit_is_one_error_before_anything_starts(
    house: House, spoil: Callable[[House], None], says: str
) -> None:
    spoil(house)
    wrong(house.loop("train", "dpo"), says, "fix: ")
    assert house.registered() == []
    assert [path.name for path in (house.root / FOLDER).iterdir()] == ["lock"]


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["dop"], "there is no recipe 'dop'"),
        (["dpo", "--parent", "chat-v9.9"], "there is no version 'chat-v9.9' to start from"),
        (["dpo", "--dataset", "bookshop-sft"], "DPO needs columns that 'bookshop-sft' lacks"),
        (["dpo", "--dataset", "nothing"], "there is no data set 'nothing'"),
        (["dpo", "--name", "Newest"], "'Newest' is no name of a version"),
        (["dpo", "--name", "a..b-v1.1"], "'a..b-v1.1' is no name of a version"),
        (["dpo", "--name", "a" * 240 + "-v1.1"], "at most 64 small letters"),
        (["dpo", "--environment", "mars"], "there is no environment 'mars'"),
    ],
)
def test_what_does_not_exist_is_told_with_what_does(house: House, arguments: list[str], says: str) -> None:
    refused(house.loop("train", *arguments), says)
    assert house.registered() == []


def test_without_the_library_that_checks_data_a_note_says_so(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    _rank(house)  # so that nothing is trained
    great_expectations.cache_clear()
    monkeypatch.setitem(sys.modules, "great_expectations", None)
    said = house.loop("train", "dpo")
    wrong(said, "different shapes")
    assert "great_expectations is not installed here" in said.err
    assert "not checked" in said.err


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("how, code", [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_whatever_ends_the_command_ends_the_run_too_and_registers_nothing(
    house: House, how: signal.Signals, code: int
) -> None:
    with subprocess.Popen(
        argv("--root", str(house.root), "train", "dpo"),
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        jobs = lambda: list((house.root / FOLDER).glob("*/log.txt"))  # noqa: E731
        until(jobs, "the run is started")
        child = until(lambda: _children(process.pid), "the run's process")[0]
        second = house.loop("train", "dpo")
        refused(second, "another process is training in this repository")
        process.send_signal(how)
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait() == code
    until(lambda: not _alive(child), "the end of the run's process")
    assert ("the same command goes on" in said) == (how is signal.SIGINT)
    assert house.registered() == []
