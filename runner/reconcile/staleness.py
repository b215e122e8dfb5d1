"""The staleness rule: a saved plan is applied only while spec, actions and the facts beneath them hold.

`plan` asks for the facts, `cli` saves a plan with `to_json` and checks it with `check` before `apply`. No
I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from runner import digest
from runner.errors import TerminalError, Unknown, terminal
from runner.reconcile import actions
from runner.reconcile.desired import Desired
from runner.reconcile.observed import GatewayView, Observed, Replica
from runner.serving import routes

if TYPE_CHECKING:
    from runner.reconcile.plan import AdapterView, Plan

FORMAT = 1


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What of a reviewed plan is needed to know whether it still holds."""

    digest: str
    environment: str
    revision: str
    spec_digest: str
    facts: Mapping[str, str]


def facts(desired: Desired, observed: Observed) -> dict[str, str]:
    """Return the observed facts that actions rest on: adapters declared or owned, processes, routes."""
    ours = {adapter.served for adapter in desired.adapters} | observed.memory.owned
    known = {"spec": digest.short(desired.spec_digest), "revision": desired.revision}
    for url, replica in sorted(observed.replicas.items()):
        known |= _replica_facts(url, replica, ours, observed)
    for url, gateway in sorted(observed.gateways.items()):
        known[f"routes of {url}"] = _routes_fact(gateway)
    if isinstance(observed.placed, Unknown):
        known["adapter store"] = "did not answer"
    else:
        known |= {f"files of '{served}'": "placed" for served in sorted(ours & observed.placed)}
    return known


def to_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain JSON values: what `loop plan` writes with `--out` and `--json`."""
    return {
        "format": FORMAT,
        "digest": plan.digest,
        "environment": plan.environment,
        "revision": plan.revision,
        "spec_digest": plan.spec_digest,
        "verdict": plan.verdict.value,
        "actions": [actions.to_json(action) for action in plan.actions],
        "holds": [
            {**asdict(hold), "reason": hold.reason.name.lower(), "why": hold.reason.value}
            for hold in plan.holds
        ],
        "adapters": [_adapter(view) for view in plan.adapters],
        "slots": {"used": len(plan.adapters), "available": plan.slots},
        "routes": {
            "before": None if plan.before is None else routes.to_json(plan.before),
            "after": routes.to_json(plan.after),
        },
        "facts": plan.facts,
    }


def _adapter(view: AdapterView) -> dict[str, Any]:
    version = view.adapter.version
    return {
        "version": version.name,
        "digest": version.digest,
        "served": version.served,
        "role": view.adapter.role.value,
        "rank": view.adapter.rank,
        "verified": list(view.verified),
        "replicas": view.replicas,
    }


def from_json(value: Any) -> SavedPlan:
    """Read a saved plan back. Raises TerminalError for anything that is not one."""
    try:
        if value["format"] != FORMAT:
            raise ValueError(f"format {value['format']!r}, this version reads {FORMAT}")
        return SavedPlan(
            digest=_text(value, "digest"),
            environment=_text(value, "environment"),
            revision=_text(value, "revision"),
            spec_digest=_text(value, "spec_digest"),
            facts={str(name): str(fact) for name, fact in value["facts"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        text = f"{type(error).__name__}: {error}"
        raise terminal("this is not a saved plan", text, fix="make one with `loop plan --out`") from error


def check(saved: SavedPlan, fresh: Plan) -> None:
    """Return where the saved plan is what would be planned now. Raises TerminalError, naming what changed."""
    if saved.environment != fresh.environment:
        text = f"plan {saved.digest[:4]} is for '{saved.environment}', not for '{fresh.environment}'"
        raise terminal(text, changed="nothing was applied")
    if saved.digest == fresh.digest:
        return
    changes = list(_changes(saved.facts, fresh.facts)) or [
        "its actions differ from those that are needed now"
    ]
    raise _stale(saved, changes)


def _stale(saved: SavedPlan, changes: list[str]) -> TerminalError:
    return terminal(
        f"plan {saved.digest[:4]} is stale: {changes[0]} after it was made",
        *changes[1:],
        fix="run `loop plan` and review again",
        changed="nothing was applied",
    )


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    told = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if name.startswith("adapter ") and after is None:
            told.append(f"{name} was unloaded")
        elif before is None:
            told.append(f"{name} became {after}")
        elif after is None:
            told.append(f"{name} went away, it was {before}")
        else:
            told.append(f"{name} changed from {before} to {after}")
    return told


def _text(value: Any, name: str) -> str:
    if not isinstance(value[name], str):
        raise TypeError(f"{name} is not text")
    return str(value[name])


def _replica_facts(
    url: str, replica: Replica | Unknown, ours: set[str], observed: Observed
) -> dict[str, str]:
    if isinstance(replica, Unknown):
        return {f"replica {url}": "did not answer"}
    known = {f"replica {url}": f"process {replica.instance}"}
    for model in replica.models:
        if model.parent is not None and model.name in ours:
            proven = observed.memory.verified.get((url, model.name)) == replica.instance
            known[f"adapter '{model.name}' on {url}"] = (
                f"{'verified' if proven else 'loaded'} from {model.root}"
            )
    return known


def _routes_fact(gateway: GatewayView | Unknown) -> str:
    if isinstance(gateway, Unknown):
        return "did not answer"
    return f"generation {gateway.generation}, {digest.short(gateway.table.content)}"
