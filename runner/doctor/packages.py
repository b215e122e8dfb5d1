"""The packages of each requirement group: there, and of the locked version.

What is locked stands in Loop's own checkout (`requirements/GROUP.txt`). A group is needed where the repository asks for
what it does; the others are told and no more.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import runner
from runner.doctor.finding import Finding, Look, aside, failed, ok, unchecked, warning
from runner.spec.load import Spec

AREA = "packages"
GROUPS: Mapping[str, str] = {
    "core": "every command",
    "serve-cpu": "an engine on this machine, without a GPU",
    "serve-gpu": "an engine on this machine, with a GPU",
    "data": "DVC, and checks of data",
    "console": "arena, playground and review queue",
    "train": "`loop train`, and parity in `loop evaluate`",
    "signals": "sentence embeddings",
    "privacy": "finding names in texts",
}
"""Group -> what it is for; those for work on Loop itself are nobody's concern here."""
_LOCKED = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^ ;\\]+)", re.MULTILINE)
Installed = Callable[[str], str | None]


def looks(spec: Spec | None, environment: str) -> Iterator[Look]:
    """Yield one look for all groups; which are needed follows from the spec, where there is one."""

    async def see() -> Iterable[Finding]:
        return await aside(
            lambda: tuple(judge(_locks(_folder()), installed(sys.path), needed(spec, environment)))
        )

    yield Look(AREA, "packages", see)


def needed(spec: Spec | None, environment: str) -> frozenset[str]:
    """Return the groups that the repository asks for; either build of vLLM will do for an engine."""
    groups = {"core"}
    if spec is not None:
        groups.add("data")
        if spec.loop.environments[environment].engine.managed:
            groups |= {"serve-cpu", "serve-gpu"}
        if spec.loop.environments[environment].console is not None:
            groups.add("console")
    return frozenset(groups)


def judge(
    locks: Mapping[str, Mapping[str, str]], version: Installed, wanted: frozenset[str]
) -> Iterator[Finding]:
    """Judge each group by its locked packages: name -> version."""
    if not locks:
        yield unchecked("packages", "this Loop has no locked requirements beside it")
        return
    found = {group: {name: version(name) for name in locks[group]} for group in GROUPS if group in locks}
    engines = [group for group in ("serve-cpu", "serve-gpu") if _is_whole(found.get(group))]
    for group, packages in found.items():
        is_needed = group in wanted and not (group.startswith("serve-") and engines)
        yield _group(group, packages, locks[group], is_needed)


def _is_whole(packages: Mapping[str, str | None] | None) -> bool:
    return packages is not None and all(packages.values())


def _group(
    group: str, packages: Mapping[str, str | None], locked: Mapping[str, str], is_needed: bool
) -> Finding:
    missing = [name for name, version in packages.items() if version is None]
    other = [f"{name} {version}, locked {locked[name]}" for name, version in packages.items()
             if version is not None and _plain(version) != _plain(locked[name])]  # fmt: skip
    fix = f"install it: `bash requirements/install.sh .venv {group}` (for {GROUPS[group]})"
    if missing and is_needed:
        return failed(group, f"{len(missing)} of {len(packages)} are missing: {_few(missing)}", fix)
    if missing:
        return unchecked(group, f"not installed; nothing here asks for it (it is for {GROUPS[group]})")
    if other:
        return warning(group, f"{len(other)} of {len(packages)} are of another version: {_few(other)}", fix)
    return ok(group, f"{len(packages)} packages as locked")


def _plain(version: str) -> str:
    """Return a version without the build's name: `2.13.0+cpu` and `2.13.0` are one."""
    return version.partition("+")[0]


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _folder() -> Path:
    """Return where the locked requirements of the Loop that runs are."""
    return Path(runner.__file__).resolve().parent.parent / "requirements"


def _locks(folder: Path) -> dict[str, dict[str, str]]:
    """Return what each group's file locks; a group without a file is left out."""
    found = {}
    for group in GROUPS:
        path = folder / f"{group}.txt"
        if path.is_file():
            found[group] = {each["name"]: each["version"] for each in _LOCKED.finditer(path.read_text())}
    return found


def installed(paths: Sequence[str]) -> Installed:
    """Return what tells the version of a package that is installed on these paths, None of one that is not.

    The folders' names say it: to read hundreds of files for what stands in their names would take a second.
    """
    folders = (
        entry.name for path in paths if Path(path).is_dir() for entry in Path(path).glob("*.dist-info")
    )
    parts = (folder.removesuffix(".dist-info").partition("-") for folder in folders)
    versions = {_canonical(name): version for name, _, version in parts}
    return lambda name: versions.get(_canonical(name))


def _canonical(name: str) -> str:
    """Return a name as all spellings of it are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()
