"""Thresholds of a policy in words and as marks: what has a place on a scale, and what can only be told."""

from __future__ import annotations

import pytest

from runner.report import limits
from runner.report.limits import Limit
from runner.spec.condition import parse
from runner.spec.files import DirectoryFiles
from runner.spec.load import load_or_raise
from runner.spec.signals import SignalPolicy, Thresholds
from tests.cli.workbench import CHECKOUT


@pytest.fixture(scope="module")
def policy() -> SignalPolicy:
    return load_or_raise(DirectoryFiles(CHECKOUT)).policies.signals


def test_every_threshold_of_the_policy_has_words(policy: SignalPolicy) -> None:
    found = limits.of_policy(policy)
    for metric, signal in policy.signals.items():
        written = [name for name in Thresholds.model_fields if getattr(signal.thresholds, name) is not None]
        assert [each.consequence for each in found.get(metric, ())] == written
        assert all(each.text for each in found.get(metric, ()))


@pytest.mark.parametrize(
    ("condition", "text", "marks"),
    [
        ("refusal_rate > 15%", "above 15%", (0.15,)),
        ("refusal_rate >= 15%", "from 15%", (0.15,)),
        ("NOT refusal_rate <= 15%", "not up to 15%", (0.15,)),
        ("refusal_rate > baseline * 1.5", "above 1.5 times the baseline", ()),
        (
            "refusal_rate > 15% OR refusal_rate > baseline",
            "above 15%, or above the baseline",
            (0.15,),
        ),
        (
            "refusal_rate > 15% OR (refusal_rate > baseline * 1.5 AND refusal_rate > 1%)",
            "above 15%, or above 1.5 times the baseline and above 1%",
            (0.15,),
        ),
        ("error_rate > 2%", "error_rate above 2%", ()),
        ("cost_per_1000 > $4.50", "cost_per_1000 above $4.50", ()),
    ],
)
def test_a_condition_is_told_and_only_constants_that_decide_alone_are_marked(
    condition: str, text: str, marks: tuple[float, ...]
) -> None:
    signal = {"source": "content", "window": "24h", "detector": {"kind": "refusal"}}
    written = {"signals": {"refusal_rate": {**signal, "thresholds": {"warn": parse(condition)}}}}
    made = SignalPolicy.model_validate(written)
    assert limits.of_policy(made) == {"refusal_rate": (Limit("warn", text, marks),)}


def test_limits_at_one_place_share_their_mark() -> None:
    both = (
        Limit("warn", "above 10%", (0.1,)),
        Limit("hold", "above 10%", (0.1,)),
        Limit("retrain", "", (0.05,)),
    )
    assert limits.names(both) == ((0.05, "retrain"), (0.1, "warn, hold"))
