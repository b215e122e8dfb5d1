"""The arena and the playground in a real browser, against the real gateway with a stub for the engine.

Whatever a test does, the pages ask nobody but their own server, and the browser learns who answered from the vote on.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from runner.events.schema import Kind
from tests.browser import CHROMIUM, QUIET, write
from tests.console import accessibility
from tests.console.people import SAYS, Served, serving
from tests.console.test_browser import overflow
from tests.gateway.running import BASELINE, CANDIDATE
from tests.waiting import PATIENCE_MS, until

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("gradio", reason="the group 'console' is not installed")
pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason="there is no /usr/bin/chromium; on Debian: apt-get install chromium"
)
VOTES = 12
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SECRETS = (BASELINE.name, CANDIDATE.name, "chat-v1", BASELINE.digest[:12], CANDIDATE.digest[:12], "chatcmpl")
SPOKEN = {"The reading room opens at nine.": BASELINE, "Ask at the desk, please.": CANDIDATE}

BUTTONS = {"a": "vote-0", "b": "vote-1", "t": "vote-tie", "x": "vote-neither"}


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("arena")) as made:
        yield made


@pytest.fixture(scope="module")
def browser(console: Served) -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        yield made
        made.close()


@pytest.fixture(scope="module")
def desk(console: Served, browser: Any) -> Iterator[Any]:
    """Amy's page on a big screen; all its tests share it, since Gradio takes a while to start."""
    yield from quiet_page(console, browser, "Amy", viewport=DESK, locale="en-US")


@pytest.fixture(scope="module")
def phone(console: Served, browser: Any) -> Iterator[Any]:
    yield from quiet_page(console, browser, "지우", viewport=PHONE, locale="ko-KR")


def quiet_page(console: Served, browser: Any, name: str, **options: Any) -> Iterator[Any]:
    """Sign in; when all is over, check that the page wrote no error and asked nobody else."""
    said, asked = [], []
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE_MS)
    tab = context.new_page()
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(console.url)
    tab.fill("#name", name)
    tab.click("form >> nth=0 >> button")
    tab.wait_for_selector("#suggestion-0")
    tab.asked = asked
    yield tab
    context.close()
    assert said == []
    own = urlsplit(console.url).netloc
    assert {urlsplit(url).netloc for url in asked if not url.startswith("data:")} == {own}


def ask(tab: Any, question: str) -> None:
    """Make room for a question and ask it, by keys."""
    if tab.locator("#next").is_visible():
        tab.keyboard.press("n")
    tab.wait_for_selector("#suggestion-0")
    write(tab, "#question textarea", question)
    tab.keyboard.press("Enter")


def votes(console: Served) -> list[dict[str, Any]]:
    return console.gateway.events(Kind.VOTE)


def answers(tab: Any) -> tuple[str, str]:
    tab.wait_for_selector("#vote-0:not([disabled])")
    left, right = (tab.locator(f"#answer-{at} .text").inner_text().strip() for at in (0, 1))
    return left, right


def test_nothing_that_reached_the_browser_tells_who_answers_before_the_vote(
    console: Served, desk: Any
) -> None:
    ask(desk, "Where is the reading room?")
    answers(desk)
    seen = bytes(console.received).decode(errors="replace") + desk.content()
    assert "reading room opens" in seen
    assert [secret for secret in SECRETS if secret in seen] == []
    desk.keyboard.press("b")
    desk.wait_for_selector("#next")
    heads = desk.locator("#head-0").inner_text() + desk.locator("#head-1").inner_text()
    assert all(each in heads for each in (BASELINE.name, CANDIDATE.name, BASELINE.digest[:12]))


def test_every_vote_is_one_event_with_what_stood_left_and_right(console: Served, desk: Any) -> None:
    before, expected = len(votes(console)), []
    keys = itertools.cycle((("a", "left"), ("b", "right"), ("t", "tie"), ("x", "neither")))
    for number, (key, choice) in zip(range(VOTES), keys, strict=False):
        suggested = number % 3 == 0
        question = f"Question number {number}?"
        if suggested:
            question = by_suggestion(desk)
        else:
            ask(desk, question)
        shown = answers(desk)
        if number % 2:
            desk.keyboard.press(key)
        else:
            desk.dblclick(f"#{BUTTONS[key]}")
        desk.wait_for_selector("#next")
        expected.append((question, "explanation" if suggested else None, *shown, choice))
    events = votes(console)[before:]
    assert len(events) == VOTES
    for event, (question, category, left, right, choice) in zip(events, expected, strict=True):
        assert (event["loop.vote.choice"], event.get("loop.vote.category")) == (choice, category)
        assert question in event["loop.vote.prompt"]
        for side, text in (("left", left), ("right", right)):
            version = SPOKEN[text]
            assert event[f"loop.{side}.answer"] == SAYS[version.served]
            assert event[f"loop.{side}.version"] == version.name
            assert event[f"loop.{side}.digest"] == version.digest
            assert '"seed"' in event[f"loop.{side}.sampling"]
        assert event["loop.vote.counted"] is True
        assert event["loop.vote.taken_ms"] > 0
    assert {event["loop.left.version"] for event in events} == {BASELINE.name, CANDIDATE.name}
    assert len({event["loop.user"] for event in events}) == 1
    won = sum(event["loop.vote.choice"] in ("left", "right") for event in votes(console))
    assert desk.locator(".week strong").inner_text() == f"{43 + won} / 100"


