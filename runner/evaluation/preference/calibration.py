"""Whether a judge says what people say, found out before it may decide a gate.

It is put to pairs that people voted on in blind comparisons: a sample drawn by hash of the policy's data set, sides by
hash, too. Agreement is the share of pairs on which the judge has the people's answer win; a tie, or another verdict
once the answers change places, counts half, as a coin would. The rule: the judge may decide where the lower end of the
interval of its agreement, wrong with a chance of at most 5%, is no less than the policy's `min_agreement`; it may not
where the upper end is less; between the two, or with fewer than 30 pairs, nothing is known. Kept in a file named by
the digest of judge, prompt and data, so that it is asked once; `loop judge calibrate` asks again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runner import digest
from runner.errors import TerminalError, terminal
from runner.evaluation.preference.connect import described
from runner.evaluation.preference.judge import Comparison, Pair, PreferenceJudge
from runner.evaluation.preference.prompt import DIGEST
from runner.feedback.preferences.pairs import Origin
from runner.signals.text import spoken
from runner.spec.evaluation import AnyJudge
from runner.spec.model import GateVerdict
from runner.stats.agreement import agreement, cohen
from runner.stats.wins import wins_interval

FEWEST = 30
"""Pairs with a verdict, below which nothing is said of a judge."""
FEW_ERRORS = 0.05
"""Share of pairs without a verdict up to which a calibration is kept: some texts no judge can read, every time."""
CHANCE = 0.05
"""Of either end of the interval to be wrong."""
_SEED = 1960
_TIE = "tie"


@dataclass(frozen=True, slots=True)
class Example:
    """A question with two answers, of which people preferred one."""

    id: str
    question: str
    chosen: str
    rejected: str

    @property
    def chosen_first(self) -> bool:
        """Which side the preferred answer is shown on, by hash: no judge learns it."""
        return int(digest.of_value(["side", self.id])[:8], 16) % 2 == 0

    @property
    def pair(self) -> Pair:
        """It as a judge is asked."""
        answers = (self.chosen, self.rejected) if self.chosen_first else (self.rejected, self.chosen)
        return Pair(self.question, *answers)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a judge did beside people. `low` and `high` are the ends of the interval of `agreement`.

    `kappa` is Cohen's, `alpha` Krippendorff's, of people and judge over the sides; None where they cannot be told.
    `consistency` is the share of turns that said the same in both orders; `longer_judge` and `longer_people` the shares
    of preferences for the longer of two answers. `errors` are pairs without a verdict.
    """

    judge: str
    pairs: int
    errors: int
    agreement: float | None
    low: float
    high: float
    min_agreement: float
    kappa: float | None
    alpha: float | None
    alpha_low: float | None
    alpha_high: float | None
    consistency: float | None
    longer_judge: float | None
    longer_people: float | None
    verdict: GateVerdict
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


