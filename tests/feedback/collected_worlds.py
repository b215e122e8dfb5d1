"""What was collected, small and made to measure: builders for tests, and strategies that mix everything up."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from runner.feedback.augmentation.made import How, Made, to_json
from runner.feedback.collected import Collected
from runner.feedback.preferences.pairs import Origin, Pair
from runner.feedback.records import Answer, Ballot, Choice, Label, Reason, Record, Task, record_id
from runner.spec.collection import CollectionPolicy
from tests.spec.repository import shipped_texts

CATEGORIES = ("factual", "creative")
SUITE_QUESTION = "When does the shop open on Saturday?"
QUESTIONS = (
    "How much is Kettle Weather at the moment?",
    "how much is kettle weather, at the moment",
    "Which shelf holds The Velvet Compass?",
    "May I bring back a damaged book?",
    "Name a cheerful story for a child of six.",
    "혜성 부스러기 책은 얼마예요?",
    SUITE_QUESTION,
)
ANSWERS = (
    "It costs twelve dollars, and two copies are left.",
    "it costs twelve dollars and two copies are left",
    "Sorry, I can only help with the bookshop.",
    "On shelf F3, beside the window.",
    "Yes, within thirty days, if you still have the receipt with you.",
    '{"error": {"message": "overloaded"}}',
    "열두 달러이고 두 권 남았습니다.",
    "",
)
HOW = How(
    "rewrite", "frame.brief", "chat-v1.0", "d" * 64, "e" * 64, (0.0, 1.0), "facts", "bookshop-facts", "f" * 64
)


def policy(**changes):
    """The policy of the tests: no question held out, unless a test says so."""
    value = {
        "plan": {
            level: {"samples_per_week": 1, "training_frequency": "monthly", "expected_improvement": "small"}
            for level in ("minimum", "target", "optimal")
        },
        "categories": {name: {"share": 0.5, "examples": ["A question?"]} for name in CATEGORIES},
        "pairs": {"length_ratio": 0.1, "min_characters": 1, "more_detailed": "reported"},
        "sets": {
            "clear_winners": 0.7,
            "category_coverage": 0.8,
            "rater_share": 0.4,
            "side_share": 0.6,
            "longer_share": 0.7,
            "near_duplicate": 0.9,
        },
        "agreement": {"raters": 2},
        "corrections": {"trusted_groups": ["internal"]},
        "cases": {"share": 0.0},
    }
    for name, part in changes.items():
        value[name] = {**value.get(name, {}), **part}
    return CollectionPolicy.model_validate(value)


def asks(question):
    return ({"role": "user", "content": question},)


def answer(text, version="chat-v1.0", response="", **sampling):
    return Answer(version, "d" * 64, response or f"{version}:{text}", text, sampling)


def ballot(name, question=QUESTIONS[2], left=ANSWERS[3], right=ANSWERS[2], choice="left", **other):
    facts = {"user": f"user-{name}", "group": "public", "category": "factual", "language": "en", "at_us": 0}
    facts |= {"comparison": f"comparison-{question}", **other}
    sides = (answer(left), answer(right, "chat-v1.1"))
    return Ballot(
        id=name, prompt=asks(question), left=sides[0], right=sides[1], choice=Choice(choice), **facts
    )


def record(name, question=QUESTIONS[2], text=ANSWERS[2], **other):
    facts = {"reasons": (Reason.REFUSAL,), "version": "chat-v1.0", "digest": "d" * 64, "group": "public"}
    facts |= {"user": f"user-{name}", "category": "factual", "language": "en", "at_us": 0, "sources": (name,)}
    return Record(id=record_id(name), prompt=asks(question), answer=text, **{**facts, **other})


def label(name, item, task, value, **other):
    facts = {"user": f"reviewer-{name}", "at_us": 0, **other}
    return Label(id=name, item=item, task=Task(task), value=value, **facts)


def agreed(item, task, value, correction=None, others=8):
    """Labels of two reviewers on one item, and enough on others for their agreement to be known."""
    people = ("one", "two")
    words = Task(task).values
    return tuple(
        label(f"{person}-{task}-{name}", name, task, said, user=person, correction=better)
        for person in people
        for name, said, better in [
            (item, value, correction),
            *((f"other-{task}-{n}", words[n % 2], None) for n in range(others)),
        ]
    )


def synthetic(name, question=QUESTIONS[3], chosen=ANSWERS[4], rejected=ANSWERS[2], sources=(), **other):
    facts = {"category": "factual", "language": "en", "at_us": 0, **other}
    return Pair(name, asks(question), chosen, rejected, origin=Origin.SYNTHETIC, sources=sources, **facts)


def collected(*things, made=()):
    kinds = {Record: [], Ballot: [], Label: []}
    for thing in things:
        kinds[type(thing)].append(thing)
    lines = tuple(to_json(Made(pair, HOW)) for pair in made)
    return Collected(tuple(kinds[Record]), tuple(kinds[Ballot]), tuple(kinds[Label]), lines or None)


@st.composite
def worlds(draw):
    """Anything that may have been collected: few words, so that much of it is alike or contradicts itself."""
    users = st.sampled_from(["ann", "bob", "cyd"])
    question, text = st.sampled_from(QUESTIONS), st.sampled_from(ANSWERS)
    facts = {
        "user": users,
        "group": st.sampled_from(["public", "internal"]),
        "category": st.sampled_from([*CATEGORIES, *CATEGORIES, ""]),
        "at_us": st.integers(0, 5),
    }
    better = st.none() | text
    matches = draw(st.lists(st.tuples(question, text, text), min_size=1, max_size=2))
    ballots = []
    for i in range(draw(st.integers(0, 10))):
        asked, one, other = draw(st.sampled_from(matches))
        left, right = (other, one) if draw(st.booleans()) else (one, other)
        ballots.append(
            ballot(
                f"vote-{i}",
                asked,
                left,
                right,
                draw(st.sampled_from(list(Choice))),
                counted=draw(st.integers(0, 9)) > 0,
                correction=draw(better),
                **{name: draw(value) for name, value in facts.items()},
            )
        )
    records = [
        record(
            f"request-{i}",
            draw(question),
            draw(text),
            correction=draw(better),
            thumbs=draw(st.sampled_from([None, None, 1, -1])),
            rating=draw(st.sampled_from([None, None, 1, 3, 5])),
            **{name: draw(value) for name, value in facts.items()},
        )
        for i in range(draw(st.integers(0, 8)))
    ]
    items = [each.id for each in (*records, *ballots)]
    labels = [
        label(
            f"label-{i}",
            draw(st.sampled_from(items)),
            task,
            draw(st.sampled_from(task.values)),
            user=draw(users),
            correction=draw(better),
        )
        for i in range(draw(st.integers(0, 6)) if items else 0)
        for task in [draw(st.sampled_from(list(Task)))]
    ]
    made = [
        synthetic(
            f"made-{i}",
            draw(question),
            draw(text),
            draw(text),
            tuple(draw(st.lists(st.sampled_from(items), max_size=1))) if items else (),
            category=draw(facts["category"]),
        )
        for i in range(draw(st.integers(0, 5)))
    ]
    return collected(*records, *ballots, *labels, made=made)


def repository(root, suites=None):
    """Write a repository as it is shipped, with suites of one question each."""
    for path, text in shipped_texts().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / "datasets/bookshop").mkdir()
    for name in ("regression", "ood", "adversarial"):
        asked = (suites or {}).get(name, f"Is this the only question of {name}?")
        row = {"id": f"{name}-1", "question": asked, "answer": "Yes."}
        (root / f"datasets/bookshop/{name}.jsonl").write_text(json.dumps(row) + "\n")
    return root
