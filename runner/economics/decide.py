"""Whether to train a new version now, with every reason: `loop decide` asks.

Every reason is found out, also those that change nothing any more, so that whoever reads the decision sees what would
be next. `reasons.choose` weighs them. Pure: the same situation gives the same decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from runner.economics import budget, changes, rounds
from runner.economics.gain import expected
from runner.economics.proposal import Proposal, propose
from runner.economics.reasons import Choice, Found, Reason, Value, Verdict, choose
from runner.economics.situation import PastRound, Situation
from runner.spec.model import TrainingType

_COLLECT: Final = "collect more: `loop data progress`, then `loop data curate`"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now in an environment, and why: `by` are the reasons that decided, `reasons` are all of them."""

    environment: str
    at: float
    choice: Choice
    by: tuple[Reason, ...]
    reasons: tuple[Found, ...]
    proposal: Proposal | None
    """The round to train, or that would be trained; None where no recipe trains on preferences."""
    next_round: date
    """First day of the next round of the phase."""

    def of(self, reason: Reason) -> Found:
        """Return what was found of one reason."""
        return next(each for each in self.reasons if each.reason is reason)


def decide(situation: Situation) -> Decision:
    """Return whether to train now."""
    cadence = situation.policies.cadence
    proposal = _proposal(situation)
    found = (
        _data(proposal),
        _calendar(situation),
        changes.calls(situation.signals, situation.policies.signals),
        changes.change(situation.signals, cadence.skip.unneeded_if),
        _gain(situation, proposal),
        _budget(situation),
        _freeze(situation),
        _rounds(situation, proposal),
        _checks(situation, proposal),
        _promotion(situation),
        _last(situation, proposal),
    )
    chosen = choose({each.reason: each.verdict for each in found})
    next_round = rounds.round_of(cadence, rounds.day_of(situation.at)).ends
    return Decision(
        situation.environment, situation.at, chosen.choice, chosen.by, found, proposal, next_round
    )


def _proposal(situation: Situation) -> Proposal | None:
    cadence = situation.policies.cadence
    most = cadence.skip.max_rounds
    return propose(
        situation.pools,
        situation.baseline,
        cadence.phases[cadence.phase].min_samples,
        supervised_first=most is not None and len(situation.since_supervised) >= most,
    )


def _data(proposal: Proposal | None) -> Found:
    if proposal is None:
        said = "no recipe of type DPO or KTO has a data set"
        return Found(Reason.DATA, Verdict.UNKNOWN, said, fix="write one into policies/training.yaml")
    pool, wanted = proposal.pool, proposal.wanted
    figures: dict[str, Value] = {"fresh": pool.fresh, "rows": pool.rows, "wanted": wanted}
    if pool.rows is None:
        if pool.hash is None:
            said = f"'{pool.dataset}' is not here, and its file has no hash: it was not made yet"
            return Found(Reason.DATA, Verdict.UNKNOWN, said, figures, _COLLECT)
        return Found(Reason.DATA, Verdict.UNKNOWN, f"'{pool.dataset}' is not here", figures, "`dvc pull`")
    if pool.fresh is None:
        said = f"nobody knows which of the {pool.rows:,} rows of '{pool.dataset}' are new since the last training"
        return Found(
            Reason.DATA, Verdict.UNKNOWN, said, figures, "`dvc pull` of datasets/collected dates them"
        )
    verdict = Verdict.FOR if proposal.suffices else Verdict.AGAINST
    said = f"{pool.fresh:,} of {pool.rows:,} rows of '{pool.dataset}' are new; a round wants {wanted:,}"
    return Found(Reason.DATA, verdict, said, figures, "" if proposal.suffices else _COLLECT)


def _calendar(situation: Situation) -> Found:
    cadence = situation.policies.cadence
    now = rounds.round_of(cadence, rounds.day_of(situation.at))
    frequency = cadence.phases[cadence.phase].frequency.value
    last = situation.last
    figures: dict[str, Value] = {
        "began": now.begins.isoformat(),
        "next": now.ends.isoformat(),
        "last": last.trained.isoformat() if last else None,
    }
    if last is not None and last.trained >= now.begins:
        said = f"this {frequency} round began on {now.begins} and '{last.name}' was trained on {last.trained}"
        return Found(Reason.CALENDAR, Verdict.AGAINST, said, figures, f"the next round begins on {now.ends}")
    since = f"the last was '{last.name}' on {last.trained}" if last else "there has been none yet"
    return Found(
        Reason.CALENDAR, Verdict.FOR, f"the {frequency} round since {now.begins} is due: {since}", figures
    )


def _gain(situation: Situation, proposal: Proposal | None) -> Found:
    least = situation.policies.cadence.skip.min_expected_gain
    if proposal is not None and proposal.is_supervised:
        said = "nothing foretells what supervised training gains"
        return Found(Reason.GAIN, Verdict.UNKNOWN, said, {"least": least})
    wins = [each.win for each in situation.since_supervised if each.win is not None]
    found = expected(situation.clear, situation.prefers, wins)
    if found is None:
        said = "no votes and no measured round bound it"
        return Found(
            Reason.GAIN, Verdict.UNKNOWN, said, {"least": least}, "`loop data snapshot` counts the votes"
        )
    figures: dict[str, Value] = {
        "least": least,
        "value": found.value,
        "low": found.low,
        "high": found.high,
    }
    said = f"between {found.low:.1%} and {found.high:.1%} over one half, {least:.1%} wanted: {found.because}"
    if found.low >= least:
        return Found(Reason.GAIN, Verdict.FOR, said, figures)
    if found.high < least:
        return Found(
            Reason.GAIN, Verdict.AGAINST, said, figures, "`loop diagnose` says what may be in the way"
        )
    return Found(Reason.GAIN, Verdict.UNKNOWN, said, figures)


