"""What `decide` and `diagnose` share: gathering what is known of data sets, past rounds, signals and environments.

It reads the spec's files, what DVC keeps of earlier data sets, `models/reports/` and the event log, and computes
nothing of its own: `runner.economics` does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.repository import in_words
from runner.errors import LoopError

if TYPE_CHECKING:
    from runner.economics.declared import Trainable
    from runner.economics.fresh import Row
    from runner.economics.records import Evaluated, Run
    from runner.economics.situation import PastRound, Pool, Situation, Trouble
    from runner.feedback.snapshot import Provenance
    from runner.signals.reading import Snapshot
    from runner.signals.readings.estimates import Estimate
    from runner.spec.dataset import DatasetFile
    from runner.spec.load import Spec
    from runner.spec.model import ModelFile


FIRST_YEAR, LAST_YEAR = 1970, 2199
"""Years of which a moment may be asked for: calendars look back and ahead from it, and dates end in year 9999."""


def moment(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:  # noqa: ARG001
    """Return the moment of an option as seconds since 1970; UTC where it names no zone. Raises click.BadParameter."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter("say a moment such as 2026-12-01T09:00+09:00, or a day") from error
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise click.BadParameter(f"{value} is out of range: say a moment of {FIRST_YEAR} to {LAST_YEAR}")
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def situation(root: Path, spec: Spec, environment: str, now: float) -> Situation:
    """Return everything a decision rests on at `now`, seconds since 1970. Raises LoopError, OSError.

    Signals are those of the present: measuring keeps state, which another moment would age.
    """
    from runner.economics.declared import trainable, under_way
    from runner.economics.situation import Policies, Situation
    from runner.reconcile.freeze import closed

    declared = spec.loop.environments[environment]
    account = snapshot_of(root)
    pools = tuple(_pool(root, spec, each) for each in trainable(spec, environment))
    return Situation(
        environment=environment,
        at=now,
        policies=Policies(spec.policies.cadence, spec.policies.cost, spec.policies.signals),
        baseline=declared.baseline,
        pools=pools,
        rounds=tuple(_past(root, spec, model) for model in spec.models.values() if model.was_trained_here),
        signals=measured(root, spec, environment),
        clear=None if account is None else _clear(account),
        prefers=run_of(root, spec, declared.baseline).told_apart,
        troubles=_troubles(root, spec, environment, [pool.dataset for pool in pools]),
        closed=closed(declared, now),
        under_way=under_way(spec, environment),
    )


def snapshot_of(root: Path) -> Provenance | None:
    """Return the account of the snapshot, None where there is none here. Raises TerminalError where it is damaged."""
    from runner.feedback import snapshot
    from runner.feedback.snapshot.files import PROVENANCE

    if not (root / snapshot.FOLDER / PROVENANCE).is_file():
        return None
    return snapshot.read(root / snapshot.FOLDER)


def measured(root: Path, spec: Spec, environment: str) -> Snapshot | None:
    """Return every signal as it is now, None where nothing was logged here. Raises LoopError, OSError."""
    from runner.cli.watching import watch
    from runner.reconcile.state import StatePaths

    paths = StatePaths(root, environment)
    if not paths.lake.is_dir() and not paths.events.is_dir():
        return None
    return watch(root, spec, environment).take(time.time())


def run_of(root: Path, spec: Spec, version: str) -> Run:
    """Return what the training of a version left behind; nothing known where it left nothing."""
    from runner.economics.records import read_run

    folder = _reports(root, spec, version)
    return read_run(_json(folder / "training.json"), _json(folder / "curves.json"))


def evaluation_of(root: Path, spec: Spec, version: str) -> Evaluated:
    """Return what the evaluation of a version found; nothing known where there is none."""
    from runner.economics.records import read_evaluation

    return read_evaluation(_json(_reports(root, spec, version) / "evaluation.json"))


def rows_of(root: Path, dataset: DatasetFile) -> list[dict[str, Any]] | None:
    """Return the rows of a data set, None where it is not here; broken lines are told by `loop data check`."""
    path = root / dataset.path
    return list(_lines(path)) if path.is_file() else None


