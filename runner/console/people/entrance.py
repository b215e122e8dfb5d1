"""Signing in and out, and the choice of a language: pages of our own, before any of Gradio's.

A key goes to the gateway, which says whether it is one. How often one address may sign in is limited here (`pace`), how
often all of them may guess at the gateway.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from importlib import resources
from urllib.parse import parse_qs

from jinja2 import Environment, PackageLoader, select_autoescape

from runner.console.people.gateway import Gateway, Refused, Trouble
from runner.console.people.pace import Pace
from runner.console.people.ports import Key, Person
from runner.console.people.sessions import Full, Sessions
from runner.console.people.visits import LANGUAGE, Receive, Reply, Visit, read, to
from runner.console.people.words import LANGUAGES, Words

NAME_CHARACTERS = 80
FORM_BYTES = 8192
FIELDS = 8
ASK_EVERY_S = 30.0
_STATUS = {Trouble.UNKNOWN_KEY: 401, Trouble.TOO_OFTEN: 429}


@dataclass(frozen=True, slots=True)
class _Ways:
    """How the gateway lets people in; by a key where that is not known."""

    by_name: bool = False
    by_key: bool = True


class Entrance:
    """Answers its own paths, and says who a visitor is."""

    def __init__(self, sessions: Sessions, gateway: Gateway, environment: str) -> None:
        self._sessions, self._gateway, self._environment = sessions, gateway, environment
        self._ways: _Ways | None = None
        self._asked, self._clock = 0.0, time.monotonic
        self._pace = Pace()
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

    async def _ways_in(self) -> _Ways:
        """Return how the gateway lets people in; seldom asked, since each such question counts as a guess.

        Raises Refused where it cannot be known.
        """
        if self._ways is None or self._clock() - self._asked >= ASK_EVERY_S:
            try:
                self._ways = _Ways(by_name=True, by_key=(await self._gateway.who(None))["keys"])
            except Refused as refused:
                if refused.trouble is not Trouble.UNKNOWN_KEY:
                    raise
                self._ways = _Ways()
            self._asked = self._clock()
        return self._ways

    async def _sign_in(
        self, visit: Visit, said: str = "", status: int = 200, *, by_key: bool = False
    ) -> Reply:
        """Return the page; `by_key` opens the form for a key where a name would do."""
        ways = _Ways()
        try:
            ways = await self._ways_in()
        except Refused as refused:
            said = said or in_words(visit.words, refused)
        page = self._page.render(
            words=visit.words,
            said=said,
            ways=ways,
            by_key=by_key,
            environment=self._environment,
            style=self._style,
            other=next(each for each in LANGUAGES if each != visit.words.language),
        )
        return Reply(status, page.encode(), "text/html; charset=utf-8", ((b"cache-control", b"no-store"),))

    async def _enter(self, visit: Visit, receive: Receive) -> Reply:
        form, say = _form(await read(receive, FORM_BYTES)), visit.words
        if form is None:
            return await self._sign_in(visit, say("sign_in.no_form"), 400)
        name, key = (" ".join(form.get(each, "").split()) for each in ("name", "key"))
        by_key = "key" in form or "account" in form
        if by_key and not re.fullmatch(r"[\x21-\x7e]{1,512}", key):
            return await self._sign_in(visit, say("sign_in.missing_key"), 400, by_key=True)
        if not by_key and not (0 < len(name) <= NAME_CHARACTERS and name.isprintable()):
            return await self._sign_in(visit, say("sign_in.missing_name"), 400)
        try:
            known = await self._known(visit, name, Key(key) if key else None)
        except Refused as refused:
            wrong = refused.trouble is Trouble.UNKNOWN_KEY
            told = say("sign_in.wrong_key") if wrong else in_words(say, refused)
            return await self._sign_in(visit, told, _STATUS.get(refused.trouble, 502), by_key=by_key)
        self._sessions.end(visit.cookies.get(self.cookie))
        try:
            token = self._sessions.begin(known)
        except Full:
            return await self._sign_in(visit, say("sign_in.full"), 503, by_key=by_key)
        return to("/", _kept(self.cookie, token, "HttpOnly"))

    async def _known(self, visit: Visit, name: str, key: Key | None) -> Person:
        """Return who signs in as the gateway knows them. Raises Refused, also for a key that it does not look at."""
        if wait := self._pace.wait_s(visit.address):
            raise Refused(Trouble.TOO_OFTEN, wait_s=wait)
        found = await self._gateway.who(Person(name, key))
        if key is not None and found["key"] is None:
            raise Refused(Trouble.UNKNOWN_KEY)
        return Person(name or found["key"], key, found["group"], found["user"])


def _form(body: bytes | None) -> dict[str, str] | None:
    """Return the first value of each field; None for what is no form: too long, too many fields, no UTF-8."""
    if body is None:
        return None
    try:
        found = parse_qs(body.decode("utf-8"), max_num_fields=FIELDS, errors="strict")
    except ValueError:
        return None
    return {field: values[0] for field, values in found.items()}


def cookie(environment: str) -> str:
    """Return the name of the session's cookie; browsers keep one jar for all ports of a host."""
    return f"loop_console_{re.sub(r'[^A-Za-z0-9_-]', '_', environment)}"


def in_words(say: Words, refused: Refused) -> str:
    """Return what went wrong as a person is told it."""
    return say(f"trouble.{refused.trouble}", said=refused.said, wait=refused.wait_s or 60)


def _kept(name: str, value: str, how: str) -> tuple[bytes, bytes]:
    return b"set-cookie", f"{name}={value}; Path=/; SameSite=Lax; {how}".encode()
