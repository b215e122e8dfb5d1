"""`loop data snapshot`: from `datasets/collected/` to data sets with an account of how they were made.

The stage `snapshot` of `dvc.yaml` runs it, `loop data curate` and people too. It knows where things lie; what goes in
is decided in `runner.feedback.snapshot`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.repository import find_root, json_option, read_spec

if TYPE_CHECKING:
    from runner.feedback.preferences.leakage import Mask, Suite
    from runner.feedback.snapshot import Origins, Provenance
    from runner.spec.dataset import DatasetFile
    from runner.spec.load import Spec

POLICIES = ("collection", "privacy")
EXAMPLES = """\b
Examples:
  loop data snapshot              what is in datasets/collected, as policies/collection.yaml says
  loop data snapshot --strict     for a pipeline that is to stop where a check fails
  loop data snapshot --json

Writes datasets/snapshot/ whatever the checks say: what was rejected and why is a result too, and DVC keeps only what a
command made that ended well. provenance.json holds the verdict.
Exit codes: 0 written, 1 error, 2 with --strict: written, and a check of the set failed.
"""


@click.command(epilog=EXAMPLES)
@click.option("--strict", is_flag=True, help="End with exit code 2 where a check of the set failed.")
@json_option
@click.pass_context
def command(ctx: click.Context, strict: bool, as_json: bool) -> int:
    """Check what was collected and make preferences, corrections, thumbs and cases of it."""
    from runner.feedback.preferences.findings import Verdict
    from runner.report import snapshot as report

    root = find_root(ctx)
    found = snapshot(root, read_spec(root), lambda text: click.echo(text, err=True))
    if as_json:
        click.echo(json.dumps(report.to_json(found), indent=2, ensure_ascii=False))
    else:
        click.echo(report.to_text(found))
    return 2 if strict and found.verdict is Verdict.FAIL else 0


def snapshot(root: Path, spec: Spec, tell: Callable[[str], None] = lambda _: None) -> Provenance:
    """Make the snapshot of what was collected and return its account.

    Raises TerminalError where nothing was collected, it is damaged, or a suite is not here; TransientError, OSError.
    """
    from runner.errors import terminal
    from runner.feedback import collected
    from runner.feedback import snapshot as snapshots

    suites = guarding(spec)
    questions = [suite(root, each) for each in suites]
    tell(f"reading {collected.FOLDER}")
    found = collected.read(root / collected.FOLDER)
    tell(f"checking {len(found.ballots):,} votes and {len(found.records):,} records")
    try:
        made = snapshots.build(found, spec.policies.collection, questions, _mask(root, spec))
    except (KeyError, TypeError, ValueError) as error:
        raise terminal(
            "a synthetic pair is damaged",
            f"{collected.FOLDER}/{collected.SYNTHETIC}: {type(error).__name__}: {error}",
            fix="make the pairs again: `loop data augment`",
        ) from error
    tell(f"writing {snapshots.FOLDER}")
    return snapshots.write(made, root / snapshots.FOLDER, _origins(root, spec, suites, dict(found.facts)))


def guarding(spec: Spec) -> list[DatasetFile]:
    """Return the data sets that measure, whose questions are kept out of training; not the cases made here."""
    from runner.feedback.snapshot import FOLDER
    from runner.spec.dataset import Role

    roles = {Role.REGRESSION, Role.OOD, Role.ADVERSARIAL}
    return [
        dataset
        for _, dataset in sorted(spec.datasets.items())
        if dataset.role in roles and not dataset.path.startswith(f"{FOLDER}/")
    ]


def suite(root: Path, dataset: DatasetFile) -> Suite:
    """Return a suite's questions. Raises TerminalError where it cannot be read: an unknown leak would pass."""
    from runner.errors import terminal
    from runner.feedback.preferences.leakage import Suite

    try:
        lines = (root / dataset.path).read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
        return Suite(dataset.name, {str(row["id"]): str(row["question"]) for row in rows})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise terminal(
            f"the questions of '{dataset.name}' are not here, so that they could not be kept out of training",
            f"{dataset.path}: {type(error).__name__}: {error}",
            fix=f"fetch them: `dvc pull {dataset.path}`",
        ) from error


def _mask(root: Path, spec: Spec) -> Mask:
    from runner.cli.data_collect import scrubber
    from runner.signals.language import language

    scrub = scrubber(root, spec)

    def mask(text: str) -> str:
        return scrub.scrub([text], language(text)).texts[0]

    return mask


def _origins(root: Path, spec: Spec, suites: list[DatasetFile], collected: dict[str, object]) -> Origins:
    from runner import digest
    from runner.feedback.snapshot import Origins

    values = {f"policies/{name}.yaml": getattr(spec.policies, name) for name in POLICIES}
    return Origins(
        revision=_revision(root),
        policies={path: digest.of_value(value.model_dump(mode="json")) for path, value in values.items()},
        suites={each.name: _md5(root / each.path) for each in suites},
        collected=collected,
    )


def _md5(path: Path) -> str:
    """Return DVC's hash of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _revision(root: Path) -> str:
    """Return the commit that is checked out, with `+` where the code differs from it; "" outside of Git."""
    from runner.errors import LoopError
    from runner.git.repository import Repository

    try:
        repository = Repository(root)
        changed = any(path.startswith("runner/") for path in repository.dirty())
        return f"{repository.head().sha}{'+' if changed else ''}"
    except LoopError:
        return ""