def by_suggestion(tab: Any) -> str:
    """Ask the question that is needed most, with keys alone, and return it."""
    tab.keyboard.press("n")
    tab.wait_for_selector("#suggestion-0")
    tab.evaluate("document.activeElement.blur()")
    tab.keyboard.press("1")
    until(lambda: tab.input_value("#question textarea"), "the suggestion stood in the box")
    tab.wait_for_function("document.activeElement.closest('#question')")
    tab.keyboard.press("Enter")
    return str(tab.input_value("#question textarea"))


def test_in_korean_on_a_phone_one_votes_without_sideways_scrolling(console: Served, phone: Any) -> None:
    before = len(votes(console))
    assert phone.evaluate("document.documentElement.lang") == "ko"
    assert "묻기" in phone.locator("#ask").inner_text()
    assert overflow(phone) <= 0
    write(phone, "#question textarea", "서점은 어디에 있어요? " + "아주긴낱말" * 40)
    phone.click("#ask")
    answers(phone)
    assert overflow(phone) <= 0
    phone.click("#more button >> nth=0")
    write(phone, "#reason textarea", "더 친절해서")
    write(phone, "#correction textarea", "2층에 있습니다.")
    phone.click("#vote-1")
    phone.wait_for_selector("#next")
    assert overflow(phone) <= 0
    (event,) = votes(console)[before:]
    assert event["loop.vote.language"] == "ko"
    assert event["loop.vote.reason"] == "더 친절해서"
    assert event["loop.vote.correction"] == "2층에 있습니다."


def test_a_version_that_disappears_midway_is_told_and_the_next_question_works(
    console: Served, desk: Any
) -> None:
    console.engine.control(fault="mid_stream", only_model=CANDIDATE.served, times=1)
    ask(desk, "Where is the reading room?")
    desk.wait_for_selector(".answer .trouble")
    desk.wait_for_selector("#next")
    assert desk.locator("#vote-0").is_disabled()
    assert "cannot be judged" in desk.locator("#status").inner_text()
    ask(desk, "And now?")
    answers(desk)


@pytest.mark.skipif(bool(accessibility.reason_to_skip()), reason=accessibility.reason_to_skip())
def test_the_accessibility_rules_hold(desk: Any) -> None:
    """In the arena with answers on the screen, and in the playground with an answer to judge."""
    desk.evaluate(accessibility.script())
    assert violations(desk) == {}
    talk(desk, "hello", 1)
    assert violations(desk) == {}


def violations(tab: Any) -> dict[str, list[str]]:
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return {each["id"]: [node["html"][:160] for node in each["nodes"][:3]] for each in found["violations"]}


def talk(tab: Any, message: str, answers_then: int) -> None:
    """Say something in the playground, and wait until that many answers stand there."""
    tab.get_by_role("tab", name="Playground").click()
    tab.wait_for_function("document.querySelector('#version input')?.value.startsWith('chat-v1')")
    write(tab, "#message textarea", message)
    tab.keyboard.press("Enter")
    tab.wait_for_function(f"document.querySelectorAll('.talk .theirs').length === {answers_then}")
    tab.wait_for_selector("#judging")


def test_the_playground_remembers_what_was_said_and_stores_what_one_thinks_of_it(
    console: Served, desk: Any
) -> None:
    before = desk.locator(".talk .theirs").count()
    for number in (1, 2):
        talk(desk, f"message {number}", before + number)
    asked = console.engine.state.bodies[-1]
    assert [each["content"] for each in asked["messages"]][-3::2] == ["message 1", "message 2"]
    assert (asked["temperature"], asked["top_p"], asked["max_tokens"]) == (0.7, 1, 256)
    desk.click("#judging >> text=Not helpful")
    desk.click("#rating label >> nth=1")
    desk.click("#submit")
    desk.wait_for_selector("#judged:has-text('stored')")
    (event,) = console.gateway.events(Kind.FEEDBACK)
    assert (event["loop.thumbs"], event["loop.rating"]) == (-1, 2)


def test_one_persons_page_is_closed_to_another_and_who_signs_out_is_out(
    console: Served, desk: Any, phone: Any
) -> None:
    beat = next(url for url in desk.asked if "/heartbeat/" in url)
    for path in (beat, beat.replace("heartbeat/", "queue/data?session_hash=")):
        assert phone.request.get(path).status == 403
    assert phone.request.get(f"{console.url}/ko/config").status == 200
    phone.click("text=로그아웃")
    phone.wait_for_selector("#name")
    assert phone.request.get(f"{console.url}/ko/config").status == 401