def _reports(root: Path, spec: Spec, version: str) -> Path:
    return root / spec.loop.models / "reports" / version


def _json(path: Path) -> Any:
    """Return the content of a report, None where there is none; a damaged one is told and left out."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        click.echo(f"warning: left out: {path}: {in_words(error)}", err=True)
        return None


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict):
                yield row


def _pool(root: Path, spec: Spec, each: Trainable) -> Pool:
    from runner.economics.situation import Pool

    dataset = spec.datasets[each.dataset]
    rows = _rows(root, dataset)
    return Pool(
        recipe=each.recipe,
        type=each.type,
        dataset=each.dataset,
        hash=dataset.hash,
        rows=None if rows is None else len(rows),
        fresh=None if rows is None else _fresh(root, spec, dataset, rows),
        least=dataset.minimum.rows,
        flags=each.flags,
    )


def _rows(root: Path, dataset: DatasetFile) -> list[Row] | None:
    from runner.economics.fresh import Row

    found = rows_of(root, dataset)
    if found is None:
        return None
    return [Row(str(each.get("id")), tuple(map(str, each.get("sources") or ()))) for each in found]


def _fresh(root: Path, spec: Spec, dataset: DatasetFile, rows: Sequence[Row]) -> int | None:
    from runner.economics import fresh

    trained = [each.training for each in spec.models.values() if each.training.dataset == dataset.name]
    ids = frozenset(row.id for row in rows)
    earlier = [
        fresh.Earlier(each.date, ids if each.dataset_hash == dataset.hash else _kept(root, each.dataset_hash))
        for each in trained
    ]
    blind = any(each.ids is None for each in earlier)
    return fresh.count(rows, earlier, _said(root) if blind else {})


def _kept(root: Path, hash_: str) -> frozenset[str] | None:
    """Return the ids of an earlier state of a data set from DVC's cache, None where it is not there any more."""
    path = root / ".dvc" / "cache" / "files" / "md5" / hash_[:2] / hash_[2:]
    return frozenset(str(row.get("id")) for row in _lines(path)) if path.is_file() else None


def _said(root: Path) -> Mapping[str, float]:
    """Return when each vote and each answer that was collected was said, seconds since 1970; nothing without them."""
    from runner.feedback import collected

    try:
        found = collected.read(root / collected.FOLDER)
    except LoopError:
        return {}
    votes = {each.id: each.at_us / 1e6 for each in found.ballots}
    return votes | {each.id: each.at_us / 1e6 for each in found.records}


def _past(root: Path, spec: Spec, model: ModelFile) -> PastRound:
    from runner.economics.declared import stopped
    from runner.economics.situation import PastRound

    return PastRound(
        name=model.name,
        type=model.type,
        parent=model.parent,
        dataset=model.training.dataset,
        dataset_hash=model.training.dataset_hash,
        trained=model.training.date,
        seconds=run_of(root, spec, model.name).seconds,
        win=evaluation_of(root, spec, model.name).win_rate,
        stopped=stopped(spec, model),
    )


def _clear(account: Provenance) -> Estimate:
    """Return the share of votes that name a winner."""
    from runner.feedback.preferences.findings import Check
    from runner.signals.readings.estimates import Estimate

    found = next(each for each in account.checks if each.check is Check.CLEAR_WINNERS)
    return Estimate(found.value, found.low, found.high, found.n)


def _troubles(root: Path, spec: Spec, environment: str, names: Sequence[str]) -> tuple[Trouble, ...]:
    """Return what is wrong with data sets as declared, as they lie here, and as they were checked."""
    from runner.data.declared import State, compare, look
    from runner.data.hashes import HashCache
    from runner.economics.situation import Trouble
    from runner.feedback.expectations.checked import unmet
    from runner.reconcile.state import StatePaths

    own = {name: spec.datasets[name] for name in names}
    found = compare(
        own, look(root, own, HashCache(StatePaths(root, environment).hashes), partial(unmet, root))
    )
    open_ = (State.UNCHECKED, State.STALE)
    return tuple(
        Trouble(each.name, f"{each.state.value}: {each.evidence}", each.state not in open_, each.fix)
        for each in found
    )
