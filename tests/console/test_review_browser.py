"""The review tab in a real browser, against the real gateway: items, labels, disagreement, hostile text, a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runner.events.schema import Kind
from runner.feedback.labels.items import Item, items
from runner.feedback.labels.opinions import NOBODY, opinions
from runner.feedback.labels.queue import Lease, Mode, Queue, Seat, Turn, released
from runner.feedback.records import Choice, Label, Reason
from tests.browser import CHROMIUM, QUIET, write
from tests.console import accessibility
from tests.console.people import Served, serving
from tests.console.test_browser import overflow
from tests.feedback.labels.made import ballot, label, record
from tests.waiting import PATIENCE_MS

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("gradio", reason="the group 'console' is not installed")
pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason="there is no /usr/bin/chromium; on Debian: apt-get install chromium"
)
SOONEST_MS = 400
"""An item may be judged by then: sooner, a press is taken for one meant for the item before."""
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script> **bold** [go](javascript:alert(3))'

Visit = Callable[..., Any]


class Memory:
    """A queue in memory: two answers to judge, one comparison, and an item about which three people disagree."""

    def __init__(self) -> None:
        records = [
            record(1, Reason.REFUSAL, prompt=({"role": "user", "content": HOSTILE},), answer=HOSTILE),
            record(2, Reason.CORRECTION, correction="It opens at nine."),
            record(3, Reason.THUMBS_DOWN),
        ]
        self.items: tuple[Item, ...] = items(records, [ballot(4, Choice.LEFT)])
        votes = zip(("p", "q", "r"), ("good", "bad", "unclear"), strict=True)
        self.labels = [label(user, value, "rec-3", comment=HOSTILE) for user, value in votes]
        self.leases: tuple[Lease, ...] = ()

    async def turn(self, seat: Seat) -> Turn:
        queue = Queue(self.items, opinions(self.labels), 3)
        given = queue.give(seat, self.leases, 0.0)
        self.leases = given.leases
        seen = given.item is not None and seat.mode is Mode.ADJUDICATION
        return Turn(
            given.item, queue.of(given.item) if seen and given.item else NOBODY, queue.progress(seat.user)
        )

    async def stored(self, said: Label) -> None:
        self.labels.append(said)
        self.leases = released(self.leases, said.user)


@pytest.fixture(scope="module")
def queue() -> Memory:
    return Memory()


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, queue: Memory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("review"), queue=queue) as made:
        yield made


@pytest.fixture(scope="module")
def visit(console: Served) -> Iterator[Visit]:
    """Sign in and open the tab; when all is over, check that no page wrote an error or asked to run anything."""
    said: list[str] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)

        def act(name: str, size: dict[str, int], locale: str = "en-US") -> Any:
            tab = browser.new_context(viewport=size, locale=locale).new_page()
            tab.set_default_timeout(PATIENCE_MS)
            tab.on("console", lambda message: said.append(message.text))
            tab.on("pageerror", lambda error: said.append(str(error)))
            tab.on("dialog", lambda dialog: (said.append(f"dialog {dialog.message}"), dialog.dismiss()))
            tab.goto(console.url)
            tab.fill("#name", name)
            tab.click("form >> nth=0 >> button")
            tab.click("[role=tab] >> nth=2")
            tab.click("#review-next")
            tab.wait_for_selector("#review-1")
            return tab

        yield act
        browser.close()
    assert [text for text in said if "net::ERR_" not in text] == []


def faults(tab: Any) -> list[str]:
    """Return the rules of accessibility that the page breaks; none are looked at where they cannot be had."""
    if accessibility.reason_to_skip():
        return []
    tab.evaluate(accessibility.script())
    found = tab.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found["violations"]]


def press(tab: Any, key: str) -> None:
    """Press a key once the item has been shown long enough, and wait until another stands there."""
    before = tab.inner_text("#review-progress") + tab.inner_text("#review-question")
    tab.wait_for_timeout(SOONEST_MS)
    tab.keyboard.press(key)
    tab.wait_for_function(
        "before => document.querySelector('#review-progress').innerText"
        " + (document.querySelector('#review-question')?.innerText ?? '') !== before",
        arg=before,
    )


def test_one_person_judges_the_queue_with_keys_and_each_label_is_an_event(
    console: Served, visit: Visit
) -> None:
    tab = visit("Amy", DESK)
    assert "0 of 4 by you; 0 settled" in tab.inner_text("#review-progress")
    assert tab.locator("#review-question img, #review-left img, #review-left a").count() == 0
    assert "onerror" in tab.inner_text("#review-question")
    assert "was it right to refuse" in tab.inner_text("#review-task")
    assert faults(tab) == []
    press(tab, "n")
    assert "It opens at nine." in tab.inner_text("#review-right")
    press(tab, "1")
    tab.wait_for_selector("#review-left .text:has-text('the ')")
    left = tab.inner_text("#review-left .text").strip()
    press(tab, "1")
    press(tab, "2")
    tab.wait_for_selector("#review-sheet", state="hidden")
    assert "3 of 4 by you" in tab.inner_text("#review-progress")

    events = console.gateway.events(Kind.LABEL)
    assert [(event["loop.item"], event["loop.label.task"]) for event in events] == [
        ("rec-2", "correction"),
        ("comparison-1", "preference"),
        ("rec-1", "answer"),
    ]
    chosen = "left" if left == "the first answer" else "right"
    assert [event["loop.label.value"] for event in events] == ["good", chosen, "bad"]
    assert all(event["loop.label.taken_ms"] > 0 and not event["loop.label.final"] for event in events)


def test_a_disagreement_is_settled_by_somebody_who_sees_what_was_said_and_not_by_whom(
    console: Served, visit: Visit, queue: Memory
) -> None:
    tab = visit("Judge", DESK)
    tab.click("#review-mode label >> nth=1")
    tab.wait_for_selector("#review-others li")
    others = tab.inner_text("#review-others")
    assert [word in others for word in ("Good", "Bad", "Unclear")] == [True] * 3
    assert tab.locator("#review-others img").count() == 0
    tab.click("#review-more button")
    write(tab, "#review-correction textarea", "The right answer.")
    tab.wait_for_timeout(SOONEST_MS)
    tab.click("#review-2")
    tab.wait_for_selector("#review-sheet", state="hidden")
    event = console.gateway.events(Kind.LABEL)[-1]
    assert (event["loop.item"], event["loop.label.value"], event["loop.label.final"]) == (
        "rec-3",
        "bad",
        True,
    )
    assert event["loop.label.correction"] == "The right answer."
    assert queue.labels[-1].final


def test_at_phone_width_in_korean_everything_fits(visit: Visit) -> None:
    tab = visit("지수", PHONE, "ko-KR")
    assert overflow(tab) <= 0
    assert "사용자가 받았어야 할 답변인가요?" in tab.inner_text("#review-task")
    assert tab.inner_text("#review-1").strip() == "좋음"
    assert faults(tab) == []
