"""Events of a rollout in, outcomes of its two arms out: what each session says of each metric.

The ledger of `rollout` calls it with batches of events as they arrive. Outcomes belong to the ASSIGNED arm, since
the draw is what makes arms comparable: a candidate that fails is charged with the failure though the baseline
answered. Only requests count whose assignment belonged to this rollout, and feedback on their answers, so that
both arms have the same time to be liked. The same event twice counts once. It follows, and decides nothing:
no clock, no files but the model that tells refusals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from runner.events.schema import Kind
from runner.signals import reask, text
from runner.signals.detection import REASKS, REFUSALS, SHIPPED, Detection, none_refuse
from runner.signals.sessions import Count, Outcome, Seat, Sessions, session_key
from runner.signals.sights import Sights
from runner.signals.tables import Recent

__all__ = ["BASELINE", "CANDIDATE", "SOURCES", "Count", "Measures", "Outcome", "source_of"]

CANDIDATE, BASELINE = "candidate", "baseline"
CRASHES = frozenset({"replica_unreachable", "stream_broken"})
"""Kinds of error that a dead process leaves behind: no line to it, or an answer that broke off."""
REMEMBERED = 200_000
"""Answers on which feedback is still taken, and events that are still known when they come again."""
WAITING = 2_000
"""Contents and votes that are kept until their request arrives; it comes in the same moment, or never."""
LATE_S = 5.0
"""How long after its window a re-ask is still waited for, since events take a moment to arrive."""
DAY_S = 86_400.0
COMPARED = 20
"""Latest questions of one user that a new one is compared with."""
_OWN_ID = "-content"
"""What a content event's id has more than its request's."""

SOURCES = frozenset(
    {
        "error_rate",
        "crash_rate",
        "refusal_rate",
        "reask_rate",
        "satisfaction",
        "thumbs_down_rate",
        "latency",
        "first_token",
        "answer_tokens",
    }
)
"""What outcomes are of; percentiles of times share one source."""
_OF_CONTENT = frozenset({REFUSALS, REASKS})
_OF_FEEDBACK = frozenset({"satisfaction", "thumbs_down_rate"})

Event = Mapping[str, Any]


def source_of(metric: str) -> str:
    """Return what a metric's outcomes are called: `latency` for `latency_p99`, else the metric's own name."""
    for times in ("latency", "first_token"):
        if metric.startswith(f"{times}_p"):
            return times
    return metric


@dataclass(slots=True)
class _Asked:
    """A request that is remembered: whose it is, where its user sits, whether the assigned arm itself answered."""

    user: str
    session: str
    seat: Seat
    at: float
    own: bool
    voted: tuple[str, ...] = ()

    def to_json(self) -> list[Any]:
        seat = self.seat
        place = [seat.arm, seat.pi, seat.group, seat.always]
        return [self.user, self.session, place, self.at, self.own, list(self.voted)]

    @classmethod
    def from_json(cls, value: Any) -> _Asked:
        user, session, place, at, own, voted = value
        arm, pi, group, always = place
        return cls(user, session, _seat(arm, pi, group, always), at, own, tuple(voted))


class _Vote(NamedTuple):
    """What somebody said of an answer."""

    user: str
    rating: int | None
    thumbs: int | None
    at: float


@dataclass(slots=True)
class _Said:
    """What is kept of a content event: whether the answer refuses, and the question as hashes."""

    refused: bool
    question: reask.Question


@dataclass(slots=True)
class _Open:
    """An answer whose window for being asked again is open."""

    asked: _Asked
    question: reask.Question
    again: bool = False


class Measures:
    """Follows the events of one rollout; `wanted` are the sources somebody asks for, all if not given.

    `gap` of silence ends a session, within `window` a user's sessions are numbered; both in seconds. `detection` says
    what refuses and what is asked again, in both arms alike. Raises TerminalError where refusals are wanted and its
    model cannot be used.
    """

    def __init__(
        self,
        rollout_id: str,
        gap: float,
        wanted: frozenset[str] = SOURCES,
        window: float = DAY_S,
        detection: Detection = SHIPPED,
    ) -> None:
        self.rollout_id, self.gap, self.wanted, self.window = rollout_id, gap, wanted, window
        self._detection = detection
        self._refuses = detection.refuses() if REFUSALS in wanted else none_refuse
        self.sights = Sights()
        self._known: Recent[None] = Recent(REMEMBERED)
        self._answers: Recent[_Asked] = Recent(REMEMBERED)
        self._unmatched: Recent[_Asked] = Recent(WAITING)
        self._contents: Recent[_Said] = Recent(WAITING)
        self._votes: Recent[list[_Vote]] = Recent(WAITING)
        self._windows: dict[str, list[_Open]] = {}
        self._looked = 0.0
        self._streams = {name: Sessions(gap, window) for name in ("requests", "votes", "contents", "windows")}

    @property
    def assigned(self) -> dict[float, tuple[int, int]]:
        """Unique drawn users by the candidate's share: how many sat with the candidate and the baseline."""
        return self.sights.counts

    def absorb(self, kind: Kind, events: Iterable[Event]) -> list[Outcome]:
        """Take a batch of events of one kind, in any order; return what they say."""
        ordered = sorted(events, key=lambda event: (_time(event), str(event.get("event.id"))))
        match kind:
            case Kind.REQUEST:
                return [outcome for event in ordered for outcome in self._request(event)]
            case Kind.FEEDBACK:
                return [outcome for event in ordered for outcome in self._feedback(event)]
            case Kind.CONTENT:
                return list(self._content(ordered))
            case _:
                return []

    def tick(self, now: float) -> list[Outcome]:
        """Close what has ended by `now` (seconds since 1970): windows for asking again, then sessions."""
        found: list[Outcome] = []
        found.extend(self._close_windows(now))
        for stream in self._streams.values():
            found.extend(stream.close(now))
        return found

    def _fresh(self, event: Event) -> bool:
        """Whether an event is seen for the first time."""
        key = str(event.get("event.id"))
        if key in self._known:
            return False
        self._known.put(key, None)
        return True

    def _request(self, event: Event) -> Iterator[Outcome]:
        asked = self._asked(event)
        if asked is None or not self._fresh(event):
            return
        if asked.seat.pi is not None:
            self.sights.saw(asked.user, asked.seat.arm == CANDIDATE, asked.seat.pi)
        values = {name: value for name, value in _measured(event).items() if name in self.wanted}
        yield from self._streams["requests"].add(asked.session, asked.seat, asked.at, values)
        response = event.get("gen_ai.response.id")
        if response and self.wanted & _OF_FEEDBACK:
            self._answers.put(str(response), asked)
            for vote in self._votes.pop(str(response)) or ():
                yield from self._vote(asked, vote)
        if self.wanted & _OF_CONTENT:
            key = str(event.get("event.id"))
            said = self._contents.pop(key)
            if said is None:
                self._unmatched.put(key, asked)
            else:
                yield from self._answered(asked, said)

    def _asked(self, event: Event) -> _Asked | None:
        """Return who asked, None where the request is not of this rollout or never came as far as an arm."""
        arm = event.get("loop.arm.assigned")
        weight = event.get("loop.weight")
        if event.get("loop.rollout") != self.rollout_id or arm not in (CANDIDATE, BASELINE):
            return None
        if event.get("loop.arm") is None or weight is None:
            return None
        user = str(event.get("loop.user"))
        session = session_key(user, event.get("loop.session"))
        drawn = not event.get("loop.arm.always") and 0.0 < weight < 1.0
        group, always = str(event.get("loop.group", "")), bool(event.get("loop.arm.always"))
        seat = _seat(str(arm), float(weight) if drawn else None, group, always)
        return _Asked(user, session, seat, _time(event), not event.get("loop.fell_back"))

    def _feedback(self, event: Event) -> Iterator[Outcome]:
        if not self.wanted & _OF_FEEDBACK:
            return
        if event.get("loop.rating") is None and event.get("loop.thumbs") is None:
            return
        if not self._fresh(event):
            return
        response = str(event.get("gen_ai.response.id"))
        vote = _Vote(
            str(event.get("loop.user")), event.get("loop.rating"), event.get("loop.thumbs"), _time(event)
        )
        asked = self._answers.get(response)
        if asked is not None:
            yield from self._vote(asked, vote)
        else:
            self._votes.put(response, [*(self._votes.pop(response) or []), vote][:8])

    def _vote(self, asked: _Asked, vote: _Vote) -> Iterator[Outcome]:
        """Count a vote: on one's own answer alone, and the first of its kind alone, so that nobody drums it up."""
        if vote.user != asked.user:
            return
        values: dict[str, float] = {}
        if "satisfaction" not in asked.voted:
            values["satisfaction"] = _stars(vote.rating, vote.thumbs)
        if vote.thumbs is not None and "thumbs_down_rate" not in asked.voted:
            values["thumbs_down_rate"] = float(vote.thumbs < 0)
        asked.voted = (*asked.voted, *values)
        values = {name: value for name, value in values.items() if name in self.wanted}
        if values:
            yield from self._streams["votes"].add(asked.session, asked.seat, vote.at, values, asked.at)

    def _content(self, events: Iterable[Event]) -> Iterator[Outcome]:
        """Read the answers of a batch at once, and forget the words."""
        if not self.wanted & _OF_CONTENT:
            return
        fresh = [event for event in events if self._fresh(event)]
        questions = [text.spoken(event.get("gen_ai.input.messages"), "user") for event in fresh]
        answers = [text.spoken(event.get("gen_ai.output.messages")) for event in fresh]
        refused = self._refuses(questions, answers)
        for event, question, refuses in zip(fresh, questions, refused, strict=True):
            said = _Said(refuses, reask.sketch(question) if REASKS in self.wanted else reask.NOTHING)
            key = str(event.get("event.id")).removesuffix(_OWN_ID)
            asked = self._unmatched.pop(key)
            if asked is None:
                self._contents.put(key, said)
            else:
                yield from self._answered(asked, said)

    def _answered(self, asked: _Asked, said: _Said) -> Iterator[Outcome]:
        """Count an answer of which the words are known; whether it was asked again shows later."""
        if REASKS in self.wanted:
            self._open_window(_Open(asked, said.question))
        if REFUSALS in self.wanted and asked.own:
            values = {REFUSALS: float(said.refused)}
            yield from self._streams["contents"].add(asked.session, asked.seat, asked.at, values)

    def _open_window(self, new: _Open) -> None:
        """Compare a question with the same user's others of that time, whichever arrived first."""
        windows = self._windows.setdefault(new.asked.user, [])
        for other in windows[-COMPARED:]:
            apart = new.asked.at - other.asked.at
            if abs(apart) <= self._detection.within and self._detection.asked_again(
                other.question, new.question
            ):
                (other if apart >= 0 else new).again = True
        windows.append(new)

    def _close_windows(self, now: float) -> Iterator[Outcome]:
        """Yield whether each answer was asked again whose window has passed; a fallback's answer is nobody's."""
        if abs(now - self._looked) < 1.0:
            return
        self._looked = now
        ended: list[_Open] = []
        for user, windows in list(self._windows.items()):
            if all(self._is_open(each, now) for each in windows):
                continue
            ended += [each for each in windows if not self._is_open(each, now)]
            self._windows[user] = [each for each in windows if self._is_open(each, now)]
            if not self._windows[user]:
                del self._windows[user]
        for each in sorted(ended, key=lambda each: (each.asked.at, each.asked.session)):
            asked = each.asked
            if asked.own:
                values = {REASKS: float(each.again)}
                yield from self._streams["windows"].add(asked.session, asked.seat, asked.at, values)

    def _is_open(self, window: _Open, now: float) -> bool:
        return abs(now - window.asked.at) < self._detection.within + LATE_S

    def to_json(self) -> dict[str, Any]:
        """Return the whole state as JSON values."""
        return {
            "rollout": self.rollout_id,
            "gap": self.gap,
            "window": self.window,
            "wanted": sorted(self.wanted),
            "looked": self._looked,
            "sights": self.sights.to_json(),
            "known": [key for key, _ in self._known.items()],
            "answers": [[key, asked.to_json()] for key, asked in self._answers.items()],
            "unmatched": [[key, asked.to_json()] for key, asked in self._unmatched.items()],
            "contents": [
                [key, said.refused, said.question.to_json()] for key, said in self._contents.items()
            ],
            "votes": [[key, [list(vote) for vote in votes]] for key, votes in self._votes.items()],
            "windows": [
                [each.asked.to_json(), each.question.to_json(), each.again]
                for windows in self._windows.values()
                for each in windows
            ],
            "streams": {name: stream.to_json() for name, stream in self._streams.items()},
        }

    @classmethod
    def from_json(cls, value: Any, detection: Detection = SHIPPED) -> Measures:
        """Read it back: with the detection that it had, it goes on as if it had never stopped.

        Raises KeyError, TypeError or ValueError where it is none, TerminalError as the constructor does.
        """
        gap, window = float(value["gap"]), float(value["window"])
        measures = cls(value["rollout"], gap, frozenset(value["wanted"]), window, detection)
        measures._looked = float(value["looked"])
        measures.sights = Sights.from_json(value["sights"])
        for key in value["known"]:
            measures._known.put(key, None)
        for key, row in value["answers"]:
            measures._answers.put(key, _Asked.from_json(row))
        for key, row in value["unmatched"]:
            measures._unmatched.put(key, _Asked.from_json(row))
        for key, refused, question in value["contents"]:
            measures._contents.put(key, _Said(refused, reask.Question.from_json(question)))
        for key, votes in value["votes"]:
            measures._votes.put(key, [_Vote(*vote) for vote in votes])
        for row, question, again in value["windows"]:
            asked = _Asked.from_json(row)
            measures._windows.setdefault(asked.user, []).append(
                _Open(asked, reask.Question.from_json(question), again)
            )
        measures._streams = {
            name: Sessions.from_json(gap, window, stream) for name, stream in value["streams"].items()
        }
        return measures


