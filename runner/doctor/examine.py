"""All looks, taken at the same time; which there are follows from what the repository asks for.

Called by `loop doctor`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from runner.doctor import data, engine, forge, machine, packages, pages, repository
from runner.doctor.finding import Finding, Look, Verdict, take, unchecked
from runner.errors import LoopError
from runner.git.repository import Repository
from runner.reconcile.state import StatePaths
from runner.spec.load import Loaded


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found, by area, in the order in which it is told."""

    environment: str
    areas: tuple[tuple[str, tuple[Finding, ...]], ...]

    def count(self, verdict: Verdict) -> int:
        """Return how many findings ended so."""
        return sum(finding.verdict is verdict for _, findings in self.areas for finding in findings)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined: a folder, and the repository's `root` with its files as they were read, where there is one."""

    folder: Path
    root: Path | None
    loaded: Loaded | None
    environment: str
    environ: Mapping[str, str]


async def examine(subject: Subject, now: float) -> Examined:
    """Return everything that was found. Raises nothing for what is not well."""
    async with aiohttp.ClientSession(trust_env=False) as session:
        looks = list(_looks(subject, session, now))
        found = await asyncio.gather(*map(take, looks))
    areas: dict[str, list[Finding]] = {}
    for look, findings in zip(looks, found, strict=True):
        areas.setdefault(look.area, []).extend(findings)
    return Examined(subject.environment, tuple((area, tuple(all_)) for area, all_ in areas.items() if all_))


def _looks(subject: Subject, session: aiohttp.ClientSession, now: float) -> Iterator[Look]:
    spec = subject.loaded.spec if subject.loaded is not None else None
    yield from machine.looks(subject.folder, _newest_commit(subject.root), now)
    yield from packages.looks(spec, subject.environment)
    yield from repository.looks(subject.root, subject.loaded)
    if subject.root is not None:
        yield from data.looks(subject.root)
    if spec is None or subject.root is None:
        yield _nothing_asked()
        return
    declared = spec.loop.environments[subject.environment]
    state = StatePaths(subject.root, subject.environment).directory
    place = engine.Place(declared.engine, spec.loop.base_model, subject.root, state, subject.environ, session)
    yield from engine.looks(place)
    webhook = spec.policies.rollout.rollback.webhook_env
    yield from pages.looks(declared, state, session, webhook, subject.environ)
    named = spec.loop.git.forge if spec.loop.git is not None else None
    yield from forge.looks(named, session, subject.environ)


def _nothing_asked() -> Look:
    async def see() -> tuple[Finding, ...]:
        return (
            unchecked(
                "engine, gateway, pages, Git host", "without a valid loop.yaml nobody knows where they are"
            ),
        )

    return Look("deployment", "deployment", see)


def _newest_commit(root: Path | None) -> float | None:
    """Return when the commit that is checked out was made, None where there is none."""
    if root is None:
        return None
    try:
        said = Repository(root).git.read("log", "-1", "--format=%ct").decode().strip()
    except LoopError:
        return None
    return float(said) if said else None
