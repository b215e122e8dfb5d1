"""Streams of events as gateways would log them, and a trial that is told what happens in plain words.

trial = Trial(policy("errors: error_rate > 5%"))
trial.serves(hours=2, candidate=Manner(errors=0.2))
trial.finds(Step.ROLL_BACK, Because.PROVEN)
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from runner.events.schema import Kind
from runner.rollout.assess import StageFacts, assess
from runner.rollout.compile import compile as compiled
from runner.rollout.ledger import Ledger
from runner.rollout.verdict import Assessment, Because, Step
from runner.serving import assignment
from runner.serving.routes import Split, Version
from runner.signals.detection import REASKS, REFUSALS
from runner.spec.rollout import RolloutPolicy

ROLLOUT = "r-1"
START = 1_790_000_000.0
Event = dict[str, Any]


def policy(*always: str, stages: list[dict[str, Any]] | None = None, **more: Any) -> RolloutPolicy:
    """Return a policy of `name: condition` lines and stages; one stage of half the users for a day if not given."""
    named = dict(line.split(": ", 1) for line in always)
    given = stages or [{"name": "half", "traffic": "50%", "duration": "24h", "advance": "auto"}, LAST]
    return RolloutPolicy.model_validate({"always": named, "stages": given, **more})


LAST = {"name": "full", "traffic": "100%", "duration": "stable"}


@dataclass(frozen=True)
class Manner:
    """How an arm behaves: shares from 0 to 1, seconds, and how many of its answers are voted on."""

    errors: float = 0.01
    late_errors: float | None = None
    crashes: float = 0.0
    latency: float = 0.4
    spread: float = 0.3
    satisfied: float = 0.85
    voting: float = 0.3
    refusals: float = 0.02
    tokens: float = 120.0


HEALTHY = Manner()


def request(number: int, user: str, arm: str, at: float, **more: Any) -> Event:
    """Return a request event of a trial; `more` fields replace or add."""
    event: Event = {
        "event.id": f"e{number}",
        "event.time": int(at * 1e6),
        "loop.environment": "production",
        "loop.request.id": f"q{number}",
        "loop.user": user,
        "loop.group": "public",
        "loop.arm": arm,
        "loop.arm.assigned": arm,
        "loop.weight": 0.5,
        "loop.rollout": ROLLOUT,
        "loop.outcome": "ok",
        "loop.fell_back": False,
        "loop.latency_ms": 400.0,
        "loop.first_token_ms": 80.0,
        "http.response.status_code": 200,
        "gen_ai.response.id": f"chatcmpl-{number}",
        "gen_ai.usage.output_tokens": 100,
    }
    return event | more


def vote(number: int, user: str, at: float, **said: int) -> Event:
    """Return feedback on the answer to request `number`: `rating=` or `thumbs=`."""
    return {
        "event.id": f"fb{number}-{user}-{int(at * 1e6)}",
        "event.time": int(at * 1e6),
        "gen_ai.response.id": f"chatcmpl-{number}",
        "loop.user": user,
        "loop.group": "public",
        **{f"loop.{name}": value for name, value in said.items()},
    }


def content(number: int, at: float, question: str, answer: str) -> Event:
    """Return what was said in request `number`."""
    return {
        "event.id": f"e{number}-content",
        "event.time": int(at * 1e6),
        "loop.request.id": f"q{number}",
        "gen_ai.input.messages": json.dumps([{"role": "user", "content": question}]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": answer}]),
    }


@dataclass
class Trial:
    """A rollout under way, fed batch by batch."""

    policy: RolloutPolicy
    seed: int = 1
    per_hour: int = 300
    """Sessions of both arms together."""
    turns: int = 2
    users: int = 100_000
    now: float = START
    since: float = START
    stage: str = ""
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(compiled(self.policy), ROLLOUT)
        self.reads = bool(self.ledger.measures.wanted & {REFUSALS, REASKS})
        """Whether it matters what was said; else nothing is."""
        self.stage = self.stage or self.policy.stages[0].name
        self.rng = random.Random(self.seed)
        self.number = 0
        self.ledger.enter(self.stage)

    @property
    def weight(self) -> float:
        stage = next(each for each in self.policy.stages if each.name == self.stage)
        return min(stage.traffic, 1.0 - self.policy.holdback)

    def enters(self, stage: str) -> Trial:
        """Go to a stage, as if Git said so."""
        self.stage, self.since = stage, self.now
        self.ledger.enter(stage)
        return self

    def serves(
        self, hours: float, candidate: Manner = HEALTHY, baseline: Manner = HEALTHY, look: float = 0.5
    ) -> Trial:
        """Let users come for so long, with a look at the ledger every `look` hours, until it goes back."""
        end = self.now + hours * 3600
        while self.now < end and self.ledger.latched is None:
            until = min(end, self.now + look * 3600)
            self.takes(*self._batch(until, {"candidate": candidate, "baseline": baseline}))
            self.now = until
            self.ledger.tick(self.now)
        return self

    def takes(self, requests: list[Event], votes: list[Event] = (), contents: list[Event] = ()) -> Trial:  # type: ignore[assignment]
        """Feed events as they are."""
        self.ledger.absorb(Kind.REQUEST, requests)
        self.ledger.absorb(Kind.CONTENT, contents)
        self.ledger.absorb(Kind.FEEDBACK, votes)
        return self

    def passes(self, hours: float) -> Trial:
        """Let time go by in silence."""
        self.now += hours * 3600
        self.ledger.tick(self.now)
        return self

    def assess(self) -> Assessment:
        """Look at it."""
        facts = StageFacts(
            "chat-v1.1--cccccccccccc", "chat-v1.0--bbbbbbbbbbbb", self.stage, self.since, START
        )
        return assess(self.policy, self.ledger, facts, self.now)

    def finds(self, step: Step, because: Because) -> Assessment:
        """Assert what follows."""
        found = self.assess()
        assert (found.step, found.because) == (step, because), found
        return found

    def _batch(
        self, until: float, manners: dict[str, Manner]
    ) -> tuple[list[Event], list[Event], list[Event]]:
        requests: list[Event] = []
        votes: list[Event] = []
        contents: list[Event] = []
        split = Split(ROLLOUT, Version("chat-v1.1", "c" * 64), self.weight)
        for at in sorted(self.rng.uniform(self.now, until) for _ in range(self._sessions(until))):
            user = f"u{self.rng.randrange(self.users)}"
            arm = assignment.arm(split, user, "public").value
            for turn in range(self.turns):
                self._turn(user, arm, at + 20 * turn, turn, manners[arm], (requests, votes, contents))
        return requests, votes, contents

    def _sessions(self, until: float) -> int:
        return round(self.per_hour * (until - self.now) / 3600)

    def _turn(
        self,
        user: str,
        arm: str,
        at: float,
        turn: int,
        manner: Manner,
        into: tuple[list[Event], list[Event], list[Event]],
    ) -> None:
        rng, requests, votes = self.rng, into[0], into[1]
        self.number += 1
        errors = manner.late_errors if turn and manner.late_errors is not None else manner.errors
        more: Event = {"loop.weight": self.weight}
        draw = rng.random()
        if draw < manner.crashes:
            more |= _failed(arm, "replica_unreachable")
        elif draw < manner.crashes + errors:
            more |= _failed(arm, "engine_error")
        latency = manner.latency * 1000 * rng.lognormvariate(0.0, manner.spread)
        more |= {
            "loop.latency_ms": latency,
            "gen_ai.usage.output_tokens": round(manner.tokens * rng.uniform(0.5, 1.5)),
        }
        requests.append(request(self.number, user, arm, at, **more))
        if rng.random() < manner.voting:
            rating = rng.choice((4, 5)) if rng.random() < manner.satisfied else rng.choice((1, 2))
            votes.append(vote(self.number, user, at + 5, rating=rating, thumbs=1 if rating > 3 else -1))
        refuses = rng.random() < manner.refusals
        if self.reads:
            answer = "Sorry, I can only help with the bookshop." if refuses else "It is 12 dollars."
            into[2].append(content(self.number, at, f"Where is shelf {self.number * 7919}?", answer))


def _failed(arm: str, why: str) -> Event:
    """A candidate's failure is answered by the baseline; the baseline's own reaches the user."""
    if arm == "candidate":
        return {"loop.fell_back": True, "loop.arm": "baseline", "loop.arm.failure": why}
    return {"loop.outcome": "error", "error.type": why, "loop.arm.failure": why}


def shuffled(events: list[Event], seed: int) -> Iterator[Event]:
    """Yield the same events in another order."""
    order = list(events)
    random.Random(seed).shuffle(order)
    yield from order
