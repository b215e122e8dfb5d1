"""Every measure as a small Ibis expression from tables of events to rows of the cube; no backend is named.

`cube` puts together what a pass asks for. Requests are read once: scalars of one kind come from one wide group-by that
is then turned into rows, and each histogram is one group-by. Errors, crashes, sessions and the quality of records
belong to the arm that was ASSIGNED, as in `outcomes`; times, tokens and what an answer says to the arm that answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Final, TypeAlias

import ibis
import ibis.expr.types as ir

from runner.events.lake import Question
from runner.signals.cube.rows import (
    HOUR_US,
    LANGUAGE,
    LOG_GROWTH,
    PAIR_BUCKETS,
    RIGHT,
    SMALLEST,
    ZEROS,
)
from runner.signals.cube.sessions import visits
from runner.signals.language import CODES
from runner.signals.outcomes import CRASHES

_ASSIGNED = ("hour", "assigned_arm", "assigned_version", "segment")
_ANSWERED = ("hour", "arm", "version", "segment")
_KEYS = ("hour", "arm", "version", "segment")
ANSWER_HOURS: Final = 7 * 24
"""How old an answer may be on which feedback is taken."""
EARLIEST_US: Final = 1_577_836_800_000_000
"""2020-01-01: a clock that says less was never set."""


Number: TypeAlias = int | ir.IntegerScalar
"""A number, or what stands for one while a question is compiled."""


@dataclass(frozen=True, slots=True)
class Span:
    """The hours that are asked for, `first` to before `end` (hours since 1970 UTC)."""

    first: Number
    end: Number

    @property
    def since_us(self) -> Number:
        """Microseconds since 1970 at which it begins."""
        return self.first * HOUR_US

    @property
    def until_us(self) -> Number:
        """Microseconds since 1970 at which it has ended."""
        return self.end * HOUR_US

    def holds(self, time: ir.IntegerValue) -> ir.BooleanValue:
        """Return whether an event's time lies within."""
        return (time >= self.since_us) & (time < self.until_us)


