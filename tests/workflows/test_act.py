"""The workflows run by act, on this host and without containers.

Every `run` step is run, and the last test here holds that. Stand-ins: the third-party actions, which cannot be fetched
here; GitHub's API, on loopback (Git beside it is real and wants the token); and of `loop` those subcommands that a
test says in its docstring, since training, evaluation on a real engine and curating take minutes: they are called as
written, and tests/system goes the whole way with the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.remote import candidate, clone, on_trial, revert_trial, running
from tests.cli.workbench import Live, git
from tests.workflows import acting
from tests.workflows.acting import CONTENT, MACHINERY, Ran, Shop
from tests.workflows.github import HEAD, REPOSITORY, TOKEN, Github, served

TRAINED = """\
name=chat-v1.1; mkdir -p models/reports/$name
cp models/chat-v1.0.yaml models/$name.yaml && sed -i "s/chat-v1.0/$name/" models/$name.yaml
touch models/$name.dvc
echo '{"version": "chat-v1.1"}'
"""
DECIDED = """\
case "$*" in
  *--json*) echo '{"proposal": {"command": "loop train dpo --dataset bookshop-preferences"}}' ;;
  *) echo "retrain: a round is due" ;;
esac
exit 2
"""
EVALUATED = """\
mkdir -p models/reports/$2; echo "## Evaluation of $2" > models/reports/$2/evaluation.md; exit %d
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop")


@pytest.fixture
def state(tmp_path: Path) -> str:
    """The state of a deployment that nobody has used yet."""
    (tmp_path / "state").mkdir()
    return str(tmp_path / "state")


@pytest.fixture
def github() -> Github:
    return Github()


