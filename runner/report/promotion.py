"""The body of a promotion's pull request: what happens on merge, what was measured, and what a reviewer looks at.

Formats what was gathered elsewhere, of values as their files hold them; decides nothing. What people and models wrote
stands in fenced blocks only, so that it can mention nobody, close no issue and become no markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runner import digest
from runner.feedback.snapshot import Provenance
from runner.report import figures, markdown
from runner.report.evaluation import measure
from runner.report.training import guard_rows
from runner.spec.model import ModelFile

Values = Mapping[str, Any]

MARKER: Final = "<!-- loop promote -->"
"""First line of the body."""
LONGEST: Final = 65_000
"""Characters; GitHub takes 65,536."""
SAMPLES: Final = 3
"""Answers of each kind that are shown side by side."""
SERVED: Final = "served_parent"
"""The guard that compares with the parent as it is served; where no engine was asked it has no reading."""
_TEXT, _TERSE = 600, 120
"""Characters of a question or an answer, and where the body would be too long otherwise."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Merging puts the version on trial in this stage: so many users, for at least so long (seconds; None: no end).

    `groups` are those whose users all get it.
    """

    stage: str
    traffic: float
    duration: float | None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trained:
    """On what a version was trained; `account` is the snapshot's where its files are those it was trained on."""

    path: str | None
    account: Provenance | None
    file: str = ""
    """Its file in the snapshot, such as `preferences`."""
    people: int | None = None
    """How many people's votes and labels were collected."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything that a promotion's pull request tells.

    `trial` is None where merging makes the version the baseline. `evaluation` and `manifest` are the values of
    evaluation.json and training.json, `curves` is the path of the picture on `branch`, which is merged. `cost` and
    `standing` are lines, `plan` is Markdown that is safe as it stands, `warnings` are what a reviewer has to weigh.
    """

    model: ModelFile
    environment: str
    baseline: str
    trial: Trial | None
    evaluation: Values | None
    manifest: Values | None
    trained: Trained
    branch: str
    curves: str | None
    cost: Sequence[str]
    plan: str
    standing: Sequence[str] = ()
    warnings: Sequence[str] = ()

    @property
    def title(self) -> str:
        """Title of the pull request and subject of its commit."""
        if self.trial is None:
            return f"Make {self.model.name} the baseline in {self.environment}"
        return f"Put {self.model.name} on trial in {self.environment}"


def to_markdown(dossier: Dossier) -> str:
    """Return the body, shortened where it would be longer than a forge takes: samples first, then the plan."""
    whole = _body(dossier, _TEXT, dossier.plan)
    if len(whole) <= LONGEST:
        return whole
    left_out = "It is too long for this text: `loop plan --against` shows it on this branch."
    for text, plan in ((_TERSE, dossier.plan), (_TEXT, left_out), (_TERSE, left_out)):
        shorter = _body(dossier, text, plan)
        if len(shorter) <= LONGEST:
            return shorter
    return f"{markdown.beginning(shorter, LONGEST - 80)}\n\nThe rest is too long; the reports are in this branch.\n"


def _body(dossier: Dossier, longest: int, plan: str) -> str:
    parts = [
        [MARKER, f"**On merge:** {_on_merge(dossier)}"],
        [f"- {markdown.word(line)}" for line in (*dossier.standing, *dossier.warnings)],
        _evaluation(dossier),
        _samples(dossier, longest),
        _data(dossier),
        _training(dossier),
        ["## Cost", *(f"- {markdown.word(line)}" for line in dossier.cost)] if dossier.cost else [],
        ["## Plan", plan.strip()] if plan.strip() else [],
        _checklist(dossier),
        _way_back(dossier),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part).rstrip() + "\n"


def _on_merge(dossier: Dossier) -> str:
    name, environment = dossier.model.name, dossier.environment
    served = f"`{digest.served_name(name, dossier.model.adapter.digest)}`"
    if dossier.trial is None:
        return (
            f"{served} becomes the baseline of `{environment}` and answers every user there; `{dossier.baseline}` "
            "stays loaded as standby."
        )
    trial = dossier.trial
    groups = f" and all of {', '.join(trial.groups)}" if trial.groups else ""
    length = (
        "until it is concluded"
        if trial.duration is None
        else f"for at least {figures.duration(trial.duration)}"
    )
    return (
        f"{served} goes on trial in `{environment}`: stage `{trial.stage}`, {100 * trial.traffic:g}% of users{groups}, "
        f"{length}; `{dossier.baseline}` answers all others, and takes over by itself where the trial goes wrong."
    )


