"""Folding the journal into what the planner must remember. Pure; called by `journal` and by `loop log`.

What counts is "attempted": whatever was begun may have happened, also where a crash hid its end. So an
attempted load is owned and no longer verified, and an attempted switch has used its generation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from runner import digest
from runner.errors import terminal
from runner.reconcile.observed import (
    BASELINE,
    Applied,
    Entered,
    Failure,
    FailureKind,
    Intent,
    Memory,
    Rollback,
    step_of,
)
from runner.serving.routes import Experiment, Shadow, Version

PAST = 20
"""Rollbacks that are remembered after Git shows them, for people to look at."""


class Kind(StrEnum):
    """What a journal entry says."""

    ATTEMPTED = "attempted"
    DONE = "done"
    FAILED = "failed"
    IN_SYNC = "in_sync"
    ENTERED = "entered"
    REPAIRED = "repaired"
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal.

    `at` is in seconds since 1970; `digest` covers everything else, `previous` too.
    """

    sequence: int
    at: float
    kind: Kind
    body: Mapping[str, Any]
    previous: str
    digest: str


@dataclass(slots=True)
class _Draft:
    """A memory that is being folded; copying at every entry would make long journals quadratic."""

    owned: set[str]
    verified: dict[tuple[str, str], str]
    failures: dict[str, Failure]
    released: dict[str, float]
    trusted: list[str]
    accepted: Intent | None = None
    generation: int = 0
    content: str = ""
    applied: Applied | None = None
    loaded: set[tuple[str, str]] = field(default_factory=set)
    entered: Entered | None = None
    rollbacks: dict[str, Rollback] = field(default_factory=dict)
    past: list[Rollback] = field(default_factory=list)
    proposed: dict[str, str] = field(default_factory=dict)


def fold(entries: Iterable[Entry], start: Memory | None = None) -> Memory:
    """Return what is remembered after these entries, beginning with `start`."""
    draft = _open(start or Memory())
    for entry in entries:
        match entry.kind:
            case Kind.ATTEMPTED:
                _attempted(draft, entry)
            case Kind.DONE:
                _done(draft, entry)
            case Kind.FAILED:
                _failed(draft, entry)
            case Kind.IN_SYNC:
                body = entry.body
                draft.applied = Applied(body["revision"], body["spec_digest"], entry.at)
            case Kind.ENTERED:
                draft.entered = Entered(**entry.body)
            case Kind.CHECKPOINT:
                draft = _open(from_json(entry.body))
            case Kind.REPAIRED:
                pass
    return _close(draft)


def _open(memory: Memory) -> _Draft:
    return _Draft(
        set(memory.owned),
        dict(memory.verified),
        dict(memory.failures),
        dict(memory.released),
        list(memory.trusted),
        memory.accepted,
        memory.generation,
        memory.content,
        memory.applied,
        set(memory.loaded),
        memory.entered,
        dict(memory.rollbacks),
        list(memory.past),
        dict(memory.proposed),
    )


def _close(draft: _Draft) -> Memory:
    return Memory(
        frozenset(draft.owned),
        draft.verified,
        draft.failures,
        draft.released,
        tuple(draft.trusted),
        draft.accepted,
        draft.generation,
        draft.content,
        draft.applied,
        frozenset(draft.loaded),
        draft.entered,
        draft.rollbacks,
        tuple(draft.past),
        draft.proposed,
    )


def _attempted(draft: _Draft, entry: Entry) -> None:
    body, served = entry.body, str(entry.body.get("served", ""))
    match body["action"]:
        case "place_files":
            draft.owned.add(served)
            draft.released.pop(served, None)
        case "load_adapter":
            draft.owned.add(served)
            draft.released.pop(served, None)
            draft.loaded.add((body["replica"], served))
            draft.verified.pop((body["replica"], served), None)
        case "unload_adapter" | "probe_adapter":
            draft.verified.pop((body["replica"], served), None)
        case "switch_routes":
            _switched(draft, body)
        case "roll_back":
            # From here on it is rolled back, whatever a crash prevented: the next pass goes on with it.
            _rolled_back(draft, body)
        case _:
            pass


def _rolled_back(draft: _Draft, body: Mapping[str, Any]) -> None:
    rollback = rollback_from_json(body["rollback"])
    draft.rollbacks[rollback.served] = rollback
    draft.entered, draft.content = None, ""  # the guard wrote tables of its own
    draft.proposed.clear()
    draft.generation = max(draft.generation, int(body.get("generation", 0)))
    if draft.accepted is not None and draft.accepted.candidate is not None:
        given = draft.accepted
        draft.accepted = Intent(given.baseline, shadow=given.shadow, experiments=given.experiments)


def _switched(draft: _Draft, body: Mapping[str, Any]) -> None:
    draft.generation = max(draft.generation, int(body["table"]["generation"]))
    draft.content = serves_of(body["table"])
    intent = intent_from_json(body["intent"])
    if intent is None:
        return
    draft.accepted = intent
    if intent.candidate is None:
        draft.entered = None  # a trial that is taken up again begins anew
        draft.proposed.clear()
    if intent.baseline.served not in draft.trusted:
        draft.trusted.append(intent.baseline.served)


