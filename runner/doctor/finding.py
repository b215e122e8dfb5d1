"""What one look came to, and the order of looks. Pure values; every area gives them, `report` shows them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from runner.errors import LoopError

T = TypeVar("T")
SECONDS = 15.0
"""Longest time for one look; those that need more say so."""


class Verdict(StrEnum):
    """How a look ended. No evidence is never OK."""

    OK = "ok"
    WARNING = "warning"
    """It runs so, and not as well as it could, or not everything does."""
    FAILED = "failed"
    """Something that the repository asks for does not work."""
    UNCHECKED = "not checked"
    """It could not be seen from here, or nothing asks for it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was seen, and what to do where it is not well."""

    what: str
    verdict: Verdict
    evidence: str
    fix: str = ""


def ok(what: str, evidence: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(what, Verdict.OK, evidence)


def warning(what: str, evidence: str, fix: str) -> Finding:
    """Return a finding of what could be better."""
    return Finding(what, Verdict.WARNING, evidence, fix)


def failed(what: str, evidence: str, fix: str) -> Finding:
    """Return a finding of what does not work."""
    return Finding(what, Verdict.FAILED, evidence, fix)


def unchecked(what: str, evidence: str, fix: str = "") -> Finding:
    """Return a finding that nothing was found out."""
    return Finding(what, Verdict.UNCHECKED, evidence, fix)


def told(what: str, error: LoopError, otherwise: str = "put right what it says") -> Finding:
    """Return an error, which has its own words and mostly its own fix, as a finding that it failed."""
    first = error.diagnostics[0]
    said = "; ".join([first.summary, *first.evidence[:3]])
    return failed(what, said, first.fix or otherwise)


@dataclass(frozen=True, slots=True)
class Look:
    """One thing to look at: `see` gives the findings, within `seconds`."""

    area: str
    what: str
    see: Callable[[], Awaitable[Iterable[Finding]]]
    seconds: float = SECONDS


async def take(look: Look) -> tuple[Finding, ...]:
    """Return what a look found. One that takes too long, or fails by itself, found out nothing."""
    try:
        return tuple(await asyncio.wait_for(look.see(), look.seconds))
    except TimeoutError:
        return (unchecked(look.what, f"it took longer than {look.seconds:g} s"),)
    except LoopError as error:
        return (told(look.what, error),)
    except OSError as error:
        return (unchecked(look.what, (error.strerror or str(error)).lower()),)


async def aside(work: Callable[[], T]) -> T:
    """Do what may block in a thread of its own, which nobody waits for at the end: a disk may never answer."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if not done.done():
            done.set_exception(error) if error else done.set_result(value)  # type: ignore[arg-type]

    def run() -> None:
        value, error = None, None
        try:
            value = work()
        except Exception as raised:  # whoever awaits it gets it
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=run, daemon=True).start()
    return await done
