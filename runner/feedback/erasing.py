"""Takes people who are forgotten, and what is too old, out of `datasets/collected/`.

`loop forget` calls it when the log is clean, and `loop data collect` at its end, also where the log has nothing: so
nothing of them stays in the folder, be it from an earlier day, pulled from elsewhere, or written by somebody who read
the log before they were forgotten. What was made of something that goes, goes with it: labels, and synthetic pairs.
The folder changes as a whole; its manifest says how many lines were taken out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from runner.events.forgotten import Forgotten
from runner.feedback import collected
from runner.feedback.collected import LABELS, RECORDS, SYNTHETIC, VOTES, Collected
from runner.feedback.labels.items import judgeable
from runner.feedback.records import Ballot, Label, Record


@dataclass(frozen=True, slots=True)
class Unwanted:
    """What is to go: everything of some people, and what is too old; times are microseconds since 1970 UTC."""

    who: Forgotten
    content_us: int = 0
    """Questions and answers go that are from before."""
    feedback_us: int = 0
    """Votes and labels go that are from before; so do records that hold what their user said of the answer."""

    def record(self, each: Record) -> bool:
        """Return whether a record is to go."""
        told = any(value is not None for value in (each.correction, each.thumbs, each.rating))
        until_us = max(self.content_us, self.feedback_us) if told else self.content_us
        mine = self.who.includes(each.user, each.at_us) or each.id in self.who.traces.items
        return mine or each.at_us < until_us

    def ballot(self, each: Ballot) -> bool:
        """Return whether a vote is to go: theirs, or about their answers."""
        about = {each.left.response, each.right.response} & self.who.traces.responses
        return bool(about) or self.who.includes(each.user, each.at_us) or each.at_us < self.feedback_us

    def label(self, each: Label) -> bool:
        """Return whether a label is to go, whatever becomes of what it is about."""
        mine = self.who.includes(each.user, each.at_us) or each.item in self.who.traces.items
        return mine or each.at_us < self.feedback_us


def without(content: Collected, unwanted: Unwanted) -> Collected:
    """Return what was collected without what is to go and the labels on it; synthetic pairs apart."""
    records = tuple(each for each in content.records if not unwanted.record(each))
    ballots = tuple(each for each in content.ballots if not unwanted.ballot(each))
    items = judgeable(records, ballots)
    labels = tuple(each for each in content.labels if each.item in items and not unwanted.label(each))
    return replace(content, records=records, ballots=ballots, labels=labels)


def erase(folder: Path, unwanted: Unwanted) -> Mapping[str, int]:
    """Take out of a folder what is to go; return how many lines of which file that was, nothing where there is none.

    A crash leaves the old folder, or the new one; where nothing is to go it is not touched. Raises TerminalError where
    the folder is damaged, TransientError where somebody else writes beside it, OSError.
    """
    if not collected.is_there(folder):
        return {}
    now = collected.read(folder)
    if not _lost(folder, now, without(now, unwanted)):
        return {}
    lost: Mapping[str, int] = {}

    def change(before: Collected) -> Collected:
        nonlocal lost
        after = without(before, unwanted)
        lost = _lost(folder, before, after)
        return collected.noting(after, lost)

    collected.edit(folder, change)
    return lost


def _lost(folder: Path, before: Collected, after: Collected) -> dict[str, int]:
    """Return how many lines of which file go."""
    lost = {
        RECORDS: len(before.records) - len(after.records),
        VOTES: len(before.ballots) - len(after.ballots),
        LABELS: len(before.labels) - len(after.labels),
        SYNTHETIC: collected.orphans(folder, after),
    }
    return {name: count for name, count in lost.items() if count}
