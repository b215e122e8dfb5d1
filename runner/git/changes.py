"""The edits that automation makes to the desired state: a stage on, a rollout concluded or out, a quarantine entry.

Texts in, texts out; nothing is written here and no command is run. Each edit keeps every byte that it does not
mean, and is proven by reading its result. The reconciler calls these and hands the result to `commit`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC
from enum import StrEnum
from typing import Any

from runner.errors import Diagnostic, TerminalError, terminal
from runner.git import cut, insert
from runner.git.threeway import merge
from runner.spec.edit import set_scalar
from runner.spec.quarantine import Quarantined
from runner.spec.source import KeyPath, read

LOOP_FILE = "loop.yaml"
QUARANTINE_FILE = "quarantine.yaml"
TEXT_MAX = 300
"""Longest text of a quarantine entry, as `spec.base.Text` has it."""
_HEADER = (
    "# yaml-language-server: $schema=schemas/quarantine.json",
    "# Versions that were rolled back. Automation puts none of them on trial again.",
    "# To lift one, delete its entry in a commit.",
)


class How(StrEnum):
    """How a rollout left the file."""

    ABSENT = "it was not there"
    REVERTED = "a revert: the file is what it was before the rollout, byte for byte"
    MERGED = "a revert beside other changes, which stay"
    EDITED = "an edit, since a revert conflicts with other changes"


def advance(text: str, environment: str, stage: str) -> str:
    """Return loop.yaml with the rollout of an environment in another stage; one value changes.

    Raises TerminalError where there is no rollout, or the text cannot be read.
    """
    rollout = _rollout(_value(text), environment)
    if rollout is None:
        raise terminal(f"{LOOP_FILE}: environment '{environment}' has no rollout to advance")
    if rollout.get("stage") == stage:
        return text
    return set_scalar(text, ("environments", environment, "rollout", "stage"), stage)


def conclude(text: str, environment: str) -> str:
    """Return loop.yaml with the candidate of an environment as its baseline, and the old baseline as standby.

    The rollout leaves; comments around it stay, for they are people's. Raises TerminalError where there is no
    rollout, or where no edit means exactly that.
    """
    value = _value(text)
    rollout = _rollout(value, environment)
    if rollout is None:
        raise terminal(f"{LOOP_FILE}: environment '{environment}' has no rollout to conclude")
    place: KeyPath = ("environments", environment)
    candidate, old = str(rollout.get("candidate")), str(value["environments"][environment].get("baseline"))
    comments = frozenset(line.strip() for line in text.splitlines() if line.lstrip().startswith("#"))
    edited, _ = cut.without(text, (*place, "rollout"), comments)
    edited = set_scalar(edited, (*place, "baseline"), candidate)
    edited = _with_standby(edited, place, old)
    wanted = _with(_less_rollout(value, environment), environment, baseline=candidate, standby=old)
    if not _means(edited, wanted):
        raise terminal(
            f"{LOOP_FILE}: '{candidate}' cannot be made the baseline of '{environment}' without changing more",
            fix=f"write `baseline: {candidate}` and `standby: {old}`, delete its `rollout:`, and commit that",
        )
    return edited


def roll_back(
    now: str, before: str | None, environment: str, introduced: str | None = None
) -> tuple[str, How]:
    """Return loop.yaml without the rollout of an environment, and how that was done.

    `before` is the text before the candidate entered and `introduced` the one right after, where they are
    known (`history.introduced`). Raises TerminalError where no edit gives the spec of now less the rollout.
    """
    value = _value(now)
    if not _has_rollout(value, environment):
        return now, How.ABSENT
    wanted = _less_rollout(value, environment)
    if before is not None:
        reverted = _revert(now, before, environment, introduced)
        if reverted is not None and _means(reverted[0], wanted):
            return reverted
    keep = frozenset(line.strip() for line in (before or "").splitlines())
    edited, _ = cut.without(now, ("environments", environment, "rollout"), keep)
    if not _means(edited, wanted):
        raise terminal(
            f"{LOOP_FILE}: the rollout of '{environment}' cannot be taken out without changing more",
            fix="delete its `rollout:` by hand, and commit that",
        )
    return edited, How.EDITED


def quarantine_entry(text: str | None, entry: Quarantined) -> str:
    """Return quarantine.yaml with one more entry, last; one that has this version already stays as it is.

    None stands for a file that is not there. Raises TerminalError where the text cannot be read.
    """
    if text is None:
        return "\n".join((*_HEADER, "", "quarantined:", *_block(entry, "  "))) + "\n"
    body = text.removeprefix(cut.MARK)
    before = _entries(body)
    if any(item.get("served") == entry.served for item in before):
        return text
    edited = _with_entry(body, entry)
    if _entries(edited) != [*before, _plain(entry)]:
        raise terminal(f"{QUARANTINE_FILE}: no entry can be added to it", fix="write the list in block style")
    return text[: len(text) - len(body)] + edited


def lift(text: str, served: str) -> str:
    """Return quarantine.yaml without the entry of one version. Raises TerminalError where it has none."""
    body = text.removeprefix(cut.MARK)
    before = _entries(body)
    index = next((i for i, item in enumerate(before) if item.get("served") == served), None)
    if index is None:
        raise terminal(f"{QUARANTINE_FILE}: '{served}' is not quarantined")
    edited, _ = cut.without(body, ("quarantined", index))
    if len(before) == 1:
        edited = _emptied(body, edited)
    if _entries(edited) != before[:index] + before[index + 1 :]:
        raise terminal(f"{QUARANTINE_FILE}: the entry cannot be taken out alone", fix="delete it by hand")
    return text[: len(text) - len(body)] + edited


def _revert(now: str, before: str, environment: str, introduced: str | None) -> tuple[str, How] | None:
    """Return the text with the rollout's own changes taken back, or None where others are in between."""
    if introduced is not None:
        base = _at_stage_of(now, introduced, environment)
        if base == now:
            return before, How.REVERTED
        merged = None if base is None else merge(base, now, before)
        return None if merged is None else (merged, How.MERGED)
    return (before, How.REVERTED) if _only_the_rollout(now, before, environment) else None


