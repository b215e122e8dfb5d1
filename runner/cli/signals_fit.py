"""`loop signals fit refusal`: a refusal model fitted to a team's own labels, for policies to name."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.repository import find_root, in_words, json_option
from runner.errors import terminal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runner.signals.embedder import Embedder
    from runner.signals.refusal.fitting import Measured
    from runner.signals.refusal.labels import Labelled
    from runner.signals.refusal.linear import Linear

DEFAULT = Path("policies") / "refusal.json"
LEAST = 20
"""Labels of each kind from which a model is fitted: with fewer, no figure says whether it is any good."""
FEW = 50
"""With fewer labels of a kind the measured figures say little."""
GROUP_EXAMPLES = """\b
Example:
  loop signals fit refusal labels.jsonl             write policies/refusal.json and say how well it does
"""
EXAMPLES = """\b
Examples:
  loop signals fit refusal labels.jsonl             write policies/refusal.json and say how well it does
  loop signals fit refusal labels.csv --output models/refusal.json
  loop signals fit refusal labels.jsonl --embedder minilm --json

LABELS has one answer a line: question, answer, label (refusal, partial or answer), and optionally model, who answered.
It takes 20 refusals (in full or in part) and 20 answers.
From 400 labels on the model is fitted to them alone, and the question counts: fill it in. Fewer are fitted beside the
shipped examples.
Exit codes: 0 written, 1 error (nothing is written).
"""


@click.group("fit", epilog=GROUP_EXAMPLES)
def command() -> None:
    """Fit a detector to a team's own labels."""


@command.command("refusal", epilog=EXAMPLES)
@click.argument("labels", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Where the model is written; {DEFAULT} in the repository where absent.",
)
@click.option(
    "--embedder",
    "named",
    type=click.Choice(["none", "minilm"]),
    default="none",
    show_default=True,
    help="Sentence embeddings as further features; the policy must name the same embedder.",
)
@json_option
@click.pass_context
def refusal(ctx: click.Context, labels: Path, output: Path | None, named: str, as_json: bool) -> None:
    """Fit the refusal detector to LABELS and the shipped examples, cross-validate it, and write the model."""
    from runner.signals.refusal import fitting
    from runner.signals.refusal.detector import Detector
    from runner.signals.refusal.labels import read

    own = read(labels)
    _demand_enough(own, labels)
    path = output or find_root(ctx) / DEFAULT
    _make_room(path)
    embedder = _embedder(named)
    asked, answers = [row.question for row in own], [row.answer for row in own]
    shipped = Detector.load().probabilities(asked, answers)
    fitted = fitting.cross_validated(own, embedder)
    model = fitting.fit(own, embedder)
    found = {"shipped": _measured(own, shipped), "fitted": _measured(own, fitted)}
    _write(path, model)
    if as_json:
        click.echo(json.dumps(_to_json(path, model, own, found), indent=2, ensure_ascii=False))
    else:
        click.echo(_to_text(path, ctx, own, found))


def _demand_enough(own: tuple[Labelled, ...], path: Path) -> None:
    """Raise TerminalError where there are fewer than `LEAST` labels of a kind."""
    refusals = sum(row.refuses for row in own)
    if min(refusals, len(own) - refusals) < LEAST:
        raise terminal(
            f"too few labels to fit a model: {path}",
            f"it holds {refusals} refusals (in full or in part) and {len(own) - refusals} answers;"
            f" it takes {LEAST} of each",
            fix="label more answers, or keep the shipped model, which needs no labels; nothing was written",
        )


def _embedder(named: str) -> Embedder | None:
    if named == "none":
        return None
    from runner.embedding import MiniLM

    return MiniLM()


def _measured(own: tuple[Labelled, ...], probabilities: NDArray[Any]) -> Measured:
    import numpy as np

    from runner.signals.refusal.fitting import measured

    return measured(np.array([row.refuses for row in own]), probabilities >= 0.5)


def _make_room(path: Path) -> None:
    """Make the folder of a file, so that a wrong place is told before the work. Raises TerminalError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise terminal(f"the model cannot be written: {path}: {in_words(error)}") from error


def _write(path: Path, model: Linear) -> None:
    """Write the model beside its place, then put it there. Raises TerminalError."""
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_text(model.to_json(), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise terminal(f"the model cannot be written: {path}: {in_words(error)}") from error


def _to_json(
    path: Path, model: Linear, own: tuple[Labelled, ...], found: dict[str, Measured]
) -> dict[str, Any]:
    return {
        "output": str(path),
        "digest": model.digest,
        "labels": len(own),
        "refusals": sum(row.refuses for row in own),
        "embedder": model.embedder,
        "measured": {
            name: {"f1": one.f1, "precision": one.precision, "recall": one.recall}
            for name, one in found.items()
        },
    }


def _to_text(path: Path, ctx: click.Context, own: tuple[Labelled, ...], found: dict[str, Measured]) -> str:
    refusals = sum(row.refuses for row in own)
    apart = "question and model" if len({row.model for row in own}) > 1 else "question"
    lines = [
        f"{len(own)} labels, {refusals} of them refusals (in full or in part)",
        "",
        f"{'model':<10}{'F1':>8}{'precision':>11}{'recall':>8}",
        *(
            f"{name:<10}{_share(one.f1):>8}{_share(one.precision):>11}{_share(one.recall):>8}"
            for name, one in found.items()
        ),
        "",
        f"fitted: cross-validated, no {apart} of an answer that is scored was in the fit",
        f"written: {path}",
        f"use it: signals.refusal_rate.detector.model: {_named(path, ctx)} in policies/signals.yaml",
    ]
    if min(refusals, len(own) - refusals) < FEW:
        lines.append(f"note: fewer than {FEW} labels of one kind; these figures may be off by a lot")
    return "\n".join(lines)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _named(path: Path, ctx: click.Context) -> str:
    """Return the path as a policy names it: from the repository's root where it lies inside."""
    from runner.errors import TerminalError

    try:
        return path.resolve().relative_to(find_root(ctx)).as_posix()
    except (ValueError, TerminalError):
        return str(path)
