"""Two points of safety: who is loaded and verified, and that their bytes are those that Git names. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from runner import digest
from runner.checklist.facts import Facts, Placed
from runner.checklist.points import common
from runner.checklist.points.finding import (
    Finding,
    Link,
    entry,
    file,
    missing,
    page,
    refuted,
    shown,
    unseen,
)
from runner.errors import Unknown
from runner.report import figures

FRESH_S = 60.0
"""Age of the runner's last pass from which it says nothing of now."""


def loaded(facts: Facts) -> Iterator[Finding]:
    """Yield whether baseline and standby could answer at once, and every gateway leads to the baseline."""
    wants, found = "the runner looked of late", facts.last_pass
    if found is None:
        yield missing(wants, "no runner has looked yet", common.START)
        return
    if isinstance(found, Unknown):
        yield unseen(wants, found.reason, "delete the status file; the next pass writes it")
        return
    age = figures.duration(max(0.0, facts.now - found.at))
    if found.runner is None or facts.now - found.at > FRESH_S:
        who = "no runner is at work" if found.runner is None else f"runner {found.runner} is silent"
        yield refuted(wants, f"{who}; the last pass was {age} ago", "`loop up`, or `loop run`")
        return
    yield shown(wants, f"runner {found.runner}, {age} ago: {found.verdict}", _status(facts))
    yield _verified(facts, "baseline", found.adapters)
    yield _verified(facts, "standby", found.adapters)
    yield _leads(facts)


def _verified(facts: Facts, role: str, adapters: tuple[Placed, ...]) -> Finding:
    wants = f"the {role} is verified on every replica"
    declared = facts.spec.loop.environments[facts.environment]
    name = declared.baseline if role == "baseline" else declared.standby
    if name is None:
        text = "loop.yaml names no version before the baseline: one `git revert` cannot go back to it"
        return missing(wants, text, common.ROLL_OUT.format(environment=facts.environment))
    served = common.served(facts, name)
    own = next((each for each in adapters if each.served == served), None)
    link = common.place(facts, role)
    if own is None or own.verified < own.replicas or not own.replicas:
        counted = "not placed" if own is None else f"{own.verified} of {own.replicas} replicas"
        return refuted(wants, f"{served}: {counted}", "`loop status`, `loop plan` say why", link)
    return shown(wants, f"{served}: {own.verified} of {own.replicas} replicas", link, _status(facts))


def _status(facts: Facts) -> Link:
    return file(f".loop/{facts.environment}/status.json")


def _leads(facts: Facts) -> Finding:
    """Return whether every gateway leads users to the declared baseline."""
    wants = "every gateway leads to the baseline"
    found = common.the_gateways(facts, wants)
    if isinstance(found, Finding):
        return found
    served = common.served(facts, facts.spec.loop.environments[facts.environment].baseline)
    wrong = [f"{each.url}: {each.baseline or each.not_ready}" for each in found if each.baseline != served]
    links = tuple(page(f"{each.url}/state") for each in found)
    if wrong:
        return refuted(wants, "; ".join(wrong), "`loop plan` says what is in the way", *links)
    return shown(wants, f"{served} on {len(found)} of {len(found)}", *links)


def digests(facts: Facts) -> Iterator[Finding]:
    """Yield whether the bytes of all that serves are those that Git names, and were probed."""
    wants = "the placed bytes have the declared digest"
    found = common.the_gateways(facts, wants)
    if isinstance(found, Finding):
        yield found
        return
    serves = list(dict.fromkeys(name for each in found for name in each.serves))
    if not serves:
        yield missing(wants, "no gateway leads users to a version", common.START)
        return
    yield _placed(facts, serves, wants)
    yield _probed(facts, serves)


def _placed(facts: Facts, serves: list[str], wants: str) -> Finding:
    if isinstance(facts.placed, Unknown):
        return unseen(wants, facts.placed.reason, "`loop status`")
    here = {each.served: each.digest for each in facts.placed}
    wrong, told = [], []
    for served in serves:
        name, bytes_ = common.named(facts, served), here.get(served)
        if name is None:
            wrong.append(f"{served} is declared by no file in models/")
        elif bytes_ != facts.spec.models[name].adapter.digest:
            wrong.append(f"{served}: {'not on this disk' if bytes_ is None else digest.short(bytes_)}")
        else:
            told.append(f"{served} read again: {bytes_}")
    links = tuple(common.model(facts, name) for s in serves if (name := common.named(facts, s)) is not None)
    if wrong:
        return refuted(wants, "; ".join(wrong), "`loop plan`, then `loop apply` places them anew", *links)
    return shown(wants, "; ".join(told), *links)


def _probed(facts: Facts, serves: list[str]) -> Finding:
    wants = "each was probed before it got users"
    journal = common.the_journal(facts, wants)
    if isinstance(journal, Finding):
        return journal
    lacking = [served for served in serves if served not in journal.probed]
    if lacking:
        text = f"no probe that passed is in this journal: {', '.join(lacking)}"
        return missing(wants, text, "`loop log -n 0`; the runner that loaded it has it")
    links = tuple(entry(journal.probed[served]) for served in serves)
    return shown(wants, f"{len(serves)} of {len(serves)} passed", *links)
