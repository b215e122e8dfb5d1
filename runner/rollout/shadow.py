"""What a version that only gets copies would have answered, beside what users got: offline, nothing is served.

Called by `loop shadow`. Every copy is compared with the answer to the same request, so that no difference comes
from the questions. Sessions are what is counted for intervals, each by the mean of its copies: one talkative user
is one voice. Computation only: events in, values out. It decides nothing: a copy's users never reacted to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from runner.rollout.verdict import Estimate
from runner.signals.detection import SHIPPED, Detection
from runner.signals.reask.runs import grams, likeness
from runner.signals.text import spoken
from runner.stats import intervals

Event = Mapping[str, Any]

QUANTILES = (0.5, 0.95, 0.99)
EXAMPLES = 5
_LENGTH_RANGE = math.log(10.0)
"""Answers ten times as long (or short) count as that: a mean with an interval needs bounds."""


class Side(StrEnum):
    """Whose figures they are."""

    USERS = "what users got"
    COPIES = "the copies"


@dataclass(frozen=True, slots=True)
class Rules:
    """One minus the certainty of every interval, the silence (s) after which a session is over, and what refuses."""

    alpha: float = 0.01
    session_gap: float = 1800.0
    detection: Detection = SHIPPED


@dataclass(frozen=True, slots=True)
class Latency:
    """A quantile of the latency of one side, in seconds, over the first copied request of each session."""

    side: Side
    q: float
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A question to which the two answers differ; all three masked as the log has them."""

    request: str
    question: str
    answer: str
    copy: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything known about the copies of one version.

    `copies` counts those that left, `dropped` those that did not (too many waited), `unmatched` those whose
    request is not in the log; `compared` have both texts. Shares and similarities are from 0 to 1; `length_ratio`
    is the geometric mean of the copy's tokens over the answer's. `refusals_gained` are copies that refuse where
    the answer did not, `refusals_lost` the reverse; `refusal_evidence` is an e-value against "as often gained as
    lost".
    """

    version: str
    served: str
    copies: int
    dropped: int
    unmatched: int
    compared: int
    sessions: int
    same: Estimate
    similarity: Estimate
    length_ratio: Estimate
    errors: tuple[tuple[Side, Estimate], ...]
    latencies: tuple[Latency, ...]
    refusals_gained: Estimate
    refusals_lost: Estimate
    refusal_evidence: float
    disagreements: tuple[Disagreement, ...]


@dataclass(frozen=True, slots=True)
class _Pair:
    """A copy and the request it was made of; None where it is not known."""

    session: str
    copy: Event
    request: Event | None
    answer: str | None
    copied: str | None
    question: str

    @property
    def both(self) -> bool:
        return self.answer is not None and self.copied is not None

    @property
    def similarity(self) -> float:
        if self.answer == self.copied:
            return 1.0
        return likeness(grams(self.answer or ""), grams(self.copied or ""))


def evaluate(
    shadows: Iterable[Event], requests: Iterable[Event], contents: Iterable[Event], rules: Rules = Rules()
) -> tuple[Comparison, ...]:
    """Return what is known of each shadowed version, by name. Events may come in any order, each once.

    Raises TerminalError where the model that tells refusals cannot be used.
    """
    copies = sorted(shadows, key=lambda event: event["event.time"])
    asked = {event["loop.request.id"]: event for event in requests}
    said = {event["loop.request.id"]: event for event in contents}
    sessions = _sessions(copies, asked, rules.session_gap)
    found: dict[str, list[_Pair]] = {}
    for copy in copies:
        pair = _pair(copy, asked, said, sessions[copy["event.id"]])
        found.setdefault(_served(copy), []).append(pair)
    return tuple(_compare(found[served], served, rules) for served in sorted(found))


def _served(copy: Event) -> str:
    return f"{copy['loop.version']}--{str(copy['loop.adapter.digest'])[:12]}"


def _sessions(copies: Iterable[Event], asked: Mapping[str, Event], gap: float) -> dict[str, str]:
    """Return copy -> session: a user until he is silent for the gap; an unknown user is a session alone."""
    found: dict[str, str] = {}
    last: dict[str, tuple[float, str]] = {}
    for copy in copies:
        request, at = asked.get(copy["loop.request.id"]), copy["event.time"] / 1e6
        if request is None:
            found[copy["event.id"]] = copy["event.id"]
            continue
        key = f"{request['loop.user']}/{request.get('loop.session') or ''}"
        before = last.get(key)
        name = before[1] if before and at - before[0] <= gap else copy["event.id"]
        last[key] = at, name
        found[copy["event.id"]] = name
    return found


def _pair(copy: Event, asked: Mapping[str, Event], said: Mapping[str, Event], session: str) -> _Pair:
    name = copy["loop.request.id"]
    content, copied = said.get(name), copy.get("gen_ai.output.messages")
    answer = None if content is None else spoken(content["gen_ai.output.messages"])
    question = "" if content is None else spoken(content["gen_ai.input.messages"], "user")
    complete = copy["loop.outcome"] == "ok" and copied is not None
    return _Pair(session, copy, asked.get(name), answer, spoken(copied) if complete else None, question)


def _compare(pairs: Sequence[_Pair], served: str, rules: Rules) -> Comparison:
    left = [pair for pair in pairs if pair.copy["loop.outcome"] != "dropped"]
    both = [pair for pair in left if pair.both]
    judged = _judged(both, rules.detection)
    gained = [(pair.session, float(after and not before)) for pair, before, after in judged]
    lost = [(pair.session, float(before and not after)) for pair, before, after in judged]
    same = [(pair.session, float(_is_same(pair))) for pair in left if pair.both or "loop.same" in pair.copy]
    alike = {id(pair): pair.similarity for pair in both}
    return Comparison(
        version=str(pairs[0].copy["loop.version"]),
        served=served,
        copies=len(left),
        dropped=len(pairs) - len(left),
        unmatched=sum(pair.request is None for pair in left),
        compared=len(both),
        sessions=len({pair.session for pair in left}),
        same=_share(same, rules),
        similarity=_share([(pair.session, alike[id(pair)]) for pair in both], rules),
        length_ratio=_length_ratio(left, rules),
        errors=(
            (Side.USERS, _errors(left, Side.USERS, rules)),
            (Side.COPIES, _errors(left, Side.COPIES, rules)),
        ),
        latencies=tuple(_latency(left, side, q, rules) for side in Side for q in QUANTILES),
        refusals_gained=_share(gained, rules),
        refusals_lost=_share(lost, rules),
        refusal_evidence=_one_sided(gained, lost),
        disagreements=_examples(both, alike),
    )


def _judged(pairs: Sequence[_Pair], detection: Detection) -> list[tuple[_Pair, bool, bool]]:
    """Return each pair with whether the answer refuses, and whether the copy does."""
    refuses, questions = detection.refuses(), [pair.question for pair in pairs]
    before = refuses(questions, [pair.answer or "" for pair in pairs])
    after = refuses(questions, [pair.copied or "" for pair in pairs])
    return list(zip(pairs, before, after, strict=True))


def _is_same(pair: _Pair) -> bool:
    noted = pair.copy.get("loop.same")
    return bool(noted) if noted is not None else pair.answer == pair.copied


def _share(values: Iterable[tuple[str, float]], rules: Rules) -> Estimate:
    """Return the mean over sessions of each session's mean, for values from 0 to 1."""
    means = list(_by_session(values).values())
    if not means:
        return Estimate(None, None, None, 0)
    k, n = float(sum(means)), len(means)
    low, high = map(float, intervals.mean_interval(k, n, rules.alpha))
    return Estimate(k / n, low, high, n, k)


