"""Runs of DPO, KTO and SFT on the shipped base and adapter, small: proof, guards, resuming, and what goes wrong."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from runner import digest
from runner.errors import TerminalError
from runner.report.card import card
from runner.report.training import curves
from runner.spec.dataset import DatasetFile
from runner.spec.model import ModelFile
from runner.spec.training import DpoRecipe, Guards, KtoRecipe, Optimiser, Recipe, SftRecipe, Term
from runner.training import job as jobs
from runner.training import launch, room
from runner.training.job import Inputs, Job
from runner.training.register import Origin, manifest, model_file, register
from runner.training.run import ADAPTER, RESULT, STATE

ROOT = Path(__file__).parents[2]
PARENT = ROOT / "models/chat-v1.0"
OPTIMISER = Optimiser(learning_rate=1e-4, epochs=2, batch_size=8)
DPO = DpoRecipe(
    type="DPO",
    dataset="pairs",
    parent="baseline",
    optimiser=OPTIMISER,
    max_length=256,
    loss=(Term(kind="sigmoid"), Term(kind="sft", weight=0.5)),
)
KTO = KtoRecipe(type="KTO", dataset="thumbs", parent="baseline", optimiser=OPTIMISER, max_length=256)
SFT = SftRecipe(type="SFT", dataset="questions", parent="base", optimiser=OPTIMISER, max_length=256)
ORIGIN = Origin(
    recipe="small",
    dataset=DatasetFile.model_validate(
        {
            "name": "pairs",
            "role": "preferences",
            "path": "datasets/pairs.jsonl",
            "hash": "d" * 32,
            "schema": {"prompt": "messages"},
            "provenance": {"description": "The first rows that are shipped."},
        }
    ),
    rows=32,
    parent="chat-v1.0",
    inputs=Inputs("r" * 64, "d" * 32, "a" * 64, "b" * 64),
    revision="c" * 40,
    day=date(2026, 11, 21),
    unasked="it was not asked",
)
FILES = {"DPO": "snapshot/preferences", "KTO": "snapshot/thumbs", "SFT": "bookshop/train_sft"}


@dataclass(frozen=True)
class Ran:
    """How a run ended: status, what it said, its folder."""

    status: int
    events: tuple[dict[str, Any], ...]
    folder: Path

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / RESULT).read_text())
        return found


class Lab:
    """Makes jobs in a folder and runs them in forks of one process that has imported the training libraries."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.orders: list[dict[str, Any]] = []
        self.names: list[str] = []
        self.ran: dict[str, Ran] = {}

    def job(self, name: str, recipe: Recipe, parent: Path | None = PARENT, **more: Any) -> Job:
        """Make a job on the first 32 rows that are shipped for such recipes."""
        folder = self.root / name
        folder.mkdir()
        lines = (ROOT / f"datasets/{FILES[recipe.type]}.jsonl").read_text().splitlines(keepends=True)
        data = folder / "rows.jsonl"
        data.write_text("".join(lines[:32]))
        return Job(name, folder, ROOT / "models/base", "bookshop-base", parent, data, recipe, **more)

    def order(self, name: str, job: Job, **happens: int) -> None:
        """Have a job run later, in the order of calls."""
        self.orders.append({"job": str(job.write()), **happens})
        self.names.append(name)
        self.folders = {**getattr(self, "folders", {}), name: job.folder}

    def run(self) -> None:
        """Run everything that was ordered."""
        environ = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(
            [sys.executable, "-m", "tests.training.jobs", json.dumps(self.orders)],
            stdin=subprocess.PIPE,  # a run ends when nobody holds the other end
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.root,
            env=environ,
        ) as process:
            assert process.stdout is not None
            lines = [json.loads(line) for line in process.stdout]
        assert len(lines) == len(self.names)
        for name, line in zip(self.names, lines, strict=True):
            events = [json.loads(each) for each in line["said"].splitlines() if each.startswith('{"event"')]
            self.ran[name] = Ran(line["status"], tuple(events), self.folders[name])


def changed(recipe: Recipe, **values: Any) -> Recipe:
    return recipe.model_copy(update=values)


def faster(rate: float) -> Optimiser:
    return OPTIMISER.model_copy(update={"learning_rate": rate, "epochs": 4})


