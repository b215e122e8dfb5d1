"""`loop judge calibrate`: whether the judge says what people say, before it may decide a gate."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.repository import find_root, json_option, pick_environment, read_spec
from runner.errors import terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.evaluation.preference.calibration import Calibration
    from runner.spec.evaluation import AnyJudge

EXAMPLES = """\b
Examples:
  loop judge calibrate           on at most so many pairs as policies/evaluation.yaml says
  loop judge calibrate --json    for programs

`loop evaluate` calibrates by itself what was not calibrated before, and keeps it below .loop/evaluation/. This command
asks anew: a model may have changed behind its address.
Exit codes: 0 the judge may decide gates, 2 it may not, or too little is known, 1 error, 130 interrupted.
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "-e",
    "--environment",
    default="staging",
    show_default=True,
    envvar="LOOP_ENVIRONMENT",
    help="Environment of loop.yaml whose evaluations it is kept for.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, as_json: bool) -> None:
    """Put the judge to pairs that people voted on, in both orders, and say how far it agrees with them."""
    from runner.cli.deployment import stopwatch
    from runner.evaluation.preference import calibration
    from runner.report import calibration as report
    from runner.spec.model import GateVerdict

    root = find_root(ctx)
    spec = read_spec(root)
    pick_environment(spec, environment)
    judge = spec.policies.evaluation.judge
    if judge is None:
        raise terminal(
            "there is no judge to calibrate",
            "policies/evaluation.yaml names none",
            fix="add 'judge: ...' to policies/evaluation.yaml",
        )
    tell = stopwatch()
    data = root / spec.datasets[judge.calibration].path
    found, name = asyncio.run(_calibrated(judge, data, lambda done, of: tell(f"{done} of {of} pairs")))
    calibration.keep(calibration.folder(root, environment), name, found)
    value = found.to_json()
    click.echo(json.dumps(value, indent=2, ensure_ascii=False) if as_json else report.to_text(value))
    ctx.exit(0 if found.verdict is GateVerdict.PASS else 2)


async def _calibrated(
    judge: AnyJudge, data: Path, told: Callable[[int, int], None]
) -> tuple[Calibration, str]:
    """Return what came of it, and the name under which it is kept. Raises LoopError."""
    import aiohttp

    from runner.evaluation.preference.calibration import calibrate, key, load
    from runner.evaluation.preference.connect import judge_client
    from runner.evaluation.preference.judge import PreferenceJudge

    examples, digest = load(data, judge.pairs)
    async with aiohttp.ClientSession() as session, judge_client(judge, session) as client:
        found = await calibrate(PreferenceJudge(client, judge.repeats), judge, examples, told)
    return found, key(judge, digest)
