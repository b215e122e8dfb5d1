"""Who took part in an experiment, and what came of each session: its first request, and its first rating.

Called by `experiments`. Sessions are what is counted, since a user keeps his version and one user's hundred
failures are one mishap. Computation only: events in, values out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner.signals.detection import SHIPPED, Detection
from runner.signals.text import spoken

Event = Mapping[str, Any]

WORST, BEST = 1.0, 5.0
"""The ends of the scale of ratings."""


@dataclass(frozen=True, slots=True)
class Design:
    """An experiment as declared; `weights` are the versions' shares in their order, `groups` empty means all."""

    id: str
    name: str
    versions: tuple[str, ...]
    weights: tuple[float, ...]
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """The first request of a session, and its first rating; None where there is nothing to count.

    `latency` in seconds of an answer that the version itself gave, `badness` 0 for the best rating and 1 for the
    worst.
    """

    version: str
    user: str
    group: str
    at: float
    error: bool
    latency: float | None
    badness: float | None
    refused: bool | None


def read(  # noqa: PLR0913 - three kinds of events, and what is read of them
    design: Design,
    requests: Iterable[Event],
    feedback: Iterable[Event],
    contents: Iterable[Event],
    gap: float,
    *,
    detection: Detection = SHIPPED,
) -> list[Session]:
    """Return the sessions of an experiment in the order in which they began.

    Raises TerminalError where the model that tells refusals cannot be used.
    """
    ours = sorted(
        (event for event in requests if _takes_part(design, event)), key=lambda event: event["event.time"]
    )
    said = {event["loop.request.id"]: event for event in contents}
    rated = _ratings(feedback)
    last: dict[str, float] = {}
    found: list[Session] = []
    begun: list[Event] = []
    place: dict[str, int] = {}
    for event in ours:
        user, at = event["loop.user"], event["event.time"] / 1e6
        key = f"{user}/{event.get('loop.session') or ''}"
        if key not in last or at - last[key] > gap:
            place[key] = len(found)
            found.append(_session(event))
            begun.append(event)
        last[key] = at
        session, rating = found[place[key]], rated.get((event.get("gen_ai.response.id"), user))
        if rating is not None and session.badness is None:
            found[place[key]] = replace(session, badness=(BEST - rating) / (BEST - WORST))
    refused = _refused(begun, said, detection)
    return [replace(session, refused=each) for session, each in zip(found, refused, strict=True)]


def _takes_part(design: Design, event: Event) -> bool:
    return (
        event.get("loop.experiment") == design.id
        and event.get("loop.version.assigned") in design.versions
        and event.get("loop.outcome") != "refused"
        and (not design.groups or event["loop.group"] in design.groups)
    )


def _session(event: Event) -> Session:
    answered = _answered(event)
    latency = event.get("loop.latency_ms") if answered else None
    return Session(
        version=event["loop.version.assigned"],
        user=event["loop.user"],
        group=event["loop.group"],
        at=event["event.time"] / 1e6,
        error=event["loop.outcome"] == "error" or bool(event.get("loop.fell_back")),
        latency=None if latency is None else max(0.0, latency / 1000.0),
        badness=None,
        refused=None,
    )


def _answered(event: Event) -> bool:
    """Return whether the version that was assigned gave the answer."""
    return event["loop.outcome"] == "ok" and not event.get("loop.fell_back")


def _refused(
    requests: Sequence[Event], said: Mapping[str, Event], detection: Detection
) -> Iterator[bool | None]:
    """Say of each request whether its answer refuses; None where the version gave none, or nobody logged it."""
    known = [said.get(each["loop.request.id"]) if _answered(each) else None for each in requests]
    read = [each for each in known if each is not None]
    found = iter(
        detection.refuses()(
            [spoken(each.get("gen_ai.input.messages"), "user") for each in read],
            [spoken(each["gen_ai.output.messages"]) for each in read],
        )
    )
    return (None if each is None else next(found) for each in known)


def _ratings(feedback: Iterable[Event]) -> dict[tuple[str | None, str], float]:
    """Return answer and user -> the user's latest rating of it, from 1 to 5; a thumb counts as 5 or 1."""
    found: dict[tuple[str | None, str], float] = {}
    for event in sorted(feedback, key=lambda event: event["event.time"]):
        rating, thumbs = event.get("loop.rating"), event.get("loop.thumbs")
        if rating is None and thumbs in (1, -1):
            rating = BEST if thumbs == 1 else WORST
        if rating is not None and WORST <= rating <= BEST:
            found[event["gen_ai.response.id"], event["loop.user"]] = float(rating)
    return found
