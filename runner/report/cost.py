"""What serving costs and saves: as sections of a document, as text, JSON and a picture.

`loop cost` shows all of it, the weekly report one section; `cost_change` says what a change does. Text, Markdown and
HTML are made from the same sections. Values in, text out; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from runner.economics.cost.balance import Comparison, Never
from runner.economics.cost.prices import API, INPUT, OUTPUT, REQUESTS, TRAINING, Assumption
from runner.economics.cost.reasons import Standing
from runner.economics.cost.simulation import COVERS, DRAWS, Outlook
from runner.economics.cost.statement import Statement
from runner.economics.cost.workload import Figure, Source
from runner.report import document, dollars, figures, plots_tornado
from runner.report.document import Document, Rows, Section
from runner.report.plots_tornado import Row
from runner.signals.reading import Holds
from runner.signals.readings.estimates import Estimate
from runner.spec.cost import Account, Per

FORMAT: Final = 1
_PER = {
    Per.HOUR: "an hour",
    Per.MONTH: "a month",
    Per.QUARTER: "a quarter",
    Per.YEAR: "a year",
    Per.THOUSAND_REQUESTS: "for 1,000 requests",
    Per.ONCE: "once",
}
_STANDS = {Holds.YES: "it is so", Holds.NO: "it is not so", Holds.UNSURE: "not proven either way"}


def section(found: Statement) -> Section:
    """Return one section for a report of everything: the totals, the account, the tornado, and the reasons.

    Its title is "Cost"; `found` is what `runner.economics.cost.statement.state` returns.
    """
    return Section(
        "Cost",
        (headline(found), *_left_out(found), *_sure(found.outlooks), _sources(found)),
        tuple(_reasons(found.reasons)),
        _comparisons(found),
        (("What each assumption does to the yearly saving", tornado(found)),),
    )


def sections(found: Statement) -> tuple[Section, ...]:
    """Return all sections of a document on costs."""
    told = [
        Section("In short", (headline(found), *_left_out(found), _sources(found))),
        Section("Account", (), (), _account(found)),
        Section("Against the API", tuple(_notes(found)), (), _comparisons(found)),
        Section("How sure it is", tuple(_sure(found.outlooks)), (), _outlooks(found.outlooks)),
        Section(
            "What matters most",
            (
                "Change of the yearly saving with one assumption at its least or at its most, all others as they are.",
            ),
            (),
            _tornado_rows(found),
            (("Change of the yearly saving", tornado(found)),),
        ),
        Section("Measured and assumed", (), (), _workload(found)),
    ]
    if found.reasons:
        told.append(Section("Beyond money", (), tuple(_reasons(found.reasons))))
    return tuple(told)


def headline(found: Statement) -> str:
    """Return the running account and what it saves, in one line."""
    running = found.balance.comparisons[0]
    cost = f"{dollars.amount(running.month)} a month and {dollars.amount(running.year)} a year"
    saved = dollars.amount(abs(running.saving_year))
    word = f"saves {saved}" if running.saving >= 0 else f"costs {saved} more"
    return f"The running account comes to {cost}, and {word} a year against '{found.balance.api}'."


def _left_out(found: Statement) -> Iterator[str]:
    """Yield what stands beside the running account and is not in it."""
    told = {Account.RETRAINING: "retraining", Account.ENGINEERING: "people's time", Account.SETUP: "set-up"}
    beside = [
        word for account, word in told.items() if any(d.expense.account is account for d in found.balance.due)
    ]
    if beside:
        yield f"That leaves out {' and '.join(filter(None, (', '.join(beside[:-1]), beside[-1])))}, told beside it."


def to_text(found: Statement) -> str:
    """Return the statement for a terminal."""
    lines: list[str] = []
    for each in sections(found):
        lines += [each.title, *(f"  {figures.printable(line)}" for line in each.lines)]
        lines += figures.table(each.table) if each.table else []
        lines += [*(f"  {figures.printable(item)}" for item in each.items), ""]
    return "\n".join(lines).rstrip()


def to_markdown(found: Statement, title: str) -> str:
    """Return the statement as Markdown, without the plot."""
    return document.to_markdown(_document(found, title))


def to_html(found: Statement, title: str) -> str:
    """Return the statement as one HTML file that loads nothing."""
    return document.to_html(_document(found, title))


def to_json(found: Statement) -> dict[str, Any]:
    """Return the statement as JSON values, dollars and dollars a month; `format` changes with the meaning of a field.

    A figure that does not exist is null beside the `..._never` that says why.
    """
    balance, load = found.balance, found.balance.workload
    return {
        "format": FORMAT,
        "api": {"name": balance.api, "month": balance.api_month, "per_thousand": balance.api_per_thousand},
        "setup": balance.setup,
        "items": [
            {**asdict(each.expense), "month" if each.expense.per is not Per.ONCE else "once": each.dollars}
            for each in balance.due
        ],
        "scopes": [
            {**_compared(each), "outlook": asdict(outlook)}
            for each, outlook in zip(balance.comparisons, found.outlooks, strict=True)
        ],
        "sensitivity": [
            {
                "assumption": bar.assumption.name,
                **{name: getattr(bar.assumption, name) for name in ("value", "low", "high")},
                "saving_at_low": bar.at_low,
                "saving_at_high": bar.at_high,
            }
            for bar in found.bars
        ],
        "workload": {
            "requests_per_month": asdict(load.requests),
            "input_tokens": asdict(load.input_tokens),
            "output_tokens": asdict(load.output_tokens),
            "training_hours": asdict(load.training_hours),
        },
        "reasons": [_reason(each) for each in found.reasons],
    }


def picture(found: Statement) -> str:
    """Return the tornado as an SVG file of its own."""
    return tornado(found, plots_tornado.STYLE) + "\n"


def tornado(found: Statement, style: str = "") -> str:
    """Return what each assumption does to the yearly saving as SVG, for a page or with a style of its own."""
    ends = dict.fromkeys((found.balance.comparisons[0], found.balance.comparisons[-1]))
    return plots_tornado.tornado(
        [
            Row(each.assumption.name, _ranges(each.assumption), each.at_low, each.at_high)
            for each in found.bars
        ],
        "Change of the yearly saving",
        dollars.change,
        [(-each.saving_year, f"nothing saved, {each.scope.value}") for each in ends],
        style,
    )


def _document(found: Statement, title: str) -> Document:
    return Document(title, f"{found.balance.workload.requests.source.value} traffic", sections(found))


def _account(found: Statement) -> Rows:
    load = found.balance.workload.requests.value
    rows = [("item", "account", "a month", "a year", "1,000 requests", "what it is")]
    for each in found.balance.due:
        expense, spent = each.expense, each.dollars
        name, account, note = expense.name, expense.account.value, expense.note
        if expense.account is Account.SETUP:
            rows.append(
                (name, account, f"{dollars.amount(spent)} once", figures.NOTHING, figures.NOTHING, note)
            )
        else:
            thousand = dollars.amount(1000 * spent / load) if load else figures.NOTHING
            rows.append((name, account, dollars.amount(spent), dollars.amount(12 * spent), thousand, note))
    return rows


def _comparisons(found: Statement) -> Rows:
    balance = found.balance
    head = ("counted", "a month", "a year", "1,000 requests", "saved a year", "break-even a month", "payback")
    rows = [head]
    for each in balance.comparisons:
        thousand = figures.NOTHING if each.per_thousand is None else dollars.amount(each.per_thousand)
        rows.append(
            (
                each.scope.value,
                dollars.amount(each.month),
                dollars.amount(each.year),
                thousand,
                dollars.amount(each.saving_year),
                f"{dollars.traffic(each.break_even)} requests"
                if isinstance(each.break_even, float)
                else "never",
                dollars.months(each.payback),
            )
        )
    api = (
        dollars.amount(balance.api_month),
        dollars.amount(12 * balance.api_month),
        dollars.amount(balance.api_per_thousand),
    )
    return [*rows, ("the API", *api, *(figures.NOTHING,) * 3)]


def _notes(found: Statement) -> Iterator[str]:
    """Yield what the table of comparisons cannot say: the set-up that is paid back, and why something never is."""
    if found.balance.setup:
        yield f"Payback is of the set-up, {dollars.amount(found.balance.setup)} once; it is in no other figure."
    for each in found.balance.comparisons:
        for figure in (each.break_even, each.payback):
            if isinstance(figure, Never):
                yield f"Never, {each.scope.value}: {figure.reason}."


def _sure(outlooks: Sequence[Outlook]) -> Iterator[str]:
    running, widest = outlooks[0], outlooks[-1]
    saves = f"the running account saves {dollars.interval(running.saving_year)} a year"
    yield f"With all assumptions drawn at once, {DRAWS:,} times, {saves} in {COVERS:.0%} of them."
    more = "" if widest is running else f", {widest.scope.value} {figures.chance(widest.chance)}"
    yield f"The chance that it saves at all is {figures.chance(running.chance)}{more}."


def _outlooks(outlooks: Sequence[Outlook]) -> Rows:
    rows = [("counted", "a month", "saved a year", "chance that it saves")]
    for each in outlooks:
        rows.append(
            (
                each.scope.value,
                dollars.interval(each.month),
                dollars.interval(each.saving_year),
                figures.chance(each.chance),
            )
        )
    return rows


def _tornado_rows(found: Statement) -> Rows:
    rows = [("assumption", "from its least to its most", "at its least", "at its most")]
    for each in found.bars:
        rows.append(
            (
                each.assumption.name,
                _ranges(each.assumption),
                dollars.change(each.at_low),
                dollars.change(each.at_high),
            )
        )
    return rows if found.bars else ()


def _workload(found: Statement) -> Rows:
    load = found.balance.workload
    rows: list[tuple[str, ...]] = [("figure", "value", "from", "to", "source", "because")]
    for name, figure in ((REQUESTS, load.requests), (INPUT, load.input_tokens), (OUTPUT, load.output_tokens)):
        rows.append((name, *(f"{n:,.0f}" for n in _ends(figure)), figure.source.value, figure.rests_on))
    if any(
        each.expense.account is Account.RETRAINING and each.expense.per is Per.HOUR
        for each in found.balance.due
    ):
        hours = load.training_hours
        rows.append((TRAINING, *(f"{n:.2f}" for n in _ends(hours)), hours.source.value, hours.rests_on))
    return rows


def _ends(figure: Figure) -> tuple[float, float, float]:
    return figure.value, figure.low, figure.high


def _sources(found: Statement) -> str:
    """Return in one line which figures of the traffic were measured."""
    load = found.balance.workload
    named = {
        "requests": load.requests,
        "prompt tokens": load.input_tokens,
        "answer tokens": load.output_tokens,
    }
    parts = [
        f"{source.value}: {', '.join(told)}"
        for source in Source
        if (told := [f"{name} ({f.rests_on})" for name, f in named.items() if f.source is source])
    ]
    return f"Of the traffic, {'; '.join(parts)}."


def _reasons(reasons: Sequence[Standing]) -> Iterator[str]:
    for each in reasons:
        reason = each.reason
        told = f"{reason.kind.value}: {reason.says}"
        if each.holds is not None:
            measured = ", ".join(
                f"{metric} {_estimate(metric, estimate)}" for metric, estimate in each.measured
            )
            told += f" ({reason.bound}: {_STANDS[each.holds]}; {measured})"
        yield told


def _estimate(metric: str, found: Estimate) -> str:
    if found.value is None:
        return "not measured"
    low, high = ("?" if end is None else figures.value(metric, end) for end in (found.low, found.high))
    return figures.spread(figures.value(metric, found.value), low, high, found.n)


def _reason(each: Standing) -> dict[str, Any]:
    bound = each.reason.bound
    return {
        "kind": each.reason.kind.value,
        "says": each.reason.says,
        "bound": None if bound is None else str(bound),
        "holds": None if each.holds is None else each.holds.value,
        "measured": {metric: asdict(estimate) for metric, estimate in each.measured},
    }


def _compared(each: Comparison) -> dict[str, Any]:
    value: dict[str, Any] = {
        "scope": each.scope.value,
        "month": each.month,
        "year": each.year,
        "per_thousand": each.per_thousand,
        "saving_month": each.saving,
        "saving_year": each.saving_year,
    }
    for name, figure in (("break_even", each.break_even), ("payback_months", each.payback)):
        value |= {name: None, f"{name}_never": figure.reason} if isinstance(figure, Never) else {name: figure}
    return value


def _ranges(assumption: Assumption) -> str:
    low, high = assumption.low, assumption.high
    if assumption.expense is not None:
        return f"{dollars.short(low)} to {dollars.short(high)} {_PER[assumption.expense.per]}"
    if assumption.name == API:
        return f"{low - 1:+.0%} to {high - 1:+.0%}"
    digits = 2 if assumption.name == TRAINING else 0
    return f"{low:,.{digits}f} to {high:,.{digits}f}"