def _evaluation(dossier: Dossier) -> list[str]:
    report = dossier.evaluation
    if report is None:
        return ["## Evaluation", "None."]
    gates = [("gate", "verdict", "condition", "measured")]
    gates += [
        (
            markdown.word(each["gate"]),
            each["verdict"],
            markdown.word(each["condition"]),
            markdown.word(each["evidence"]),
        )
        for each in report["gates"]
    ]
    parent = markdown.word(report["against"]["name"])
    measured = [("suite", "metric", markdown.word(report["version"]), parent)]
    for suite in report["suites"]:
        parents = {each["metric"]: each for each in suite["baseline"]}
        measured += [
            (
                markdown.word(suite["suite"]),
                markdown.word(each["metric"]),
                measure(each),
                measure(parents.get(each["metric"])),
            )
            for each in suite["measured"]
        ]
    lines = ["## Evaluation", f"Against {parent}: **{report['verdict']}**.", "", *markdown.table(gates)]
    if len(measured) > 1:
        lines += ["", *markdown.folded("Every figure, with intervals", markdown.table(measured))]
    return lines


def _samples(dossier: Dossier, longest: int) -> list[str]:
    """Return answers side by side: where only the version is right, where only its parent is, and by chance."""
    report = dossier.evaluation
    if report is None:
        return []
    rows = [
        {"suite": suite["suite"], **row}
        for suite in report["suites"]
        for row in suite["rows"]
        if row["parent_answer"] is not None
    ]
    rows.sort(key=lambda row: digest.of_value([dossier.model.adapter.digest, row["suite"], row["id"]]))
    won = [row for row in rows if row["right"] and row["parent_right"] is False]
    lost = [row for row in rows if row["right"] is False and row["parent_right"]]
    others = [row for row in rows if row not in won and row not in lost]
    lines: list[str] = []
    for title, found in (
        (f"Only the parent is right ({len(lost)} of {len(rows)})", lost),
        (f"Only {dossier.model.name} is right ({len(won)} of {len(rows)})", won),
        ("Drawn by chance", others),
    ):
        shown = [line for row in found[:SAMPLES] for line in _sample(row, dossier, report, longest)]
        lines += markdown.folded(title, shown) if shown else []
    return ["## Samples", "", *lines] if lines else []


def _sample(row: Values, dossier: Dossier, report: Values, longest: int) -> list[str]:
    said = {
        "question": row["question"],
        report["against"]["name"]: row["parent_answer"],
        dossier.model.name: row["answer"],
        "note": row["note"],
    }
    width = max(map(len, said))
    lines = [f"{who + ':':<{width + 1}} {_cut(text, longest)}" for who, text in said.items() if text]
    return [*markdown.fenced("\n".join(lines)), ""]


def _data(dossier: Dossier) -> list[str]:
    model, trained = dossier.model, dossier.trained
    rows = [
        ("", ""),
        ("data set", f"`{model.training.dataset}`"),
        ("hash", f"`{model.training.dataset_hash}`"),
    ]
    if trained.path is not None:
        rows.append(("file", f"`{trained.path}`"))
    manifest = dossier.manifest
    if manifest is not None:
        data = manifest["dataset"]
        rows.append(
            (
                "rows",
                f"{data['rows']:,}, of which {data['train']:,} to train and {data['held_out']:,} held out",
            )
        )
    if trained.people is not None:
        rows.append(("people", f"{trained.people:,} whose votes and labels were collected"))
    lines = ["## Data", *markdown.table(rows)]
    account = trained.account
    if account is None:
        return [*lines, "", "It is no snapshot of feedback that lies here with its own account."]
    for column, counts in account.counts.get(trained.file, {}).items():
        told = ", ".join(f"{count:,} {markdown.word(name)}" for name, count in counts.items())
        rows.append((column, told))
    checks = [("check", "verdict", "measured", "limit", "n")]
    checks += [
        (
            each.check.value,
            each.verdict.value,
            _interval(each.value, each.low, each.high),
            f"{each.limit:.4g}",
            str(each.n),
        )
        for each in account.checks
    ]
    lines = [
        "## Data",
        *markdown.table(rows),
        "",
        f"Checks of the snapshot `{account.id[:12]}`: **{account.verdict.value}**.",
    ]
    return [
        *lines,
        "",
        *markdown.folded("Checks", markdown.table(checks)),
        *markdown.folded("What was not used", _rejected(account)),
    ]


def _rejected(account: Provenance) -> list[str]:
    rows = [("use", "reason", "how many")]
    rows += [
        (markdown.word(use), markdown.word(reason), f"{count:,}")
        for use, reasons in account.rejected.items()
        for reason, count in reasons.items()
    ]
    return markdown.table(rows) if len(rows) > 1 else ["Nothing was rejected."]


