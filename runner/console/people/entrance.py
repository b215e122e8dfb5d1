"""Signing in and out, and the choice of a language: pages of our own, before any of Gradio's.

A key goes to the gateway, which says whether it is one; how often somebody may guess is the gateway's to limit (429).
"""

from __future__ import annotations

import re
import time
from importlib import resources
from urllib.parse import parse_qs

from jinja2 import Environment, PackageLoader, select_autoescape

from runner.console.people.gateway import Gateway, Refused, Trouble
from runner.console.people.ports import Key, Person
from runner.console.people.sessions import Sessions
from runner.console.people.visits import LANGUAGE, Receive, Reply, Visit, read, to
from runner.console.people.words import LANGUAGES, Words

NAME_CHARACTERS = 80
FORM_BYTES = 8192
ASK_EVERY_S = 30.0
_STATUS = {Trouble.UNKNOWN_KEY: 401, Trouble.TOO_OFTEN: 429}


class Entrance:
    """Answers its own paths, and says who a visitor is."""

    def __init__(self, sessions: Sessions, gateway: Gateway, environment: str) -> None:
        self._sessions, self._gateway, self._environment = sessions, gateway, environment
        self._by_name: bool | None = None
        self._asked, self._clock = 0.0, time.monotonic
        self.cookie = cookie(environment)
        loader = PackageLoader(__package__, "assets")
        self._page = Environment(loader=loader, autoescape=select_autoescape()).get_template("sign_in.html")
        self._style = (resources.files(__package__) / "assets" / "sign_in.css").read_text(encoding="utf-8")

    def token(self, visit: Visit) -> str:
        """Return the visitor's token where somebody is signed in with it, otherwise nothing."""
        token = visit.cookies.get(self.cookie, "")
        return token if self._sessions.person(token) else ""

    async def reply(self, visit: Visit, receive: Receive) -> Reply | None:
        """Return the answer for one of the entrance's own paths, None for any other."""
        found: Reply | None = None
        match "GET" if visit.method == "HEAD" else visit.method, visit.path.split("/")[1:]:
            case "GET", [""]:
                found = to(f"/{visit.words.language}/" if self.token(visit) else "/sign-in")
            case "GET", ["sign-in"]:
                found = await self._sign_in(visit)
            case "POST", ["sign-in"]:
                found = await self._enter(visit, receive)
            case "POST", ["sign-out"]:
                self._sessions.end(visit.cookies.get(self.cookie))
                found = to("/sign-in", _kept(self.cookie, "", "Max-Age=0; HttpOnly"))
            case "GET", ["language", language] if language in LANGUAGES:
                found = to("/", _kept(LANGUAGE, language, "Max-Age=31536000"))
        return found

    async def _lets_in_by_name(self) -> bool:
        """Return whether the gateway asks for no key; seldom asked, since each such question counts as a guess.

        Raises Refused where it cannot be known.
        """
        if self._by_name is None or self._clock() - self._asked >= ASK_EVERY_S:
            try:
                await self._gateway.who(None)
                self._by_name = True
            except Refused as refused:
                if refused.trouble is not Trouble.UNKNOWN_KEY:
                    raise
                self._by_name = False
            self._asked = self._clock()
        return self._by_name

    async def _sign_in(
        self, visit: Visit, said: str = "", status: int = 200, *, by_key: bool = False
    ) -> Reply:
        """Return the page; `by_key` opens the form for a key where a name would do."""
        by_name = False
        try:
            by_name = await self._lets_in_by_name()
        except Refused as refused:
            said = said or in_words(visit.words, refused)
        page = self._page.render(
            words=visit.words,
            said=said,
            by_name=by_name,
            by_key=by_key,
            environment=self._environment,
            style=self._style,
            other=next(each for each in LANGUAGES if each != visit.words.language),
        )
        return Reply(status, page.encode(), "text/html; charset=utf-8", ((b"cache-control", b"no-store"),))

    async def _enter(self, visit: Visit, receive: Receive) -> Reply:
        form = parse_qs((await read(receive, FORM_BYTES) or b"").decode("utf-8", "replace"), max_num_fields=8)
        name, key = (" ".join(form.get(each, [""])[0].split()) for each in ("name", "key"))
        by_key = "key" in form or "account" in form
        say = visit.words
        if by_key and not re.fullmatch(r"[\x21-\x7e]{1,512}", key):
            return await self._sign_in(visit, say("sign_in.missing_key"), 400, by_key=True)
        if not by_key and not (0 < len(name) <= NAME_CHARACTERS and name.isprintable()):
            return await self._sign_in(visit, say("sign_in.missing_name"), 400)
        held = Key(key) if key else None
        try:
            found = await self._gateway.who(Person(name, held))
        except Refused as refused:
            wrong = refused.trouble is Trouble.UNKNOWN_KEY
            told = say("sign_in.wrong_key") if wrong else in_words(say, refused)
            return await self._sign_in(visit, told, _STATUS.get(refused.trouble, 502), by_key=by_key)
        self._sessions.end(visit.cookies.get(self.cookie))
        known = Person(name or found["key"] or "?", held, found["group"], found["user"])
        return to("/", _kept(self.cookie, self._sessions.begin(known), "HttpOnly"))


def cookie(environment: str) -> str:
    """Return the name of the session's cookie; browsers keep one jar for all ports of a host."""
    return f"loop_console_{re.sub(r'[^A-Za-z0-9_-]', '_', environment)}"


def in_words(say: Words, refused: Refused) -> str:
    """Return what went wrong as a person is told it."""
    return say(f"trouble.{refused.trouble}", said=refused.said, wait=refused.wait_s or 60)


def _kept(name: str, value: str, how: str) -> tuple[bytes, bytes]:
    return b"set-cookie", f"{name}={value}; Path=/; SameSite=Lax; {how}".encode()
