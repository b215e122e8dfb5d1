"""The report of a window (a week, as a rule): what users and the model did, as sections that read alike everywhere.

`loop report` prints them as Markdown and writes them as one HTML file with plots. Both are made from the same
sections, so that they cannot differ. Values in, text out; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runner.report import document, figures, limits, plots
from runner.report.document import Document, Rows, Section
from runner.report.signals import ARROWS, QUALITY, gravest, interval, value, whose, why
from runner.signals.reading import Drift, Holds, Level, Reading, Snapshot
from runner.signals.readings.collapse import Sign
from runner.signals.readings.estimates import NO_DATA, Estimate
from runner.signals.readings.holds import holds
from runner.spec.signals import Kpi, SignalPolicy, Trend


@dataclass(frozen=True, slots=True)
class Tails:
    """Requests at both ends of a distribution, to have such examples in the next training set."""

    metric: str
    low: tuple[str, ...]
    high: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Raters:
    """Who gives feedback: how many users, and the share of it that the most eager one gave (None without any)."""

    users: int
    most: float | None


@dataclass(frozen=True, slots=True)
class Material:
    """What a report is made of."""

    name: str
    snapshot: Snapshot
    window: float
    policy: SignalPolicy
    signs: tuple[Sign, ...] = ()
    raters: Raters = Raters(0, None)
    tails: tuple[Tails, ...] = ()
    collection: Section | None = None
    """How collecting feedback goes."""


def sections(material: Material) -> tuple[Section, ...]:
    """Return the whole report."""
    return (
        _headline(material),
        _quality(material),
        *_arms(material),
        _goals(material),
        _drift(material.snapshot),
        _collapse(material),
        _times(material),
        _rest(material),
        *((material.collection,) if material.collection is not None else ()),
        _next(material),
    )


def to_markdown(material: Material) -> str:
    """Return the report as Markdown, without plots."""
    return document.to_markdown(_document(material))


def to_html(material: Material) -> str:
    """Return the report as one HTML file that loads nothing."""
    return document.to_html(_document(material))


def _document(material: Material) -> Document:
    words = (*(level.value for level in Level), "slight", "drift")
    return Document(_title(material), gravest(material.snapshot.readings).value, sections(material), words)


def _title(material: Material) -> str:
    since = figures.moment(material.snapshot.at - material.window)[:10]
    until = figures.moment(material.snapshot.at)[:10]
    return f"{material.name}, {material.snapshot.environment}: {since} to {until}"


def _headline(material: Material) -> Section:
    readings = material.snapshot.readings
    served = next((one.n for one in _together(readings) if one.metric == "error_rate"), 0)
    passed = _passed(readings)
    unsure = {one.metric for one in readings if one.level is Level.UNSURE and not one.segment} - passed.keys()
    said = (
        f"Verdict: **{gravest(readings).value}**. {_counted(served, 'request was', 'requests were')} to be answered "
        f"in {figures.duration(material.window)}; {_counted(len(passed), 'signal', 'signals')} passed a threshold, "
        f"{len(unsure):,} cannot be decided yet."
    )
    items = tuple(_cause(metric, found, material.policy) for metric, found in passed.items())
    return Section("In short", (said,), items)


Passed = dict[str, list[tuple[str, Reading]]]
"""Metric -> each reading that passed a threshold with certainty, after the gravest consequence of it."""


def _passed(readings: Sequence[Reading]) -> Passed:
    """Return what passed, the metrics with the gravest consequence first, and of each the widest reading first."""
    found: Passed = {}
    for consequence in limits.GRAVITY:
        for one in sorted(readings, key=lambda each: (bool(each.segment), bool(each.arm))):
            known = found.get(one.metric, [])
            certain = dict(one.conditions).get(consequence) is Holds.YES
            if certain and not any(one is each for _, each in known):
                found.setdefault(one.metric, []).append((consequence, one))
    return found


def _together(readings: Sequence[Reading]) -> list[Reading]:
    return [one for one in readings if not one.arm and not one.segment]


def _cause(metric: str, found: Sequence[tuple[str, Reading]], policy: SignalPolicy) -> str:
    """Return one line for one metric: which threshold as the policy writes it, and whose values passed it."""
    told = []
    for consequence in dict.fromkeys(name for name, _ in found):
        written = getattr(policy.signals[metric].thresholds, consequence)
        own = [one for name, one in found if name == consequence]
        whom = [f"{whose(one)} {value(metric, one.value)}" for one in own if not one.segment]
        groups = [f"{one.segment} {value(metric, one.value)}" for one in own if one.segment]
        if groups:
            whom.append(f"{'groups' if len(groups) > 1 else 'group'} {', '.join(groups)}")
        told.append(f"{consequence} ({written}) for {', '.join(whom)}")
    return f"{metric}: {'; '.join(told)}"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _quality(material: Material) -> Section:
    shown = [one for one in material.snapshot.readings if one.metric in QUALITY and not one.segment]
    shown.sort(key=lambda one: QUALITY.index(one.metric))
    marked = limits.of_policy(material.policy)
    drawn = tuple(
        (metric, _over_time(metric, tracks, limits.names(marked.get(metric, ()))))
        for metric in dict.fromkeys(one.metric for one in shown)
        if (tracks := _tracks([one for one in shown if one.metric == metric]))
    )
    return Section("Quality", (_raters(material.raters),), (), _table(shown, material.policy), drawn)


def _tracks(readings: Sequence[Reading]) -> list[Reading]:
    """Return whose lines are drawn: baseline and candidate where both have one, else all together."""
    lines = [one for one in readings if _known(one) > 1]
    arms = [
        max(own, key=lambda one: one.n)
        for arm in ("baseline", "candidate")
        if (own := [one for one in lines if one.arm == arm])
    ]
    return arms if len(arms) == 2 else [one for one in lines if not one.arm] or arms


def _raters(raters: Raters) -> str:
    if raters.most is None:
        return "Nobody gave feedback."
    if raters.users == 1:
        return "Feedback came from 1 user."
    return f"Feedback came from {raters.users:,} users; the most eager one gave {figures.share(raters.most)} of it."


def _arms(material: Material) -> Iterator[Section]:
    compared = [
        one for one in material.snapshot.readings if one.arm in ("baseline", "candidate") and not one.segment
    ]
    if not any(one.arm == "candidate" for one in compared):
        return
    metrics = list(dict.fromkeys(one.metric for one in compared))
    rows: list[tuple[str, ...]] = [("signal", "baseline", "candidate", "verdict")]
    for metric in metrics:
        arms = {one.arm: one for one in compared if one.metric == metric}
        if any(one.value is not None for one in arms.values()):
            cells = [_cell(arms.get(arm)) for arm in ("baseline", "candidate")]
            candidate = arms.get("candidate")
            rows.append((metric, *cells, candidate.level.value if candidate else figures.NOTHING))
    yield Section("Candidate beside baseline", table=rows)


def _cell(reading: Reading | None) -> str:
    if reading is None or reading.value is None:
        return figures.NOTHING
    ends = interval(reading)
    return (
        f"{value(reading.metric, reading.value)} ({ends})" if ends else value(reading.metric, reading.value)
    )


def _goals(material: Material) -> Section:
    rows: list[tuple[str, ...]] = [("figure", "is", "goal", "reached", "trend", "wanted")]
    for name, kpi in material.policy.kpis.items():
        reading = next(
            (
                one
                for one in material.snapshot.readings
                if one.metric == kpi.metric and not one.arm and not one.segment
            ),
            None,
        )
        rows.append(_goal(name, kpi, reading))
    return Section("Goals", ("Reached means that the whole interval has reached it.",), table=rows)


def _goal(name: str, kpi: Kpi, reading: Reading | None) -> tuple[str, ...]:
    found = NO_DATA if reading is None else Estimate(reading.value, reading.low, reading.high, reading.n)
    reached = figures.NOTHING
    if kpi.target is not None:
        reached = holds(kpi.target.expression, lambda _: found, None).value
    return (
        name,
        value(kpi.metric, found.value),
        str(kpi.target) if kpi.target is not None else figures.NOTHING,
        reached,
        reading.trend.direction.value if reading is not None else figures.NOTHING,
        (kpi.trend or Trend.STEADY).value if kpi.trend else figures.NOTHING,
    )


def _drift(snapshot: Snapshot) -> Section:
    if snapshot.drift is None:
        return Section(
            "Input drift", ("Not measured: no reference set, or no signal of that kind in the policy.",)
        )
    weeks = snapshot.weeks or (snapshot.drift,)
    rows: list[tuple[str, ...]] = [
        ("until", "questions", "divergence", "at least", "fine topics", "evidence", "verdict")
    ]
    rows += [_week(one) for one in weeks]
    drawn = plots.line(
        [plots.Dot(one.at, one.divergence, one.low, None) for one in weeks],
        "Divergence of topics from the reference, nats",
        when=_moment,
        marks=((0.1, "slight shift"), (0.5, "drift")),
    )
    topics = [
        f"Topic {topic.number} {word} from {figures.share(topic.reference)} to {figures.share(topic.share)}: "
        + "; ".join(f"“{question}”" for question in topic.questions)
        for word, group in (("grew", snapshot.drift.grown), ("shrank", snapshot.drift.shrunk))
        for topic in group
    ]
    return Section(
        "Input drift",
        (snapshot.drift.note,) if snapshot.drift.note else (),
        tuple(topics),
        rows,
        (("divergence", drawn),) if len(weeks) > 1 else (),
    )


def _week(one: Drift) -> tuple[str, ...]:
    insufficient = one.divergence is None
    return (
        figures.moment(one.at)[:10],
        f"{one.n:,}",
        "insufficient" if one.divergence is None else f"{one.divergence:.3f}",
        figures.NOTHING if one.low is None else f"{one.low:.3f}",
        figures.NOTHING if one.fine_divergence is None else f"{one.fine_divergence:.3f}",
        figures.evidence(one.e_value),
        f"needs {one.needed:,}" if insufficient else (one.alarm or "matches"),
    )


def _collapse(material: Material) -> Section:
    if not material.signs:
        return Section("Reward collapse", ("No candidate stands beside the baseline.",))
    rows = [("sign", "shows", "candidate and baseline")]
    for sign in material.signs:
        told = "; ".join(
            f"{metric} {value(metric, ours.value)} and {value(metric, theirs.value)}"
            for metric, ours, theirs in sign.figures
        )
        rows.append((sign.symptom.value, sign.shows.value, told))
    return Section("Reward collapse", table=rows)


def _times(material: Material) -> Section:
    wanted = ("latency", "first_token", "prompt_tokens", "answer_tokens", "session_length")
    shown = [
        one
        for one in material.snapshot.readings
        if one.metric.startswith(wanted) and not one.segment and not one.arm
    ]
    drawn = []
    for name in ("latency", "answer_tokens", "prompt_tokens"):
        bars = [
            plots.Bars(f"{one.arm or 'all'} {one.version}".strip(), one.edges, one.counts)
            for one in material.snapshot.histograms
            if one.metric == name and (one.arm or len(material.snapshot.histograms) < 12)
        ]
        if bars:
            drawn.append((name, plots.histogram(bars, f"Distribution of {name.replace('_', ' ')}")))
    lines = tuple(
        f"Both ends of {tails.metric}, for the next training set: {len(tails.low)} of the lowest and "
        f"{len(tails.high)} of the highest requests, such as {', '.join((*tails.low[:2], *tails.high[:2]))}."
        for tails in material.tails
        if tails.low or tails.high
    )
    return Section("Latency and tokens", lines, (), _table(shown, material.policy), tuple(drawn))


def _rest(material: Material) -> Section:
    told = ("latency", "first_token", "prompt_tokens", "answer_tokens", "session_length", "input_")
    shown = [
        one
        for one in material.snapshot.readings
        if one.metric not in QUALITY and not one.metric.startswith(told) and not one.segment
    ]
    return Section("Everything else", table=_table(shown, material.policy))


_FOLLOWS = {
    "retrain": "is a reason to train",
    "hold": "keeps a rollout at its stage",
    "warn": "wants a look",
}


def _next(material: Material) -> Section:
    """Return what follows, the gravest first: one line for each metric and consequence."""
    items = []
    for name, follows in _FOLLOWS.items():
        for metric, found in _passed(material.snapshot.readings).items():
            own = [one for _, one in found if dict(one.conditions).get(name) is Holds.YES]
            if own:
                items.append(f"{name}: {metric} {follows} ({_whom(own)}).")
    if not items:
        return Section("What follows", ("Nothing: no threshold is passed with certainty.",))
    return Section("What follows", items=tuple(items))


def _whom(readings: Sequence[Reading]) -> str:
    arms = [whose(one) for one in readings if not one.segment]
    groups = [one.segment for one in readings if one.segment]
    return ", ".join([*arms, *([_counted(len(groups), "group", "groups")] if groups else [])])


def _table(shown: Sequence[Reading], policy: SignalPolicy) -> Rows:
    if not shown:
        return ()
    head = ("signal", "for", "value", "interval", "verdict", "n", "trend", "because")
    return [
        head,
        *(
            (
                one.metric,
                whose(one),
                value(one.metric, one.value),
                interval(one) or figures.NOTHING,
                one.level.value,
                f"{one.n:,}",
                f"{ARROWS[one.trend.direction]} {one.trend.direction.value}".strip(),
                why(one, policy),
            )
            for one in shown
        ),
    ]


def _known(reading: Reading) -> int:
    return sum(point.value is not None for point in reading.points)


def _over_time(metric: str, readings: Sequence[Reading], marks: Sequence[tuple[float, str]]) -> str:
    """Return the lines of one metric, with thresholds that are constants across them."""
    arms = {"baseline": 0, "candidate": 1}
    tracks = [
        plots.Track(
            whose(one) if len(readings) > 1 else "",
            tuple(plots.Dot(point.at, point.value) for point in one.points),
            plots.Span(one.value, one.low, one.high),
            arms.get(one.arm, 0),
        )
        for one in readings
    ]
    axis = plots.Axis(
        words=lambda number: value(metric, number),
        ticks=lambda number: limits.number(metric, number),
        marks=tuple((at, f"{name} {limits.number(metric, at)}") for at, name in marks),
    )
    return plots.lines(tracks, metric, axis, when=_moment)


def _moment(at: float) -> str:
    return figures.moment(at)[5:16]
