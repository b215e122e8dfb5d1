"""`loop promote`: one branch and one pull request for a step, and every reason why there is none."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
import yaml

from runner.cli.promote import LONGEST_LINE
from runner.cli.status import REQUIRED
from runner.errors import Unknown
from runner.git.forge import Pull
from runner.reconcile.state import write_json
from runner.reconcile.status import FORMAT
from runner.rollout.verdict import Assessment, Because, Step
from runner.spec.model import GateVerdict
from tests.cli.workbench import Said, call, refused
from tests.git import mock_github
from tests.promotion.shop import NEW, OLD, PING, Shop, rows, run
from tests.spec.repository import quarantine_text

LONG_AGO = (datetime.now(UTC) - timedelta(days=3)).isoformat(timespec="seconds")
TRIAL = {"candidate": NEW, "stage": "canary"}
LAST = {"candidate": NEW, "stage": "full"}


@pytest.fixture
def real_shop(tmp_path: Path) -> Shop:
    """A shop whose DVC is asked."""
    return Shop(tmp_path / "repo")


@pytest.fixture
def shop(real_shop: Shop) -> Iterator[Shop]:
    """A shop whose DVC is taken to have pushed everything, which spares a process of a second in each test."""
    with patch("runner.data.cloud.lacking", return_value=()):
        yield real_shop


def branch(shop: Shop, environment: str = "staging", name: str = NEW) -> str:
    return f"loop/promote-{environment}-{shop.served(name)}"


def in_staging(shop: Shop, since: str = LONG_AGO) -> None:
    """Have staging trust the new version, `since` a moment."""
    assert shop.loop("promote", NEW, "--to", "staging").code == 0
    shop.merge(branch(shop), since)
    shop.change("the rollout is over", since, staging={"baseline": NEW, "standby": OLD, "rollout": None})


def files_of(shop: Shop, where: str) -> list[str]:
    return run(shop.bare, "diff", "--name-only", f"main...{where}").split()


# The way forward


def test_a_version_comes_to_staging_by_one_commit_with_its_files_and_no_weights(real_shop: Shop) -> None:
    shop = real_shop
    said = shop.loop("promote", NEW, "--to", "staging")
    assert said.code == 0, said
    assert f"branch {branch(shop)} (new)" in said.out and "merge branch" in said.out
    assert shop.declared(branch(shop)) == {**shop.declared("main"), "rollout": TRIAL}
    assert files_of(shop, branch(shop)) == [
        "loop.yaml",
        "models/.gitignore",
        f"models/{NEW}.dvc",
        f"models/{NEW}.yaml",
        f"models/reports/{NEW}/evaluation.json",
    ]
    assert run(shop.bare, "rev-list", "--count", f"main..{branch(shop)}").strip() == "1"
    trailers = run(shop.bare, "log", "-1", "--format=%(trailers:only,unfold)", branch(shop)).split("\n")
    assert trailers[:2] == [f"Loop-Promotion: {shop.served()}", "Loop-Environment: staging"]


def test_what_a_merge_gives_is_valid(shop: Shop) -> None:
    shop.loop("promote", NEW, "--to", "staging")
    shop.merge(branch(shop))
    assert (shop.person / "models" / ".gitignore").read_text().splitlines() == [f"/{NEW}"]
    assert call("--root", str(shop.person), "validate").code == 0


def test_the_same_command_again_changes_nothing(shop: Shop) -> None:
    shop.loop("promote", NEW, "--to", "staging")
    before = run(shop.bare, "rev-parse", branch(shop))
    said = shop.loop("promote", NEW, "--to", "staging")
    assert "(as it was)" in said.out
    assert run(shop.bare, "rev-parse", branch(shop)) == before
    assert shop.branches() == [branch(shop), "main"]


def test_a_base_that_moved_is_followed_and_a_new_evaluation_comes_along(shop: Shop) -> None:
    shop.loop("promote", NEW, "--to", "staging")
    shop.edit("README.md", "read me\n")
    shop.evaluate(answers=rows(50))
    said = shop.loop("promote", NEW, "--to", "staging")
    assert "(brought up to date)" in said.out, said
    assert run(shop.bare, "rev-list", "--count", f"main..{branch(shop)}").strip() == "1"
    assert shop.at(branch(shop), "README.md") == "read me\n"
    assert (
        len(json.loads(shop.at(branch(shop), f"models/reports/{NEW}/evaluation.json"))["suites"][0]["rows"])
        == 50
    )


def test_a_commit_of_somebody_else_on_the_branch_stays(shop: Shop) -> None:
    shop.loop("promote", NEW, "--to", "staging")
    run(shop.root.parent, "clone", "--quiet", f"--branch={branch(shop)}", str(shop.bare), "reviewer")
    reviewer = shop.root.with_name("reviewer")
    (reviewer / "NOTES.md").write_text("seen\n")
    run(reviewer, "add", "--all")
    run(reviewer, "commit", "--quiet", "--message=Reviewed")
    run(reviewer, "push", "--quiet")
    shop.evaluate(answers=rows(50))
    refused(shop.loop("promote", NEW, "--to", "staging"), "holds commits of somebody else", "Ada: Reviewed")
    assert shop.at(branch(shop), "NOTES.md") == "seen\n"


def test_what_is_on_trial_or_trusted_already_is_nothing_to_do(shop: Shop) -> None:
    shop.loop("promote", NEW, "--to", "staging")
    shop.merge(branch(shop))
    said = shop.loop("promote", NEW, "--to", "staging")
    assert said.code == 0 and "is on trial in staging already, in stage 'canary'" in said.out
    said = shop.loop("promote", OLD, "--to", "staging")
    assert said.code == 0 and f"{OLD} is the baseline of staging already" in said.out


def test_a_version_comes_to_production_once_staging_has_trusted_it_for_long_enough(shop: Shop) -> None:
    in_staging(shop)
    said = shop.loop("promote", NEW, "--to", "production")
    assert said.code == 0, said
    where = branch(shop, "production")
    assert shop.declared(where, "production")["rollout"] == TRIAL
    assert files_of(shop, where) == ["loop.yaml"], "main has its files already"


def test_after_the_last_stage_the_candidate_becomes_the_baseline(shop: Shop) -> None:
    in_staging(shop)
    shop.change(production={"rollout": LAST})
    said = shop.loop("promote", NEW, "--to", "baseline")
    assert said.code == 0, said
    assert "warning: no runner here has said anything" in said.err
    after = shop.declared(f"loop/conclude-production-{shop.served()}", "production")
    assert (after["baseline"], after["standby"], "rollout" in after) == (NEW, OLD, False)


def test_without_a_remote_the_branch_is_made_here(shop: Shop) -> None:
    shop.bench.files.remove("loop.yaml", "git")
    text = shop.bench.files.texts["loop.yaml"]
    shop.write("loop.yaml", text)
    run(shop.root, "commit", "--quiet", "--message=no remote", "loop.yaml")
    assert shop.loop("promote", NEW, "--to", "staging").code == 0
    assert TRIAL["candidate"] in run(shop.root, "show", f"{branch(shop)}:loop.yaml")
    assert shop.branches() == ["main"]


def test_a_dry_run_shows_the_change_and_the_text_and_writes_nothing(shop: Shop) -> None:
    before = run(shop.root, "for-each-ref"), run(shop.root, "status", "--porcelain")
    said = shop.loop("promote", NEW, "--to", "staging", "--dry-run")
    assert said.code == 0
    assert "+    rollout: {candidate: chat-v1.1, stage: canary}" in said.out
    assert "**On merge:**" in said.out and "## Before you merge" in said.out
    assert re.search(rf"^models/reports/{NEW}/evaluation.json: new, \d+ kB$", said.out, re.MULTILINE)
    change = said.out.partition("title: ")[0]
    assert max(map(len, change.splitlines())) <= LONGEST_LINE
    assert "**Evaluation**" not in said.out and "not measured" not in said.out
    refs = [line for line in run(shop.root, "for-each-ref").splitlines() if "refs/remotes" not in line]
    assert refs == [line for line in before[0].splitlines() if "refs/remotes" not in line]
    assert run(shop.root, "status", "--porcelain") == before[1]
    assert shop.branches() == ["main"]


def test_programs_get_the_request_as_json(shop: Shop) -> None:
    value = json.loads(shop.loop("promote", NEW, "--to", "staging", "--json").out)
    assert (value["version"], value["environment"], value["step"]) == (NEW, "staging", "trial")
    assert value["branch"] == branch(shop) and "loop.yaml" in value["files"]
    assert value["commit"] == run(shop.bare, "rev-parse", branch(shop)).strip()


def test_what_models_and_people_wrote_stays_inside_blocks(shop: Shop) -> None:
    shop.evaluate(answers=rows(12, PING))
    body = json.loads(shop.loop("promote", NEW, "--to", "staging", "--dry-run", "--json").out)["body"]
    outside, fence = [], ""
    for line in body.splitlines():
        if line.startswith("```"):
            marks = line[: len(line) - len(line.lstrip("`"))]
            fence = marks if not fence else "" if line == fence else fence
        elif not fence:
            outside.append(line)
    assert not fence and "everyone" in body
    assert not [line for line in outside if "everyone" in line or "#12" in line]


# Where people review


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mock_github.described(tmp_path_factory.mktemp("mock") / "log") as address:
        yield address


def with_forge(shop: Shop, address: str) -> None:
    """Have main name a forge at an address, and this checkout follow it."""
    forge = {"kind": "github", "repository": "acme/models", "api": address, "token_env": "SHOP_TOKEN"}
    shop.bench.files.set("loop.yaml", "git", to={"remote": "origin", "branch": "main", "forge": forge})
    shop.edit("loop.yaml", shop.bench.files.texts["loop.yaml"])
    shop.write("loop.yaml", shop.bench.files.texts["loop.yaml"])


def test_a_pull_request_is_opened_as_github_describes_it(
    shop: Shop, described: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "secret")
    with_forge(shop, described)
    value = json.loads(shop.loop("promote", NEW, "--to", "staging", "--json").out)
    assert isinstance(value["pull"]["number"], int) and value["branch_was"] == "made"
    assert "secret" not in json.dumps(value)
    assert due(shop).out.count("as it was") == 1


def test_without_a_token_the_branch_is_pushed_and_it_says_what_is_missing(shop: Shop) -> None:
    with_forge(shop, "http://127.0.0.1:9")
    refused(shop.loop("promote", NEW, "--to", "staging"), "SHOP_TOKEN is not set", "export SHOP_TOKEN")
    assert branch(shop) in shop.branches()


def test_what_a_person_closed_is_not_asked_for_again(shop: Shop) -> None:
    closed = Pull(7, "https://github.example.com/acme/models/pull/7", "Put chat-v1.1 on trial")
    with patch("runner.git.forge.NoForge.declined", return_value=closed):
        said = due(shop)
    assert f"a person closed {closed.address}; `loop promote {NEW} --to staging` asks again" in said.out
    assert shop.branches() == ["main"]


# Where DVC's store is a folder of the repository


def test_the_objects_of_a_store_in_the_repository_come_along(shop: Shop) -> None:
    shop.root.with_name("store").rename(shop.root / "store")
    (shop.root / ".dvc" / "config").write_text(
        "[core]\n    remote = s\n['remote \"s\"']\n    url = ../store\n"
    )
    assert shop.loop("promote", NEW, "--to", "staging").code == 0
    objects = [path for path in files_of(shop, branch(shop)) if path.startswith("store/files/md5/")]
    assert len(objects) == 4, "the folder's list, and its three files"
    assert not [path for path in files_of(shop, branch(shop)) if path.endswith(".safetensors")]


# What is in the way


def test_weights_that_no_other_machine_could_fetch_are_in_the_way(real_shop: Shop) -> None:
    shop = real_shop
    shutil.rmtree(shop.root.parent / "store")
    refused(
        shop.loop("promote", NEW, "--to", "staging"), "DVC's remote does not have the weights", "dvc push"
    )


def test_a_remote_that_says_nothing_is_in_the_way(shop: Shop) -> None:
    with patch("runner.data.cloud.lacking", return_value=Unknown("no answer")):
        refused(shop.loop("promote", NEW, "--to", "staging"), "it is not known whether", "no answer")


def test_everything_that_is_in_the_way_is_told_at_once(shop: Shop) -> None:
    shop.evaluate(verdicts={"facts-right": GateVerdict.FAIL, "preferred": GateVerdict.INCONCLUSIVE})
    shop.change(staging={"suspend": True})
    refused(
        shop.loop("promote", NEW, "--to", "staging"),
        "nothing is promoted in 'staging' now",
        "promotions are suspended",
        "gate 'facts-right' is FAIL, and only PASS promotes",
        "gate 'preferred' is INCONCLUSIVE",
        "accuracy 88.7% [88.2% to 89.1%]",
        "nothing was changed",
    )
    assert shop.branches() == ["main"]


def test_a_freeze_window_is_in_the_way(shop: Shop) -> None:
    window = {"zone": "UTC", "from": "2020-01-01T00:00", "to": "2099-01-01T00:00", "reason": "stocktaking"}
    shop.change(staging={"freeze": [window]})
    refused(shop.loop("promote", NEW, "--to", "staging"), "frozen from", "stocktaking")


def test_an_evaluation_of_other_bytes_promotes_nothing(shop: Shop) -> None:
    shop.evaluate(bytes_="e" * 64)
    refused(shop.loop("promote", NEW, "--to", "staging"), "speaks of other bytes", "evaluated:", "promoted:")


def test_gates_that_the_report_does_not_confirm_promote_nothing(shop: Shop) -> None:
    shop.evaluate(verdicts={"facts-right": GateVerdict.FAIL})
    gates = dict.fromkeys(shop.bench_spec().policies.evaluation.gates, "PASS")
    path = f"models/reports/{NEW}/evaluation.json"
    shop.model(evaluation={"report": path, "metrics": {"regression_accuracy": 0.95}, "gates": gates})
    refused(
        shop.loop("promote", NEW, "--to", "staging"),
        "say different things of its gates",
        "facts-right: PASS in the version's file, FAIL in the report",
    )


def test_a_version_that_was_never_evaluated_is_not_promoted(shop: Shop) -> None:
    shop.model(evaluation=None)
    refused(shop.loop("promote", NEW, "--to", "staging"), "was never evaluated", f"`loop evaluate {NEW}`")


def test_quarantined_bytes_are_not_put_on_trial_under_any_name(shop: Shop) -> None:
    served = shop.served().replace(NEW, "chat-v0.7")
    shop.edit("quarantine.yaml", quarantine_text(served))
    refused(shop.loop("promote", NEW, "--to", "staging"), "are quarantined", served, f"`loop lift {served}`")


def test_production_waits_for_staging(shop: Shop) -> None:
    refused(
        shop.loop("promote", NEW, "--to", "production"),
        "is not the baseline of 'staging'",
        f"its baseline is {OLD}",
    )
    in_staging(shop, datetime.now(UTC).isoformat(timespec="seconds"))
    refused(shop.loop("promote", NEW, "--to", "production"), "for long enough", "of 24 h", "try again in")


def test_only_the_candidate_of_the_last_stage_becomes_the_baseline(shop: Shop) -> None:
    refused(shop.loop("promote", NEW, "--to", "baseline"), "is registered here and not on the base branch")
    refused(shop.loop("promote", OLD, "--to", "baseline", "-e", "mars"), "there is no environment 'mars'")
    shop.loop("promote", NEW, "--to", "staging")
    shop.merge(branch(shop))
    said = shop.loop("promote", NEW, "--to", "baseline", "-e", "staging")
    refused(said, "has not come to the last stage", "it stands in 'canary'; the last stage is 'full'")
    said = shop.loop("promote", NEW, "--to", "baseline", "-e", "production")
    refused(said, "is not on trial in 'production'", "no version is on trial")


def test_another_trial_is_in_the_way(shop: Shop) -> None:
    shop.loop("promote", NEW, "--to", "staging")
    shop.merge(branch(shop))
    shop.register("chat-v1.2")
    refused(
        shop.loop("promote", "chat-v1.2", "--to", "staging"), "a rollout is under way", f"{NEW} stands in"
    )


def test_a_version_that_was_compared_with_another_than_it_replaces_is_a_warning(shop: Shop) -> None:
    in_staging(shop)
    shop.register("chat-v1.2", parent=OLD)
    said = shop.loop("promote", "chat-v1.2", "--to", "staging", "--dry-run")
    assert said.code == 0
    assert f"warning: it was compared with {OLD}, and the baseline of 'staging' is {NEW}" in said.err
    assert "it was compared with" in said.out, "and it stands in the pull request"


def test_to_be_better_than_something_weaker_promotes_nothing(shop: Shop) -> None:
    shop.evaluate(against="bookshop-base")
    refused(
        shop.loop("promote", NEW, "--to", "staging"),
        "it was compared with bookshop-base, which is neither its parent nor the baseline of 'staging'",
        f"`loop evaluate {NEW} --against {OLD}`",
    )


def test_a_pass_does_not_outlive_the_gate_it_was_measured_on(shop: Shop) -> None:
    policy = yaml.safe_load(shop.at("main", "policies/evaluation.yaml"))
    policy["gates"]["facts-right"]["require"] = "accuracy >= 99%"
    head = shop.at("main", "policies/evaluation.yaml").partition("\n")[0]
    shop.edit("policies/evaluation.yaml", f"{head}\n{yaml.safe_dump(policy, sort_keys=False)}")
    refused(
        shop.loop("promote", NEW, "--to", "staging"),
        "gate 'facts-right' is not today's gate any more",
        "in the report:  PASS: accuracy >= 90%",
        "today's policy: FAIL: accuracy >= 99%",
        f"`loop evaluate {NEW}`",
    )
    assert "gate 'facts-right' is not today's gate any more" in due(shop).out
    assert shop.branches() == ["main"]


def test_a_report_that_says_more_than_its_figures_promotes_nothing(shop: Shop) -> None:
    path = shop.root / "models" / "reports" / NEW / "evaluation.json"
    report = json.loads(path.read_text())
    report["verdict"] = "FAIL"
    report["suites"][0]["measured"][0] |= {"value": 0.03, "low": 0.02, "high": 0.04}
    path.write_text(json.dumps(report))
    refused(
        shop.loop("promote", NEW, "--to", "staging"),
        "gate 'facts-right' does not follow from the figures of its own report",
        "the report's verdict is FAIL, and that of its gates is PASS",
    )


def test_a_name_never_changes_its_meaning(shop: Shop) -> None:
    shop.loop("promote", NEW, "--to", "staging")
    shop.merge(branch(shop))
    (shop.root / "models" / NEW / "probe.json").write_text("{}")
    refused(shop.loop("promote", NEW, "--to", "production"), "the digest does not match the bytes")
    shutil.rmtree(shop.root / "models" / NEW)
    adapter = {"path": f"models/{NEW}", "digest": "e" * 64, "rank": 8}
    shop.model(adapter=adapter)
    refused(
        shop.loop("promote", NEW, "--to", "staging"), "was changed on the base branch since", "`git pull`"
    )
    run(shop.root, "fetch", "--quiet", "origin")
    run(shop.root, "reset", "--quiet", "--soft", "origin/main")
    said = shop.loop("promote", NEW, "--to", "staging")
    assert said.code == 1 and f"'{NEW}' means other bytes on the base branch" in said.err, said


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (
            ("chat-v1.9", "--to", "staging"),
            ("there is no version 'chat-v1.9'", "known: ", "did you mean 'chat-v1."),
        ),
        ((NEW, "--to", "mars"), ("there is no environment 'mars'", "known: staging, production")),
        ((NEW,), ("say which version and where to",)),
        ((NEW, "--due"), ("--due looks at every version",)),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(
    shop: Shop, arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    refused(shop.loop("promote", *arguments), *parts)


def test_a_remote_that_is_away_leaves_nothing_behind_and_the_next_run_goes_on(shop: Shop) -> None:
    shop.bare.rename(shop.bare.with_name("away.git"))
    refused(shop.loop("promote", NEW, "--to", "staging"), "the remote does not answer")
    shop.bare.with_name("away.git").rename(shop.bare)
    assert shop.branches() == ["main"]
    assert shop.loop("promote", NEW, "--to", "staging").code == 0


def test_a_run_that_was_killed_after_the_push_is_gone_on_from(shop: Shop) -> None:
    with patch("runner.git.forge.NoForge.present", side_effect=KeyboardInterrupt):
        assert shop.loop("promote", NEW, "--to", "staging").code == 130
    said = shop.loop("promote", NEW, "--to", "staging")
    assert said.code == 0 and "(as it was)" in said.out


# What is due


def due(shop: Shop, *more: str) -> Said:
    said = shop.loop("promote", "--due", *more)
    assert said.code == 0, said
    return said


def test_what_passed_every_gate_is_due_in_staging_and_asked_for_once(shop: Shop) -> None:
    said = due(shop)
    assert f"branch {branch(shop)} (new)" in said.out
    assert f"production: {OLD} is the baseline here and in staging" in said.out
    assert "(as it was)" in due(shop).out
    assert shop.branches() == [branch(shop), "main"]


def test_nothing_is_due_without_a_version_that_passed_its_gates(shop: Shop) -> None:
    shop.evaluate(verdicts={"preferred": GateVerdict.INCONCLUSIVE})
    assert f"staging: newer than {OLD}: {NEW}; none may be promoted by its gates" in due(shop).out
    assert shop.branches() == ["main"]


def test_what_has_soaked_is_due_in_production(shop: Shop) -> None:
    in_staging(shop)
    said = due(shop)
    assert f"staging: no version is newer than {NEW}" in said.out
    assert f"branch {branch(shop, 'production')} (new)" in said.out


def test_what_has_not_soaked_is_told_and_not_asked_for(shop: Shop) -> None:
    in_staging(shop, datetime.now(UTC).isoformat(timespec="seconds"))
    assert "has not been the baseline of 'staging' for long enough" in due(shop).out
    assert branch(shop, "production") not in shop.branches()


def test_what_a_person_took_back_is_not_asked_for_again(shop: Shop) -> None:
    due(shop)
    merged = shop.merge(branch(shop))
    run(shop.person, "revert", "--no-edit", "-m", "1", merged)
    run(shop.person, "push", "--quiet", "origin", "main")
    assert "it was merged before" in due(shop).out
    assert shop.loop("promote", NEW, "--to", "staging").code == 0, "by name it is"


def test_the_last_stage_is_due_once_the_runner_has_found_it_proven(shop: Shop) -> None:
    in_staging(shop)
    shop.change(production={"rollout": LAST})
    assert "no runner here has said anything" in due(shop).out
    certified(shop, "hold")
    assert "the runner has not found" in due(shop).out
    certified(shop, "conclude")
    assert f"branch loop/conclude-production-{shop.served()} (new)" in due(shop).out


def certified(shop: Shop, step: str) -> None:
    """Write what a runner writes after a pass in which it assessed the last stage."""
    assessment = Assessment(
        rollout_id="r",
        candidate=shop.served(),
        baseline=f"{OLD}--aaaaaaaaaaaa",
        stage="full",
        next_stage=None,
        weight=0.95,
        step=Step(step),
        because=Because.CERTIFIED,
        at=2.0,
        since=0.0,
        elapsed=2.0,
        remaining=0.0,
        evidence=1.0,
        threshold=100.0,
        condition="slow",
        sessions=40,
    )
    status: dict[str, object] = {
        **dict.fromkeys(REQUIRED),
        "format": FORMAT,
        "adapters": [],
        "rollout": asdict(assessment),
        "at": 2.0,
    }
    write_json(shop.bench.state("status.json"), status)
