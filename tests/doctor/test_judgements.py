"""What `loop doctor` makes of what it saw: every bound from both sides, and a fix wherever something is not well."""

from __future__ import annotations

import asyncio
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from runner.data.tracking import Tracked, Tracking
from runner.doctor import addresses, data, engine, finding, forge, machine, packages, pages, repository
from runner.doctor.addresses import Held, Holder
from runner.doctor.finding import Finding, Look, Verdict
from runner.doctor.machine import GIB, Hardware
from runner.errors import Diagnostic, Severity, Unknown, terminal
from runner.serving.engine import ServedModel
from runner.spec.environment import BaseModelRef, Engine, Forge, GitSettings
from runner.spec.load import Loaded

OK, WARNING, FAILED, UNCHECKED = Verdict.OK, Verdict.WARNING, Verdict.FAILED, Verdict.UNCHECKED
NOT_WELL = (WARNING, FAILED)
GITHUB = Forge(kind="github", repository="acme/shop")


def well_told(found: Finding) -> None:
    assert found.what and found.evidence
    assert bool(found.fix) or found.verdict not in NOT_WELL, found


@pytest.mark.parametrize(
    ("key", "little", "enough", "verdict"),
    [
        ("cores", 1, 2, WARNING),
        ("memory", 4 * GIB - 1, 4 * GIB, WARNING),
        ("disk", 10 * GIB - 1, 10 * GIB, WARNING),
        ("disk", GIB - 1, 10 * GIB, FAILED),
        ("open_files", 4095, 4096, WARNING),
    ],
)
def test_each_bound_of_the_machine_has_two_sides(
    key: str, little: int, enough: int, verdict: Verdict
) -> None:
    plenty: dict[str, Any] = {"cores": 8, "memory": 64 * GIB, "disk": 99 * GIB, "open_files": 99999}
    for value, wanted in ((little, [verdict]), (enough, [])):
        found = list(machine.hardware(Hardware(folder=Path("/x"), **{**plenty, key: value})))
        assert [each.verdict for each in found if each.verdict is not OK] == wanted
        assert len(found) == 4
        for each in found:
            well_told(each)


def test_a_system_that_does_not_tell_its_memory_is_not_called_well() -> None:
    found = machine.hardware(Hardware(8, None, 99 * GIB, Path("/x"), 99999))
    assert [each.verdict for each in found if each.what == "memory"] == [UNCHECKED]


@pytest.mark.parametrize(
    ("synchronised", "ahead", "verdict"),
    [
        (True, 0, OK),
        (True, 301, WARNING),
        (False, 0, WARNING),
        (None, 0, UNCHECKED),
        (None, 301, WARNING),
        (True, None, OK),
        (True, -9999, OK),
    ],
)
def test_a_clock_is_late_where_a_commit_comes_from_the_future(
    synchronised: bool | None, ahead: int | None, verdict: Verdict
) -> None:
    found = machine.judge_clock(synchronised, None if ahead is None else 1000.0 + ahead, 1000.0)
    assert found.verdict is verdict
    well_told(found)


def test_programs_and_gpus() -> None:
    assert machine.judge_python((3, 10, 9)).verdict is FAILED
    assert machine.judge_python((3, 11, 0)).verdict is OK
    assert [machine.judge_gpu(each).verdict for each in (None, (), ("H200",))] == [UNCHECKED, WARNING, OK]
    missing = {"make": None, "node": None}
    for git, verdict in ((None, FAILED), ((2, 29, 9), FAILED), ((2, 30), OK)):
        found = {each.what: each.verdict for each in machine.judge_tools(git, missing)}
        assert found == {"git": verdict, "make": WARNING, "node": UNCHECKED}


LOCKS = {
    "core": {"a": "1"},
    "serve-cpu": {"v-cpu": "1", "torch": "2+cpu"},
    "serve-gpu": {"v": "1", "torch": "2"},
    "console": {"g": "1"},
}


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ({"a": "1", "v-cpu": "1", "torch": "2", "g": "1"}, (OK, OK, UNCHECKED, OK)),
        ({"a": "1", "v": "1", "torch": "2+cu130", "g": "1"}, (OK, UNCHECKED, OK, OK)),
        ({"a": "2", "torch": "2"}, (WARNING, FAILED, FAILED, FAILED)),
        ({}, (FAILED, FAILED, FAILED, FAILED)),
    ],
)  # fmt: skip
def test_a_group_is_needed_where_the_repository_asks_for_it_and_one_engine_will_do(
    installed: dict[str, str], expected: tuple[Verdict, ...]
) -> None:
    wanted = frozenset({"core", "serve-cpu", "serve-gpu", "console"})
    found = list(packages.judge(LOCKS, installed.get, wanted))
    assert {each.what: each.verdict for each in found} == dict(zip(LOCKS, expected, strict=True))
    for each in found:
        well_told(each)


