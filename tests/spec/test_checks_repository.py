"""The remote that is followed: its branch can exist, and what is secret stays so."""

from __future__ import annotations

import pytest

from runner.errors import Severity

FORGE = {"kind": "github", "repository": "acme/models"}
ROLLBACK = ("policies/rollout.yaml", "rollback", "webhook_env")


def test_a_remote_with_a_forge_is_taken_with_nothing_but_its_name(repository):
    _git(repository, forge=FORGE)
    loaded = repository.load()
    git = loaded.spec.loop.git
    assert loaded.diagnostics == ()
    assert (git.remote, git.branch, git.forge.token_env) == ("origin", "main", "GITHUB_TOKEN")
    assert git.forge.api == "https://api.github.com"


def test_without_a_remote_the_branch_that_is_checked_out_is_followed(repository):
    assert repository.load().spec.loop.git is None


@pytest.mark.parametrize("branch", ["main", "release/2026", "a.b", "prod_1"])
def test_a_branch_that_git_takes_is_taken(repository, branch):
    _git(repository, branch=branch)
    assert repository.load().diagnostics == ()


@pytest.mark.parametrize("branch", ["a..b", "main.lock", "a//b", "a/", "a/.b", "HEAD", "a.lock/b", "main."])
def test_a_branch_that_git_refuses_is_refused(repository, branch):
    _git(repository, branch=branch)
    repository.refuses(
        f"Git takes no branch named '{branch}'", line=f"branch: {branch}", fix="such as 'main'"
    )


@pytest.mark.parametrize("branch", ["--force", "+main", "main:x", "a b", ""])
def test_a_branch_that_git_would_read_as_something_else_is_refused(repository, branch):
    _git(repository, branch=branch)
    assert "'branch' should" in repository.only().summary


@pytest.mark.parametrize(("key", "value"), [("author", "Loop <x@y>"), ("email", "<loop@localhost>")])
def test_an_author_is_written_as_git_writes_it(repository, key, value):
    _git(repository, **{key: value})
    repository.refuses(f"'{key}' holds what Git would leave out", line=f"{key}:", fix="without '<' and '>'")


@pytest.mark.parametrize("name", ["models", "acme/models/more", "acme/", "https://github.com/acme/models"])
def test_a_repository_is_an_owner_and_a_name(repository, name):
    _git(repository, forge={**FORGE, "repository": name})
    assert "'repository' should" in repository.only().summary


@pytest.mark.parametrize("api", ["https://u:p@host/", "https://host/?x=1", "http://[", "https://host/#top"])
def test_the_api_is_an_address_without_anything_secret(repository, api):
    _git(repository, forge={**FORGE, "api": api})
    repository.refuses("is no address of an API", line="api:", fix="scheme, host and path")


def test_a_token_that_would_travel_unencrypted_is_a_warning(repository):
    _git(repository, forge={**FORGE, "api": "http://github.example.com/api/v3"})
    repository.refuses(
        "the token of GITHUB_TOKEN would go to 'github.example.com' without encryption",
        line="api:",
        fix="https",
        severity=Severity.WARNING,
    )


def test_a_forge_on_this_machine_needs_no_encryption(repository):
    _git(repository, forge={**FORGE, "api": "http://127.0.0.1:4010"})
    assert repository.load().diagnostics == ()


def test_one_variable_is_not_both_the_token_and_the_address_to_notify(repository):
    _git(repository, forge=FORGE)
    repository.set(*ROLLBACK, to="GITHUB_TOKEN")
    repository.refuses(
        "'GITHUB_TOKEN' is both token_env of forge and webhook_env of rollback",
        line="webhook_env: GITHUB_TOKEN",
        fix="a variable of its own",
    )


def test_replicas_of_two_environments_may_share_a_key(repository):
    for name in ("staging", "production"):
        repository.set("loop.yaml", "environments", name, "engine", "api_key_env", to="ENGINE_KEY")
    repository.set(*ROLLBACK, to="HOOK")
    assert repository.load().diagnostics == ()


def _git(repository, **settings):
    repository.set("loop.yaml", "git", to=settings)
