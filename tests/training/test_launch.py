"""One process for each GPU; jobs survive the way through their file; folders of runs are named by all inputs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from runner.errors import TerminalError
from runner.spec.training import TrainingPolicy
from runner.training import job, launch, settings
from runner.training.job import Inputs, Job

ROOT = Path(__file__).parents[2]
POLICY = TrainingPolicy.model_validate(yaml.safe_load((ROOT / "policies/training.yaml").read_text()))


@pytest.mark.parametrize(
    "visible, devices, expected",
    [
        (None, [], 0),
        (None, ["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"], 2),
        ("1", ["nvidia0", "nvidia1"], 1),
        ("", ["nvidia0"], 0),
        ("-1", ["nvidia0"], 0),
        ("0,1,2", [], 3),
    ],
)
def test_gpus_are_counted_without_importing_torch(
    tmp_path: Path, visible: str | None, devices: list[str], expected: int
) -> None:
    for name in devices:
        (tmp_path / name).touch()
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert launch.gpus(environ, tmp_path) == expected


@pytest.mark.parametrize("name", sorted(POLICY.recipes))
def test_a_job_is_read_as_it_was_written(tmp_path: Path, name: str) -> None:
    made = Job(
        "chat-v1.1",
        tmp_path,
        Path("/base"),
        "bookshop-base",
        Path("/parent"),
        Path("/rows.jsonl"),
        POLICY.recipes[name],
        served=((None, -1.25), (None, -0.5, -3.0)),
        processes=2,
    )
    assert job.read(made.write()) == made


def test_a_file_that_is_no_job_is_refused(tmp_path: Path) -> None:
    path = tmp_path / job.FILE
    for text in ("", "{}", "[]", '{"name": 1}'):
        path.write_text(text)
        with pytest.raises(TerminalError, match="is no job"):
            job.read(path)


def test_every_input_changes_the_folder_of_a_run() -> None:
    inputs = Inputs("recipe", "data", "parent", "base")
    names = {inputs.run("chat-v1.1"), inputs.run("chat-v1.2")}
    for field in dataclasses.fields(Inputs):
        names.add(dataclasses.replace(inputs, **{field.name: "other"}).run("chat-v1.1"))
    names.add(dataclasses.replace(inputs, parent=None).run("chat-v1.1"))
    assert len(names) == 7


def test_every_figure_of_a_recipe_changes_its_digest() -> None:
    recipe = POLICY.recipes["dpo"]
    others = [
        recipe.model_copy(update={"seed": 8}),
        recipe.model_copy(update={"beta": 0.2}),
        recipe.model_copy(update={"guards": recipe.guards.model_copy(update={"max_truncated": 0.5})}),
    ]
    assert len({job.recipe_digest(each) for each in (recipe, *others)}) == 4


@pytest.mark.parametrize(
    "batch, micro, devices, expected", [(16, None, 1, 16), (16, 4, 1, 4), (16, None, 4, 4), (16, 4, 2, 4)]
)
def test_the_batch_is_that_of_all_devices(batch: int, micro: int | None, devices: int, expected: int) -> None:
    optimiser = POLICY.recipes["dpo"].optimiser.model_copy(
        update={"batch_size": batch, "micro_batch_size": micro}
    )
    assert settings.micro_batch(optimiser, devices) == expected


def test_a_batch_that_cannot_be_shared_out_is_refused() -> None:
    optimiser = POLICY.recipes["dpo"].optimiser
    with pytest.raises(TerminalError, match=r"a batch of \d+ cannot be made on 3 devices"):
        settings.micro_batch(optimiser, 3)
