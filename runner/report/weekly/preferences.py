"""What people preferred: how collecting goes, which version they like better, and how good what they gave is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from runner.feedback.preferences.findings import Check, Finding
from runner.feedback.progress import day, headline
from runner.feedback.standings.figures import EVEN, Rate
from runner.feedback.standings.pairings import Pairing
from runner.report import figures, plots, progress
from runner.report.document import Section
from runner.report.plots_progress import Amount, amounts
from runner.report.plots_standings import Field, Row, forest
from runner.report.snapshot import CHECKS, check_row
from runner.report.weekly.material import Collected, Quality, Told
from runner.report.weekly.passed import counted

_OF_QUALITY: Final = (Check.CLEAR_WINNERS, Check.COVERAGE)
"""Checks that stand first: the others hold a set to what may mislead training."""


def collection(told: Told) -> Section:
    """Return the preferences of the week against the target, their pace, and when it is reached."""
    found = told.collected
    if found is None:
        return Section("Preferences", (told.why_not("collected"),))
    own = found.progress
    week, categories = progress.pictures(own)
    drawn = (week, ("pairs of each week", _weeks(found)), categories)
    return Section("Preferences", (f"{headline(own)}.", *_pace(found)), (), progress.levels(own), drawn)


def _pace(found: Collected) -> Iterator[str]:
    own = found.progress
    votes = counted(own.votes, "vote", "votes")
    yield (
        f"The week began on {day(own.week)} (UTC); {votes} made {counted(own.pairs, 'pair', 'pairs')}. "
        f"{own.rate.value:.1f} pairs a day ({own.rate.low:.1f} to {own.rate.high:.1f}) over the last "
        f"{counted(round(own.rate.days), 'day', 'days')}."
    )
    yield progress.next_round(own)
    if found.rows is not None:
        yield f"The data set at hand has {counted(found.rows, 'pair', 'pairs')} that passed every check of a pair."


def _weeks(found: Collected) -> str:
    """Return the pairs of each week, from the first one on that has any."""
    first = next((at for at, (_, pairs) in enumerate(found.weeks) if pairs), len(found.weeks) - 1)
    wanted = found.progress.aimed.wanted
    rows = [Amount(f"from {figures.moment(at)[5:10]}", pairs, wanted) for at, pairs in found.weeks[first:]]
    return amounts(rows, "Preference pairs by week")


def win_rates(told: Told) -> Section:
    """Return which of each two versions people preferred in the window."""
    if told.pairings is None:
        return Section("Win rates", (told.why_not("pairings"),))
    if not told.pairings:
        return Section("Win rates", (_no_duel(told),))
    rows: list[Sequence[str]] = [
        ("version", "against", "wins", "interval", "lead", "verdict", "votes", "raters", "characters")
    ]
    rows += [_pairing(each) for each in told.pairings]
    line = (
        "Blind votes in the arena, ties half. The lead is wins less losses, in points of a hundred. Intervals hold "
        "however often one looks; no verdict hangs on one person."
    )
    return Section("Win rates", (line,), (), rows, (("win rates", _forest(told.pairings)),))


def _no_duel(told: Told) -> str:
    votes = told.quality.clear.n if told.quality is not None else 0
    if not votes:
        return "Nobody compared answers in this time: loop console opens the arena."
    return f"No two versions were compared: {counted(votes, 'vote was', 'votes were')} on two answers of one version."


def _pairing(each: Pairing) -> tuple[str, ...]:
    wins, value = each.wins, each.wins.value
    lengths = figures.NOTHING
    if each.lengths is not None:
        lengths = " and ".join(f"{length:.0f}" for length in each.lengths)
    return (
        each.version,
        each.against,
        figures.NOTHING if value is None else figures.share(value),
        _ends(wins),
        figures.NOTHING if value is None else f"{100 * (2 * value - 1):+.0f}",
        wins.verdict.value,
        f"{wins.n:,}",
        f"{wins.raters:,}",
        lengths,
    )


def _forest(found: Sequence[Pairing]) -> str:
    rows = [
        Row(f"{each.version} / {each.against}", (plots.Span(each.wins.value, each.wins.low, each.wins.high),))
        for each in found
    ]
    return forest(rows, ("win rate",), Field(EVEN, figures.share, 0.0, 1.0), "Win rates of pairs of versions")


def quality(told: Told) -> Section:
    """Return how good the preferences are: clear winners, categories, the quality score, and checks of the set."""
    found = told.quality
    if found is None:
        return Section("Data quality", (told.why_not("quality"),))
    lines = (_clear(found.clear), _covered(told), _score(found))
    if found.account is None:
        return Section("Data quality", (*lines, "There is no snapshot here: loop data curate makes one."))
    rows: list[Sequence[str]] = [("check", "verdict", "is", "wanted", "rests on", "stands out")]
    order = sorted(found.account.checks, key=lambda each: each.check not in _OF_QUALITY)
    for verdict, check, *others in map(check_row, order):
        rows.append((check, verdict, *others))
    made = (
        f"The snapshot {found.account.id[:12]} as a whole: {found.account.verdict.value}. Only PASS may be trained on "
        "without asking."
    )
    return Section("Data quality", (*lines, made), (), rows)


def _clear(clear: Rate) -> str:
    if clear.value is None:
        return "Clear winners: nobody voted in this time."
    return (
        f"Clear winners: {figures.share(clear.value)} of {counted(clear.n, 'vote', 'votes')} in this time named one "
        f"({_ends(clear)})."
    )


def _covered(told: Told) -> str:
    if told.collected is None:
        return f"Coverage: {told.why_not('collected')}"
    parts = told.collected.progress.categories
    there = [part for part in parts if part.pairs]
    absent = [part.name for part in parts if not part.pairs]
    thin = [part.name for part in there if part.is_thin]
    said = (
        f"Coverage: {len(there)} of {counted(len(parts), 'category', 'categories')} have a pair of this week"
    )
    scarce = f"; thin: {', '.join(thin)}" if thin else ""
    missing = f"; none of {', '.join(absent)}" if absent and there else ""
    return f"{said}{missing}{scarce}."


def _score(found: Quality) -> str:
    score = found.score
    if score is None:
        return "Quality score: not known, for what the snapshot rejected is not here (dvc pull)."
    if score.value is None or score.of_five is None:
        return "Quality score: no preferences in the snapshot yet."
    ends = f"{figures.share(score.low)} to {figures.share(score.high)}"
    return (
        f"Quality score: {score.of_five:.1f} of 5, for {figures.share(score.value)} ({ends}) of "
        f"{counted(score.n, 'preference', 'preferences')} met every criterion of a pair; 1 is none, 5 is all."
    )


def failed(found: Quality) -> tuple[Finding, ...]:
    """Return the checks of the snapshot that failed."""
    account = found.account
    return () if account is None else tuple(each for each in account.checks if each.verdict.value == "FAIL")


def named(finding: Finding) -> str:
    """Return a failed check in words."""
    return f"{CHECKS[finding.check]}: {', '.join(check_row(finding)[2:4])}"


def _ends(rate: Rate) -> str:
    return f"{figures.share(rate.low)} to {figures.share(rate.high)}"
