"""`loop plan` and `loop apply`: exit codes, saved plans and their end, comparison without a live system."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import remote, workbench
from tests.cli.workbench import PRODUCTION, Bench, Live, call, git, refused


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A production environment that runs; every test begins where live and Git agree on chat-v1.0 alone."""
    with workbench.live(tmp_path_factory.mktemp("plan") / "repo") as live:
        yield live


@pytest.fixture
def live(served: Live) -> Live:
    bench = served.bench
    bench.files.set(*PRODUCTION, "rollout", to=None)
    bench.files.set(*PRODUCTION, "suspend", to=False)
    bench.commit("back to the start")
    said = bench.loop("apply")
    assert said.code == 0, said
    return served


@pytest.fixture
def offline(tmp_path: Path) -> Bench:
    """A repository of which nothing runs."""
    return Bench(tmp_path / "repo")


def test_in_sync_is_exit_code_0_and_says_so(live: Live) -> None:
    said = live.bench.loop("plan")
    assert said.code == 0
    assert said.out.splitlines()[0].endswith(": in sync")
    assert live.bench.served() in said.out


def test_pending_changes_are_exit_code_2_and_nothing_is_touched(live: Live) -> None:
    bench = live.bench
    bench.roll_out()
    bench.commit("a trial")
    before = (
        live.gateway_state(),
        dict(live.engine.state.adapters),
        bench.state("journal.jsonl").read_bytes(),
    )
    said = bench.loop("plan")
    assert said.code == 2
    assert f"+ place {bench.served('chat-v1.1')}" in said.out
    assert "5% of users" in said.out and "canary: 5% of users, at least 24 h" in said.out
    assert before == (
        live.gateway_state(),
        dict(live.engine.state.adapters),
        bench.state("journal.jsonl").read_bytes(),
    )


def test_a_saved_plan_is_carried_out_and_is_what_json_prints(live: Live, tmp_path: Path) -> None:
    bench, file = live.bench, tmp_path / "plan.json"
    bench.roll_out()
    bench.commit("a trial")
    said = bench.loop("plan", "--json", "--out", str(file))
    assert said.code == 2
    shown, saved = json.loads(said.out), json.loads(file.read_text())
    assert shown.pop("review")["rollout"]
    assert shown == saved
    assert saved["verdict"] == "changing" and saved["environment"] == "production"
    said = bench.loop("apply", str(file))
    assert (said.code, said.out) == (0, "production: in sync\n")
    assert bench.served("chat-v1.1") in live.engine.state.adapters
    assert bench.loop("plan").code == 0


def test_the_reviewed_plan_is_stale_once_it_was_applied(live: Live, tmp_path: Path) -> None:
    bench, file = live.bench, tmp_path / "plan.json"
    bench.roll_out("small")
    bench.commit("a trial")
    assert bench.loop("plan", "--out", str(file)).code == 2
    assert bench.loop("apply", str(file)).code == 0
    refused(bench.loop("apply", str(file)), "is stale: ", "nothing was applied")


def test_an_adapter_unloaded_after_the_plan_makes_it_stale_and_nothing_is_applied(
    live: Live, tmp_path: Path
) -> None:
    bench, file = live.bench, tmp_path / "plan.json"
    bench.roll_out()
    bench.commit("a trial")
    bench.loop("plan", "--out", str(file))
    del live.engine.state.adapters[bench.served()]
    journal = bench.state("journal.jsonl").read_bytes()
    said = bench.loop("apply", str(file))
    assert said.code == 1 and said.out == ""
    first, *rest = said.err.splitlines()
    wanted = rf"error: plan [0-9a-f]{{4}} is stale: adapter '{bench.served()}' on \S+ was unloaded after it was made"
    assert re.fullmatch(wanted, first), first
    assert rest == ["  fix: run `loop plan` and review again", "  nothing was applied"]
    assert live.engine.state.adapters.keys().isdisjoint({bench.served(), bench.served("chat-v1.1")})
    assert bench.state("journal.jsonl").read_bytes() == journal


def test_a_newer_commit_makes_a_plan_stale(live: Live, tmp_path: Path) -> None:
    bench, file = live.bench, tmp_path / "plan.json"
    bench.loop("plan", "--out", str(file))
    bench.roll_out()
    bench.commit("a trial")
    refused(bench.loop("apply", str(file)), "is stale: ", "nothing was applied")


