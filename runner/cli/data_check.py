"""`loop data check`: every data set against what its file expects, by Great Expectations."""

from __future__ import annotations

import json
import time
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.pages import demand_target, write_page
from runner.cli.repository import find_root, json_option, read_spec
from runner.errors import terminal

if TYPE_CHECKING:
    from runner.feedback.expectations.checked import Checked
    from runner.spec.dataset import DatasetFile

EXAMPLES = """\b
Examples:
  loop data check                        every data set that is here; exit code 2 where one fails
  loop data check bookshop-preferences   one of them
  loop data check --html checks.html     the same as a page to read
"""


@click.command(epilog=EXAMPLES)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the result as a page to this file."
)
@click.option("--open", "show", is_flag=True, help="Open that page in a browser.")
@json_option
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], html: Path | None, show: bool, as_json: bool) -> int:
    """Check data sets. What was found is kept, and `loop plan` tells it until the data or the expectations change.

    Exit codes: 0 all that is here passed, 1 error, 2 an expectation is not met.
    """
    from runner.report import expectations as report

    if show and html is None:
        raise click.UsageError("--open shows the page of --html FILE", ctx)
    demand_target(ctx, html)
    root = find_root(ctx)
    chosen = _chosen(read_spec(root).datasets, names)
    checked, absent = check(root, chosen)
    if names and absent:
        name, why = absent[0]
        raise terminal(f"data set '{name}' is not here", why, fix="name one that is, or make it first")
    if html is not None:
        write_page(html, report.to_page(checked, absent))
        if show:
            webbrowser.open(html.absolute().as_uri())
    if as_json:
        click.echo(json.dumps(report.to_json(checked, absent), indent=2, ensure_ascii=False))
    else:
        click.echo(report.to_text(checked, absent))
    return 0 if all(each.passed for each in checked) else 2


def check(
    root: Path, datasets: Sequence[DatasetFile]
) -> tuple[tuple[Checked, ...], tuple[tuple[str, str], ...]]:
    """Check data sets and keep what was found; return it, and the names of those that are not here with the reason.

    Raises TerminalError where a file cannot be read.
    """
    from runner.feedback.expectations.checked import keep
    from runner.feedback.expectations.validate import validate

    checked: list[Checked] = []
    absent: list[tuple[str, str]] = []
    for dataset in datasets:
        if not (root / dataset.path).is_file():
            why = "none was made yet" if dataset.hash is None else f"`dvc pull {dataset.path}` fetches it"
            absent.append((dataset.name, why))
            continue
        found = validate(root, dataset, time.time())
        keep(root, found)
        checked.append(found)
    return tuple(checked), tuple(absent)


def _chosen(datasets: Mapping[str, DatasetFile], names: Sequence[str]) -> list[DatasetFile]:
    if unknown := [name for name in names if name not in datasets]:
        raise terminal(f"there is no data set '{unknown[0]}'", f"known: {', '.join(sorted(datasets))}")
    return [datasets[name] for name in names or sorted(datasets)]