def halved(root: Path) -> Path:
    """Return a parent whose weights are half of those that it was recorded with."""
    folder = root / "halved"
    shutil.copytree(PARENT, folder)
    path = folder / "adapter_model.safetensors"
    # bfloat16 is the upper half of a 32-bit float; one less in the exponent is half of the value.
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little") + 8
    body = bytearray(raw[size:])
    for place in range(0, len(body), 2):
        value = int.from_bytes(body[place : place + 2], "little")
        if value & 0x7F80 > 0x80:
            body[place : place + 2] = (value - 0x80).to_bytes(2, "little")
    path.write_bytes(raw[:size] + bytes(body))
    return folder


def recorded() -> tuple[tuple[float | None, ...], ...]:
    prompts = json.loads((PARENT / "probe.json").read_text())["prompts"]
    return tuple(tuple(prompt["logprobs"]) for prompt in prompts)


def off(by: float) -> tuple[tuple[float | None, ...], ...]:
    return tuple(tuple(None if value is None else value - by for value in scores) for scores in recorded())


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """All runs of this file: importing the libraries is what takes longest, and happens once."""
    lab = Lab(tmp_path_factory.mktemp("runs"))
    lab.order("dpo", lab.job("dpo", DPO, served=off(0.005)))
    killed = replace(lab.job("killed", DPO), name="dpo")
    for number, at in enumerate((1, 4, 9, 15)):
        lab.order(f"killed-{number}", killed, kill_at=at)
    lab.order("killed", killed)
    lab.order("kto", lab.job("kto", KTO))
    lab.order("sft", lab.job("sft", SFT, parent=None))
    lab.order(
        "fast", lab.job("fast", changed(DPO, optimiser=faster(0.5), guards=Guards(max_length_ratio=1000)))
    )
    lab.order("endless", lab.job("endless", changed(DPO, beta=1e38)))
    lab.order("other-parent", lab.job("other-parent", DPO, parent=halved(lab.root)))
    lab.order("other-served", lab.job("other-served", DPO, served=off(0.5)))
    lab.order("long", lab.job("long", changed(DPO, max_length=16)))
    lab.order("wordy", lab.job("wordy", changed(DPO, guards=Guards(max_length_ratio=0.5))))
    lab.order("full", lab.job("full", DPO), largest=300_000)
    lab.run()
    return lab


def readings(ran: Ran) -> Mapping[str, Any]:
    return {each["guard"]: each["value"] for each in ran.result["guards"]}


@pytest.mark.parametrize("name", ["dpo", "kto"])
def test_before_the_first_step_policy_and_reference_are_the_parent(lab: Lab, name: str) -> None:
    ran = lab.ran[name]
    assert ran.status == 0, ran.events[-1:]
    found = readings(ran)
    assert found["max_step0_deviation"] == pytest.approx(0, abs=1e-6)
    assert found["reference"] == pytest.approx(0, abs=1e-5)
    proofs = [event for event in ran.events if event["event"] == "proof"]
    assert ran.events[: len(proofs)] == tuple(proofs), "the proof comes before every step"


def test_the_served_parent_is_compared_where_an_engine_was_asked(lab: Lab) -> None:
    assert readings(lab.ran["dpo"])["served_parent"] == pytest.approx(0.005, abs=1e-5)
    assert "served_parent" not in readings(lab.ran["kto"])


def test_training_moves_rewards_apart_and_logs_every_step(lab: Lab) -> None:
    history = [entry for entry in lab.ran["dpo"].result["history"] if "loss" in entry]
    assert [entry["step"] for entry in history] == list(range(1, lab.ran["dpo"].result["steps"] + 1))
    assert history[0]["rewards/margins"] == 0
    assert history[-1]["rewards/margins"] > 0