def _training(dossier: Dossier) -> list[str]:
    model, manifest = dossier.model, dossier.manifest
    rows = [
        ("", ""),
        ("recipe", f"`{model.training.recipe}` ({model.type.value})"),
        ("parent", f"`{model.parent}`" if model.parent else f"none: the base model `{model.base_model}`"),
        ("rank", str(model.adapter.rank)),
        ("code", f"`{model.training.revision}`"),
        ("day", model.training.date.isoformat()),
    ]
    lines = ["## Training"]
    if manifest is None:
        return [*lines, *markdown.table(rows), "", "No manifest of the training of these bytes is here."]
    device = (
        f"{markdown.word(manifest['machine']['device'])} ({markdown.word(manifest['machine']['precision'])})"
    )
    peak = ", ".join(
        f"{value:,.0f} MiB ({markdown.word(name)})" for name, value in manifest["peak_mib"].items()
    )
    rows += [
        ("course", f"{manifest['steps']:,} steps in {figures.duration(manifest['seconds'])} on {device}"),
        ("memory", f"at most {peak}"),
    ]
    head = ("guard", "measured", "limit", "verdict")
    lines += [*markdown.table(rows), "", "Before the first step, the reference being the parent:", ""]
    lines += markdown.table([head, *guard_rows(manifest["proof"])])
    if (uncompared := _uncompared(manifest)) is not None:
        lines += ["", f"**The served parent was not compared**: {markdown.word(uncompared)}."]
    lines += [
        "",
        "While it ran, each at its highest:",
        "",
        *markdown.table([head, *guard_rows(manifest["guards"])]),
    ]
    if dossier.curves is not None:
        lines += ["", f"Curves: [{dossier.curves}](../blob/{dossier.branch}/{dossier.curves})"]
    return lines


def _uncompared(manifest: Values) -> str | None:
    """Return why the proof says nothing of the parent that users get; None where it was compared, or there is none."""
    if manifest.get("parent") is None or any(each["guard"] == SERVED for each in manifest["proof"]):
        return None
    return str(manifest.get("served_parent", "the manifest does not say why"))


def _checklist(dossier: Dossier) -> list[str]:
    """Return what a reviewer confirms, with the figures that are known."""
    model, report = dossier.model, dossier.evaluation
    boxes = []
    if report is not None:
        passed = sum(each["verdict"] == "PASS" for each in report["gates"])
        asked = sum(len(suite["rows"]) for suite in report["suites"])
        boxes.append(
            f"{passed} of {len(report['gates'])} gates PASS, on {asked:,} questions, for the bytes "
            f"`{digest.short(model.adapter.digest)}`; the intervals are narrow enough for me"
        )
        lost = sum(
            row["right"] is False and bool(row["parent_right"]) for s in report["suites"] for row in s["rows"]
        )
        boxes.append(f"I read the samples: the {lost} answers that only the parent has right are acceptable")
    account = dossier.trained.account
    if account is not None:
        open_ = [each.check.value for each in account.checks if each.verdict.value != "PASS"]
        boxes.append(
            f"the data's checks: {len(account.checks) - len(open_)} of {len(account.checks)} passed"
            + (f"; open: {', '.join(open_)}" if open_ else "")
        )
    else:
        boxes.append(f"I know what `{model.training.dataset}` holds, and that it may be learned from")
    if dossier.manifest is not None:
        tripped = [
            each
            for each in (*dossier.manifest["proof"], *dossier.manifest["guards"])
            if each["verdict"] != "PASS"
        ]
        unknown = (
            ""
            if _uncompared(dossier.manifest) is None
            else "; the served parent was not compared, which is acceptable"
        )
        boxes.append(f"the training is sound: {len(tripped)} guards tripped{unknown}; I looked at the curves")
    boxes += [
        f"the plan does what the first line of this text says, and nothing else in `{dossier.environment}`"
    ]
    boxes += [
        f"somebody watches `loop status -e {dossier.environment}` after the merge, and knows the way back"
    ]
    return ["## Before you merge", *(f"- [ ] {box}" for box in boxes)]


def _way_back(dossier: Dossier) -> list[str]:
    option = "" if dossier.environment == "production" else f" -e {dossier.environment}"
    lines = ["## The way back", "- `git revert` of the merge: the runner follows within one poll."]
    if dossier.trial is not None:
        now = "at once, before Git is asked; the version is quarantined, and a commit says so"
        lines.append(f"- `loop rollback{option}`: takes the candidate off every gateway {now}.")
    return lines


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return figures.NOTHING
    ends = [figures.NOTHING if end is None else f"{end:.4g}" for end in (low, high)]
    return f"{value:.4g}" if low == high == value else f"{value:.4g} [{ends[0]} to {ends[1]}]"


def _cut(text: str, longest: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
