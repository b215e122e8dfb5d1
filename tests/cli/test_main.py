"""The shape of the command line: help, mistakes, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from runner.cli.commands import Commands
from runner.cli.main import COMMANDS, loop
from tests.cli.workbench import CHECKOUT, Bench
from tests.waiting import PATIENCE_S

HEAVY = ("pydantic", "yaml", "torch", "aiohttp", "duckdb", "ibis", "pyarrow", "numpy", "scipy", "uvicorn")


def call(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "runner.cli.main", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=PATIENCE_S,
        env={**os.environ, **environment},
        check=False,
    )


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    code = f"""
import sys
from runner.cli.main import main
assert main(["--help"]) == 0
print([name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    assert done.stdout.rstrip().endswith("[]"), done.stdout[-200:]
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


def test_validate_computes_nothing_and_so_loads_no_numpy(tmp_path: Path) -> None:
    """What continuous integration and editors call often starts in a fraction of a second."""
    bench = Bench(tmp_path / "repo")
    code = f"""
import sys
from runner.cli.main import main
assert main(["--root", {str(bench.root)!r}, "validate"]) == 0
print([name for name in ("numpy", "scipy", "torch", "aiohttp", "duckdb", "pyarrow") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    assert done.stdout.rstrip().endswith("[]"), done.stdout[-200:]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(name: str) -> None:
    group = loop
    assert isinstance(group, Commands)
    command = group.get_command(click.Context(group), name)
    assert command is not None
    text = command.get_help(click.Context(command, info_name=f"loop {name}"))
    assert "Examples:" in text
    assert command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plann"], "there is no command 'plann'; did you mean 'plan'?"),
        (["zzz"], "known: init, doctor, validate"),
        (["validate", "--jsom"], "did you mean"),
        (["plan", "-e"], "requires an argument"),
    ],
)
def test_a_wrong_command_line_is_an_error_with_a_way_out_and_never_means_changes_pending(
    arguments: list[str], message: str
) -> None:
    done = call(*arguments)
    assert done.returncode == 1
    assert message.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_outside_a_repository_every_looking_command_says_where_it_looked(tmp_path: Path) -> None:
    for name in ("validate", "plan", "status", "log"):
        done = call(name, cwd=tmp_path)
        assert done.returncode == 1, name
        assert "there is no loop.yaml here" in done.stderr
        assert str(tmp_path) in done.stderr
        assert "nothing was changed" in done.stderr


def test_without_a_command_it_shows_what_there_is_and_is_no_success() -> None:
    done = call()
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("Usage: loop ") and "loop up" in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_each_shell(shell: str) -> None:
    done = call("completion", shell)
    assert done.returncode == 0
    assert "_LOOP_COMPLETE" in done.stdout


def test_completion_completes_commands() -> None:
    done = call(_LOOP_COMPLETE="bash_complete", COMP_WORDS="loop val", COMP_CWORD="1")
    assert "validate" in done.stdout


def test_a_reader_that_goes_away_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m runner.cli.main --help | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Traceback" not in done.stderr


def test_a_package_that_is_not_installed_is_told_with_the_command_that_installs_it(tmp_path: Path) -> None:
    absent = "raise ModuleNotFoundError(\"No module named 'presidio_analyzer'\", name='presidio_analyzer')"
    (tmp_path / "presidio_analyzer.py").write_text(absent)
    (tmp_path / "text.txt").write_text("call 555-0100")
    done = call("mask", str(tmp_path / "text.txt"), cwd=CHECKOUT, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "this needs 'presidio_analyzer', which is not installed here" in done.stderr
    assert "make setup" in done.stderr and "Traceback" not in done.stderr
