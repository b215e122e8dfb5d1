"""Three points of safety: whom a candidate gets, whom it does not, and that nobody goes without an answer. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from runner.checklist.facts import Facts, Journal
from runner.checklist.points import common
from runner.checklist.points.finding import (
    Finding,
    events,
    file,
    missing,
    page,
    refuted,
    shown,
)
from runner.report import figures


def quarantine(facts: Facts) -> Iterator[Finding]:
    """Yield whether what was rolled back is quarantined, and gets nobody."""
    wants = "each rollback is in quarantine.yaml"
    journal = common.the_journal(facts, wants)
    if isinstance(journal, Finding):
        yield journal
        return
    listed = {each.served for each in facts.spec.quarantine}
    rolled = dict.fromkeys(one.served for one in journal.rollbacks)
    if not rolled and not listed:
        fix = "put a version on trial and take it back: `loop rollback --reason 'a drill'`"
        yield missing(wants, "nothing was rolled back yet", fix)
        return
    open_, lifted = [s for s in rolled if s in journal.open], [s for s in rolled if s not in listed]
    if open_:
        yield missing(wants, f"Git does not show {', '.join(open_)} yet", "`loop status` says why")
    else:
        told = f"{len(listed)} listed" + (f"; lifted by a commit: {', '.join(lifted)}" if lifted else "")
        yield shown(wants, told, file("quarantine.yaml"))
    yield _nobody(facts, journal, listed)


def _nobody(facts: Facts, journal: Journal, listed: set[str]) -> Finding:
    """Return whether no gateway and no request of the log leads to bytes in quarantine."""
    wants = "no gateway leads anybody to them"
    found = common.the_gateways(facts, wants)
    if isinstance(found, Finding):
        return found
    bad = {each.rpartition("--")[2] for each in listed}
    wrong = [
        f"{each.url} leads to {name}"
        for each in found
        for name in each.serves
        if name.rpartition("--")[2] in bad
    ]
    stray = [f"{one.served} got {one.strays} requests" for one in journal.rollbacks if one.strays]
    links = tuple(page(f"{each.url}/state") for each in found)
    if wrong or stray:
        return refuted(wants, "; ".join([*wrong, *stray]), "`loop plan`, `loop status`", *links)
    if not listed:
        return missing(wants, "quarantine.yaml lists nothing now", "it is tried by the next rollback", *links)
    return shown(
        wants, f"{common.counted(len(found), 'gateway')} asked, none leads to any of {len(listed)}", *links
    )


def holdback(facts: Facts) -> Iterator[Finding]:
    """Yield whether some users kept the baseline while a candidate had full traffic."""
    wants, share = "some are kept on the baseline", facts.spec.policies.rollout.holdback
    link = common.place(facts, "holdback")
    if not share:
        yield refuted(wants, "holdback is 0", "write `holdback: 5%` into policies/rollout.yaml", link)
        return
    log = common.the_log(facts, wants)
    if isinstance(log, Finding):
        yield log
        return
    full = [each for each in log.arms if abs(each.weight - (1.0 - share)) < 1e-6]
    kept = sum(each.users for each in full if each.arm == "baseline")
    all_ = sum(each.users for each in full)
    if not kept:
        text = f"{figures.share(share)} are declared, and no rollout had full traffic in this log"
        yield missing(wants, text, "let a rollout come to its last stage: `loop explain`", link)
        return
    said = f"{figures.share(share)} declared; {kept:,} of {all_:,} users at full traffic kept the baseline"
    yield shown(
        wants, said, link, events(f"of {', '.join(dict.fromkeys(f'rollout {e.rollout}' for e in full))}")
    )


def unharmed(facts: Facts) -> Iterator[Finding]:
    """Yield whether the requests that candidates were given were answered, by them or by the baseline."""
    wants = "candidates' users were answered"
    log = common.the_log(facts, wants)
    if isinstance(log, Finding):
        yield log
        return
    own = [each for each in log.arms if each.arm == "candidate"]
    asked, failed = sum(each.n for each in own), sum(each.failed for each in own)
    back = sum(each.fell_back for each in own)
    others = [each for each in log.arms if each.arm == "baseline"]
    link = events(
        f"{asked:,} requests of candidates, in {common.counted(len({each.rollout for each in own}), 'rollout')}"
    )
    if not asked:
        fix = common.ROLL_OUT.format(environment=facts.environment)
        yield missing(wants, "no request was given to a candidate", fix)
    elif not failed:
        yield shown(wants, f"0 of {asked:,} failed; the baseline answered {back:,} in its place", link)
    else:
        beside, theirs = sum(each.failed for each in others), sum(each.n for each in others)
        text = f"{failed:,} of {asked:,} failed; of the baseline's at that time {beside:,} of {theirs:,}"
        if beside and failed * theirs <= beside * asked:
            yield shown(wants, f"{text}: no more often, so not because of the rollout", link)
            return
        judge = missing if beside else refuted
        yield judge(wants, text, "see which and why: `loop status --window all`, `loop explain`", link)
