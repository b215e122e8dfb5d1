"""What judging a point gives: findings, each with a verdict, what it rests on and where that stands. Values only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from runner.evaluation.results import worst
from runner.spec.model import GateVerdict


class Area(StrEnum):
    """The three parts of the checklist."""

    GRADUATION = "graduation"
    SAFETY = "deployment safety"
    MONITORING = "monitoring"


class Where(StrEnum):
    """What a link leads to."""

    PAGE = "page"
    """A URL."""
    FILE = "file"
    """A path of the repository, with a line where one is meant."""
    COMMIT = "commit"
    JOURNAL = "journal"
    """The number of an entry: `loop log -n 0 --json`."""
    EVENTS = "events"
    """Events of the log: how many of which kind, and their span."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where a piece of evidence stands."""

    kind: Where
    where: str

    def __str__(self) -> str:
        match self.kind:
            case Where.PAGE | Where.FILE:
                return self.where
            case Where.COMMIT:
                return f"commit {self.where[:12]}"
            case Where.JOURNAL:
                return f"journal {self.where}"
            case Where.EVENTS:
                return f"events: {self.where}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a point wants: whether it is shown, by what, and where that stands.

    `next` is what would show it, a command where there is one; "" for what passes.
    """

    wants: str
    verdict: GateVerdict
    says: str
    links: tuple[Link, ...] = ()
    next: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the checklist; `id` is for programs."""

    id: str
    area: Area
    wants: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> GateVerdict:
        """That of the worst finding: ERROR, FAIL, INCONCLUSIVE; PASS only where every one passes."""
        return worst(each.verdict for each in self.findings)


@dataclass(frozen=True, slots=True)
class Checked:
    """The whole checklist of one environment at a time, at the revision whose files were read."""

    environment: str
    at: float
    revision: str
    points: tuple[Point, ...]

    @property
    def verdict(self) -> GateVerdict:
        """That of the worst point."""
        return worst(each.verdict for each in self.points)


def graduates(name: str, wants: str, findings: Iterable[Finding]) -> Point:
    """Return one of the eight points."""
    return Point(name, Area.GRADUATION, wants, tuple(findings))


def shown(wants: str, says: str, *links: Link) -> Finding:
    """Return a finding that passes."""
    return Finding(wants, GateVerdict.PASS, says, links)


def refuted(wants: str, says: str, then: str, *links: Link) -> Finding:
    """Return a finding of something that is not as it has to be."""
    return Finding(wants, GateVerdict.FAIL, says, links, then)


def missing(wants: str, says: str, then: str, *links: Link) -> Finding:
    """Return a finding of what nothing shows yet."""
    return Finding(wants, GateVerdict.INCONCLUSIVE, says, links, then)


def unseen(wants: str, why: str, then: str, *links: Link) -> Finding:
    """Return a finding of what could not be looked at."""
    return Finding(wants, GateVerdict.ERROR, f"could not look: {why}", links, then)


def file(where: str) -> Link:
    """Return a link to a path, or PATH:LINE."""
    return Link(Where.FILE, where)


def commit(sha: str) -> Link:
    """Return a link to a commit."""
    return Link(Where.COMMIT, sha)


def entry(number: int) -> Link:
    """Return a link to an entry of the journal."""
    return Link(Where.JOURNAL, str(number))


def page(url: str) -> Link:
    """Return a link to a page."""
    return Link(Where.PAGE, url)


def events(text: str) -> Link:
    """Return a link to events: how many, of what, from when to when."""
    return Link(Where.EVENTS, text)
