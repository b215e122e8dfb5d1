"""The part of `loop signals sample` that puts a suite's questions to the served versions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import terminal

if TYPE_CHECKING:
    from runner.evaluation.chat import ChatClient
    from runner.evaluation.marking import Declines
    from runner.evaluation.suites import Asking, EvaluationLog, Outcome
    from runner.spec.environment import Environment
    from runner.spec.evaluation import Suite
    from runner.spec.load import Spec


@dataclass(frozen=True)
class Questions:
    """A suite, and what of it was not asked yet."""

    name: str
    suite: Suite
    askings: list[Asking]

    @property
    def most(self) -> int:
        """More tokens than asking them can take."""
        from runner.evaluation.suites import most

        return most(self.askings, self.suite.max_tokens)


def suite_of(spec: Spec, environment: Environment, named: str | None) -> str | None:
    """Return the suite that was named; without a name that of the policy's paired detector while there is a candidate.

    Raises TerminalError where the suite does not exist, or its rows hold no right answer.
    """
    from runner.evaluation.suites import hold_to_answers
    from runner.spec.signals import Paired

    suites = spec.policies.evaluation.suites
    if named is not None and named not in suites:
        raise terminal(
            f"there is no suite '{named}' in policies/evaluation.yaml", f"known: {', '.join(suites)}"
        )
    name = named
    if named is None and environment.rollout is not None:
        detectors = (signal.detector for signal in spec.policies.signals.signals.values())
        name = next((each.suite for each in detectors if isinstance(each, Paired)), None)
    if name is not None:
        hold_to_answers(name, suites[name])
    return name


def questions(root: Path, spec: Spec, environment: str, name: str, limit: int | None) -> Questions:
    """Return what the baseline, and the candidate where there is one, have not been asked yet. Raises LoopError."""
    from runner.cli.logged import read_events
    from runner.evaluation.suites import load, to_ask
    from runner.events.schema import Kind

    suite, declared = spec.policies.evaluation.suites[name], spec.loop.environments[environment]
    rows = load(root / spec.datasets[str(suite.dataset)].path, name, suite)
    candidate = [declared.rollout.candidate] if declared.rollout else []
    versions = [spec.version(each) for each in (declared.baseline, *candidate)]
    known = read_events(root, environment, Kind.EVALUATION)[Kind.EVALUATION]
    return Questions(name, suite, to_ask(name, rows, versions, {each["event.id"] for each in known}, limit))


async def ask(
    found: Questions,
    client: Callable[[str], ChatClient],
    declines: Declines,
    log: EvaluationLog,
    told: Callable[[int, int], None],
) -> Outcome:
    """Ask, and return what it came to. Raises LoopError where the engine does not answer."""
    from runner.evaluation.suites import Examiner

    return await Examiner(client, found.suite.max_tokens, declines, log, told).run(found.askings)


def declines(root: Path, spec: Spec) -> Declines:
    """Return what tells refusals, as the policy's detector of refusals has it. Raises TerminalError."""
    from runner.signals.refusal.detector import Detector
    from runner.spec.signals import Refusal

    detectors = (signal.detector for signal in spec.policies.signals.signals.values())
    policy = next((each for each in detectors if isinstance(each, Refusal)), Refusal(kind="refusal"))
    embedder = None
    if policy.model is not None:
        from runner.embedding import chosen

        embedder = chosen(spec.policies.signals.embedder)
    detector = Detector.load(root / policy.model if policy.model else None, policy.keywords, embedder)

    def tell(question: str, answer: str) -> bool:
        return bool(detector.probabilities([question], [answer])[0] >= policy.threshold)

    return tell


def of_outcome(name: str, found: Outcome | None) -> dict[str, Any]:
    """Return what asking came to as JSON values; `found` is None where nothing was left to ask."""
    scores = found.scores if found else {}
    return {
        "suite": name,
        "answers": found.asked if found else 0,
        "right": {version: {"right": each.right, "of": each.judged} for version, each in scores.items()},
        "unclear": found.unclear if found else 0,
        "not_served": sorted(found.gone) if found else [],
        "left": found.left if found else 0,
    }


def foreseen_line(value: dict[str, Any]) -> str:
    """Return what a dry run says of a suite, on a line of its own."""
    return (
        f"\nwould ask for {value['to_ask']} answers to suite {value['suite']},"
        f" for at most {value['tokens_at_most']:,} tokens"
    )


def line(value: dict[str, Any]) -> str:
    """Return the same as one line of text."""
    begin = f"suite {value['suite']}:"
    if not value["answers"] and not value["left"]:
        return f"{begin} no question was left to ask"
    parts = [f"{version} {each['right']} of {each['of']} right" for version, each in value["right"].items()]
    if value["unclear"]:
        parts.append(f"{value['unclear']} answers that cannot be judged")
    if value["not_served"]:
        parts.append(f"{value['left']} not asked: {', '.join(value['not_served'])} is not served")
    return f"{begin} {'; '.join(parts)}"