@contextmanager
def hosting(shop: Shop, github: Github) -> Iterator[tuple[str, Path]]:
    """Put its main into a bare repository behind GitHub's address, which loop.yaml names; yields address and bare."""
    bare = shop.beside / "remote.git"
    git(shop.beside, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    with served(github, bare) as address:
        with (shop.root / "loop.yaml").open("a") as file:
            forge = {"kind": "github", "repository": REPOSITORY, "api": address}
            file.write(f"\n{yaml.safe_dump({'git': {'remote': 'origin', 'branch': 'main', 'forge': forge}})}")
        shop.commit("Follow a remote")
        shop.git("push", "--quiet", str(bare), "main")
        shop.git("remote", "add", "origin", f"{address}/{REPOSITORY}.git")
        yield address, bare


def planned(shop: Shop, edit: Callable[[str], str]) -> Ran:
    """Commit an edit of loop.yaml, as the merge of a pull request would, and plan it."""
    file = shop.root / "loop.yaml"
    file.write_text(edit(file.read_text()))
    shop.commit("change")
    (shop.artifacts / "plan/plan.md").unlink(missing_ok=True)
    payload = {"pull_request": {"number": 7, "head": {"sha": HEAD, "ref": "side"}, "base": {"ref": "main"}}}
    return shop.act("pull_request", "plan.yml", payload)


def comment(shop: Shop, github: Github, **changes: str) -> Ran:
    run = {"id": 1, "event": "pull_request", "conclusion": "success", "head_sha": HEAD} | changes
    with served(github) as address:
        return shop.act("workflow_run", "plan-comment.yml", {"workflow_run": run}, address)


def dispatched(**inputs: str) -> dict[str, Any]:
    return {"inputs": inputs}


def test_the_plan_of_a_pull_request_becomes_one_comment_that_is_updated_in_place(
    shop: Shop, github: Github
) -> None:
    planned(shop, lambda text: text.replace("prune_limit: 3", "prune_limit: 2")).holds()
    text = (shop.artifacts / "plan/plan.md").read_text()
    assert "prune_limit" in text
    comment(shop, github).holds()
    assert github.comments[0]["body"].endswith(text)
    assert github.tokens == {f"Bearer {TOKEN}"}
    planned(shop, lambda text: text.replace("poll: 2s", "poll: 3s")).holds()
    comment(shop, github)
    assert len(github.comments) == 1
    assert "poll" in github.comments[0]["body"]


def test_a_pull_request_that_is_not_valid_fails_and_its_errors_are_posted(shop: Shop, github: Github) -> None:
    assert planned(shop, lambda text: text.replace("baseline: chat-v1.0", "baseline: chat-v9")).code == 1
    comment(shop, github, conclusion="failure").holds()
    assert "chat-v9" in github.comments[0]["body"]
    assert "Traceback" not in github.comments[0]["body"]


def test_a_run_that_no_pull_request_started_posts_nothing(shop: Shop, github: Github) -> None:
    comment(shop, github, event="push").holds()
    assert github.calls == []


def test_continuous_integration_runs_what_anybody_can_run(shop: Shop) -> None:
    script = shop.root / ".ci/run"
    assert "make test" in script.read_text()
    script.write_text(f"#!/bin/sh\ntouch '{shop.beside}/ran'\n")  # the real one would run this test again
    makefile = (acting.ROOT / "Makefile").read_text()
    assert "\ntest-round:" in makefile and "\ndemo:" in makefile
    rules = (
        f"test-round:\n\ttouch '{shop.beside}/round'",
        f"demo:\n\techo \"$(DEMO)\" >> '{shop.beside}/demo'",
    )
    (shop.root / "Makefile").write_text("\n\n".join(rules) + "\n")
    shop.act("push", "ci.yml", {"ref": "refs/heads/main"}).holds()
    assert (shop.beside / "ran").exists() and (shop.beside / "round").exists()
    assert (shop.beside / "demo").read_text().splitlines() == ["", "--kill-engine --git-away"]


def test_without_a_deployment_what_was_merged_is_validated_and_nothing_else_is_touched(shop: Shop) -> None:
    ran = shop.act("push", "reconcile.yml", {"ref": "refs/heads/main"}).holds()
    assert set(ran.steps) == {("validate", "install"), ("validate", "validate")} | others(ran)
    assert shop.calls() == ["loop validate"]
    shop.edit("loop.yaml", "baseline: chat-v1.0", "baseline: chat-v9")
    shop.commit("A baseline that nobody has")
    broken = shop.act("push", "reconcile.yml", {"ref": "refs/heads/main"}, LOOP_STATE="/nowhere")
    assert broken.code == 1 and "chat-v9" in broken.said
    assert not [job for job, _ in broken.steps if job == "reconcile"], "what is not valid goes no further"


def others(ran: Ran) -> set[tuple[str, str]]:
    """Return the steps that are actions."""
    return {(job, step) for job, step in ran.steps if step.startswith("actions/")}


def test_what_was_merged_is_applied_once_or_wakes_the_runner_that_is_resident(tmp_path: Path) -> None:
    """The runner of this deployment polls once an hour: what it sees sooner it sees since the workflow woke it."""
    with on_trial(tmp_path / "repo", poll="1h") as (live, bare):
        state = {"LOOP_STATE": str(live.bench.root / ".loop"), "LOOP_ENVIRONMENTS": '["production"]'}
        ran = job_in(tmp_path / "one", bare).act("push", "reconcile.yml", {"ref": "refs/heads/main"}, **state)
        assert ran.holds().steps["reconcile", "wake the runner, or apply once"] == "success"
        assert "chat-v1.1" in ran.summary, "the plan, before it was applied"
        assert candidate(live) == live.bench.served("chat-v1.1")
        with running(live.bench) as runner:
            runner.agrees_with(live.bench.git("rev-parse", "HEAD").strip())
            reverted = revert_trial(bare, tmp_path / "person")
            job = job_in(tmp_path / "two", bare)
            job.act("push", "reconcile.yml", {"ref": "refs/heads/main"}, **state).holds()
            assert job.calls()[-1] == "loop wake", "no second writer beside the runner"
            runner.agrees_with(reverted)
        assert candidate(live) is None


def job_in(home: Path, bare: Path) -> Shop:
    """Return a job's own checkout of a bare repository: a commit, and no branch."""
    home.mkdir()
    clone(bare, home / "shop")
    git(home / "shop", "checkout", "--quiet", "--detach")
    return Shop(home / "shop", *MACHINERY)


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[tuple[Live, Path]]:
    with on_trial(tmp_path / "repo") as world:
        assert world[0].bench.loop("apply").code == 0
        yield world


def test_a_rollback_by_hand_takes_users_off_and_is_refused_for_whom_it_does_not_mean(
    trial: tuple[Live, Path], tmp_path: Path
) -> None:
    live, bare = trial
    job, state = job_in(tmp_path / "job", bare), str(live.bench.root / ".loop")
    reason = 'answers "in" $(touch pwned) `id`'
    wanted = {"environment": "production", "reason": reason}
    wrong = job.act(
        "workflow_dispatch", "rollback.yml", dispatched(version="chat-v1.2", **wanted), LOOP_STATE=state
    )
    assert wrong.code == 1 and "on trial: chat-v1.1" in wrong.said
    assert candidate(live) == live.bench.served("chat-v1.1")
    right = dispatched(version="chat-v1.1", **wanted)
    ran = job.act("workflow_dispatch", "rollback.yml", right, LOOP_STATE=state).holds()
    assert candidate(live) is None
    assert "written to Git" in ran.summary
    (entry,) = yaml.safe_load(git(bare, "show", "main:quarantine.yaml"))["quarantined"]
    assert entry["condition"] == reason


def test_a_rollback_out_of_reach_of_the_deployment_is_written_to_git_with_the_token(
    tmp_path: Path, github: Github
) -> None:
    """Nothing of the deployment answers: the runner takes users off when it sees the commit."""
    with on_trial(tmp_path / "repo") as (_, bare):
        job = job_in(tmp_path / "job", bare)
    wanted = dispatched(environment="production", version="chat-v1.1", reason="too chatty")
    with served(github, bare) as address:
        git(job.root, "remote", "set-url", "origin", f"{address}/{REPOSITORY}.git")
        ran = job.act("workflow_dispatch", "rollback.yml", wanted, address).holds()
    assert "written to Git" in ran.summary
    assert git(bare, "log", "-1", "--format=%s", "main").strip() == "Roll back chat-v1.1 in production"
    assert TOKEN not in ran.said


CURATED = """\
mkdir -p datasets/snapshot && date +%s%N > datasets/snapshot/thumbs.jsonl
hash=$(md5sum datasets/snapshot/thumbs.jsonl | cut -d' ' -f1)
sed -i "s/^hash: .*/hash: $hash/" datasets/bookshop-thumbs.yaml
exec .venv/bin/dvc commit --quiet --force snapshot
"""


def test_a_night_of_collecting_ends_in_a_pull_request_with_the_new_data_sets(
    tmp_path: Path, github: Github, state: str
) -> None:
    """`loop data curate` is a stand-in that makes other thumbs of the snapshot; DVC and the rest are real."""
    shop = Shop(tmp_path / "shop", *CONTENT, "runner")  # the code that DVC's stages depend on
    shop.double("data curate", CURATED)
    with hosting(shop, github) as (address, bare):
        ran = shop.act("schedule", "collect.yml", {}, address, LOOP_STATE=state).holds()
    found = yaml.safe_load(git(bare, "show", "loop/data:datasets/bookshop-thumbs.yaml"))["hash"]
    (pull,) = github.pulls
    assert (pull["head"]["ref"], pull["base"]["ref"]) == ("loop/data", "main")
    assert found in pull["body"]
    changed = set(git(bare, "diff", "--name-only", "main", "loop/data").split())
    assert {"dvc.lock", "datasets/bookshop-thumbs.yaml"} <= changed
    assert f"store/files/md5/{found[:2]}/{found[2:]}" in changed, "the store is a folder of this repository"
    assert TOKEN not in ran.said


def test_what_is_too_little_yet_is_asked_for_all_the_same_and_what_failed_to_be_made_is_not(
    shop: Shop, github: Github, state: str
) -> None:
    """`loop data curate` is a stand-in that says that a check is not met, then one that fails; `dvc` does nothing."""
    shop.double("dvc", "exit 0")
    with hosting(shop, github) as (address, _):
        shop.double("data curate", "echo '12 of 100 pairs'; exit 2")
        ran = shop.act("schedule", "collect.yml", {}, address, LOOP_STATE=state).holds()
        assert "12 of 100 pairs" in ran.summary
        assert shop.calls()[-1] == "loop data propose"
        shop.double("data curate", "exit 1")
        assert shop.act("schedule", "collect.yml", {}, address, LOOP_STATE=state).code == 1
        assert shop.calls()[-1] == "loop data curate"


def retrained(shop: Shop, github: Github, state: str, **inputs: str) -> Ran:
    with served(github) as address:
        return shop.act("workflow_dispatch", "retrain.yml", dispatched(**inputs), address, LOOP_STATE=state)


def test_no_round_of_training_begins_where_none_is_due(shop: Shop, github: Github, state: str) -> None:
    """`dvc` is a stand-in that fetches nothing."""
    shop.double("dvc", "exit 0")
    shop.edit("loop.yaml", "  production:\n", "  production:\n    suspend: true\n")
    shop.commit("Suspend production")
    ran = retrained(shop, github, state).holds()
    assert "suspended" in ran.summary
    assert {job for job, _ in ran.steps} == {"decide"}


@pytest.mark.parametrize("recipe", ["", "kto"])
def test_a_round_that_is_due_is_trained_and_evaluated_and_asks_for_staging(
    shop: Shop, github: Github, state: str, recipe: str
) -> None:
    """`loop decide`, `train`, `evaluate` and `promote`, and `dvc`, are stand-ins."""
    doubles(shop, verdict=0)
    ran = retrained(shop, github, state, recipe=recipe).holds()
    assert "## Evaluation of chat-v1.1" in ran.summary and "asked" in ran.summary
    assert (shop.artifacts / "chat-v1.1/evaluation.md").exists()
    asked = recipe or "dpo --dataset bookshop-preferences"
    assert [each for each in shop.calls() if each.startswith("loop")][2:] == [
        f"loop train {asked} --json",
        "loop evaluate chat-v1.1",
        "loop promote chat-v1.1 --to staging",
    ]
    assert (shop.beside / "promote-env").read_text() == f"{TOKEN} .github/gitconfig\n"
    assert set((shop.beside / "dvc-env").read_text().split()) == {"none"}, "DVC meets no token of GitHub"


def doubles(shop: Shop, verdict: int) -> None:
    """Have every command of a round of training be a stand-in; that of evaluation ends with `verdict`."""
    shop.double("decide", DECIDED)
    shop.double("train", TRAINED)
    shop.double("evaluate", EVALUATED % verdict)
    shop.double(
        "promote", f'echo asked; echo "$GITHUB_TOKEN $GIT_CONFIG_GLOBAL" > "{shop.beside}/promote-env"'
    )
    shop.double("dvc", f'echo "${{GITHUB_TOKEN:-none}}" >> "{shop.beside}/dvc-env"')


def test_a_candidate_that_does_not_pass_goes_no_further_and_no_other_is_trained_before_somebody_has_looked(
    shop: Shop, github: Github, state: str
) -> None:
    """`loop decide`, `train` and `evaluate`, and `dvc`, are stand-ins."""
    doubles(shop, verdict=2)
    assert retrained(shop, github, state).code == 1
    (issue,) = github.issues
    assert issue["title"] == "A candidate was stopped: chat-v1.1"
    assert "## Evaluation of chat-v1.1" in issue["body"]
    calls = shop.calls()
    assert "dvc push --quiet" in calls and not [call for call in calls if "promote" in call]
    assert (shop.artifacts / "chat-v1.1.yaml").exists(), "it is kept, for whoever looks why"
    ran = retrained(shop, github, state).holds()
    assert (shop.calls(), issue["html_url"] in ran.summary) == ([], True)


def pull_request(shop: Shop) -> Ran:
    payload = {"pull_request": {"number": 7, "head": {"sha": HEAD, "ref": "side"}, "base": {"ref": "main"}}}
    return shop.act("pull_request", "evaluate.yml", payload, LOOP_STATE="/nowhere", LOOP_RUNNER="nobody")


@pytest.mark.parametrize("verdict", [0, 2])
def test_the_version_that_a_pull_request_promotes_is_evaluated_and_its_verdict_is_the_checks(
    shop: Shop, verdict: int
) -> None:
    """`loop evaluate` and `dvc` are stand-ins; which version is meant is found for real."""
    shop.double("evaluate", EVALUATED % verdict)
    shop.double("dvc", "exit 0")
    text = (shop.root / "models/chat-v1.0.yaml").read_text()
    (shop.root / "models/chat-v1.1.yaml").write_text(text.replace("name: chat-v1.0", "name: chat-v1.1"))
    shop.commit("Bring chat-v1.1")
    ran = pull_request(shop)
    assert ran.code == (1 if verdict else 0), ran.said
    assert shop.calls() == ["dvc pull --quiet --allow-missing", "loop evaluate chat-v1.1"]
    assert ran.summary == "## Evaluation of chat-v1.1\n"
    assert (shop.artifacts / "evaluation.md").exists()


def test_a_pull_request_that_promotes_nothing_is_not_evaluated(shop: Shop) -> None:
    shop.edit("loop.yaml", "prune_limit: 3", "prune_limit: 2")
    shop.commit("Prune less")
    pull_request(shop).holds()
    assert shop.calls() == []


def test_what_is_due_is_looked_for_with_the_token_and_nothing_is_asked_where_nothing_is(
    shop: Shop, github: Github, state: str
) -> None:
    """Every environment serves the same version: there is no next step."""
    with hosting(shop, github) as (address, bare):
        ran = shop.act("schedule", "promote.yml", {}, address, LOOP_STATE=state).holds()
    assert "staging: " in ran.summary and "production: " in ran.summary
    assert (github.pulls, git(bare, "branch", "--list", "loop/*")) == ([], "")


def test_the_week_is_one_issue_and_a_page(shop: Shop, github: Github, state: str) -> None:
    """`dvc` is a stand-in; nothing was logged in this deployment's week."""
    shop.double("dvc", "exit 0")
    with served(github) as address:
        ran = shop.act("schedule", "report.yml", {}, address, LOOP_STATE=state).holds()
    (issue,) = github.issues
    assert issue["title"].startswith("Report of week ")
    assert ran.summary.strip() in issue["body"]
    assert "<html" in (shop.artifacts / "report/week.html").read_text()


@pytest.mark.parametrize("workflow", ["collect", "retrain", "promote", "report"])
def test_what_needs_a_deployment_does_nothing_where_there_is_none(shop: Shop, workflow: str) -> None:
    ran = shop.act("schedule", f"{workflow}.yml", {}).holds()
    assert (ran.steps, shop.calls()) == ({}, [])


def test_every_step_of_every_workflow_was_run_by_a_test_above(request: pytest.FixtureRequest) -> None:
    here = [each for each in request.session.items if each.path == request.path]
    names = {each.originalname for each in here if isinstance(each, pytest.Function)}
    if not {name for name in globals() if name.startswith("test_")} <= names:
        pytest.skip("only some of these tests were asked for")
    assert acting.declared() - acting.PROVEN == set()
