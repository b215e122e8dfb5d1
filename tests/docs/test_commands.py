"""Every shell command in the documents works: it is run here, or in the place that this file names.

Those of `examples/` are run by `tests/examples`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.docs.documents import commands, documents, named
from tests.docs.prepared import PREPARED
from tests.docs.scratch import ROOT, Clone

# Patterns of whole commands that need nothing but the clone and change nothing outside it: they are run here.
HERE = (
    r"loop (--help|validate|plan|status|explain|experiments|shadow|log|schema|checklist|calendar)\b.*",
    r"loop (signals|signals (rules|dashboard) .*|signals sample --dry-run|drift|report .*)",
    r"loop (arena standings|data progress|labels|cost)\b.*",
    r"loop (decide|models|models compare .*)",
    r"loop (backtest --against main|data check)\b.*",
    r"git (switch|commit|revert|log|push|fetch|diff|reset|merge)\b.*",
    r"sed -i .* (loop|policies/\w+)\.yaml",
)
# What builds the environment or needs a running deployment is run elsewhere: in the file that has the text.
ELSEWHERE = {
    r"make (setup|test|lint|check)": (".ci/run", "make test"),
    r"make (docs|format)": ("Makefile", "lint: setup"),
    r"make demo.*": ("Makefile", "-m runner.demo $(DEMO)"),
    r"cd /tmp/quarter/desk && export PATH=.*": ("runner/demo/__main__.py", "cd {desk} && export PATH="),
    r"loop evaluate chat-v1\.1 --environment .*": (
        "runner/demo/story.py",
        '"evaluate", name, "--environment"',
    ),
    r"loop promote chat-v1\.1 --to production": (
        "runner/demo/story.py",
        '"promote", name, "--to", ENVIRONMENT',
    ),
    r"make up": ("tests/system/test_up.py", '"up", "--ask"'),
    r"curl -s http://127\.0\.0\.1:8080/v1/.*": ("tests/system/scratch.py", "/v1/chat/completions"),
    r"loop rollback\b.*": ("tests/cli/test_rollback.py", '"rollback", "--reason", '),
    r"loop signals fit refusal labels\.jsonl": (
        "tests/signals/refusal/test_fit_command.py",
        '["refusal", str(written(tmp_path))',
    ),
    r"loop (arena simulate|data collect)\b.*": ("tests/system/test_up.py", '"arena", "simulate", "--'),
    r"loop data (curate|lineage PAIR)": ("tests/system/test_up.py", 'loop("data", "curate"'),
    r"loop train dpo": ("tests/cli/test_train.py", 'house.loop("train", "dpo")'),
    r"loop evaluate chat-v1\.1": (
        "tests/evaluation/test_evaluate_engine.py",
        'bench.loop("evaluate", "chat-v1.1"',
    ),
    r"loop judge calibrate": ("tests/cli/test_judge.py", 'bench.loop("judge", "calibrate")'),
    r"loop diagnose": ("tests/cli/test_diagnose.py", 'made.loop("diagnose")'),
    r"loop promote chat-v1\.1 --to staging --dry-run": (
        "tests/cli/test_promote.py",
        'shop.loop("promote", NEW, "--to", "staging", "--dry-run")',
    ),
    r"echo .* \| loop mask": ("tests/feedback/test_privacy_mask.py", 'bench.loop("mask")'),
    r"loop forget\b.*": ("tests/cli/test_forget.py", '"forget", *arguments'),
    r"dvc (repro snapshot|push)": ("runner/data/pipeline.py", '"repro", "--single-item", stage'),
    r"loop init shop .*": ("tests/cli/test_init.py", 'call("init", str(target), "--name", name'),
    r"loop doctor": ("tests/cli/test_doctor.py", '"doctor")'),
    r"loop up --ask .*": ("tests/system/test_up.py", '"up", "--ask"'),
    r"loop train sft": ("tests/training/test_runs.py", 'lab.order("sft"'),
    r"cd shop": ("tests/cli/test_doctor.py", '"--root", str(shop)'),
    r"loop lift\b.*": ("tests/cli/test_lift.py", '"lift", "chat-v1.1", "--reason", '),
    r"loop data propose": ("tests/cli/test_data_propose.py", '"data", "propose", *options'),
    r"\.venv/bin/python -m pytest tests/git": ("Makefile", "-m pytest"),
}
# Commands that answer with another exit code than 0 where nothing is wrong.
STATUSES = {r"loop (plan|status|decide|checklist)\b.*": {0, 2}}

TOLD_BY_TESTS = ROOT / "examples"
"""Pages that are run as a whole, each by a test of its own in `tests/examples`."""
DOCUMENTS = [
    path for path in documents() if commands(path.read_text()) and not path.is_relative_to(TOLD_BY_TESTS)
]


def is_any(command: str, patterns: Iterable[str]) -> bool:
    return any(re.fullmatch(pattern, command) for pattern in patterns)


def allowed(command: str) -> set[int]:
    return next((found for pattern, found in STATUSES.items() if re.fullmatch(pattern, command)), {0})


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The clone that every document gets a copy of."""
    return Clone(tmp_path_factory.mktemp("fresh") / "clone")


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_command_in_a_document_works(document: Path, fresh: Clone, tmp_path: Path) -> None:
    written = commands(document.read_text())
    assert [c for c in written if not is_any(c, (*HERE, *ELSEWHERE))] == [], "neither run here nor elsewhere"
    here = [command for command in written if is_any(command, HERE)]
    clone = Clone(tmp_path / "clone", like=fresh) if here else None
    if clone is not None and named(document) in PREPARED:
        PREPARED[named(document)](clone)
    for command in here:
        assert clone is not None
        done = clone.run(command)
        assert done.returncode in allowed(command), f"$ {command}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("pattern", ELSEWHERE)
def test_what_is_run_elsewhere_is_named_by_a_document_and_shown_to_be_run_there(pattern: str) -> None:
    file, text = ELSEWHERE[pattern]
    assert text in (ROOT / file).read_text()
    written = [command for path in documents() for command in commands(path.read_text())]
    assert any(is_any(command, [pattern]) for command in written)


def test_every_example_is_run_by_a_test_of_its_own() -> None:
    names = {path.parent.name for path in documents() if path.is_relative_to(TOLD_BY_TESTS)}
    tests = {path.stem: path.read_text() for path in (ROOT / "tests/examples").glob("test_*.py")}
    assert names
    for name in names:
        assert f'follow("{name}"' in tests[f"test_{name.replace('-', '_')}"]