@lru_cache(maxsize=1000)
def _seat(arm: str, pi: float | None, group: str, always: bool) -> Seat:
    """Return a seat, one object for all who sit alike, since very many are remembered."""
    return Seat(arm, pi, group, always)


def _measured(event: Event) -> dict[str, float]:
    """Return what a request event says of its assigned arm; times in seconds."""
    outcome, fell_back = event.get("loop.outcome"), bool(event.get("loop.fell_back"))
    values: dict[str, float] = {}
    if fell_back or outcome in ("ok", "error"):
        values["error_rate"] = float(fell_back or outcome == "error")
        values["crash_rate"] = float(_crashed(event, fell_back))
    if outcome == "ok":
        for source, name in (("latency", "loop.latency_ms"), ("first_token", "loop.first_token_ms")):
            if (milliseconds := event.get(name)) is not None:
                values[source] = max(0.0, milliseconds / 1000)
        tokens = event.get("gen_ai.usage.output_tokens")
        if tokens is not None and not fell_back:
            values["answer_tokens"] = float(max(0, tokens))
    return values


def _crashed(event: Event, fell_back: bool) -> bool:
    """Whether the assigned arm broke down; after a fallback `error.type` speaks of the other arm."""
    if event.get("loop.arm.failure") in CRASHES:
        return True
    return not fell_back and event.get("loop.outcome") == "error" and event.get("error.type") in CRASHES


def _stars(rating: int | None, thumbs: int | None) -> float:
    """Return a vote on the scale from 1 to 5; a rating says more than a thumb."""
    if rating is not None:
        return float(min(5, max(1, rating)))
    return 5.0 if thumbs is not None and thumbs > 0 else 1.0


def _time(event: Event) -> float:
    """Return when an event happened, in seconds since 1970; 0 for one that does not say."""
    return float(event.get("event.time") or 0) / 1e6