def test_the_first_loss_is_the_weighted_sum_of_its_parts(lab: Lab) -> None:
    """ln 2 of the sigmoid, and half of the mean negative log-probability of a token of chosen answers."""
    first = next(entry for entry in lab.ran["dpo"].result["history"] if "loss" in entry)
    assert first["loss"] > math.log(2)


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(lab: Lab) -> None:
    killed = [lab.ran[f"killed-{number}"] for number in range(4)]
    assert [ran.status for ran in killed] == [-9] * 4
    whole, resumed = lab.ran["dpo"], lab.ran["killed"]
    assert resumed.events[0]["event"] == "proof"
    assert any(event["event"] == "resumed" and event["step"] > 0 for event in resumed.events)
    assert resumed.result["digest"] == whole.result["digest"] == digest.of_directory(whole.folder / ADAPTER)
    steps = [entry for entry in resumed.result["history"] if "eval_loss" not in entry and "loss" in entry]
    assert steps == [
        entry for entry in whole.result["history"] if "eval_loss" not in entry and "loss" in entry
    ]


def test_each_kill_let_the_run_go_on_from_a_checkpoint_that_was_whole(lab: Lab) -> None:
    begun = [
        next((event["step"] for event in lab.ran[name].events if event["event"] == "resumed"), 0)
        for name in ("killed-0", "killed-1", "killed-2", "killed-3", "killed")
    ]
    assert begun == sorted(begun)
    assert begun[0] == 0 < begun[-1]


@pytest.mark.parametrize("name", ["dpo", "kto"])
def test_the_reference_stays_the_parent_while_the_policy_moves(lab: Lab, name: str) -> None:
    checkpoints = sorted((lab.ran[name].folder / STATE).glob("checkpoint-*"))
    assert len(checkpoints) == 2
    weights = "adapter_model.safetensors"
    assert len({digest.of_file(each / "ref" / weights) for each in checkpoints}) == 1
    assert len({digest.of_file(each / weights) for each in checkpoints}) == 2


def test_an_adapter_has_its_three_files_and_nothing_is_pickled(lab: Lab) -> None:
    for name in ("dpo", "kto", "sft"):
        files = {path.name for path in (lab.ran[name].folder / ADAPTER).iterdir()}
        assert files == {"adapter_config.json", "adapter_model.safetensors", "probe.json"}
        assert (lab.ran[name].folder / ADAPTER / "adapter_config.json").read_text().count(
            "bookshop-base"
        ) == 1


def test_rows_that_are_held_out_are_measured_at_the_end(lab: Lab) -> None:
    ran = lab.ran["dpo"].result
    assert ran["rows"]["train"] + ran["rows"]["held_out"] == 32
    assert 0 <= ran["held_out"]["rewards/accuracies"] <= 1
    assert any("eval_rewards/accuracies" in entry for entry in ran["history"])


@pytest.mark.parametrize(
    "name, guard",
    [
        ("fast", "max_chosen_drop"),
        ("endless", "finite"),
        ("other-parent", "reference"),
        ("other-served", "served_parent"),
        ("long", "max_truncated"),
        ("wordy", "max_length_ratio"),
    ],
)
def test_a_run_that_goes_wrong_is_stopped_by_the_guard_meant_for_it(lab: Lab, name: str, guard: str) -> None:
    ran = lab.ran[name]
    assert ran.status == 1
    assert (ran.last["event"], ran.last["guard"]) == ("tripped", guard)
    assert ran.last["value"] is None or ran.last["value"] > (ran.last["limit"] or 0)
    assert not (ran.folder / RESULT).exists()
    assert not (ran.folder / ADAPTER).exists()


def test_what_is_wrong_before_the_first_step_stops_the_run_there(lab: Lab) -> None:
    for name in ("other-parent", "other-served", "long"):
        assert lab.ran[name].last["step"] == 0
        assert not (lab.ran[name].folder / STATE).exists() or not list(
            (lab.ran[name].folder / STATE).glob("ch*")
        )


def test_a_disk_that_is_full_is_one_sentence_and_leaves_no_result(lab: Lab) -> None:
    ran = lab.ran["full"]
    assert ran.status == 1
    assert ran.last["event"] == "failed"
    assert "\n" not in ran.last["summary"]
    assert "too large" in ran.last["summary"].lower() or "failed" in ran.last["summary"].lower()
    assert not (ran.folder / RESULT).exists()
    assert room.full(ran.last["summary"]) == "the limit on the size of files is reached (`ulimit -f`)"


