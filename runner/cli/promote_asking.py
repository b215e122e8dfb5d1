"""One step of one version as `loop promote` asks for it: what is gathered of it, and the request that comes of that.

What Git, DVC and the reports say is gathered by `runner.promotion`; here it meets what only the reconciler knows:
freeze windows, the plan, and what the runner found of the rollout.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from runner.cli.repository import pick_environment
from runner.errors import Diagnostic, Severity, TerminalError

if TYPE_CHECKING:
    from runner.git.desk import Desk, Request
    from runner.git.repository import Repository, Revision
    from runner.promotion.gather import Known
    from runner.promotion.readiness import Facts, Step
    from runner.report.promotion import Dossier
    from runner.rollout.verdict import Assessment
    from runner.spec.load import Spec

EVALUATION = "evaluation"
"""Title of the plan's section that the body of a pull request does without."""


@dataclass
class Asking:
    """One step of one version, made into a request for wherever the base branch stands.

    `unasked` says that nobody named it: then a warning is in the way as well.
    """

    repository: Repository
    name: str
    step: Step
    environment: str
    unasked: bool = False
    settled: str = ""
    """Why nothing is left to be done."""
    refused: bool = False
    """Whether it is not ready, rather than something having failed."""
    warnings: tuple[Diagnostic, ...] = ()
    made: Request | None = None
    _known: dict[str, Known] = field(default_factory=dict)

    def known(self, tip: Revision) -> Known:
        """Return what is known where the base branch stands at `tip`. Raises LoopError."""
        from runner.promotion.gather import known

        if tip.sha not in self._known:
            self._known[tip.sha] = known(self.repository, tip, self.name, self.step)
        return self._known[tip.sha]

    def served(self, known: Known) -> str:
        """Return the immutable name of the version's bytes."""
        from runner.digest import served_name

        return served_name(self.name, known.spec.models[self.name].adapter.digest)

    def at(self, tip: Revision) -> Request | None:
        """Return the request, None where nothing is left to be done. Raises LoopError with all that is in the way."""
        from runner.promotion.readiness import obstacles, settled
        from runner.promotion.request import request

        known = self.known(tip)
        pick_environment(known.spec, self.environment)
        facts = self._facts(tip, known)
        self.settled = settled(self.step, facts) or ""
        if self.settled:
            return None
        found = obstacles(self.step, facts)
        self.warnings = tuple(each for each in found if each.severity is Severity.WARNING)
        if len(self.warnings) < len(found) or (self.unasked and found):
            self.refused = True
            raise TerminalError(*found)
        parts, merged = known.merged(self.step, self.environment)
        self.made = request(self.step, self._dossier(tip, known, merged), parts, facts.now)
        return self.made

    @cached_property
    def assessment(self) -> Assessment | None:
        """What the runner here found last of the rollout, None where it has said nothing."""
        from runner.cli.status import last
        from runner.report.explain import from_json

        found = (last(self.repository.root, self.environment)["pass"] or {}).get("rollout")
        return None if not found or "unknown" in found else from_json(found)

    async def answered(self, desk: Desk) -> str:
        """Return how a person answered the same request before; empty where nobody has. To ask once is enough."""
        from runner.promotion.readiness import Step
        from runner.promotion.request import branch_of

        tip = await asyncio.to_thread(desk.tip)
        served = self.served(await asyncio.to_thread(self.known, tip))
        merged = await asyncio.to_thread(_merged_before, desk.repository, tip, served, self.environment)
        target = self.environment if self.step is Step.TRIAL else f"baseline -e {self.environment}"
        again = f"`loop promote {self.name} --to {target}` asks again"
        if merged and self.step is Step.TRIAL:
            return f"it was merged before, in {merged}, and taken back since; {again}"
        declined = await desk.forge.declined(branch_of(self.step, served, self.environment), desk.branch)
        return f"a person closed {declined.address}; {again}" if declined else ""

    def _facts(self, tip: Revision, known: Known) -> Facts:
        from runner.errors import Unknown
        from runner.git.history import since
        from runner.promotion.readiness import Facts, Step
        from runner.reconcile.freeze import closed

        declared = known.spec.loop.environments[self.environment]
        after, name = declared.promote_after, self.name
        trusted = None
        if after is not None:
            path = ("environments", after.environment, "baseline")
            trusted = since(self.repository, tip, lambda value: _at(value, path) == name)
        return Facts(
            spec=known.spec,
            name=name,
            environment=self.environment,
            report=known.report,
            lacking=known.lacking() if self.step is Step.TRIAL else Unknown("not asked"),
            closed=closed(known.before.loop.environments[self.environment], time.time()),
            since=trusted,
            certified=self._certified(known),
            now=datetime.now(UTC).replace(microsecond=0),
        )

    def _certified(self, known: Known) -> bool | None:
        from runner.rollout.verdict import Step as RolloutStep

        found, rollout = self.assessment, known.spec.loop.environments[self.environment].rollout
        if found is None or rollout is None:
            return None
        if (found.candidate, found.stage) != (self.served(known), rollout.stage):
            return None
        return found.step is RolloutStep.CONCLUDE

    def _dossier(self, tip: Revision, known: Known, merged: Spec) -> Dossier:
        from runner.promotion.readiness import Step
        from runner.promotion.request import branch_of
        from runner.report.promotion import Dossier, Trial
        from runner.rollout import explain

        first = known.before.policies.rollout.stages[0]
        trial = (
            Trial(first.name, first.traffic, first.duration, first.groups)
            if self.step is Step.TRIAL
            else None
        )
        standing = explain.lines(self.assessment) if trial is None and self.assessment is not None else ()
        return Dossier(
            model=known.spec.models[self.name],
            environment=self.environment,
            baseline=known.spec.loop.environments[self.environment].baseline,
            trial=trial,
            evaluation=known.report,
            manifest=known.manifest,
            trained=known.trained(),
            branch=branch_of(self.step, self.served(known), self.environment),
            curves=known.curves,
            cost=tuple(_cost(known.before, merged)),
            plan=_plan(tip.sha, self.environment, known.before, merged),
            standing=tuple(standing),
            warnings=tuple(each.summary for each in self.warnings),
        )


