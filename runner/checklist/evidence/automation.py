"""What has commands run by themselves: workflows of a Git host and crontabs, also where they call a script for it.

Called by `history`. It reads files of a revision and runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import yaml

from runner.checklist.facts import Workflow
from runner.git.tree import TreeFiles

COMMANDS = ("loop data curate", "loop evaluate")
_WORKFLOW = re.compile(r"\.github/workflows/[^/]+\.ya?ml")
_TABLE = re.compile(r"(.*/)?(crontab|[^/]+\.(cron|crontab))")
_SCRIPT = re.compile(r".+\.sh")
_TIMES = re.compile(r"\s*((?:[^\s/]\S*\s+){5}|@\w+\s+)")
BY_HAND = frozenset({"workflow_dispatch", "workflow_call"})
Scripts = Mapping[str, str]
"""Path of a script -> what it says."""


def workflows(files: TreeFiles) -> Iterator[Workflow]:
    """Yield each file that has one of the commands run, with its first line that does, and what starts it."""
    paths = files.paths()
    known = {path: _text(files, path) for path in paths if _SCRIPT.fullmatch(path)}
    for path in paths:
        if _WORKFLOW.fullmatch(path):
            text = _text(files, path)
            for number, command, _ in _named(text, known):
                yield Workflow(path, number, command, _events(text))
        elif _TABLE.fullmatch(path):
            for number, command, line in _named(_text(files, path), known):
                yield Workflow(path, number, command, _time(line))


def _text(files: TreeFiles, path: str) -> str:
    return files.read(path).decode(errors="replace")


def _named(text: str, known: Scripts) -> Iterator[tuple[int, str, str]]:
    """Yield for each command that is run the first line that does it: its number, the command, the line."""
    for command in COMMANDS:
        lines = enumerate(text.splitlines(), 1)
        found = next(((number, command, line) for number, line in lines if _runs(line, command, known)), None)
        if found is not None:
            yield found


def _runs(line: str, command: str, known: Scripts) -> bool:
    """Return whether a line runs a command, itself or by a script; what is commented out runs nothing."""
    said = line.partition("#")[0]
    return command in said or any(
        path in said and any(command in each.partition("#")[0] for each in known[path].splitlines())
        for path in known
    )


def _events(text: str) -> tuple[str, ...]:
    """Return what starts a workflow without anybody's hand."""
    try:
        value = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        return ()
    return tuple(
        told
        for name, given in _triggers(value.get("on") if isinstance(value, dict) else None).items()
        if name not in BY_HAND
        for told in (_schedule(given) if name == "schedule" else (name,))
    )


def _triggers(on: Any) -> Mapping[str, Any]:
    """Return the triggers, which may be one name, a list of names, or a mapping."""
    if isinstance(on, dict):
        return on
    names: Collection[Any] = on if isinstance(on, list) else [on]
    return {name: None for name in names if isinstance(name, str)}


def _schedule(given: Any) -> tuple[str, ...]:
    times = given if isinstance(given, list) else []
    return tuple(f"schedule {each['cron']}" for each in times if isinstance(each, dict) and "cron" in each)


def _time(line: str) -> tuple[str, ...]:
    """Return the time at the beginning of a line of a crontab."""
    match = _TIMES.match(line)
    return (f"cron {' '.join(match[1].split())}",) if match else ()
