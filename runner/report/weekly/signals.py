"""The signals of a report: quality, both arms beside each other, latency and tokens, and everything else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.report import figures, limits, plots
from runner.report.document import Rows, Section
from runner.report.signals import ARROWS, QUALITY, interval, value, whose, why
from runner.report.weekly.material import Material, Raters
from runner.signals.reading import Reading
from runner.spec.signals import SignalPolicy


def quality(material: Material) -> Section:
    """Return what users and answers say of quality, with who gives feedback."""
    shown = [one for one in material.snapshot.readings if one.metric in QUALITY and not one.segment]
    shown.sort(key=lambda one: QUALITY.index(one.metric))
    marked = limits.of_policy(material.policy)
    drawn = tuple(
        (metric, _over_time(metric, tracks, limits.names(marked.get(metric, ()))))
        for metric in dict.fromkeys(one.metric for one in shown)
        if (tracks := _tracks([one for one in shown if one.metric == metric]))
    )
    return Section("Quality", (_raters(material.raters),), (), _table(shown, material.policy), drawn)


def arms(material: Material) -> Iterator[Section]:
    """Yield the candidate beside the baseline, where there is one."""
    pair = material.pair
    if pair is None:
        return
    arms_of = (("baseline", pair.baseline), ("candidate", pair.candidate))
    compared = [
        one for one in material.snapshot.readings if (one.arm, one.version) in arms_of and not one.segment
    ]
    metrics = list(dict.fromkeys(one.metric for one in compared))
    rows: list[tuple[str, ...]] = [("signal", "baseline", "candidate", "verdict")]
    for metric in metrics:
        own = {one.arm: one for one in compared if one.metric == metric}
        if any(one.value is not None for one in own.values()):
            cells = [_cell(own.get(arm)) for arm in ("baseline", "candidate")]
            candidate = own.get("candidate")
            rows.append((metric, *cells, candidate.level.value if candidate else figures.NOTHING))
    yield Section(f"Candidate beside baseline: {pair.words}", table=rows)


def times(material: Material) -> Section:
    """Return latency and tokens, with their distributions."""
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


def rest(material: Material) -> Section:
    """Return the signals that no other section tells."""
    told = ("latency", "first_token", "prompt_tokens", "answer_tokens", "session_length", "input_")
    shown = [
        one
        for one in material.snapshot.readings
        if one.metric not in QUALITY and not one.metric.startswith(told) and not one.segment
    ]
    return Section("Everything else", table=_table(shown, material.policy))


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


def _cell(reading: Reading | None) -> str:
    if reading is None or reading.value is None:
        return figures.NOTHING
    ends = interval(reading)
    return (
        f"{value(reading.metric, reading.value)} ({ends})" if ends else value(reading.metric, reading.value)
    )


def _table(readings: Sequence[Reading], policy: SignalPolicy) -> Rows:
    """Return readings as rows; arms only where they have data, and a candidate to be told from."""
    compared = any(one.arm == "candidate" for one in readings)
    shown = [one for one in readings if not one.arm or (compared and one.value is not None)]
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
