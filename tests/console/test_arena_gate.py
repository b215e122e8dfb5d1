"""Who gets to the pages: sign-in by the gateway's keys, and the few paths that are open. Real gateway, no Gradio."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from runner.console.people.entrance import Entrance, cookie
from runner.console.people.gate import BODY_BYTES, Gate
from runner.console.people.gateway import Ask, Gateway, Refused, Trouble, opened
from runner.console.people.pace import BURST, PER_MINUTE, Pace
from runner.console.people.ports import Person
from runner.console.people.sessions import MOST, Sessions
from tests.console.people import SECRET, key
from tests.doubles.stub_engine import RunningStub, stub_engine
from tests.gateway.running import BASELINE, SERVED, RunningGateway, gateway, table

Browser = httpx.AsyncClient
Test = Callable[[Browser], Awaitable[None]]
KEYED: dict[str, Any] = {"keys": [key("amy"), key("ben", "internal")], "anonymous_group": None}
URL = "http://127.0.0.1:8089"


@pytest.fixture(scope="module")
def engine() -> Iterator[RunningStub]:
    with stub_engine(adapters=SERVED) as made:
        yield made


def running(folder: Path, engine: RunningStub, **settings: Any) -> Any:
    secret = hashlib.sha256(SECRET.encode()).hexdigest()
    return gateway(folder, console_sha256=secret, **settings)


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, engine: RunningStub) -> Iterator[RunningGateway]:
    with running(tmp_path_factory.mktemp("keyed"), engine, **KEYED) as made:
        made.put(table(engine.url))
        yield made


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory, engine: RunningStub) -> Iterator[RunningGateway]:
    with running(tmp_path_factory.mktemp("free"), engine) as made:
        made.put(table(engine.url))
        yield made


async def beyond(scope: Any, receive: Any, send: Any) -> None:
    """Stand for Gradio: answer with the body that came."""
    body = (await receive()).get("body", b"")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"beyond " + body})


def browse(address: str, test: Test, given: Sessions | None = None, **headers: str) -> None:
    async def act() -> None:
        async with opened(address, SECRET) as client:
            sessions = given or Sessions()
            gate = Gate(beyond, Entrance(sessions, client, "test"), sessions, ())
            transport = httpx.ASGITransport(gate)  # type: ignore[arg-type]
            async with Browser(transport=transport, base_url=URL, headers=headers) as browser:
                await test(browser)

    asyncio.run(act())


async def sign_in(browser: Browser, **form: str) -> httpx.Response:
    return await browser.post("/sign-in", data=form)


def test_a_known_key_opens_the_pages_and_stays_on_the_server(keyed: RunningGateway) -> None:
    async def test(browser: Browser) -> None:
        assert (await browser.get("/en/")).headers["location"] == "/sign-in"
        assert 'type="password"' in (await browser.get("/sign-in")).text
        entered = await sign_in(browser, key="amy-key", account="loop")
        assert (entered.status_code, entered.headers["location"]) == (303, "/")
        assert "HttpOnly" in entered.headers["set-cookie"] and "SameSite=Lax" in entered.headers["set-cookie"]
        assert "amy-key" not in str(entered.headers) + entered.text
        assert (await browser.get("/")).headers["location"] == "/en/"
        assert (await browser.get("/en/")).text == "beyond "
        out = await browser.post("/sign-out")
        assert out.headers["location"] == "/sign-in"
        assert (await browser.get("/en/")).status_code == 303
        browser.cookies.set(cookie("test"), entered.cookies[cookie("test")])
        assert (await browser.get("/en/config")).status_code == 401

    browse(keyed.url, test)


def test_a_wrong_key_is_told_and_guessing_from_one_address_is_slowed(keyed: RunningGateway) -> None:
    async def test(browser: Browser) -> None:
        wrong = await sign_in(browser, key="no-key")
        assert wrong.status_code == 401 and "does not know this key" in wrong.text
        assert "no-key" not in wrong.text and not wrong.cookies
        codes = {(await sign_in(browser, key=f"guess{number}")).status_code for number in range(BURST + 5)}
        assert codes == {401, 429}

    browse(keyed.url, test)


def test_whoever_signs_in_again_and_again_signs_nobody_else_out(free: RunningGateway) -> None:
    async def test(browser: Browser) -> None:
        amy = (await sign_in(browser, name="Amy")).cookies[cookie("test")]
        browser.cookies.clear()
        for number in range(BURST + 5):
            found = await sign_in(browser, name=f"bot{number}")
            browser.cookies.clear()
        assert found.status_code == 429 and "Too many requests. Try again in" in found.text
        browser.cookies.set(cookie("test"), amy)
        assert (await browser.get("/en/")).text == "beyond "

    browse(free.url, test)


def test_where_all_places_are_taken_a_newcomer_is_told_to_come_later(free: RunningGateway) -> None:
    sessions = Sessions()
    tokens = [sessions.begin(Person("Ben")) for _ in range(MOST)]

    async def test(browser: Browser) -> None:
        found = await sign_in(browser, name="Amy")
        assert (found.status_code, dict(found.cookies)) == (503, {})
        assert "Too many people are signed in" in found.text

    browse(free.url, test, sessions)
    assert all(map(sessions.person, tokens))


def test_an_address_has_so_many_sign_ins_at_once_and_so_many_a_minute() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    assert [pace.wait_s("192.0.2.1") for _ in range(BURST)] == [0] * BURST
    wait = pace.wait_s("192.0.2.1")
    assert wait == 60 // PER_MINUTE
    assert pace.wait_s("192.0.2.2") == 0
    now[0] += wait
    assert pace.wait_s("::ffff:192.0.2.1") == 0
    assert pace.wait_s("192.0.2.1") > 0


def test_all_addresses_of_one_ipv6_network_are_one_and_what_is_remembered_is_bounded() -> None:
    pace = Pace(lambda: 0.0)
    assert [pace.wait_s(f"2001:db8::{number:x}") for number in range(BURST)] == [0] * BURST
    assert pace.wait_s("2001:db8::ffff%eth0") > 0
    assert pace.wait_s("2001:db8:0:1::1") == 0
    assert pace.wait_s("") == 0
    for number in range(10_050):
        pace.wait_s(f"host{number}")
    assert len(pace._buckets) == 10_000


@pytest.mark.parametrize(
    "form",
    [{"key": ""}, {"key": "a b"}, {"key": "ключ"}, {"name": ""}, {"name": "x" * 81}, {"name": "a\x07"}, {}],
)
def test_what_is_no_key_and_no_name_is_refused_here(free: RunningGateway, form: dict[str, str]) -> None:
    async def test(browser: Browser) -> None:
        found = await sign_in(browser, **form)
        assert found.status_code == 400 and not found.cookies

    browse(free.url, test)


HOSTILE = [
    b"&".join(b"name=a" for _ in range(9)),
    b"name=" + b"x" * 9000,
    b"name=\xff\xfe",
    b"name=%ff",
    b"name=%ed%a0%80",
    b"key=%ff",
    b"name=a%00b",
    b"=&=&;;&%",
    b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nAmy\r\n--b--\r\n',
    b'{"name": "Amy"}',
    "name=Amy".encode("utf-16"),
    b"",
]


@pytest.mark.parametrize("body", HOSTILE, ids=map(str, range(len(HOSTILE))))
@pytest.mark.parametrize(
    "media", [None, "multipart/form-data; boundary=b", "text/plain; charset=utf-16", "\xff"]
)
def test_what_is_no_form_is_refused_in_words(free: RunningGateway, body: bytes, media: str | None) -> None:
    async def test(browser: Browser) -> None:
        headers = {} if media is None else {"content-type": media.encode("latin-1")}
        found = await browser.post("/sign-in", content=body, headers=headers)
        assert (found.status_code, dict(found.cookies)) == (400, {})
        assert 'role="alert"' in found.text

    browse(free.url, test)


def test_where_there_are_no_keys_the_page_asks_for_none_and_takes_none(free: RunningGateway) -> None:
    async def test(browser: Browser) -> None:
        assert 'type="password"' not in (await browser.get("/sign-in")).text
        found = await sign_in(browser, key="any-key", account="loop")
        assert (found.status_code, dict(found.cookies)) == (401, {})
        assert "does not know this key" in found.text

    browse(free.url, test)


def test_where_a_key_or_a_name_will_do_the_page_takes_either(tmp_path: Path, engine: RunningStub) -> None:
    async def test(browser: Browser) -> None:
        page = (await browser.get("/sign-in")).text
        assert 'type="password"' in page and 'id="name"' in page
        assert (await sign_in(browser, key="no-key")).status_code == 401
        assert (await sign_in(browser, key="amy-key")).status_code == 303
        assert (await sign_in(browser, name="Ben")).status_code == 303

    with running(tmp_path, engine, keys=[key("amy")]) as both:
        both.put(table(engine.url))
        browse(both.url, test)


def test_where_no_key_is_wanted_a_name_is_enough_and_is_hashed(free: RunningGateway) -> None:
    async def test(browser: Browser) -> None:
        assert 'id="name"' in (await browser.get("/sign-in")).text
        assert (await sign_in(browser, name="지우")).status_code == 303
        assert (await browser.get("/ko/")).text == "beyond "

    browse(free.url, test)


def test_a_gateway_that_is_gone_is_told_in_plain_words(free_port: int) -> None:
    async def test(browser: Browser) -> None:
        page = await browser.get("/sign-in")
        assert page.status_code == 200 and "게이트웨이가 응답하지 않습니다" in page.text
        assert (await sign_in(browser, key="amy-key")).status_code == 502

    browse(f"http://127.0.0.1:{free_port}", test, **{"accept-language": "ko"})


def test_a_language_that_was_chosen_is_kept(free: RunningGateway) -> None:
    async def test(browser: Browser) -> None:
        assert '<html lang="en">' in (await browser.get("/sign-in")).text
        assert (await browser.get("/language/ko")).status_code == 303
        assert '<html lang="ko">' in (await browser.get("/sign-in")).text
        assert (await browser.get("/language/xx")).status_code == 404

    browse(free.url, test)


CLOSED = [
    *(
        "/gradio_api/info",
        "/gradio_api/openapi.json",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/upload_progress",
    ),
    *(
        "/gradio_api/proxy=http://e.example",
        "/monitoring",
        "/docs",
        "/gradio_api/runs",
        "/gradio_api/queue/data",
    ),
    *("/gradio_api/call/ask/1", "/login", "/../secrets", "/assets/../../x"),
]


@pytest.mark.parametrize("path", CLOSED)
def test_what_gradio_offers_beside_the_pages_is_closed(free: RunningGateway, path: str) -> None:
    async def test(browser: Browser) -> None:
        await sign_in(browser, name="Amy")
        assert (await browser.get(f"/en{path}")).status_code == 404
        for called in ("/gradio_api/upload", "/gradio_api/run/predict", "/gradio_api/call/ask"):
            assert (await browser.post(f"/en{called}", json={"session_hash": "s"})).status_code == 404

    browse(free.url, test)


def test_other_sites_other_names_and_other_methods_are_refused(free: RunningGateway) -> None:
    async def test(browser: Browser) -> None:
        foreign: list[dict[str, str]] = [{"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}]
        for headers in [*foreign, {"origin": "null"}]:
            found = await browser.post("/sign-in", data={"name": "Amy"}, headers=headers)
            assert (found.status_code, dict(found.cookies)) == (403, {})
        assert (await browser.get("/", headers={"host": "evil.example"})).status_code == 421
        assert (await browser.put("/")).status_code == 405
        own = await browser.post("/sign-in", data={"name": "Amy"}, headers={"origin": URL})
        assert own.status_code == 303

    browse(free.url, test)


def test_a_call_reaches_the_pages_whole_and_only_from_the_browser_whose_page_it_is(
    free: RunningGateway,
) -> None:
    async def test(browser: Browser) -> None:
        join = "/en/gradio_api/queue/join"
        amy = (await sign_in(browser, name="Amy")).cookies[cookie("test")]
        body = b'{"session_hash": "page1", "data": ["hello"]}'
        assert (await browser.post(join, content=body)).content == b"beyond " + body
        assert (await browser.get("/en/gradio_api/heartbeat/page1")).status_code == 200
        browser.cookies.clear()
        await sign_in(browser, name="Ben")
        assert (await browser.post(join, content=body)).status_code == 403
        assert (await browser.get("/en/gradio_api/heartbeat/page1")).status_code == 403
        assert (await browser.get("/en/gradio_api/queue/data?session_hash=page1")).status_code == 403
        assert amy != browser.cookies[cookie("test")]
        for wrong in (b"", b"[]", b"{}", b'{"session_hash": 3}', b"\xff", b"[" * 5000):
            assert (await browser.post(join, content=wrong)).status_code == 400
        assert (await browser.post(join, content=b"x" * (BODY_BYTES + 1))).status_code == 413

    browse(free.url, test)


def test_health_is_told_to_everybody_and_every_answer_forbids_other_hosts(free: RunningGateway) -> None:
    async def test(browser: Browser) -> None:
        for path in ("/healthz", "/sign-in", "/icon.svg", "/nothing"):
            found = await browser.get(path)
            policy = found.headers["content-security-policy"]
            assert (
                "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "http" not in policy
            )
        assert (await browser.get("/healthz")).json() == {"status": "ok"}

    browse(free.url, test)


# the client of the gateway


def using(address: str, act: Callable[[Gateway], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with opened(address, SECRET) as client:
            return await act(client)

    return asyncio.run(run())


async def whole(client: Gateway, version: str) -> str:
    async for reply in client.answer(Person("Amy"), Ask(version, [{"role": "user", "content": "hello"}])):
        text = reply.text
    assert (reply.ended, reply.version, reply.digest) == (True, BASELINE.name, BASELINE.digest)
    return text


def test_a_pinned_version_answers_by_name_whatever_the_group(free: RunningGateway) -> None:
    assert using(free.url, lambda client: whole(client, BASELINE.name))
    assert BASELINE.name in using(free.url, lambda client: client.models(Person("Amy")))


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        ("500", Trouble.GONE),
        ("model_not_found", Trouble.GONE),
        ("mid_stream", Trouble.CUT),
        ("disconnect", Trouble.GONE),
    ],
)
def test_what_goes_wrong_midway_has_a_name(
    free: RunningGateway, engine: RunningStub, fault: str, trouble: Trouble
) -> None:
    engine.control(fault=fault)
    try:
        with pytest.raises(Refused) as refused:
            using(free.url, lambda client: whole(client, BASELINE.name))
    finally:
        engine.control(fault="none")
    assert refused.value.trouble is trouble


def test_a_version_that_is_not_there_and_a_gateway_that_is_not_there(
    free: RunningGateway, free_port: int
) -> None:
    for address, trouble in (
        (free.url, Trouble.GONE),
        (f"http://127.0.0.1:{free_port}", Trouble.UNREACHABLE),
    ):
        with pytest.raises(Refused) as refused:
            using(address, lambda client: whole(client, "chat-v9"))
        assert refused.value.trouble is trouble
