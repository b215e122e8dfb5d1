"""The files of a new repository: valid whatever was chosen, and each fact in one place."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from datetime import date
from itertools import product
from pathlib import Path

import pytest
import yaml

import runner
from runner.errors import TerminalError
from runner.scaffold import source as sources
from runner.scaffold.choices import MODEL_FOLDER, Base, Choices, First, check
from runner.scaffold.render import render
from runner.scaffold.source import Source
from runner.spec import schemas
from runner.spec.files import MemoryFiles
from runner.spec.load import Loaded, load

CHECKOUT = Path(__file__).resolve().parents[2]
SOURCE = Source(CHECKOUT, "c" * 40, "https://git.example/loop.git")
DAY = date(2026, 11, 22)
ALL_DIGITS, LIKE_A_NUMBER = "0" * 64, "1e" + "5" * 62
BASES = (
    Base("base", MODEL_FOLDER, digest=ALL_DIGITS),
    Base("Qwen/Qwen2.5-0.5B-Instruct", "Qwen/Qwen2.5-0.5B-Instruct", revision="7" * 40),
    Base("true", "acme/null", unpinned="it did not answer"),
)
FIRSTS = (
    First("chat-v0.0", LIKE_A_NUMBER, 1, brought=False),
    First("chat-v1.0", "a" * 64, 100, brought=True),
)
ENGINES = ((), ("http://10.0.0.1:8000",), ("https://a.example:443/", "http://[::1]:8000"))
HOSTS: tuple[tuple[str | None, str | None], ...] = (
    (None, None),
    ("acme/models", None),
    ("acme/models", "git@git.example:acme/models.git"),
    (None, "/srv/git/models.git"),
)


@pytest.fixture(scope="module", autouse=True)
def schemas_once() -> Iterator[None]:
    """The schemas hang on no choice, and making them is what takes time."""
    made = schemas.render()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schemas, "render", lambda: made)
        yield


def chosen(**other: object) -> Choices:
    plain = {"name": "shop", "base": BASES[0], "first": FIRSTS[0]}
    return Choices(**{**plain, **other})  # type: ignore[arg-type]


def loaded(choices: Choices) -> tuple[dict[str, bytes], Loaded]:
    files = render(choices, SOURCE, DAY)
    digests = {f"models/{choices.first.name}": choices.first.digest}
    if choices.base.digest:
        digests[choices.base.path] = choices.base.digest
    return files, load(MemoryFiles(files, digests))


@pytest.mark.parametrize("base", BASES, ids=["local", "pinned", "unpinned"])
@pytest.mark.parametrize("first", FIRSTS, ids=["untrained", "brought"])
def test_every_combination_of_choices_is_valid_without_a_warning(base: Base, first: First) -> None:
    for engines, (repository, remote) in product(ENGINES, HOSTS):
        choices = chosen(base=base, first=first, engines=engines, repository=repository, remote=remote)
        _, found = loaded(choices)
        assert found.diagnostics == (), choices
        assert found.spec is not None
        loop = found.spec.loop
        production = loop.environments["production"]
        assert (loop.base_model.name, loop.base_model.path) == (base.name, base.path)
        assert (loop.base_model.digest, loop.base_model.revision) == (base.digest, base.revision)
        assert production.engine.replicas == engines
        assert production.engine.managed is not bool(engines)
        assert production.engine.max_lora_rank >= max(16, first.rank)
        assert production.baseline == first.name
        assert (loop.git is not None) is (repository is not None or remote is not None)


@pytest.mark.parametrize(
    "name", ["true", "null", "1", "1e5", "0x1f", "a.b", "x_-y", "9" * 60, "no", "2026-11-22"]
)
def test_a_name_that_yaml_would_take_for_something_else_stays_a_name(name: str) -> None:
    _, found = loaded(chosen(name=name))
    assert found.spec is not None, found.diagnostics
    assert found.spec.loop.name == name
    assert f"{name}-demonstrations" in found.spec.datasets


def test_the_shipped_addresses_follow_from_the_shipped_port_and_move_with_another_one() -> None:
    shipped = yaml.safe_load((CHECKOUT / "loop.yaml").read_text())["environments"]
    for name, choices in (("shipped", chosen()), ("moved", chosen(gateway="0.0.0.0:9000"))):
        made = yaml.safe_load(render(choices, SOURCE, DAY)["loop.yaml"])["environments"]
        for environment in ("staging", "production"):
            for part in ("engine", "gateway", "monitor", "console"):
                was, now = (each[environment][part]["listen"].rpartition(":") for each in (shipped, made))
                assert int(now[2]) - int(was[2]) == (0 if name == "shipped" else 920)
                outside = name == "moved" and (environment, part) == ("production", "gateway")
                assert now[0] == ("0.0.0.0" if outside else "127.0.0.1")


def test_policies_that_fit_every_model_are_the_shipped_ones() -> None:
    files = render(chosen(), SOURCE, DAY)
    for name in sources.POLICIES:
        shipped = (CHECKOUT / "policies" / f"{name}.yaml").read_text()
        assert files[f"policies/{name}.yaml"].decode() == shipped.replace("bookshop-", "shop-")


def test_nothing_speaks_of_the_bookshop() -> None:
    files = render(chosen(repository="acme/models"), SOURCE, DAY)
    own = {path: text for path, text in files.items() if not path.startswith(("schemas/", ".github/"))}
    assert [path for path, text in own.items() if b"bookshop" in text] == []


def test_workflows_are_the_shipped_ones_but_for_the_one_that_tests_loop_itself() -> None:
    files = render(chosen(repository="acme/models"), SOURCE, DAY)
    folder = CHECKOUT / ".github"
    shipped = {path.name for path in (folder / "workflows").iterdir()}
    made = {path.rpartition("/")[2] for path in files if path.startswith(".github/workflows/")}
    assert made == shipped - {"ci.yml"}
    for path in files:
        if path.startswith(".github/"):
            assert files[path] == (CHECKOUT / path).read_bytes()
    text = b"".join(text for path, text in files.items() if path.startswith(".github/workflows/")).decode()
    named = set(re.findall(r"(?:\.github/scripts|requirements)/[a-z_-]+\.(?:py|sh)", text))
    assert named and named <= set(files), "a workflow runs what the repository has not"


def test_without_a_git_host_there_are_no_workflows() -> None:
    assert not [path for path in render(chosen(), SOURCE, DAY) if path.startswith(".github")]


def test_stages_of_promotion_grow_as_everywhere() -> None:
    _, found = loaded(chosen())
    assert found.spec is not None
    stages = found.spec.policies.rollout.stages
    assert [stage.traffic for stage in stages] == [0.05, 0.2, 0.5, 1.0]


def test_every_gate_that_production_asks_for_is_a_gate_of_the_policy() -> None:
    _, found = loaded(chosen())
    assert found.spec is not None
    soak = found.spec.loop.environments["production"].promote_after
    assert soak is not None
    assert set(soak.gates) <= set(found.spec.policies.evaluation.gates)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("name", value)
        for value in (
            "",
            "..",
            "../x",
            "A",
            "-x",
            "a b",
            "a\nb",
            "a'b",
            'a"b',
            "ä",
            "x" * 61,
            "a/b",
            "{{7*7}}",
        )
    ]
    + [("repository", value) for value in ("x", "a/b/c", "a b/c", "a/b\n", "https://git.example/a/b", "ä/b")]
    + [("served_as", value) for value in ("", "a b", "-x", 'a"b', "x" * 201, "a\nb")]
    + [
        ("gateway", value)
        for value in ("8080", "a:0", "127.0.0.1:65535", "127.0.0.1:x", "a b:80", "a:8080\n")
    ]
    + [
        ("engine", (value,))
        for value in (
            "10.0.0.1:8000",
            "http://a",
            "http://a:8000/v1",
            "http://a:99999",
            "ftp://a:21",
            "http://u:p@a:80",
            "http://a:80\n",
            "http://a b:80",
        )
    ]
    + [("engine", ("http://a:80", "http://a:80/"))]
    + [("remote", value) for value in ("", " ", "--upload-pack=x", "a\nb", "https://u:secret@git.example/x")]
    + [("remote", "https://ghp_secret@github.com/a/b")]
    + [
        (option, f"https://h/x?token=secret{mark}")
        for option in ("remote", "dvc_remote")
        for mark in ("", " ", "@b")
    ]
    + [(option, "https://u:secret/pass@h/x") for option in ("remote", "dvc_remote")]
    + [("dvc_remote", "https://u:secret@h/%(x)s"), ("dvc_remote", "s3://b/c?sig=secret")]
    + [("dvc_remote", value) for value in ("a\nb", "s3://u:secret@b/c", "javascript://x", 'a"b', "%(x)s")],
)
def test_what_cannot_stand_in_a_file_is_refused_and_no_secret_is_repeated(option: str, value: object) -> None:
    with pytest.raises(TerminalError) as refused:
        check({option: value})
    assert f"--{option.replace('_', '-')}" in str(refused.value)
    assert "secret" not in str(refused.value) and ":p@" not in str(refused.value)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(TerminalError) as refused:
        check({"name": "A", "gateway": "x", "engine": ("y",), "remote": "", "repository": "z"})
    assert len(refused.value.diagnostics) == 5


def test_an_address_of_ssh_has_a_user_who_is_no_secret() -> None:
    check({"remote": "ssh://git@git.example/a/b.git", "dvc_remote": "ssh://data@store.example/x"})
    check({"remote": "git@github.com:acme/models.git"})


def test_a_remote_of_loop_is_written_as_others_can_fetch_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "loop"
    (root / ".github" / "workflows").mkdir(parents=True)
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "x"], check=True)
    monkeypatch.setattr(runner, "__file__", str(root / "runner" / "__init__.py"))
    assert (sources.running().url, sources.running().pushed) == (str(root), True)
    for remote, written in (
        ("ssh://git@git.example/acme/loop.git", "ssh://git@git.example/acme/loop.git"),
        ("git@git.example:acme/loop.git", "git@git.example:acme/loop.git"),
        ("https://u:secret@git.example/loop.git?a=secret", "https://git.example/loop.git"),
        ("../other.git", str(tmp_path / "other.git")),
    ):
        subprocess.run([*git, "config", "remote.origin.url", remote], check=True)
        found = sources.running()
        assert (found.url, found.pushed) == (written, False)
    subprocess.run([*git, "update-ref", "refs/remotes/origin/main", "HEAD"], check=True)
    assert sources.running().pushed


def test_an_installed_loop_has_the_templates_with_it() -> None:
    from flit_core.common import Module

    packed = {Path(path).relative_to(CHECKOUT).as_posix() for path in Module("runner", CHECKOUT).iter_files()}
    folder = CHECKOUT / "runner" / "scaffold" / "templates"
    templates = {path.relative_to(CHECKOUT).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert len(templates) == 15 and templates <= packed
