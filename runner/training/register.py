"""Makes a version of what a run left: adapter, DVC's pointer, reports, and last `models/NAME.yaml`.

Called by `loop train` once a run has ended. The version exists when its file does, which is written last; where
something fails before that, what was made is taken away again, so that nothing is half registered. A process that was
killed here leaves files that the same command overwrites. What is nobody's of these is found by `in_the_way`, which
`loop train` asks before a run, and is never touched. It trains nothing and asks no network.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from runner import digest
from runner.errors import terminal
from runner.report import card, training
from runner.spec.dataset import DatasetFile
from runner.spec.model import Adapter, ModelFile, Training, TrainingType
from runner.training.guards import Guard
from runner.training.job import Inputs, Job, put
from runner.training.run import ADAPTER

HEAD = "# yaml-language-server: $schema=../schemas/model.json\n"
MANIFEST, CURVES, PICTURE, CARD = "training.json", "curves.json", "curves.svg", "card.md"
FORMAT = 1
_PARTIAL = re.compile(r"\.(?P<name>.+)\.\d+")
"""What a killed process leaves of a file that it was writing."""
PROOF = (Guard.STEP0, Guard.REFERENCE, Guard.SERVED)
"""What was shown before the first step; the other guards watched the steps."""
Track = Callable[[str], None]
"""Puts a path of the repository, a directory, under DVC."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a version comes from: everything that its file and manifest say beside what the run measured.

    `parent` is its name, None where the base was the start; `unasked` says why no served parent was compared, "" where
    one was. `rows` are those of the whole data set.
    """

    recipe: str
    dataset: DatasetFile
    rows: int
    parent: str | None
    inputs: Inputs
    revision: str
    day: date
    unasked: str


def register(models: Path, job: Job, result: Mapping[str, Any], origin: Origin, track: Track) -> ModelFile:
    """Register the version in the folder `models` and return its file's content. Raises LoopError, OSError."""
    value = model_file(models, job, result, origin)
    texts = _reports(value, job, result, origin)
    with _all_or_nothing(models, job.name):
        _place(job.folder / ADAPTER, models / job.name, str(result["digest"]))
        for name, text in texts.items():
            put(models / "reports" / job.name / name, text)
        track(value.adapter.path)
        put(models / f"{job.name}.yaml", to_yaml(value))
    return value


def model_file(models: Path, job: Job, result: Mapping[str, Any], origin: Origin) -> ModelFile:
    """Return the content of the version's file; what was measured in evaluation is added by `loop evaluate`."""
    assert origin.dataset.hash is not None  # noqa: S101 - data without a hash is refused before a run
    return ModelFile(
        name=job.name,
        type=TrainingType(job.recipe.type),
        base_model=job.base_name,
        parent=origin.parent,
        adapter=Adapter(
            path=f"{models.name}/{job.name}", digest=str(result["digest"]), rank=job.recipe.lora.rank
        ),
        training=Training(
            recipe=origin.recipe,
            dataset=origin.dataset.name,
            dataset_hash=origin.dataset.hash,
            revision=origin.revision,
            date=origin.day,
        ),
    )


def to_yaml(value: ModelFile) -> str:
    """Return a version's file."""
    said = value.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    said["training"]["date"] = value.training.date  # a date of YAML, no text
    return HEAD + yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=110)


def manifest(job: Job, result: Mapping[str, Any], origin: Origin) -> dict[str, Any]:
    """Return everything that is to be known of the run."""
    dataset = origin.dataset
    proof = [each for each in result["guards"] if each["guard"] in PROOF]
    return {
        "format": FORMAT,
        "version": job.name,
        "type": job.recipe.type,
        "digest": result["digest"],
        "inputs": origin.inputs.digest,
        "recipe_name": origin.recipe,
        "recipe": job.recipe.model_dump(mode="json"),
        "dataset": {
            "name": dataset.name,
            "path": dataset.path,
            "hash": dataset.hash,
            "rows": origin.rows,
            **result["rows"],
        },
        "parent": None if origin.parent is None else {"name": origin.parent, "digest": origin.inputs.parent},
        "base": {"name": job.base_name, "digest": origin.inputs.base},
        "revision": origin.revision,
        "date": origin.day.isoformat(),
        "steps": result["steps"],
        "seconds": result["seconds"],
        "peak_mib": result["peak_mib"],
        "machine": result["machine"],
        "packages": result["packages"],
        "proof": proof,
        "served_parent": origin.unasked or "compared",
        "guards": [each for each in result["guards"] if each["guard"] not in PROOF],
        "metrics": {**_last(result["history"]), "held_out": result["held_out"]},
    }


