"""Requests as OpenTelemetry's GenAI conventions count them: durations, first tokens and tokens that only go up.

The monitor tells it every request event once and serves its text beside the snapshot's (`exposition`), so that
dashboards made for those conventions work unchanged. In memory, from this process's start; decides nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Final

from prometheus_client import generate_latest
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

PROVIDER: Final = "vllm"
"""`gen_ai.provider.name`: the engine; the conventions name no value for it."""
DURATION_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
FIRST_TOKEN_S = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08),
    *(0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
TOKENS = tuple(float(4**power) for power in range(14))
"""The three sets of edges are those that the conventions recommend."""
ANSWERED = ("ok", "error")
"""Outcomes that took the engine's time; what a client got wrong or gave up says nothing of it."""

_LABELS = {
    "gen_ai.operation.name": "gen_ai_operation_name",
    "gen_ai.provider.name": "gen_ai_provider_name",
    "gen_ai.request.model": "gen_ai_request_model",
    "gen_ai.response.model": "gen_ai_response_model",
    "loop.environment": "loop_environment",
    "loop.arm": "loop_arm",
    "error.type": "error_type",
    "gen_ai.token.type": "gen_ai_token_type",
}
"""Attribute -> the label that Prometheus knows it by."""
_COMMON = tuple(_LABELS)[:6]


@dataclass(frozen=True, slots=True)
class Series:
    """Counts by bucket, one more than there are edges; `total` is the sum of the values."""

    labels: Mapping[str, str]
    counts: tuple[int, ...]
    total: float


@dataclass(frozen=True, slots=True)
class Distribution:
    """One of the conventions' histograms: its name and unit there, ascending upper edges, and the series."""

    name: str
    unit: str
    meaning: str
    edges: tuple[float, ...]
    series: tuple[Series, ...]


class Usage:
    """The histograms `gen_ai.server.request.duration`, `.time_to_first_token` and `gen_ai.client.token.usage`.

    `since` is when counting began, seconds since 1970.
    """

    def __init__(self, since: float) -> None:
        self.since = since
        self._duration = _Histogram(
            "gen_ai.server.request.duration",
            "s",
            "From the last byte in to the last byte out.",
            DURATION_S,
            (*_COMMON, "error.type"),
        )
        self._first_token = _Histogram(
            "gen_ai.server.time_to_first_token",
            "s",
            "From the last byte in to the first byte out.",
            FIRST_TOKEN_S,
            _COMMON,
        )
        self._tokens = _Histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens of prompts and answers.",
            TOKENS,
            (*_COMMON, "gen_ai.token.type"),
        )

    def add(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Count request events; telling one twice counts it twice."""
        for event in events:
            if event.get("loop.outcome") in ANSWERED:
                self._count(event)

    def text(self) -> bytes:
        """Return Prometheus's text format 0.0.4."""
        return generate_latest(_Families(self.distributions()))

    def distributions(self) -> tuple[Distribution, ...]:
        """Return what was counted so far; a histogram that nothing was counted in is left out."""
        found = (each.distribution() for each in (self._duration, self._first_token, self._tokens))
        return tuple(each for each in found if each.series)

    def _count(self, event: Mapping[str, Any]) -> None:
        labels = _labels(event)
        if (latency := event.get("loop.latency_ms")) is not None:
            self._duration.add((*labels, event.get("error.type") or ""), latency / 1000)
        if event["loop.outcome"] != "ok":
            return
        first = event.get("loop.first_token_ms") if event.get("gen_ai.request.stream") else None
        if first is not None:
            self._first_token.add(labels, first / 1000)
        for kind in ("input", "output"):
            if (tokens := event.get(f"gen_ai.usage.{kind}_tokens")) is not None:
                self._tokens.add((*labels, kind), float(tokens))


class _Histogram:
    """Counts of one histogram by labels; prometheus_client's own cannot be read out exactly."""

    def __init__(
        self, name: str, unit: str, meaning: str, edges: tuple[float, ...], labels: tuple[str, ...]
    ) -> None:
        self._empty = Distribution(name, unit, meaning, edges, ())
        self._labels = labels
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._totals: dict[tuple[str, ...], float] = {}

    def add(self, labels: tuple[str, ...], value: float) -> None:
        edges = self._empty.edges
        counts = self._counts.setdefault(labels, [0] * (len(edges) + 1))
        counts[bisect_left(edges, value)] += 1
        self._totals[labels] = self._totals.get(labels, 0.0) + value

    def distribution(self) -> Distribution:
        series = (
            Series(dict(zip(self._labels, labels, strict=True)), tuple(counts), self._totals[labels])
            for labels, counts in self._counts.items()
        )
        return replace(self._empty, series=tuple(series))


class _Families(Collector):
    """The same as Prometheus names it: dots are underscores, seconds stand in the name, counts add up."""

    def __init__(self, distributions: Sequence[Distribution]) -> None:
        self._distributions = distributions

    def collect(self) -> Iterator[Metric]:
        """Yield one family for each histogram."""
        for each in self._distributions:
            name = each.name.replace(".", "_") + ("_seconds" if each.unit == "s" else "")
            labels = [_LABELS[label] for label in each.series[0].labels]
            family = HistogramMetricFamily(name, each.meaning, labels=labels)
            for series in each.series:
                edges = (*map(repr, each.edges), "+Inf")
                buckets = list(zip(edges, map(float, accumulate(series.counts)), strict=True))
                family.add_metric(list(series.labels.values()), buckets, series.total)
            yield family


def _labels(event: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        event.get("gen_ai.operation.name") or "chat",
        PROVIDER,
        event.get("gen_ai.request.model") or "",
        event.get("gen_ai.response.model") or "",
        event.get("loop.environment") or "",
        event.get("loop.arm") or "",
    )
