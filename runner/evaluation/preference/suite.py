"""A suite of kind `win_rate`, from the questions to the figures: answers of both versions, and whoever compares them.

Called by `loop evaluate` through `runner.evaluation.preference_port`. What is found keeps both answers of every
question and who won, so that people can read them side by side.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner.errors import LoopError
from runner.evaluation.marking import Row as Question
from runner.evaluation.marking import mark
from runner.evaluation.preference import calibration as calibrations
from runner.evaluation.preference.calibration import Calibration
from runner.evaluation.preference.figures import WIN_RATE, Decided, characters, figures, share, withheld
from runner.evaluation.preference.judge import Comparison, Pair, PreferenceJudge
from runner.evaluation.preference.votes import by_votes
from runner.evaluation.preference_port import PreferenceJob
from runner.evaluation.results import Measured, Row, SuiteResult
from runner.spec.evaluation import AnyJudge, Arbiter
from runner.spec.model import GateVerdict

_WORDS = {1.0: "won", 0.5: "tied", 0.0: "lost"}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with both answers, and whether each is right."""

    question: Question
    answer: str
    parent_answer: str
    right: bool | None
    parent_right: bool | None


@dataclass(frozen=True, slots=True)
class _Verdicts:
    """The candidate's points for each question, a note where there are none, and what is known of who gave them."""

    scores: Sequence[float | None]
    notes: Sequence[str]
    behind: tuple[Measured, ...] = ()
    doubt: str = ""
    """Why these verdicts prove nothing."""


async def win_rate(job: PreferenceJob) -> SuiteResult:
    """Return how often the candidate's answer is preferred to the parent's.

    A judge that does not answer is an error of the suite; one that is not calibrated gives no value, so that no gate
    passes or fails, and nothing is recorded that proves nothing. Raises LoopError where a version does not answer.
    """
    started = time.monotonic()
    if job.suite.arbiter is Arbiter.VOTES:
        return replace(by_votes(job), seconds=time.monotonic() - started)
    asked = await _answers(job)
    try:
        verdicts = await _judged(job, asked) if job.suite.arbiter is Arbiter.JUDGE else _by_reference(asked)
    except LoopError as error:
        found = _result(job, asked, _Verdicts([None] * len(asked), [""] * len(asked)))
        told = "; ".join([error.diagnostics[0].summary, *error.diagnostics[0].evidence])
        return replace(found, error=told, seconds=time.monotonic() - started)
    return replace(_result(job, asked, verdicts), seconds=time.monotonic() - started)


async def _answers(job: PreferenceJob) -> list[_Asked]:
    """Have both versions answer; a question that stands twice is asked about once, for it would tell nothing new."""
    rows = list({row.question: row for row in reversed(job.rows)}.values())[::-1]
    texts = [row.question for row in rows]
    own, parents = [
        await job.ask(name, texts, max_tokens=job.suite.max_tokens, seed=None, temperature=0.0)
        for name in (job.candidate, job.parent)
    ]
    return [
        _Asked(
            row,
            mine.text.strip(),
            theirs.text.strip(),
            mark(row, mine.text, job.declines),
            mark(row, theirs.text, job.declines),
        )
        for row, mine, theirs in zip(rows, own, parents, strict=True)
    ]


def _by_reference(asked: Sequence[_Asked]) -> _Verdicts:
    """Let the right answers decide; where one of the two cannot be marked, nothing is said."""
    scores = [
        None
        if each.right is None or each.parent_right is None
        else (1.0 + float(each.right) - float(each.parent_right)) / 2.0
        for each in asked
    ]
    return _Verdicts(scores, ["" if score is not None else "cannot be marked" for score in scores])


