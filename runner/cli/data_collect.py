"""`loop data collect`: what of the event log is worth looking at, masked, into `datasets/collected/`.

`loop data curate` and `loop up` call `collect`. This module knows where things lie and which detectors the policies
name; what is taken is decided in `runner.feedback.extraction`.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.repository import environment_option, find_root, json_option, pick_environment, read_spec

if TYPE_CHECKING:
    from runner.feedback.categories import Categories
    from runner.feedback.erasing import Unwanted
    from runner.feedback.extraction import Found, Ports, Rules
    from runner.feedback.privacy import Scrubber
    from runner.spec.dataset import Role
    from runner.spec.load import Spec

EXAMPLES = """\b
Examples:
  loop data collect                   the last 30 days, or as policies/collection.yaml says
  loop data collect --window 7d
  loop data collect --dry-run         what would be taken; writes nothing

Reads the event log, writes datasets/collected/. Exit codes: 0 done, also where nothing was found; 1 error.
"""
MEMORY, THREADS = "768MiB", 2
"""Bounds of what computes; Python needs about as much again."""
REASONS: Mapping[str, str] = {
    "forgotten": "their users asked to be forgotten",
    "without_request": "contents whose request is not in the log",
    "without_content": "answers of which no words are kept",
    "unreadable": "answers that are no conversation with a question and an answer in text",
    "rightly_refused": "refusals of what should be refused",
    "repeated": "the same question and answer is taken already",
    "near_duplicates": "nearly the same is taken already",
    "beyond_per_reason": "more than `extraction.per_reason` of a reason",
    "unchanged_corrections": "corrections that change nothing",
    "feedback_of_others": "feedback by somebody who did not get that answer",
    "feedback_on_no_answer": "feedback on an answer that is not in the window",
    "broken_votes": "vote events that are no vote",
    "replaced_votes": "votes that a later one replaces",
    "broken_labels": "label events that are no label",
    "replaced_labels": "labels that a later one replaces",
    "labels_about_nothing": "labels about something that is not taken",
}
"""Why something is left out, in words."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What was collected: events read, records by reason, votes and labels, and what was left out and why.

    `damaged` lines are no events, `duplicates` stood in the log before, `ahead` are dated after now. `taken_out` are
    the lines that were there and went: forgotten, too old, or made of something that is not there any more. `written`
    is whether the folder was.
    """

    environment: str
    since_us: int
    until_us: int
    events: int
    records: int
    reasons: Mapping[str, int]
    votes: int
    labels: int
    left_out: Mapping[str, int]
    excluded: Mapping[str, int]
    damaged: int
    duplicates: int
    ahead: int
    taken_out: Mapping[str, int]
    written: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


@click.command(epilog=EXAMPLES)
@environment_option
@click.option("--window", metavar="TIME", help="How far back: 7d, 24h. As the policy says where absent.")
@click.option("--dry-run", is_flag=True, help="Say what would be taken, and write nothing.")
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, window: str | None, dry_run: bool, as_json: bool) -> None:
    """Take refusals, re-asks, complaints, corrections, votes and labels from the event log, masked."""
    from runner.cli.watching import seconds

    root, wanted = find_root(ctx), seconds(ctx, window)
    spec = read_spec(root)
    found = collect(
        root,
        spec,
        environment,
        wanted,
        lambda text: click.echo(text, err=True),
        dry_run=dry_run,
    )
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else to_text(found))


def collect(
    root: Path,
    spec: Spec,
    environment: str,
    window: float | None = None,
    tell: Callable[[str], None] = lambda _: None,
    *,
    dry_run: bool = False,
    now_us: int | None = None,
) -> Summary:
    """Collect from the log of an environment, the last `window` seconds or what the policy says.

    Where the log has no event of that time, what was collected elsewhere and pulled stays. Whatever is there in the
    end is without those who are forgotten and what is older than the policy allows (`erasing`). Raises TerminalError
    for an unknown environment, a damaged log or a model that cannot be used; TransientError, OSError.
    """
    from runner.events.forgotten import entries
    from runner.reconcile.state import StatePaths

    pick_environment(spec, environment)
    directory = StatePaths(root, environment).directory
    wishes = entries(directory)
    until_us = now_us if now_us is not None else time.time_ns() // 1000
    length = window if window is not None else spec.policies.collection.extraction.window
    rules = _rules(root, spec, max(0, until_us - round(length * 1e6)), until_us)
    found = _extract(root, spec, environment, rules, tell)
    summary = _summary(environment, rules, found)
    if dry_run:
        return summary
    summary = _written(root, spec, summary, found, tell)
    if entries(directory) == wishes:
        return summary
    tell("somebody was forgotten in the meantime: collecting again")
    return collect(root, spec, environment, window, tell, now_us=now_us)


def _written(root: Path, spec: Spec, summary: Summary, found: Found, tell: Callable[[str], None]) -> Summary:
    """Write what was found, and take out of what is there then what must not stay; return what became of it."""
    from runner.feedback import collected, erasing
    from runner.feedback.collected import FOLDER, SYNTHETIC, Collected

    lost: Counter[str] = Counter()
    if summary.events:
        tell(f"writing {FOLDER}")
        facts = _facts(root, summary, found)
        content = Collected(found.records, found.ballots, found.labels, facts=facts)
        lost[SYNTHETIC] = collected.orphans(root / FOLDER, content)
        collected.write(root / FOLDER, collected.noting(content, lost))
    lost.update(erasing.erase(root / FOLDER, _unwanted(root, spec, summary)))
    taken_out = {name: count for name, count in lost.items() if count}
    return replace(summary, taken_out=taken_out, written=bool(summary.events or taken_out))


def _unwanted(root: Path, spec: Spec, summary: Summary) -> Unwanted:
    from runner.events.forgotten import load
    from runner.feedback.erasing import Unwanted
    from runner.reconcile.state import StatePaths

    kept = spec.policies.privacy.retention
    content_us, feedback_us = (
        summary.until_us - round(seconds * 1e6) for seconds in (kept.content, kept.feedback)
    )
    return Unwanted(load(StatePaths(root, summary.environment).directory), content_us, feedback_us)


def _extract(root: Path, spec: Spec, environment: str, rules: Rules, tell: Callable[[str], None]) -> Found:
    import duckdb

    from runner.errors import terminal
    from runner.events.lake import DuckDB, Lake
    from runner.feedback.extraction import extract
    from runner.reconcile.state import StatePaths

    paths = StatePaths(root, environment)
    engine = DuckDB(MEMORY, THREADS)
    try:
        with Lake(paths.lake, paths.events, engine) as lake:
            return extract(lake, engine, paths.lake, rules, _ports(root, spec, environment, rules, tell))
    except duckdb.Error as error:
        summary = f"what is logged of '{environment}' cannot be read"
        raise terminal(summary, str(error).splitlines()[0]) from error
    finally:
        engine.close()


def _rules(root: Path, spec: Spec, since_us: int, until_us: int) -> Rules:
    from runner.feedback.extraction import Rules, Window
    from runner.signals.detection import Detection

    policy = spec.policies.collection.extraction
    return Rules(
        Window(since_us, until_us),
        policy.tails,
        policy.near_duplicate,
        policy.per_reason,
        Detection.of(spec.policies.signals).below(root),
        spec.policies.privacy.exclude_with,
    )


def _ports(root: Path, spec: Spec, environment: str, rules: Rules, tell: Callable[[str], None]) -> Ports:
    """Return the detectors, the masking and the categories that the policies name."""
    from runner.embedding import chosen
    from runner.events.forgotten import forgotten
    from runner.feedback.extraction import Ports
    from runner.reconcile.state import StatePaths
    from runner.watch import detectors

    paths = StatePaths(root, environment)
    built = detectors.build(root, paths.signals, spec, chosen(spec.policies.signals.embedder), tell)
    for metric, why in built.missing.items():
        if metric == "over_refusal_rate":
            tell(f"no refusal counts as right: {why}")
    return Ports(
        refuses=rules.detection.refuses(),
        scrubber=scrubber(root, spec),
        categories=categories(root, spec).of_all,
        answerable=built.annotator.answerable or (lambda questions: [None] * len(questions)),
        forgotten=forgotten(paths.directory),
        tell=tell,
    )


def scrubber(root: Path, spec: Spec) -> Scrubber:
    """Return what masks, as the policy says; what the repository's facts and examples name is nobody's secret."""
    from runner.feedback.privacy import Scrubber
    from runner.feedback.privacy.public import of_texts
    from runner.spec.dataset import Role

    texts = [each for kind in spec.policies.collection.categories.values() for each in kind.examples]
    texts += [text for (text,) in _columns(root, spec, {Role.REFERENCE}, "text")]
    return Scrubber(spec.policies.privacy, public=of_texts(texts))


def categories(root: Path, spec: Spec) -> Categories:
    """Return what sorts questions: learnt from the policy's examples, and from data sets here with a `category`."""
    from runner.feedback.categories import Categories
    from runner.spec.dataset import Role

    known = spec.policies.collection.categories
    roles = {Role.SFT, Role.REGRESSION, Role.REFERENCE}
    examples = [(question, name) for name, declared in known.items() for question in declared.examples]
    examples += [(question, kind) for question, kind in _columns(root, spec, roles, "question", "category")]
    return Categories.learn(examples, tuple(known))


