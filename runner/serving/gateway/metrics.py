"""The gateway's own numbers for Prometheus; in memory, from this process's start.

Told by `completions`, read by `GET /metrics`. Decides nothing: verdicts are made from events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from runner.serving.gateway.replicas import Failure

MEDIA = b"text/plain; version=0.0.4; charset=utf-8"
LATENCY_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
OVERHEAD_S = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25)


class _Live(Collector):
    """Values that other parts keep anyway, read when somebody asks."""

    def __init__(
        self, events: Callable[[], Mapping[str, int]], healthy: Callable[[], Mapping[str, bool]]
    ) -> None:
        self._events, self._healthy = events, healthy

    def collect(self) -> list[Metric]:
        """Return the families."""
        events = CounterMetricFamily("loop_gateway_events", "Events written.", labels=["kind"])
        for kind, count in self._events().items():
            events.add_metric([kind], count)
        health = GaugeMetricFamily("loop_gateway_replica_healthy", "1 where it answers.", labels=["replica"])
        for url, good in self._healthy().items():
            health.add_metric([url], float(good))
        return [events, health]


class Metrics:
    """Counters and histograms of one gateway."""

    def __init__(
        self,
        events: Callable[[], Mapping[str, int]],
        healthy: Callable[[], Mapping[str, bool]],
        generation: Callable[[], int],
        in_flight: Callable[[], int],
    ) -> None:
        self.registry = registry = CollectorRegistry()
        registry.register(_Live(events, healthy))
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
        Gauge("loop_gateway_generation", "Generation of the route table.", registry=registry).set_function(
            generation
        )
        Gauge("loop_gateway_in_flight", "Requests in flight.", registry=registry).set_function(in_flight)

    def answered(self, event: Mapping[str, Any]) -> None:
        """Count a request by its event."""
        arm, version = event.get("loop.arm", ""), event.get("loop.version", "")
        self._requests.labels(arm, version, event["loop.outcome"], event["http.response.status_code"]).inc()
        if event["loop.fell_back"]:
            self._fallbacks.labels(version).inc()
        if arm:
            self._latency.labels(arm, version).observe(event["loop.latency_ms"] / 1000)
            self._overhead.observe(event["loop.overhead_ms"] / 1000)
            if (first := event.get("loop.first_token_ms")) is not None:
                self._first.labels(arm, version).observe(first / 1000)

    def attempt_failed(self, version: str, failure: Failure) -> None:
        """Count an attempt that gave no answer."""
        self._failures.labels(version, failure.value).inc()

    def text(self) -> bytes:
        """Return Prometheus's text format."""
        return generate_latest(self.registry)
