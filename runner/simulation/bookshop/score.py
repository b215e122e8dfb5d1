"""Judge answers and sum them up: `python -m runner.simulation.bookshop.score ANSWERS SUITES --out REPORT`.

The evaluation stage of `dvc.yaml`. Reads the suites (JSON lines of `questions`) and the answers (`suite`,
`id`, `answer`), asks the oracle, and writes one report: shares in [0, 1] and counts, for each suite,
language, category.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import terminal
from runner.simulation.bookshop.oracle import Verdict, judge
from runner.simulation.bookshop.questions import Question, from_json


@dataclass(frozen=True, slots=True)
class Judged:
    """A question with the answer that was given and what it is worth."""

    question: Question
    answer: str
    verdict: Verdict


def judged(questions: Iterable[Question], answers: dict[str, str]) -> list[Judged]:
    """Judge every question's answer. Raises TerminalError where one has none: no data, no verdict."""
    asked = list(questions)
    missing = [question.id for question in asked if question.id not in answers]
    if missing:
        raise terminal(f"{len(missing)} of {len(asked)} questions have no answer", f"the first: {missing[0]}")
    return [Judged(q, answers[q.id], judge(q, answers[q.id])) for q in asked]


def report(results: list[Judged]) -> dict[str, Any]:
    """Sum up one suite: share right overall, by language, category and trait, and how refusals went."""
    out_of_scope = [r for r in results if r.question.expected is None]
    in_scope = [r for r in results if r.question.expected is not None]
    return {
        "questions": len(results),
        "right": _share(results),
        "right_in_scope": _share(in_scope),
        "refused_rightly": _share(out_of_scope),
        "refused_wrongly": sum(r.verdict is Verdict.REFUSED_WRONGLY for r in results),
        "mean_characters": round(sum(len(r.answer) for r in results) / len(results), 1),
        "language": _by(results, lambda q: q.language.value),
        "category": _by(results, lambda q: q.category),
        "trait": _by(results, lambda q: q.trait),
    }


def _share(results: list[Judged]) -> float | None:
    return round(sum(r.verdict.good for r in results) / len(results), 4) if results else None


def _by(results: list[Judged], key: Callable[[Question], str]) -> dict[str, float | None]:
    names = sorted({key(r.question) for r in results})
    return {name: _share([r for r in results if key(r.question) == name]) for name in names}


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the JSON lines of a file. Raises OSError and ValueError."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def main() -> None:
    """Read the options, judge, write the report."""
    options = argparse.ArgumentParser(
        prog="python -m runner.simulation.bookshop.score", description="judge answers"
    )
    options.add_argument("answers", type=Path)
    options.add_argument("suites", type=Path, nargs="+")
    options.add_argument("--out", type=Path, required=True)
    chosen = options.parse_args()
    given: dict[str, dict[str, str]] = {}
    for row in read_lines(chosen.answers):
        given.setdefault(row["suite"], {})[row["id"]] = row["answer"]
    found = {
        path.stem: report(judged(map(from_json, read_lines(path)), given.get(path.stem, {})))
        for path in chosen.suites
    }
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for suite, each in found.items():
        print(f"{suite}: {each['right']:.1%} of {each['questions']} right")


if __name__ == "__main__":
    main()
