"""The proof that a loaded adapter is served, and that it is the adapter which was trained.

An engine can accept an adapter and serve the base under its name; the load's answer does not show it. So
log-probabilities of fixed prompts are compared: the adapter's must differ from the base's, and must match
those that the training stack wrote beside the weights (`probe.json`). Called by the reconciler after a load
and before any traffic (invariant 4). It changes nothing.

A difference is the mean over tokens of |difference of natural log-probabilities|. Measured with vLLM 0.32 in
bfloat16 on a CPU, bases of 1.8 million parameters and LoRA of rank 16:
- the same adapter in vLLM and in PEFT: 0.0006 to 0.0087 with four bases, 0.22 for the worst token;
  with 1% too much scale 0.013, 10% 0.088, without its query projections 0.042, half as strong 0.57;
- adapter and base: 1.38; with a hundredth of its scale 0.014, a thousandth 0.005, which is rounding; none 0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from runner.errors import LoopError, TerminalError, terminal
from runner.serving.engine import EngineClient, LogProbs, Prompt

RECORD = "probe.json"
MINIMUM_BASE_DIFFERENCE = 0.01
"""Below it an adapter is taken for the base: twice what rounding makes, a hundredth of a useful adapter."""
MAXIMUM_TRAINING_DIFFERENCE = 0.02
"""Above it the weights or their scale are not the trained ones: more than twice what rounding makes."""

FURTHER_LOOKS = 5
"""How often the base is asked again where it answered with the adapter's weights, and nobody knows how it answers.

vLLM's CPU kernels do that in every batch in which somebody asks an adapter, once all slots are taken; a prompt that is
asked alone comes between the users' requests, if there are pauses, and one that does is enough.
"""
Bases = dict[str, Sequence[LogProbs]]
"""How the base of each run of each replica scored `DEFAULT_PROMPTS` when it answered like no adapter that was there.

An adapter is proven against it where the engine mixes the two up under users' requests: the base of a process that runs
does not change.
"""

DEFAULT_PROMPTS: tuple[str, ...] = (
    "When are you open on Sunday, and can I return a book that I bought last week?",
    "Who wrote this, what does it cost, and where in the shop do I find it?",
    "Please write me a short and friendly answer.",
    "I am sorry, but I cannot help with that.",
    "일요일에는 몇 시에 문을 여나요? 책값은 얼마인가요?",
    "The total is 42.50 with tax; your order 1017 arrives on 3 March.",
)


class Verdict(StrEnum):
    """PASS is proof, FAIL is disproof, ERROR: nothing could be measured. Only PASS may get traffic."""

    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class RecordedPrompt:
    """A prompt as the training stack scored it: `logprobs` has one entry for each of `token_ids`."""

    text: str
    token_ids: tuple[int, ...]
    logprobs: LogProbs


@dataclass(frozen=True, slots=True)
class ProbeRecord:
    """What `probe.json` says: prompts as they were scored, none where the adapter has no weights and `is_base`."""

    prompts: tuple[RecordedPrompt, ...]
    is_base: bool = False


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The verdict, both differences (None where not measured), and why."""

    verdict: Verdict
    base_difference: float | None
    training_difference: float | None
    evidence: tuple[str, ...]


def read_record(adapter: Path) -> ProbeRecord | None:
    """Read an adapter directory's record, or return None where it has none. Raises TerminalError."""
    path = adapter / RECORD
    if not path.exists():
        return None
    try:
        value = json.loads(path.read_bytes())
        if value["format"] != 1:
            raise ValueError(f"format {value['format']!r} is not 1")
        if value.get("serves") == "base":
            return ProbeRecord((), is_base=True)
        prompts = tuple(_recorded(prompt) for prompt in value["prompts"])
        if not prompts:
            raise ValueError("it has no prompts")
    except (OSError, ValueError, KeyError, TypeError) as error:
        fix = "write it again with the stage that trained the adapter"
        raise terminal(
            f"{path} is not a probe record", f"{type(error).__name__}: {error}", fix=fix
        ) from error
    return ProbeRecord(prompts)


async def probe(
    client: EngineClient,
    base_name: str,
    served: str,
    record: ProbeRecord | None,
    bases: Bases | None = None,
) -> ProbeResult:
    """Score the same prompts with base and adapter on one replica and judge the differences.

    A replica that answers for a name which nobody loaded fails too: after a restart it would answer for this one
    with the base. `bases` is read, and added to. Raises nothing: what could not be measured is an ERROR.
    """
    bases = {} if bases is None else bases
    prompts: Sequence[Prompt] = DEFAULT_PROMPTS
    verdict = judge
    if record is not None and record.is_base:
        record, verdict = None, judge_base
    if record is not None:
        prompts = [prompt.token_ids for prompt in record.prompts]
    try:
        if await _answers_for(client, f"{served}-unknown"):
            return ProbeResult(
                Verdict.FAIL, None, None, ("the replica answers for names that nobody loaded",)
            )
        who = await _run_of(client, base_name)
        base = await client.prompt_logprobs(base_name, prompts)
        adapter = await client.prompt_logprobs(served, prompts)
        trained = None if record is None else [prompt.logprobs for prompt in record.prompts]
        from_trained = None if trained is None else difference(adapter, trained)
        found = verdict(difference(adapter, base), from_trained)
        if found.verdict is Verdict.PASS and who and who not in bases:
            await _remember(client, base_name, bases, who)
        elif found.verdict is Verdict.ERROR and who in bases:
            answers = await client.prompt_logprobs(served, DEFAULT_PROMPTS)
            found = verdict(difference(answers, bases[who]), from_trained)
        for _ in range(FURTHER_LOOKS):
            if found.verdict is not Verdict.ERROR:
                break
            alone = [await client.prompt_logprobs(base_name, [prompt]) for prompt in prompts]
            found = verdict(difference(adapter, [one for (one,) in alone]), from_trained)
        return found
    except LoopError as error:
        return ProbeResult(Verdict.ERROR, None, None, tuple(str(error).splitlines()))
    except ValueError as error:
        return ProbeResult(Verdict.ERROR, None, None, (str(error),))


