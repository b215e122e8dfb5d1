"""A deployment of which everything is shown: what tests take one piece away from, and look which point notices.

chat-v1.1 came of collected data and went the whole way to the baseline; chat-v1.2 after it went back. Wednesday noon.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from typing import Any

from runner import digest
from runner.checklist.facts import (
    Account,
    ArmTraffic,
    Bytes,
    Entered,
    Facts,
    Gateway,
    History,
    Journal,
    Log,
    Merge,
    Page,
    Pass,
    Placed,
    Rolled,
    Rules,
    Snapshot,
    Span,
    Step,
    Trained,
    Trial,
    Workflow,
    Written,
)
from runner.evaluation.results import Against, GateResult, Measured, Report, SuiteResult
from runner.report import exposition
from runner.signals.reading import Direction, Drift, Holds, Level, Reading, Trend
from runner.spec.load import Spec
from runner.spec.model import GateVerdict
from tests.spec.repository import DIGESTS, MODEL, Repository, quarantine_text

NOW = datetime(2026, 12, 9, 12, tzinfo=UTC).timestamp()
DAY_S = 86_400.0
TODAY = int(NOW // DAY_S)
OLD, NEW, BAD = "chat-v1.0", "chat-v1.1", "chat-v1.2"
BYTES = {**DIGESTS, BAD: "d" * 64}
ROLLOUT, SECOND = "aaaa1111bbbb", "cccc2222dddd"
TIP = "1" * 40
GATEWAY, MONITOR, RUNNER = "http://127.0.0.1:8081", "http://127.0.0.1:8088", 4711
RUN = "schedule https://git.example/books/shop/actions/runs/8"
PREFERENCES = "datasets/snapshot/preferences.jsonl"
FREEZE = {"zone": "Asia/Seoul", "from": "friday 16:00", "to": "monday 06:00", "reason": "nobody watches"}


def served(name: str) -> str:
    """Return the served name of a version."""
    return digest.served_name(name, BYTES[name])


def ago(days: float) -> float:
    """Return the moment so many days before now."""
    return NOW - days * DAY_S


def spec(**changes: Any) -> Spec:
    """Return the desired state; `changes` are keys of production, None takes one away."""
    files = repository()
    for key, value in changes.items():
        if value is None:
            files.remove("loop.yaml", "environments", "production", key)
        else:
            files.set("loop.yaml", "environments", "production", key, to=value)
    return loaded(files)


def repository() -> Repository:
    """Return the files of the desired state."""
    files = Repository()
    how = {"type": "DPO", "recipe": "dpo", "dataset": "bookshop-preferences"}
    files.texts[f"models/{BAD}.yaml"] = MODEL.format(name=BAD, digest=BYTES[BAD], **how)
    files.digests[f"models/{BAD}"] = BYTES[BAD]
    files.texts["quarantine.yaml"] = quarantine_text(served(BAD))
    files.set(f"models/{NEW}.yaml", "parent", to=OLD)
    files.set(f"models/{BAD}.yaml", "parent", to=NEW)
    for key, value in {"baseline": NEW, "standby": OLD, "freeze": [FREEZE]}.items():
        files.set("loop.yaml", "environments", "production", key, to=value)
    return files


def loaded(files: Repository) -> Spec:
    """Return what files say, all of which is right."""
    found = files.load()
    assert found.spec is not None, "\n".join(map(str, found.diagnostics))
    return found.spec


@cache
def whole() -> Facts:
    """Return everything that there is to see."""
    desired = spec()
    return Facts(
        environment="production",
        now=NOW,
        spec=desired,
        history=_history(),
        journal=_journal(),
        last_pass=Pass(NOW - 2, "in sync", TIP, _placed(), RUNNER),
        page=_page(desired),
        gateways={GATEWAY: _gateway()},
        log=_log(desired),
        reports={name: report(desired, name) for name in desired.models},
        trained=(Trained(NEW, PREFERENCES, 300, 280),),
        snapshot=Snapshot("e" * 64, "PASS", {"preferences.jsonl": 300}),
        placed=(Bytes(served(NEW), BYTES[NEW]),),
        account=Account(
            3600.0,
            "an API",
            5400.0,
            "$2,400, paid back in 16.0 months",
            ("26 prompt tokens (900 answers)", "9 answer tokens (900 answers)"),
            ("100,000 requests a month",),
        ),
    )


def having(**parts: Any) -> Facts:
    """Return everything with some parts of it others."""
    return replace(whole(), **parts)


def _history() -> History:
    def step(number: int, days: float, trailer: str, value: str, rollout: str = "") -> Step:
        return Step(
            f"{number:040x}", ago(days), trailer, value, rollout, RUN, Merge("7" * 40, "Grace Reviewer")
        )

    order = ("canary", "small", "half", "full")
    ramp = [
        step(3 + at, 13 - 2 * at, "Loop-Advance", f"{served(NEW)} {before} -> {after}", ROLLOUT)
        for at, (before, after) in enumerate(pairwise(order))
    ]
    return History(
        revision=TIP,
        steps=(
            step(1, 19, "Loop-Data", "curated"),
            step(2, 15, "Loop-Promotion", served(NEW)),
            *ramp,
            step(7, 7, "Loop-Conclude", f"{served(OLD)} -> {served(NEW)}", ROLLOUT),
            step(8, 3, "Loop-Promotion", served(BAD)),
            step(9, 2, "Loop-Rollback", served(BAD), SECOND),
        ),
        trials=(Trial(NEW, f"{2:040x}", ago(15)), Trial(BAD, f"{8:040x}", ago(3))),
        workflows=(
            Workflow(".github/workflows/collect.yml", 44, "loop data curate", ("schedule 40 2 * * *",)),
            Workflow(".github/workflows/evaluate.yml", 55, "loop evaluate", ("pull_request",)),
        ),
        rules=(Rules("prometheus/loop.yaml", True),),
        known=frozenset({TIP, f"{9:040x}"}),
    )


def _journal() -> Journal:
    return Journal(
        path=".loop/production/journal.jsonl",
        entries=90,
        first=ago(30),
        rollbacks=(
            Rolled(
                served(BAD),
                SECOND,
                "canary",
                "error_rate > 5%",
                "event-1",
                ago(2),
                70,
                71,
                ago(2) + 0.2,
                (),
                ago(2) + 0.1,
                0,
            ),
        ),
        entered=(
            Entered(50, ROLLOUT, "canary", ago(14)),
            Entered(54, ROLLOUT, "small", ago(13)),
            Entered(58, ROLLOUT, "half", ago(9)),
            Entered(62, ROLLOUT, "full", ago(8)),
            Entered(69, SECOND, "canary", ago(2.2)),
        ),
        written=(Written(72, ago(2), "write_rollback", f"{9:040x}"),),
        probed={served(NEW): 48},
        in_sync=(80, TIP, "f" * 64),
    )


def _placed() -> tuple[Placed, ...]:
    return (Placed(served(NEW), "baseline", 1, 1), Placed(served(OLD), "standby", 1, 1))


def _gateway() -> Gateway:
    return Gateway(GATEWAY, ago(1), TIP, served(NEW), None, {"request": 500, "content": 500}, 0, None)


def drift(days: float = 0.0, n: int = 900, value: float | None = 0.03) -> Drift:
    """Return drift over the week that ended so many days before now."""
    at = min(NOW, (int(ago(days) // DAY_S) + 1) * DAY_S)
    return Drift(at, 7 * DAY_S, n, 400, value, 0.01, 0.05, 1.0, ago(30), "", None, None, None, (), (), "")


def reading(metric: str, n: int = 900, value: float | None = 0.1, **changes: Any) -> Reading:
    """Return a reading of all together that breaks no threshold."""
    own: dict[str, Any] = {"conditions": (("warn", Holds.NO),), "arm": "", "segment": "", **changes}
    trend = Trend(Direction.STEADY, None, 0)
    return Reading(
        metric=metric,
        value=value,
        low=value,
        high=value,
        n=n,
        window=DAY_S,
        version="",
        level=Level.FINE,
        trend=trend,
        points=(),
        **own,
    )


def _page(desired: Spec) -> Page:
    names = desired.policies.signals.signals
    return Page(
        url=MONITOR,
        environment="production",
        runner=RUNNER,
        at=NOW - 5,
        stale="",
        readings=tuple(map(reading, names)),
        drift=drift(),
        weeks=(drift(14), drift(7), drift()),
        exported=frozenset({exposition.CONDITION, "loop_refusal_ratio"}),
    )


def _log(desired: Spec) -> Log:
    policy = desired.policies.rollout
    weights = [min(stage.traffic, 1.0 - policy.holdback) for stage in policy.stages]
    return Log(
        kinds={
            kind: Span(9000, ago(20), NOW - 1, 600) for kind in ("request", "content", "feedback", "vote")
        },
        days=(TODAY - 20, TODAY - 8, TODAY - 1, TODAY),
        arms=tuple(
            ArmTraffic(ROLLOUT, weight, arm, 100, 20, 0, 1 if arm == "candidate" else 0)
            for weight in weights
            for arm in ("baseline", "candidate")
        ),
    )


def report(desired: Spec, name: str, **changes: Any) -> Report:
    """Return the report of a version that passed every gate."""
    policy = desired.policies.evaluation
    suites = tuple(
        SuiteResult(each, suite.kind, (Measured("accuracy", 0.95, 0.9, 0.99, 200),), (), (), 1.0, 0.01)
        for each, suite in policy.suites.items()
    )
    gates = tuple(
        GateResult(each, gate.suite, GateVerdict.PASS, str(gate.require), "0.95")
        for each, gate in policy.gates.items()
    )
    hashes = {each.name: each.hash or "" for each in desired.datasets.values()}
    made = Report(
        version=name,
        digest=BYTES[name],
        against=Against(OLD, BYTES[OLD]),
        base="bookshop-base",
        environment="staging",
        engine="0.32.0",
        dataset_hashes=hashes,
        revision=TIP,
        at="2026-11-22",
        seconds=60.0,
        suites=suites,
        gates=gates,
        verdict=GateVerdict.PASS,
    )
    return replace(made, **changes)
