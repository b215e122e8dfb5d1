"""`loop signals rules` and `loop signals dashboard`: printed, written, and found outdated when the policy changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.workbench import CHECKOUT, Bench, call, refused
from tests.report.prometheus import needs_prometheus, promtool

BOTH = pytest.mark.parametrize("name", ["rules", "dashboard"])


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("generated") / "repo")


def test_rules_are_printed_as_yaml_and_the_dashboard_as_json(bench: Bench) -> None:
    rules, dashboard = bench.loop("signals", "rules"), bench.loop("signals", "dashboard")
    assert (rules.code, dashboard.code) == (0, 0)
    assert yaml.safe_load(rules.out)["groups"]
    assert json.loads(dashboard.out)["panels"]


@BOTH
def test_what_was_written_is_what_is_printed_and_fresh(bench: Bench, name: str, tmp_path: Path) -> None:
    path = tmp_path / "deep" / name
    assert bench.loop("signals", name, "--write", str(path)).out == f"wrote {path}\n"
    assert path.read_text() == bench.loop("signals", name).out
    assert bench.loop("signals", name, "--check", str(path)).out == f"fresh: {path}\n"
    assert bench.loop("signals", name, "--write", str(path)).out == "", "it was there already"


@BOTH
def test_a_file_that_the_policy_no_longer_makes_is_refused_with_its_line(
    bench: Bench, name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    bench.loop("signals", name, "--write", str(path))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:4], "changed\n", *lines[5:]]))
    refused(
        bench.loop("signals", name, "--check", str(path)), f"{path}:5", f"loop signals {name} --write {path}"
    )
    path.unlink()
    refused(bench.loop("signals", name, "--check", str(path)), str(path), "no such file")


@BOTH
def test_a_place_that_cannot_be_written_is_told_without_a_traceback(
    bench: Bench, name: str, tmp_path: Path
) -> None:
    refused(bench.loop("signals", name, "--write", str(tmp_path)), str(tmp_path))


@BOTH
def test_writing_and_checking_at_once_is_a_wrong_command_line(name: str) -> None:
    refused(call("--root", str(CHECKOUT), "signals", name, "--write", "a", "--check", "b"), "--write")


@needs_prometheus
def test_promtool_takes_the_written_file(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    bench.loop("signals", "rules", "--write", str(path), "--runbook", "https://wiki.example/oncall")
    assert "SUCCESS" in promtool("check", "rules", str(path))
    assert "https://wiki.example/oncall" in path.read_text()


@BOTH
def test_help_needs_neither_policies_nor_prometheus(name: str) -> None:
    code = (
        f"import sys; from runner.cli import signals_{name}; "
        "print([m for m in ('yaml', 'pydantic', 'prometheus_client', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