def test_what_nobody_asks_for_may_be_missing() -> None:
    found = list(packages.judge(LOCKS, {"a": "1"}.get, frozenset({"core"})))
    assert [each.verdict for each in found] == [OK, UNCHECKED, UNCHECKED, UNCHECKED]
    assert [each.verdict for each in packages.judge({}, {"a": "1"}.get, frozenset())] == [UNCHECKED]


def test_the_locked_requirements_beside_loop_are_read() -> None:
    locks = packages._locks(packages._folder())
    assert set(locks) == set(packages.GROUPS)
    here = packages.installed(sys.path)
    assert locks["core"]["pydantic"] == here("pydantic") == here("Pydantic")
    assert locks["data"]["great-expectations"] == here("great_expectations")
    assert here("no-such-package") is None


def test_the_desired_state_is_judged_by_its_worst() -> None:
    error, mild = Diagnostic("bad"), Diagnostic("so so", severity=Severity.WARNING)
    cases = (
        (None, FAILED),
        (Loaded(None, (mild, error)), FAILED),
        (Loaded(None, (mild,)), WARNING),
        (Loaded(None, ()), OK),
    )
    for loaded, verdict in cases:
        found = repository.judge_desired(loaded)
        assert found.verdict is verdict
        well_told(found)


def test_branches() -> None:
    follows = GitSettings(branch="main")
    cases = (
        (None, None),
        (None, follows),
        ("main", None),
        ("main", follows),
        ("other", None),
        ("other", follows),
    )
    found = [repository.judge_branch(branch, settings) for branch, settings in cases]
    assert [each.verdict for each in found] == [WARNING, WARNING, OK, OK, OK, WARNING]
    for each in (*found, repository.judge_clean(("a", "b", "c", "d")), repository.judge_clean(())):
        well_told(each)


def test_every_combination_of_what_a_replica_says() -> None:
    digests, roots, names = (None, "0" * 64), ("acme/base", "/models/base"), ("base", "another")
    said = product(digests, roots, names, (True, False, None), (None, 1, 4), ("0.32.0", "0.9.1", "unknown"))
    for digest, root, name, runtime, room, version in said:
        models = (ServedModel(name, root, None), ServedModel("base", "/x", "another"))
        replica = engine.Replica(version, models, runtime, room)
        base = BaseModelRef(name="base", path="acme/base", digest=digest)
        found = list(engine.judge("x", replica, Engine(replicas=("http://x:1",), max_loras=4), base))
        for each in found:
            well_told(each)
        served = FAILED if name != "base" else WARNING if digest is None and root != "acme/base" else OK
        assert [each.verdict for each in found] == [
            OK if version == "0.32.0" else WARNING,
            served,
            {True: OK, False: FAILED, None: UNCHECKED}[runtime],
            {None: UNCHECKED, 1: FAILED, 4: OK}[room],
        ]


@pytest.mark.parametrize(
    ("holder", "answer"), list(product(Holder, (None, (200, "ok"), (503, "no routes"), (404, ""))))
)
def test_an_address_is_well_only_where_it_is_free_or_its_own_process_is_ready(
    holder: Holder, answer: tuple[int, str] | None
) -> None:
    listener = pages.Listener("gateway", "gateway", "127.0.0.1:1", "/readyz", "gateway")
    found = pages.judge(listener, Held(holder, "somebody"), answer)
    well_told(found)
    ready = answer is not None and answer[0] == 200
    assert (found.verdict is OK) == (holder is Holder.NOBODY or (ready and holder is not Holder.CLOSED))


ANSWERS: tuple[tuple[int | None, Any, Verdict], ...] = (
    (None, "TimeoutError", FAILED),
    (401, {}, FAILED),
    (404, {}, FAILED),
    (301, {}, FAILED),
    (500, {}, UNCHECKED),
    (403, {}, UNCHECKED),
    (200, {}, UNCHECKED),
    (200, [], UNCHECKED),
    (200, {"permissions": {"push": False}}, FAILED),
    (200, {"permissions": {"push": True}}, OK),
    (200, {"permissions": {"push": True}, "archived": True}, FAILED),
    (200, {"permissions": {"push": True}, "disabled": True}, WARNING),
)


@pytest.mark.parametrize(("status", "body", "verdict"), ANSWERS)
def test_a_token_is_well_only_where_the_host_says_that_it_may_write(
    status: int | None, body: Any, verdict: Verdict
) -> None:
    found = forge.judge(GITHUB, status, body)
    assert found.verdict is verdict
    well_told(found)


