"""What a pass may do to the world, and why it may refrain: frozen values with a total order.

`plan` makes them, `apply` walks them, `report.plan` prints them; all three read the same tuple, so they
cannot disagree. An action has a reason; so has a hold. Computation only.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from runner.reconcile.observed import Intent, Rollback
from runner.serving import routes
from runner.serving.routes import RouteTable


class Reason(StrEnum):
    """Why an action is needed."""

    DECLARED = "declared and not there"
    FILES_MISSING = "its files are not on the engine's disk"
    BYTES_MISSING = "its bytes are not in the working tree"
    LOST = "the replica lost it"
    NOT_VERIFIED = "not verified on this replica"
    RESTARTED = "the replica is another process than the one it was verified on"
    WRONG_ROOT = "registered under another path than the one declared"
    PAIR_WITHDRAWN = "routed to a replica where it is not verified"
    ROLLED_BACK = "the spec goes back"
    PROMOTED = "the spec gives it traffic"
    REPLICA_READY = "verified on more replicas"
    CHANGED_BY_HAND = "the table is not the one last written"
    GATEWAY_EMPTY = "the gateway has no table"
    NOT_DECLARED = "not declared any more"
    GRACE_OVER = "unused for longer than the grace period"
    CERTIFIED = "every limit of its stage is kept, with certainty"
    PROVEN = "every limit is kept in the last stage, with certainty"
    NOT_IN_GIT = "rolled back, and Git does not say so yet"
    IN_GIT = "Git says so by now"
    NOT_TOLD = "nobody outside was told yet"


class HoldReason(StrEnum):
    """Why something that differs is left as it is."""

    UNKNOWN = "did not answer"
    BACKOFF = "failed, waits before the next try"
    TERMINAL = "failed for good"
    RANK = "rank over the engine's"
    SLOTS = "no slot left"
    FOREIGN = "somebody else's adapter has this name"
    SUSPENDED = "suspended"
    FROZEN = "freeze window"
    UNVERIFIED = "not verified anywhere yet"
    PRUNE_LIMIT = "over the prune limit"
    EMPTY_DESIRED = "nothing is declared"
    IN_USE = "a gateway still routes to it"
    DRAINING = "requests under way"
    GRACE = "within the grace period"
    QUARANTINED = "rolled back before"
    PENDING_GIT = "rolled back (pending git)"
    SOAK = "has to prove itself elsewhere first"
    UNPROVEN = "its evaluation does not speak for it"
    STALE_RUNNER = "another runner applies a newer revision"
    EVIDENCE = "the rollout waits for evidence"
    MISMATCH = "users are not split as declared"
    PROPOSED = "a pull request waits for a person"
    SIGNAL = "a signal says to wait"


@dataclass(frozen=True, slots=True)
class PullData:
    """Fetch an adapter's bytes from the DVC store into the working tree."""

    kind: ClassVar[str] = "pull_data"
    phase: ClassVar[int] = 1
    served: str
    source: str
    reason: Reason
    config: str = ""


@dataclass(frozen=True, slots=True)
class PlaceFiles:
    """Copy an adapter's files, their digest verified, into the store: read-only, named by digest."""

    kind: ClassVar[str] = "place_files"
    phase: ClassVar[int] = 2
    served: str
    source: str
    digest: str
    reason: Reason
    config: str = ""


@dataclass(frozen=True, slots=True)
class LoadAdapter:
    """Register a placed adapter with one replica."""

    kind: ClassVar[str] = "load_adapter"
    phase: ClassVar[int] = 3
    served: str
    replica: str
    path: str
    digest: str
    reason: Reason
    config: str = ""


@dataclass(frozen=True, slots=True)
class ProbeAdapter:
    """Prove on one replica that the adapter is served and is not the base."""

    kind: ClassVar[str] = "probe_adapter"
    phase: ClassVar[int] = 3
    served: str
    replica: str
    instance: str
    path: str
    digest: str
    reason: Reason

    @property
    def config(self) -> str:
        """A failed probe says something of this process only."""
        return self.instance


@dataclass(frozen=True, slots=True)
class SwitchRoutes:
    """Give a gateway a new table; the generation is chosen when it is written.

    `intent` are the arms that this table means to give, also where one cannot be served at the moment.
    """

    kind: ClassVar[str] = "switch_routes"
    phase: ClassVar[int] = 0
    gateway: str
    table: RouteTable
    intent: Intent | None
    reason: Reason
    config: str = ""

    @property
    def served(self) -> str:
        """Routes are about every adapter."""
        return ""


@dataclass(frozen=True, slots=True)
class WriteRollback:
    """Write a rollback back to Git: take the rollout out of loop.yaml, put the bytes into quarantine.yaml.

    With `by_pull_request` on a branch that a person merges.
    """

    kind: ClassVar[str] = "write_rollback"
    phase: ClassVar[int] = 8
    served: str
    rollback: Rollback
    by_pull_request: bool
    reason: Reason
    config: str = ""