def _at_stage_of(now: str, introduced: str, environment: str) -> str | None:
    """Return the text as it entered, in the stage of now: advances are the rollout's own changes too."""
    stage = (_rollout(_value(now), environment) or {}).get("stage")
    try:
        return advance(introduced, environment, str(stage))
    except TerminalError:
        return None


def _only_the_rollout(now: str, before: str, environment: str) -> bool:
    """Whether two texts differ in the lines of the rollout, and blanks and commas around them, only."""
    keep = frozenset(line.strip() for line in before.splitlines())
    try:
        _, span = cut.without(now, ("environments", environment, "rollout"), keep)
    except TerminalError:
        return False
    start, end = span.start, span.end
    while start and now[start - 1] in " \t\r\n,":
        start -= 1
    while end < len(now) and now[end] in " \t\r\n,":
        end += 1
    tail = now[end:]
    between = before[start : len(before) - len(tail)]
    fits = len(before) >= start + len(tail) and before.startswith(now[:start]) and before.endswith(tail)
    return fits and not between.strip(" \t\r\n,")


def _value(text: str, path: str = LOOP_FILE) -> Mapping[str, Any]:
    document, problems = read(path, text.encode())
    if document is None or problems:
        raise TerminalError(*problems)
    return document.value


def _means(text: str, wanted: Mapping[str, Any]) -> bool:
    document, problems = read(LOOP_FILE, text.encode())
    return document is not None and not problems and document.value == wanted


def _rollout(value: Mapping[str, Any], environment: str) -> Mapping[str, Any] | None:
    found = (value.get("environments") or {}).get(environment) or {}
    rollout = found.get("rollout") if isinstance(found, dict) else None
    return rollout if isinstance(rollout, dict) else None


def _has_rollout(value: Mapping[str, Any], environment: str) -> bool:
    return "rollout" in ((value.get("environments") or {}).get(environment) or {})


