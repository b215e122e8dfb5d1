"""How far what users ask has moved from what training saw, and whether a reward is being gamed."""

from __future__ import annotations

from runner.report import figures, plots
from runner.report.document import Section
from runner.report.signals import value
from runner.report.weekly.material import Material
from runner.signals.reading import Drift, Snapshot


def drift(snapshot: Snapshot) -> Section:
    """Return how far questions have moved from the reference, week by week."""
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


def collapse(material: Material) -> Section:
    """Return the signs that a reward rises while people are less content."""
    if material.pair is None:
        return Section("Reward collapse", ("No candidate stood beside the baseline.",))
    rows = [("sign", "shows", "candidate and baseline")]
    for sign in material.signs:
        told = "; ".join(
            f"{metric} {value(metric, ours.value)} and {value(metric, theirs.value)}"
            for metric, ours, theirs in sign.figures
        )
        rows.append((sign.symptom.value, sign.shows.value, told))
    return Section(f"Reward collapse: {material.pair.words}", table=rows)


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


def _moment(at: float) -> str:
    return figures.moment(at)[5:16]
