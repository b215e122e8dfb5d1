"""What makes trouble visible: figures with thresholds, alerts that fire on them, and a log without gaps.

Called by `check`. Pure: facts in, points out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from runner.checklist.facts import Facts
from runner.checklist.points import common
from runner.checklist.points.finding import (
    Area,
    Finding,
    Point,
    file,
    missing,
    page,
    refuted,
    shown,
)
from runner.checklist.points.showing import drift_of_late
from runner.report import exposition, figures
from runner.signals.reading import Holds
from runner.spec.signals import SignalPolicy

SELDOM = frozenset(
    {"forgetting", "proxy_reward", "win_rate", "win_rate_length_controlled", "output_drift", "parity"}
)
"""Signals of a candidate beside the baseline, or of a version that was loaded: without one, no data is no gap."""
RULES = "`loop signals rules --write prometheus/loop.yaml`"


def points(facts: Facts) -> tuple[Point, ...]:
    """Return the points of monitoring."""
    return tuple(
        Point(name, Area.MONITORING, wants, tuple(findings))
        for name, wants, findings in (
            ("alive", "the monitor is alive", _alive(facts)),
            ("thresholds", "every signal with a threshold is measured", _thresholds(facts)),
            ("alerts", "alert rules are those of the policy", _alerts(facts)),
            ("drift-now", "drift is known this week", _drift(facts)),
            ("response", "enough users say what they think", _response(facts)),
            ("log", "the event log is complete", _log(facts)),
        )
    )


def _alive(facts: Facts) -> Iterator[Finding]:
    wants = "its page shows figures of now"
    found = common.the_page(facts, wants)
    if isinstance(found, Finding):
        yield found
        return
    age = figures.duration(max(0.0, facts.now - (found.at or 0.0)))
    yield shown(wants, f"{len(found.readings):,} figures, measured {age} ago", page(found.url))


def _thresholds(facts: Facts) -> Iterator[Finding]:
    wants = "each has a value, an n and a window"
    found = common.the_page(facts, wants)
    if isinstance(found, Finding):
        yield found
        return
    names = _with_thresholds(facts.spec.policies.signals)
    alone = facts.spec.loop.environments[facts.environment].rollout is None
    have = {name: one for name in names if (one := common.best(found.readings, name)) is not None}
    lacking = [name for name in names if name not in have and not (alone and name in SELDOM)]
    later = [name for name in names if name not in have and name not in lacking]
    least = min(have.values(), key=lambda one: one.n, default=None)
    said = f"{len(have)} of {len(names)} measured"
    said += f", the thinnest {common.told(least)}" if least is not None else ""
    said += f"; without a candidate there is none of {', '.join(later)}" if later else ""
    if not names:
        fix = "write `thresholds` into policies/signals.yaml"
        yield refuted(wants, "no signal has a threshold", fix, file("policies/signals.yaml"))
    elif lacking:
        fix = "`loop signals` says why; `loop signals sample` asks again and checks facts"
        yield missing(
            wants, f"{said}; not measured: {', '.join(lacking)}", fix, page(f"{found.url}/#signals")
        )
    else:
        yield shown(wants, said, page(f"{found.url}/#signals"))


def _with_thresholds(policy: SignalPolicy) -> tuple[str, ...]:
    return tuple(
        name
        for name, signal in policy.signals.items()
        if any(value is not None for _, value in signal.thresholds)
    )


def _alerts(facts: Facts) -> Iterator[Finding]:
    wants = "a file of rules is what the policy makes"
    history = common.the_history(facts, wants)
    if isinstance(history, Finding):
        yield history
        return
    old = [each.path for each in history.rules if not each.fresh]
    if not history.rules:
        yield missing(wants, "no file of alert rules is in Git", f"{RULES}, commit it, and load it")
    elif old:
        fix = f"`loop signals rules --write {old[0]}`"
        yield refuted(wants, f"older than the policy: {', '.join(old)}", fix, *map(file, old))
    else:
        paths = [each.path for each in history.rules]
        yield shown(wants, f"{', '.join(paths)} at {history.revision[:12]}", *map(file, paths))
    yield _exported(facts)


def _exported(facts: Facts) -> Finding:
    """Return whether the monitor exports what the rules fire on."""
    wants = "the monitor exports what they fire on"
    found = common.the_page(facts, wants)
    if isinstance(found, Finding):
        return found
    link = page(f"{found.url}/metrics")
    if exposition.CONDITION not in found.exported:
        return missing(wants, f"{exposition.CONDITION} is not in it", "wait for its first measurement", link)
    return shown(wants, f"{exposition.CONDITION}, one of {len(found.exported)} families of figures", link)


def _drift(facts: Facts) -> Iterator[Finding]:
    wants = "measured in the last 7 days"
    found = common.the_page(facts, wants)
    yield found if isinstance(found, Finding) else drift_of_late(facts, found, wants)


def _response(facts: Facts) -> Iterator[Finding]:
    wants = "the response rate is known, and not too low"
    found = common.the_page(facts, wants)
    if isinstance(found, Finding):
        yield found
        return
    told = common.measured(
        facts, found, "response_rate", wants, "send feedback: `POST /feedback` of the gateway"
    )
    reading = common.best(found.readings, "response_rate")
    fix = "ask for feedback where answers are shown; have people vote: `loop console`"
    holds = {each for _, each in reading.conditions} if reading is not None else set()
    if reading is not None and Holds.YES in holds:
        yield refuted(wants, f"{common.told(reading)}: below the policy's threshold", fix, *told.links)
    elif reading is not None and Holds.UNSURE in holds:
        yield missing(wants, f"{common.told(reading)}: too few to tell", common.TRAFFIC, *told.links)
    else:
        yield told


def _log(facts: Facts) -> Iterator[Finding]:
    yield from _readable(facts)
    yield _counted(facts)


def _readable(facts: Facts) -> Iterator[Finding]:
    wants = "every line of it is an event"
    log = common.the_log(facts, wants)
    if isinstance(log, Finding):
        yield log
        return
    link = common.kind(log, *log.kinds)
    if log.damaged:
        yield refuted(
            wants, f"{log.damaged:,} lines are no events", "see which: `loop data collect` names them"
        )
    elif link is None:
        yield missing(wants, "nothing was logged yet", common.TRAFFIC)
    else:
        yield shown(wants, "no damaged line", link)


def _counted(facts: Facts) -> Finding:
    """Return whether the log holds at least what the gateways say that they wrote since they began."""
    wants = "what the gateways wrote is in it"
    gateways, log = common.the_gateways(facts, wants), common.the_log(facts, wants)
    if isinstance(gateways, Finding):
        return gateways
    if isinstance(log, Finding):
        return log
    written: Counter[str] = Counter()
    for each in gateways:
        written.update(each.written)
    links = tuple(page(f"{each.url}/metrics") for each in gateways)
    here = {name: log.kinds[name].since if name in log.kinds else 0 for name in written}
    lost, gaps = sum(each.lost for each in gateways), {n: c for n, c in written.items() if here[n] < c}
    if lost or (gaps and not log.forgotten):
        told = [f"{name}: {here[name]:,} of {count:,}" for name, count in gaps.items()]
        text = "; ".join([*told, *([f"{lost:,} went with deleted segments"] if lost else [])])
        return refuted(wants, text, "see who deletes segments; restore them", *links)
    if gaps:
        text = f"fewer than were written, and some were deleted on purpose: {', '.join(gaps)}"
        return missing(wants, text, "count again once the gateways were restarted", *links)
    if not sum(written.values()):
        return missing(wants, "the gateways have written nothing since they began", common.TRAFFIC, *links)
    told_ = ", ".join(f"{here[name]:,} {name} (wrote {count:,})" for name, count in written.items() if count)
    return shown(wants, told_, *links)