def load(path: Path, most: int) -> tuple[list[Example], str]:
    """Return at most so many pairs that people voted on, drawn by hash, and the digest of the file.

    Left out are corrections, which nobody compared blindly, and what a program made. Raises TerminalError.
    """
    try:
        data = path.read_bytes()
        rows = [json.loads(line) for line in data.decode("utf-8").splitlines()]
        found = [_example(row) for row in rows if _by_people(row)]
    except FileNotFoundError:
        raise terminal(
            f"the pairs to calibrate the judge on are not here: {path}", fix="fetch them: `dvc pull`"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"{type(error).__name__}: {error}"
        fix = "give each line `id`, `prompt`, `chosen` and `rejected`"
        raise terminal(
            f"the pairs to calibrate the judge on cannot be read: {path}", problem, fix=fix
        ) from error
    drawn = sorted(found, key=lambda each: digest.of_value(["calibration", each.id]))
    return drawn[:most], digest.of_bytes(data)


def _by_people(row: Any) -> bool:
    return not row.get("synthetic", False) and row.get("origin", Origin.VOTE) == Origin.VOTE


def _example(row: Any) -> Example:
    example = Example(
        str(row["id"]), spoken(row["prompt"], "user"), spoken(row["chosen"]), spoken(row["rejected"])
    )
    if not (example.question and example.chosen and example.rejected):
        raise ValueError(f"pair {example.id} lacks a question or an answer")
    return example


def key(judge: AnyJudge, data: str) -> str:
    """Return the name of what was found out: of this judge, with these words, on this data."""
    return digest.of_value([judge.model_dump(mode="json"), DIGEST, data])


def folder(root: Path, environment: str) -> Path:
    """Return where what was found out of judges is kept, for the evaluations of an environment."""
    return root / ".loop" / "evaluation" / environment / "judges"


def kept(folder: Path, name: str) -> Calibration | None:
    """Return what was found out before; None where nothing was, or it cannot be read."""
    try:
        value = json.loads((folder / f"{name}.json").read_bytes())
        return Calibration(**{**value, "verdict": GateVerdict(value["verdict"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(folder: Path, name: str, found: Calibration) -> None:
    """Write what was found out, whole or not at all. Raises OSError.

    With more than a few errors, which may pass, it is not kept, and neither is what was known before.
    """
    path, fresh = folder / f"{name}.json", folder / f".{name}.fresh"
    if found.errors > FEW_ERRORS * (found.pairs + found.errors):
        path.unlink(missing_ok=True)
        return
    folder.mkdir(parents=True, exist_ok=True)
    fresh.write_text(json.dumps(found.to_json(), indent=2) + "\n", encoding="utf-8")
    fresh.replace(path)


async def calibrate(
    judge: PreferenceJudge,
    declared: AnyJudge,
    examples: Sequence[Example],
    told: Callable[[int, int], None] = lambda _done, _of: None,
) -> Calibration:
    """Put a judge to pairs. Raises TerminalError where it does not answer."""
    said = await judge.compare_all([each.pair for each in examples], told)
    return measured(declared, examples, said)


def measured(declared: AnyJudge, examples: Sequence[Example], said: Sequence[Comparison]) -> Calibration:
    """Return what a judge's verdicts on examples come to."""
    both = [
        (example, each.score if example.chosen_first else 1.0 - each.score)
        for example, each in zip(examples, said, strict=True)
        if each.score is not None
    ]
    points = [score for _, score in both]
    low, high = wins_interval(points.count(1.0), points.count(0.5), points.count(0.0), CHANCE)
    verdict, reason = _decided(declared.min_agreement, len(points), low, high)
    kappa, of_alpha = _beyond_chance(both)
    steady = [each for one in said for each in one.steady]
    return Calibration(
        described(declared),
        len(points),
        len(examples) - len(points),
        _mean(points),
        low,
        high,
        declared.min_agreement,
        kappa,
        *of_alpha,
        _mean(steady),
        _longer(both),
        _longer([(example, 1.0) for example, _ in both]),
        verdict,
        reason,
    )


def _decided(least: float, pairs: int, low: float, high: float) -> tuple[GateVerdict, str]:
    seen = f"agreement with people lies between {low:.1%} and {high:.1%} on {pairs} pairs; {least:.1%} is asked for"
    if pairs < FEWEST:
        return (
            GateVerdict.INCONCLUSIVE,
            f"{pairs} pairs that people voted on say too little; {FEWEST} are needed",
        )
    if low >= least:
        return GateVerdict.PASS, seen
    return (GateVerdict.FAIL if high < least else GateVerdict.INCONCLUSIVE), seen


def _beyond_chance(
    both: Sequence[tuple[Example, float]],
) -> tuple[float | None, tuple[float | None, float | None, float | None]]:
    """Return Cohen's kappa, and Krippendorff's alpha with its ends, over the sides that people and judge preferred."""
    people = [_side(example, 1.0) for example, _ in both]
    judge = [_side(example, score) for example, score in both]
    try:
        found = agreement(list(zip(people, judge, strict=True)), np.random.default_rng(_SEED))
        return cohen(people, judge), (found.alpha, found.low, found.high)
    except TerminalError:  # too few, or all alike
        return None, (None, None, None)


def _side(example: Example, score: float) -> str:
    if score == 0.5:
        return _TIE
    return "first" if example.chosen_first == (score == 1.0) else "second"


def _longer(both: Iterable[tuple[Example, float]]) -> float | None:
    """Return how often the longer of two answers was preferred, where one was."""
    return _mean(
        [
            (score == 1.0) == (len(example.chosen) > len(example.rejected))
            for example, score in both
            if score != 0.5 and len(example.chosen) != len(example.rejected)
        ]
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