def _by_session(values: Iterable[tuple[str, float]]) -> dict[str, float]:
    held: dict[str, list[float]] = {}
    for session, value in values:
        held.setdefault(session, []).append(value)
    return {session: sum(each) / len(each) for session, each in held.items()}


def _length_ratio(pairs: Iterable[_Pair], rules: Rules) -> Estimate:
    scaled = []
    for pair in pairs:
        tokens = _tokens(pair.copy), _tokens(pair.request or {})
        if all(tokens):
            ratio = math.log(tokens[0] / tokens[1])
            clipped = max(-_LENGTH_RANGE, min(_LENGTH_RANGE, ratio))
            scaled.append((pair.session, (clipped / _LENGTH_RANGE + 1.0) / 2.0))
    found = _share(scaled, rules)
    return Estimate(_unscaled(found.value), _unscaled(found.low), _unscaled(found.high), found.n)


def _unscaled(mean: float | None) -> float | None:
    return None if mean is None else math.exp((2.0 * mean - 1.0) * _LENGTH_RANGE)


def _tokens(event: Event) -> int:
    return int(event.get("gen_ai.usage.output_tokens") or 0) if event.get("loop.outcome") == "ok" else 0


def _errors(pairs: Iterable[_Pair], side: Side, rules: Rules) -> Estimate:
    events = ((pair.session, pair.copy if side is Side.COPIES else pair.request) for pair in pairs)
    known = ((session, event) for session, event in events if event is not None)
    return _share([(session, float(event["loop.outcome"] == "error")) for session, event in known], rules)


def _latency(pairs: Iterable[_Pair], side: Side, q: float, rules: Rules) -> Latency:
    first: dict[str, float] = {}
    for pair in pairs:
        event = pair.copy if side is Side.COPIES else pair.request
        if event is not None and event["loop.outcome"] == "ok" and "loop.latency_ms" in event:
            first.setdefault(pair.session, max(0.0, event["loop.latency_ms"] / 1000.0))
    values = np.array(list(first.values()), dtype=np.float64)
    if not len(values):
        return Latency(side, q, Estimate(None, None, None, 0))
    low, high = intervals.quantile_interval(values, None, q, rules.alpha)
    value = float(np.quantile(values, q, method="inverted_cdf"))
    return Latency(
        side, q, Estimate(value, max(low, 0.0), high if math.isfinite(high) else None, len(values))
    )


def _examples(pairs: Iterable[_Pair], alike: Mapping[int, float]) -> tuple[Disagreement, ...]:
    """Return the copies least like the answers, one a session at most."""
    found: dict[str, Disagreement] = {}
    for pair in sorted(pairs, key=lambda pair: (alike[id(pair)], pair.copy["event.time"])):
        if not _is_same(pair):
            found.setdefault(
                pair.session,
                Disagreement(
                    str(pair.copy["loop.request.id"]),
                    pair.question,
                    pair.answer or "",
                    pair.copied or "",
                    alike[id(pair)],
                ),
            )
        if len(found) == EXAMPLES:
            break
    return tuple(found.values())


def _one_sided(gained: Iterable[tuple[str, float]], lost: Iterable[tuple[str, float]]) -> float:
    """Return the e-value against "a session that differs is as likely to gain refusals as to lose them"."""
    after, before = _by_session(gained), _by_session(lost)
    more = sum(after[session] > before[session] for session in after)
    less = sum(after[session] < before[session] for session in after)
    # Both ways at once, by the mixture of all chances with Jeffreys' weights (a two-sided test of 1/2).
    log_e = _log_beta(more + 0.5, less + 0.5) - _log_beta(0.5, 0.5) + (more + less) * math.log(2.0)
    return math.exp(min(log_e, 700.0))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
