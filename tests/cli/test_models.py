"""`loop models`: the table, one version, two versions, a card and tags, each of a real repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.workbench import Said, refused
from tests.promotion.shop import NEW, OLD, Shop, run


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop that no test changes but by tags, which each takes away again."""
    shop = Shop(tmp_path_factory.mktemp("models") / "repo")
    run(shop.root, "config", "user.name", "Ada")
    run(shop.root, "config", "user.email", "ada@example.com")
    return shop


@pytest.fixture
def fresh(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path / "repo")
    run(shop.root, "config", "user.name", "Ada")
    run(shop.root, "config", "user.email", "ada@example.com")
    return shop


def value(said: Said) -> Any:
    assert said.code == 0, said
    return json.loads(said.out)


def tags(shop: Shop, where: str = "root") -> dict[str, str]:
    """Return every tag with the commit that it leads to."""
    found = run(getattr(shop, where), "tag", "--format=%(refname:strip=2) %(*objectname)")
    return dict(line.split(" ") for line in found.splitlines())


@pytest.mark.parametrize("arguments", [("models",), ("models", "list")])
def test_the_table_shows_each_version_below_its_parent(shop: Shop, arguments: tuple[str, ...]) -> None:
    said = shop.loop(*arguments)
    assert said.code == 0, said
    head, base, old, new = said.out.splitlines()
    assert head.split() == ["version", "type", "data", "trained", "figures", "gates", "serves"]
    assert base.startswith("bookshop-base") and old.startswith(f"  {OLD}") and new.startswith(f"    {NEW}")
    assert "staging: baseline; production: baseline" in old and "not evaluated" in old
    assert "PASS" in new and "regression_accuracy 0.95" in new


def test_programs_get_every_version(shop: Shop) -> None:
    found = value(shop.loop("models", "--json"))
    old, new = found["versions"]
    assert (found["base"], old["name"], new["parent"]) == ("bookshop-base", OLD, OLD)
    assert new["served"] == shop.served() and new["gates_verdict"] == "PASS"
    assert new["figures"]["regression_accuracy"] == {"value": 0.95, "low": 0.92, "high": 0.97, "n": 200}
    assert [place["role"] for place in old["places"]] == ["baseline", "baseline"]


def test_one_version_is_shown_with_lineage_bytes_and_files(shop: Shop) -> None:
    said = shop.loop("models", "show", NEW)
    assert said.code == 0, said
    for part in (
        f"bookshop-base -> {OLD} -> {NEW}",
        f"models/{NEW}: here, as models/{NEW}.dvc has them",
        "nowhere, by what Git says",
        f"models/reports/{NEW}/evaluation.json",
        "0.95 [0.92 to 0.97] n=200",
    ):
        assert part in said.out, said.out
    assert value(shop.loop("models", "show", NEW, "--json"))["lineage"] == ["bookshop-base", OLD, NEW]


def test_weights_that_are_away_changed_or_untracked_are_told(fresh: Shop) -> None:
    assert "here, in Git itself" in fresh.loop("models", "show", OLD).out
    run(fresh.root, "rm", "-r", "--quiet", "--cached", f"adapters/{OLD}")
    run(fresh.root, "commit", "--quiet", "--message=away")
    assert f"not tracked by DVC: `dvc add adapters/{OLD}`" in fresh.loop("models", "show", OLD).out
    folder = fresh.root / "models" / NEW
    folder.rename(folder.with_name("aside"))
    assert f"not here: `dvc pull models/{NEW}`" in fresh.loop("models", "show", NEW).out


def test_a_candidate_is_shown_with_its_stage_and_what_the_runner_said(fresh: Shop) -> None:
    text = fresh.bench.files.texts["loop.yaml"]
    fresh.write(
        "loop.yaml", text.replace("    baseline: chat-v1.0\n", f"    baseline: {OLD}\n    {TRIAL}\n", 1)
    )
    from runner.cli.status import REQUIRED
    from runner.reconcile.state import StatePaths, write_json
    from runner.reconcile.status import FORMAT

    adapter = {"version": NEW, "role": "candidate", "verified": ["http://a"], "replicas": 2}
    status = {**dict.fromkeys(REQUIRED), "format": FORMAT, "at": 0.0, "adapters": [adapter], "rollout": None}
    write_json(StatePaths(fresh.root, "staging").status, status)
    said = fresh.loop("models")
    assert "staging: candidate (canary)" in said.out
    assert f"{NEW}: live in staging: candidate, 1 of 2 replicas have verified it" in said.out


TRIAL = f"rollout: {{candidate: {NEW}, stage: canary}}"


