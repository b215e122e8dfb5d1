"""The evidence of one rollout, kept up to date with its events; it remembers that the candidate is to go back.

The runner feeds it whatever the gateways log, in batches, and a replay feeds it a logged past. It holds no time
of its own, reads nothing, and can be written down and read back without losing a bit. `assess` reads it.

    ledger.enter(stage); ledger.absorb(kind, events); ledger.tick(now); assess(policy, ledger, facts, now)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import exp, inf, log
from typing import Any

import numpy as np

from runner import digest
from runner.errors import terminal
from runner.events.schema import Kind
from runner.rollout.compile import AllOf, AnyOf, Leaf, Node, Test, Tests, leaves
from runner.rollout.evidence import Evidence
from runner.signals.detection import SHIPPED, Detection
from runner.signals.outcomes import CANDIDATE, Count, Measures, Outcome
from runner.stats import logic, mismatch

BATCH = 500
"""Outcomes of one kind in one bet: a long backlog is taken piece by piece, so that bets are aimed by its past."""
_PACE = "error_rate"
"""The source that every session has, by which sessions are counted."""
MOST = 700.0
"""The largest logarithm that is turned into a number."""


@dataclass(frozen=True, slots=True)
class Latched:
    """That the candidate goes back: since when (seconds since 1970), at which stage, because of which condition."""

    condition: str
    stage: str
    evidence: float
    at: float


@dataclass(slots=True)
class Pace:
    """How many sessions the candidate got at a stage since its first there; `first` in seconds since 1970."""

    first: float
    sessions: int = 0


class Ledger:
    """All evidence of one rollout. `enter` the stage before its events are absorbed.

    Nothing is measured of the sources in `without`. Raises TerminalError where the model of `detection` is needed and
    cannot be used.
    """

    def __init__(
        self,
        tests: Tests,
        rollout_id: str,
        detection: Detection = SHIPPED,
        without: frozenset[str] = frozenset(),
    ) -> None:
        self.tests, self.rollout_id = tests, rollout_id
        wanted = (tests.sources | {_PACE}) - without
        self.detects = detection.needed_by(wanted).digest
        """Digest of what is detected with; taken before the model is read, so that no older one is kept under it."""
        self.measures = Measures(rollout_id, tests.session_gap, wanted, tests.user_window, detection)
        self.evidence = {leaf: Evidence(leaf) for leaf in tests.leaves}
        self.paces: dict[str, Pace] = {}
        self.sessions = 0
        self.last = 0.0
        """The latest time of an outcome."""
        self.latched: Latched | None = None
        self.stage = ""
        self._share: float | None = None
        self.enter(tests.stages[0])

    def enter(self, stage: str) -> None:
        """Say which stage is in force; saying it again changes nothing.

        What certifies a stage, and its pace, start anew. Raises TerminalError where the policy has none such.
        """
        if stage == self.stage:
            return
        if stage not in self.tests.stages:
            known = ", ".join(self.tests.stages)
            raise terminal(f"'{stage}' is none of the stages {known}", fix="name a stage of the policy")
        if self.stage:
            self.paces.pop(stage, None)
            for each in self.evidence.values():
                each.enter(self.last)
        self.stage = stage
        self._weights = self.tests.weights(stage)
        self._in_force = {leaf for term in self._weights for leaf in leaves(term)}
        self._latch()

    def absorb(self, kind: Kind, events: Iterable[Mapping[str, Any]]) -> None:
        """Take events of one kind, in any order; those of other rollouts are passed over."""
        self._take(self.measures.absorb(kind, events))

    def tick(self, now: float) -> None:
        """Take what the sessions say that have been silent for long enough at `now`, in seconds since 1970."""
        self._take(self.measures.tick(now))

    def _take(self, outcomes: list[Outcome]) -> None:
        if not outcomes:
            return
        batches: dict[tuple[str, Count], list[Outcome]] = defaultdict(list)
        for each in outcomes:
            batches[each.metric, each.how].append(each)
            self.last = max(self.last, each.at)
        self._count(batches.get((_PACE, Count.FIRST), []))
        for (source, how), batch in batches.items():
            for leaf, evidence in self.evidence.items():
                if leaf.source != source:
                    continue
                for start in range(0, len(batch), BATCH):
                    evidence.take(how, batch[start : start + BATCH], in_force=leaf in self._in_force)
                    if len(batch) > BATCH and leaf in self._in_force:
                        self._latch()
        self._latch()

    def _count(self, firsts: list[Outcome]) -> None:
        for each in firsts:
            if each.pi is not None:
                self._share = each.pi
            if each.arm == CANDIDATE:
                self.sessions += 1
                pace = self.paces.setdefault(self.stage, Pace(each.at))
                pace.sessions += 1

    @property
    def sessions_here(self) -> int:
        """How many sessions the candidate got at the stage in force."""
        pace = self.paces.get(self.stage)
        return pace.sessions if pace else 0

    def _latch(self) -> None:
        """Remember a crossing for good: evidence that was enough once stays enough."""
        if self.latched is None and self.log_e() >= self.bound:
            parts = self.parts()
            worst = max(parts, key=lambda name: parts[name])
            self.latched = Latched(worst, self.stage, exp(min(MOST, self.log_e())), self.last)

    @property
    def bound(self) -> float:
        """What the logarithm of the evidence has to reach for a rollback."""
        return log(1 / self.tests.alpha)

    def log_e(self) -> float:
        """Return the logarithm of the evidence of the whole rollout against the candidate."""
        blind = self.mismatched
        logs = [log(weight) + self.log_of(term, blind) for term, weight in self._weights.items()]
        return float(np.logaddexp.reduce(logs)) if logs else 0.0

    def parts(self) -> dict[str, float]:
        """Return for each condition in force the logarithm of what its terms bring to the evidence."""
        found = {}
        for each in self.tests.in_force(self.stage):
            logs = [self.part(term) for term in each.terms]
            found[each.name] = float(np.logaddexp.reduce(logs))
        return found

    def part(self, term: Node) -> float:
        """Return the logarithm of what a term brings to the evidence, weight and all; -inf if not in force."""
        weight = self._weights.get(term, 0.0)
        return log(weight) + self.log_of(term, self.mismatched) if weight else -inf

    def log_of(self, node: Node, blind: bool) -> float:
        """Return the logarithm of a node's own e-value; where `blind`, comparisons of arms prove nothing."""
        match node:
            case Leaf():
                if node.test is Test.UNMEASURED or (blind and node.relative):
                    return -inf
                return self.evidence[node].log_e
            case AllOf(parts):
                return float(logic.both([self.log_of(part, blind) for part in parts]))
            case AnyOf(parts):
                return float(logic.either([self.log_of(part, blind) for part in parts]))

    @property
    def mismatched(self) -> bool:
        """Whether users are not split as declared, at the share that was seen last."""
        return self._share is not None and self.mismatch(self._share) >= log(1 / self.tests.mismatch_alpha)

    def mismatch(self, share: float) -> float:
        """Return the logarithm of the evidence that users are not split as declared, at a share of the candidate."""
        counts = self.measures.assigned.get(share)
        if counts is None or not 0.0 < share < 1.0:
            return 0.0
        return float(mismatch.log_e(counts, (share, 1.0 - share)))

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "tests": digest.of_value([self.tests.digest, self.detects]),
            "rollout": self.rollout_id,
            "stage": self.stage,
            "measures": self.measures.to_json(),
            "evidence": {leaf.key: each.to_json() for leaf, each in self.evidence.items()},
            "paces": {stage: [pace.first, pace.sessions] for stage, pace in self.paces.items()},
            "sessions": self.sessions,
            "last": self.last,
            "share": self._share,
            "latched": asdict(self.latched) if self.latched else None,
        }

    @classmethod
    def from_json(cls, tests: Tests, value: Any, detection: Detection = SHIPPED) -> Ledger:
        """Read it back: it goes on as if it had never stopped.

        Raises TerminalError where it is none, or of a policy that tests or detects something else.
        """
        fix = "build it anew from the logged events"
        try:
            ledger = cls(tests, value["rollout"], detection)
            if value["tests"] != digest.of_value([tests.digest, ledger.detects]):
                raise terminal("the kept evidence belongs to another policy", fix=fix)
            ledger.enter(value["stage"])
            ledger.measures = Measures.from_json(value["measures"], detection)
            ledger.evidence = {
                leaf: Evidence.from_json(leaf, value["evidence"][leaf.key]) for leaf in tests.leaves
            }
            ledger.paces = {stage: Pace(*pace) for stage, pace in value["paces"].items()}
            ledger.sessions, ledger.last = value["sessions"], value["last"]
            ledger._share = value["share"]
            ledger.latched = Latched(**value["latched"]) if value["latched"] else None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            why = f"{type(error).__name__}: {error}"
            raise terminal("the kept evidence cannot be read", why, fix=fix) from error
        return ledger
