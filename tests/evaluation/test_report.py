"""What an evaluation leaves behind: JSON that reads back, Markdown that is safe, JUnit that tools take."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from runner.errors import TerminalError
from runner.evaluation.results import Against, GateResult, Measured, Report, Row, SuiteResult, worst
from runner.report import evaluation, junit
from runner.spec.evaluation import SuiteKind
from runner.spec.model import GateVerdict

PASS, FAIL, OPEN, ERROR = GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE, GateVerdict.ERROR
HOSTILE = "<img src=x> | [click](http://x) `rm` @ada\n\u202e# head \x00 *bold*"
FACTS = SuiteResult(
    "facts",
    SuiteKind.REGRESSION,
    (Measured("accuracy", 0.5, 0.4, 0.6, 100, "50 of 100 questions answered right"),),
    (Measured("accuracy", 0.75, 0.65, 0.85, 100, "75 of 100 questions answered right"),),
    (
        Row("1", HOSTILE, HOSTILE, "11 am.", False, True, HOSTILE),
        Row("2", "Who?", "Mirel.", "Nobody.", True, False),
        Row("3", "What?", "A book.", "A book.", True, True),
    ),
    12.5,
    0.05,
)
BROKEN = SuiteResult("public", SuiteKind.HARNESS, (), (), (), 0.5, 0.05, "not installed")
LOAD = SuiteResult(
    "load",
    SuiteKind.LOAD,
    (Measured("latency_p99", 1.5, 1.2, None, 60),),
    (),
    (Row("7", "Slow?", "yes", None, None, seconds=1.5), Row("8", "Fast?", "yes", None, None, seconds=0.1)),
    3.0,
    0.05,
)
GATES = (
    GateResult("right", "facts", FAIL, "accuracy >= 90%", "accuracy 50.0% [40.0% to 60.0%] n=100"),
    GateResult("fast", "load", OPEN, "latency_p99 < 2000ms", "latency_p99 1500 ms [1200 ms to ?] n=60"),
    GateResult("known", "public", ERROR, "accuracy > 25%", "not installed"),
    GateResult("quick", "load", PASS, "latency_p99 < 9s", "latency_p99 1500 ms"),
)
REPORT = Report(
    version="chat-v1.1",
    digest="b" * 64,
    against=Against("chat-v1.0", "a" * 64),
    base="bookshop-base",
    environment="staging",
    engine="0.32.0",
    dataset_hashes={"bookshop-regression": "1f04"},
    revision="c" * 40,
    at="2026-11-21",
    seconds=16.0,
    suites=(FACTS, BROKEN, LOAD),
    gates=GATES,
    verdict=ERROR,
)


def test_a_report_reads_back_as_it_was_written() -> None:
    assert Report.from_json(json.loads(json.dumps(REPORT.to_json()))) == REPORT


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"verdict": "GOOD"}, {"suites": [{}]}, {"gates": None}, {"seconds": "long"}]
)
def test_a_report_of_another_form_is_refused_by_its_name(change: dict[str, Any]) -> None:
    with pytest.raises(TerminalError, match=r"models/reports/x\.json is no report"):
        Report.from_json(REPORT.to_json() | change, "models/reports/x.json")
    with pytest.raises(TerminalError):
        Report.from_json([])


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ([], OPEN),
        ([PASS, PASS], PASS),
        ([PASS, OPEN], OPEN),
        ([OPEN, FAIL, PASS], FAIL),
        ([FAIL, ERROR], ERROR),
    ],
)
def test_the_whole_is_as_good_as_its_worst_gate_and_nothing_is_no_pass(
    verdicts: list[GateVerdict], whole: GateVerdict
) -> None:
    assert worst(verdicts) is whole


def test_the_markdown_has_the_verdict_the_gates_worst_first_and_both_versions() -> None:
    text = evaluation.to_markdown(REPORT.to_json())
    assert text.startswith(evaluation.MARKER)
    order = [text.index(f"| {gate} |") for gate in ("known", "right", "fast", "quick")]
    assert order == sorted(order)
    assert (
        "| facts | accuracy | 50.0% [40.0% to 60.0%] n=100 | 75.0% [65.0% to 85.0%] n=100 | 50 of 100" in text
    )
    assert "chat-v1.1 lost 1 and won 1 of the questions." in text
    assert text.index("| 1500 ms | Slow?") < text.index("| 100 ms | Fast?")
    assert "loop evaluate chat-v1.1 --environment staging --against chat-v1.0" in text


def test_what_models_wrote_is_text_in_one_cell_and_never_markup() -> None:
    line = next(
        line for line in evaluation.to_markdown(REPORT.to_json()).splitlines() if line.startswith("| lost")
    )
    assert line.count("|") == 6
    for markup in ("<img", " [click](", " `rm`", "@ada", "\u202e", "\x00", " *bold*"):
        assert markup not in line


def test_the_terminal_shows_the_worst_first_and_why_a_suite_failed() -> None:
    lines = evaluation.to_text(REPORT.to_json()).splitlines()
    assert lines[0].startswith("chat-v1.1 against chat-v1.0: ERROR")
    assert [line.split()[1] for line in lines[2:6]] == ["ERROR", "FAIL", "INCONCLUSIVE", "PASS"]
    assert lines[-1] == "  public: not installed"


def test_no_gate_is_said_and_shown() -> None:
    bare = replace(REPORT, gates=(), suites=(LOAD,), verdict=OPEN).to_json()
    assert "no gate" in evaluation.to_text(bare)
    assert "## Gates" in evaluation.to_markdown(bare)


def test_junit_has_a_suite_for_each_suite_and_a_case_for_each_gate() -> None:
    root = ElementTree.fromstring(junit.to_xml(REPORT.to_json()).encode())
    assert root.tag == "testsuites"
    assert {name: root.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "4",
        "failures": "2",
        "errors": "1",
    }
    found = {
        (suite.get("name"), case.get("name")): [(end.tag, end.get("type")) for end in case]
        for suite in root
        for case in suite
    }
    assert found == {
        ("facts", "right"): [("failure", "fail")],
        ("public", "known"): [("error", "error")],
        ("load", "fast"): [("failure", "inconclusive")],
        ("load", "quick"): [],
    }


SUITE_NEEDS = {"name", "tests", "failures", "errors", "time", "timestamp", "hostname"}
CASE_NEEDS = {"name", "classname", "time"}


def test_junit_holds_to_the_usual_schema() -> None:
    """What every reader wants: counts that add up, times in seconds, one message with a type for each end."""
    root = ElementTree.fromstring(junit.to_xml(REPORT.to_json()).encode())
    for suite in root:
        assert suite.tag == "testsuite" and set(suite.keys()) >= SUITE_NEEDS
        ends = [end.tag for case in suite for end in case]
        counted = [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
        assert counted == [str(each) for each in (len(suite), ends.count("failure"), ends.count("error"), 0)]
        for case in suite:
            assert case.tag == "testcase" and set(case.keys()) >= CASE_NEEDS
            assert float(case.get("time", "")) >= 0.0
            assert all({"message", "type"} == set(end.keys()) for end in case)


def test_junit_is_well_formed_whatever_the_evidence_holds() -> None:
    odd = replace(GATES[0], evidence="\x00\x1b[31m\ud800 & <b> ]]>")
    xml = junit.to_xml(replace(REPORT, gates=(odd,)).to_json())
    (case,) = ElementTree.fromstring(xml.encode()).iter("failure")
    assert case.text is not None and "<b>" in case.text
