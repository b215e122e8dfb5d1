"""What Prometheus reads of a snapshot: valid, complete, honest about what is unsure or missing."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from runner.report import exposition
from runner.report.usage import Usage
from runner.signals.reading import Histogram, Holds, Level, Snapshot
from runner.spec.metric import METRICS
from tests.doubles.event_files import request
from tests.report import snapshots
from tests.report.prometheus import needs_prometheus, promtool


@lru_cache(4)
def parsed(text: bytes) -> tuple[Sample, ...]:
    return tuple(s for family in text_string_to_metric_families(text.decode()) for s in family.samples)


def samples(text: bytes, name: str, **labels: str) -> list[Sample]:
    """Return the samples of a series, as prometheus_client's own parser reads them."""
    return [
        sample
        for sample in parsed(text)
        if sample.name == name and all(sample.labels[key] == value for key, value in labels.items())
    ]


def value(text: bytes, name: str, **labels: str) -> float:
    (found,) = samples(text, name, **labels)
    return float(found.value)


@needs_prometheus
@pytest.mark.parametrize("snapshot", [snapshots.busy(), snapshots.quiet()], ids=["busy", "quiet"])
def test_promtool_finds_nothing_to_improve(snapshot: Snapshot) -> None:
    assert promtool("check", "metrics", given=exposition.text(snapshot)) == ""


@needs_prometheus
def test_promtool_finds_nothing_to_improve_in_what_counts_up() -> None:
    usage = Usage(0.0)
    usage.add([request(1), request(2, loop__outcome="error", error__type="timeout")])
    assert promtool("check", "metrics", given=usage.text()) == ""


def test_every_metric_has_names_of_its_own() -> None:
    names = [name(metric) for metric in METRICS for name in (exposition.family, exposition.bound_family)]
    names += [
        exposition.distribution_family(metric) for metric in ("latency", "first_token", "answer_tokens")
    ]
    assert len(set(names)) == len(names)


def test_every_reading_is_exported_with_its_place_interval_and_count() -> None:
    snapshot = snapshots.busy()
    text = exposition.text(snapshot)
    for each in snapshot.readings:
        place = {"arm": each.arm, "version": each.version, "segment": each.segment}
        assert value(text, exposition.SAMPLES, metric=each.metric, **place) == each.n
        found = samples(text, exposition.family(each.metric), environment="production", **place)
        assert [one.value for one in found] == ([] if each.value is None else [each.value])
        for bound, end in (("lower", each.low), ("upper", each.high)):
            ends = samples(text, exposition.bound_family(each.metric), bound=bound, **place)
            assert [one.value for one in ends] == ([] if end is None else [end])


@pytest.mark.parametrize("holds", Holds)
def test_a_condition_is_true_only_where_it_certainly_holds(holds: Holds) -> None:
    text = exposition.text(snapshots.with_condition(snapshots.busy(), "crash_rate", "warn", holds))
    place = {"metric": "crash_rate", "condition": "warn"}
    assert value(text, exposition.CONDITION, **place) == (holds is Holds.YES)
    assert value(text, exposition.UNSURE, **place) == (holds is Holds.UNSURE)


def test_a_signal_has_exactly_one_level() -> None:
    snapshot = snapshots.busy()
    found = samples(exposition.text(snapshot), exposition.LEVEL)
    assert len(found) == len(snapshot.readings) * len(Level)
    assert sum(one.value for one in found) == len(snapshot.readings)


def test_what_was_not_measured_has_no_value_and_says_so() -> None:
    text = exposition.text(snapshots.quiet())
    assert not samples(text, exposition.family("error_rate"))
    assert value(text, exposition.LEVEL, metric="error_rate", level="no data") == 1


def test_the_moment_and_the_length_of_the_pass_are_told() -> None:
    text = exposition.text(snapshots.busy())
    assert value(text, exposition.MEASURED) == snapshots.AT
    assert value(text, exposition.TOOK) == 0.84


@pytest.mark.parametrize(
    ("alarm", "proven"), [("", []), ("slight", ["slight"]), ("drift", ["slight", "drift"])]
)
def test_a_proven_band_of_drift_proves_those_below(alarm: str, proven: list[str]) -> None:
    snapshot = replace(snapshots.busy(), drift=replace(snapshots.drift(), alarm=alarm))
    found = samples(exposition.text(snapshot), "loop_drift_alarm")
    assert [one.labels["band"] for one in found if one.value] == proven


HISTOGRAMS = st.lists(
    st.dictionaries(st.sampled_from([0.5, 1.0, 2.0, 4.0, 8.0]), st.integers(0, 50), min_size=1),
    min_size=1,
    max_size=3,
)


@given(HISTOGRAMS)
def test_histograms_of_arms_add_up_at_every_edge(counted: list[dict[float, int]]) -> None:
    """However different the edges of two arms are: `sum by (le)` has to count the values of both."""
    histograms = tuple(
        Histogram(
            "latency",
            f"arm-{number}",
            "v",
            tuple(sorted(counts)),
            tuple(counts[e] for e in sorted(counts)),
            1.0,
        )
        for number, counts in enumerate(counted)
    )
    text = exposition.text(replace(snapshots.quiet(), histograms=histograms))
    found = samples(text, "loop_latency_distribution_seconds_bucket")
    for edge in {one.labels["le"] for one in found}:
        of = [one.value for one in found if one.labels["le"] == edge]
        assert len(of) == len(counted)
        assert sum(of) == sum(n for counts in counted for end, n in counts.items() if end <= float(edge))


def test_the_distribution_of_all_together_is_left_out_where_arms_have_theirs() -> None:
    one = Histogram("latency", "", "", (1.0,), (5,), 3.0)
    both = (one, Histogram("latency", "baseline", "v", (1.0,), (4,), 2.0))
    name = "loop_latency_distribution_seconds_count"
    assert value(exposition.text(replace(snapshots.quiet(), histograms=both)), name) == 4
    assert value(exposition.text(replace(snapshots.quiet(), histograms=(one,))), name) == 5


def test_names_that_people_chose_cannot_break_the_format() -> None:
    odd = 'a"b\\c\nd{e="f"} 1'
    text = exposition.text(
        replace(snapshots.quiet(odd), readings=(snapshots.reading("error_rate", 0.1, segment=odd),))
    )
    assert value(text, "loop_error_ratio", segment=odd, environment=odd) == 0.1


def test_requests_are_counted_under_the_names_of_the_conventions() -> None:
    usage = Usage(0.0)
    usage.add(
        [
            request(1, loop__latency_ms=1500.0, gen_ai__request__stream=True),
            request(2, loop__outcome="error", loop__latency_ms=90.0, error__type="timeout"),
            request(3, loop__outcome="refused"),
        ]
    )
    text = usage.text()
    name = "gen_ai_server_request_duration_seconds"
    assert value(text, f"{name}_count", error_type="") == 1
    assert value(text, f"{name}_bucket", error_type="", le="1.28") == 0
    assert value(text, f"{name}_bucket", error_type="", le="2.56") == 1
    assert value(text, f"{name}_sum", error_type="timeout") == 0.09
    assert value(text, "gen_ai_client_token_usage_sum", gen_ai_token_type="input") == 12
    assert value(text, "gen_ai_server_time_to_first_token_seconds_count") == 1
