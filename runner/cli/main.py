"""The entry point: the list of commands, the options they share, and how every error ends.

Exit codes: 0 done or in sync, 1 error (a wrong command line too), 2 changes are pending, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from runner.cli.commands import Commands
from runner.errors import LoopError

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("Begin", "make a new repository for one's own model"),
    "doctor": ("Begin", "say what the machine and the repository lack, and what to do"),
    "validate": ("Look", "check every file of the desired state"),
    "plan": ("Look", "show what would change, and why"),
    "status": ("Look", "show what runs now, and how it does"),
    "explain": ("Look", "say why the rollout advances, holds or went back"),
    "experiments": ("Look", "show which version is better for which users"),
    "shadow": ("Look", "compare a shadowed version's answers with what users got"),
    "log": ("Look", "show what was done, from the journal"),
    "signals": ("Look", "measure what users and the model do, against policies/signals.yaml"),
    "drift": ("Look", "compare what is asked with what training saw, week by week"),
    "cost": ("Look", "what serving costs and saves against an API, and how sure that is"),
    "report": ("Look", "tell a week in one document, with plots"),
    "checklist": ("Look", "what a deployment has to have, each point held against evidence"),
    "arena": ("Look", "what votes say of versions: strengths, win rates, biases"),
    "labels": ("Look", "how far reviewers agree, and what still waits for one"),
    "models": ("Look", "versions: lineage, figures, where each serves, what sets two apart"),
    "decide": ("Look", "say whether to train a new version now, with every reason"),
    "calendar": ("Look", "the month, the quarter and the rounds of training as dates"),
    "diagnose": ("Look", "say why training does not make the model better"),
    "up": ("Run", "engine, gateway and reconciler together, on this machine"),
    "run": ("Run", "the reconciler alone, for an engine and gateway that run elsewhere"),
    "monitor": ("Run", "measure all the time; a page for people, metrics for Prometheus"),
    "console": ("Run", "pages on which people compare, try and judge answers"),
    "down": ("Run", "stop what a killed runner left serving"),
    "rollback": ("Run", "take the candidate off users at once, and have Git say so"),
    "lift": ("Run", "let a version that was rolled back go on trial again, by a commit"),
    "wake": ("Run", "have the runner look for a newer revision now"),
    "apply": ("Run", "bring the live system to the desired state once"),
    "data": ("Learn", "from the event log to checked data sets, with lineage"),
    "train": ("Learn", "train a version by a recipe; goes on where an interrupted run stopped"),
    "evaluate": ("Learn", "put a served version through the suites, and hold it to the gates"),
    "judge": ("Learn", "whether the judge says what people say, before it may decide a gate"),
    "promote": ("Learn", "open the pull request that takes a version one step further"),
    "mask": ("Learn", "show what masking finds in a text"),
    "forget": ("Learn", "delete what one user said, or what is older than the policy keeps"),
    "backtest": ("Try", "replay logged rollouts under another policy"),
    "replay": ("Try", "play a recorded traffic trace through the gateway"),
    "schema": ("Write", "JSON Schemas for editors, and the reference of every field"),
    "completion": ("Write", "a completion script for bash, zsh or fish"),
}
EXAMPLES = """\b
Examples:
  loop validate                  check the files before a commit
  loop up                        start everything; Ctrl-C stops it again
  loop plan                      exit code 2: something would change
  loop plan --against main       what a branch would change, without a live system
  loop status --watch            follow arms, requests, errors and latency
"""


def version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: ARG001
    """Print the installed version and end."""
    if value:
        from importlib.metadata import version as installed

        click.echo(f"loop {installed('loop-runner')}")
        ctx.exit()


@click.group(
    cls=Commands, table=COMMANDS, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="LOOP_ROOT",
    help="Repository to work on; by default the nearest folder upwards that holds loop.yaml.",
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=version, help="Print the version."
)
@click.pass_context
def loop(ctx: click.Context, root: Path | None) -> None:
    """Loop keeps post-trained models in production as Git says: adapters, rollouts, signals, retraining."""
    ctx.obj = root


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code and prints every error in the project's one form."""
    try:
        code = loop.main(args=arguments, prog_name="loop", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        return _usage(error)
    except LoopError as error:
        click.echo(error, err=True)
        click.echo(f"  {error.changed}", err=True)
        return 1
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`loop log | head`); what is left unwritten is nobody's loss.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ModuleNotFoundError, OSError) as error:
        return _lacking(error) if isinstance(error, ModuleNotFoundError) else _refused_by_system(error)


def _lacking(error: ModuleNotFoundError) -> int:
    """Tell which package is not there; a module of our own that is missing is a fault of ours, and is raised."""
    package = (error.name or "").partition(".")[0]
    if not package or package == "runner":
        raise error
    click.echo(f"error: this needs '{package}', which is not installed here", err=True)
    click.echo("  fix: `make setup` installs every group; requirements/*.in name what each is for", err=True)
    return 1


def _refused_by_system(error: OSError) -> int:
    """Tell what the operating system refused: a file that cannot be read, a folder that cannot be written."""
    from runner.cli.repository import in_words

    place = f"{error.filename}: " if error.filename else ""
    click.echo(f"error: {place}{in_words(error)}", err=True)
    if error.filename:
        click.echo("  fix: look at its type and permissions, and at the space that is left", err=True)
    return 1


def _usage(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message())
        return 1
    click.echo(f"error: {error.format_message()}", err=True)
    context = getattr(error, "ctx", None)
    if context is not None:
        click.echo(f"  fix: see `{context.command_path} --help`", err=True)
    return 1


def entry() -> None:
    """The console script."""
    sys.exit(main())


if __name__ == "__main__":
    entry()
