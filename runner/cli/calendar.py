"""`loop calendar`: the month and the quarter of this repository as dates, for people and calendar programs."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.learning import moment
from runner.cli.pages import demand_target
from runner.cli.repository import find_root, json_option, read_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.economics.agenda import Agenda, Closed, Trained
    from runner.spec.load import Spec

MOST_MONTHS = 24
MONTHS = 3
STDOUT = "-"
EXAMPLES = """\b
Examples:
  loop calendar                          the month, the quarter, what is on and what is next
  loop calendar --zone Asia/Seoul        days that begin in Seoul
  loop calendar --mermaid                a Gantt chart for Markdown
  loop calendar --ics loop.ics           for calendar programs; made again, it updates their events
  loop calendar --rounds 6 --json        half a year, for programs
"""


def zone_of(ctx: click.Context, parameter: click.Parameter, value: str) -> tzinfo:  # noqa: ARG001
    """Return the time zone of an option. Raises click.BadParameter for a name that is none."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return UTC if value == "UTC" else ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise click.BadParameter(f"'{value}' is no time zone: say an IANA name such as Asia/Seoul") from error


@click.command(epilog=EXAMPLES)
@click.option(
    "--rounds",
    "months",
    type=click.IntRange(1, MOST_MONTHS),
    default=MONTHS,
    show_default=True,
    help="How many rounds of the month, and the quarters they touch.",
)
@click.option(
    "--zone", callback=zone_of, metavar="IANA", default="UTC", show_default=True, help="Whose days these are."
)
@click.option("--at", callback=moment, metavar="TIME", help="A moment instead of now; UTC without a zone.")
@click.option("--mermaid", is_flag=True, help="Print a Mermaid Gantt chart.")
@click.option(
    "--ics",
    is_flag=False,
    flag_value=STDOUT,
    metavar="[FILE]",
    help="Write iCalendar, to a file if one is named.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    months: int,
    zone: tzinfo,
    at: float | None,
    mermaid: bool,
    ics: str | None,
    as_json: bool,
) -> None:
    """Show the monthly cycle, the quarter and the rounds of training as dates. Nothing is changed."""
    from runner.cli.pages import write_page
    from runner.report import calendar, gantt, icalendar

    if sum((mermaid, ics is not None, as_json)) > 1:
        raise click.UsageError("say one of --mermaid, --ics and --json", ctx)
    file = Path(ics) if ics not in (None, STDOUT) else None
    demand_target(ctx, file)
    root = find_root(ctx)
    spec = read_spec(root)
    name = spec.loop.name
    found = agenda_of(spec, time.time() if at is None else at, months, zone)
    if as_json:
        click.echo(json.dumps(calendar.to_json(found), indent=2, ensure_ascii=False))
    elif mermaid:
        click.echo(gantt.to_mermaid(found, name))
    elif file is not None:
        write_page(file, icalendar.to_ics(found, name))
    elif ics is not None:
        click.echo(icalendar.to_ics(found, name), nl=False)
    else:
        click.echo(calendar.to_text(found, name))


def agenda_of(spec: Spec, at: float, months: int = MONTHS, zone: tzinfo = UTC) -> Agenda:
    """Return the calendar at `at`, seconds since 1970. Raises TerminalError for a freeze window nobody can read."""
    from runner.economics.agenda import agenda

    found = agenda(spec.policies.cadence, at, months, tuple(_trained(spec)), zone)
    return replace(found, closed=tuple(sorted(_closed(spec, found, zone), key=lambda each: each.begins)))


def _trained(spec: Spec) -> Iterator[Trained]:
    from runner.economics.agenda import Trained

    for model in spec.models.values():
        yield Trained(model.name, model.type, model.training.date, model.parent is not None)


def _closed(spec: Spec, agenda: Agenda, zone: tzinfo) -> Iterator[Closed]:
    from runner.economics.agenda import Closed
    from runner.economics.rounds import begin
    from runner.reconcile.freeze import spans

    since, until = begin(agenda.begins, zone), begin(agenda.ends, zone)
    for name, environment in spec.loop.environments.items():
        for window, begins, ends in spans(environment, since, until):
            first, last = (datetime.fromtimestamp(each, zone) for each in (begins, ends))
            yield Closed(name, first, last, window.reason)
