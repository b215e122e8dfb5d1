"""A decision on training as a table for people, as Markdown for pull requests and job summaries, and as JSON.

Values in, text out; it decides nothing.
"""

from __future__ import annotations

from dataclasses import asdict
from textwrap import wrap
from typing import Any, Final

from runner.economics.decide import Decision
from runner.economics.reasons import Choice, Found, Verdict
from runner.report import figures

FORMAT: Final = 1
WIDTH: Final = 84
"""Characters of a line of what was found."""
NOTHING_TO_TRAIN: Final = "write a recipe of type DPO or KTO into policies/training.yaml"


def to_json(decision: Decision) -> dict[str, Any]:
    """Return a decision as JSON values; `format` changes when a field changes its meaning."""
    proposal = decision.proposal
    return {
        "format": FORMAT,
        "environment": decision.environment,
        "at": decision.at,
        "decision": decision.choice.value,
        "by": [each.value for each in decision.by],
        "reasons": [asdict(each) for each in decision.reasons],
        "proposal": None if proposal is None else {**asdict(proposal), "command": proposal.command},
        "next_round": decision.next_round.isoformat(),
    }


def to_text(decision: Decision) -> str:
    """Return the decision, what decided it, and every reason with its figures."""
    rows = [("reason", "says", "because")]
    for each in decision.reasons:
        first, *more = wrap(each.says, WIDTH)
        rows += [(_name(each, decision), each.verdict.value, first), *(("", "", line) for line in more)]
    fixes = [f"  {each.reason.value}: {each.fix}" for each in _open(decision)]
    return "\n".join(
        [
            headline(decision),
            f"  {why(decision)}",
            "",
            *figures.table(rows),
            *(["", "What would change it", *fixes] if fixes else []),
            "",
            f"next: {following(decision)}",
        ]
    )


def to_markdown(decision: Decision) -> str:
    """Return the same for a job's summary or a pull request."""
    rows = [
        f"| {_name(each, decision)} | {each.verdict.value} | {_cell(each.says)} | {_cell(each.fix)} |"
        for each in decision.reasons
    ]
    return "\n".join(
        [
            f"### {headline(decision)}",
            "",
            f"{why(decision)}.",
            "",
            "| reason | says | because | what would change it |",
            "|---|---|---|---|",
            *rows,
            "",
            f"Next: {following(decision)}",
        ]
    )


def headline(decision: Decision) -> str:
    """Return the decision in one line."""
    word = "train a new version now" if decision.choice is Choice.RETRAIN else "no training now"
    return f"{decision.environment}: {word} ({figures.moment(decision.at)})"


def why(decision: Decision) -> str:
    """Return what decided, in words: reasons that are not known are said to be so."""
    said = ", ".join(f"{reason.value} ({decision.of(reason).verdict.value})" for reason in decision.by)
    unknown = [each.reason.value for each in decision.reasons if each.verdict is Verdict.UNKNOWN]
    left = [name for name in unknown if name not in [reason.value for reason in decision.by]]
    return f"decided by {said}" + (f"; not known, so left out of it: {', '.join(left)}" if left else "")


def following(decision: Decision) -> str:
    """Return what to do next."""
    proposal = decision.proposal
    if proposal is None:
        return NOTHING_TO_TRAIN
    if decision.choice is Choice.RETRAIN:
        return f"`{proposal.command}`, from '{proposal.parent}'"
    return f"ask again when something changed; the next round begins on {decision.next_round}"


def _open(decision: Decision) -> list[Found]:
    """Return the reasons that do not speak for a round and can be changed."""
    return [each for each in decision.reasons if each.fix and each.verdict is not Verdict.FOR]


def _name(found: Found, decision: Decision) -> str:
    """Return the reason, marked where it decided."""
    return f"{'*' if found.reason in decision.by else ' '} {found.reason.value}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
