"""The data sets of a new repository: what each is for, and what has to hold for its rows.

Those in `datasets/snapshot` are made of what users say by `loop data curate`; the others are written by people and
begin empty. The template `dataset.yaml` puts them into words. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from runner.feedback.snapshot import FOLDER as SNAPSHOT

SUITES = "datasets/suites"
CATEGORIES = "[factual_qa, comparison, creative, problem_solving, explanation]"
_QUESTION = {"id": "text", "question": "text", "answer": "text", "category": "text", "language": "text"}
_CONVERSATION = {"id": "text", "category": "text", "language": "text", "prompt": "messages"}


@dataclass(frozen=True, slots=True)
class About:
    """One data set. `stage` of dvc.yaml makes it, "" where people write it; `rows` are the least that are enough.

    Texts in the columns `texts` are neither empty nor endless.
    """

    role: str
    path: str
    rows: int
    teaches: str
    description: str
    columns: Mapping[str, str] = field(default_factory=lambda: _QUESTION)
    texts: tuple[str, ...] = ("question", "answer")
    stage: str = ""

    @property
    def empty(self) -> bool:
        """Whether its file is there from the start, without a row."""
        return not self.stage

    @property
    def expectations(self) -> Iterator[str]:
        """What has to hold for the rows, as YAML."""
        if "id" in self.columns:
            yield "{column: id, expect: unique}"
        for column in self.texts:
            yield f"{{column: {column}, expect: length_between, low: 1, high: 8000}}"
        if "category" in self.columns:
            yield f"{{column: category, expect: in_set, values: {CATEGORIES}}}"


DATASETS: Mapping[str, About] = {
    "demonstrations": About(
        role="sft",
        path="datasets/demonstrations.jsonl",
        rows=200,
        teaches="Right answers to learn from: `loop train sft` makes a version of them.",
        description="Questions with the answer that should have been given, written by people.",
    ),
    "regression": About(
        role="regression",
        path=f"{SUITES}/regression.jsonl",
        rows=100,
        teaches="What every version must know. `loop data snapshot` keeps these questions out of training.",
        description="Questions with the one right answer, written by people.",
    ),
    "ood": About(
        role="ood",
        path=f"{SUITES}/ood.jsonl",
        rows=50,
        teaches="What it should not answer: the answers here are refusals, in the words that one wants.",
        description="Questions from outside of the task, and how they are declined.",
    ),
    "adversarial": About(
        role="adversarial",
        path=f"{SUITES}/adversarial.jsonl",
        rows=50,
        teaches="What goes wrong elsewhere: typing errors, false premises, attempts to talk it out of its task.",
        description="Awkward questions with the right answer or refusal.",
    ),
    "reference": About(
        role="reference",
        path=f"{SUITES}/reference.jsonl",
        rows=300,
        teaches="Questions in the mix in which users ask them: input drift is measured against these.",
        description="Questions as they are usually asked, with answers.",
    ),
    "facts": About(
        role="reference",
        path=f"{SUITES}/facts.jsonl",
        rows=20,
        teaches="What is true: answers are checked against it, so that what is made up is noticed.",
        description="One sentence a row, written by people.",
        columns={"fact": "text", "language": "text", "text": "text"},
        texts=("text",),
    ),
    "preferences": About(
        role="preferences",
        path=f"{SNAPSHOT}/preferences.jsonl",
        rows=100,
        teaches="Pairs of a better and a worse answer, for `loop train dpo`. `loop data curate` makes them of votes.",
        description="Blind comparisons in the arena, and corrections preferred to what they correct.",
        columns={
            **_CONVERSATION,
            "chosen": "messages",
            "rejected": "messages",
            "synthetic": "bool",
            "origin": "text",
            "votes": "whole",
            "chosen_version": "text",
            "rejected_version": "text",
            "sources": "texts",
        },
        texts=(),
        stage="snapshot",
    ),
    "corrections": About(
        role="sft",
        path=f"{SNAPSHOT}/corrections.jsonl",
        rows=30,
        teaches="Better answers that people wrote, for `loop train sft --dataset`.",
        description="Corrections by users and reviewers, where reviewers or policies/collection.yaml accept them.",
        columns={**_QUESTION, "messages": "messages", "accepted": "text", "sources": "texts"},
        stage="snapshot",
    ),
    "thumbs": About(
        role="preferences",
        path=f"{SNAPSHOT}/thumbs.jsonl",
        rows=100,
        teaches="Single answers called good or bad, for `loop train kto`.",
        description="Answers with a thumb or a rating, or judged by reviewers.",
        columns={
            **_CONVERSATION,
            "completion": "messages",
            "label": "bool",
            "votes": "whole",
            "version": "text",
            "sources": "texts",
        },
        texts=(),
        stage="snapshot",
    ),
    "cases": About(
        role="regression",
        path=f"{SNAPSHOT}/cases.jsonl",
        rows=1,
        teaches="Questions kept out of training, with an accepted answer: add the good ones to the regression suite.",
        description="Proposals for the regression suite, for people to approve.",
        columns={**_QUESTION, "accepted": "text", "sources": "texts"},
        stage="snapshot",
    ),
}
