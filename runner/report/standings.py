"""What `loop arena standings` shows: the text for a terminal, the page, the JSON and the one picture.

Formats what `feedback.standings` found; decides nothing. Raters are keyed hashes, and of a hash the first digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from runner.feedback.standings.duels import Duel, SegmentDuel
from runner.feedback.standings.figures import Figure, Rate, Verdict
from runner.feedback.standings.rankings import Ranking, Unit
from runner.feedback.standings.raters import Influence, Leaning
from runner.feedback.standings.standings import Standings
from runner.report import figures, plots
from runner.report.document import Document, Section, to_html
from runner.report.plots_standings import Field, Row, forest
from runner.stats.agreement import Verdict as Allowed

HASH = 8
"""Digits of a rater's hash that are shown."""
NAMED = 3
"""Most raters that are named for one reason."""
Change = tuple[tuple[str, ...], tuple[tuple[str, Verdict], ...], tuple[str, ...]]
"""The order and the verdicts that are others without a rater, and the versions without votes then."""
SERIES = ("as voted", "at equal length")
_ALLOWS = {
    Allowed.USE: "good",
    Allowed.TENTATIVE: "good enough for tentative conclusions",
    Allowed.NOT: "too low to conclude from",
}
_UNITS = {Unit.USERS: "raters", Unit.COMPARISONS: "comparisons"}


def to_text(standings: Standings, title: str) -> str:
    """Return the standings for a terminal."""
    lines = [title]
    for section in sections(standings):
        lines += ["", section.title, *(f"  {line}" for line in section.lines)]
        lines += [f"  - {item}" for item in section.items]
        if section.table:
            lines += figures.table(section.table)
    return "\n".join(lines)


def to_page(standings: Standings, title: str) -> str:
    """Return the standings as one HTML file that loads nothing."""
    return to_html(document(standings, title))


def document(standings: Standings, title: str) -> Document:
    """Return the standings as a document."""
    return Document(
        title, _level(standings), sections(standings), tuple(verdict.value for verdict in Verdict)
    )


def to_json(standings: Standings) -> dict[str, Any]:
    """Return the standings as plain JSON values."""
    return asdict(standings)


def picture(standings: Standings) -> str:
    """Return the strengths of all ranked versions, as voted and at equal length, as one SVG."""
    other = {each.version: each.strength for each in standings.length.strengths}
    rows = [
        Row(each.version, (_span(each.strength), _span(other.get(each.version))))
        for each in standings.plain.strengths
    ]
    return forest(rows, SERIES, Field(0.0, _signed), "Strengths, natural logarithm of odds")


def to_svg(standings: Standings) -> str:
    """Return the picture as a file of its own, which has to bring the style that a page has."""
    style = f"<style>{plots.STYLE}.plot{{font-family:system-ui,sans-serif;color:#5b636d}}</style>"
    return picture(standings).replace("</desc>", f"</desc>{style}", 1) + "\n"


def sections(standings: Standings) -> tuple[Section, ...]:
    """Return everything, part by part."""
    return (
        _summary(standings),
        _strengths(standings),
        _duels(standings),
        _segments(standings),
        _biases(standings),
        _raters(standings),
        _agreement(standings),
    )


def _level(standings: Standings) -> str:
    return "ok" if any(duel.verdict.is_certain for duel in standings.duels) else "inconclusive"


def _summary(standings: Standings) -> Section:
    rules, out = standings.rules, standings.left_out
    lines = [
        f"{_count(standings.votes, 'vote')} of {_count(standings.raters.number, 'rater')} on "
        f"{_count(len(standings.versions), 'version')}; the baseline is {rules.baseline}."
    ]
    if out.uncounted:
        lines.append(
            f"{_count(out.uncounted, 'vote')} left out: an answer gave its own model's name away, or the "
            "console said that it does not count."
        )
    if out.same_version:
        lines.append(f"{_count(out.same_version, 'vote')} left out: both answers came from one version.")
    if not standings.votes:
        lines.append("Nobody has compared two versions yet: `loop console` opens the arena.")
    told = [
        _headline(duel, rules.baseline)
        for duel in standings.duels
        if duel.verdict is not Verdict.NOT_TOLD_APART
    ]
    unsure = [duel.version for duel in standings.duels if duel.verdict is Verdict.NOT_TOLD_APART]
    if unsure:
        told.append(f"not told apart from {rules.baseline} yet: {', '.join(unsure)}")
    return Section("In short", tuple(lines), tuple(told))


def _headline(duel: Duel, base: str) -> str:
    """Return what one version's votes come to; where that hangs on somebody, on whom."""
    wins, hangs_on = duel.wins, duel.wins.hangs_on
    if duel.verdict.is_certain:
        return f"{duel.version} is {duel.verdict.value} than {base}: it wins {_rate(wins)}"
    told = f"no verdict on {duel.version} ({duel.verdict.value}): it wins {_share(wins)} of {_count(wins.n, 'vote')}"
    if hangs_on is None:
        return f"{told} by {_count(wins.raters, 'rater')}"
    without = f"{short(hangs_on.user)} ({_count(hangs_on.votes, 'vote')})"
    return f"{told}, and {figures.share(hangs_on.value)} without {without}"


