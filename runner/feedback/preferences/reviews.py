"""What reviewers have settled, as the data sets ask for it: whether an answer to a conversation was called good or bad.

Nothing of a task on which reviewers agree too little is found here (`labels.Settled.of`). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from runner.feedback.labels import Resolved, Settled
from runner.feedback.labels.items import as_voted, preference_id
from runner.feedback.preferences.likeness import fold
from runner.feedback.preferences.pairs import talk
from runner.feedback.records import Ballot, Choice, Messages, Record, Task

GOOD, BAD = "good", "bad"
_Said = tuple[str, str]


class Reviews:
    """The settled labels over what was collected."""

    def __init__(self, settled: Settled, records: Sequence[Record], ballots: Sequence[Ballot]) -> None:
        self.settled = settled
        self._bad = frozenset(self._texts(BAD, records, ballots))
        self._good = frozenset(self._texts(GOOD, records, ballots))

    def of(self, item: str, task: Task) -> Resolved | None:
        """Return what reviewers settled about an item, None where nothing may be used."""
        found = self.settled.of(item, task)
        return found if isinstance(found, Resolved) else None

    def bad(self, prompt: Messages, answer: str) -> bool:
        """Return whether they called this very answer to this very conversation bad."""
        return (fold(talk(prompt)), fold(answer)) in self._bad

    def good(self, prompt: Messages, answer: str) -> bool:
        """Return whether they called it good."""
        return (fold(talk(prompt)), fold(answer)) in self._good

    def preferred(self, ballot: Ballot) -> Choice | None:
        """Return which of a ballot's answers they prefer, by its own sides; None where they said nothing usable."""
        found = self.of(preference_id(ballot), Task.PREFERENCE)
        return as_voted(ballot, found.value) if found else None

    def _texts(self, value: str, records: Iterable[Record], ballots: Iterable[Ballot]) -> Iterator[_Said]:
        for record in records:
            if self._said(record.id, Task.ANSWER) == value:
                yield fold(talk(record.prompt)), fold(record.answer)
            if record.correction and self._said(record.id, Task.CORRECTION) == value:
                yield fold(talk(record.prompt)), fold(record.correction)
        for ballot in ballots:
            if ballot.correction and self._said(ballot.id, Task.CORRECTION) == value:
                yield fold(talk(ballot.prompt)), fold(ballot.correction)

    def _said(self, item: str, task: Task) -> str | None:
        found = self.of(item, task)
        return found.value if found else None
