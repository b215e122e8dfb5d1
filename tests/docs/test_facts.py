"""What the documents say of the code is so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import yaml

from runner.cli.main import COMMANDS
from runner.cli.repository import read_spec
from runner.cli.signals_rules import RUNBOOK
from runner.economics.diagnose import Question
from runner.economics.reasons import Reason
from runner.reconcile.state import StatePaths
from runner.report.alerts import rules
from runner.serving.gateway.config import GatewayConfig
from runner.simulation.bookshop.wordings import FRAMES, PERSONAL_FRAMES
from runner.spec.evaluation import Arbiter, SuiteKind
from runner.spec.training import Guards
from runner.training.guards import Guard
from tests.docs.documents import anchors, commands, documents, named
from tests.docs.scratch import ROOT


def text(name: str) -> str:
    return (ROOT / name).read_text()


def test_the_architecture_names_every_folder_of_the_product_and_no_other() -> None:
    said = set(re.findall(r"^\| `runner/(\w+)`", text("docs/architecture.md"), re.MULTILINE))
    there = {path.name for path in (ROOT / "runner").iterdir() if list(path.glob("*.py"))}
    assert said == there


def test_the_architecture_names_every_file_of_the_state_directory() -> None:
    paths = StatePaths(Path("/shop"), "production")
    names = [name for name, value in vars(StatePaths).items() if isinstance(value, property)]
    files = [getattr(paths, name).name for name in names if name != "directory"]
    table = text("docs/architecture.md").partition("## State directory")[2]
    assert [name for name in files if f"`{name}" not in table] == []


def test_the_invariants_are_told_in_full_and_in_order() -> None:
    listed = text("docs/concepts.md").partition("## What you can rely on")[2].partition("## From")[0]
    assert [int(number) for number in re.findall(r"^(\d+)\. ", listed, re.MULTILINE)] == list(range(1, 15))


def test_every_invariant_of_this_version_has_a_test_named_after_it() -> None:
    listed = text("docs/concepts.md").partition("## What you can rely on")[2].partition("## From")[0]
    promised = {number for number, star in re.findall(r"^(\d+)\. (\\\*)?", listed, re.MULTILINE) if not star}
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    tested = set(re.findall(r"def test_invariant_(\d+)_", tests))
    assert promised - tested == set()


def test_the_promise_about_a_power_failure_is_the_group_commit_of_the_gateway() -> None:
    milliseconds = GatewayConfig.commit_interval_s * 1000
    for name in ("docs/events.md", "docs/limits.md", "docs/adr/0001-event-segments.md"):
        assert set(re.findall(r"(\d+) ms", text(name))) == {f"{milliseconds:g}"}


def test_every_command_of_loop_that_a_document_names_exists() -> None:
    written = [command for path in documents() for command in commands(path.read_text())]
    written += [found for path in documents() for found in re.findall(r"`(loop [^`]+)`", path.read_text())]
    used = {words[1] for words in map(str.split, written) if words[0] == "loop"}
    assert {name for name in used if not name.startswith("-")} - set(COMMANDS) == set()


def test_the_readme_names_every_command_of_loop() -> None:
    table = text("README.md").partition("## Commands")[2].partition("##")[0]
    assert set(re.findall(r"`loop (\w+)`", table)) == set(COMMANDS)


def test_the_modules_that_the_architecture_explains_are_there() -> None:
    table = text("docs/architecture.md").partition("each a module:")[2].partition("##")[0]
    named_there = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert named_there and [n for n in named_there if not (ROOT / f"runner/reconcile/{n}.py").is_file()] == []


def test_what_on_call_explains_of_the_status_are_words_of_the_code() -> None:
    table = text("docs/guides/oncall.md").partition("| `loop status` says")[2].partition("##")[0]
    names = ("reconcile/actions", "reconcile/plan", "report/status", "rollout/explain")
    code = "\n".join(text(f"runner/{name}.py") for name in names)
    words = [each.partition(":")[0] for each in re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)]
    assert words and [each for each in words if each not in code] == []


def test_the_page_on_signals_tells_windows_and_thresholds_as_the_policy_has_them() -> None:
    policy = yaml.safe_load(text("policies/signals.yaml"))["signals"]
    declared = {
        name: (signal["window"], [f"{what}: `{when}`" for what, when in signal.get("thresholds", {}).items()])
        for name, signal in policy.items()
    }
    table = text("docs/signals.md").partition("## What is measured")[2].partition("##")[0]
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\w+) \| ([^|]*) \|$", table, re.MULTILINE)
    assert {name: (window, [s for s in leads.split("; ") if s]) for name, window, leads in rows} == declared


def test_the_page_on_training_explains_every_guard_and_its_limit() -> None:
    page = text("docs/training.md").partition("## The proof at step 0")[2].partition("## Interrupted")[0]
    first_cells = " ".join(re.findall(r"^\| ([^|]*) \|", page, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", first_cells)) == {guard.value for guard in Guard}
    told = dict(re.findall(r"`(max_\w+)` \(([\d.%]+)", first_cells))
    assert {name: number(limit) for name, limit in told.items()} == Guards().model_dump()


def number(written: str) -> float:
    return float(written[:-1]) / 100 if written.endswith("%") else float(written)


def test_the_page_on_evaluation_explains_every_kind_of_suite_and_who_decides() -> None:
    page = text("docs/evaluation.md")
    assert first_names(page, "## Suites") == {kind.value for kind in SuiteKind}
    assert first_names(page, "## Who prefers what") == {arbiter.value for arbiter in Arbiter}


def first_names(page: str, heading: str) -> set[str]:
    """The names in the first column of the tables under a heading, without the head."""
    part = page.partition(f"{heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*`) \|", part, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_the_page_on_cadence_tells_every_reason_question_and_phase() -> None:
    page = text("docs/cadence.md")
    listed = re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE)
    assert {reason.value for reason in Reason} - set(listed) == set()
    assert {question.value for question in Question} - set(listed) == set()
    wanted = dict(re.findall(r"^\| `(\w+)` \| [^|]* \| (\d+)", page, re.MULTILINE))
    phases = yaml.safe_load(text("policies/cadence.yaml"))["phases"]
    assert {name: str(phase["min_samples"]) for name, phase in phases.items()} == wanted


def test_on_call_explains_every_alert_about_the_monitor() -> None:
    named_there = set(re.findall(r"^\| `(Loop\w+)` \|", text("docs/guides/oncall.md"), re.MULTILINE))
    alone = {rule.name for rule in rules(read_spec(ROOT).policies.signals) if not rule.metric}
    assert named_there == alone
    where, _, anchor = RUNBOOK.partition("#")
    assert anchor in anchors(text(where))


def test_every_target_of_make_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    named_there = {
        (named(path), target)
        for path in documents()
        for target in re.findall(r"(?:`|\$ )make ([a-z-]+)", path.read_text())
    }
    assert {(where, target) for where, target in named_there if target not in targets} == set()


def test_the_limits_tell_the_figures_of_the_report_of_chat_v1_0() -> None:
    report = json.loads(text("models/reports/chat-v1.0.json"))
    regression, adversarial, ood = (report[name] for name in ("regression", "adversarial", "ood"))
    measured = [regression["right"], adversarial["right"], adversarial["trait"]["typo"], ood["right"]]
    measured += [ood["trait"]["new_wording"], ood["trait"]["out_of_scope"], *regression["language"].values()]
    told = text("docs/limits.md").partition("## Of the small world")[2].partition("- The regression")[0]
    assert re.findall(r"[\d.]+%", told) == [f"{share:.1%}" for share in measured]


def test_how_near_regression_is_to_training_is_told_as_it_is() -> None:
    trained, held_out = (
        {json.loads(line)["question"]: None for line in text(f"datasets/bookshop/{name}.jsonl").splitlines()}
        for name in ("train_sft", "regression")
    )
    polite = [frame for frames in FRAMES.values() for frame in frames]
    personal = [frame for frames in PERSONAL_FRAMES.values() for frame in frames]
    near = [shared(held_out, trained, frames) for frames in ([], polite, [*polite, *personal])]
    told = " ".join(text("docs/limits.md").partition("- The regression")[2].split())
    assert near[0] == 0
    assert f"None of the {len(held_out)} stands there word for word, but {near[1]} do" in told
    assert f"and {near[2]} once what callers say of themselves is, too" in told
    assert f"{near[1]} of the {len(held_out)}" in text("datasets/bookshop-regression.yaml")


def shared(asked: Iterable[str], trained: Iterable[str], frames: list[str]) -> int:
    """How many questions were trained, once the frames around them are taken off on both sides."""
    patterns = [pattern_of(frame) for frame in frames if frame != "{q}"]
    known = {bare(question, patterns) for question in trained}
    return sum(bare(question, patterns) in known for question in asked)


def pattern_of(frame: str) -> re.Pattern[str]:
    values = re.sub(r"\\{(?!q\\})\w+\\}", ".+?", re.escape(frame))
    return re.compile(values.replace(r"\{q\}", "(.+)"))


def bare(question: str, patterns: list[re.Pattern[str]]) -> str:
    found = next(filter(None, (pattern.fullmatch(question) for pattern in patterns)), None)
    return bare(found[1], patterns) if found else question
