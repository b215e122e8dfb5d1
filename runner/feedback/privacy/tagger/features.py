"""What the tagger sees of each unit of a text: its form, what the lexicon says, its neighbours, the line it stands in.

Called by the tagger and its training, which must see the same. Only common words are seen by their letters; a rare word
is known by its shape, its ends and the lexicon, so that names never met before are treated as those met. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from runner.feedback.privacy.tagger.lexicon import COMPANY, STREET, TITLE, folded
from runner.feedback.privacy.tagger.tokens import Token

Flags = Callable[[str], str]
"""Word -> what the lexicon says of it."""

_KEY = re.compile(r"[^\W\d_]+(?: [^\W\d_]+)?(?= ?:)")
_HANGUL = re.compile(r"[가-힣]")
SURNAMES = frozenset(
    "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진지엄채원천방공현함변염여추도소석선설마길연위표명기반왕금옥육인맹제모탁국은편용"
)
_LONG = 5


@lru_cache(maxsize=65536)
def shape(form: str) -> str:  # noqa: PLR0911 - one shape each
    """Return the shape of a unit: `Xx`, `X`, `x`, `XX`, `d3`, letters and digits mixed, or the mark itself."""
    if form.isdigit():
        return f"d{min(len(form), 6)}"
    if not form[0].isalnum():
        return form
    if any(mark.isdigit() for mark in form):
        return "Xd" if form[0].isalpha() else "dx"
    if _HANGUL.match(form):
        return "한"
    if form.islower():
        return "x1" if len(form) == 1 else "x"
    if form.isupper():
        return "X1" if len(form) == 1 else "X2" if len(form) == 2 else "XX"
    if form[0].isupper():
        return "Xx" if form[1:].islower() else "XxX"
    return "xX" if any(mark.isupper() for mark in form) else "o"


class _Word:
    """What is known of a unit wherever it stands."""

    __slots__ = ("flags", "kind", "own", "shape", "word")

    def __init__(self, form: str, flags: str) -> None:
        low = folded(form)
        self.shape = shape(form)
        self.kind = (
            ("t" if low in STREET else "") + ("o" if low in COMPANY else "") + ("m" if low in TITLE else "")
        )
        self.flags = flags + self.kind
        seen = (
            "C" in flags
            or self.kind
            or ("c" in flags and not set("gspr") & set(flags))
            or not form[0].isalnum()
        )
        self.word = low if seen else f"~{self.shape[:2]}{self.flags}"
        letters = low if "c" in flags else self.word
        self.own = [f"w={letters}", f"h={self.shape}", f"f={self.flags}", f"fh={self.flags}/{self.shape}"]
        self.own += [f"f~{flag}" for flag in self.flags]
        if form[0].isalpha() and len(low) > 2 and self.shape != "한":
            self.own += [f"s3={low[-3:]}", f"s2={low[-2:]}", f"p3={low[:3]}"]
            if len(low) > _LONG:
                self.own += [f"s4={low[-4:]}", f"s5={low[-5:]}"]


def _korean(form: Sequence[str], position: int, first: int, last: int) -> list[str]:
    """Return what a syllable is seen by: itself, its neighbours in the word, and how the words beside it end."""
    here, size = position - first, last - first
    before = form[position - 1] if position > first else "^"
    after = form[position + 1] if position + 1 < last else "$"
    two = form[position + 2] if position + 2 < last else "$"
    back = form[position - 2] if position - 1 > first else "^"
    return [
        f"k={form[position]}",
        f"k-={before}{form[position]}",
        f"k+={form[position]}{after}",
        f"k3={before}{form[position]}{after}",
        f"k++={form[position]}{after}{two}",
        f"k--={back}{before}{form[position]}",
        f"k>={after}{two}",
        f"kn>={min(here, 4)}/{after}{two}",
        f"kn={min(here, 4)}/{min(size - here, 5)}",
        f"kz={min(size, 6)}/{min(here, 5)}",
        f"ks={form[first] in SURNAMES}/{min(here, 4)}/{min(size, 6)}",
        f"ke={''.join(form[max(first, last - 2) : last])}/{min(here, 3)}",
        f"kf={''.join(form[first : min(last, first + 2)])}/{min(here, 4)}",
        f"kl={form[first]}/{min(here, 3)}",
        f"kp={''.join(form[max(0, first - 2) : first])}/{min(here, 3)}",
        f"kq={''.join(form[last : last + 2])}/{min(size - here, 3)}",
    ]


def features(units: Sequence[Token], text: str, flags: Flags) -> list[list[str]]:
    """Return the features of each of the `units` of `text`."""
    if not units:
        return []
    form = [unit.form for unit in units]
    known: dict[str, _Word] = {}
    words = [known.get(word) or known.setdefault(word, _Word(word, flags(word))) for word in form]
    case = _case(text)
    found = []
    lines = _lines(units, text)
    edge = _EDGE
    size = len(units)
    for at, word in enumerate(words):
        one = words[at - 1] if at else edge
        two = words[at - 2] if at > 1 else edge
        three = words[at - 3] if at > 2 else edge
        next1 = words[at + 1] if at + 1 < size else edge
        next2 = words[at + 2] if at + 2 < size else edge
        glue = f"{'g' if units[at].glued else '_'}{'g' if at + 1 < size and units[at + 1].glued else '_'}"
        a, b, c, d = one.word, two.word, next1.word, next2.word
        here = word.shape
        found.append(
            [
                *word.own,
                f"c={case}/{here}",
                f"cf={case}/{word.flags}/{here}",
                f"gl={glue}/{here}",
                f"-1={a}",
                f"-2={b}",
                f"-3={three.word}",
                f"+1={c}",
                f"+2={d}",
                f"-1h={one.shape}/{here}",
                f"+1h={here}/{next1.shape}",
                f"3h={one.shape}/{here}/{next1.shape}",
                f"-1f={one.flags}/{word.flags}",
                f"+1f={word.flags}/{next1.flags}",
                f"-1fh={one.flags}/{here}",
                f"+1fh={here}/{next1.flags}",
                f"-1w={a}/{here}",
                f"+1w={here}/{c}",
                f"-2w={b} {a}",
                f"+2w={c} {d}",
                f"1w1={a} {c}",
                f"-1wf={a}/{word.flags}/{here}",
                f"+1wf={word.flags}/{here}/{c}",
                f"-2wh={b} {a}/{here}",
                f"-3w={three.word} {b} {a}",
                f"-2h={two.shape}/{one.shape}/{here}",
                f"+2h={here}/{next1.shape}/{next2.shape}",
                f"w1={a} {word.word}",
                f"w2={word.word} {c}",
                *lines[at],
            ]
        )
    _add_korean(found, units, form)
    return found


_EDGE = _Word("\n", "")


def _case(text: str) -> str:
    """Return whether a text is all small, all capital, or mixed."""
    return "x" if text.islower() else "X" if text.isupper() else "m"


def _lines(units: Sequence[Token], text: str) -> list[list[str]]:
    """Return for each unit what its line says: the word before its colon, its place in the line, its chunk's marks."""
    found: list[list[str]] = []
    first, key, number, starts = 0, "", "", True
    for at, unit in enumerate(units):
        if at == first:
            end = text.find("\n", unit.start)
            line = text[unit.start : end if end >= 0 else len(text)]
            match = _KEY.match(line)
            key = folded(match[0]) if match and match.end() < 24 else ""
            number = f"{min(len(line.split()), 6)}{'d' if line[:1].isdigit() else ''}"
            number += "D" if any(map(str.isdigit, line)) else ""
        here = [f"ln={number}/{min(at - first, 3)}/{shape(unit.form)}", f"st={starts}/{shape(unit.form)}"]
        if key:
            here.append(f"key={key}/{min(at - first, 4)}")
            here.append(f"ky={key}")
        found.append(here)
        starts = unit.form in '.!?:\n"“>'
        if unit.form == "\n":
            first = at + 1
    _add_marks(found, units, text)
    return found


def _add_marks(found: list[list[str]], units: Sequence[Token], text: str) -> None:
    """Add what the stretch without white space around each unit holds: an at sign or a web address."""
    if "@" not in text and "/" not in text and "." not in text:
        return
    begin = 0
    for at in range(1, len(units) + 1):
        if at < len(units) and units[at].glued and units[at].form != "\n":
            continue
        chunk = text[units[begin].start : units[at - 1].end]
        mark = "@" if "@" in chunk else "/" if "://" in chunk or "www." in chunk.lower() else ""
        if mark:
            for inside in range(begin, at):
                found[inside].append(f"in={mark}")
        begin = at


def _add_korean(found: list[list[str]], units: Sequence[Token], form: Sequence[str]) -> None:
    """Add what is seen of Hangul syllables, word by word."""
    at, size = 0, len(units)
    while at < size:
        if not _HANGUL.match(form[at]):
            at += 1
            continue
        last = at + 1
        while last < size and units[last].glued and _HANGUL.match(form[last]):
            last += 1
        for inside in range(at, last):
            found[inside] += _korean(form, inside, at, last)
        at = last
