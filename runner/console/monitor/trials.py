"""A rollout as the page shows it: where a candidate stands, what holds it, every condition. Pure; decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from runner.console.monitor import words
from runner.console.monitor.feed import Rollout, Waiting
from runner.report import figures, plots
from runner.rollout import explain
from runner.rollout.verdict import Assessment, Because, Finding, Step, Verdict
from runner.signals.reading import Level


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a rollout: what it says, how it stands, and both arms' figures."""

    name: str
    text: str
    word: str
    level: Level
    candidate: str
    baseline: str
    evidence: str
    note: str


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate on its way: where it stands and what it waits for. Bars are None without an assessment."""

    candidate: str
    baseline: str
    shadow: str
    level: Level
    step: str
    stage: str
    next_stage: str
    share: str
    split: Markup
    why: str
    next: str
    time: Markup | None
    passed: str
    proof: str
    conditions: tuple[Condition, ...]
    notes: tuple[str, ...]
    waits: tuple[Waiting, ...]


_STANDS = {
    Verdict.PASS: ("kept", Level.FINE),
    Verdict.FAIL: ("broken", Level.RETRAIN),
    Verdict.INCONCLUSIVE: ("open", Level.UNSURE),
    Verdict.ERROR: ("undecidable", Level.WARN),
}
_STEPS = {
    Step.ADVANCE: ("Advances", Level.FINE),
    Step.CONCLUDE: ("Proven", Level.FINE),
    Step.HOLD: ("Waits", Level.UNSURE),
    Step.ROLL_BACK: ("Rolled back", Level.RETRAIN),
}


def trial(rollout: Rollout) -> Trial:
    """Return the rollout in words."""
    found = rollout.assessment
    share = plots.Span(rollout.weight, 0.0, rollout.weight)
    split = plots.interval(share, plots.Scale(0.0, 1.0), "Users on the candidate", words.share, series=1)
    step, level = _STEPS[found.step] if found else ("Unknown", Level.WARN)
    if found and found.step is Step.HOLD and found.because is Because.MISMATCH:
        level = Level.HOLD
    return Trial(
        candidate=rollout.candidate or (found.candidate if found else ""),
        baseline=rollout.baseline,
        shadow=rollout.shadow or "",
        level=Level.HOLD if rollout.waits and level is not Level.RETRAIN else level,
        step="Held" if rollout.waits and level is not Level.RETRAIN else step,
        stage=found.stage if found else "",
        next_stage=(found.next_stage or "") if found else "",
        share=words.share(rollout.weight),
        split=Markup(split),
        why=explain.standing(found) if found else rollout.unknown,
        next=explain.next_step(found) if found and not rollout.waits else "",
        time=_time(found) if found else None,
        passed=_passed(found) if found else "",
        proof=f"{explain.capital(found.evidence, found.threshold)} of {found.threshold:.4g}" if found else "",
        conditions=tuple(map(_condition, found.findings)) if found else (),
        notes=found.notes if found else (),
        waits=rollout.waits,
    )


def _time(found: Assessment) -> Markup:
    whole = max(found.elapsed + found.remaining, 1.0)
    title = "Time of the stage that has passed"
    span, scale = plots.Span(found.elapsed, 0.0, found.elapsed), plots.Scale(0.0, whole)
    plot = plots.interval(span, scale, title, figures.duration)
    return Markup(plot)


def _passed(found: Assessment) -> str:
    rest = f", {figures.duration(found.remaining)} left" if found.remaining else ", its least time is over"
    return f"{figures.duration(found.elapsed)} in stage{rest}; {words.count(found.sessions)} sessions seen"


def _condition(finding: Finding) -> Condition:
    word, level = _STANDS[finding.verdict]
    needed = "" if finding.needed is None else f"about {words.count(finding.needed)} more sessions to decide"
    return Condition(
        finding.condition,
        finding.text,
        word,
        level,
        figures.estimate(finding.metric, finding.candidate),
        figures.estimate(finding.metric, finding.baseline),
        words.e_value(finding.evidence),
        finding.note or needed,
    )