def _columns(root: Path, spec: Spec, roles: Set[Role], *names: str) -> list[tuple[str, ...]]:
    """Return columns of text, row by row, of the data sets of some roles that have all of them and are here."""
    from runner.watch.references import Missing, read

    found: list[tuple[str, ...]] = []
    for dataset, declared in sorted(spec.datasets.items()):
        if declared.role in roles and declared.schema_.keys() >= set(names):
            rows = read(root, spec.datasets, dataset)
            values = () if isinstance(rows, Missing) else rows.rows
            found += [
                tuple(row[name] for name in names)
                for row in values
                if all(isinstance(row.get(name), str) for name in names)
            ]
    return found


def _summary(environment: str, rules: Rules, found: Found) -> Summary:
    """Return what was found, before anything is written."""
    from runner.feedback.records import Reason

    reasons = Counter(reason for record in found.records for reason in record.reasons)
    events = sum(kept.events for kept in found.census.kinds.values())
    return Summary(
        environment=environment,
        since_us=rules.window.since_us,
        until_us=rules.window.until_us,
        events=events,
        records=len(found.records),
        reasons={reason.value: reasons[reason] for reason in Reason},
        votes=len(found.ballots),
        labels=len(found.labels),
        left_out=found.left_out,
        excluded=found.excluded,
        damaged=found.census.damaged,
        duplicates=found.census.duplicates,
        ahead=found.census.ahead,
        taken_out={},
        written=False,
    )


