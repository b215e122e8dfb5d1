"""One run of training as data: all that the child process needs, and the digest that names its folder.

Written by `loop train` as `job.json`, read by `run`. Two jobs with the same inputs have the same folder, which is what
lets the same command go on where it was interrupted. No torch here.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from runner import digest
from runner.errors import terminal
from runner.spec.training import Recipe

FOLDER = ".loop/training"
FILE = "job.json"
THREADS = 1
"""CPU threads of a process: more add up in another order, so that the bytes would hang on the machine. What is too
large for one is trained on a GPU."""
LogProbs = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the weights depend on, beside the code: digests of recipe, data, parent (None: the base) and base."""

    recipe: str
    data: str
    parent: str | None
    base: str

    @property
    def digest(self) -> str:
        """The digest of all of them."""
        return digest.of_value([self.recipe, self.data, self.parent, self.base])

    def run(self, name: str) -> str:
        """Return what the folder of a run is called that makes the version `name` of these inputs."""
        return f"{name}--{digest.short(self.digest)}"


@dataclass(frozen=True, slots=True)
class Job:
    """What a run does: from these bytes, by this recipe, in this folder.

    `parent` is an adapter's directory, None where the run starts from the base. `served` are the log-probabilities
    that the engine gave for the prompts of the parent's record, None where no engine was asked. `processes` is how many
    work together, one for each device.
    """

    name: str
    folder: Path
    base: Path
    base_name: str
    parent: Path | None
    data: Path
    recipe: Recipe
    served: tuple[LogProbs, ...] | None = None
    processes: int = 1

    def write(self) -> Path:
        """Write `job.json` into the run's folder and return its path. Raises OSError."""
        value = {
            "name": self.name,
            "folder": str(self.folder),
            "base": str(self.base),
            "base_name": self.base_name,
            "parent": None if self.parent is None else str(self.parent),
            "data": str(self.data),
            "recipe": self.recipe.model_dump(mode="json"),
            "served": self.served,
            "processes": self.processes,
        }
        path = self.folder / FILE
        put(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
        return path


def read(path: Path) -> Job:
    """Return the job of a file. Raises TerminalError where it is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        served = value["served"]
        return Job(
            name=value["name"],
            folder=Path(value["folder"]),
            base=Path(value["base"]),
            base_name=value["base_name"],
            parent=None if value["parent"] is None else Path(value["parent"]),
            data=Path(value["data"]),
            recipe=TypeAdapter[Recipe](Recipe).validate_python(value["recipe"], strict=False),
            served=None if served is None else tuple(tuple(scores) for scores in served),
            processes=int(value["processes"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise terminal(f"'{path}' is no job", f"{type(error).__name__}: {error}") from error


def recipe_digest(recipe: Recipe) -> str:
    """Return the digest of a recipe as it is, defaults included."""
    return digest.of_value(recipe.model_dump(mode="json"))


def put(path: Path, text: str) -> None:
    """Write a file as a whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
