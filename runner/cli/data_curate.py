"""`loop data curate`: from the event log to a checked, declared snapshot, in one command.

It puts together what the other commands of `loop data` do and DVC's `commit` and `repro`; it decides nothing, and
commits nothing to Git: a person looks first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.repository import environment_option, find_root, json_option, pick_environment, read_spec
from runner.errors import LoopError

if TYPE_CHECKING:
    from runner.feedback.expectations.checked import Checked
    from runner.spec.dataset import DatasetFile
    from runner.spec.load import Spec

_PROGRESS = re.compile(r"Running stage |\d+\.\d s  |Stage .* didn't change")
COLLECTED, SNAPSHOT = "collected", "snapshot"
EXAMPLES = """\b
Examples:
  loop data curate                    what the policy's window holds
  loop data curate --window 7d        of the last seven days only
  loop data curate --json             what came of it, for programs

It goes: collect (and `dvc commit collected`), `dvc repro snapshot`, check, and write the hashes of what was made into
datasets/*.yaml. Then look at `git diff`, commit, and `dvc push`.
Exit codes: 0 all passed, 1 error, 2 made, and a check or an expectation is not met.
"""


@click.command(epilog=EXAMPLES)
@environment_option
@click.option("--window", metavar="TIME", help="How far back the log is read: 7d. The policy's where absent.")
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, window: str | None, as_json: bool) -> int:
    """Make data sets of what users said and did: collect, mask, label, check, version, declare."""
    from runner.cli.alone import alone
    from runner.cli.data_check import check
    from runner.cli.data_collect import collect
    from runner.cli.deployment import stopwatch
    from runner.cli.watching import seconds
    from runner.data import pipeline
    from runner.feedback import snapshot as snapshots
    from runner.report import expectations, snapshot

    root, back = find_root(ctx), seconds(ctx, window)
    spec = read_spec(root)
    pick_environment(spec, environment)
    tell, made = stopwatch(), _made(spec)
    with alone(root / ".loop" / "data" / "curate.lock", "curating this repository"):
        collected = collect(root, spec, environment, back, tell)
        _demand_collected(root)
        with _told("datasets/collected was made anew; datasets/snapshot is as it was"):
            pipeline.commit(root, COLLECTED, tell)
            pipeline.repro(root, SNAPSHOT, lambda line: tell(line) if _is_progress(line) else None)
        with _told("datasets/collected and datasets/snapshot were made anew, and not declared"):
            checked, absent = check(root, made)
            changed = declare(root, made, checked)
            found = snapshots.read(root / snapshots.FOLDER)
    passed = found.passed and all(each.passed for each in checked)
    if as_json:
        value: dict[str, Any] = {
            "collected": collected.to_json(),
            "snapshot": snapshot.to_json(found),
            "expectations": expectations.to_json(checked, absent),
            "declared": changed,
            "passed": passed,
        }
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        click.echo(f"{snapshot.to_text(found)}\n\n{expectations.to_text(checked, absent)}\n")
        click.echo(_next(changed))
    return 0 if passed else 2


def _demand_collected(root: Path) -> None:
    """Raise TerminalError where nothing was collected, now or ever: there is nothing to make data sets of."""
    from runner.errors import terminal
    from runner.feedback import collected

    if not (root / collected.FOLDER).is_dir():
        fix = "let people ask, vote and correct first: `loop up` starts gateway and console"
        raise terminal("there is nothing to curate: the event log holds nothing to learn from", fix=fix)


@contextmanager
def _told(changed: str) -> Iterator[None]:
    """Have errors of the block say what had been changed by then."""
    try:
        yield
    except LoopError as error:
        error.changed = changed
        raise


def _is_progress(line: str) -> bool:
    """Return whether a line of a stage says how far it is; its report is printed here, once, from what it wrote."""
    return _PROGRESS.match(line) is not None


def _made(spec: Spec) -> list[DatasetFile]:
    """Return the data sets that the snapshot holds."""
    return [each for each in spec.datasets.values() if each.provenance.stage == SNAPSHOT]


def declare(root: Path, made: Sequence[DatasetFile], checked: Sequence[Checked]) -> list[str]:
    """Write the hash of each checked data set into its file; return the changed files. Raises OSError, LoopError."""
    from runner.spec.edit import put_scalar

    hashes = {each.name: each.hash for each in checked}
    changed = []
    for dataset in made:
        found = hashes.get(dataset.name)
        if found is None or found == dataset.hash:
            continue
        path = root / "datasets" / f"{dataset.name}.yaml"
        text = path.read_text(encoding="utf-8")
        _replace(path, put_scalar(text, "hash", found, after="path"))
        changed.append(path.relative_to(root).as_posix())
    return changed


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.fresh")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def _next(changed: Sequence[str]) -> str:
    if not changed:
        return "nothing changed: the data sets are as declared"
    return f"declared anew: {', '.join(changed)}\n  next: look at `git diff`, commit it with dvc.lock, and `dvc push`"