def _facts(root: Path, summary: Summary, found: Found) -> dict[str, Any]:
    """Return what the manifest says of where the lines come from."""
    from runner import digest

    masked: Counter[str] = Counter()
    for counts in (each.masked for each in found.records), (each.masked for each in found.ballots):
        for each in counts:
            masked.update(each)
    policies = ("collection", "privacy", "signals")
    return {
        "environment": summary.environment,
        "window": {"since_us": summary.since_us, "until_us": summary.until_us},
        "code": _revision(root),
        "policies": {name: digest.of_file(root / "policies" / f"{name}.yaml") for name in policies},
        "events": {kind: asdict(kept) for kind, kept in found.census.kinds.items()},
        "damaged": summary.damaged,
        "duplicates": summary.duplicates,
        "ahead": summary.ahead,
        "records": {"all": summary.records, **summary.reasons},
        "votes": summary.votes,
        "labels": summary.labels,
        "left_out": dict(summary.left_out),
        "excluded": dict(summary.excluded),
        "masked": dict(sorted(masked.items())),
    }


def _revision(root: Path) -> str | None:
    """Return the commit that is checked out, None where there is none."""
    from runner.errors import LoopError
    from runner.git.repository import Repository

    try:
        return Repository(root).head().sha
    except LoopError:
        return None


def to_text(found: Summary) -> str:
    """Return a summary for people."""
    days = (found.until_us - found.since_us) / 86_400e6
    head = f"'{found.environment}', {days:g} days, {found.events:,} events"
    if not found.events:
        changed = "; ".join(_taken_out(found)) or "nothing was changed"
        return f"{head}: nothing to collect, {changed}"
    lines = [f"{head}: {found.records:,} records, {found.votes:,} votes, {found.labels:,} labels"]
    lines += [f"  {name:<14} {count:>7,}" for name, count in found.reasons.items() if count]
    if found.left_out or found.excluded:
        lines.append("left out")
        lines += [f"  {count:>9,}  {REASONS.get(name, name)}" for name, count in found.left_out.items()]
        lines += [
            f"  {count:>9,}  conversations with {name}, as policies/privacy.yaml says"
            for name, count in found.excluded.items()
        ]
    for count, what in (
        (found.damaged, "lines of the log are no events"),
        (found.duplicates, "events stood in the log more than once and count once"),
        (found.ahead, "events are dated after now; they count when their time has come"),
    ):
        lines += [f"note: {count:,} {what}"] if count else []
    lines += _taken_out(found)
    return "\n".join([*lines, "written: datasets/collected" if found.written else "nothing was written"])


def _taken_out(found: Summary) -> list[str]:
    """Return in words what of the folder went, nothing where nothing did."""
    if not found.taken_out:
        return []
    counts = ", ".join(f"{count:,} of {name}" for name, count in found.taken_out.items())
    why = "forgotten, older than is kept, or made of what is not there any more"
    return [f"lines taken out of datasets/collected: {counts} ({why})"]