def _with_standby(text: str, place: KeyPath, version: str) -> str:
    """Return the text with the standby of an environment; one that is not declared yet comes below the baseline."""
    document, problems = read(LOOP_FILE, text.encode())
    if document is None or problems:
        raise TerminalError(*problems)
    if (*place, "standby") in document.places:
        return set_scalar(text, (*place, "standby"), version)
    return insert.beside(text, (*place, "baseline"), "standby", version)


def _with(value: Mapping[str, Any], environment: str, **changes: str) -> Mapping[str, Any]:
    """Return the spec with other values in one environment."""
    environments = dict(value["environments"])
    environments[environment] = {**environments[environment], **changes}
    return {**value, "environments": environments}


def _less_rollout(value: Mapping[str, Any], environment: str) -> Mapping[str, Any]:
    environments = dict(value["environments"])
    environments[environment] = {k: v for k, v in environments[environment].items() if k != "rollout"}
    return {**value, "environments": environments}


def _entries(text: str) -> list[Mapping[str, Any]]:
    """Return what is quarantined; a file of comments quarantines nothing."""
    if not any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines()):
        return []
    found = _value(text, QUARANTINE_FILE).get("quarantined") or []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise TerminalError(Diagnostic(f"{QUARANTINE_FILE}: 'quarantined' must be a list of entries"))
    return found


def _with_entry(body: str, entry: Quarantined) -> str:
    newline = "\r\n" if "\r\n" in body else "\n"
    found = cut.find(body, ("quarantined",))
    if found is None:
        return _inserted(body, len(body), ["quarantined:", *_block(entry, "  ")], newline)
    listed = found.value
    if isinstance(listed.value, str):  # `quarantined:` and nothing, or null
        start, end = listed.start_mark.index, listed.end_mark.index
        body = body[:start] + body[end:]
        at = cut.line_end(body, found.key.start_mark.index)
        return _inserted(body, at, _block(entry, "  "), newline)
    if listed.flow_style:
        close = listed.end_mark.index - 1
        comma = ", " if listed.value and not body[:close].rstrip().endswith(",") else ""
        at = len(body[:close].rstrip()) if "\n" not in body[listed.start_mark.index : close] else close
        return body[:at] + comma + json.dumps(_plain(entry), ensure_ascii=False) + body[at:]
    column = listed.start_mark.column
    at = cut.line_end(body, max(cut.last_character(listed) - 1, 0))
    at = cut.past_comments(body, at, column)
    return _inserted(body, at, _block(entry, " " * column), newline)


def _inserted(body: str, at: int, lines: list[str], newline: str) -> str:
    head = body[:at]
    if head and not head.endswith("\n"):
        head += newline
    return head + "".join(f"{line}{newline}" for line in lines) + body[at:]


def _emptied(body: str, edited: str) -> str:
    """Write `[]` where the last entry was: nothing at all would read as null."""
    found = cut.find(body, ("quarantined",))
    if found is None or found.value.flow_style:
        return edited
    at = body.index(":", found.key.end_mark.index) + 1
    return f"{edited[:at]} []{edited[at:]}"


def _plain(entry: Quarantined) -> dict[str, str]:
    """Return an entry's values as text, each on one line and no longer than the schema takes."""
    values = {
        "served": entry.served,
        "environment": entry.environment,
        "at": entry.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "condition": one_line(entry.condition),
    }
    if entry.evidence is not None:
        values["evidence"] = one_line(entry.evidence)
    return values


def _block(entry: Quarantined, indent: str) -> list[str]:
    plain = ("served", "environment", "at")
    pairs = [
        f"{key}: {value if key in plain else json.dumps(value, ensure_ascii=False)}"
        for key, value in _plain(entry).items()
    ]
    return [f"{indent}- {pairs[0]}", *(f"{indent}  {pair}" for pair in pairs[1:])]


def one_line(text: str, longest: int = TEXT_MAX) -> str:
    """Return text on one line of printable characters, cut with `…` where it is longer than `longest`."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"
