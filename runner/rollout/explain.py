"""An assessment in plain words, with both numbers of every comparison.

`loop explain`, `loop status`, commit messages and pull requests print these lines, so that they never disagree.
It decides nothing. Pure.
"""

from __future__ import annotations

from runner.rollout.verdict import Assessment, Because, Estimate, Finding, Mismatch, Step, Verdict
from runner.spec.condition import ConditionError, parse
from runner.spec.expression import Comparison, Constant, Not, Operator
from runner.spec.metric import METRICS
from runner.spec.quantity import Dimension

_WORDS = {
    Verdict.PASS: "kept",
    Verdict.FAIL: "broken",
    Verdict.INCONCLUSIVE: "open",
    Verdict.ERROR: "undecidable",
}
_STRETCH = "over the whole rollout; a stretch of it proves it"
"""Said of figures that do not show what is proven: bets start anew, so that what begins late is found."""
_STEPS = {
    Step.ADVANCE: "advances",
    Step.CONCLUDE: "proven",
    Step.HOLD: "held",
    Step.ROLL_BACK: "rolled back",
}


def lines(assessment: Assessment) -> tuple[str, ...]:
    """Return why the rollout advances, holds or goes back, then each comparison, then what is missing."""
    own = [headline(assessment), *_details(assessment)]
    return (*own, f"  next: {next_step(assessment)}")


def headline(assessment: Assessment) -> str:
    """Return step, place and reason on one line."""
    return f"{_STEPS[assessment.step]}: {standing(assessment)}"


def standing(assessment: Assessment) -> str:
    """Return place and reason on one line, for where the step is told beside it."""
    a = assessment
    return f"{a.candidate} {_place(a)}: {_why(a)}"


def condition(assessment: Assessment) -> str:
    """Return why a rollout goes back, as it is recorded: the condition's name and its text."""
    a = assessment
    if a.because is Because.INCONCLUSIVE_END:
        return f"inconclusive when the time of '{a.stage}' was over"
    own = [each for each in a.findings if each.condition == a.condition]
    told = [each for each in own if each.verdict is Verdict.FAIL] or own
    return f"{a.condition}: {', '.join(each.text for each in told)}" if told else a.condition


def record(assessment: Assessment) -> tuple[str, ...]:
    """Return the evidence as it is kept in Git: both numbers on one short line, then every comparison."""
    a = assessment
    return (f"{_gist(a)}, {_place(a)}", *(line.strip() for line in _details(a)))


def capital(evidence: float, threshold: float) -> str:
    """Return an e-value for people; far above the threshold its size says nothing any more."""
    return f">{_number(10 * threshold)}" if evidence > 10 * threshold else _number(evidence)


def _gist(a: Assessment) -> str:
    own = [each for each in a.findings if each.condition == a.condition]
    told = sorted(own, key=lambda each: each.verdict is not Verdict.FAIL)
    if not a.sessions or not told:
        return f"{_sessions(a.sessions)} of the candidate seen"
    return _proof(told[0])


def _details(a: Assessment) -> list[str]:
    own = [*_evidence(a), *(f"  {_finding(each)}" for each in a.findings)]
    if a.mismatch is not None and a.mismatch.found:
        own.append(f"  {_split(a.mismatch)}")
    return own + [f"  note: {note}" for note in a.notes]


def _place(a: Assessment) -> str:
    return f"at {_percent(a.weight)} (stage '{a.stage}')"


