"""Pieces of HTML for the pages, from values; everything that somebody else wrote is escaped here. Pure."""

from __future__ import annotations

import math

from runner import digest
from runner.console.people.markdown import escaped, safe
from runner.console.people.ports import Person, Week
from runner.console.people.rounds import Place
from runner.console.people.words import LANGUAGES, Words
from runner.feedback.matchmaking import Kind

LETTERS = "ABCD"


def header(say: Words, environment: str, person: Person | None) -> str:
    """Return the line at the top of every page."""
    other = next(each for each in LANGUAGES if each != say.language)
    who = ""
    if person is not None:
        aloud = escaped(say("signed_in", name=person.name))
        who = (
            f'<span class="who" title="{aloud}">{escaped(person.name)}</span>'
            f'<form method="post" action="/sign-out"><button class="plain">{say("sign_out")}</button></form>'
        )
    return (
        '<header class="top"><h1 class="brand"><img src="/icon.svg" alt="" width="24" height="24">'
        f"Loop <span>{escaped(environment)}</span></h1>"
        f'<div class="account"><a href="/language/{other}" lang="{other}">{say("other_language")}</a>'
        f"{who}</div></header>"
    )


def progress(say: Words, week: Week | None) -> str:
    """Return this week's bar and one for each kind of question; None where it is not known."""
    if week is None:
        return f'<p class="quiet">{say("arena.progress_unknown")}</p>'
    part = min(1.0, week.pairs / week.wanted)
    aloud = say("arena.of_aloud", pairs=week.pairs, wanted=week.wanted)
    kinds = "".join(_kind(say, each, math.ceil(each.share * week.wanted - 1e-9)) for each in week.kinds)
    return (
        f'<section class="week" aria-label="{say("arena.progress")}">'
        f'<p class="sum"><span>{say("arena.progress")}</span>'
        f'<strong aria-label="{aloud}">{say("arena.of", pairs=week.pairs, wanted=week.wanted)}</strong></p>{_bar(part)}'
        f'<details><summary>{say("arena.coverage")}</summary><ul class="kinds">{kinds}</ul></details></section>'
    )


def _kind(say: Words, kind: Kind, wanted: int) -> str:
    count = f'<span class="count">{kind.votes} / {wanted}</span>'
    return f"<li><span>{escaped(say.kind(kind.name))}</span>{count}{_bar(min(1.0, kind.votes / max(1, wanted)))}</li>"


def _bar(part: float) -> str:
    return f'<span class="bar" aria-hidden="true"><span style="width:{100 * part:.1f}%"></span></span>'


def place_head(say: Words, number: int, place: Place | None = None, chosen: bool = False) -> str:
    """Return the head of an answer's card: its letter, and once `place` is given, who wrote it."""
    name = say("arena.answer", letter=LETTERS[number])
    told = f'<span class="letter">{name}</span>'
    if place is not None:
        version, of = escaped(place.reply.version), digest.short(place.reply.digest)
        told += f'<span class="version">{version}</span><code>{escaped(of)}</code>'
        told += f'<span class="chosen">{say("arena.your_choice")}</span>' if chosen else ""
    return f"<h2>{told}</h2>"


def place_body(say: Words, place: Place) -> str:
    """Return an answer as far as it has come."""
    text = place.reply.text
    if place.trouble is not None:
        trouble = say(f"trouble.{place.trouble}", said="", wait=60)
        return f'{safe(text) if text else ""}<p class="trouble">{trouble}</p>'
    if not text.strip():
        return f'<p class="quiet waiting">{say("arena.waiting")}</p>'
    return f'<div class="text{"" if place.over else " growing"}" lang="">{safe(text)}</div>'


def status(text: str, tone: str = "") -> str:
    """Return a line that is also read aloud."""
    return f'<p class="status {tone}" role="status">{escaped(text)}</p>'


def keys(say: Words) -> str:
    """Return the hint which keys there are, and the switch that turns them off."""
    pairs = (
        ("/", "arena.key_question"),
        ("1 2 3", "arena.key_suggested"),
        ("A B", "arena.key_vote"),
        ("T", "arena.key_tie"),
        ("X", "arena.key_neither"),
        ("N", "arena.key_next"),
    )
    told = "".join(
        f"<li>{''.join(f'<kbd>{key}</kbd>' for key in keys_.split())} {say(name)}</li>"
        for keys_, name in pairs
    )
    return (
        f'<div class="keys"><label><input type="checkbox" id="use-keys" checked> {say("arena.keys_on")}</label>'
        f'<ul aria-label="{say("arena.keys")}">{told}</ul></div>'
    )


def talk(say: Words, turns: list[tuple[str, str, str]]) -> str:
    """Return a conversation: who speaks (`you` or a version), what they say, and what is to be said of it."""
    if not turns:
        return f'<p class="quiet nothing">{say("playground.empty")}</p>'
    told = []
    for speaker, text, note in turns:
        own = speaker == "you"
        name = say("playground.you") if own else escaped(speaker)
        inner = f"<p>{escaped(text)}</p>" if own else safe(text)
        noted = f'<p class="trouble">{escaped(note)}</p>' if note else ""
        said = f'<p class="speaker">{name}</p><div class="text">{inner}</div>{noted}'
        told.append(f'<li class="{"mine" if own else "theirs"}">{said}</li>')
    return f'<ol class="talk">{"".join(told)}</ol>'