def _last(history: list[dict[str, Any]]) -> dict[str, float]:
    """Return the trainer's figures of the last step."""
    steps = [entry for entry in history if "loss" in entry]
    return {key: value for key, value in steps[-1].items() if key not in ("step", "epoch")} if steps else {}


def _reports(value: ModelFile, job: Job, result: Mapping[str, Any], origin: Origin) -> dict[str, str]:
    about = manifest(job, result, origin)
    return {
        MANIFEST: json.dumps(about, indent=2, ensure_ascii=False) + "\n",
        CURVES: json.dumps({"format": FORMAT, "steps": result["history"]}, ensure_ascii=False) + "\n",
        PICTURE: training.curves(result["history"], job.name),
        CARD: card.card(value, about, None),
    }


def in_the_way(models: Path, name: str, placed: str | None) -> tuple[str, ...]:
    """Return what lies where a version would be registered and is not of its run: path and reason, in words.

    `placed` is the digest of the adapter that the run made, None where it has not ended. What a registration of that
    very adapter left when it was killed is not in the way. Raises OSError.
    """
    own = placed is not None and _digest(models / name) == placed
    return tuple(_foreign(models, name, placed, own))


def _foreign(models: Path, name: str, placed: str | None, own: bool) -> Iterator[str]:
    adapter, pointer, reports = models / name, models / f"{name}.dvc", models / "reports" / name
    if _is_there(adapter) and not own:
        yield f"{adapter}: not what this run makes"
    if _is_there(pointer) and not (own and _points_to(pointer, name)):
        yield f"{pointer}: not of this run"
    if not _is_there(reports):
        return
    if not reports.is_dir():
        yield f"{reports}: not a folder"
        return
    there = sorted(path.name for path in reports.iterdir())
    other = [each for each in there if _whole(each) not in (MANIFEST, CURVES, PICTURE, CARD)]
    if not other and own and (MANIFEST not in there or _made(reports / MANIFEST) == placed):
        return
    if there:
        yield f"{reports}: {', '.join(other or there)}"


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _digest(adapter: Path) -> str | None:
    return digest.of_directory(adapter) if adapter.is_dir() else None


def _points_to(pointer: Path, name: str) -> bool:
    """Whether a file of DVC is about the folder of this name."""
    try:
        outs = yaml.safe_load(pointer.read_bytes())["outs"]
        return [out["path"] for out in outs] == [name]
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError):
        return False


def _whole(name: str) -> str:
    """Return the name of the file that a half-written one was to become."""
    partial = _PARTIAL.fullmatch(name)
    return partial["name"] if partial else name


def _made(manifest_file: Path) -> str | None:
    """Return the digest of the adapter that a manifest is about, None where it is not to be read."""
    try:
        return str(json.loads(manifest_file.read_text(encoding="utf-8"))["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _place(made: Path, target: Path, wanted: str) -> None:
    """Put the adapter where it is served from, as a whole. Raises TerminalError where something else lies there."""
    if target.exists():
        if digest.of_directory(target) == wanted:
            return
        raise terminal(f"'{target}' is in the way", "it belongs to no version", fix="move it, or delete it")
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        shutil.copytree(made, partial)
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _all_or_nothing(models: Path, name: str) -> Iterator[None]:
    """Take away what the block made where it fails; what was there before stays."""
    ignore, reports = models / ".gitignore", models / "reports" / name
    ignored = ignore.read_bytes() if ignore.exists() else None
    made = [models / f"{name}.yaml", models / f"{name}.dvc", models / name]
    made += [*(reports / each for each in (MANIFEST, CURVES, PICTURE, CARD)), reports]
    made = [path for path in made if not _is_there(path)]
    try:
        yield
    except BaseException:
        for path in made:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        if ignored is None:
            ignore.unlink(missing_ok=True)
        elif ignore.read_bytes() != ignored:
            ignore.write_bytes(ignored)
        raise