def _merged_before(repository: Repository, tip: Revision, served: str, environment: str) -> str:
    """Return the commit of the base branch that put these bytes on trial in an environment, empty where none did."""
    from runner.git import messages
    from runner.promotion.request import PROMOTION

    found = repository.git.read(
        *("log", "--fixed-strings", f"--grep={PROMOTION}: {served}", "--format=%H%x1f%B%x1e", tip.sha, "--")
    )
    for entry in found.decode(errors="replace").split("\x1e"):
        sha, _, message = entry.strip().partition("\x1f")
        if messages.trailers(message).get(messages.ENVIRONMENT) == environment:
            return sha[:12]
    return ""


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _cost(before: Spec, after: Spec) -> Iterator[str]:
    from runner.economics.cost.balance import balance
    from runner.economics.cost.prices import assumed
    from runner.reconcile.review import cost_of

    changed = cost_of(before, after)
    if changed:
        yield from changed
    else:
        found = balance(assumed(after.policies.cost, after.policies.cadence)).comparisons[0]
        yield f"running cost: ${found.month:,.2f} a month, unchanged: the adapter is loaded beside the others"


def _plan(sha: str, environment: str, before: Spec, after: Spec) -> str:
    """Return what a merge does to a deployment that agrees with the base branch, as Markdown.

    Without the plan's own figures of the evaluation: the body has those of the report, with what they are beside.
    """
    from runner.cli.plan import difference
    from runner.reconcile import staleness
    from runner.report import plan as report

    made, sections = difference(environment, (sha, before), (sha, after))
    kept = [(title, rows) for title, rows in sections if title != EVALUATION]
    return report.to_markdown(staleness.to_json(made), kept).replace(f"{report.MARKER}\n", "")