def _strengths(standings: Standings) -> Section:
    plain, length, side = standings.plain, standings.length, standings.side
    items = tuple(f"{each.version} has no strength: {each.why}" for each in standings.apart)
    if not plain.strengths:
        return Section("Strengths", ("No two versions can be ranked yet.",), items)
    lines = [
        f"Bradley-Terry, ties half, natural logarithm of odds; {_certain(standings)} intervals from "
        f"{standings.rules.resamples:,} resamples of whole {_UNITS[plain.unit]}.",
        "These intervals are for one look; verdicts, below, come from intervals that hold however often one looks.",
    ]
    if plain.unit is Unit.COMPARISONS:
        lines.append(
            f"Fewer than {standings.rules.least_users} raters: how much people differ is not in the intervals, "
            "which are too narrow where they do."
        )
    if standings.votes > plain.votes:
        lines.append(
            f"{_count(standings.votes - plain.votes, 'vote')} on versions outside the ranking are not in it."
        )
    lines += _effects(length, side)
    base = standings.rules.baseline
    rows: list[tuple[str, ...]] = [
        (
            "version",
            "strength",
            f"beats {base}",
            "at equal length",
            f"then beats {base}",
            "at equal side",
            "votes",
        )
    ]
    votes = {each.version: each.votes for each in standings.versions}
    others = [{each.version: each for each in ranking.strengths} for ranking in (length, side)]
    for each in plain.strengths:
        at_length, at_side = (other.get(each.version) for other in others)
        is_base = each.version == base
        rows.append(
            (
                each.version,
                _figure(each.strength),
                "baseline" if is_base else _chance(each.chance),
                _figure(at_length.strength) if at_length else figures.NOTHING,
                "baseline" if is_base else _chance(at_length.chance if at_length else None),
                _figure(at_side.strength) if at_side else figures.NOTHING,
                f"{votes[each.version]:,}",
            )
        )
    return Section("Strengths", tuple(lines), items, rows, (("strengths", picture(standings)),))


def _effects(length: Ranking, side: Ranking) -> Iterator[str]:
    if length.effect is not None:
        yield (
            f"An answer twice as long has its odds times {_factor(length.effect)}; at equal length this is taken out "
            f"({_count(length.votes, 'vote')} with texts)."
        )
    else:
        yield f"What length wins is not known: {length.why}."
    if side.effect is not None:
        yield f"The left side has its odds times {_factor(side.effect)}; at equal side this is taken out."
    else:
        yield f"What the side wins is not known: {side.why}."


def _duels(standings: Standings) -> Section:
    base = standings.rules.baseline
    if not standings.duels:
        return Section(f"Against {base}", (f"No version was compared with {base} yet.",))
    bad = {each.version: each.both_bad for each in standings.versions}
    rows: list[tuple[str, ...]] = [("version", "wins", "interval", "votes", "verdict", "both bad")]
    rows += [
        (
            duel.version,
            _share(duel.wins),
            _ends(duel.wins),
            f"{duel.wins.n:,}",
            duel.verdict.value,
            _rate(bad[duel.version]),
        )
        for duel in standings.duels
    ]
    drawn = forest(
        [
            Row(duel.version, (plots.Span(duel.wins.value, duel.wins.low, duel.wins.high),))
            for duel in standings.duels
        ],
        ("wins",),
        Field(0.5, figures.share, 0.0, 1.0),
        f"Win rate against {base}",
    )
    line = (
        f"Ties and both bad count half. The intervals hold however often one looks ({_certain(standings)} each), and "
        "are wide enough for what raters differ. A verdict stays without any one rater. Both bad is of all votes on a "
        "version, taken as independent."
    )
    return Section(f"Against {base}", (line,), (), rows, (("win rate", drawn),))


def _segments(standings: Standings) -> Section:
    title = f"Against {standings.rules.baseline}, by segment"
    if not standings.segments:
        return Section(title, ("No version was compared with it in any segment yet.",))
    line = (
        f"Verdicts count in that {len(standings.segments)} figures are looked at: of “{Verdict.BETTER.value}” and "
        f"“{Verdict.WORSE.value}” at most {100 * (1 - standings.rules.certainty):.3g}% are wrong, on average "
        f"(e-BH). An interval is for its one figure only ({_certain(standings)})."
    )
    rows: list[tuple[str, ...]] = [("segment", "version", "wins", "interval", "votes", "verdict")]
    rows += [_segment(each) for each in standings.segments]
    return Section(title, (line,), (), rows)