def _why(a: Assessment) -> str:
    match a.because:
        case Because.PROVEN:
            failed = [each for each in a.findings if each.verdict is Verdict.FAIL]
            own = next((each for each in failed if each.condition == a.condition), None)
            first = own or next(iter(failed), None)
            what = f": {_proof(first)}, where '{first.text}' sends it back" if first else ""
            text = f"'{a.condition}' is proven{what}"
        case Because.INCONCLUSIVE_END:
            text = f"its {_duration(a.elapsed)} are over, and {_open(a)}; the stage goes back then"
        case Because.CERTIFIED | Because.PULL_REQUEST:
            who = "" if a.because is Because.CERTIFIED else "; a person takes the step"
            text = f"every limit is certainly kept after {_sessions(a.sessions)} of the candidate{who}"
        case Because.TOO_EARLY:
            text = f"{_duration(a.elapsed)} of the stage have passed, {_duration(a.remaining)} are left"
        case Because.NO_PROOF:
            extended = ", in its extension" if a.extended else ""
            text = f"inconclusive{extended}: {_open(a)}"
        case Because.MISMATCH:
            text = "users are not split as declared, so the arms cannot be compared"
        case Because.UNKNOWN:
            text = "the evidence cannot be read, so nothing is decided"
    return text


def _open(a: Assessment) -> str:
    """Name what is still undecided."""
    if not a.sessions:
        return "no session of the candidate has been seen, and without data nothing is decided"
    undecided = [each for each in a.findings if each.verdict in (Verdict.INCONCLUSIVE, Verdict.ERROR)]
    if not undecided:
        return "nothing is proven either way"
    first = undecided[0]
    more = f" (and {len(undecided) - 1} more)" if len(undecided) > 1 else ""
    return f"{_brief(first)}, no proof for or against '{first.text}'{more}"


def _evidence(a: Assessment) -> list[str]:
    if not a.condition:
        return []
    return [
        f"  evidence against it: {capital(a.evidence, a.threshold)} of {_number(a.threshold)}, "
        f"most of it for '{a.condition}', after {_sessions(a.sessions)}"
    ]


def _finding(finding: Finding) -> str:
    text = f"{_WORDS[finding.verdict]}: {finding.condition}: {finding.text}: {_figures(finding)}"
    text += f" {_STRETCH}" if _by_a_stretch(finding) else ""
    if finding.needed is not None:
        text += f", about {_sessions(finding.needed, 'more ')} to decide"
    return f"{text} ({finding.note})" if finding.note else text


def _figures(finding: Finding) -> str:
    """Return the value of each arm with its interval."""
    if finding.verdict is Verdict.ERROR:
        return f"{finding.metric} is not measured on answers"
    text = _arm(finding.metric, finding.candidate, "the candidate")
    if finding.baseline is None:
        return text
    return f"{text}, {_arm(finding.metric, finding.baseline, 'the baseline')}"


def _proof(finding: Finding) -> str:
    """Return the values of a finding, and what shows it where they do not."""
    return f"{_brief(finding)} {_STRETCH}" if _by_a_stretch(finding) else _brief(finding)


def _by_a_stretch(finding: Finding) -> bool:
    """Return whether a comparison is proven though the figures of the whole rollout do not fulfil it."""
    value = finding.candidate.value
    if finding.verdict is not Verdict.FAIL or value is None:
        return False
    try:
        expression = parse(finding.text).expression
    except ConditionError:
        return False
    negated = isinstance(expression, Not)
    own = expression.part if isinstance(expression, Not) else expression
    if not isinstance(own, Comparison):
        return False
    if isinstance(own.bound, Constant):
        bound = own.bound.value
    elif finding.baseline is None or finding.baseline.value is None:
        return False
    else:
        bound = own.bound.factor * finding.baseline.value
    above = (own.operator in (Operator.GREATER, Operator.AT_LEAST)) is not negated
    return value < bound if above else value > bound


def _brief(finding: Finding) -> str:
    """Return the value of each arm without its interval."""
    if finding.verdict is Verdict.ERROR:
        return _figures(finding)
    arms = [(finding.candidate, "the candidate")]
    arms += [(finding.baseline, "the baseline")] if finding.baseline is not None else []
    return ", ".join(
        f"no data of {whose}"
        if arm.value is None
        else f"{_value(finding.metric, arm.value)} of {whose} ({_counted(arm)})"
        for arm, whose in arms
    )