@pytest.mark.parametrize("name, recipe", [("dpo", DPO), ("kto", KTO), ("sft", SFT)])
def test_the_room_that_a_run_is_said_to_need_is_about_what_it_takes(
    lab: Lab, name: str, recipe: Recipe
) -> None:
    def size(folder: Path) -> int:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    newest = max((lab.ran[name].folder / STATE).iterdir(), key=lambda path: path.stat().st_mtime)
    taken = 3 * size(newest) + 3 * size(lab.ran[name].folder / ADAPTER)
    assert taken * 0.8 < room.needed(ROOT / "models/base", recipe) < taken * 1.25


def test_a_run_is_finished_as_long_as_its_adapter_is_whole(lab: Lab, tmp_path: Path) -> None:
    folder = shutil.copytree(lab.ran["dpo"].folder, tmp_path / "dpo")
    job = replace(jobs.read(folder / "job.json"), folder=folder)
    assert launch.finished(job) == lab.ran["dpo"].result
    (folder / ADAPTER / "probe.json").write_text("{}")
    assert launch.finished(job) is None


def test_a_version_is_registered_as_a_whole_or_not_at_all(lab: Lab, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / ".gitignore").write_text("/base\n")
    job = jobs.read(lab.ran["dpo"].folder / "job.json")
    result = lab.ran["dpo"].result
    seen: list[list[str]] = []

    def track(path: str) -> None:
        assert path == "models/dpo"
        seen.append(sorted(each.name for each in models.iterdir()))
        (models / "dpo.dvc").write_text("outs: []\n")
        (models / ".gitignore").write_text("/base\n/dpo\n")

    def fail(path: str) -> None:
        track(path)
        raise OSError(errno.ENOSPC, "no space left on device")

    with pytest.raises(OSError, match="no space left"):
        register(models, job, result, ORIGIN, fail)
    assert [path.name for path in models.rglob("*")] == [".gitignore", "reports"]
    assert (models / ".gitignore").read_text() == "/base\n"

    made = register(models, job, result, ORIGIN, track)
    assert seen == [[".gitignore", "dpo", "reports"]] * 2, "the version's file comes last"
    assert ModelFile.model_validate(yaml.safe_load((models / "dpo.yaml").read_text())) == made
    assert made.adapter.digest == digest.of_directory(models / "dpo")

    (models / "dpo.yaml").unlink()  # as where the process was killed before its last step
    assert register(models, job, result, ORIGIN, track) == made


def test_what_lies_where_the_adapter_belongs_is_not_overwritten(lab: Lab, tmp_path: Path) -> None:
    other = tmp_path / "models/dpo"
    other.mkdir(parents=True)
    (other / "notes.txt").write_text("mine")
    job = jobs.read(lab.ran["dpo"].folder / "job.json")
    with pytest.raises(TerminalError, match="is in the way"):
        register(tmp_path / "models", job, lab.ran["dpo"].result, ORIGIN, lambda _: None)
    assert (other / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["dpo", "kto", "sft"])
def test_the_card_says_what_the_manifest_says_and_its_head_is_yaml(lab: Lab, name: str) -> None:
    job, result = jobs.read(lab.ran[name].folder / "job.json"), lab.ran[name].result
    about = manifest(job, result, ORIGIN)
    text = card(model_file(Path("models"), job, result, ORIGIN), about, None)
    _, head, body = text.split("---\n", 2)
    said = yaml.safe_load(head)
    assert (said["base_model"], said["library_name"]) == ("bookshop-base", "peft")
    for part in (
        result["digest"],
        "d" * 32,
        "32",
        "loop evaluate",
        "max_truncated",
        "curves.svg",
        "PeftModel",
    ):
        assert part in body, part
    assert str(lab.root) not in text


@pytest.mark.parametrize("name", ["dpo", "kto", "sft"])
def test_the_curves_are_one_picture_that_can_be_read_as_xml(lab: Lab, name: str) -> None:
    picture = ElementTree.fromstring(curves(lab.ran[name].result["history"], name))
    plots = [each for each in picture if each.tag.endswith("svg")]
    titles = [plot[0].text for plot in plots]
    assert titles[0] == "loss"
    assert ("rewards" in titles) == (name != "sft")
    assert ("divergence from the reference" in titles) == (name == "kto")
