"""The lines of the data sets, as TRL reads them: conversations are lists of `{role, content}`.

Preferences have prompt, chosen and rejected; thumbs have prompt, completion and label; corrections have question and
answer, and the whole conversation as messages; cases have question and answer. Beside these every line says from what
it was made, and of which category and language it is. Nobody's keyed hash stands in a line. Pure.
"""

from __future__ import annotations

from typing import Any

from runner.feedback.datasets.corrections import Chosen
from runner.feedback.datasets.thumbs import Thumb
from runner.feedback.preferences.pairs import Pair
from runner.feedback.records import Messages, question

Row = dict[str, Any]


def of_pair(pair: Pair) -> Row:
    """Return a line of `preferences.jsonl`."""
    return {
        "id": pair.id,
        "category": pair.category,
        "language": pair.language,
        "prompt": _messages(pair.prompt),
        "chosen": _answer(pair.chosen),
        "rejected": _answer(pair.rejected),
        "synthetic": pair.synthetic,
        "origin": pair.origin.value,
        "votes": pair.votes,
        "chosen_version": pair.versions[0],
        "rejected_version": pair.versions[1],
        "sources": list(pair.sources),
    }


def of_correction(chosen: Chosen) -> Row:
    """Return a line of `corrections.jsonl`; `question` is the last thing that was asked, `messages` is all."""
    correction = chosen.correction
    return {
        "id": f"correction-{chosen.key}",
        "question": question(correction.prompt),
        "answer": correction.answer,
        "category": correction.category,
        "language": correction.language,
        "messages": [*_messages(correction.prompt), *_answer(correction.answer)],
        "accepted": correction.say.name.lower(),
        "sources": list(chosen.sources),
    }


def of_case(chosen: Chosen) -> Row:
    """Return a line of `cases.jsonl`."""
    correction = chosen.correction
    return {
        "id": f"case-{chosen.key}",
        "question": question(correction.prompt),
        "answer": correction.answer,
        "category": correction.category,
        "language": correction.language,
        "accepted": correction.say.name.lower(),
        "sources": list(chosen.sources),
    }


def of_thumb(thumb: Thumb) -> Row:
    """Return a line of `thumbs.jsonl`."""
    record = thumb.record
    return {
        "id": f"thumb-{thumb.key}",
        "category": record.category,
        "language": record.language,
        "prompt": _messages(record.prompt),
        "completion": _answer(record.answer),
        "label": thumb.good,
        "votes": thumb.votes,
        "version": record.version,
        "sources": list(thumb.sources),
    }


def _messages(prompt: Messages) -> list[dict[str, str]]:
    return [{"role": message["role"], "content": message["content"]} for message in prompt]


def _answer(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]
