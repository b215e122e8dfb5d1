"""Masks the texts of one conversation as data sets get them.

Called by extraction, `loop mask` and the privacy benchmark. What is found is kept nowhere and never logged. The engine
and the tagger are loaded when the first text needs them; after that a `Scrubber` only reads, so threads may share it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from runner.events.folding import Folded, fold
from runner.feedback.privacy import addresses, engine, pseudonyms, standing
from runner.feedback.privacy.echoes import echoes
from runner.feedback.privacy.found import Found, Tagged, Tagger
from runner.feedback.privacy.public import Public, nothing
from runner.feedback.privacy.readable import readable
from runner.feedback.privacy.resolution import resolved
from runner.spec.privacy import Entity, PrivacyPolicy, Replacement

_TAGGED = frozenset({Entity.NAME, Entity.PLACE, Entity.ADDRESS})
_NEVER_PUBLIC = frozenset({Entity.EMAIL, Entity.CARD, Entity.IBAN, Entity.NATIONAL_NUMBER})


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """The texts of a conversation without what the policy says."""

    texts: tuple[str, ...]
    counts: Mapping[str, int]
    """Entity -> how often it is masked in the texts, by the gateway or here."""
    excluded: tuple[str, ...]
    """Entities of `exclude_with` that the texts had: the conversation may go into no data set."""


class Scrubber:
    """Finds and masks personal data as a policy says.

    Args:
        policy: which entities are masked, by what, and which of them exclude a conversation.
        public: says of a value that it belongs to nobody in particular (see `public.of_texts`); never asked about
            e-mail addresses, cards, IBANs and national numbers.
        tagger: finds names, places and addresses; the one that ships with the product unless another is given.
    """

    def __init__(self, policy: PrivacyPolicy, public: Public = nothing, tagger: Tagger | None = None) -> None:
        self._policy = policy
        self._public = public
        self._tagger = tagger or _shipped
        self._masked = frozenset(policy.entities)
        self._sought = self._masked | frozenset(policy.exclude_with)

    def find(self, text: str, language: str) -> list[Found]:
        """Return what the policy wants masked in one text, from left to right, without overlaps.

        `language` is `en` or `ko`; the recognisers look for both, and the tagger may go by it.
        """
        seen = readable(text)
        found = sorted((*self._find(seen.text, language), *standing.extensions(seen.text)))
        return _moved(seen, [each for each in found if each.entity in self._masked])

    def scrub(self, texts: Sequence[str], language: str) -> Scrubbed:
        """Mask the texts of one conversation together: one value has one pseudonym in all of them.

        Placeholders stay as they are; control characters do not (see `readable`). Scrubbing what was scrubbed changes
        nothing, as far as the tagger says the same of a name with and without its neighbours.
        """
        texts = [self._cleaned(text) for text in texts]
        found = echoes(texts, [self._find(text, language) for text in texts])
        there = [list(pseudonyms.placeholders(text)) for text in texts]
        seen = {each.entity for row in (*found, *there) for each in row}
        masked = [[each for each in row if each.entity in self._masked] for row in found]
        counts = Counter(each.entity.value for row in (*masked, *there) for each in row)
        return Scrubbed(
            texts=self._replaced(texts, masked, there),
            counts=dict(sorted(counts.items())),
            excluded=tuple(entity.value for entity in self._policy.exclude_with if entity in seen),
        )

    def _cleaned(self, text: str) -> str:
        clean = readable(text).text
        return standing.without_extensions(clean) if Entity.PHONE in self._masked else clean

    def _replaced(
        self, texts: Sequence[str], found: Sequence[list[Found]], there: Sequence[list[Found]]
    ) -> tuple[str, ...]:
        if self._policy.replacement is Replacement.TAG:
            return tuple(
                _filled(text, [(each, f"<{each.entity.value}>") for each in sorted((*row, *old))])
                for text, row, old in zip(texts, found, there, strict=True)
            )
        values = [
            (each.entity, text[each.start : each.end])
            for text, row in zip(texts, found, strict=True)
            for each in row
        ]
        chosen = pseudonyms.chosen(values, pseudonyms.highest(texts))
        return tuple(
            _filled(text, [(each, chosen[each.entity, text[each.start : each.end]]) for each in row])
            for text, row in zip(texts, found, strict=True)
        )

    def _find(self, text: str, language: str) -> list[Found]:
        folded = fold(text)
        blotted = standing.blotted(folded.text)
        found = list(engine.structured(blotted, self._sought))
        if self._sought & _TAGGED:
            found += self._tags(standing.told(folded.text), language)
        found += addresses.completed(blotted, tuple(found))
        found = list(standing.around(blotted, found, standing.placed(folded.text)))
        kept = [
            each
            for each in resolved(blotted, found)
            if each.entity in _NEVER_PUBLIC or not self._public(folded.text[each.start : each.end])
        ]
        return _moved(folded, kept)

    def _tags(self, text: str, language: str) -> Iterator[Found]:
        for start, end in engine.pieces(text):
            for tag in self._tagger(text[start:end], language):
                if tag.entity in self._sought and tag.entity in _TAGGED:
                    yield Found(start + tag.start, start + tag.end, Entity(tag.entity), tag.score)


def _shipped(text: str, language: str) -> Iterable[Tagged]:
    from runner.feedback.privacy.tagger import spans

    return spans(text, language)


def _moved(seen: Folded, found: Sequence[Found]) -> list[Found]:
    """Return what was found in a copy where it lies in the text as it was given."""
    places = seen.origin([place for each in found for place in (each.start, each.end)])
    return [
        Found(start, end, each.entity, each.score)
        for each, start, end in zip(found, places[::2], places[1::2], strict=True)
    ]


def _filled(text: str, replacements: Iterable[tuple[Found, str]]) -> str:
    """Return a text with something else in some places, which stand in order and do not overlap."""
    parts: list[str] = []
    done = 0
    for each, replacement in replacements:
        parts += (text[done : each.start], replacement)
        done = each.end
    return "".join(parts) + text[done:]
