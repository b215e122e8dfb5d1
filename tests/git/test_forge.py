"""The forge: what is sent is what GitHub describes, and what comes back is understood or refused in words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from runner.errors import TerminalError, TransientError
from runner.git.forge import Forge, GitHub, Mark, NoForge, Pull, PullState, Status, connect
from runner.git.repository import Revision
from runner.spec.environment import GitSettings
from tests.git import mock_github

TOKEN = "ghp-very-secret"
SHA = Revision("6dcb09b5b57875f334f61aebed695e2e4193db5e")
MARK = Mark(Status.FAILURE, "loop/production", "rolled back", "https://loop.example.com/x")

Use = Callable[[Forge], Awaitable[object]]
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mock_github.described(tmp_path_factory.mktemp("mock") / "log") as address:
        yield address


def against(address: str, use: Use) -> object:
    async def run() -> object:
        async with aiohttp.ClientSession() as session:
            return await use(GitHub(session, "acme/models", TOKEN, address))

    return asyncio.run(run())


def served_by(answer: Answer, use: Use) -> object:
    """Run a client against a server on the loopback that answers everything with `answer`."""

    async def run() -> object:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        try:
            async with aiohttp.ClientSession() as session:
                return await use(GitHub(session, "acme/models", TOKEN, f"http://127.0.0.1:{port}/api/v3"))
        finally:
            await runner.cleanup()

    return asyncio.run(run())


def pull(number: int, branch: str, base: str = "main") -> dict[str, object]:
    return {
        "number": number,
        "html_url": f"https://github.example.com/acme/models/pull/{number}",
        "title": f"pull {number}",
        "head": {"ref": branch},
        "base": {"ref": base},
        "state": "open",
    }


# What GitHub describes


def test_a_pull_request_is_opened_as_github_describes_it(described: str) -> None:
    opened = against(described, lambda forge: forge.open_pull("loop/advance/é x", "main", "Advance", "why\n"))
    assert isinstance(opened, Pull)
    assert isinstance(opened.number, int)


def test_an_open_pull_request_of_the_branch_is_found_in_the_list_that_github_describes(
    described: str,
) -> None:
    # The mock answers with text "string" wherever its schema says text.
    found = against(described, lambda forge: forge.open_pull("string", "string", "t", "b"))
    assert isinstance(found, Pull)


def test_a_pull_request_gets_another_title_and_body_as_github_describes_it(described: str) -> None:
    found = against(described, lambda forge: forge.present("string", "string", "Promote é", "x" * 70_000))
    assert isinstance(found, Pull)


def test_what_became_of_a_branch_is_read_as_github_describes_it(described: str) -> None:
    found = against(described, lambda forge: forge.declined("string", "string"))
    assert found is None or isinstance(found, Pull)


@pytest.mark.parametrize("state", list(Status))
def test_a_status_is_set_as_github_describes_it(described: str, state: Status) -> None:
    for address in ("https://loop.example.com/x", ""):
        against(described, lambda forge, a=address: forge.set_status(SHA, Mark(state, "loop", "d" * 500, a)))


def test_the_state_of_a_pull_request_is_read_as_github_describes_it(described: str) -> None:
    assert against(described, lambda forge: forge.pull_state(7)) in set(PullState)


def test_the_mock_refuses_what_github_does_not_describe(described: str) -> None:
    async def post(forge: object) -> tuple[int, int]:
        async with aiohttp.ClientSession() as session:
            wrong = await session.post(f"{described}/repos/a/b/statuses/{SHA}", json={"state": "great"})
            unknown = await session.get(f"{described}/repos/a/b/nothing")
            return wrong.status, unknown.status

    assert against(described, post) == (422, 404)


# What comes back


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"state": "open", "merged": False}, PullState.OPEN),
        ({"state": "closed", "merged": False}, PullState.CLOSED),
        ({"state": "closed", "merged": True}, PullState.MERGED),
    ],
)
def test_a_pull_request_is_open_merged_or_closed(body: dict[str, object], expected: PullState) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.path == "/api/v3/repos/acme/models/pulls/7"
        return web.json_response(body)

    assert served_by(answer, lambda forge: forge.pull_state(7)) is expected


def test_a_branch_gets_one_pull_request_however_often_it_is_asked_for() -> None:
    opened: list[dict[str, object]] = []

    async def answer(request: web.Request) -> web.Response:
        if request.method == "GET":
            assert request.query["head"] == "acme:loop/advance"
            assert request.query["state"] == "open"
            return web.json_response(opened)
        asked = await request.json()
        opened.append(pull(len(opened) + 1, asked["head"], asked["base"]))
        return web.json_response(opened[-1], status=201)

    async def twice(forge: Forge) -> tuple[Pull, Pull]:
        one = await forge.open_pull("loop/advance", "main", "t", "b")
        return one, await forge.open_pull("loop/advance", "main", "t", "b")

    one, other = served_by(answer, twice)
    assert one == other
    assert len(opened) == 1


def test_a_pull_request_is_brought_up_to_date_only_where_its_words_differ() -> None:
    opened: list[dict[str, object]] = []
    asked: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.method, request.path.removeprefix("/api/v3/repos/acme/models/")))
        if request.method == "GET":
            return web.json_response(opened)
        words = await request.json()
        if request.method == "POST":
            opened.append({**pull(4, words["head"], words["base"]), **words})
            return web.json_response({**opened[-1], **pull(4, "promote")}, status=201)
        opened[0] |= words
        # GitHub gives back the line ends of the web.
        opened[0] |= pull(4, "promote") | {
            "title": words["title"],
            "body": words["body"].replace("\n", "\r\n"),
        }
        return web.json_response(opened[0])

    async def thrice(forge: Forge) -> None:
        for body in ("first", "second\n\nlines\n", "second\n\nlines\n"):
            opened[:] = [each | pull(4, "promote") | {"title": "Promote"} for each in opened]
            found = await forge.present("promote", "main", "Promote", body)
            assert found.number == 4

    served_by(answer, thrice)
    writes = [each for each in asked if each[0] != "GET"]
    assert writes == [("POST", "pulls"), ("PATCH", "pulls/4")]
    assert opened[0]["body"] == "second\r\n\r\nlines\r\n"


@pytest.mark.parametrize(
    ("newest", "said_no"),
    [
        ({"state": "open", "merged_at": None}, False),
        ({"state": "closed", "merged_at": None}, True),
        ({"state": "closed", "merged_at": "2026-11-21T09:30:00Z"}, False),
    ],
)
def test_a_person_declines_by_closing_the_newest_pull_request(
    newest: dict[str, object], said_no: bool
) -> None:
    older = {**pull(3, "promote"), "state": "closed", "merged_at": None}

    async def answer(request: web.Request) -> web.Response:
        assert request.query["state"] == "all"
        return web.json_response([{**pull(7, "promote"), **newest}, older])

    found = served_by(answer, lambda forge: forge.declined("promote", "main"))
    assert (isinstance(found, Pull) and found.number == 7) if said_no else found is None


def test_a_forge_without_its_token_says_so_with_every_call_and_not_before() -> None:
    settings = GitSettings.model_validate({"forge": {"kind": "github", "repository": "acme/models"}})

    async def use() -> None:
        async with aiohttp.ClientSession() as session:
            forge = connect(settings, session, {})
            for call in (
                forge.open_pull("b", "main", "t", "b"),
                forge.present("b", "main", "t", "b"),
                forge.declined("b", "main"),
                forge.set_status(SHA, MARK),
                forge.pull_state(1),
            ):
                with pytest.raises(TerminalError, match="GITHUB_TOKEN is not set"):
                    await call
            assert isinstance(connect(settings, session, {"GITHUB_TOKEN": TOKEN}), GitHub)
            assert isinstance(connect(None, session, {}), NoForge)

    asyncio.run(use())


def test_of_two_runners_that_open_at_once_the_second_returns_the_firsts() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.method)
        if request.method == "POST":
            return web.json_response({"message": "Validation Failed"}, status=422)
        return web.json_response([pull(5, "loop/advance")] if "POST" in asked else [])

    found = served_by(answer, lambda forge: forge.open_pull("loop/advance", "main", "t", "b"))
    assert isinstance(found, Pull)
    assert found.number == 5


def test_a_pull_request_on_a_later_page_is_found() -> None:
    async def answer(request: web.Request) -> web.Response:
        page = int(request.query.get("page", "1"))
        following = str(request.url.update_query(page=page + 1))
        pulls = [pull(9, "wanted")] if page == 3 else [pull(page, "other")]
        return web.json_response(pulls, headers={"Link": f'<{following}>; rel="next", <x>; rel="last"'})

    found = served_by(answer, lambda forge: forge.open_pull("wanted", "main", "t", "b"))
    assert isinstance(found, Pull)
    assert found.number == 9


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (429, {"Retry-After": "60"}),
        (403, {"Retry-After": "60"}),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795000000"}),
        (500, {}),
        (502, {}),
    ],
)
def test_a_limit_or_a_failure_of_the_service_is_for_later(status: int, headers: dict[str, str]) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"message": "slow down"}, status=status, headers=headers)

    with pytest.raises(TransientError, match="slow down") as error:
        served_by(answer, lambda forge: forge.set_status(SHA, MARK))
    assert "Retry-After" not in headers or "60 s" in str(error.value)


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_a_refusal_says_what_github_said_and_never_the_token(status: int) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        return web.json_response({"message": "No", "errors": [{"message": "because"}, "so"]}, status=status)

    async def use(forge: Forge) -> object:
        assert TOKEN not in repr(forge)
        return await forge.set_status(SHA, MARK)

    with pytest.raises(TerminalError, match="No; because; so") as error:
        served_by(answer, use)
    assert TOKEN not in str(error.value)


def test_a_renamed_repository_is_found_on_the_same_host() -> None:
    async def answer(request: web.Request) -> web.Response:
        if "/repositories/1/" not in request.path:
            moved = request.path.replace("/repos/acme/models/", "/repositories/1/")
            return web.Response(status=307, headers={"Location": moved})
        assert json.loads(await request.text())["state"] == "failure"
        return web.json_response({}, status=201)

    served_by(answer, lambda forge: forge.set_status(SHA, MARK))


@pytest.mark.parametrize("header", ["Location", "Link"])
def test_the_token_follows_no_address_to_another_host(header: str) -> None:
    stolen: list[str] = []

    async def thief(request: web.Request) -> web.Response:
        stolen.append(request.headers.get("Authorization", ""))
        return web.json_response([])

    async def use_both(forge: Forge) -> object:
        return await forge.open_pull("b", "main", "t", "b")

    async def run() -> None:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", thief)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        target = f"http://127.0.0.1:{runner.addresses[0][1]}/x"

        async def answer(request: web.Request) -> web.Response:
            if header == "Location":
                return web.Response(status=302, headers={"Location": target})
            return web.json_response([], headers={"Link": f'<{target}>; rel="next"'})

        try:
            await asyncio.to_thread(served_by, answer, use_both)
        finally:
            await runner.cleanup()

    with pytest.raises(TerminalError, match="gets no token" if header == "Location" else "status 200"):
        asyncio.run(run())
    assert stolen == []


def test_redirects_without_an_end_are_refused() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": str(request.url)})

    with pytest.raises(TerminalError, match="without an end"):
        served_by(answer, lambda forge: forge.pull_state(1))


def test_a_service_that_cannot_be_reached_is_for_later(free_port: int) -> None:
    with pytest.raises(TransientError, match="cannot be reached"):
        against(f"http://127.0.0.1:{free_port}", lambda forge: forge.pull_state(1))


def test_a_service_that_is_silent_is_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.git.forge.SECONDS", 0.2)

    async def answer(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(TransientError, match="did not answer"):
        served_by(answer, lambda forge: forge.pull_state(1))


def test_without_a_forge_a_person_is_told_which_branch_to_merge() -> None:
    async def use() -> None:
        forge: Forge = NoForge()
        opened = await forge.open_pull("loop/advance-chat", "main", "Advance chat-v1.1", "why")
        assert opened.number is None
        assert opened.address == "loop/advance-chat"
        assert "'loop/advance-chat' into 'main'" in opened.words
        assert await forge.pull_state(1) is None
        await forge.set_status(SHA, MARK)

    asyncio.run(use())


def test_no_lock_file_names_where_packages_came_from() -> None:
    lock = json.loads((Path(mock_github.CONTRACT) / "package-lock.json").read_text())
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
    assert all("integrity" in package for name, package in lock["packages"].items() if name)
