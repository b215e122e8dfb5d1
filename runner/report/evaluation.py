"""What `loop evaluate` shows of an evaluation: lines for a terminal, and Markdown for a pull request.

Reads the values of evaluation.json, so that a report of last month is shown as it was made. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from runner import digest
from runner.report import figures
from runner.spec.metric import METRICS
from runner.spec.quantity import Dimension

Values = Mapping[str, Any]

MARKER: Final = "<!-- loop evaluate -->"
"""First line of the Markdown, by which the one comment of a pull request is found again."""
SAMPLES: Final = 5
"""Answers of a suite that are shown side by side."""
SLOWEST: Final = 5
_SAYS: Final = {
    "PASS": "every gate passed",
    "FAIL": "a gate failed: this version must not be promoted",
    "INCONCLUSIVE": "nothing failed, and not everything is proven: this version is not promoted",
    "ERROR": "a suite could not be carried through: nothing is decided",
}
_RANK: Final = ("ERROR", "FAIL", "INCONCLUSIVE", "PASS")


def to_text(report: Values) -> str:
    """Return an evaluation for a terminal."""
    rows = [("gate", "verdict", "condition", "evidence")]
    rows += [(each["gate"], each["verdict"], each["condition"], each["evidence"]) for each in _gates(report)]
    lines = [f"{report['version']} against {report['against']['name']}: {_verdict(report)}"]
    lines += figures.table(rows) if report["gates"] else ["  no gate belongs to these suites"]
    lines += [f"  {suite['suite']}: {suite['error']}" for suite in report["suites"] if suite["error"]]
    return "\n".join(lines)


def to_markdown(report: Values) -> str:
    """Return an evaluation as Markdown."""
    return "\n".join(_markdown(report)).rstrip() + "\n"


def _markdown(report: Values) -> Iterator[str]:
    yield from (MARKER, f"# Evaluation of {report['version']}", "")
    yield from (f"**{report['verdict']}**: {_SAYS[report['verdict']]}.", "")
    yield from ("## Gates", "")
    head = ("gate", "verdict", "condition", "measured")
    yield from _table(
        [
            head,
            *((g["gate"], g["verdict"], f"`{g['condition']}`", _text(g["evidence"])) for g in _gates(report)),
        ]
    )
    parent = report["against"]["name"]
    yield from ("", "## Figures", "")
    yield from _table([("suite", "metric", report["version"], parent, "of what"), *_figures(report)])
    for suite in report["suites"]:
        yield from _samples(suite, report["version"], parent)
    yield from _slowest(report)
    yield from ("## How it was made", "", *_origin(report), "")


def _verdict(report: Values) -> str:
    return f"{report['verdict']}: {_SAYS[report['verdict']]}"


def _gates(report: Values) -> list[Values]:
    """Return the gates, the worst first."""
    return sorted(report["gates"], key=lambda each: _RANK.index(each["verdict"]))


def _figures(report: Values) -> Iterator[tuple[str, ...]]:
    for suite in report["suites"]:
        parents = {each["metric"]: each for each in suite["baseline"]}
        if suite["error"]:
            yield suite["suite"], "not measured", _text(suite["error"]), figures.NOTHING, ""
        for each in suite["measured"]:
            both = (measure(each), measure(parents.get(each["metric"])))
            yield suite["suite"], each["metric"], *both, _text(each["about"])


def _samples(suite: Values, version: str, parent: str) -> Iterator[str]:
    """Yield answers of both versions where one is better: what was lost first, then what was won."""
    lost = [row for row in suite["rows"] if _outcome(suite, row) == "lost"]
    won = [row for row in suite["rows"] if _outcome(suite, row) == "won"]
    if not lost and not won:
        return
    yield from ("", f"## {suite['suite']}: where the two differ", "")
    yield from (f"{version} lost {len(lost)} and won {len(won)} of the questions.", "")
    head = ("", "question", version, parent, "note")
    cells = [
        (sign, *(_text(row[name] or "") for name in ("question", "answer", "parent_answer", "note")))
        for sign, rows in (("lost", lost), ("won", won))
        for row in rows[:SAMPLES]
    ]
    yield from _table([head, *cells])


def _outcome(suite: Values, row: Values) -> str:
    """Return `won` or `lost` for the candidate: as a comparison says, else where one version alone is right."""
    if suite["kind"] == "win_rate":
        return str(row["note"])
    known = row["right"], row["parent_right"]
    return {(True, False): "won", (False, True): "lost"}.get(known, "")


def _slowest(report: Values) -> Iterator[str]:
    timed = [row for suite in report["suites"] for row in suite["rows"] if row["seconds"] is not None]
    if not timed:
        return
    slowest = sorted(timed, key=lambda row: -row["seconds"])[:SLOWEST]
    yield from ("", "## Slowest answers under load", "")
    yield from _table(
        [
            ("took", "question", "answer"),
            *(
                (figures.seconds(row["seconds"]), _text(row["question"]), _text(row["note"] or row["answer"]))
                for row in slowest
            ),
        ]
    )
    yield ""


def _origin(report: Values) -> Iterator[str]:
    against = report["against"]
    whose = f"`{digest.short(against['digest'])}`" if against["digest"] else "the base model"
    yield f"- version: {report['version']}, `{digest.short(report['digest'])}`"
    yield f"- compared with: {against['name']}, {whose}"
    yield f"- engine: vLLM {report['engine']}, environment {report['environment']}, base {report['base']}"
    yield f"- revision: `{report['revision'] or 'none'}`; {report['at']}, {figures.duration(report['seconds'])}"
    yield from (f"- data: {name} `{value}`" for name, value in sorted(report["dataset_hashes"].items()))
    command = (
        f"loop evaluate {report['version']} --environment {report['environment']} --against {against['name']}"
    )
    yield f"- again: `{command}`; answers are greedy; an engine may round single ones otherwise"
    yield "- intervals: each end is wrong with a chance of at most its gate's alpha"


def measure(each: Values | None) -> str:
    """Return a measured value with its interval and count, in the metric's unit; a dash where there is none."""
    if each is None or each["value"] is None:
        return figures.NOTHING
    value, low, high = (_number(each["metric"], each[end]) for end in ("value", "low", "high"))
    if each["low"] == each["high"]:
        return value if each["low"] is None else f"{value} (n={each['n']})"
    return figures.spread(value, low, high, each["n"])


def _number(metric: str, value: float | None) -> str:
    """Return a number in the unit of a metric; one that conditions cannot name may be part of one that they can."""
    if value is None:
        return "?"
    known = METRICS.get(metric.partition(".")[0]) or METRICS.get(metric.partition("_")[0])
    match known.dimension if known else None:
        case Dimension.RATIO:
            return figures.share(value)
        case Dimension.DURATION:
            return figures.seconds(value)
        case _:
            return f"{value:.4g}"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"

    yield line(rows[0])
    yield f"|{' --- |' * len(rows[0])}"
    yield from (line(row) for row in rows[1:])


def _text(words: str) -> str:
    """Return what a user or a model wrote as it is read, never as markup, in one line of bounded length."""
    plain = figures.line(words).replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;")
    for sign in "`*_[]~@":
        plain = plain.replace(sign, f"\\{sign}" if sign != "@" else "&#64;")
    return plain
