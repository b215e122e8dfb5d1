"""What `loop data lineage` shows: the steps of the way in order, and where it is broken. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from runner import digest
from runner.feedback.snapshot.lineage import Link, Step
from runner.report import figures

STEPS: Final = {
    Step.EVENT: "what somebody said",
    Step.REQUEST: "the answers it is about",
    Step.COLLECTED: "what was collected",
    Step.LABEL: "what reviewers said",
    Step.CHECKS: "what the checks said",
    Step.ROW: "rows of the snapshot",
    Step.FILE: "files",
    Step.COMMIT: "the commit",
    Step.VERSION: "versions trained on it",
}
"""Each step in words."""
_TIMES = ("event.time", "at_us")


def to_text(links: Sequence[Link]) -> str:
    """Return the way for a terminal."""
    return "\n".join(_lines(links))


def to_json(links: Sequence[Link]) -> list[dict[str, Any]]:
    """Return it as plain JSON values; times in microseconds since 1970 UTC."""
    return [asdict(link) for link in links]


def _lines(links: Sequence[Link]) -> Iterator[str]:
    for step, words in STEPS.items():
        own = [link for link in links if link.step is step]
        if own:
            yield words
        for link in own:
            told = {name: value for name, value in link.facts.items() if value not in ({}, [], "")}
            facts = ", ".join(f"{_name(name)} {_value(name, value)}" for name, value in told.items())
            yield f"  {link.id}  {facts}".rstrip()
            for name, text in link.texts.items():
                yield f"    {name + ':':<10}{figures.line(text)}"
            if link.broken:
                yield f"    BROKEN: {link.broken}"


def _name(name: str) -> str:
    return "at" if name in _TIMES else name.removeprefix("loop.").removeprefix("gen_ai.")


def _value(name: str, value: Any) -> str:
    match value:
        case _ if name in _TIMES:
            return figures.moment(value / 1e6)
        case str() if name.endswith("digest"):
            return digest.short(value)
        case Mapping():
            told = ", ".join(
                f"{key} {_value(key, each)}" for key, each in value.items() if each not in ("", {})
            )
            return f"({told})"
        case list():
            return ", ".join(map(str, value)) or figures.NOTHING
        case _:
            return str(value) if value != "" else figures.NOTHING
