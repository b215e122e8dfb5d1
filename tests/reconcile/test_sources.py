"""From files to what an environment should be: the commit decides, and names become bytes, weights and limits."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runner.errors import TerminalError
from runner.git import messages
from runner.git.changes import conclude
from runner.git.repository import Repository as GitRepository
from runner.reconcile.desired import Role
from runner.reconcile.distil import Background, Declared, distil
from runner.reconcile.freeze import Window
from runner.reconcile.observed import BASELINE
from runner.reconcile.source import CommitSource, WorkingTreeSource, measured_in
from tests.spec.repository import DIGESTS, Repository

ENVIRONMENT = ("loop.yaml", "environments", "production")


def of(files: Repository, name: str = "production") -> Declared:
    loaded = files.load()
    assert loaded.spec is not None, loaded.diagnostics
    return distil(loaded.spec, name, "r1")


def on_trial(stage: str = "canary") -> Repository:
    """Return the shipped spec with chat-v1.1, a child of chat-v1.0, on trial."""
    files = Repository()
    files.set("models/chat-v1.1.yaml", "parent", to="chat-v1.0")
    files.set(*ENVIRONMENT, "rollout", to={"candidate": "chat-v1.1", "stage": stage})
    return files


def test_versions_become_bytes_in_the_order_of_their_roles() -> None:
    desired = of(on_trial()).desired
    assert [(a.role, a.version.name, a.version.digest) for a in desired.adapters] == [
        (Role.BASELINE, "chat-v1.0", DIGESTS["chat-v1.0"]),
        (Role.CANDIDATE, "chat-v1.1", DIGESTS["chat-v1.1"]),
    ]
    assert desired.adapters[0].source == "models/chat-v1.0"
    assert desired.ancestors["chat-v1.1"] == {"chat-v1.0"}


def test_a_version_in_two_roles_is_wanted_once_in_the_first_of_them() -> None:
    files = on_trial()
    files.set(*ENVIRONMENT, "shadow", to={"version": "chat-v1.1"})
    assert [a.role for a in of(files).desired.adapters] == [Role.BASELINE, Role.CANDIDATE]


def test_the_stage_gives_the_weight() -> None:
    files = on_trial()
    spec = files.load().spec
    assert spec is not None
    for stage in spec.policies.rollout.stages:
        trial = of(on_trial(stage.name)).desired.trial
        assert trial is not None
        assert trial.weight == min(stage.traffic, 1.0 - spec.policies.rollout.holdback)
        assert trial.groups == stage.groups


def test_a_holdback_keeps_users_on_the_baseline_at_full_traffic() -> None:
    files = on_trial("full")
    files.set("policies/rollout.yaml", "holdback", to="5%")
    trial = of(files).desired.trial
    assert trial is not None
    assert trial.weight == pytest.approx(0.95)


def test_limits_windows_and_switches_come_from_the_spec() -> None:
    files = Repository()
    window = {"zone": "Asia/Seoul", "from": "friday 16:00", "to": "monday 09:00", "reason": "weekend"}
    files.set(*ENVIRONMENT, "freeze", to=[window])
    files.set(*ENVIRONMENT, "suspend", to=True)
    files.set(*ENVIRONMENT, "engine", "max_cpu_loras", to=6)
    files.set("loop.yaml", "prune_limit", to=2)
    desired = of(files).desired
    assert desired.suspended
    assert desired.freezes == (Window("Asia/Seoul", "friday 16:00", "monday 09:00", "weekend"),)
    assert (desired.limits.slots, desired.limits.prune_limit, desired.limits.grace_period) == (6, 2, 600.0)


def test_another_setting_of_the_engine_lets_lasting_failures_be_tried_again() -> None:
    files = Repository()
    before = of(files).desired.engine_config
    files.set(*ENVIRONMENT, "engine", "max_lora_rank", to=32)
    assert of(files).desired.engine_config != before


def test_an_environment_that_does_not_exist_is_refused_and_the_others_named() -> None:
    with pytest.raises(TerminalError, match="known: staging, production"):
        of(Repository(), "prod")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A Git repository with the shipped spec and bytes for its adapters, in one commit."""
    files = Repository()
    files.remove("loop.yaml", "base_model", "digest")
    for path, text in files.texts.items():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=the desired state")
    return tmp_path


