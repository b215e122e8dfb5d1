"""Every text of a record, a ballot or a label without personal data, masked together so that names stay the same.

Called by `extract` with a `Scrubber`. What may not be used even masked comes back as the entities that forbid it. Pure
but for the scrubber.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runner.feedback.extraction.rules import Scrubber
from runner.feedback.extraction.words import whole
from runner.feedback.records import Ballot, Label, Messages, Record


@dataclass(frozen=True, slots=True)
class Excluded:
    """A conversation that goes into no data set, and the entities in it that forbid it."""

    entities: tuple[str, ...]


def record(of: Record, scrubber: Scrubber) -> Record | Excluded:
    """Return a record with masked texts."""
    texts = [*_contents(of.prompt), of.answer, of.correction, of.other]
    found = _scrub(texts, of.language, scrubber)
    if isinstance(found, Excluded):
        return found
    count = len(of.prompt)
    answer, correction, other = found.texts[count:]
    prompt = _with(of.prompt, found.texts)
    return replace(
        of, prompt=prompt, answer=answer or "", correction=correction, other=other, masked=found.counts
    )


def ballot(of: Ballot, scrubber: Scrubber) -> Ballot | Excluded:
    """Return a ballot with masked texts."""
    texts = [*_contents(of.prompt), of.left.text, of.right.text, of.reason, of.correction]
    found = _scrub(texts, of.language, scrubber)
    if isinstance(found, Excluded):
        return found
    left, right, reason, correction = found.texts[len(of.prompt) :]
    return replace(
        of,
        prompt=_with(of.prompt, found.texts),
        left=replace(of.left, text=left or ""),
        right=replace(of.right, text=right or ""),
        reason=reason,
        correction=correction,
        masked=found.counts,
    )


def label(of: Label, language: str, scrubber: Scrubber) -> Label | Excluded:
    """Return a label with masked texts."""
    found = _scrub([of.correction, of.comment], language, scrubber)
    if isinstance(found, Excluded):
        return found
    correction, comment = found.texts
    return replace(of, correction=correction, comment=comment)


@dataclass(frozen=True, slots=True)
class _Masked:
    """Texts, None where there was none, and how often each entity was masked."""

    texts: tuple[str | None, ...]
    counts: dict[str, int]


def _scrub(texts: Sequence[str | None], language: str, scrubber: Scrubber) -> _Masked | Excluded:
    there = [whole(text) for text in texts if text is not None]
    if not any(there):
        return _Masked(tuple(texts), {})
    found = scrubber.scrub(there, language)
    if found.excluded:
        return Excluded(tuple(found.excluded))
    masked = iter(found.texts)
    counts = dict(sorted(found.counts.items()))
    return _Masked(tuple(None if text is None else next(masked) for text in texts), counts)


def _contents(prompt: Messages) -> list[str]:
    return [each["content"] for each in prompt]


def _with(prompt: Messages, texts: Sequence[str | None]) -> Messages:
    return tuple(
        {"role": each["role"], "content": text or ""} for each, text in zip(prompt, texts, strict=False)
    )