@dataclass(frozen=True, slots=True)
class AdvanceStage:
    """Write the next stage into loop.yaml; with `by_pull_request` on a branch that a person merges."""

    kind: ClassVar[str] = "advance_stage"
    phase: ClassVar[int] = 8
    served: str
    rollout_id: str
    before: str
    stage: str
    evidence: tuple[str, ...]
    by_pull_request: bool
    reason: Reason
    config: str = ""


@dataclass(frozen=True, slots=True)
class ConcludeRollout:
    """Write the candidate into loop.yaml as the baseline, and the old baseline as the standby; the rollout leaves.

    `stage` is the last one, `baseline` the served name of the version that is the baseline now. With
    `by_pull_request` on a branch that a person merges.
    """

    kind: ClassVar[str] = "conclude_rollout"
    phase: ClassVar[int] = 8
    served: str
    rollout_id: str
    baseline: str
    stage: str
    evidence: tuple[str, ...]
    by_pull_request: bool
    reason: Reason
    config: str = ""


@dataclass(frozen=True, slots=True)
class NoteLanded:
    """Note that `quarantine.yaml` shows a rollback: from here on Git alone says whether it stays so.

    Touches nothing but the journal.
    """

    kind: ClassVar[str] = "note_landed"
    phase: ClassVar[int] = 6
    served: str
    reason: Reason
    config: str = ""


@dataclass(frozen=True, slots=True)
class NotifyRollback:
    """Tell people outside of a rollback: the webhook of the policy, and the status of the commit."""

    kind: ClassVar[str] = "notify_rollback"
    phase: ClassVar[int] = 9
    served: str
    rollback: Rollback
    reason: Reason
    config: str = ""


@dataclass(frozen=True, slots=True)
class UnloadAdapter:
    """Take an adapter of ours that nothing routes to from one replica."""

    kind: ClassVar[str] = "unload_adapter"
    phase: ClassVar[int] = 5
    served: str
    replica: str
    reason: Reason
    config: str = ""


@dataclass(frozen=True, slots=True)
class RetireFiles:
    """Note that no replica holds an adapter any more: its grace period begins.

    Touches nothing but the journal.
    """

    kind: ClassVar[str] = "retire_files"
    phase: ClassVar[int] = 6
    served: str
    reason: Reason
    config: str = ""


@dataclass(frozen=True, slots=True)
class DeleteFiles:
    """Delete an adapter's files, long after the last replica forgot it."""

    kind: ClassVar[str] = "delete_files"
    phase: ClassVar[int] = 7
    served: str
    reason: Reason
    config: str = ""


Action = (
    PullData
    | PlaceFiles
    | LoadAdapter
    | ProbeAdapter
    | SwitchRoutes
    | UnloadAdapter
    | RetireFiles
    | DeleteFiles
    | NoteLanded
    | WriteRollback
    | AdvanceStage
    | ConcludeRollout
    | NotifyRollback
)
Outward = WriteRollback | AdvanceStage | ConcludeRollout | NotifyRollback
"""What waits for Git or a network outside; nothing that users notice may wait for it."""


@dataclass(frozen=True, slots=True, order=True)
class Hold:
    """Something that differs and is left alone: what, why, with figures, until when, what is next."""

    subject: str
    reason: HoldReason
    text: str
    until: float | None = field(default=None, compare=False)
    next: str = ""


def place_of(action: Action) -> str:
    """Return the system that an action touches: a replica, a gateway, or the disk."""
    match action:
        case LoadAdapter() | ProbeAdapter() | UnloadAdapter():
            return action.replica
        case SwitchRoutes():
            return action.gateway
        case WriteRollback() | AdvanceStage() | ConcludeRollout():
            return "git"
        case NotifyRollback():
            return "notification"
        case _:
            return "disk"


def target(action: Action) -> str:
    """Return what an action acts on, unique in a plan: failures that may pass are counted under it."""
    return " ".join(part for part in (action.kind, action.served, place_of(action)) if part)


def subject(action: Action) -> str:
    """Return what a lasting failure of an action speaks of: a bad adapter is bad on every replica."""
    return f"{action.kind} {action.served}" if isinstance(action, LoadAdapter) else target(action)


def to_json(action: Action) -> dict[str, Any]:
    """Return an action as plain JSON values, as it stands in the journal and in saved plans."""
    value = {name: getattr(action, name) for name in action.__dataclass_fields__}
    if isinstance(action, SwitchRoutes):
        value["table"] = routes.to_json(action.table)
        value["intent"] = None if action.intent is None else asdict(action.intent)
    if isinstance(action, WriteRollback | NotifyRollback):
        value["rollback"] = asdict(action.rollback)
    return {"action": action.kind, **value, "reason": action.reason.name.lower(), "why": action.reason.value}
