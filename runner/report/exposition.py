"""A snapshot as Prometheus reads it: `GET /metrics` of the monitor. Alert rules and the dashboard take names from here.

One family for each metric, in base units (`loop_refusal_ratio`, `loop_latency_p95_seconds`), and families that say of
every signal alike what follows (`loop_signal_condition`, `loop_signal_level`). Labels are `environment`, `arm`,
`version` and `segment`; the series of all arms together has no arm, that of all segments no segment. Everything is a
gauge over the signal's window, distributions too (`histogram_quantile` without `rate`): what counts up without end is
in `usage`. Formats what was measured; decides nothing, and keeps nothing between calls.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from runner.signals.reading import Drift, Histogram, Holds, Level, Reading, Snapshot
from runner.spec.metric import METRICS
from runner.spec.quantity import Dimension

MEDIA = "text/plain; version=0.0.4; charset=utf-8"
PLACE = ("environment", "arm", "version", "segment")
"""Labels of every series of a signal."""
CONDITION = "loop_signal_condition"
UNSURE = "loop_signal_condition_unsure"
LEVEL = "loop_signal_level"
SAMPLES = "loop_signal_samples"
WINDOW = "loop_signal_window_seconds"
MEASURED = "loop_measured_timestamp_seconds"
TOOK = "loop_measuring_seconds"
READ = "loop_measured_events"
BANDS = ("slight", "drift")

_UNITS = {Dimension.RATIO: "ratio", Dimension.DURATION: "seconds", Dimension.MONEY: "dollars"}
_OWN_UNITS = {
    "input_drift": "nats",
    "output_drift": "nats",
    "parity": "nats",
    "input_shift": "distance",
    "session_length": "requests",
    "answer_length": "characters",
    "preferences": "pairs",
    "rounds": "rounds",
}


def unit(metric: str) -> str:
    """Return the unit that a metric, or a distribution such as `latency`, is exported in."""
    if metric in _OWN_UNITS:
        return _OWN_UNITS[metric]
    if metric.endswith("_tokens"):
        return "tokens"
    known = METRICS.get(metric) or METRICS.get(f"{metric}_p50")
    return _UNITS.get(known.dimension, "score") if known else "score"


def family(metric: str) -> str:
    """Return the name under which the value of a metric is exported: `loop_refusal_ratio` for `refusal_rate`."""
    stem = metric.replace("_rate", "", 1) if unit(metric) == "ratio" else metric
    return f"loop_{_with_unit(f'{stem}_mean' if _is_mean(metric) else stem, unit(metric))}"


def bound_family(metric: str) -> str:
    """Return the name under which the interval is exported: label `bound` is `lower` or `upper`."""
    stem, _, last = family(metric).rpartition("_")
    return f"{stem}_bound_{last}"


def distribution_family(metric: str) -> str:
    """Return the name under which a distribution is exported: `loop_latency_distribution_seconds` for `latency`."""
    stem = metric.removesuffix("_tokens") if unit(metric) == "tokens" else metric
    return f"loop_{stem}_distribution_{unit(metric)}"


def text(snapshot: Snapshot) -> bytes:
    """Return a snapshot in Prometheus's text format 0.0.4."""
    return generate_latest(Exposition(snapshot))


