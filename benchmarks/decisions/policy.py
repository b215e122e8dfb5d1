"""The composed decision of the shipped policy: every condition at once, with the weights that a runner gives them.

The policy is read and compiled by the runner's own code; only the outcomes are simulated. The ledger's parsing of
events is not part of it.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from benchmarks.decisions.evidence import Absolute, AnyOf, EProcess, Relative
from benchmarks.decisions.worlds import CRASH, DISSATISFIED, ERROR, SLOW, Signal
from runner.errors import terminal
from runner.rollout import compile as compiled
from runner.spec.rollout import RolloutPolicy

POLICY = Path(__file__).resolve().parents[2] / "policies" / "rollout.yaml"
STAGE = "canary"

HEALTHY = {
    ERROR: Signal(0.01, 0.01),
    SLOW: Signal(0.002, 0.002),
    DISSATISFIED: Signal(0.2, 0.2),
    CRASH: Signal(0.001, 0.001),
}
"""1% errors, 0.2% above the latency limit, satisfaction .80 and 0.1% crashes, in both arms."""

_SIGNALS = {
    "error_rate": ERROR,
    "latency_p99": SLOW,
    "satisfaction": DISSATISFIED,
    "crash_rate": CRASH,
}


FIX = f"give it one in {Path(__file__).name}: policies/rollout.yaml has changed"


def shipped() -> AnyOf:
    """Return the decision of `policies/rollout.yaml` at its first stage."""
    policy = RolloutPolicy.model_validate(yaml.safe_load(POLICY.read_text()))
    weights = compiled.compile(policy).weights(STAGE)
    return AnyOf([_test(node) for node in weights], list(weights.values()))


def _test(node: compiled.Node) -> EProcess:
    if not isinstance(node, compiled.Leaf):
        raise terminal(f"this simulation has no world for a nested condition: {node}", fix=FIX)
    signal = _SIGNALS[node.metric]
    match node.test, node.limit, node.factor:
        case compiled.Test.LIMIT, float() as limit, _:
            return Absolute(limit=0.01 if node.level is not None else limit, signal=signal)
        case compiled.Test.WORSE, _, float() as factor:
            return Relative(signal=signal, ratio=factor if factor > 1.0 else 0.0)
        case compiled.Test.THINNED, _, float() as factor:
            return Relative(signal=signal, f=factor)
    raise terminal(f"this simulation has no world for such a test: {node}", fix=FIX)