def test_two_versions_are_told_apart_by_figures_recipe_data_and_gates(shop: Shop) -> None:
    said = shop.loop("models", "compare", OLD, NEW)
    assert said.code == 0, said
    assert said.out.startswith(f"{NEW} beside {OLD}: {OLD} is the parent of {NEW}")
    found = value(shop.loop("models", "compare", OLD, NEW, "--json"))
    accuracy = next(pair for pair in found["figures"] if pair["metric"] == "regression_accuracy")
    # The parent's figure is what the child's evaluation measured of it, on the same questions.
    assert (accuracy["one"]["value"], accuracy["other"]["value"], accuracy["apart"]) == (0.94, 0.95, False)
    assert {each["what"] for each in found["adapter"]} >= {"type", "parent", "digest"}
    assert {each["what"] for each in found["recipe"]} >= {"recipe", "beta"}
    assert ("data set", "bookshop-sft", "bookshop-preferences") in [
        tuple(each.values()) for each in found["data"]
    ]
    assert shop.loop("models", "compare", OLD, NEW, "--markdown").out.startswith(f"## {NEW} beside {OLD}")


def test_a_version_differs_in_nothing_from_itself(shop: Shop) -> None:
    found = value(shop.loop("models", "compare", NEW, NEW, "--json"))
    assert found["relation"] == "the same version"
    assert not any(found[part] for part in ("gates", "adapter", "recipe", "data", "notes"))
    assert all(pair["change"] == 0 and not pair["apart"] for pair in found["figures"])


def test_a_card_is_made_of_what_is_known_now(shop: Shop) -> None:
    said = shop.loop("models", "card", NEW)
    assert said.code == 0 and f"# {NEW}" in said.out and f"Against {OLD}: **PASS**" in said.out
    assert value(shop.loop("models", "card", NEW, "--json"))["card"] == said.out


@pytest.mark.parametrize("arguments", [("show",), ("card",), ("tag",), ("compare", OLD)])
def test_a_version_that_is_not_there_is_told_with_those_that_are(
    shop: Shop, arguments: tuple[str, ...]
) -> None:
    said = shop.loop("models", *arguments, "chat-v1.7")
    refused(said, "there is no version 'chat-v1.7'", f"known: {OLD}, {NEW}", "did you mean 'chat-v1.")


def test_a_version_is_tagged_where_it_was_registered_and_a_stage_counts_on(fresh: Shop) -> None:
    commit = run(
        fresh.root, "log", "-1", "--format=%H", "--diff-filter=A", "--", f"models/{OLD}.yaml"
    ).strip()
    made = value(fresh.loop("models", "tag", OLD, "--stage", "staging", "--json"))
    assert made["made"] == ["chat@v1.0.0", "chat#staging#1"] and made["commit"] == commit
    again = value(fresh.loop("models", "tag", OLD, "--stage", "staging", "--json"))
    assert (again["made"], again["there"]) == ([], ["chat@v1.0.0", "chat#staging#1"])
    assert tags(fresh) == {"chat@v1.0.0": commit, "chat#staging#1": commit}
    assert run(fresh.root, "cat-file", "-t", "chat@v1.0.0").strip() == "tag"
    assert "chat@v1.0.0, chat#staging#1" in fresh.loop("models", "show", OLD).out


def test_tags_are_pushed_to_the_remote_of_loop_yaml(fresh: Shop) -> None:
    said = fresh.loop("models", "tag", OLD, "--stage", "production", "--push")
    assert said.code == 0, said
    assert tags(fresh, "bare") == tags(fresh) != {}
    fresh.bare.rename(fresh.bare.with_name("away"))
    refused(
        fresh.loop("models", "tag", OLD, "--push"),
        "did not take the tags",
        "tags were made here, and not pushed",
    )


def test_tags_say_nothing_that_git_does_not(fresh: Shop) -> None:
    refused(fresh.loop("models", "tag", NEW), f"no commit of this branch brought in models/{NEW}.yaml")
    refused(
        fresh.loop("models", "tag", NEW, "--stage", "staging"), "'staging' has another version", f"is {OLD}"
    )
    refused(fresh.loop("models", "tag", OLD, "--stage", "mars"), "there is no environment 'mars'")
    run(fresh.root, "commit", "--quiet", "--allow-empty", "--message=later")
    run(fresh.root, "tag", "--annotate", "--message=by hand", "chat@v1.0.0")
    refused(fresh.loop("models", "tag", OLD), "tag 'chat@v1.0.0' names another commit", "registered by:")


def test_options_before_a_command_are_refused(shop: Shop) -> None:
    refused(shop.loop("models", "--json", "show", NEW), "--json belongs behind 'show'")
    refused(shop.loop("models", "shw", NEW), "did you mean 'show'?")
    refused(
        shop.loop("models", "compare", OLD, NEW, "--json", "--markdown"), "say --markdown or --json, not both"
    )
