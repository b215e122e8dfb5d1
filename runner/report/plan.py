"""One plan as text for a terminal, as Markdown for a pull request, and as a line for logs.

All read the plan's JSON values (`loop plan --json`, `--out`), so a saved plan is shown exactly as it was when
it was made, also where the deployment cannot be reached, and no form can disagree with another or with what
`apply` does. Called by the command line and by continuous integration. It decides nothing and does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from runner import digest

Values = Mapping[str, Any]
Review = Sequence[tuple[str, Sequence[str]]]
"""Further sections for reviewers, each a title and its lines: stages, evaluation, data, cost."""

CHANGED = "changed values"
"""Title of the section that says what two revisions have otherwise."""
MARKER = "<!-- loop plan -->"
"""First line of the Markdown, by which the one comment of a pull request is found again."""
_SIGNS = {
    "pull_data": "+",
    "place_files": "+",
    "load_adapter": "+",
    "probe_adapter": "+",
    "switch_routes": "!",
    "unload_adapter": "-",
    "retire_files": "-",
    "delete_files": "-",
    "write_rollback": "!",
    "advance_stage": "!",
    "conclude_rollout": "!",
    "note_landed": "!",
    "notify_rollback": "!",
}
_ESCAPED = {"<": "&lt;", ">": "&gt;", "@": "&#64;", **{mark: f"\\{mark}" for mark in "\\`*_{}[]#|!"}}


def to_text(plan: Values, review: Review = ()) -> str:
    """Return the plan for a terminal, without colour and without a line end."""
    lines = [headline(plan, review), ""]
    lines += _section("adapters", _adapters(plan))
    lines += _section("routes", _routes(plan))
    lines += _section("actions", _actions(plan))
    for title, rows in review:
        lines += _section(title, rows)
    lines += [line for hold in plan["holds"] for line in _hold(hold)]
    return "\n".join([*lines, _last_line(plan)])


def to_markdown(plan: Values, review: Review = ()) -> str:
    """Return the plan as the comment on a pull request.

    Nothing in it can mention a person or become markup.
    """
    lines = [MARKER, f"### {_plain(headline(plan, review))}", "", *_table(plan)]
    lines += _fenced("Routes", _routes(plan), "diff")
    lines += _fenced("Actions", _actions(plan), "diff")
    if plan["holds"]:
        held = [f"- **{_plain(h['subject'])}**: {h['why']}: {_plain(h['text'])}" for h in plan["holds"]]
        lines += ["**Held**", "", *held, ""]
    for title, rows in review:
        lines += _fenced(title.capitalize(), rows, "text")
    return "\n".join([*lines, _plain(_last_line(plan))]) + "\n"


def to_line(plan: Values) -> str:
    """Return the plan in one line, for logs and status."""
    counts = f"{len(plan['actions'])} to do, {len(plan['holds'])} held"
    return f"{plan['environment']} at {_revision(plan)}: {plan['verdict']} ({counts})"


def headline(plan: Values, review: Review = ()) -> str:
    """Return what a plan comes to, in a few words."""
    actions, holds = len(plan["actions"]), len(plan["holds"])
    differs = any(title == CHANGED for title, _ in review)
    what = {
        "in sync": "values change, nothing that serves does" if differs else "in sync",
        "changing": f"{actions} change{'' if actions == 1 else 's'} pending",
        "held": f"nothing to do now, {holds} held",
    }
    return f"{plan['environment']} at {_revision(plan)}: {what[plan['verdict']]}"


def describe(action: Values) -> str:  # noqa: PLR0911 - one return for each kind
    """Return what an action does, in words."""
    served = action.get("served", "")
    match action["action"]:
        case "switch_routes":
            return (
                f"give {action['gateway']} the routes of {_arms(next(iter(action['table']['routes']), None))}"
            )
        case "pull_data":
            return f"fetch {action['source']} from the DVC store"
        case "place_files":
            return f"place {served} from {action['source']}"
        case "load_adapter":
            return f"load {served} on {action['replica']}"
        case "probe_adapter":
            return f"probe {served} on {action['replica']}"
        case "unload_adapter":
            return f"unload {served} from {action['replica']}"
        case "retire_files":
            return f"begin the grace period of {served}"
        case "delete_files":
            return f"delete the files of {served}"
        case other:
            return _about_git(action) or f"{other} {served}"


def _about_git(action: Values) -> str | None:  # noqa: PLR0911 - one return for each kind
    """Return what an action that speaks to Git or to people does, or None for another."""
    served = action.get("served", "")
    how = "by a pull request" if action.get("by_pull_request") else "by a commit"
    match action["action"]:
        case "roll_back":
            return f"take {served} off every gateway"
        case "write_rollback":
            return f"write the rollback of {served} to Git {how}"
        case "advance_stage":
            return f"advance {served} from '{action['before']}' to '{action['stage']}' {how}"
        case "conclude_rollout":
            return f"make {served} the baseline in place of {action['baseline']} {how}"
        case "note_landed":
            return f"note that Git shows the rollback of {served}"
        case "notify_rollback":
            return f"tell people of the rollback of {served}"
        case _:
            return None


def _last_line(plan: Values) -> str:
    return f"plan {digest.short(plan['digest'])} for revision {_revision(plan)}"


def _revision(plan: Values) -> str:
    revision = str(plan["revision"])
    return revision if revision.startswith("working-tree") else digest.short(revision)


def _section(title: str, rows: Iterable[str]) -> list[str]:
    told = [f"  {row}" for row in rows]
    return [f"{title}:", *told, ""] if told else []


def _adapters(plan: Values) -> Iterator[str]:
    width = max((len(view["version"]) for view in plan["adapters"]), default=0)
    for view in plan["adapters"]:
        name = f"{view['version']:<{width}}  {digest.short(view['digest'])}"
        yield f"{name}  {view['role']:<10}  rank {view['rank']:<3}  verified on {_proven(view)}"
    yield _slots(plan)


def _slots(plan: Values) -> str:
    return f"{plan['slots']['used']} of {plan['slots']['available']} slots used"


def _proven(view: Values) -> str:
    return f"{len(view['verified'])} of {view['replicas']} replica{'' if view['replicas'] == 1 else 's'}"


def _actions(plan: Values) -> Iterator[str]:
    for action in plan["actions"]:
        yield f"{_SIGNS.get(action['action'], '!')} {describe(action)}: {action['why']}"


def _routes(plan: Values) -> Iterator[str]:
    """Yield the routes now and once everything is verified, as the lines of a difference."""
    before, after = _lines_of(plan["routes"]["before"]), _lines_of(plan["routes"]["after"])
    for line in before:
        yield f"{' ' if line in after else '-'} {line}"
    for line in after:
        if line not in before:
            yield f"+ {line}"


def _lines_of(table: Values | None) -> list[str]:
    if table is None:
        return []
    lines = [f"{route['alias']} -> {_arms(route)}" for route in table["routes"]]
    return lines + [f"{served} on {', '.join(urls)}" for served, urls in sorted(table["replicas"].items())]


def _arms(route: Values | None) -> str:
    if route is None:
        return "nothing"
    text, split = _served(route["baseline"]), route["split"]
    if split is not None:
        groups = f" and all of {', '.join(split['groups'])}" if split["groups"] else ""
        text += f", {100 * split['weight']:.4g}% of users{groups} to {_served(split['candidate'])}"
    for each in route.get("experiments", ()):
        text += f", experiment {each['name']} among {', '.join(map(_served, each['versions']))}"
    shadow = route["shadow"]
    return (
        f"{text}, copies of {100 * shadow['sample']:.4g}% to {_served(shadow['version'])}" if shadow else text
    )


def _served(version: Values) -> str:
    return digest.served_name(version["name"], version["digest"])


def _hold(hold: Values) -> Iterator[str]:
    first, *more = str(hold["text"]).splitlines() or [""]
    yield f"held: {hold['subject']}: {hold['why']}: {first}"
    for line in more:
        yield f"  {line.strip()}"
    if hold["next"]:
        yield f"  next: {hold['next']}"


def _table(plan: Values) -> list[str]:
    head = ["| adapter | digest | role | rank | verified on |", "|---|---|---|---|---|"]
    rows = [
        f"| {_plain(v['version'])} | `{digest.short(v['digest'])}` | {v['role']} | {v['rank']} "
        f"| {_proven(v)} |"
        for v in plan["adapters"]
    ]
    return [*head, *rows, "", _slots(plan), ""]


def _fenced(title: str, rows: Iterable[str], language: str) -> list[str]:
    # A backquote in text from engines or files could end the fence and become markup of its own.
    safe = [row.replace("`", "'").replace("\n", " ") for row in rows]
    return [f"**{title}**", "", f"```{language}", *safe, "```", ""] if safe else []


def _plain(text: object) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return " ".join("".join(_ESCAPED.get(mark, mark) for mark in str(text)).split())
