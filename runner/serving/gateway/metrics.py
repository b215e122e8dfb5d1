"""The gateway's own numbers for Prometheus; in memory, from this process's start.

Told by `completions` and `shadow`, read by `GET /metrics` of the admin listener. Decides nothing: verdicts are made
from events.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from runner.serving.gateway.connections import Fault
from runner.serving.gateway.replicas import Failure

MEDIA = b"text/plain; version=0.0.4; charset=utf-8"
LATENCY_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
OVERHEAD_S = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25)


@dataclass(frozen=True, slots=True)
class Live:
    """Values that other parts keep anyway, read when somebody asks."""

    events: Mapping[str, int]
    """Events written, by kind."""
    lost: Callable[[], Mapping[str, int]]
    """Of those, how many went with segments that somebody deleted."""
    faults: Mapping[Fault, int]
    """Public connections that never came to a request, by what was wrong."""
    healthy: Callable[[], Mapping[str, bool]]
    """Replicas, by address."""
    generation: Callable[[], int]
    in_flight: Callable[[], int]
    connections: Callable[[], int]


class _Reading(Collector):
    def __init__(self, live: Live, unknown: Mapping[int, int]) -> None:
        self._live, self._unknown = live, unknown

    def collect(self) -> Iterator[Metric]:
        """Return the families."""
        live = self._live
        yield _counts("loop_gateway_events", "Events written.", "kind", live.events)
        yield _counts("loop_gateway_events_lost", "Events in deleted segments.", "kind", live.lost())
        yield _counts("loop_gateway_faults", "Connections without a request.", "fault", live.faults)
        yield _counts(
            "loop_gateway_unknown_callers", "Requests without a valid key.", "status", self._unknown
        )
        health = GaugeMetricFamily("loop_gateway_replica_healthy", "1 where it answers.", labels=["replica"])
        for url, good in live.healthy().items():
            health.add_metric([url], float(good))
        yield health
        yield GaugeMetricFamily(
            "loop_gateway_generation", "Generation of the route table.", live.generation()
        )
        yield GaugeMetricFamily("loop_gateway_in_flight", "Requests in flight.", live.in_flight())
        yield GaugeMetricFamily("loop_gateway_connections", "Open public connections.", live.connections())


def _counts(name: str, meaning: str, label: str, counts: Mapping[Any, int]) -> Metric:
    family = CounterMetricFamily(name, meaning, labels=[label])
    for value, count in counts.items():
        family.add_metric([str(value)], count)
    return family


class Metrics:
    """Counters and histograms of one gateway."""

    def __init__(self, live: Live) -> None:
        self.registry = registry = CollectorRegistry()
        self._unknown: Tally[int] = Tally()
        registry.register(_Reading(live, self._unknown))
        by_arm = ("arm", "version")
        self._requests = Counter(
            "loop_gateway_requests", "Requests.", (*by_arm, "outcome", "status"), registry=registry
        )
        self._fallbacks = Counter(
            "loop_gateway_fallbacks", "Candidate failed, baseline answered.", ("version",), registry=registry
        )
        self._failures = Counter(
            "loop_gateway_failed_attempts",
            "Attempts without an answer.",
            ("version", "failure"),
            registry=registry,
        )
        self._shadow = Counter(
            "loop_gateway_shadow", "Copies of requests for a shadow.", ("outcome",), registry=registry
        )
        self._latency = Histogram(
            "loop_gateway_latency_seconds",
            "Last byte in to last byte out.",
            by_arm,
            registry=registry,
            buckets=LATENCY_S,
        )
        self._first = Histogram(
            "loop_gateway_first_token_seconds",
            "Last byte in to first byte out.",
            by_arm,
            registry=registry,
            buckets=LATENCY_S,
        )
        self._overhead = Histogram(
            "loop_gateway_overhead_seconds",
            "Latency less the wait for the engine.",
            registry=registry,
            buckets=OVERHEAD_S,
        )

    def answered(self, event: Mapping[str, Any]) -> None:
        """Count a request by its event."""
        arm, version = event.get("loop.arm", ""), event.get("loop.version", "")
        self._requests.labels(arm, version, event["loop.outcome"], event["http.response.status_code"]).inc()
        if event["loop.fell_back"]:
            self._fallbacks.labels(event["loop.version.assigned"]).inc()
        if event["loop.outcome"] == "ok":
            self._latency.labels(arm, version).observe(event["loop.latency_ms"] / 1000)
            self._overhead.observe(event["loop.overhead_ms"] / 1000)
            if (first := event.get("loop.first_token_ms")) is not None:
                self._first.labels(arm, version).observe(first / 1000)

    def attempt_failed(self, version: str, failure: Failure) -> None:
        """Count an attempt that gave no answer."""
        self._failures.labels(version, failure.value).inc()

    def copied(self, outcome: str) -> None:
        """Count a copy for a shadow by how it ended."""
        self._shadow.labels(outcome).inc()

    def unknown_caller(self, status: int) -> None:
        """Count a request that was refused because nobody knows who asks; it leaves no event."""
        self._unknown[status] += 1

    def text(self) -> bytes:
        """Return Prometheus's text format."""
        return generate_latest(self.registry)