def git(root: Path, *arguments: str) -> None:
    who = {
        f"GIT_{role}_{what}": "loop@example.org"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    environ = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | who
    subprocess.run(["git", *arguments], cwd=root, check=True, env=environ | {"GIT_CONFIG_GLOBAL": os.devnull})


def suspend(root: Path) -> None:
    text = (root / "loop.yaml").read_text()
    (root / "loop.yaml").write_text(text.replace("  production:\n", "  production:\n    suspend: true\n"))


def test_invariant_1_what_was_not_committed_is_not_desired(checkout: Path) -> None:
    source = CommitSource(GitRepository(checkout), "production")
    before = source.revision()
    suspend(checkout)
    assert source.revision() == before
    assert not source.declared(before).desired.suspended
    git(checkout, "commit", "--quiet", "--all", "--message=suspend promotions")
    after = source.revision()
    assert after != before
    assert source.declared(after).desired.suspended
    assert not source.declared(before).desired.suspended, "a commit says what it said"


def test_the_working_tree_is_followed_only_where_it_was_asked_for(checkout: Path) -> None:
    source = WorkingTreeSource(checkout, "production")
    before = source.revision()
    assert source.revision() == before
    suspend(checkout)
    assert source.revision() != before
    assert source.declared(source.revision()).desired.suspended


def test_a_commit_that_is_not_valid_tells_everything_that_is_wrong(checkout: Path) -> None:
    text = (checkout / "loop.yaml").read_text()
    (checkout / "loop.yaml").write_text(text.replace("baseline:", "basline:"))
    git(checkout, "commit", "--quiet", "--all", "--message=a slip")
    source = CommitSource(GitRepository(checkout), "production")
    with pytest.raises(TerminalError) as raised:
        source.declared(source.revision())
    assert sum("basline" in str(item) for item in raised.value.diagnostics) == 2


def write_rollout(root: Path, stage: str, message: str) -> None:
    text = (root / "loop.yaml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("    rollout:")]
    at = lines.index("  production:")
    lines.insert(at + 1, f"    rollout: {{candidate: chat-v1.1, stage: {stage}}}")
    (root / "loop.yaml").write_text("\n".join(lines) + "\n")
    git(root, "commit", "--quiet", "--all", f"--message={message}")


def test_a_step_that_automation_took_is_known_from_history_also_after_a_person_took_it_back(
    checkout: Path,
) -> None:
    source = CommitSource(GitRepository(checkout), "production")
    write_rollout(checkout, "canary", "put it on trial")
    assert source.declared(source.revision()).desired.taken == frozenset()
    step = messages.advance_message(
        environment="production",
        served="x--1",
        before="canary",
        after="small",
        rollout="r",
        evidence=("fine",),
    )
    write_rollout(checkout, "small", step)
    assert source.declared(source.revision()).desired.taken == {"small"}
    write_rollout(checkout, "canary", "back to the canary, by hand")
    assert source.declared(source.revision()).desired.taken == {"small"}


GATES = ("facts-right", "served-as-trained")


def evaluated(files: Repository, gates: dict[str, str]) -> Repository:
    """Let production ask for two gates of chat-v1.1, which have ended so."""
    after = {"environment": "staging", "soak": "1h", "gates": list(GATES)}
    files.set(*ENVIRONMENT, "promote_after", to=after)
    report: dict[str, Any] = {
        "report": "models/reports/chat-v1.1/evaluation.json",
        "metrics": {},
        "gates": gates,
    }
    files.set("models/chat-v1.1.yaml", "evaluation", to=report)
    files.texts[report["report"]] = "{}"
    return files


@pytest.mark.parametrize("verdict", ["FAIL", "INCONCLUSIVE", "ERROR", None])
def test_only_a_gate_that_ended_pass_speaks_for_a_candidate(verdict: str | None) -> None:
    gates = {"facts-right": "PASS"} | ({"served-as-trained": verdict} if verdict else {})
    soak = of(evaluated(on_trial(), gates)).desired.soak
    assert soak is not None
    how = f"ended {verdict}" if verdict else "was not measured"
    assert soak.doubts == (f"gate 'served-as-trained' {how}",)


@pytest.mark.parametrize(
    ("report", "doubt"),
    [
        ({"digest": DIGESTS["chat-v1.1"]}, None),
        ({"digest": "f" * 64}, "is of ffffffffffff, and the adapter is"),
        ({"digest": 7}, "is of unknown bytes"),
        ([], "is of unknown bytes"),
    ],
)
def test_a_report_of_other_bytes_does_not_speak_for_a_candidate(report: object, doubt: str | None) -> None:
    files = evaluated(on_trial(), dict.fromkeys(GATES, "PASS"))
    files.texts["models/reports/chat-v1.1/evaluation.json"] = json.dumps(report)
    loaded = files.load()
    assert loaded.spec is not None
    soak = distil(loaded.spec, "production", "r1", Background(measured=measured_in(files.files))).desired.soak
    assert soak is not None
    assert [doubt in each for each in soak.doubts] == [True] if doubt else soak.doubts == ()


def test_a_conclusion_that_a_person_took_back_is_known_from_history(checkout: Path) -> None:
    source = CommitSource(GitRepository(checkout), "production")
    write_rollout(checkout, "full", "at full traffic")
    assert source.declared(source.revision()).desired.taken == frozenset()
    text = (checkout / "loop.yaml").read_text()
    (checkout / "loop.yaml").write_text(conclude(text, "production"))
    git(checkout, "commit", "--quiet", "--all", "--message=Make it the baseline")
    assert source.declared(source.revision()).desired.trial is None
    git(checkout, "revert", "--no-edit", "HEAD")
    assert source.declared(source.revision()).desired.taken == {BASELINE}
