"""Today's policy over an evaluation of before: what was changed since is told, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.evaluation.results import Report
from runner.promotion.today import objections
from runner.spec.load import Spec
from runner.spec.model import GateVerdict
from tests.promotion.shop import NEW, report_of
from tests.spec.repository import Repository

POLICY = "policies/evaluation.yaml"


def loaded(repository: Repository) -> Spec:
    found = repository.load()
    assert found.spec is not None, found.diagnostics
    return found.spec


def shipped() -> Spec:
    return loaded(Repository())


@pytest.fixture(scope="module")
def report() -> Report:
    """What was found under the policy as it ships."""
    spec = shipped()
    made = report_of(spec, spec.models[NEW].adapter.digest)
    assert made.verdict is GateVerdict.PASS
    return made


def with_(*path: str, to: object, file: str = POLICY) -> Spec:
    """Return the shipped spec with one change."""
    repository = Repository()
    repository.set(file, *path, to=to)
    return loaded(repository)


def told(spec: Spec, report: Report) -> list[str]:
    return [str(each) for each in objections(spec, report)]


@pytest.mark.parametrize("verdict", [GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE])
def test_nothing_is_said_where_nothing_changed_also_once_it_was_written_and_read(
    verdict: GateVerdict,
) -> None:
    spec = shipped()
    made = report_of(spec, spec.models[NEW].adapter.digest, verdicts={"facts-right": verdict})
    assert made.verdict is verdict
    assert told(spec, Report.from_json(made.to_json())) == []


@pytest.mark.parametrize("bound", ["89%", "92%", "99%"])
def test_another_bound_is_told_with_both_verdicts(report: Report, bound: str) -> None:
    (said,) = told(with_("gates", "facts-right", "require", to=f"accuracy >= {bound}"), report)
    assert "gate 'facts-right' is not today's gate any more" in said
    assert "in the report:  PASS: accuracy >= 90%" in said and f"accuracy >= {bound};" in said


def test_a_gate_that_was_added_or_taken_away_is_told(report: Report) -> None:
    gate = {"suite": "ood", "require": "refusal_accuracy >= 1%"}
    (said,) = told(with_("gates", "new", to=gate), report)
    assert "gate 'new'" in said and "in the report:  no such gate" in said
    gates = tuple(replace(report.gates[0], gate="old") if n == 0 else g for n, g in enumerate(report.gates))
    assert any(
        "today's policy: no such gate" in each for each in told(shipped(), replace(report, gates=gates))
    )


def test_other_questions_are_told(report: Report) -> None:
    (said,) = told(with_("hash", to="f" * 32, file="datasets/bookshop-ood.yaml"), report)
    assert "was evaluated on other questions than 'bookshop-ood' has today" in said
    assert report.dataset_hashes["bookshop-ood"] in said and "f" * 32 in said
    (said,) = told(shipped(), replace(report, dataset_hashes={**report.dataset_hashes, "bookshop-ood": ""}))
    assert "evaluated: no hash" in said


def test_a_suite_that_asks_another_data_set_is_told(report: Report) -> None:
    never = {name: value for name, value in report.dataset_hashes.items() if name != "bookshop-ood"}
    (said,) = told(shipped(), replace(report, dataset_hashes=never))
    assert "evaluated: not asked" in said


def test_another_chance_of_error_is_told(report: Report) -> None:
    (said,) = told(with_("gates", "facts-right", "alpha", to=0.01), report)
    assert "suite 'regression' is measured otherwise today" in said
    assert "wrong with a chance of 0.05" in said and "wrong with a chance of 0.01" in said


@pytest.mark.parametrize("gate", range(3))
def test_no_gate_of_a_report_can_be_edited(report: Report, gate: int) -> None:
    forged = replace(report.gates[gate], verdict=GateVerdict.FAIL)
    gates = (*report.gates[:gate], forged, *report.gates[gate + 1 :])
    said = "\n".join(told(shipped(), replace(report, gates=gates)))
    assert f"gate '{forged.gate}' does not follow from the figures of its own report" in said
    assert "the report's verdict is PASS, and that of its gates is FAIL" in said