def test_the_store_of_models() -> None:
    cases: tuple[tuple[tuple[str, ...] | Unknown, Verdict], ...] = (
        (Unknown("DVC has no default remote"), WARNING),
        (Unknown("no route to host"), FAILED),
        (("a: only here",) * 5, WARNING),
        ((), OK),
    )
    found = [data.judge_remote(each) for each, _ in cases]
    assert [each.verdict for each in found] == [verdict for _, verdict in cases]
    tracking = Tracking(tuple(Tracked(f"models/{i}", "0" * 32, 1, "x.dvc") for i in range(5)))
    found += [
        data.judge_here(tracking, lambda path: path != "models/1"),
        data.judge_here(tracking, lambda _: True),
    ]
    found.append(data.judge_here(Tracking((), (Diagnostic("not YAML"),)), lambda _: True))
    assert [each.verdict for each in found[-3:]] == [WARNING, OK, FAILED]
    for each in found:
        well_told(each)


def test_a_webhook_and_a_receiver_are_told_without_what_is_secret_in_them() -> None:
    found = [
        pages.judge_webhook(None, {}),
        pages.judge_webhook("HOOK", {}),
        pages.judge_webhook("HOOK", {"HOOK": "https://secret"}),
        pages.judge_otlp("http://user:secret@x:1/v1", None),
        pages.judge_otlp("http://user:secret@x:1/v1", "connection refused"),
    ]
    assert [each.verdict for each in found] == [OK, WARNING, OK, OK, WARNING]
    assert not [each for each in found if "secret" in each.evidence]


def test_what_git_says_loses_its_secrets() -> None:
    said = "Cloning\nfatal: unable to access 'https://u:secret@git.example/x.git/': no route"
    assert repository._said(said) == "fatal: unable to access 'https://git.example/x.git/': no route"
    said = "fatal: unable to access 'https://git.example/x.git?token=secret/': no route"
    assert repository._said(said) == "fatal: unable to access 'https://git.example/x.git': no route"
    found = data.judge_remote(Unknown("ERROR: cannot reach https://h/x?sig=secret, sorry"))
    assert found.evidence == "it cannot be asked: ERROR: cannot reach https://h/x, sorry"


def test_an_engine_starts_well_only_where_the_whole_model_is_here(tmp_path: Path) -> None:
    base = BaseModelRef(name="small", path="models/base", digest="a" * 64)
    folder = tmp_path / base.path
    folder.mkdir(parents=True)
    for name, verdict in (("config.json", FAILED), ("model.safetensors", FAILED), ("tokenizer.json", OK)):
        (folder / name).write_text("{}")
        found = engine.judge_start("vllm-cpu", base, tmp_path, {})
        assert found.verdict is verdict
        well_told(found)


@pytest.mark.parametrize("revision", ["4" * 40, None])
def test_a_model_of_the_hub_is_well_only_where_the_cache_has_it(tmp_path: Path, revision: str | None) -> None:
    base = BaseModelRef(name="small", path="acme/small", revision=revision)
    cache = tmp_path / "hub" / "models--acme--small"
    snapshot = cache / "snapshots" / ("4" * 40)
    snapshot.mkdir(parents=True)
    environ = {"HF_HOME": str(tmp_path)}
    found = engine.judge_start("vllm-cpu", base, tmp_path, environ)
    assert found.verdict is UNCHECKED
    assert f"`hf download acme/small{f' --revision {revision}' if revision else ''}`" in found.fix
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("4" * 40)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (snapshot / name).write_text("{}")
    assert engine.judge_start("vllm-cpu", base, tmp_path, environ).verdict is OK
    assert (
        engine.judge_start("vllm-cpu", base, tmp_path, {"HF_HUB_CACHE": str(tmp_path)}).verdict is UNCHECKED
    )


def test_a_look_that_never_ends_is_told_and_holds_nobody_up() -> None:
    async def never() -> list[Finding]:
        return await finding.aside(lambda: __import__("threading").Event().wait())

    found = asyncio.run(finding.take(Look("x", "a dead disk", never, seconds=0.01)))
    assert [(each.what, each.verdict) for each in found] == [("a dead disk", UNCHECKED)]


def test_a_look_that_fails_is_told_in_its_own_words() -> None:
    async def refused() -> list[Finding]:
        raise terminal("no such thing", "seen nowhere", fix="make it")

    async def broken() -> list[Finding]:
        def read() -> list[Finding]:
            raise PermissionError(13, "Permission denied")

        return await finding.aside(read)

    for look, verdict, evidence in (
        (refused, FAILED, "no such thing; seen nowhere"),
        (broken, UNCHECKED, "permission denied"),
    ):
        (found,) = asyncio.run(finding.take(Look("x", "it", look)))
        assert (found.verdict, found.evidence) == (verdict, evidence)


@pytest.mark.parametrize(
    ("address", "reached"),
    [
        ("0.0.0.0:80", "127.0.0.1:80"),
        ("[::]:80", "[::1]:80"),
        ("a.example:80", "a.example:80"),
        ("[::1]:9", "[::1]:9"),
    ],
)
def test_who_listens_everywhere_is_called_here(address: str, reached: str) -> None:
    assert addresses.reached(address) == reached
