from __future__ import annotations

import json

import pytest

from runner.feedback.augmentation.made import asked_as, from_json, made, name, to_json
from runner.feedback.augmentation.rewrites import Wording
from runner.feedback.preferences.pairs import Origin, pair_from_json
from tests.feedback.augmentation.made_up import HOW, pair

PARENT = pair(
    1, prompt=({"role": "system", "content": "be brief"}, {"role": "user", "content": "Who wrote it?"})
)
PROMPT = asked_as(PARENT, Wording("Do you know who wrote it?"))
MADE = made(PARENT, PROMPT, ("the better one", "the worse one"), HOW)


def test_only_the_question_is_in_other_words() -> None:
    assert PROMPT == (
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "Do you know who wrote it?"},
    )


def test_a_made_pair_is_marked_and_nobody_voted_on_it() -> None:
    assert MADE.pair.synthetic
    assert (MADE.pair.votes, MADE.pair.raters) == (0, ())
    assert (MADE.pair.category, MADE.pair.sources) == (PARENT.category, PARENT.sources)
    assert MADE.pair.id == name(PARENT, PROMPT) != PARENT.id


def test_a_line_says_how_the_pair_was_made_and_reads_back_the_same() -> None:
    line = json.loads(json.dumps(to_json(MADE)))

    assert line["synthetic"] is True
    assert line["how"]["evaluator"] == "facts"
    assert from_json(line) == MADE
    assert pair_from_json(line) == MADE.pair


@pytest.mark.parametrize("change", [{"synthetic": False}, {"origin": Origin.VOTE.value}])
def test_a_line_that_does_not_say_that_it_is_synthetic_is_refused(change) -> None:
    with pytest.raises(ValueError, match="not marked as synthetic"):
        from_json(json.loads(json.dumps(to_json(MADE))) | change)


@pytest.mark.parametrize("missing", ["how", "synthetic", "chosen", "sources"])
def test_a_line_without_its_story_is_refused(missing: str) -> None:
    line = json.loads(json.dumps(to_json(MADE)))
    del line[missing]

    with pytest.raises((KeyError, TypeError)):
        from_json(line)
