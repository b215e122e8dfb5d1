"""`loop replay`: a recorded arrival trace with real questions, played by many users through the gateway."""

from __future__ import annotations

import json
import math
import os
import sys
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.repository import (
    environment_option,
    find_root,
    in_words,
    json_option,
    pick_environment,
    read_spec,
)
from runner.errors import terminal, transient

if TYPE_CHECKING:
    from runner.simulation.replay.plan import ReplayPlan
    from runner.simulation.replay.result import Progress

EXAMPLES = """\b
Examples:
  loop replay --limit 2000 --rate 20                    Azure's conversation trace, BANKING77's questions
  loop replay --trace mooncake-conversation --speed 10   ten times as fast as recorded
  loop replay --questions bookshop --users 50 --json     questions of the bookshop; figures as JSON
  loop replay --questions bookshop --rate 20 --duration 600 --feedback 0.3
                                                         ten minutes; three users in ten say how they like it

Exit codes: 0 every request answered and logged exactly once, and all feedback taken, 1 otherwise.
"""
NOTE_SECONDS = 10
REACH_SECONDS = 10.0
TRACES = "azure-conv, azure-code, mooncake-conversation, mooncake-synthetic, or a path"


@click.command(epilog=EXAMPLES)
@environment_option
@click.option("--trace", default="azure-conv", show_default=True, help=f"Arrivals: {TRACES}.")
@click.option(
    "--questions", default="banking77", show_default=True, help="Questions: banking77, clinc150, bookshop."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="LOOP_REAL_DATA",
    default=Path("../shared/data"),
    show_default=True,
    help="Folder that holds traces and questions.",
)
@click.option("--limit", type=int, help="Only the first so many arrivals.")
@click.option("--duration", type=float, help="Repeat the arrivals for so many seconds; once where not said.")
@click.option(
    "--speed", type=float, help="So many times as fast as recorded; 1 where neither this nor --rate is said."
)
@click.option("--rate", type=float, help="Stretch or squeeze the trace to this mean of requests per second.")
@click.option(
    "--users", default=200, show_default=True, help="How many users share the requests; few ask much."
)
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same schedule.")
@click.option(
    "--stream-share", default=0.5, show_default=True, help="Share of requests that ask for a stream."
)
@click.option(
    "--feedback",
    default=0.0,
    show_default=True,
    help="Share of answers that their users judge; questions of the bookshop only.",
)
@click.option("--max-tokens", default=64, show_default=True, help="Longest answer; the trace may say less.")
@click.option("--in-flight", type=int, help="The most requests at once; more wait, which is reported.")
@click.option("--url", help="Another gateway than the environment's.")
@click.option("--key-env", metavar="VARIABLE", help="Environment variable that holds the API key.")
@json_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Play traffic through the gateway and count on both sides: what was answered, and what the log has."""
    from runner.report import replay as report
    from runner.simulation.replay import play

    plan = _plan(ctx, options)
    _reach(plan.target.url)
    watched = sys.stderr.isatty()
    result = play.run(plan, _show if watched else _note)
    if watched:
        click.echo(err=True)
    click.echo(json.dumps(report.to_json(result), indent=2) if options["as_json"] else report.to_text(result))
    return 0 if result.as_planned else 1


def _plan(ctx: click.Context, options: dict[str, Any]) -> ReplayPlan:
    from runner.reconcile.state import StatePaths
    from runner.simulation.replay import plan

    if options["speed"] is not None and options["rate"] is not None:
        raise click.UsageError("say --speed or --rate, not both", ctx)
    root, environment = find_root(ctx), options["environment"]
    gateway = pick_environment(read_spec(root), environment).gateway
    data = options["data"] if options["data"].is_absolute() else root / options["data"]
    target = plan.Target(
        url=options["url"] or f"http://{gateway.listen}",
        model=gateway.alias,
        api_key=_key(options["key_env"]),
        # Another gateway writes its log somewhere that cannot be known from here.
        events=None if options["url"] else StatePaths(root, environment).events,
        in_flight=options["in_flight"],
    )
    speed = 1.0 if options["speed"] is None else options["speed"]
    made = plan.ReplayPlan(
        plan.Material(options["trace"], options["questions"], data, options["limit"], options["duration"]),
        plan.Speed(speed) if options["rate"] is None else plan.Rate(options["rate"]),
        plan.Crowd(
            options["users"],
            options["seed"],
            options["stream_share"],
            options["max_tokens"],
            options["feedback"],
        ),
        target,
    )
    plan.check(made)
    return made


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    if not os.environ.get(variable):
        raise terminal(f"the API key is missing: {variable} is not set", fix=f"export {variable}")
    return os.environ[variable]


def _reach(url: str) -> None:
    """Return where anything answers at `url`. Raises TransientError, so that nobody replays an hour of refusals."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/healthz", timeout=REACH_SECONDS):
            return
    except urllib.error.HTTPError as answered:
        answered.close()
    except (OSError, ValueError, HTTPException) as error:
        why = getattr(error, "reason", error)  # urllib wraps what the system said
        said = in_words(why) if isinstance(why, Exception) else str(why)
        raise transient(f"no gateway answers at {url}", said, fix="start it: `loop up`") from error


def _show(progress: Progress) -> None:
    """Overwrite one line of a terminal."""
    from runner.report import replay as report

    click.echo(f"\r\x1b[2K{report.progress_line(progress)}", nl=False, err=True)


def _note(progress: Progress) -> None:
    """Write a line now and then, for logs."""
    from runner.report import replay as report

    if math.floor(progress.elapsed_s) % NOTE_SECONDS == 0:
        click.echo(report.progress_line(progress), err=True)
