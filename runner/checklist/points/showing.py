"""Two of the eight points: the four signals on a live page, and drift of what is asked, week by week. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.checklist.facts import Facts, Page
from runner.checklist.points import common
from runner.checklist.points.finding import Finding, Point, graduates, missing, page, refuted, shown
from runner.report import figures
from runner.signals.reading import Drift

DAY_S = 86_400.0
WEEKS = 8
"""Weeks of drift that the monitor keeps."""
SIGNALS = {
    "refusal_rate": ("refusals are measured", common.TRAFFIC),
    "reask_rate": ("questions asked again are measured", common.TRAFFIC),
    "consistency": ("made-up answers, by asking again", "`loop signals sample`"),
    "factuality": ("made-up answers, against facts", "`loop signals sample`"),
    "thumbs_down_rate": ("thumbs up and down are counted", "send thumbs: `POST /feedback` of the gateway"),
}
"""Signal -> what is wanted of it, and how to get it. Consistency alone would not do: a model can be wrong each time."""


def dashboard(facts: Facts) -> Point:
    """Refusals, re-asks, hallucination and thumbs stand on a live page, with data."""
    wants = "a page shows the figures of now"
    found = common.the_page(facts, wants)
    if isinstance(found, Finding):
        findings = [found]
    else:
        findings = [shown(wants, f"measured at {figures.moment(found.at or 0.0)}", page(found.url))]
        findings += [
            common.measured(facts, found, metric, text, then) for metric, (text, then) in SIGNALS.items()
        ]
    return graduates("dashboard", "dashboard for refusals, re-asks, hallucination and thumbs", findings)


def drift(facts: Facts) -> Point:
    """Input drift was measured in each week in which anything was asked."""
    wants = "measured in the last 7 days"
    found = common.the_page(facts, wants)
    named = "KL drift of what is asked, measured weekly"
    if isinstance(found, Finding):
        return graduates("drift", named, (found,))
    return graduates("drift", named, (drift_of_late(facts, found, wants), _weekly(facts, found)))


def drift_of_late(facts: Facts, found: Page, wants: str) -> Finding:
    """Return whether drift has a value over the policy's window."""
    link = page(f"{found.url}/#drift")
    if "input_drift" not in facts.spec.policies.signals.signals:
        fix = "declare `input_drift` with a detector of kind `drift` in policies/signals.yaml"
        return refuted(wants, "policies/signals.yaml does not measure input drift", fix, link)
    if found.drift is None:
        return missing(wants, "not measured: no reference, or nothing logged", "`loop drift` says why", link)
    one = found.drift
    if one.divergence is None:
        return missing(
            wants, f"{one.n:,} of the {one.needed:,} questions that it takes", common.TRAFFIC, link
        )
    low = "" if one.low is None else f" (at least {one.low:.3f})"
    span = figures.duration(one.window)
    return shown(wants, f"{one.divergence:.3f} nats{low} over {one.n:,} questions in {span}", link)


def _weekly(facts: Facts, found: Page) -> Finding:
    wants = "measured in each week since serving began"
    log = common.the_log(facts, wants)
    if isinstance(log, Finding):
        return log
    link = page(f"{found.url}/#drift")
    if not log.days:
        return missing(wants, "nothing was asked yet", common.TRAFFIC, link)
    weeks = list(_weeks(log.days, facts.now))
    known = {int((each.at - 1) // DAY_S): each for each in found.weeks}
    lacking = [_lacking(last, known.get(last)) for last in weeks if not _is_measured(known.get(last))]
    since = common.day(log.days[0] * DAY_S)
    counted = f"{len(weeks) - len(lacking)} of {common.counted(len(weeks), 'week')}"
    if log.days[0] * DAY_S < facts.now - WEEKS * 7 * DAY_S:
        said = f"{counted} with questions of the last {WEEKS}; serving since {since}"
    else:
        said = f"{counted} with questions since serving began on {since}"
    if lacking:
        return missing(wants, f"{said}; {'; '.join(lacking)}", "keep the monitor running: `loop up`", link)
    return shown(wants, said, link)


def _weeks(days: Sequence[int], now: float) -> Iterator[int]:
    """Yield the last day of each week in which anything was asked, newest first; the last week ends today."""
    today = int(now // DAY_S)
    for back in range(WEEKS):
        last = today - 7 * back
        if any(last - 6 <= day <= last for day in days):
            yield last


def _is_measured(week: Drift | None) -> bool:
    return week is not None and week.divergence is not None


def _lacking(last: int, week: Drift | None) -> str:
    until = common.day(last * DAY_S)
    return f"until {until}: {'not measured' if week is None else f'{week.n:,} of {week.needed:,} questions'}"
