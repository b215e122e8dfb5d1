"""The monitor page in a real browser: Debian's chromium, driven by Playwright.

Whatever a test does, the page must ask nobody but its own server and write no error to the console.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from runner.console.monitor.feed import Decision, Kind, Page
from runner.signals.reading import Level, Topic
from tests.browser import CHROMIUM, QUIET
from tests.console import accessibility, pages
from tests.console.running import Running, running, start
from tests.waiting import PATIENCE_MS

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason="there is no /usr/bin/chromium; on Debian: apt-get install chromium"
)
PHONE = {"width": 360, "height": 740}
LOST = "net::ERR_"
"""How chromium reports a connection that went away; the only thing that may stand in the console, where expected."""

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        yield made
        made.close()


@pytest.fixture
def monitor() -> Iterator[Running]:
    with running(pages.healthy(time.time())) as made:
        yield made


@pytest.fixture
def visit(browser: Any, monitor: Running) -> Iterator[Open]:
    """Open the page; when the test is over, check that it was quiet and asked nobody else."""
    contexts, said, asked, allowed = [], [], [], set()

    def act(at: str = monitor.url, **options: Any) -> Any:
        allowed.add(urlsplit(at).netloc)
        context = browser.new_context(**options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(at)
        if options.get("java_script_enabled", True):
            tab.wait_for_selector("#link[data-state=live]")
        return tab

    yield act
    for context in contexts:
        context.close()
    assert [text for text in said if LOST not in text] == []
    assert {urlsplit(url).netloc for url in asked} <= allowed


def overflow(tab: Any) -> int:
    """Return by how many pixels the page is wider than the window."""
    return int(tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def focused(tab: Any) -> str:
    """Return what has the focus, as people would name it."""
    return str(
        tab.evaluate(
            "(e => e.id || e.labels?.[0]?.textContent.trim() || e.textContent.trim())(document.activeElement)"
        )
    )


def shown_rows(tab: Any) -> list[str]:
    return list(tab.locator("#signals tbody tr:visible .name").all_text_contents())


def test_without_scripts_everything_is_there_to_read(monitor: Running, visit: Open) -> None:
    monitor.publish(pages.troubled(time.time()))
    tab = visit(java_script_enabled=False)
    assert "Time to think about training" in tab.locator("h1").inner_text()
    titles = tab.locator("#quality h3").all_text_contents()
    assert titles == ["Refusals", "Re-asks", "Hallucination", "Satisfaction"]
    refusals = tab.locator("#refusals").inner_text()
    assert all(part in refusals for part in ("19.4%", "16.6% to 23.3%", "n 3,648", "warn", "rising, was"))
    sections = tab.locator("main > section").evaluate_all("all => all.map(each => each.id)")
    assert sections[:4] == ["head", "quality", "rollout", "drift"]
    tab.select_option("#f-level", "retrain")
    tab.click("text=Apply")
    assert set(shown_rows(tab)) == {"Over-refusals"}


def test_a_new_snapshot_shows_without_a_reload_and_is_said_aloud(monitor: Running, visit: Open) -> None:
    tab = visit()
    assert "All is well" in tab.locator("h1").inner_text()
    assert tab.locator("#said").text_content() == ""
    tab.evaluate("window.mark = 'the same document'")
    tab.fill("#f-text", "refus")
    monitor.publish(pages.troubled(time.time()))
    tab.wait_for_selector(".verdict.level-retrain")
    assert "Now retrain" in tab.locator("#said").text_content()
    assert "Time to think about training" in tab.title()
    assert tab.evaluate("window.mark") == "the same document"
    assert tab.input_value("#f-text") == "refus"
    assert focused(tab) == "f-text"
    assert set(shown_rows(tab)) == {"Refusals", "Over-refusals"}


def test_a_server_that_restarts_is_found_again_and_the_gap_is_told(visit: Open, free_port: int) -> None:
    address = f"127.0.0.1:{free_port}"
    first = start(pages.healthy(time.time()), address)
    tab = visit(f"http://{address}")
    first.end()
    tab.wait_for_selector("#silent:has-text('No data since')")
    assert "no data since" in tab.locator("#link").inner_text()
    assert tab.locator(".value").first.is_visible()
    second = start(pages.troubled(time.time()), address)
    try:
        tab.wait_for_selector("#link[data-state=live]")
        tab.wait_for_selector(".verdict.level-retrain")
        assert not tab.locator("#silent").is_visible()
    finally:
        second.end()


def test_a_feed_that_falls_silent_is_told(monitor: Running, visit: Open) -> None:
    tab = visit()
    assert tab.locator("#head .banner").count() == 0
    monitor.publish(pages.healthy(time.time() - 400))
    tab.wait_for_selector("#head .banner:has-text('No new measurement since')")


def test_before_the_first_snapshot_the_page_says_so(browser: Any) -> None:
    with running() as empty:
        tab = browser.new_page()
        tab.goto(empty.url)
        assert "Nothing is measured yet" in tab.locator("h1").inner_text()
        empty.publish(pages.healthy(time.time()))
        tab.wait_for_selector(".verdict.level-fine")
        tab.close()


def test_a_phone_needs_no_sideways_scrolling(monitor: Running, visit: Open) -> None:
    tab = visit(viewport=PHONE)
    assert overflow(tab) <= 0
    monitor.publish(hostile(time.time()))
    tab.wait_for_selector(".verdict.level-retrain")
    tab.select_option("#f-arm", "any")
    tab.select_option("#f-segment", "any")
    assert overflow(tab) <= 0
    assert overflow(visit(viewport=PHONE, java_script_enabled=False)) <= 0


def test_the_page_can_be_walked_and_filtered_by_keyboard(visit: Open) -> None:
    tab = visit()
    tab.keyboard.press("Tab")
    assert focused(tab) == "Skip to the signals"
    assert tab.locator(".skip").bounding_box()["y"] >= 0
    walked = []
    for _ in range(20):
        tab.keyboard.press("Tab")
        outline = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline not in ("none", ""), f"nobody sees that '{focused(tab)}' has the focus"
        walked.append(focused(tab))
        if walked[-1] == "f-level":
            break
    assert walked[:3] == ["Quality", "Rollout", "Drift"]
    assert walked[-2:] == ["f-text", "f-level"]
    tab.keyboard.type("no data")
    assert shown_rows(tab) == ["Proxy reward"]
    assert "1 of" in tab.locator("[data-found]").inner_text()
    tab.keyboard.press("Shift+Tab")
    tab.keyboard.type("zzz")
    assert shown_rows(tab) == []


def test_the_skip_link_leads_past_the_navigation(visit: Open) -> None:
    tab = visit()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_hostile_text_stays_text(monitor: Running, visit: Open) -> None:
    for script in (True, False):
        monitor.publish(hostile(time.time()))
        tab = visit(java_script_enabled=script)
        assert tab.locator("main script, main img, main iframe, main [onerror]").count() == 0
        told = tab.locator("#drift").inner_text()
        assert "<script>window.pwned=1</script>" in told
        assert "\u202e" not in told
        assert SCRIPT in tab.locator("#decisions").inner_text()
        assert SCRIPT in tab.locator("#signals").text_content()
        if script:
            monitor.publish(replace(hostile(time.time()), stale=SCRIPT))
            tab.wait_for_selector("#head .banner")
            assert SCRIPT in tab.locator("#head .banner").inner_text()
            assert tab.evaluate("typeof window.pwned") == "undefined"


def test_dark_and_motion_follow_the_system(visit: Open) -> None:
    def brightness(scheme: str) -> int:
        tab = visit(color_scheme=scheme, reduced_motion="reduce")
        assert tab.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
        return int(tab.evaluate("+getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]"))

    assert brightness("dark") < 40
    assert brightness("light") > 220


def test_no_verdict_is_told_by_colour_alone(monitor: Running, visit: Open) -> None:
    monitor.publish(pages.troubled(time.time()))
    tab = visit()
    badges = tab.locator(".badge").evaluate_all(
        "all => all.map(each => [each.className, each.textContent.trim(), each.querySelector('svg').innerHTML.trim()])"
    )
    assert all(word and shape for _, word, shape in badges)
    shapes = {kind: shape for kind, _, shape in badges}
    assert len(set(shapes.values())) == len(shapes) >= 5


@pytest.mark.skipif(bool(accessibility.reason_to_skip()), reason=accessibility.reason_to_skip())
@pytest.mark.parametrize(("scheme", "size"), [("light", PHONE), ("dark", {"width": 1280, "height": 900})])
def test_the_accessibility_rules_hold(
    monitor: Running, visit: Open, scheme: str, size: dict[str, int]
) -> None:
    monitor.publish(pages.troubled(time.time()))
    tab = visit(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    tab.evaluate(accessibility.script())  # evaluated past the page's policy, which forbids foreign scripts
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")
    told = [
        f"{each['id']}: {each['help']}: {[node['html'][:120] for node in each['nodes'][:3]]}"
        for each in found["violations"]
    ]
    assert told == []
    assert len(found["passes"]) > 20


SCRIPT = "<script>window.pwned=1</script><img src=x onerror='window.pwned=1'>"
LONG = "Donaudampfschifffahrtsgesellschaft" * 30


def hostile(at: float) -> Page:
    """A page in which everything that somebody else wrote is an attack or a burden."""
    page = pages.troubled(at)
    assert page.snapshot is not None and page.snapshot.drift is not None
    questions = (SCRIPT, f"\u202eevil\u202e \u2067{LONG}", "{{ 7 * 7 }} ${7} '\"`", "שלום <b>עולם</b>")
    topics = (Topic(1, 0.4, 0.1, questions),)
    first, *others = page.snapshot.readings
    attacked = replace(first, segment=SCRIPT, version=LONG, note=SCRIPT, arm="candidate", level=Level.WARN)
    named = replace(first, metric=f"right:{LONG}", version=SCRIPT)
    return replace(
        page,
        snapshot=replace(
            page.snapshot,
            readings=(attacked, named, *others),
            drift=replace(page.snapshot.drift, grown=topics, shrunk=topics, note=SCRIPT),
        ),
        decisions=(Decision(at, Kind.FAILED, LONG, SCRIPT),),
        rollout=replace(page.rollout, candidate=LONG, baseline=SCRIPT) if page.rollout else None,
    )