async def _judged(job: PreferenceJob, asked: Sequence[_Asked]) -> _Verdicts:
    """Have the judge decide, after it was calibrated. Raises LoopError where it does not answer."""
    if job.judge is None or job.judge_client is None or job.calibration is None:
        raise ValueError("the checks of the policy want a judge where one decides")
    judge = PreferenceJudge(job.judge_client, job.judge.repeats)
    known = await _calibrated(judge, job.judge, job.calibration, job.calibrations)
    pairs = [Pair(each.question.question, each.answer, each.parent_answer) for each in asked]
    said = await judge.compare_all(pairs, job.told)
    doubt = "" if known.verdict is GateVerdict.PASS else f"the judge is not calibrated: {known.reason}"
    return _Verdicts(
        [each.score for each in said],
        ["" if each.error is None else f"no verdict: {each.error}" for each in said],
        (*_of_calibration(known), *_of_judge(pairs, said), _price(judge)),
        doubt,
    )


async def _calibrated(
    judge: PreferenceJudge, declared: AnyJudge, data: Path, folder: Path | None
) -> Calibration:
    """Return what is known of the judge, from the disk where it was found out before."""
    examples, named = calibrations.load(data, declared.pairs)
    name = calibrations.key(declared, named)
    found = calibrations.kept(folder, name) if folder else None
    if found is None:
        found = await calibrations.calibrate(judge, declared, examples)
        if folder:
            calibrations.keep(folder, name, found)
    return found


def _of_calibration(known: Calibration) -> tuple[Measured, ...]:
    about = "of the judge with people, before this suite"
    return (Measured("judge_agreement", known.agreement, known.low, known.high, known.pairs, about),)


def _of_judge(pairs: Sequence[Pair], said: Sequence[Comparison]) -> tuple[Measured, ...]:
    """Return how steady the judge was on this suite, and whether it likes what is long."""
    steady = [each for one in said for each in one.steady]
    firsts = [word.value == 1.0 for one in said for turn in one.turns for word in turn if word.value != 0.5]
    longer = [
        (each.score == 1.0) == (len(pair.one) > len(pair.other))
        for pair, each in zip(pairs, said, strict=True)
        if each.score in {0.0, 1.0} and len(pair.one) != len(pair.other)
    ]
    errors = [each.error is not None for each in said]
    return (
        share("judge_position_consistency", steady, "share of turns that said the same in both orders"),
        share("judge_first_place", firsts, "share of preferences for the answer shown first; a half is fair"),
        share("judge_longer", longer, "share of decided questions on which the longer answer won"),
        share("judge_errors", errors, "share of questions without a verdict"),
    )


def _price(judge: PreferenceJudge) -> Measured:
    """Return what judging took; calibrating, too, where it was done now."""
    tokens, replies = judge.meter.tokens.both, judge.meter.replies
    return Measured("judge_tokens", tokens, tokens, tokens, replies, f"{replies} verdicts, read and written")


def _result(job: PreferenceJob, asked: Sequence[_Asked], verdicts: _Verdicts) -> SuiteResult:
    decided = [
        Decided(each.answer, each.parent_answer, score, job.segments.get(each.question.id, {}))
        for each, score in zip(asked, verdicts.scores, strict=True)
    ]
    found = [_doubted(each, verdicts.doubt) for each in figures(decided, job.alpha)]
    return SuiteResult(
        suite=job.name,
        kind=job.suite.kind,
        measured=(*found, *verdicts.behind),
        baseline=(characters([each.parent_answer for each in asked]),),
        rows=tuple(map(_row, asked, verdicts.scores, verdicts.notes)),
        seconds=0.0,
        alpha=job.alpha,
    )


def _doubted(measured: Measured, doubt: str) -> Measured:
    """Return a win rate without its value where there is doubt; what was said stands in words."""
    if not doubt or not measured.metric.startswith(WIN_RATE):
        return measured
    return withheld(measured, doubt)


def _row(asked: _Asked, score: float | None, note: str) -> Row:
    return Row(
        asked.question.id,
        asked.question.question,
        asked.answer,
        asked.parent_answer,
        asked.right,
        asked.parent_right,
        note if score is None else _WORDS[score],
    )
