"""A scripted person at the console: signs in, asks in the arena, reads both answers, and votes.

Used by the tests that start `loop up` for real, and by hand at any console of the bookshop:
`python -m tests.system.browsing http://127.0.0.1:8089 Mina 30`. The person knows the bookshop's facts and votes as a
simulated voter does; where a question is not among those, the fuller of two answers is liked better. What is returned
was read from the page and nowhere else.
"""

from __future__ import annotations

import html
import itertools
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from playwright.sync_api import sync_playwright

from runner.console.people.markdown import safe
from runner.feedback.privacy.readable import readable
from runner.simulation.bookshop.questions import Question
from runner.simulation.bookshop.values import Kind
from runner.simulation.votes.reviewer import known
from runner.simulation.votes.voter import Opinion, opinion, questions
from tests.browser import CHROMIUM, QUIET, write
from tests.waiting import PATIENCE_MS

SEED = 1
SUGGESTED_EVERY = 3
"""Of so many questions one is a suggested one, where a fresh one is offered."""
UNSURE = frozenset({Kind.MONEY, Kind.SHELF})
"""What own questions are about: two samples of the shipped version differ most often in prices and shelves."""
MASKED = re.compile(r"<[A-Z_]+_\d+>")
SCREEN = {"width": 1280, "height": 900}
WAYS = {
    "left": ("a", "#vote-0"),
    "right": ("b", "#vote-1"),
    "tie": ("t", "#vote-tie"),
    "neither": ("x", "#vote-neither"),
}
"""Each choice with its key and its button."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One vote: what stood on the page, and what the person said of it."""

    question: str
    left: str
    right: str
    choice: str
    correction: str | None

    @property
    def chosen(self) -> str | None:
        """The text that was voted for, None where neither side won."""
        return {"left": self.left, "right": self.right}.get(self.choice)


@contextmanager
def signed_in(console: str, name: str) -> Iterator[Any]:
    """Open the console's pages in a browser of one's own, as somebody of that name."""
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        context = browser.new_context(viewport=SCREEN, locale="en-US")
        context.set_default_timeout(PATIENCE_MS)
        tab = context.new_page()
        tab.goto(console)
        tab.fill("#name", name)
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#suggestion-0")
        yield tab
        browser.close()


def votes(tab: Any, person: str, count: int) -> Iterator[Seen]:
    """Ask and vote until `count` votes are stored; yields each while the page still tells who wrote what.

    Every question is asked once. A round that cannot be judged is left, as people leave it.
    """
    facts, asked, stored = known(SEED, 10 * count), set[str](), 0
    own = (each.question for each in questions(SEED) if each.expected and each.expected.kind in UNSURE)
    for number in itertools.count():
        question = _suggested(tab, asked) if number % SUGGESTED_EVERY == 0 else None
        if question is None:
            question = next(each for each in own if each not in asked)
            write(tab, "#question textarea", question)
        asked.add(question)
        tab.keyboard.press("Enter")
        shown = _answers(tab)
        if shown is not None:
            said = _opinion(person, facts.get(question), shown)
            yield _vote(tab, question, shown, said, by_key=stored % 2 == 0)
            stored += 1
        if stored == count:
            return
        tab.keyboard.press("n")
        tab.wait_for_selector("#suggestion-0")


def reads_as(text: str, seen: str | None) -> bool:
    """Return whether a stored text is what was read on the page, where Markdown is laid out.

    Where personal data was masked, anything may have stood; control characters do not go into data sets.
    """
    shown = _even(html.unescape(re.sub(r"<[^>]+>", "", safe(text))))
    pattern = ".+".join(map(re.escape, MASKED.split(shown)))
    return seen is not None and re.fullmatch(pattern, _even(readable(seen).text)) is not None


def _even(text: str) -> str:
    """Return a text with one space for every run of blanks."""
    return " ".join(text.split())


def _suggested(tab: Any, asked: set[str]) -> str | None:
    """Take the first suggested question that was not asked yet, by its key; None where there is none."""
    buttons = tab.locator("[id^=suggestion-]:visible")
    fresh = [(at, text) for at, text in enumerate(buttons.all_inner_texts()) if text not in asked]
    if not fresh:
        return None
    at, text = fresh[0]
    tab.evaluate("document.activeElement.blur()")
    tab.keyboard.press(str(at + 1))
    tab.wait_for_function("text => document.querySelector('#question textarea').value === text", arg=text)
    tab.focus("#question textarea")
    return text


def _answers(tab: Any) -> tuple[str, str] | None:
    """Return what stands left and right once both have ended; None where the page offers only to go on."""
    tab.wait_for_selector("#vote-0:not([disabled]), #next")
    if tab.locator("#next").is_visible():
        return None
    left, right = (_even(tab.locator(f"#answer-{at} .text").inner_text()) for at in (0, 1))
    return left, right


def _opinion(person: str, question: Question | None, shown: tuple[str, str]) -> Opinion:
    if question is not None:
        return opinion(person, question, shown)
    left, right = shown
    return Opinion("tie" if left == right else int(len(right) > len(left)), None, 0.0)


def _vote(tab: Any, question: str, shown: tuple[str, str], said: Opinion, *, by_key: bool) -> Seen:
    choice = said.choice if isinstance(said.choice, str) else ("left", "right")[said.choice]
    if said.correction is not None:
        tab.click("#more button >> nth=0")
        write(tab, "#correction textarea", said.correction)
        tab.evaluate("document.activeElement.blur()")
    key, button = WAYS[choice]
    if by_key:
        tab.keyboard.press(key)
    else:
        tab.click(button)
    tab.wait_for_selector("#next")
    return Seen(question, *shown, choice, said.correction)


if __name__ == "__main__":
    with signed_in(sys.argv[1], sys.argv[2]) as page:
        for seen in votes(page, sys.argv[2], int(sys.argv[3])):
            print(json.dumps(asdict(seen), ensure_ascii=False), flush=True)