def hour_of(time: ir.IntegerValue) -> ir.IntegerValue:
    """Return the hour of an event's time."""
    return (time // HOUR_US).cast("int64")


def bucket_of(value: ir.FloatingValue) -> ir.IntegerValue:
    """Return the logarithmic bucket of a value, as `stats.quantiles.Sketch` has it, `ZEROS` for as good as 0."""
    positive = ibis.ifelse(value >= SMALLEST, value, 1.0)
    bucket = (positive.ln() / LOG_GROWTH).ceil().cast("int64")
    return ibis.ifelse(value >= SMALLEST, bucket, ZEROS).cast("int64")


# What a request has to be like -------------------------------------------------------------------------------------

Check = Callable[[ir.Table], ir.BooleanValue]


def _attributed(row: ir.Table) -> ir.BooleanValue:
    """Whether an answer says which version gave it."""
    named = (row["loop.version"].coalesce("") != "") & (row["loop.adapter.digest"].coalesce("") != "")
    return ~_ok(row) | named


def _measured(row: ir.Table) -> ir.BooleanValue:
    """Whether an answer has its tokens and its latency."""
    tokens = row["gen_ai.usage.input_tokens"].notnull() & row["gen_ai.usage.output_tokens"].notnull()
    return ~_ok(row) | (tokens & row["loop.latency_ms"].notnull())


def _status_fits(row: ir.Table) -> ir.BooleanValue:
    """Whether the status is one that such an outcome has."""
    status, outcome = row["http.response.status_code"], row["loop.outcome"]
    good = (status >= 200) & (status < 300)
    ours, theirs = status >= 500, (status >= 400) & (status < 500)
    fits = ((outcome == "ok") & good) | ((outcome == "error") & (ours | theirs))
    return (fits | (outcome.isin(("refused", "cancelled")) & theirs)).coalesce(False)


def _times_in_order(row: ir.Table) -> ir.BooleanValue:
    """Whether the first byte came before the last, and neither before the question."""
    latency, first = row["loop.latency_ms"], row["loop.first_token_ms"]
    return (latency >= 0.0).coalesce(True) & (first >= 0.0).coalesce(True) & (latency >= first).coalesce(True)


def _tokens_counted(row: ir.Table) -> ir.BooleanValue:
    """Whether no count is negative."""
    asked, answered = row["gen_ai.usage.input_tokens"], row["gen_ai.usage.output_tokens"]
    return (asked >= 0).coalesce(True) & (answered >= 0).coalesce(True)


def _dated(row: ir.Table) -> ir.BooleanValue:
    """Whether the clock that stamped it was set."""
    return row["event.time"] >= EARLIEST_US


CHECKS: Mapping[str, Check] = {
    "attributed": _attributed,
    "measured": _measured,
    "status fits": _status_fits,
    "times in order": _times_in_order,
    "tokens counted": _tokens_counted,
    "dated": _dated,
}
"""What a request's record has to fulfil; beside it, an answer's words are there in an hour in which words are kept."""


def passes_checks(row: ir.Table) -> ir.BooleanValue:
    """Return whether a request's record fulfils all of `CHECKS`."""
    passed = ibis.literal(True)
    for check in CHECKS.values():
        passed = passed & check(row)
    return passed


def _ok(row: ir.Table) -> ir.BooleanValue:
    return row["loop.outcome"] == "ok"


# Requests ----------------------------------------------------------------------------------------------------------


def traffic(requests: ir.Table, span: Span) -> ir.Table:
    """Return what the cube counts of each request of a span: whose it is, what it owed, how long it took, how much."""
    requests = requests.filter(span.holds(requests["event.time"]))
    fell_back = requests["loop.fell_back"].coalesce(False)
    outcome, failure = requests["loop.outcome"], requests["loop.arm.failure"].coalesce("")
    error = fell_back | (outcome == "error")
    broke_off = ~fell_back & (outcome == "error") & requests["error.type"].coalesce("").isin(sorted(CRASHES))
    owed = error | (outcome == "ok")
    answered = _ok(requests)
    return requests.select(
        hour=hour_of(requests["event.time"]),
        **_assigned(requests),
        **_answering(requests),
        segment=_text(requests["loop.group"]),
        owed=owed,
        error=error,
        crash=owed & (failure.isin(sorted(CRASHES)) | broke_off),
        answered=answered,
        passes=passes_checks(requests),
        latency=_where(answered, (requests["loop.latency_ms"] / 1000.0)),
        first_token=_where(
            # without a stream the first byte comes with the last, which says nothing of how soon one can read
            answered & requests["gen_ai.request.stream"].coalesce(False),
            (requests["loop.first_token_ms"] / 1000.0),
        ),
        prompt_tokens=_where(answered, requests["gen_ai.usage.input_tokens"].cast("float64")),
        answer_tokens=_where(answered, requests["gen_ai.usage.output_tokens"].cast("float64")),
    )


def _assigned(requests: ir.Table) -> dict[str, ir.StringValue]:
    """Return the arm that was to answer; what was turned away before any arm was tried is no arm's."""
    tried = requests["loop.arm"].notnull()
    return {
        "assigned_arm": _text(tried.ifelse(requests["loop.arm.assigned"], None), requests["loop.arm"]),
        "assigned_version": _text(
            tried.ifelse(requests["loop.version.assigned"], None), requests["loop.version"]
        ),
    }


def _answering(requests: ir.Table) -> dict[str, ir.StringValue]:
    """Return the arm that answered."""
    return {"arm": _text(requests["loop.arm"]), "version": _text(requests["loop.version"])}


def _where(condition: ir.BooleanValue, value: ir.FloatingValue) -> ir.FloatingValue:
    """Return a value that is at least 0, null where it is not asked for or not there."""
    return ibis.ifelse(
        condition & value.notnull(), ibis.ifelse(value > 0.0, value, 0.0), ibis.null("float64")
    )


def _text(*values: ir.StringValue) -> ir.StringValue:
    return ibis.coalesce(*values, "")


def owed_answers(rows: ir.Table) -> ir.Table:
    """Return error and crash, of the arm that was to answer."""
    wide = rows.group_by(*_ASSIGNED).agg(
        owed=_count(rows["owed"]), errors=_count(rows["error"]), crashes=_count(rows["crash"])
    )
    wide = wide.rename(arm="assigned_arm", version="assigned_version")
    return _stacked(_scalar(wide, "error", "owed", "errors"), _scalar(wide, "crash", "owed", "crashes"))


def sessions(requests: ir.Table, span: Span, gap_us: Number) -> ir.Table:
    """Return session: requests and those that begin one; `requests` reach back `gap_us` before the span.

    Of two requests at one moment the one whose arm, version and segment come first in the alphabet begins it.
    """
    rows = requests.select(
        time_us=requests["event.time"],
        hour=hour_of(requests["event.time"]),
        user=requests["loop.user"],
        session=requests["loop.session"].coalesce(""),
        **_assigned(requests),
        segment=_text(requests["loop.group"]),
    ).rename(arm="assigned_arm", version="assigned_version")
    rows = visits(rows, gap_us)
    rows = rows.filter((rows["hour"] >= span.first) & (rows["hour"] < span.end))
    wide = rows.group_by(*_KEYS).agg(requests=rows["requests"].sum(), begun=rows["begins"].sum())
    return _scalar(wide, "session", "requests", "begun")


def records(rows: ir.Table, annotations: ir.Table, span: Span) -> ir.Table:
    """Return data_quality and the n of `response`, of the arm that answered.

    Where words are kept, an answer's record is good only with them: `worded` counts those.
    """
    said = annotations.filter(span.holds(annotations["time_us"]))
    kept = said.select(kept_hour=hour_of(said["time_us"])).distinct()
    wide = rows.group_by(*_ANSWERED).agg(
        records=rows.count(),
        given=_count(rows["answered"]),
        sound=_count(rows["passes"]),
        sound_alone=_count(rows["passes"] & ~rows["answered"]),
    )
    wide = wide.left_join(kept, wide["hour"] == kept["kept_hour"])
    wide = wide.mutate(
        good=wide["kept_hour"].isnull().ifelse(wide["sound"], wide["sound_alone"]),
        none=ibis.literal(0, "int64"),
    )
    return _stacked(
        _scalar(wide, "data_quality", "records", "good"), _scalar(wide, "response", "given", "none")
    )


def histogram(rows: ir.Table, measure: str) -> ir.Table:
    """Return one measure's logarithmic buckets; the rows have a column of its name."""
    value = rows[measure]
    some = rows.filter(value.notnull()).mutate(bucket=bucket_of(value), value=value)
    found = some.group_by(*_ANSWERED, "bucket").agg(
        n=some.count(), total=some["value"].sum(), squares=(some["value"] * some["value"]).sum()
    )
    return _rows(found, measure)


def sizes(rows: ir.Table) -> ir.Table:
    """Return latency, first_token, prompt_tokens and answer_tokens."""
    return _stacked(
        *(histogram(rows, name) for name in ("latency", "first_token", "prompt_tokens", "answer_tokens"))
    )


# What answers say --------------------------------------------------------------------------------------------------


def answers(annotations: ir.Table, span: Span, closed_us: Number) -> ir.Table:
    """Return what detectors said of each answer of a span; those from `closed_us` on may still be asked again."""
    said = annotations.filter(span.holds(annotations["time_us"]))
    return said.mutate(
        hour=hour_of(said["time_us"]),
        closed=said["time_us"] < closed_us,
        answer_length=said["answer_chars"].cast("float64"),
    )


def replies(rows: ir.Table) -> ir.Table:
    """Return refusal, over_refusal, language:<code>, and what answers add to reask and data_quality."""
    refused, answerable = rows["refused"], rows["answerable"]
    judged = refused.notnull() & answerable.notnull()
    spoken = {f"in_{code}": _count(rows["answer_language"] == code) for code in CODES}
    wide = rows.group_by(*_ANSWERED).agg(
        scored=refused.count(),
        refused=_count(refused),
        judged=_count(judged),
        over=_count(judged & refused & answerable),
        closed=_count(rows["closed"]),
        sound=_count(rows["sound"]),
        spoken=rows["answer_language"].count(),
        **spoken,
    )
    wide = wide.mutate(none=ibis.literal(0, "int64"))
    return _stacked(
        _scalar(wide, "refusal", "scored", "refused"),
        _scalar(wide, "over_refusal", "judged", "over"),
        _scalar(wide, "reask", "closed", "none"),
        _scalar(wide, "data_quality", "none", "sound"),
        *(_scalar(wide, f"{LANGUAGE}{code}", "spoken", f"in_{code}") for code in CODES),
    )


def asked_again(reasks: ir.Table, span: Span, closed_us: Number) -> ir.Table:
    """Return the total of reask: answers whose window has closed and that were followed by an alike question."""
    some = reasks.filter(span.holds(reasks["time_us"]) & (reasks["time_us"] < closed_us) & reasks["again"])
    some = some.mutate(hour=hour_of(some["time_us"]))
    wide = some.group_by(*_KEYS).agg(again=some.count()).mutate(none=ibis.literal(0, "int64"))
    return _scalar(wide, "reask", "none", "again")


def topics(rows: ir.Table, measure: str) -> ir.Table:
    """Return how often each topic was asked about; `measure` is `topic` or `fine_topic`."""
    some = rows.filter(rows[measure].notnull()).mutate(bucket=rows[measure])
    found = some.group_by(*_ANSWERED, "bucket").agg(n=some.count())
    return _rows(found.mutate(total=ibis.literal(0.0), squares=ibis.literal(0.0)), measure)


def word_pairs(rows: ir.Table) -> ir.Table:
    """Return how often each bucket of word pairs occurred in answers."""
    some = rows.filter(rows["pairs"].notnull()).select(*_ANSWERED, bucket=rows["pairs"].unnest())
    found = some.group_by(*_ANSWERED, "bucket").agg(n=some.count())
    found = found.filter((found["bucket"] >= 0) & (found["bucket"] < PAIR_BUCKETS))
    return _rows(found.mutate(total=ibis.literal(0.0), squares=ibis.literal(0.0)), "word_pairs")


# What people say ---------------------------------------------------------------------------------------------------


def opinions(feedback: ir.Table, requests: ir.Table, span: Span) -> ir.Table:
    """Return when each user first said anything of an own answer, with the arm that had answered.

    Columns: `heard`, `starred` and `thumbed`, the hours of the first word, of the first that has stars (a thumb counts
    as 5 or 1 where there is no rating with it) and of the first thumb; `stars` and `down`, what these said. Whatever
    one says of it later, in the same hour or not, counts no second time, and only who got an answer may judge it: both
    as in `outcomes`. `feedback` reaches back before the span as far as the answers that are judged in it.
    """
    time = feedback["event.time"]
    since_us = span.since_us - ANSWER_HOURS * HOUR_US
    said = feedback.filter((time >= since_us) & (time < span.until_us))
    time, rating, thumbs = said["event.time"], said["loop.rating"], said["loop.thumbs"]
    stars = ibis.ifelse(rating > 5, 5, ibis.ifelse(rating < 1, 1, rating))
    stars = ibis.coalesce(stars, ibis.ifelse(thumbs.isnull(), None, ibis.ifelse(thumbs > 0, 5, 1)))
    # time and value in one number: the least is the first, and of two at one moment the worse
    said = said.select(
        hour=hour_of(time),
        said_of=said["gen_ai.response.id"],
        said_by=said["loop.user"],
        heard=time,
        starred=time * 8 + stars.cast("int64"),
        thumbed=time * 8 + (thumbs > 0).cast("int64"),
    )
    asked = requests.filter(requests["gen_ai.response.id"].notnull()).select(
        response=requests["gen_ai.response.id"],
        user=requests["loop.user"],
        asked_hour=hour_of(requests["event.time"]),
        arm=_text(requests["loop.arm"]),
        version=_text(requests["loop.version"]),
        segment=_text(requests["loop.group"]),
    )
    rows = said.inner_join(asked, (said["said_of"] == asked["response"]) & (said["said_by"] == asked["user"]))
    age = rows["hour"] - rows["asked_hour"]
    rows = rows.filter((age >= 0) & (age <= ANSWER_HOURS))
    first = rows.group_by("said_of", "said_by", *_KEYS[1:]).agg(
        heard=rows["heard"].min(), starred=rows["starred"].min(), thumbed=rows["thumbed"].min()
    )
    return first.select(
        *_KEYS[1:],
        heard=hour_of(first["heard"]),
        starred=_packed_hour(first["starred"]),
        stars=first["starred"] % 8,
        thumbed=_packed_hour(first["thumbed"]),
        down=first["thumbed"] % 8 == 0,
    )


def _packed_hour(packed: ir.IntegerValue) -> ir.IntegerValue:
    """Return the hour of eight times a time and something less than 8; what divides as floats stays exact so."""
    return hour_of(((packed - packed % 8) // 8).cast("int64"))


def unresolved(feedback: ir.Table, requests: ir.Table, span: Span) -> ir.Table:
    """Return the hours in which some feedback is on an answer that is not among `requests`."""
    said = feedback.filter(span.holds(feedback["event.time"]))
    said = said.select(hour=hour_of(said["event.time"]), response=said["gen_ai.response.id"])
    asked = requests.filter(requests["gen_ai.response.id"].notnull()).select(
        response=requests["gen_ai.response.id"]
    )
    return said.anti_join(asked, "response").select("hour").distinct()


def satisfaction(rows: ir.Table, span: Span) -> ir.Table:
    """Return thumbs_down, stars and the total of `response`, from `opinions`: each in the hour it was first said."""

    def of(column: str) -> ir.Table:
        return rows.filter((rows[column] >= span.first) & (rows[column] < span.end)).mutate(hour=rows[column])

    heard, thumbed, starred = of("heard"), of("thumbed"), of("starred")
    answered = heard.group_by(*_KEYS).agg(some=heard.count()).mutate(none=ibis.literal(0, "int64"))
    thumbs = thumbed.group_by(*_KEYS).agg(thumbs=thumbed.count(), downs=_count(thumbed["down"]))
    value = starred["stars"].cast("float64")
    stars = starred.group_by(*_KEYS, bucket=starred["stars"]).agg(
        n=starred.count(), total=value.sum(), squares=(value * value).sum()
    )
    return _stacked(
        _scalar(answered, "response", "none", "some"),
        _scalar(thumbs, "thumbs_down", "thumbs", "downs"),
        _rows(stars, "stars"),
    )


def wins(votes: ir.Table, span: Span, baseline: str | ir.StringScalar) -> ir.Table:
    """Return win: how other versions did against the baseline in comparisons; ties and "neither" count half.

    A comparison of two answers of one version, or of two versions that are not the baseline, says nothing of it.
    """
    votes = votes.filter(span.holds(votes["event.time"]))
    choice = votes["loop.vote.choice"]

    def seen_from(name: str, other: str) -> ir.Table:
        won = ibis.ifelse(choice == name, 1.0, ibis.ifelse(choice.isin(("tie", "neither")), 0.5, 0.0))
        rows = votes.select(
            hour=hour_of(votes["event.time"]),
            arm=ibis.literal(""),
            version=votes[f"loop.{name}.version"],
            against=votes[f"loop.{other}.version"],
            segment=_text(votes["loop.group"]),
            value=won,
        )
        return rows.filter((rows["against"] == baseline) & (rows["version"] != baseline))

    return _moments(seen_from("left", "right").union(seen_from("right", "left")), "win")


# What was examined -------------------------------------------------------------------------------------------------


def examined(samples: ir.Table, span: Span) -> ir.Table:
    """Return consistency and factuality: each answer one value, however much of it was compared or checked.

    Statements of one answer are right or wrong together, so an answer of many would pass for many that agree.
    """
    samples = samples.filter(span.holds(samples["event.time"]) & samples["loop.sample.value"].notnull())
    rows = samples.select(
        hour=hour_of(samples["event.time"]),
        arm=_text(samples["loop.arm"]),
        version=_text(samples["loop.version"]),
        segment=_text(samples["loop.group"]),
        detector=samples["loop.detector"],
        value=samples["loop.sample.value"],
        checked=samples["loop.sample.count"].coalesce(1) > 0,
    )
    return _stacked(
        _moments(rows.filter(rows["detector"] == "self_consistency"), "consistency"),
        _moments(rows.filter((rows["detector"] == "factual") & rows["checked"]), "factuality"),
    )


def parity(probes: ir.Table, span: Span) -> ir.Table:
    """Return parity: how far served log-probabilities are from the training stack's, worst and in sum."""
    probes = probes.filter(
        span.holds(probes["event.time"]) & probes["loop.probe.training_difference"].notnull()
    )
    rows = probes.select(
        hour=hour_of(probes["event.time"]),
        arm=ibis.literal(""),
        version=_text(probes["loop.version"]),
        segment=ibis.literal(""),
        value=probes["loop.probe.training_difference"],
    )
    found = rows.group_by(*_KEYS).agg(
        n=rows.count(),
        total=rows["value"].sum(),
        squares=(rows["value"] * rows["value"]).sum(),
        peak=rows["value"].max(),
    )
    return _rows(found, "parity")


def evaluated(evaluations: ir.Table, span: Span) -> ir.Table:
    """Return right:<suite> and reward."""
    some = evaluations.filter(span.holds(evaluations["event.time"]))
    rows = some.select(
        hour=hour_of(some["event.time"]),
        arm=ibis.literal(""),
        version=_text(some["loop.version"]),
        segment=ibis.literal(""),
        suite=some["loop.suite"],
        right=some["loop.right"],
        reward=some["loop.reward"],
    )
    judged = rows.filter(rows["right"].notnull())
    right = judged.group_by(*_KEYS, "suite").agg(
        n=judged.count(), total=_count(judged["right"]).cast("float64")
    )
    right = right.mutate(measure=ibis.literal(RIGHT).concat(right["suite"]), squares=right["total"])
    rewarded = rows.filter(rows["reward"].notnull())
    return _stacked(_rows(right), _moments(rewarded.mutate(value=rewarded["reward"]), "reward"))


# The cube ----------------------------------------------------------------------------------------------------------


class Part(StrEnum):
    """Measures that are computed together, since they depend on the same events."""

    REQUESTS = "requests"
    ANSWERS = "answers"
    FEEDBACK = "feedback"
    EXAMINED = "examined"


@dataclass(frozen=True, slots=True)
class Tables:
    """What the cube is made of: events as in the lake, and what detectors said (`rows.ANNOTATIONS`, `rows.REASKS`).

    `requests` reach back one session gap before the span, `asked` and `feedback` as far as answers may get feedback.
    """

    requests: ir.Table
    annotations: ir.Table
    reasks: ir.Table
    asked: ir.Table
    feedback: ir.Table
    votes: ir.Table
    samples: ir.Table
    probes: ir.Table
    evaluations: ir.Table

    def named(self) -> dict[str, ir.Table]:
        """Return each by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class Rules:
    """What a count depends on beside events.

    `gap_us` of silence ends a session; answers from `closed_us` on have an open window for being asked again;
    `baseline` is the version that others are compared with.
    """

    gap_us: Number = 1_800_000_000
    closed_us: Number = 2**62
    baseline: str | ir.StringScalar = ""


def requests_part(tables: Tables, span: Span, rules: Rules) -> ir.Table:
    """Return error, crash, session, latency, first_token, tokens, data_quality and the n of response."""
    rows = traffic(tables.requests, span)
    return _stacked(
        owed_answers(rows),
        sessions(tables.requests, span, rules.gap_us),
        records(rows, tables.annotations, span),
        sizes(rows),
    )


def answers_part(tables: Tables, span: Span, rules: Rules) -> ir.Table:
    """Return what comes from words: refusals, re-asks, topics, languages, lengths, diversity."""
    rows = answers(tables.annotations, span, rules.closed_us)
    return _stacked(
        replies(rows),
        asked_again(tables.reasks, span, rules.closed_us),
        topics(rows, "topic"),
        topics(rows, "fine_topic"),
        histogram(rows, "answer_length"),
        word_pairs(rows),
    )


def feedback_part(tables: Tables, span: Span, _: Rules) -> ir.Table:
    """Return thumbs_down, stars and the total of response."""
    return satisfaction(opinions(tables.feedback, tables.asked, span), span)


def examined_part(tables: Tables, span: Span, rules: Rules) -> ir.Table:
    """Return win, consistency, factuality, parity, right:<suite> and reward."""
    return _stacked(
        wins(tables.votes, span, rules.baseline),
        examined(tables.samples, span),
        parity(tables.probes, span),
        evaluated(tables.evaluations, span),
    )


def _question(part: Callable[[Tables, Span, Rules], ir.Table]) -> Question:
    """Return a part as an engine is asked for it, with `values` of a span and rules."""

    def asked(tables: Mapping[str, ir.Table], values: Mapping[str, Any]) -> ir.Table:
        span = Span(values["first"], values["end"])
        return part(Tables(**tables), span, Rules(values["gap_us"], values["closed_us"], values["baseline"]))

    return asked


QUESTIONS: Final[Mapping[Part, Question]] = {
    Part.REQUESTS: _question(requests_part),
    Part.ANSWERS: _question(answers_part),
    Part.FEEDBACK: _question(feedback_part),
    Part.EXAMINED: _question(examined_part),
}
"""Give the rows of the cube (`rows.CUBE`) of some hours, some keys more than once: `rows.merged` adds them up."""
UNRESOLVED: Final[Question] = _question(
    lambda tables, span, _: unresolved(tables.feedback, tables.asked, span)
)


def values(span: Span, rules: Rules) -> dict[str, Any]:
    """Return what is asked about, as `QUESTIONS` and `UNRESOLVED` name it."""
    return {**asdict(span), **asdict(rules)}


# Rows --------------------------------------------------------------------------------------------------------------


def _count(condition: ir.BooleanValue) -> ir.IntegerScalar:
    """Return for how many rows a condition holds; null counts as no."""
    return condition.coalesce(False).cast("int64").sum()


def _scalar(wide: ir.Table, measure: str, n: str, total: str) -> ir.Table:
    """Return two counts of a wide table as rows of a measure of zeros and ones, without those that count nothing."""
    some = wide.filter((wide[n] > 0) | (wide[total] > 0))
    value = some[total].cast("float64")
    return _rows(some.select(*_KEYS, n=some[n], total=value, squares=value), measure)


def _moments(rows: ir.Table, measure: str) -> ir.Table:
    """Return count, sum and sum of squares of a column `value`."""
    value = rows["value"]
    found = rows.group_by(*_KEYS).agg(n=rows.count(), total=value.sum(), squares=(value * value).sum())
    return _rows(found, measure)


def _rows(found: ir.Table, measure: str | None = None) -> ir.Table:
    """Return the columns of the cube; `bucket` and `peak` are null where the table has none."""
    name = found["measure"] if measure is None else ibis.literal(measure)
    bucket = found["bucket"] if "bucket" in found.columns else ibis.null("int64")
    peak = found["peak"] if "peak" in found.columns else ibis.null("float64")
    return found.select(
        *_KEYS,
        measure=name,
        bucket=bucket.cast("int64"),
        n=found["n"].cast("int64"),
        total=found["total"].cast("float64"),
        squares=found["squares"].cast("float64"),
        peak=peak.cast("float64"),
    )


def _stacked(first: ir.Table, *others: ir.Table) -> ir.Table:
    return first.union(*others) if others else first