def _done(draft: _Draft, entry: Entry) -> None:
    body, served = entry.body, str(entry.body.get("served", ""))
    draft.failures.pop(body["target"], None)
    draft.failures.pop(body["subject"], None)
    match body["action"]:
        case "probe_adapter":
            draft.verified[body["replica"], served] = body["instance"]
        case "unload_adapter":
            draft.loaded.discard((body["replica"], served))
            draft.released[served] = entry.at
        case "retire_files":
            draft.released[served] = entry.at
        case "delete_files":
            _forget(draft, served)
        case "note_landed":
            _landed(draft, served)
        case "write_rollback" | "notify_rollback" if served in draft.rollbacks:
            change = (
                {"notified": True}
                if body["action"] == "notify_rollback"
                else {"written": str(body["result"]["written"]), "written_at": entry.at}
            )
            draft.rollbacks[served] = replace(draft.rollbacks[served], **change)
        case "notify_rollback":
            draft.past = [
                replace(each, notified=True) if each.served == served else each for each in draft.past
            ]
        case "advance_stage":
            draft.proposed[step_of(body["rollout_id"], body["stage"])] = str(body["result"]["written"])
        case "conclude_rollout":
            draft.proposed[step_of(body["rollout_id"], BASELINE)] = str(body["result"]["written"])
        case _:
            pass


def _landed(draft: _Draft, served: str) -> None:
    """Git shows it: from here on `quarantine.yaml` alone says whether it stays quarantined."""
    rollback = draft.rollbacks.pop(served, None)
    if rollback is not None:
        draft.past = [*draft.past, rollback][-PAST:]


def _forget(draft: _Draft, served: str) -> None:
    draft.owned.discard(served)
    draft.released.pop(served, None)
    for pair in [pair for pair in draft.verified if pair[1] == served]:
        del draft.verified[pair]
    for name in [name for name in draft.failures if served in name.split(" ")]:
        del draft.failures[name]


def _failed(draft: _Draft, entry: Entry) -> None:
    body, kind = entry.body, FailureKind(entry.body["failure"])
    name = body["subject"] if kind is FailureKind.TERMINAL else body["target"]
    before = draft.failures.get(name)
    if kind is FailureKind.TERMINAL and body["action"] == "load_adapter":
        draft.loaded.discard((body["replica"], str(body["served"])))
    count = before.count + 1 if before and before.config == body["config"] else 1
    draft.failures[name] = Failure(kind, count, entry.at, body["message"], body["config"])


_NOT_SERVED = frozenset({"generation", "revision", "quarantined"})


def serves_of(table: Mapping[str, Any]) -> str:
    """Return the digest of what a table in JSON gives users, whatever else it says to runners."""
    return digest.of_value({name: value for name, value in table.items() if name not in _NOT_SERVED})


def intent_from_json(value: Mapping[str, Any] | None) -> Intent | None:
    """Read the arms of a switch back."""
    if value is None:
        return None
    candidate, shadow = value["candidate"], value["shadow"]
    return Intent(
        Version(**value["baseline"]),
        Version(**candidate) if candidate else None,
        float(value["weight"]),
        tuple(value["groups"]),
        Shadow(Version(**shadow["version"]), float(shadow["sample"])) if shadow else None,
        tuple(_experiment_from_json(each) for each in value.get("experiments", ())),
    )


def _experiment_from_json(value: Mapping[str, Any]) -> Experiment:
    return Experiment(
        value["id"],
        value["name"],
        tuple(Version(**version) for version in value["versions"]),
        tuple(value["weights"]),
        float(value["share"]),
        tuple(value["groups"]),
    )


def rollback_from_json(value: Mapping[str, Any]) -> Rollback:
    """Read a rollback back."""
    return Rollback(**{**value, "evidence": tuple(value["evidence"])})


def to_json(memory: Memory) -> dict[str, Any]:
    """Return a memory as plain JSON values: the body of a checkpoint."""
    return {
        "owned": sorted(memory.owned),
        "verified": [[*pair, instance] for pair, instance in sorted(memory.verified.items())],
        "failures": {name: asdict(failure) for name, failure in sorted(memory.failures.items())},
        "released": dict(sorted(memory.released.items())),
        "trusted": list(memory.trusted),
        "accepted": None if memory.accepted is None else asdict(memory.accepted),
        "generation": memory.generation,
        "content": memory.content,
        "applied": None if memory.applied is None else asdict(memory.applied),
        "loaded": [list(pair) for pair in sorted(memory.loaded)],
        "entered": None if memory.entered is None else asdict(memory.entered),
        "rollbacks": [asdict(rollback) for _, rollback in sorted(memory.rollbacks.items())],
        "past": [asdict(rollback) for rollback in memory.past],
        "proposed": dict(sorted(memory.proposed.items())),
    }


def from_json(value: Mapping[str, Any]) -> Memory:
    """Read a memory back. Raises TerminalError for a checkpoint that is none."""
    try:
        return Memory(
            owned=frozenset(value["owned"]),
            verified={(url, served): instance for url, served, instance in value["verified"]},
            failures={
                name: Failure(**{**failure, "kind": FailureKind(failure["kind"])})
                for name, failure in value["failures"].items()
            },
            released=dict(value["released"]),
            trusted=tuple(value["trusted"]),
            accepted=intent_from_json(value["accepted"]),
            generation=int(value["generation"]),
            content=str(value["content"]),
            applied=Applied(**value["applied"]) if value["applied"] else None,
            loaded=frozenset((url, served) for url, served in value["loaded"]),
            entered=Entered(**value["entered"]) if value.get("entered") else None,
            rollbacks={each["served"]: rollback_from_json(each) for each in value.get("rollbacks", ())},
            past=tuple(rollback_from_json(each) for each in value.get("past", ())),
            proposed=dict(value.get("proposed", {})),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        text = f"{type(error).__name__}: {error}"
        raise terminal("this journal has a checkpoint that cannot be read", text) from error
