"""What is known of a version that is to be promoted, from the base branch, the working tree, DVC and its reports.

Called by `loop promote`. Reads only; what is damaged counts as absent, and is then in the way.
"""

from __future__ import annotations

import contextlib
import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.data import cloud
from runner.errors import LoopError, Unknown, terminal
from runner.evaluation.results import Report
from runner.feedback import collected, snapshot
from runner.git.changes import LOOP_FILE
from runner.git.commit import Change
from runner.git.desk import edit
from runner.git.repository import Repository, Revision
from runner.promotion import request
from runner.promotion.carried import Overlaid, Source, tracked
from runner.promotion.readiness import Step
from runner.registry import manifest
from runner.report.promotion import Trained
from runner.spec.load import Spec, load_or_raise

PICTURE = "curves.svg"


@dataclass(frozen=True)
class Known:
    """A version beside the base branch: `before` is the branch's spec, `spec` the same with the version in it.

    `files` are the branch's files with the version's, `carried` what the branch lacks of those.
    """

    repository: Repository
    before: Spec
    spec: Spec
    files: Overlaid
    carried: tuple[Change, ...]
    name: str

    @property
    def report(self) -> Mapping[str, Any] | None:
        """The values of evaluation.json; None where there is none that can be read."""
        evaluation = self.spec.models[self.name].evaluation
        if evaluation is None:
            return None
        try:
            value = json.loads(self.files.read(evaluation.report))
            return Report.from_json(value, evaluation.report).to_json()
        except (LoopError, OSError, ValueError, RecursionError):
            return None

    @property
    def manifest(self) -> Mapping[str, Any] | None:
        """The values of training.json; None where there is none that can be read."""
        path = f"{self._reports}/{manifest.FILE}"
        data = self.files.read(path) if path in self.files.paths() else None
        return manifest.read(data, self.spec.models[self.name].adapter.digest)

    @property
    def curves(self) -> str | None:
        """The path of the picture of its training; None where there is none."""
        path = f"{self._reports}/{PICTURE}"
        return path if path in self.files.paths() else None

    @property
    def _reports(self) -> str:
        return f"{self.before.loop.models}/reports/{self.name}"

    def lacking(self) -> tuple[str, ...] | Unknown:
        """Return what DVC's remote lacks of the weights. Runs DVC's command."""
        path = self.spec.models[self.name].adapter.path
        if tracked(self.files, path) is None:
            return Unknown(f"DVC does not track {path}: `dvc add {path}`")
        return cloud.lacking(self.repository.root, path)

    def trained(self) -> Trained:
        """Return what is known of the data that it was trained on."""
        training, root = self.spec.models[self.name].training, self.repository.root
        dataset = self.spec.datasets.get(training.dataset)
        if dataset is None or not dataset.path.startswith(f"{snapshot.FOLDER}/"):
            return Trained(dataset.path if dataset else None, None)
        file = Path(dataset.path)
        with contextlib.suppress(LoopError, OSError):
            account = snapshot.read(root / snapshot.FOLDER)
            if account.files[file.name].md5 == training.dataset_hash:
                return Trained(dataset.path, account, file.stem, _people(root))
        return Trained(dataset.path, None)

    def merged(self, step: Step, environment: str) -> tuple[tuple[Change, ...], Spec]:
        """Return what a step changes, and the spec that merging it gives.

        Raises TerminalError where no edit means that, or the outcome would not be valid.
        """
        now = self.files.read(LOOP_FILE).decode()
        first = self.before.policies.rollout.stages[0].name
        then = request.loop_file(step, now, environment, self.name, first)
        parts = (edit(LOOP_FILE, now, then), *self.carried)
        return parts, load_or_raise(Overlaid(self.files.files, parts))


def known(repository: Repository, tip: Revision, name: str, step: Step) -> Known:
    """Return what is known of a version where the base branch stands at `tip`; what is on trial brings no files along.

    Raises TerminalError where the branch is not valid, has no such version nor the working tree, or has other bytes
    under its name.
    """
    base = repository.files_at(tip)
    before = load_or_raise(base)
    source = Source.of(repository, tip, before.loop.models)
    carried = source.carried(name) if step is Step.TRIAL else ()
    if name not in before.models and f"{before.loop.models}/{name}.yaml" not in {c.path for c in carried}:
        raise _unknown(name, before, repository.root)
    files = Overlaid(base, carried)
    spec = load_or_raise(files)
    old, new = before.models.get(name), spec.models[name]
    if old is not None and old.adapter.digest != new.adapter.digest:
        raise terminal(
            f"'{name}' means other bytes on the base branch",
            f"there: {old.adapter.digest}",
            f"here:  {new.adapter.digest}",
            fix="a name never changes its meaning: register these bytes under the next name",
        )
    return Known(repository, before, spec, files, carried, name)


def _unknown(name: str, spec: Spec, root: Path) -> LoopError:
    here = {path.stem for path in (root / spec.loop.models).glob("*.yaml")}
    if name in here:
        return terminal(
            f"'{name}' is registered here and not on the base branch, so it cannot be on trial there",
            fix=f"put it on trial first: `loop promote {name} --to ENVIRONMENT`",
        )
    names = sorted({*spec.models, *here})
    near = difflib.get_close_matches(name, names, n=1)
    return terminal(
        f"there is no version '{name}'",
        f"known: {', '.join(names)}",
        fix=f"did you mean '{near[0]}'?" if near else "train it: `loop train RECIPE`",
    )


def _people(root: Path) -> int | None:
    """Return how many people's votes and labels were collected; None where that is not here."""
    with contextlib.suppress(LoopError, OSError):
        return len(set(_users(collected.read(root / collected.FOLDER))))
    return None


def _users(found: collected.Collected) -> Iterator[str]:
    yield from (each.user for each in found.ballots)
    yield from (each.user for each in found.labels)