def _segment(each: SegmentDuel) -> tuple[str, ...]:
    wins = each.duel.wins
    return (
        f"{each.by} {each.segment}",
        each.duel.version,
        _share(wins),
        _ends(wins),
        f"{wins.n:,}",
        each.duel.verdict.value,
    )


def _biases(standings: Standings) -> Section:
    shares = standings.shares
    if not standings.votes:
        return Section("Sides and ties", ("No votes yet.",))
    verdict = shares.left.verdict
    side = {
        Verdict.BETTER: "the left side wins more often than it should",
        Verdict.WORSE: "the right side wins more often than it should",
        Verdict.NOT_TOLD_APART: "not told apart from one half",
    }.get(verdict, f"no verdict, {verdict.value}")
    return Section(
        "Sides and ties",
        (),
        (
            f"left side: {_rate(shares.left)} of votes that name one: {side} "
            f"(evidence {figures.evidence(shares.left.evidence)})",
            f"ties: {_rate(shares.ties)}",
            f"both bad: {_rate(shares.neither)}",
        ),
    )


def _raters(standings: Standings) -> Section:
    found = standings.raters
    if not found.number:
        return Section("Raters", ("No votes yet.",))
    if found.number == 1:
        return Section("Raters", (f"All votes are of one rater, {short(found.largest)}.",))
    line = (
        f"{_count(found.number, 'rater')}; the most eager one ({short(found.largest)}) gave "
        f"{figures.share(found.largest_share)} of the votes."
    )
    items = list(_influences(found.influences))
    if not items:
        most = max((each.shift for each in found.influences), default=0.0)
        items.append(
            f"leaving out any one rater changes no order and no verdict; strengths change by {most:.2f} at most"
        )
    items += [_leaning(each) for each in found.leanings[:NAMED]]
    return Section("Raters", (line,), tuple(items))


def _influences(influences: Sequence[Influence]) -> Iterator[str]:
    """Yield what changes without single raters, those together without whom the same changes."""
    alike: dict[Change, list[Influence]] = {}
    for each in influences:
        if each.matters:
            alike.setdefault((each.order, each.verdicts, each.silent), []).append(each)
    for (order, verdicts, silent), own in alike.items():
        told = [f"the order is {' > '.join(order)}"] if order else []
        told += [f"{version} is {verdict.value}" for version, verdict in verdicts]
        if silent:
            told.append(f"{' and '.join(silent)} {'has' if len(silent) == 1 else 'have'} no votes")
        names = [f"{short(each.user)} ({_count(each.votes, 'vote')})" for each in own]
        whom = " or ".join(names)
        if len(own) > NAMED:
            whom = f"any one of {len(own)} raters, such as {', '.join(names[:NAMED])},"
        shift = max(each.shift for each in own)
        moved = f"; strengths change by up to {shift:.2f}" if round(shift, 2) and not silent else ""
        yield f"without {whom} {' and '.join(told)}{moved}"


def _leaning(each: Leaning) -> str:
    return (
        f"{short(each.user)} prefers {each.towards}: {each.wins:g} of {each.votes}, where the others' votes let one "
        f"expect {each.expected:.1f} (evidence {figures.evidence(each.evidence)})"
    )


def _agreement(standings: Standings) -> Section:
    found = standings.repeats
    if found.same is None:
        return Section("Agreement", ("No two answers were compared by several people.",))
    line = (
        f"{_count(found.pairs, 'pair')} of answers compared by several people; two of them say the same in "
        f"{figures.share(found.same)}."
    )
    if found.alpha is None:
        return Section(
            "Agreement", (line, "All said the same one thing, so that it cannot be told from chance.")
        )
    alpha = found.alpha
    return Section(
        "Agreement",
        (
            line,
            f"Krippendorff's alpha {alpha.alpha:.3f} ({alpha.low:.3f} to {alpha.high:.3f}): {_ALLOWS[alpha.verdict]}.",
        ),
    )


def short(user: str) -> str:
    """Return the first digits of a rater's hash."""
    return user[:HASH]


def _certain(standings: Standings) -> str:
    return f"{100 * standings.rules.certainty:g}%"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _figure(found: Figure) -> str:
    return f"{_signed(found.value)} ({_signed(found.low)} to {_signed(found.high)})"


def _signed(value: float) -> str:
    return f"{value:+.2f}" if round(value, 2) else "0"


def _factor(found: Figure) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _chance(found: Figure | None) -> str:
    if found is None:
        return figures.NOTHING
    return f"{figures.share(found.value)} ({figures.share(found.low)} to {figures.share(found.high)})"


def _share(found: Rate) -> str:
    return figures.NOTHING if found.value is None else figures.share(found.value)


def _ends(found: Rate) -> str:
    return f"{figures.share(found.low)} to {figures.share(found.high)}"


def _rate(found: Rate) -> str:
    return f"{_share(found)} ({_ends(found)})"


def _span(found: Figure | None) -> plots.Span | None:
    return None if found is None else plots.Span(found.value, found.low, found.high)
