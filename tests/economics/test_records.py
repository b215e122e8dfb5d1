"""What training and evaluation leave is read from files that their own code made; what is missing is None."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.economics.records import Evaluated, Run, read_evaluation, read_run
from runner.evaluation.results import Against, Measured, Report, SuiteResult
from runner.signals.readings.estimates import Estimate
from runner.spec.evaluation import SuiteKind
from runner.spec.model import GateVerdict
from tests.economics.runs import STEPS, course, files

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["recipe", "dataset", "metrics", "held_out", "steps", "step", "suites", "measured", "n"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def test_a_manifest_and_curves_as_registering_writes_them_are_read():
    found = read_run(*files(course(margin=0.5)))
    assert (found.seconds, found.rows, found.held_rows) == (61.5, 180, 27)
    told = found.told_apart
    assert told is not None and told.value == 0.75 and told.n == 27 and told.low < 0.6 < 0.9 < told.high
    assert found.recipe["beta"] == 0.1 and found.recipe["optimiser"]["epochs"] == 5
    margins = found.curves["rewards/margins"]
    assert (len(margins), margins[-1]) == (STEPS, (STEPS, 0.5)), (
        "lines that do not have the figure are no part of it"
    )
    assert found.last("rewards/margins", 5) == pytest.approx(0.5)
    assert found.last("nothing of the kind", 5) is None


def test_an_evaluation_as_its_own_report_writes_it_is_read():
    won = Measured("win_rate", 0.62, 0.55, 0.69, 200)
    right = Measured("accuracy", 0.97, 0.95, 0.98, 597)
    suites = (
        SuiteResult("preference", SuiteKind.WIN_RATE, (won,), (), (), 1.0, 0.05),
        SuiteResult("regression", SuiteKind.REGRESSION, (right,), (right,), (), 1.0, 0.05),
        SuiteResult(
            "load",
            SuiteKind.LOAD,
            (Measured("latency_p99", 0.2, 0.1, 0.3, 9),),
            (),
            (),
            1.0,
            0.05,
            "it broke",
        ),
    )
    report = Report(
        "chat-v1.1", "d", Against("chat-v1.0", "e"), "base", "staging", "0", {}, "r", "2026-11-21", 3.0, suites, (),
        GateVerdict.INCONCLUSIVE,
    )  # fmt: skip
    found = read_evaluation(json.loads(json.dumps(report.to_json())))
    assert found.win_rate == Estimate(0.62, 0.55, 0.69, 200)
    assert found.parent["regression", "accuracy"].n == 597
    assert ("load", "latency_p99") not in found.measured, (
        "a suite that could not be carried through found nothing"
    )


def test_a_version_that_left_nothing_has_no_figures():
    assert read_run(None, None) == Run()
    assert read_evaluation(None) == Evaluated()


@given(JSON, JSON)
def test_no_file_of_another_form_is_an_error(one, other):
    assert isinstance(read_run(one, other), Run)
    assert isinstance(read_evaluation(one), Evaluated)
