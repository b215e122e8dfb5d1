"""The body of a promotion's pull request: complete, never too long, and nothing in it can do anything."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.evaluation.results import Row
from runner.report import markdown
from runner.report.promotion import LONGEST, Dossier, Trained, Trial, to_markdown
from runner.spec.load import Spec
from tests.promotion.shop import NEW, OLD, PING, report_of, rows
from tests.spec.repository import Repository

TRIAL = Trial("canary", 0.05, 86_400.0, ("internal",))


@pytest.fixture(scope="module")
def spec() -> Spec:
    loaded = Repository().load().spec
    assert loaded is not None
    return loaded


def dossier_of(
    spec: Spec, answers: tuple[Row, ...] = rows(), plan: str = "### the plan", **more: str
) -> Dossier:
    model = spec.models[NEW]
    report = report_of(spec, model.adapter.digest, answers=answers)
    return Dossier(
        model=model.model_copy(update=more),
        environment="staging",
        baseline=OLD,
        trial=TRIAL,
        evaluation=report.to_json(),
        manifest=None,
        trained=Trained("datasets/snapshot/preferences.jsonl", None),
        branch="loop/promote",
        curves=f"models/reports/{NEW}/curves.svg",
        cost=("running cost: $300.00 a month, unchanged",),
        plan=plan,
    )


def outside(body: str) -> list[str]:
    """Return the lines that stand in no block, as CommonMark reads fences."""
    found, fence = [], ""
    for line in body.splitlines():
        marks = re.match(r"`{3,}", line)
        if not fence and marks:
            fence = marks[0]
        elif fence and re.fullmatch(r"`{3,}\s*", line) and len(line.rstrip()) >= len(fence):
            fence = ""
        elif not fence:
            found.append(line)
    assert not fence, "a block has no end"
    return found


def test_the_first_sentence_says_what_a_merge_does(spec: Spec) -> None:
    first = to_markdown(dossier_of(spec)).splitlines()[1]
    for part in (
        "goes on trial in `staging`",
        "stage `canary`",
        "5% of users and all of internal",
        "at least 24 h",
        OLD,
    ):
        assert part in first
    ended = to_markdown(replace(dossier_of(spec), trial=None)).splitlines()[1]
    assert "becomes the baseline of `staging`" in ended and f"`{OLD}` stays loaded as standby" in ended


def test_every_part_is_there_with_its_figures(spec: Spec) -> None:
    body = to_markdown(dossier_of(spec))
    titles = [line for line in body.splitlines() if line.startswith("## ")]
    assert titles == [
        f"## {each}"
        for each in (
            "Evaluation",
            "Samples",
            "Data",
            "Training",
            "Cost",
            "Plan",
            "Before you merge",
            "The way back",
        )
    ]
    gates = len(spec.policies.evaluation.gates)
    assert f"- [ ] {gates} of {gates} gates PASS, on 40 questions" in body
    assert "Only the parent is right (4 of 40)" in body and f"Only {NEW} is right (6 of 40)" in body
    assert "`loop rollback -e staging`" in body and "git revert" in body


def test_samples_are_the_same_each_time_and_others_for_other_bytes(spec: Spec) -> None:
    dossier = dossier_of(spec)
    assert to_markdown(dossier) == to_markdown(dossier_of(spec))
    adapter = dossier.model.adapter.model_copy(update={"digest": "f" * 64})
    other = replace(dossier, model=dossier.model.model_copy(update={"adapter": adapter}))
    assert samples(to_markdown(dossier)) != samples(to_markdown(other))


def samples(body: str) -> str:
    return body.partition("## Samples")[2].partition("## Data")[0]


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=80) | st.sampled_from([PING, "`" * 40, "```text\n@all", "</details>", "\u202e@x", "~~~"])
)
def test_nothing_that_somebody_wrote_leaves_its_block(spec: Spec, text: str) -> None:
    marked = f"{text}\n@everyone fixes #12 {text}"
    body = to_markdown(dossier_of(spec, tuple(replace(row, answer=marked, note=marked) for row in rows(9))))
    assert not [line for line in outside(body) if "everyone" in line or "#12" in line]


@pytest.mark.parametrize("sign", ["@octocat", "#12", "GH-1 `x`", "<img src=x>", "[a](b)", "**b**", "a|b"])
def test_words_of_a_line_are_read_as_text(sign: str) -> None:
    shown = markdown.word(sign)
    assert "@o" not in shown and "#1" not in shown and "<" not in shown
    assert not re.search(r"(?<!\\)[`*\[]", shown)


@pytest.mark.parametrize(
    ("answers", "plan"),
    [
        (rows(40, "long " * 4000), "### a plan"),
        (rows(40), "\n".join(["a line of the plan"] * 9000)),
        (rows(40, "`" * 3000 + "long " * 4000), "\n".join(["a line of the plan"] * 9000)),
    ],
)
def test_a_body_is_never_longer_than_a_forge_takes(spec: Spec, answers: tuple[Row, ...], plan: str) -> None:
    body = to_markdown(dossier_of(spec, answers, plan))
    assert len(body) <= LONGEST
    assert "## Before you merge" in body, "the reviewer's list is never left out"
    outside(body)


def test_even_a_list_without_end_is_cut_where_it_may_be(spec: Spec) -> None:
    dossier = replace(dossier_of(spec), cost=["word " * 30] * 3000)
    body = to_markdown(dossier)
    assert len(body) <= LONGEST and "The rest is too long" in body
    outside(body)


def test_the_condition_of_a_gate_is_read_as_text(spec: Spec) -> None:
    report = report_of(spec, spec.models[NEW].adapter.digest)
    said = "a` @octocat closes #7 <b>"
    gates = tuple(replace(gate, condition=said) for gate in report.gates)
    body = to_markdown(replace(dossier_of(spec), evaluation=replace(report, gates=gates).to_json()))
    assert said not in body and f"| {markdown.word(said)} |" in body


PROOF = {"guard": "served_parent", "value": 0.005, "limit": 0.02, "verdict": "PASS"}
MANIFEST = {
    "dataset": {"rows": 9, "train": 8, "held_out": 1},
    "machine": {"device": "cpu", "precision": "float32"},
    "peak_mib": {"process": 900.0},
    "steps": 30,
    "seconds": 12.0,
    "parent": {"name": OLD, "digest": "a" * 64},
    "proof": [PROOF],
    "served_parent": "compared",
    "guards": [],
}


def test_a_served_parent_that_was_not_compared_is_told_and_stands_in_the_list(spec: Spec) -> None:
    asked = to_markdown(replace(dossier_of(spec), manifest=MANIFEST))
    assert "served parent was not compared" not in asked
    unasked = {**MANIFEST, "proof": [], "served_parent": "no engine answers @here"}
    body = to_markdown(replace(dossier_of(spec), manifest=unasked))
    assert f"**The served parent was not compared**: {markdown.word('no engine answers @here')}." in body
    assert "0 guards tripped; the served parent was not compared" in body.partition("## Before you merge")[2]
    assert "not compared" not in to_markdown(replace(dossier_of(spec), manifest={**unasked, "parent": None}))


def test_a_version_without_report_or_manifest_says_so(spec: Spec) -> None:
    body = to_markdown(replace(dossier_of(spec), evaluation=None))
    assert "## Evaluation\nNone." in body and "No manifest of the training of these bytes is here." in body