async def _run_of(client: EngineClient, base_name: str) -> str:
    """Return what stands for one run of a replica with its base, "" where restarts cannot be seen."""
    try:
        instance = await client.instance()
    except LoopError:
        return ""
    return f"{base_name} at {client.base_url} since {instance}" if instance else ""


async def _remember(client: EngineClient, base_name: str, bases: Bases, who: str) -> None:
    """Keep how the base answers now, unless that is how an adapter answers: then the engine mixes them up."""
    try:
        plain = await client.prompt_logprobs(base_name, DEFAULT_PROMPTS)
        for model in await client.models():
            if model.parent:
                answers = await client.prompt_logprobs(model.name, DEFAULT_PROMPTS)
                if difference(answers, plain) < MINIMUM_BASE_DIFFERENCE:
                    return
    except (LoopError, ValueError):
        return  # it is only for later
    bases[who] = plain


async def _answers_for(client: EngineClient, name: str) -> bool:
    try:
        await client.prompt_logprobs(name, DEFAULT_PROMPTS[:1])
    except TerminalError:
        return False
    return True


def difference(one: Sequence[LogProbs], other: Sequence[LogProbs]) -> float:
    """Return the mean of |a - b| over all tokens that have a log-probability in both.

    Raises ValueError where the two are not of the same prompts or have nothing to compare.
    """
    if [len(prompt) for prompt in one] != [len(prompt) for prompt in other]:
        raise ValueError("the two sets of log-probabilities are not of the same tokens")
    pairs = [(a, b) for left, right in zip(one, other, strict=True) for a, b in zip(left, right, strict=True)]
    gaps = [abs(a - b) for a, b in pairs if a is not None and b is not None]
    if not gaps or not all(map(math.isfinite, gaps)):
        raise ValueError("there are no finite log-probabilities to compare")
    return math.fsum(gaps) / len(gaps)


def judge(base_difference: float, training_difference: float | None) -> ProbeResult:
    """Return the verdict on two measured differences; without a record only the first is judged."""
    least = f"at least {MINIMUM_BASE_DIFFERENCE} expected"
    evidence = [f"mean difference of log-probabilities from the base: {base_difference:.4f} ({least})"]
    if training_difference is not None:
        most = f"at most {MAXIMUM_TRAINING_DIFFERENCE} expected"
        evidence.append(f"mean difference from the training stack: {training_difference:.4f} ({most})")
    as_trained = training_difference is None or training_difference <= MAXIMUM_TRAINING_DIFFERENCE
    if base_difference >= MINIMUM_BASE_DIFFERENCE:
        verdict = Verdict.PASS if as_trained else Verdict.FAIL
    elif as_trained and training_difference is not None:
        # It answers as it was trained, so it is the base that is answered with its weights; that may pass.
        evidence.append("the adapter is right and the base answers like it: the engine mixes them up")
        verdict = Verdict.ERROR
    else:
        verdict = Verdict.FAIL
    return ProbeResult(verdict, base_difference, training_difference, tuple(evidence))


def judge_base(base_difference: float, training_difference: float | None) -> ProbeResult:
    """Return the verdict on an adapter without weights, which has to answer like the base.

    What answers otherwise is not the adapter, whose bytes were proven before: the base was answered with another's
    weights, and may be asked again.
    """
    most = f"at most {MAXIMUM_TRAINING_DIFFERENCE} expected, it is the base model as it is"
    evidence = (f"mean difference of log-probabilities from the base: {base_difference:.4f} ({most})",)
    verdict = Verdict.PASS if base_difference <= MAXIMUM_TRAINING_DIFFERENCE else Verdict.ERROR
    return ProbeResult(verdict, base_difference, training_difference, evidence)


def _recorded(value: Any) -> RecordedPrompt:
    ids = tuple(int(token) for token in value["token_ids"])
    scores = tuple(None if score is None else float(score) for score in value["logprobs"])
    if len(ids) != len(scores) or len(ids) < 2:
        raise ValueError(
            f"{len(ids)} tokens and {len(scores)} log-probabilities: at least 2 of each, one for one"
        )
    return RecordedPrompt(str(value["text"]), ids, scores)
