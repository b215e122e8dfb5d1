"""`loop data lineage`: the way of one pair, from the vote to the versions trained on it.

It asks each place for its part (event log, datasets/collected, the snapshot, dvc.lock, Git, models/*.yaml) and puts
them in order; where one of them does not know it any more, that is said and the rest is still shown.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.repository import find_root, json_option, read_spec

if TYPE_CHECKING:
    from runner.events.schema import Kind
    from runner.feedback.snapshot.lineage import Link, Traced
    from runner.feedback.snapshot.provenance import Provenance
    from runner.spec.load import Spec

LOCK = "dvc.lock"
SAID = ("event.time", "loop.user", "loop.vote.choice", "loop.thumbs", "loop.rating")
ANSWERED = (
    "event.time",
    "event.id",
    "loop.version",
    "loop.adapter.digest",
    "gen_ai.request.temperature",
    "gen_ai.request.max_tokens",
)
EXAMPLES = """\b
Examples:
  loop data lineage pair-3f2a        the beginning of an id is enough
  loop data lineage 01JC --json      of a vote, record, comparison or event too

Exit codes: 0 the way is whole, 1 error, 2 it ends before a version or lacks a step; it says where and why.
"""


@click.command(epilog=EXAMPLES)
@click.argument("name", metavar="ID")
@json_option
@click.pass_context
def command(ctx: click.Context, name: str, as_json: bool) -> int:
    """Follow a row, record, vote, comparison or event from what somebody said to the adapter trained on it."""
    from runner.report import lineage as report

    root = find_root(ctx)
    links = lineage(root, read_spec(root), name)
    if as_json:
        click.echo(json.dumps(report.to_json(links), indent=2, ensure_ascii=False))
    else:
        click.echo(report.to_text(links))
    return 2 if any(link.broken for link in links) else 0


def lineage(root: Path, spec: Spec, name: str) -> tuple[Link, ...]:
    """Return the steps of the way. Raises TerminalError where nothing has that id, or several do; OSError."""
    from runner.feedback import collected as collection
    from runner.feedback import snapshot as snapshots
    from runner.feedback.snapshot import files
    from runner.feedback.snapshot.lineage import Known, collected_links, row_links

    folder = root / snapshots.FOLDER
    account = snapshots.read(folder)
    collected = collection.read(root / collection.FOLDER)
    rows = {file: tuple(files.rows(folder, file)) for file in files.ROWS}
    traced = Known(collected, rows, tuple(files.rows(folder, files.REJECTED))).trace(name)
    environment = str(collected.facts.get("environment", ""))
    made = sorted({file for file, _ in traced.rows})
    return (
        *_events(root, environment, traced),
        *collected_links(traced),
        *row_links(traced, account.verdict.value),
        *_files(account, made),
        *([_commit(root)] if made else ()),
        *_versions(spec, account, made),
    )


def _events(root: Path, environment: str, traced: Traced) -> Iterator[Link]:
    """Yield the events in which it was said, and the requests whose answers it is about."""
    from runner.events.lake import Lake
    from runner.events.schema import Kind
    from runner.feedback.snapshot.lineage import Asked, Step, answered_link, claims, event_link
    from runner.reconcile.state import StatePaths

    paths = StatePaths(root, environment or "-")
    with Lake(paths.lake, paths.events) as lake:

        def find(kind: Kind, field: str, values: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
            table = lake.table(kind)
            found = table.filter(table[field].isin(sorted(values))).to_pyarrow().to_pylist() if values else []
            return {row[field]: row for row in found}

        said = {
            **find(Kind.VOTE, "event.id", traced.events),
            **find(Kind.FEEDBACK, "event.id", traced.events),
        }
        others = {
            event: row
            for kind in (Kind.REQUEST, Kind.CONTENT, Kind.SHADOW)
            for event, row in find(kind, "event.id", traced.events).items()
        }
        for event in traced.events:
            if event in others:
                yield event_link(Step.REQUEST, event, others[event], ANSWERED)
            else:
                yield event_link(Step.EVENT, event, said.get(event), SAID)
        answered = find(Kind.REQUEST, "gen_ai.response.id", traced.responses)
        worded = find(Kind.CONTENT, "gen_ai.response.id", traced.responses)
        said_of = claims(traced.ballots, said)
        for response in traced.responses:
            asked = Asked(response, answered.get(response), worded.get(response))
            yield answered_link(asked, ANSWERED, said_of[response])


def _files(account: Provenance, made: Sequence[str]) -> Iterator[Link]:
    """Yield the files with the hash that DVC gives each."""
    from runner.feedback.snapshot import FOLDER
    from runner.feedback.snapshot.lineage import Link, Step

    for file in made:
        facts = account.files[file]
        yield Link(Step.FILE, f"{FOLDER}/{file}", {"md5": facts.md5, "rows": facts.rows})


def _commit(root: Path) -> Link:
    """Return the commit in which this snapshot came into Git."""
    from runner.data.hashes import HashCache
    from runner.data.tracking import State, read_tracking, state_of
    from runner.errors import LoopError
    from runner.feedback.snapshot import FOLDER
    from runner.feedback.snapshot.lineage import Link, Step
    from runner.git.repository import Repository

    own = next((each for each in read_tracking(LockFile(root)).outputs if each.path == FOLDER), None)
    if own is None:
        return Link(Step.COMMIT, "-", broken="dvc.lock does not know the snapshot yet: `dvc commit snapshot`")
    facts = {"dvc": own.hash}
    if state_of(own, root, HashCache(root / ".loop/hashes.json")) is not State.PRESENT:
        return Link(
            Step.COMMIT, "-", facts, "dvc.lock speaks of another snapshot than this: `dvc commit snapshot`"
        )
    try:
        search = ("log", "--format=%H%x00%cI%x00%s", "-S", own.hash, "--", LOCK)
        commits = Repository(root).git.read(*search).decode(errors="replace").splitlines()
    except LoopError as error:
        return Link(Step.COMMIT, "-", facts, error.diagnostics[0].summary)
    if not commits:
        return Link(Step.COMMIT, "-", facts, f"{LOCK} is not committed with this snapshot yet")
    sha, when, subject = commits[-1].split("\0")  # the first of those that brought the hash in or took it out
    return Link(Step.COMMIT, sha, {"at": when, "subject": subject, **facts})


@dataclass(frozen=True, slots=True)
class LockFile:
    """dvc.lock as it is in the working tree, with what `read_tracking` reads beside it."""

    root: Path

    def read(self, path: str) -> bytes:
        """Return a file's bytes. Raises OSError."""
        return (self.root / path).read_bytes()

    def paths(self) -> tuple[str, ...]:
        """Return dvc.lock where it is there."""
        return (LOCK,) if (self.root / LOCK).is_file() else ()


def _versions(spec: Spec, account: Provenance, made: Sequence[str]) -> Iterator[Link]:
    """Yield the versions that were trained on these very bytes."""
    from runner.feedback.snapshot import FOLDER
    from runner.feedback.snapshot.lineage import Link, Step

    if not made:
        return
    hashes = {
        dataset.name: account.files[file].md5
        for dataset in spec.datasets.values()
        for file in made
        if dataset.path == f"{FOLDER}/{file}"
    }
    trained = [
        model
        for model in spec.models.values()
        if hashes.get(model.training.dataset) == model.training.dataset_hash
    ]
    for model in trained:
        facts = {
            "served": f"{model.name}--{model.adapter.digest[:12]}",
            "dataset": model.training.dataset,
            "dataset_hash": model.training.dataset_hash,
            "date": str(model.training.date),
        }
        yield Link(Step.VERSION, model.name, facts)
    if not trained:
        yield Link(Step.VERSION, "-", broken="no version in models/ was trained on these bytes")