def _budget(situation: Situation) -> Found:
    policies = situation.policies
    limit = policies.cadence.skip.budget_per_quarter
    quarter = rounds.quarter_of(policies.cadence, rounds.day_of(situation.at))
    own = [each for each in situation.rounds if quarter.begins <= each.trained < quarter.ends]
    due = budget.bill(policies.cost, own, [each for each in situation.rounds if each not in own])
    figures: dict[str, Value] = {
        "limit": limit,
        "spent": due.spent,
        "planned": due.planned,
        "rounds": due.rounds,
        "quarter": quarter.begins.isoformat(),
    }
    if limit is None:
        return Found(Reason.BUDGET, Verdict.FOR, "the policy sets no limit", figures)
    if due.spent is None:
        said = f"what {', '.join(due.unknown)} cost since {quarter.begins} is not known"
        return Found(
            Reason.BUDGET, Verdict.UNKNOWN, said, figures, "training.json of a version has its seconds"
        )
    if due.planned is None and due.spent == 0.0:
        said = (
            f"nothing of ${limit:,.2f} was spent since {quarter.begins}; the first round shows what one costs"
        )
        return Found(Reason.BUDGET, Verdict.FOR, said, figures)
    if due.total is None:
        return Found(Reason.BUDGET, Verdict.UNKNOWN, "what a round costs is not known", figures)
    said = (
        f"${due.spent:,.2f} by {due.rounds} since {quarter.begins}, ${due.total:,.2f} with one more, "
        f"of ${limit:,.2f}"
    )
    if due.total <= limit:
        return Found(Reason.BUDGET, Verdict.FOR, said, figures)
    return Found(Reason.BUDGET, Verdict.AGAINST, said, figures, f"the next quarter begins on {quarter.ends}")


def _freeze(situation: Situation) -> Found:
    if situation.closed:
        return Found(
            Reason.FREEZE, Verdict.AGAINST, situation.closed, fix="wait until it ends, or change loop.yaml"
        )
    return Found(Reason.FREEZE, Verdict.FOR, f"'{situation.environment}' is neither frozen nor suspended")


def _rounds(situation: Situation, proposal: Proposal | None) -> Found:
    skip, done = situation.policies.cadence.skip, len(situation.since_supervised)
    figures: dict[str, Value] = {"rounds": done, "most": skip.max_rounds}
    said = f"{done} rounds of preference training since the last supervised one"
    if skip.max_rounds is None or done < skip.max_rounds:
        return Found(Reason.ROUNDS, Verdict.FOR, said, figures)
    if proposal is not None and proposal.is_supervised:
        return Found(
            Reason.ROUNDS,
            Verdict.FOR,
            f"{said}: supervised training on '{proposal.pool.dataset}' comes first",
            figures,
        )
    return Found(
        Reason.ROUNDS,
        Verdict.AGAINST,
        f"{said}, {skip.max_rounds} are the most",
        figures,
        _instead(situation),
    )


def _instead(situation: Situation) -> str:
    """Return what comes before another round of preference training."""
    short = [
        f"{each.least - each.fresh} more corrections make supervised training possible"
        for each in situation.pools
        if each.type is TrainingType.SFT and each.fresh is not None and each.fresh < each.least
    ]
    return "; ".join(["collect more diverse data and start a supervised round", *short])


def _checks(situation: Situation, proposal: Proposal | None) -> Found:
    own = [
        each for each in situation.troubles if proposal is not None and each.dataset == proposal.pool.dataset
    ]
    certain = [each for each in own if each.certain]
    shown = certain or own
    if not shown:
        verdict = Verdict.UNKNOWN if proposal is None else Verdict.FOR
        said = "no data set to check" if proposal is None else f"'{proposal.pool.dataset}' passed all"
        return Found(Reason.CHECKS, verdict, said)
    verdict = Verdict.AGAINST if certain else Verdict.UNKNOWN
    return Found(
        Reason.CHECKS,
        verdict,
        "; ".join(each.says for each in shown),
        fix="; ".join({each.fix: 0 for each in shown}),
    )


def _promotion(situation: Situation) -> Found:
    if situation.under_way:
        return Found(Reason.PROMOTION, Verdict.AGAINST, situation.under_way, fix="wait until it ends")
    return Found(Reason.PROMOTION, Verdict.FOR, "no other version is on its way to users")


def _last(situation: Situation, proposal: Proposal | None) -> Found:
    last = situation.last
    if last is None:
        return Found(Reason.LAST, Verdict.FOR, "there has been none yet")
    if not last.stopped:
        return Found(Reason.LAST, Verdict.FOR, f"'{last.name}' was not stopped")
    if proposal is not None and _same_data(last, proposal):
        said = f"'{last.name}' was trained on the same data: {last.stopped}"
        return Found(
            Reason.LAST, Verdict.AGAINST, said, fix="`loop diagnose` says what to change; collect more data"
        )
    return Found(Reason.LAST, Verdict.FOR, f"'{last.name}' had other data: {last.stopped}")


def _same_data(last: PastRound, proposal: Proposal) -> bool:
    return (last.dataset, last.dataset_hash) == (proposal.pool.dataset, proposal.pool.hash)