def test_a_plan_of_the_working_tree_is_applied_as_such(live: Live, tmp_path: Path) -> None:
    bench, file = live.bench, tmp_path / "plan.json"
    bench.roll_out()
    bench.write()
    said = bench.loop("plan")
    assert said.code == 0 and "not committed, so not applied: loop.yaml" in said.err
    assert bench.loop("plan", "--working-tree", "--out", str(file)).code == 2
    assert bench.loop("apply", str(file)).code == 0
    assert bench.served("chat-v1.1") in live.engine.state.adapters
    bench.git("checkout", "--quiet", "--force", "main")
    refused(bench.loop("apply", str(file)), "is stale: ")


def test_a_plan_is_for_one_environment(live: Live, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    live.bench.loop("plan", "--out", str(file))
    refused(live.bench.loop("apply", str(file), "-e", "staging"), "is for 'production', not for 'staging'")


def test_an_apply_in_which_something_failed_is_exit_code_1(live: Live) -> None:
    bench = live.bench
    bench.roll_out()
    bench.commit("a trial")
    live.engine.control(no_op_adapters=(bench.served("chat-v1.1"),))
    try:
        said = bench.loop("apply")
    finally:
        live.engine.control(no_op_adapters=())
    assert (said.code, said.out) == (1, "production: held\n")
    assert "failed (" in said.err and bench.served("chat-v1.1") in said.err


def test_what_is_held_and_not_failed_is_exit_code_2(live: Live) -> None:
    bench = live.bench
    bench.files.set(*PRODUCTION, "suspend", to=True)
    bench.roll_out()
    bench.commit("a trial while promotions are suspended")
    said = bench.loop("apply")
    assert (said.code, said.out) == (2, "production: held\n")
    said = bench.loop("plan")
    assert said.code == 2
    assert re.search(r"held: rollout chat-v1.1: suspended: .*\n  next: ", said.out)


def test_one_silent_system_is_told_and_the_rest_is_planned(live: Live) -> None:
    live.engine.control(models="500")
    try:
        said = live.bench.loop("plan")
    finally:
        live.engine.control(models="ok")
    assert said.code == 2
    assert f"held: replica {live.engine.url}: did not answer" in said.out


def test_where_nothing_answers_it_says_what_and_how_to_go_on(offline: Bench) -> None:
    said = offline.loop("plan")
    refused(said, "nothing of 'production' answers", offline.engine, "`loop up`", "loop plan --against")
    assert not (offline.root / ".loop").exists()
    refused(offline.loop("plan", "-e", "staging"), "`loop up -e staging`")


# compared with a revision, without a live system


def changed_values(text: str) -> list[str]:
    _, _, rest = text.partition("changed values:\n")
    return [line.strip() for line in rest.partition("\n\n")[0].splitlines()]


def test_against_its_own_commit_everything_agrees(offline: Bench) -> None:
    said = offline.loop("plan", "--against", "HEAD")
    assert said.code == 0
    assert re.findall(r"^(\w+) at \w+: (.*)$", said.out, re.M) == [
        ("staging", "in sync"),
        ("production", "in sync"),
    ]
    assert "changed values" not in said.out


def test_a_rollout_added_shows_its_stages_its_routes_and_what_would_be_done(offline: Bench) -> None:
    offline.roll_out()
    offline.commit("a trial")
    said = offline.loop("plan", "--against", "HEAD^", "-e", "production")
    assert said.code == 2
    assert "canary: 5% of users, at least 24 h, advance auto  <- stands here" in said.out
    assert f"load {offline.served('chat-v1.1')} on {offline.engine}" in said.out
    assert changed_values(said.out) == [
        'loop.environments.production.rollout: nothing -> {"candidate": "chat-v1.1", "stage": "canary"}'
    ]
    staging = offline.loop("plan", "--against", "HEAD^", "-e", "staging")
    assert staging.code == 0, "what is changed in one environment is nothing to another"


def with_one_condition(bench: Bench) -> None:
    """Leave a policy of two stages and one condition: both sides of a change are simulated with all they have."""
    bench.files.set("policies/rollout.yaml", "always", to={"slow": "latency_p99 > 2000ms"})
    bench.files.set("policies/rollout.yaml", "stages", to=remote.STAGES)
    bench.commit("one condition")


def test_a_threshold_changed_is_a_change_although_nothing_is_done_to_the_engine(offline: Bench) -> None:
    with_one_condition(offline)
    offline.files.set("policies/rollout.yaml", "always", "slow", to="latency_p99 > 1500ms")
    offline.commit("stricter")
    said = offline.loop("plan", "--against", "HEAD^", "-e", "staging", "--json")
    assert said.code == 2
    for plan in json.loads(said.out):
        assert plan["actions"] == []
        assert plan["review"]["changed values"] == [
            "policies.rollout.always.slow: latency_p99 > 2000ms -> latency_p99 > 1500ms"
        ]


def test_a_condition_changed_shows_what_it_would_have_made_of_rollouts(offline: Bench) -> None:
    with_one_condition(offline)
    offline.files.set("policies/rollout.yaml", "always", "slow", to="latency_p99 > 3000ms")
    offline.commit("slower is fine")
    said = offline.loop("plan", "--against", "HEAD^", "-e", "production")
    assert said.code == 2
    assert "backtest:" in said.out
    assert "no rollout is in the event log" in said.out
    for label in ("as it was:", "as changed:"):
        assert label in said.out


def test_a_shadow_and_an_experiment_are_shown_in_the_routes(offline: Bench) -> None:
    offline.files.set(*PRODUCTION, "shadow", to={"version": "chat-v1.1", "sample": "50%"})
    both = {"name": "tone", "versions": ["chat-v1.0", "chat-v1.1"]}
    offline.files.set(*PRODUCTION, "experiments", to=[both])
    offline.commit("copies and a test")
    said = offline.loop("plan", "--against", "HEAD^", "-e", "production")
    assert said.code == 2
    assert f"copies of 50% to {offline.served('chat-v1.1')}" in said.out
    assert "experiment tone among" in said.out


def test_a_model_added_is_shown_whole_or_by_its_beginning(offline: Bench) -> None:
    text = offline.files.texts["models/chat-v1.1.yaml"].replace("name: chat-v1.1", "name: chat-v1.2")
    offline.files.texts["models/chat-v1.2.yaml"] = text
    offline.commit("another version")
    said = offline.loop("plan", "--against", "HEAD^", "-e", "production")
    assert said.code == 2
    (line,) = changed_values(said.out)
    assert line.startswith('models.chat-v1.2: nothing -> {"name": "chat-v1.2"')


def test_a_data_set_and_a_cost_that_changed_are_told(offline: Bench) -> None:
    name = next(name for name in offline.files.texts if name.startswith("datasets/"))
    offline.files.set(name, "hash", to="0" * 32 + ".dir")
    offline.files.set("policies/cost.yaml", "items", "gpu-serving", "amount", to="$250")
    offline.commit("new data, a dearer machine")
    said = offline.loop("plan", "--against", "HEAD^", "-e", "production")
    assert said.code == 2, said
    assert f"{Path(name).stem}: " in said.out and f"-> {'0' * 32}.dir" in said.out
    assert "running cost: $300.00 -> $350.00 a month (+50.00; +600.00 a year)" in said.out


def test_a_branch_is_compared_with_where_it_began_not_with_what_others_did_since(offline: Bench) -> None:
    offline.git("checkout", "--quiet", "-b", "change")
    offline.roll_out()
    offline.commit("a trial")
    offline.git("checkout", "--quiet", "main")
    (offline.root / "policies/cost.yaml").write_text(
        (offline.root / "policies/cost.yaml").read_text().replace("$200", "$900")
    )
    offline.git("commit", "--quiet", "--all", "--message=somebody else's")
    offline.git("checkout", "--quiet", "change")
    said = offline.loop("plan", "--against", "main", "-e", "production")
    assert "rollout: nothing ->" in said.out and "$900" not in said.out and "cost" not in said.out


def test_a_detached_head_is_a_commit_like_any_other(offline: Bench) -> None:
    offline.git("checkout", "--quiet", "--detach")
    assert offline.loop("plan", "--against", "main").code == 0


def test_a_base_that_is_not_valid_is_told_with_its_commit(offline: Bench) -> None:
    good = offline.files.texts["loop.yaml"]
    offline.files.texts["loop.yaml"] = good.replace("prune_limit:", "prune_limt:")
    wrong = offline.commit("a slip")
    offline.files.texts["loop.yaml"] = good
    offline.commit("mended")
    said = offline.loop("plan", "--against", "HEAD^")
    refused(said, f"{wrong[:12]}:loop.yaml:", f"commit {wrong[:12]} cannot be compared with", "fix: ")


HOSTILE = """@everyone `rm -rf` <img src=x onerror=alert(1)> ``` ~~~ [a](javascript:b) | x
```
# @admin <!-- loop plan -->
"""


def test_markdown_cannot_be_steered_by_text_from_yaml(offline: Bench) -> None:
    offline.roll_out()
    offline.files.set("models/chat-v1.1.yaml", "notes", to=HOSTILE)
    window = {
        "zone": "Asia/Seoul",
        "from": "2020-01-01T00:00",
        "to": "2090-01-01T00:00",
        "reason": HOSTILE[:200],
    }
    offline.files.set(*PRODUCTION, "freeze", to=[window])
    offline.commit("hostile words")
    said = offline.loop("plan", "--against", "HEAD^", "--markdown")
    assert said.code == 2
    assert said.out.startswith("<!-- loop plan -->\n### ")
    outside, fences = [], 0
    for line in said.out.splitlines()[1:]:
        if line.startswith("```"):
            fences += 1
            assert re.fullmatch("```(diff|text)?", line)
        elif fences % 2 == 0:
            outside.append(line)
    prose = "\n".join(outside)
    assert fences % 2 == 0
    assert "everyone \\`rm -rf\\`" in prose, "the reason of the freeze window is told, as text"
    assert not re.search(r"@|<|>|(?<!\\)[\[\]]", prose), prose
    assert "@everyone 'rm -rf'" in said.out, "inside a fence nothing is markup but the end of the fence"


def test_one_comment_has_one_mark_and_a_heading_for_each_environment(offline: Bench) -> None:
    said = offline.loop("plan", "--against", "HEAD", "--markdown")
    assert said.out.count("<!-- loop plan -->") == 1
    assert re.findall("^### (\\S+) at", said.out, re.M) == ["staging", "production"]


# mistakes


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--json", "--markdown"), ("not both", "loop plan --help")),
        (("--against", "HEAD", "--out", "x.json"), ("cannot be applied",)),
        (("--against", "mian"), ("unknown revision 'mian'", "did you mean 'main'?")),
        (("--against", ""), ("unknown revision ''",)),
        (("--against", "HEAD", "-e", "prod"), ("there is no environment 'prod'", "production")),
        (("-e", "prod"), ("there is no environment 'prod'", "production")),
        (("--out", "/"), ("is a directory",)),
    ],
)
def test_a_wrong_request_is_refused_with_a_way_on(
    offline: Bench, arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    refused(offline.loop("plan", *arguments), *parts)


def test_a_plan_that_cannot_be_saved_says_where_and_why(live: Live, tmp_path: Path) -> None:
    target = tmp_path / "missing" / "plan.json"
    refused(live.bench.loop("plan", "--out", str(target)), str(target), "no such file or directory", "fix: ")


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b"[]", b"null", b'{"format": 9}', b'{"format": 1}', b"\xff", b"[" * 100_000],
    ids=["missing", "empty", "cut", "list", "null", "newer", "bare", "bytes", "deep"],
)
def test_a_file_that_is_no_plan_is_refused_by_name(
    offline: Bench, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "plan.json"
    if content is not None:
        file.write_bytes(content)
    said = offline.loop("apply", str(file))
    refused(said, str(file), "fix: make one: `loop plan --out FILE`", "nothing was applied")


def test_an_unknown_environment_leaves_no_folder_behind(offline: Bench) -> None:
    refused(offline.loop("apply", "-e", "prod"), "there is no environment 'prod'", "known: ")
    refused(offline.loop("run", "-e", "prod"), "there is no environment 'prod'", "known: ")
    assert not (offline.root / ".loop").exists()


@pytest.mark.parametrize("name", ["plan", "apply", "run"])
def test_without_git_or_without_a_commit_it_says_what_to_do(offline: Bench, name: str) -> None:
    shutil.rmtree(offline.root / ".git")
    refused(offline.loop(name), "not a Git repository", "fix: ")
    git(offline.root, "init", "--quiet")
    refused(offline.loop(name), "no commits yet", "git commit")
    refused(offline.loop("plan", "--against", "HEAD"), "no commits yet")


@pytest.mark.parametrize("name", ["plan", "apply", "log", "status"])
def test_a_state_folder_that_is_none_is_told_without_a_traceback(offline: Bench, name: str) -> None:
    folder = offline.state("journal.jsonl")
    folder.mkdir()
    offline.state("status.json").mkdir()
    refused(offline.loop(name), str(folder.parent), "is a directory")


def test_a_file_in_the_place_of_the_state_directory_is_named(offline: Bench) -> None:
    (offline.root / ".loop").write_text("")
    refused(offline.loop("apply"), ".loop")


def test_outside_any_repository_it_says_where_it_looked(tmp_path: Path) -> None:
    refused(call("--root", str(tmp_path), "plan"), "there is no loop.yaml here", str(tmp_path))
