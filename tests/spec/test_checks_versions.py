"""Versions and data sets: every name leads somewhere, and bytes are what their digests say."""

from __future__ import annotations

import pytest

from runner.errors import Severity

PRODUCTION = ("environments", "production")
FETCH = "run `.venv/bin/dvc pull"


@pytest.mark.parametrize(
    ("keys", "value", "line"),
    [
        (("baseline",), "chat-v1.9", "baseline: chat-v1.9"),
        (("standby",), "chat-v1.9", "standby: chat-v1.9"),
        (("rollout",), {"candidate": "chat-v1.9", "stage": "canary"}, "candidate: chat-v1.9"),
        (("shadow",), {"version": "chat-v1.9"}, "version: chat-v1.9"),
        (("experiments",), [{"name": "x", "versions": ["chat-v1.0", "chat-v1.9"]}], "- chat-v1.9"),
    ],
)
def test_an_unknown_version_is_refused_wherever_it_is_named(repository, keys, value, line):
    repository.set("loop.yaml", *PRODUCTION, *keys, to=value)
    known = "known: chat-v1.0, chat-v1.1"
    repository.refuses("unknown version 'chat-v1.9'", line=line, evidence=known, fix="did you mean 'chat-v1.")


@pytest.mark.parametrize(
    ("keys", "value", "summary"),
    [
        (("rollout",), {"candidate": "chat-v1.0", "stage": "canary"}, "both candidate and baseline"),
        (("standby",), "chat-v1.0", "both standby and baseline"),
        (("shadow",), {"version": "chat-v1.0"}, "would shadow itself"),
    ],
)
def test_a_version_cannot_play_two_roles(repository, keys, value, summary):
    repository.set("loop.yaml", *PRODUCTION, *keys, to=value)
    repository.refuses(
        summary, line="standby" if keys == ("standby",) else next(iter(value)), fix="name another version"
    )


def test_a_candidate_cannot_be_the_standby(repository):
    repository.set("loop.yaml", *PRODUCTION, "standby", to="chat-v1.1")
    repository.set("loop.yaml", *PRODUCTION, "rollout", to={"candidate": "chat-v1.1", "stage": "canary"})
    repository.refuses("both candidate and standby", line="candidate:")


def test_an_unknown_parent_is_refused(repository):
    repository.set("models/chat-v1.1.yaml", "parent", to="chat-v0.9")
    repository.refuses("unknown version 'chat-v0.9'", line="parent:", evidence="chat-v1.0")


def test_a_cycle_of_parents_is_told_once_and_with_its_way(repository):
    repository.set("models/chat-v1.1.yaml", "parent", to="chat-v1.0")
    repository.set("models/chat-v1.0.yaml", "parent", to="chat-v1.1")
    way = "chat-v1.0 -> chat-v1.1 -> chat-v1.0"
    repository.refuses(
        "versions are each other's parents", line="parent:", evidence=way, fix="correct the parent"
    )


def test_a_version_cannot_be_its_own_parent(repository):
    repository.set("models/chat-v1.1.yaml", "parent", to="chat-v1.1")
    repository.refuses("each other's parents", line="parent:", evidence="chat-v1.1 -> chat-v1.1")


def test_an_adapter_of_another_base_model_is_refused(repository):
    repository.set("models/chat-v1.0.yaml", "base_model", to="other-base")
    repository.refuses(
        "stands on 'other-base'", line="base_model:", evidence="bookshop-base", fix="fits no other"
    )


def test_an_unknown_recipe_is_refused(repository):
    repository.set("models/chat-v1.0.yaml", "training", "recipe", to="stf")
    repository.refuses("unknown recipe 'stf'", line="recipe: stf", evidence="dpo", fix="did you mean 'sft'?")


def test_a_recipe_of_another_type_is_refused(repository):
    repository.set("models/chat-v1.0.yaml", "type", to="DPO")
    repository.refuses("recipe 'sft' is SFT, and the version says DPO", line="recipe: sft", fix="correct")


def test_an_unknown_dataset_is_refused(repository):
    repository.set("models/chat-v1.0.yaml", "training", "dataset", to="bookshop-stf")
    repository.refuses(
        "unknown dataset", line="dataset:", evidence="bookshop-ood", fix="did you mean 'bookshop-sft'?"
    )


@pytest.mark.parametrize("path", ["models/chat-v1.0.yaml", "datasets/bookshop-sft.yaml"])
def test_a_file_has_the_name_of_what_is_in_it(repository, path):
    repository.set(path, "name", to="other")
    repository.refuses(
        "differs from the file's name", line="name: other", evidence=path, fix="rename the file"
    )


def test_a_digest_that_does_not_match_the_bytes_is_refused_with_both(repository):
    repository.digests["models/chat-v1.0"] = "d" * 64
    evidence = f"declared: {'a' * 64}\nactual:   {'d' * 64}"
    repository.refuses(
        "digest does not match", line="digest:", evidence=evidence, fix=f"{FETCH} models/chat-v1.0"
    )


def test_a_base_model_whose_digest_does_not_match_is_refused(repository):
    repository.digests["models/base"] = "d" * 64
    repository.refuses("digest does not match", line="digest:", evidence="c" * 64, fix=f"{FETCH} models/base")


def test_bytes_that_are_not_here_are_a_warning_and_not_a_match(repository):
    del repository.digests["models/chat-v1.0"]
    repository.refuses(
        "not checked", line="digest:", fix=f"{FETCH} models/chat-v1.0", severity=Severity.WARNING
    )


@pytest.mark.parametrize(
    "revision", ["v0.1.0", "main", "0123456", "0123456789ABCDEF0123456789ABCDEF01234567"]
)
def test_the_code_that_trained_a_version_is_a_commit_in_full(repository, revision):
    repository.set("models/chat-v1.0.yaml", "training", "revision", to=revision)
    repository.refuses("a Git commit of 40 hex digits", line="revision:")