def _counted(estimate: Estimate) -> str:
    within = _sessions(estimate.n)
    return within if estimate.k is None else f"{_number(estimate.k)} in {within}"


def _arm(metric: str, estimate: Estimate, whose: str) -> str:
    if estimate.value is None:
        return f"no data of {whose}"
    low = "?" if estimate.low is None else _value(metric, estimate.low)
    high = "?" if estimate.high is None else _value(metric, estimate.high)
    return f"{_value(metric, estimate.value)} [{low} to {high}] of {whose} ({_counted(estimate)})"


def _value(metric: str, value: float) -> str:
    match METRICS[metric].dimension:
        case Dimension.RATIO:
            return _percent(value)
        case Dimension.DURATION:
            return f"{value * 1000:.0f}ms" if value < 10 else f"{value:.1f}s"
        case Dimension.COUNT:
            return f"{value:.0f}"
        case _:
            return f"{value:.2f}"


def _split(found: Mismatch) -> str:
    seen = found.candidate + found.baseline
    share = found.candidate / seen if seen else 0.0
    return (
        f"split: {found.candidate} of {seen} users are on the candidate, {_percent(share)} where "
        f"{_percent(found.expected)} are declared"
    )


def next_step(assessment: Assessment) -> str:
    """Return what comes next, and about how long that takes."""
    a = assessment
    match a.because:
        case Because.PROVEN | Because.INCONCLUSIVE_END:
            text = f"all users are on {a.baseline}; the digest stays quarantined until a commit lifts it"
        case Because.CERTIFIED:
            text = f"a commit {_onward(a)}"
        case Because.PULL_REQUEST:
            text = f"a pull request {_onward(a)}; merge it to {'end the rollout' if _ends(a) else 'go on'}"
        case Because.TOO_EARLY:
            text = f"keeps {_percent(a.weight)}; {_wanted(a)}"
        case Because.NO_PROOF:
            until = f" (extended for another {_duration(a.remaining)})" if a.extended else ""
            then = "is proposed as the baseline" if _ends(a) else "advances"
            text = f"keeps {_percent(a.weight)}{until} and {then} once certain; {_wanted(a)}"
        case Because.MISMATCH:
            text = "find out why users are split otherwise; absolute limits still send it back"
        case Because.UNKNOWN:
            text = f"keeps {_percent(a.weight)} until the events can be read again"
    return text


def _ends(a: Assessment) -> bool:
    """Return whether no stage follows: what comes after this one is the baseline."""
    return a.next_stage is None


def _onward(a: Assessment) -> str:
    return "makes it the baseline" if _ends(a) else f"sets the stage to '{a.next_stage}'"


def _wanted(a: Assessment) -> str:
    """Return what the slowest comparison still needs."""
    if a.needed is None:
        if any(each.verdict is Verdict.ERROR for each in a.findings):
            return "a condition that cannot be decided keeps it from advancing"
        decided = bool(a.findings) and all(each.verdict is Verdict.PASS for each in a.findings)
        return (
            "every limit is certainly kept so far" if decided else "nobody can tell yet how much is missing"
        )
    text = f"needs about {_sessions(a.needed, 'more ')} of the candidate to decide"
    return text if a.hours is None else f"{text}, about {_duration(a.hours * 3600)} at this pace"


def _sessions(n: int, more: str = "") -> str:
    return f"{n} {more}session{'' if n == 1 else 's'}"


def _percent(share: float) -> str:
    digits = 0 if abs(share * 100 - round(share * 100)) < 1e-9 else 2 if share < 0.1 else 1
    return f"{share * 100:.{digits}f}%"


def _number(value: float) -> str:
    if value >= 1e6:
        return f"{value:.1e}"
    if value == round(value) or value >= 10:
        return f"{int(value)}"  # cut off, not rounded: 99.6 of 100 is not enough
    return f"{value:.2g}" if value >= 0.01 else "<0.01"


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