class Exposition(Collector):
    """The families of one snapshot, for a registry or for `generate_latest`."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """Yield the families; those without a series are left out."""
        families = (
            *_pass(self._snapshot),
            *_values(self._snapshot),
            *_verdicts(self._snapshot),
            *_distributions(self._snapshot),
            *_drift(self._snapshot),
        )
        yield from (each for each in families if each.samples)


def _is_mean(metric: str) -> bool:
    return unit(metric) in ("tokens", "requests")


def _with_unit(stem: str, its_unit: str) -> str:
    """Join a name and its unit, which stands at the end and only once."""
    parts = [part for part in stem.split("_") if part != its_unit]
    return "_".join((*parts, its_unit))


def _gauge(name: str, meaning: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, labels=labels)


def _pass(snapshot: Snapshot) -> Iterator[Metric]:
    for name, meaning, value in (
        (MEASURED, "When signals were measured last, seconds since 1970.", snapshot.at),
        (TOOK, "How long the last pass took.", snapshot.seconds),
        (READ, "Events that the last pass read; the rest was known from before.", snapshot.read),
    ):
        found = _gauge(name, meaning, "environment")
        found.add_metric([snapshot.environment], value)
        yield found


def _place(snapshot: Snapshot, reading: Reading) -> list[str]:
    return [snapshot.environment, reading.arm, reading.version, reading.segment]


def _values(snapshot: Snapshot) -> Iterator[Metric]:
    for metric, readings in _by_metric(snapshot.readings):
        meaning = METRICS[metric].meaning
        value = _gauge(family(metric), f"{meaning[0].upper()}{meaning[1:]}.", *PLACE)
        bound = _gauge(bound_family(metric), f"Bounds of the interval of {metric}.", *PLACE, "bound")
        for each in readings:
            if each.value is not None:
                value.add_metric(_place(snapshot, each), each.value)
            for name, end in (("lower", each.low), ("upper", each.high)):
                if end is not None:
                    bound.add_metric([*_place(snapshot, each), name], end)
        yield value
        yield bound


def _by_metric(readings: Iterable[Reading]) -> Iterator[tuple[str, list[Reading]]]:
    found: dict[str, list[Reading]] = {}
    for each in readings:
        found.setdefault(each.metric, []).append(each)
    yield from found.items()


def _verdicts(snapshot: Snapshot) -> Iterator[Metric]:
    labels = ("metric", *PLACE)
    truth = _gauge(
        CONDITION, "1 where a condition holds for the whole interval, else 0.", *labels, "condition"
    )
    unsure = _gauge(
        UNSURE, "1 where a condition holds for a part of the interval only, else 0.", *labels, "condition"
    )
    level = _gauge(LEVEL, "1 for what follows from a signal, 0 for what does not.", *labels, "level")
    samples = _gauge(SAMPLES, "What a signal was counted over.", *labels)
    window = _gauge(WINDOW, "How far back a signal looks.", "metric", "environment")
    for each in snapshot.readings:
        place = [each.metric, *_place(snapshot, each)]
        for condition, holds in each.conditions:
            truth.add_metric([*place, condition], float(holds is Holds.YES))
            unsure.add_metric([*place, condition], float(holds is Holds.UNSURE))
        for one in Level:
            level.add_metric([*place, one.value], float(each.level is one))
        samples.add_metric(place, each.n)
    for metric, readings in _by_metric(snapshot.readings):
        window.add_metric([metric, snapshot.environment], readings[0].window)
    yield from (truth, unsure, level, samples, window)


def _distributions(snapshot: Snapshot) -> Iterator[Metric]:
    """Yield the histograms of each arm; those of all together only where no arm has one, so that sums are right."""
    of: dict[str, list[Histogram]] = {}
    for each in snapshot.histograms:
        of.setdefault(each.metric, []).append(each)
    for metric, found in of.items():
        shown = [one for one in found if one.arm] or found
        edges = sorted({edge for each in shown for edge in each.edges})
        its_family = HistogramMetricFamily(
            distribution_family(metric),
            f"Distribution of {metric} over the last window.",
            labels=("environment", "arm", "version"),
        )
        for each in shown:
            its_family.add_metric(
                [snapshot.environment, each.arm, each.version], _buckets(each, edges), each.total
            )
        yield its_family


def _buckets(histogram: Histogram, edges: Sequence[float]) -> list[tuple[str, float]]:
    """Return cumulative counts at `edges`, the same for all arms: else `sum by (le)` would count some arms only."""
    so_far = [0, *accumulate(histogram.counts)]
    found = [(repr(float(edge)), so_far[bisect_right(histogram.edges, edge)]) for edge in edges]
    return [*found, ("+Inf", so_far[-1])]


def _drift(snapshot: Snapshot) -> Iterator[Metric]:
    if snapshot.drift is None:
        return
    drift, where = snapshot.drift, snapshot.environment
    for name, meaning, value in (
        ("loop_drift_questions", "Questions compared with the reference set.", drift.n),
        ("loop_drift_questions_needed", "Questions below which nothing is said.", drift.needed),
        ("loop_drift_evidence", "Sequential e-value against no drift.", drift.e_value),
        ("loop_drift_evidence_since_timestamp_seconds", "Since when it was gathered.", drift.since),
        ("loop_drift_alarmed_timestamp_seconds", "When the alarm came.", drift.alarmed_at),
        ("loop_drift_shift_distance", "Distance of mean embeddings from the reference.", drift.shift),
        ("loop_drift_shift_p_ratio", "Share of permutations with as large a distance.", drift.shift_p),
    ):
        found = _gauge(name, meaning, "environment")
        if value is not None:
            found.add_metric([where], value)
        yield found
    yield from (_divergence(drift, where), _alarm(drift, where), _topics(drift, where))


def _divergence(drift: Drift, where: str) -> Metric:
    found = _gauge("loop_drift_divergence_nats", "Debiased KL divergence of topics.", "environment", "topics")
    for topics, value in (("coarse", drift.divergence), ("fine", drift.fine_divergence)):
        if value is not None:
            found.add_metric([where, topics], value)
    return found


def _alarm(drift: Drift, where: str) -> Metric:
    found = _gauge("loop_drift_alarm", "1 where drift of this band is proven.", "environment", "band")
    proven = BANDS[: BANDS.index(drift.alarm) + 1] if drift.alarm else ()
    for band in BANDS:
        found.add_metric([where, band], float(band in proven))
    return found


def _topics(drift: Drift, where: str) -> Metric:
    found = _gauge(
        "loop_drift_topic_ratio", "Share of a topic that changed most.", "environment", "topic", "set"
    )
    for each in {topic.number: topic for topic in (*drift.grown, *drift.shrunk)}.values():
        found.add_metric([where, str(each.number), "window"], each.share)
        found.add_metric([where, str(each.number), "reference"], each.reference)
    return found
