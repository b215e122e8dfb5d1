"""What a replay measured, as values that reports and benchmarks read. Pure; no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runner.simulation.replay.plan import ReplayPlan
from runner.simulation.replay.schedule import Call


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request was not answered: the error's type, the status (0 where none came), and its message."""

    kind: str
    status: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one call. Times are milliseconds from the moment it was sent."""

    failure: Failure | None
    latency_ms: float
    request_id: str
    acknowledged: bool = False
    """The gateway's answer came to its end, if only with an error: from then on its event must be in the log."""
    first_token_ms: float | None = None
    overhead_ms: float | None = None
    arm: str = ""
    version: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    response_id: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """Feedback on one answer: whether it pleased, and why the gateway did not take it, where it did not."""

    pleased: bool
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class FeedbackCount:
    """How many answers got feedback, how many of them pleased, and how often the gateway took none."""

    given: int
    pleased: int
    failed: int


@dataclass(frozen=True, slots=True)
class LogCount:
    """What the event log says of the requests of one replay."""

    found: int
    """Requests that have exactly one event."""
    missing: tuple[str, ...]
    """Ids of answered requests without an event."""
    duplicate: tuple[str, ...]
    """Request ids with more than one."""
    unacknowledged: int
    """Requests with neither an answer nor an event: they never arrived, or were given up."""
    others: int
    """Events of other callers' requests in that time."""
    fell_back: int
    damaged: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a replay stands."""

    elapsed_s: float
    planned: int
    sent: int
    answered: int
    failed: int
    in_flight: int
    waiting: int
    feedback: int = 0


@dataclass(frozen=True, slots=True)
class Spread:
    """How `n` values are spread, in milliseconds; quantiles interpolate linearly between order statistics."""

    n: int
    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class FailureCount:
    """How often requests failed in one way, and what one of them said."""

    kind: str
    status: int
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class ArmCount:
    """How many answers came from an arm, as the answers themselves say it."""

    arm: str
    version: str
    answers: int


@dataclass(frozen=True, slots=True)
class Sent:
    """One call that was made: when it was due, when it joined the line, when it left, and what came of it.

    Times are seconds since the start. `reply` is None where the replay ended before the answer did.
    """

    call: Call
    joined_s: float
    left_s: float | None = None
    had_to_wait: bool = False
    """The cap on requests in flight was reached."""
    reply: Reply | None = None
    said: Said | None = None


@dataclass(frozen=True, slots=True)
class Play:
    """The calls that were made, how long it took, and how many were in flight at most."""

    sent: tuple[Sent, ...]
    elapsed_s: float
    peak: int


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """A whole replay. `planned` = `sent` + `unsent`; `sent` = `answered` + `failed` + `abandoned`."""

    plan: ReplayPlan
    run: str
    """Begins the request ids of this run, as they stand in the event log."""
    planned: int
    planned_s: float
    """How long the schedule is."""
    elapsed_s: float
    stopped: bool
    """Ended by hand before the schedule did."""
    users: int
    sessions: int
    streams: int
    sent: int
    unsent: int
    answered: int
    failed: int
    abandoned: int
    """Sent, and still without an answer when the replay was ended by hand."""
    failures: tuple[FailureCount, ...]
    latency: Spread | None
    """Of answered requests, from sending to the last byte."""
    first_token: Spread | None
    """Of answered streams, from sending to the first piece of text."""
    overhead: Spread | None
    """The gateway's own share, as it says in `x-loop-overhead-ms`."""
    lateness: Spread | None
    """How long after its time a call left the generator's hands: near 0, or this machine was too slow."""
    waiting: Spread | None
    """Of calls that waited for the cap on requests in flight; no part of their latency."""
    peak_in_flight: int
    input_tokens: int
    output_tokens: int
    arms: tuple[ArmCount, ...]
    feedback: FeedbackCount | None
    """None where users were not asked what they think."""
    log: LogCount | None
    """None where no event directory was given."""

    @property
    def as_planned(self) -> bool:
        """Every request was sent and answered, all feedback was taken, and the log has each request once."""
        log = self.log
        whole = log is None or (not log.missing and not log.duplicate and log.found == self.sent)
        heard = self.feedback is None or not self.feedback.failed
        return self.answered == self.planned and whole and heard


def spread(values: Iterable[float]) -> Spread | None:
    """Return how values are spread, None where there are none."""
    ordered = sorted(values)
    if not ordered:
        return None
    p50, p95, p99 = (quantile(ordered, q) for q in (0.5, 0.95, 0.99))
    return Spread(len(ordered), p50, p95, p99, ordered[-1])


def quantile(ordered: Sequence[float], q: float) -> float:
    """Return the q-quantile of sorted values, linear between neighbours (Hyndman and Fan's type 7)."""
    place = q * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def summarise(
    plan: ReplayPlan, run: str, calls: Sequence[Call], play: Play, log: LogCount | None
) -> ReplayResult:
    """Return the result of a replay of `calls`."""
    sent = play.sent
    left = [each for each in sent if each.left_s is not None]
    replies = [each.reply for each in left if each.reply]
    answered = [reply for reply in replies if not reply.failure]
    waits = [((each.left_s or 0.0) - each.joined_s) * 1000 for each in left if each.had_to_wait]
    return ReplayResult(
        plan=plan,
        run=run,
        planned=len(calls),
        planned_s=calls[-1].at_s,
        elapsed_s=play.elapsed_s,
        stopped=len(replies) < len(calls),
        users=len({each.call.user for each in left}),
        sessions=len({each.call.session for each in left}),
        streams=sum(each.call.stream for each in left),
        sent=len(left),
        unsent=len(calls) - len(left),
        answered=len(answered),
        failed=len(replies) - len(answered),
        abandoned=len(left) - len(replies),
        failures=_failures(replies),
        latency=spread(reply.latency_ms for reply in answered),
        first_token=spread(r.first_token_ms for r in answered if r.first_token_ms is not None),
        overhead=spread(r.overhead_ms for r in replies if r.overhead_ms is not None),
        lateness=spread((each.joined_s - each.call.at_s) * 1000 for each in sent),
        waiting=spread(waits),
        peak_in_flight=play.peak,
        input_tokens=sum(reply.input_tokens for reply in replies),
        output_tokens=sum(reply.output_tokens for reply in replies),
        arms=_arms(answered),
        feedback=_feedback(left) if plan.crowd.feedback_share else None,
        log=log,
    )


def _failures(replies: Iterable[Reply]) -> tuple[FailureCount, ...]:
    failures = [reply.failure for reply in replies if reply.failure]
    counts = Counter((failure.kind, failure.status) for failure in failures)
    examples = {(failure.kind, failure.status): failure.message for failure in reversed(failures)}
    return tuple(FailureCount(*key, count, examples[key]) for key, count in counts.most_common())


def _feedback(left: Iterable[Sent]) -> FeedbackCount:
    said = [each.said for each in left if each.said]
    return FeedbackCount(len(said), sum(s.pleased for s in said), sum(s.failure is not None for s in said))


def _arms(answered: Iterable[Reply]) -> tuple[ArmCount, ...]:
    counts = Counter((reply.arm, reply.version) for reply in answered)
    return tuple(ArmCount(*key, count) for key, count in sorted(counts.items()))
