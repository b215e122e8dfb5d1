"""What the last pass found, as a file that `loop status` reads without asking anybody. Values only.

Written by `loop` after every pass, by renaming; a reader sees one pass whole.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from runner.errors import Unknown
from runner.reconcile import actions
from runner.reconcile.intent import shown
from runner.reconcile.loop import Outcome
from runner.reconcile.observed import GatewayView, Observed, Replica, Rollback
from runner.reconcile.plan import AdapterView, Plan
from runner.serving.routes import RouteTable

FORMAT = 1


def to_json(outcome: Outcome) -> dict[str, Any]:
    """Return a pass as plain JSON values; times are in seconds since 1970 UTC."""
    planned, observed = outcome.plan, outcome.observed
    applied = observed.memory.applied
    return {
        "format": FORMAT,
        "at": observed.at,
        "environment": planned.environment,
        "revision": planned.revision,
        "verdict": planned.verdict.value,
        "in_sync_since": _since(planned, observed),
        "applied": None if applied is None else asdict(applied),
        "refused": None if outcome.refusal is None else asdict(outcome.refusal),
        "arms": _arms(planned.before, _alias(planned)),
        "adapters": [_adapter(view) for view in planned.adapters],
        "replicas": {url: _replica(value) for url, value in sorted(observed.replicas.items())},
        "gateways": {url: _gateway(value) for url, value in sorted(observed.gateways.items())},
        "rollout": _rollout(observed),
        "rollbacks": [*map(_rollback, observed.memory.past), *_pending(observed)],
        "actions": [actions.to_json(action) for action in planned.actions],
        "failed": [
            {"action": actions.target(f.action), "kind": f.kind.value, "message": f.message}
            for f in outcome.report.failed
        ],
        "holds": [
            {**asdict(hold), "reason": hold.reason.name.lower(), "why": hold.reason.value}
            for hold in planned.holds
        ],
    }


def _rollout(observed: Observed) -> dict[str, Any] | None:
    """Return what the evidence says of the rollout; `unknown` says why it cannot be read."""
    found = observed.assessment
    if isinstance(found, Unknown):
        return {"unknown": found.reason}
    return None if found is None else asdict(found)


def _pending(observed: Observed) -> list[dict[str, Any]]:
    """Return the rollbacks that Git does not show yet, oldest first."""
    waiting = sorted(observed.memory.rollbacks.values(), key=lambda rollback: rollback.at)
    return [{**_rollback(rollback), "git": "pending"} for rollback in waiting]


def _rollback(rollback: Rollback) -> dict[str, Any]:
    return {**asdict(rollback), "git": "landed"}


def _since(planned: Plan, observed: Observed) -> float | None:
    applied = observed.memory.applied
    same = applied is not None and applied.revision == planned.revision
    return applied.at if planned.in_sync and applied is not None and same else None


def _alias(planned: Plan) -> str:
    routes = planned.after.routes
    return routes[0].alias if routes else ""


def _arms(table: RouteTable | None, alias: str) -> dict[str, Any] | None:
    """Return who answers now, by the newest table that a gateway obeys."""
    intent = shown(table, alias)
    if table is None or intent is None:
        return None
    return {
        "alias": alias,
        "generation": table.generation,
        "baseline": intent.baseline.served,
        "candidate": intent.candidate.served if intent.candidate else None,
        "weight": intent.weight,
        "shadow": intent.shadow.version.served if intent.shadow else None,
        "experiments": {
            each.name: [version.served for version in each.versions] for each in intent.experiments
        },
    }


def _adapter(view: AdapterView) -> dict[str, Any]:
    return {
        "version": view.adapter.version.name,
        "served": view.adapter.served,
        "role": view.adapter.role.value,
        "rank": view.adapter.rank,
        "verified": list(view.verified),
        "replicas": view.replicas,
    }


def _replica(replica: Replica | Unknown) -> dict[str, Any]:
    if isinstance(replica, Unknown):
        return {"unknown": replica.reason}
    names = [model.name for model in replica.models if model.parent is not None]
    return {"instance": replica.instance, "version": replica.version, "adapters": names}


def _gateway(view: GatewayView | Unknown) -> dict[str, Any]:
    if isinstance(view, Unknown):
        return {"unknown": view.reason}
    return {"generation": view.generation, "in_flight": sum(view.in_flight.values())}
