"""Who is signed in, in memory only: a browser holds a random token, the person and their key stay here."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from runner.console.people.ports import Person

IDLE_S = 12 * 3600.0
"""A session that nobody used for so long has ended."""
MOST = 2000
RECENT_S = 3600.0
"""Where there are `MOST`, a session that was used so lately still gives way to nobody."""
PAGES = 50
"""Pages of one browser that may be open at a time; the oldest is forgotten."""


@dataclass(slots=True)
class Session:
    """One browser that signed in."""

    person: Person
    used: float
    pages: OrderedDict[str, None] = field(default_factory=OrderedDict)
    """The ids that Gradio gave this browser's open pages."""


class Full(Exception):
    """All places are taken by people who were here lately."""


class Sessions:
    """All of them. Times are monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._by_token: OrderedDict[str, Session] = OrderedDict()
        self._owner: dict[str, str] = {}
        """Id of a page -> token of the browser that opened it."""

    def begin(self, person: Person) -> str:
        """Return the token of a new session; of too many, the one that nobody used for longest ends. Raises Full."""
        now = self._clock()
        if len(self._by_token) >= MOST:
            oldest, session = next(iter(self._by_token.items()))
            if now - session.used <= RECENT_S:
                raise Full
            self.end(oldest)
        token = secrets.token_urlsafe(32)
        self._by_token[token] = Session(person, now)
        return token

    def person(self, token: str | None) -> Person | None:
        """Return who holds a token, None where nobody does or the session has ended."""
        session = self._by_token.get(token or "")
        if session is None or token is None:
            return None
        now = self._clock()
        if now - session.used > IDLE_S:
            self.end(token)
            return None
        session.used = now
        self._by_token.move_to_end(token)
        return session.person

    def end(self, token: str | None) -> None:
        """Forget a session, and the key in it."""
        session = self._by_token.pop(token or "", None)
        if session is None:
            return
        if session.person.key is not None:
            session.person.key.forget()
        for page in session.pages:
            self._owner.pop(page, None)

    def owns(self, token: str, page: str) -> bool:
        """Return whether a page is this browser's; it belongs to whoever named it first."""
        if self._owner.setdefault(page, token) != token:
            return False
        pages = self._by_token[token].pages
        pages[page] = None
        pages.move_to_end(page)
        if len(pages) > PAGES:
            self._owner.pop(pages.popitem(last=False)[0], None)
        return True
