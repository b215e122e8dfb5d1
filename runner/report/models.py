"""What `loop models` shows: the table of versions, one version in full, and two of them side by side.

Formats what was gathered elsewhere; decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from runner import digest
from runner.registry.comparison import Comparison, Difference, Figure, Pair, Record, figures_of
from runner.registry.lineage import Node
from runner.registry.places import Place
from runner.report import figures, markdown
from runner.spec.model import GateVerdict, ModelFile
from runner.spec.quarantine import Quarantined

MAIN: Final = 3
"""Figures that stand in a line of the table."""
_PREFERRED: Final = ("regression_accuracy", "win_rate", "refusal_accuracy")
"""Metrics that come first among those, by what they end in."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A version with what is known of it.

    `places` are its roles by what Git says; `live` is environment -> what the runner there said last. `required` are
    the policy's gates. `bytes_here` is how DVC finds the weights here, `tags` those that name it.
    """

    record: Record
    places: tuple[Place, ...]
    quarantined: Quarantined | None
    required: tuple[str, ...]
    live: Mapping[str, str]
    bytes_here: str = ""
    tags: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def model(self) -> ModelFile:
        """Its file."""
        return self.record.model

    @property
    def gates(self) -> str:
        """All required gates in one word: the worst verdict, or why there is none."""
        evaluation = self.model.evaluation
        if evaluation is None:
            return "not evaluated"
        found = [evaluation.gates.get(gate) for gate in self.required]
        if None in found or not found:
            return f"{sum(each is GateVerdict.PASS for each in found)} of {len(found)} PASS"
        for verdict in (GateVerdict.ERROR, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE):
            if verdict in found:
                return verdict.value
        return GateVerdict.PASS.value


def to_text(standings: Sequence[Standing], tree: Sequence[Node]) -> str:
    """Return the table of all versions, as a tree below the base model."""
    known = {each.model.name: each for each in standings}
    rows: list[tuple[str, ...]] = [("version", "type", "data", "trained", "figures", "gates", "serves")]
    for node in tree:
        name = f"{'  ' * node.depth}{node.name}"
        standing = known.get(node.name)
        rows.append((name, "base", *[""] * 5) if standing is None else (name, *_row(standing)))
    lines = [line.rstrip() for line in figures.table(rows, "")]
    lines += [f"{name}: {said}" for each in standings for name, said in _notes(each)]
    return "\n".join(lines)


def to_json(standing: Standing) -> dict[str, Any]:
    """Return a version as plain JSON values."""
    model = standing.model
    return {
        "name": model.name,
        "served": digest.served_name(model.name, model.adapter.digest),
        **model.model_dump(mode="json", exclude={"name"}),
        "figures": {name: asdict(figure) for name, figure in figures_of(standing.record).items()},
        "gates_verdict": standing.gates,
        "places": [asdict(place) for place in standing.places],
        "live": dict(standing.live),
        "quarantined": None if standing.quarantined is None else standing.quarantined.model_dump(mode="json"),
        "bytes": standing.bytes_here or None,
        "tags": list(standing.tags),
        "files": list(standing.files),
    }


def one_to_text(standing: Standing, ancestry: Sequence[str]) -> str:
    """Return one version in full; `ancestry` are its ancestors, the base model first."""
    return "\n".join(_full(standing, ancestry))


def comparison_to_text(found: Comparison) -> str:
    """Return two versions side by side for a terminal."""
    lines = [
        f"{found.other} beside {found.one}: {found.relation}",
        *(f"note: {note}" for note in found.notes),
    ]
    for title, rows in _sections(found):
        lines += ["", title, *(line.rstrip() for line in figures.table(rows))]
    return "\n".join(lines)


def comparison_to_markdown(found: Comparison) -> str:
    """Return two versions side by side as Markdown."""
    lines = [f"## {found.other} beside {found.one}", "", f"{found.relation}.", ""]
    lines += [f"- {markdown.word(note)}" for note in found.notes]
    for title, rows in _sections(found):
        safe = [tuple(markdown.word(cell) for cell in row) for row in rows]
        lines += ["", f"### {title}", "", *markdown.table(safe)]
    return "\n".join(lines) + "\n"


def comparison_to_json(found: Comparison) -> dict[str, Any]:
    """Return it as plain JSON values."""
    pairs = [{**asdict(pair), "change": pair.change, "apart": pair.apart} for pair in found.figures]
    return {**asdict(found), "figures": pairs}


def _row(standing: Standing) -> tuple[str, ...]:
    model = standing.model
    return (
        model.type.value,
        model.training.dataset,
        model.training.date.isoformat(),
        ", ".join(f"{name} {figure.value:.4g}" for name, figure in _main(standing.record)) or figures.NOTHING,
        standing.gates,
        "; ".join(map(str, standing.places)) or figures.NOTHING,
    )


def _main(record: Record) -> list[tuple[str, Figure]]:
    found = figures_of(record)
    first = [name for end in _PREFERRED for name in found if name.endswith(end)]
    names = [*first, *(name for name in found if name not in first)]
    return [(name, found[name]) for name in names[:MAIN]]


def _notes(standing: Standing) -> Iterator[tuple[str, str]]:
    name = standing.model.name
    if standing.quarantined is not None:
        yield name, f"quarantined: {standing.quarantined.condition}, in {standing.quarantined.environment}"
    yield from ((name, f"live in {environment}: {said}") for environment, said in standing.live.items())


def _full(standing: Standing, ancestry: Sequence[str]) -> Iterator[str]:
    model = standing.model
    yield f"{model.name}  {digest.served_name(model.name, model.adapter.digest)}"
    if model.notes:
        yield f"  {figures.line(model.notes)}"
    rows = [
        ("type", f"{model.type.value}, rank {model.adapter.rank}"),
        ("lineage", " -> ".join((*ancestry, model.name))),
        ("recipe", model.training.recipe),
        ("data", f"{model.training.dataset} {model.training.dataset_hash}"),
        ("code", model.training.revision),
        ("trained", model.training.date.isoformat()),
        ("bytes", f"{model.adapter.path}: {standing.bytes_here}"),
        ("gates", standing.gates),
        ("serves", "; ".join(map(str, standing.places)) or "nowhere, by what Git says"),
        ("tags", ", ".join(standing.tags) or f"none: `loop models tag {model.name}`"),
    ]
    yield from (line.rstrip() for line in figures.table(rows))
    yield from (f"  {said}" for _, said in _notes(standing))
    measured = figures_of(standing.record)
    if measured:
        yield from ("", "figures")
        yield from (
            line.rstrip() for line in figures.table([(name, _figure(f)) for name, f in measured.items()])
        )
    if standing.files:
        yield from ("", "files", *(f"  {path}" for path in standing.files))


def _sections(found: Comparison) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    head = ("", found.one, found.other)
    if found.figures:
        rows = [("metric", found.one, found.other, "change", "intervals")]
        yield "figures", [*rows, *map(_pair, found.figures)]
    for title, differences in (
        ("gates", found.gates),
        ("adapter", found.adapter),
        ("recipe", found.recipe),
        ("data", found.data),
    ):
        if differences:
            yield title, [head, *map(_difference, differences)]


def _pair(pair: Pair) -> tuple[str, ...]:
    apart = {True: "apart", False: "overlap", None: figures.NOTHING}[pair.apart]
    change = figures.NOTHING if pair.change is None else f"{pair.change:+.4g}"
    return pair.metric, _figure(pair.one), _figure(pair.other), change, apart


def _figure(figure: Figure | None) -> str:
    if figure is None:
        return figures.NOTHING
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4g}"
    return figures.spread(f"{figure.value:.4g}", f"{figure.low:.4g}", f"{figure.high:.4g}", figure.n or 0)


def _difference(each: Difference) -> tuple[str, ...]:
    return each.what, each.one or figures.NOTHING, each.other or figures.NOTHING
