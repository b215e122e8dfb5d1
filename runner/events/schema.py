"""The one place that names the fields of every event.

Names follow OpenTelemetry's GenAI semantic conventions where they have one (`gen_ai.*`, `error.type`), so that
exporting over OTLP is a mapping; what they lack is named `loop.*`. The writer checks against this table, the lake
derives its columns from it, and the reference documentation is printed from it. Pure values; no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of event; each has segments and a table of its own."""

    REQUEST = "request"
    CONTENT = "content"
    FEEDBACK = "feedback"
    SHADOW = "shadow"
    PROBE = "probe"
    VOTE = "vote"
    LABEL = "label"
    SAMPLE = "sample"
    EVALUATION = "evaluation"


class Type(StrEnum):
    """Column types, as DuckDB and Arrow name them."""

    TEXT = "string"
    WHOLE = "int64"
    REAL = "float64"
    BOOL = "bool"


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name, its type, what it means (with its unit), and whether every event must carry it."""

    name: str
    type: Type
    meaning: str
    required: bool = False


_COMMON = (
    Field("event.id", Type.TEXT, "unique; the same event written twice counts once", required=True),
    Field("event.time", Type.WHOLE, "microseconds since 1970-01-01 UTC at which it happened", required=True),
    Field("loop.environment", Type.TEXT, "environment of `loop.yaml`", required=True),
)

FIELDS: dict[Kind, tuple[Field, ...]] = {
    Kind.REQUEST: (
        *_COMMON,
        Field("loop.request.id", Type.TEXT, "the `x-request-id` of the answer", required=True),
        Field("loop.user", Type.TEXT, "keyed hash of the user, never the name itself", required=True),
        Field("loop.session", Type.TEXT, "keyed hash of the session, where the client names one"),
        Field("loop.group", Type.TEXT, "group of the API key: public, beta, internal", required=True),
        Field(
            "loop.console",
            Type.BOOL,
            "true where somebody compared or tried versions on the console's pages: such requests count for no signal",
        ),
        Field("loop.alias", Type.TEXT, "alias that was asked for, empty for a pinned version"),
        Field(
            "loop.arm",
            Type.TEXT,
            "baseline, candidate, experiment or pinned: the arm that answered, or was tried last",
        ),
        Field("loop.arm.assigned", Type.TEXT, "the arm that the assignment chose, before any fallback"),
        Field("loop.version.assigned", Type.TEXT, "adapter version of the assigned arm"),
        Field("loop.adapter.digest.assigned", Type.TEXT, "digest of that adapter"),
        Field(
            "loop.weight", Type.REAL, "share of traffic the candidate had at that time, 0 without a rollout"
        ),
        Field("loop.version", Type.TEXT, "adapter version that answered, or was tried last"),
        Field("loop.adapter.digest", Type.TEXT, "digest of that adapter"),
        Field("loop.rollout", Type.TEXT, "rollout id, empty without a rollout"),
        Field(
            "loop.arm.always",
            Type.BOOL,
            "the user's group always gets the candidate, so that the arm was not drawn",
        ),
        Field("loop.arm.failure", Type.TEXT, "why the assigned arm gave no answer, where it gave none"),
        Field("loop.experiment", Type.TEXT, "experiment that the user takes part in, empty without one"),
        Field("loop.generation", Type.WHOLE, "generation of the route table in force"),
        Field("loop.replica", Type.TEXT, "base URL of the replica that answered, or was tried last"),
        Field(
            "loop.outcome",
            Type.TEXT,
            "ok, error (ours or the engine's), refused (the client's), cancelled",
            True,
        ),
        Field(
            "loop.fell_back",
            Type.BOOL,
            "the candidate failed before its first byte and the baseline answered",
        ),
        Field("loop.attempts", Type.WHOLE, "how many replicas were tried"),
        Field("loop.latency_ms", Type.REAL, "from the last byte in to the last byte out, milliseconds"),
        Field("loop.first_token_ms", Type.REAL, "from the last byte in to the first byte out, milliseconds"),
        Field(
            "loop.overhead_ms", Type.REAL, "latency less the time spent waiting for the engine, milliseconds"
        ),
        Field("http.response.status_code", Type.WHOLE, "status of the answer", required=True),
        Field("error.type", Type.TEXT, "machine-readable kind of the error, empty if none"),
        Field("gen_ai.operation.name", Type.TEXT, "chat or text_completion"),
        Field(
            "gen_ai.request.model",
            Type.TEXT,
            "the model as the client named it, (unknown) if it is none of ours",
        ),
        Field("gen_ai.request.stream", Type.BOOL, "whether the client asked for a stream"),
        Field("gen_ai.request.temperature", Type.REAL, "sampling temperature, where given"),
        Field("gen_ai.request.max_tokens", Type.WHOLE, "limit of answer tokens, where given"),
        Field("gen_ai.response.id", Type.TEXT, "id of the answer, to which feedback refers"),
        Field("gen_ai.response.model", Type.TEXT, "version as shown to the client"),
        Field("gen_ai.response.finish_reason", Type.TEXT, "why the answer ended: stop, length, ..."),
        Field("gen_ai.usage.input_tokens", Type.WHOLE, "prompt tokens"),
        Field("gen_ai.usage.output_tokens", Type.WHOLE, "answer tokens"),
    ),
    Kind.CONTENT: (
        *_COMMON,
        Field("loop.request.id", Type.TEXT, "the request it belongs to", required=True),
        Field("gen_ai.response.id", Type.TEXT, "the answer it belongs to"),
        Field("gen_ai.input.messages", Type.TEXT, "the prompt, JSON, personal data masked", required=True),
        Field("gen_ai.output.messages", Type.TEXT, "the answer, JSON, personal data masked", required=True),
        Field("loop.masked", Type.TEXT, "what was masked, JSON: entity -> count"),
    ),
    Kind.FEEDBACK: (
        *_COMMON,
        Field("gen_ai.response.id", Type.TEXT, "the answer it speaks of", required=True),
        Field("loop.user", Type.TEXT, "keyed hash of the user", required=True),
        Field("loop.group", Type.TEXT, "group of the API key", required=True),
        Field(
            "loop.feedback.known",
            Type.TEXT,
            "whether this gateway remembers giving the answer: to this user (own), to another (other), unknown",
        ),
        Field(
            "loop.thumbs",
            Type.WHOLE,
            "1 up, -1 down; of a user on an answer the latest counts, in a rollout the first",
        ),
        Field(
            "loop.rating",
            Type.WHOLE,
            "1 to 5; of a user on an answer the latest counts, in a rollout the first",
        ),
        Field("loop.correction", Type.TEXT, "the better answer, personal data masked"),
        Field("loop.comment", Type.TEXT, "free text, personal data masked"),
    ),
    Kind.SHADOW: (
        *_COMMON,
        Field("loop.request.id", Type.TEXT, "the request that was copied", required=True),
        Field("gen_ai.response.id", Type.TEXT, "the answer that the user got"),
        Field("loop.version", Type.TEXT, "version that got the copy", required=True),
        Field("loop.adapter.digest", Type.TEXT, "digest of its adapter", required=True),
        Field("loop.replica", Type.TEXT, "base URL of the replica that answered the copy"),
        Field("loop.outcome", Type.TEXT, "ok, error, or dropped where too many copies were waiting", True),
        Field("error.type", Type.TEXT, "machine-readable kind of the error, empty if none"),
        Field("loop.latency_ms", Type.REAL, "from the copy's leaving to its last byte, milliseconds"),
        Field("gen_ai.usage.input_tokens", Type.WHOLE, "prompt tokens"),
        Field("gen_ai.usage.output_tokens", Type.WHOLE, "answer tokens"),
        Field("gen_ai.output.messages", Type.TEXT, "the copy's answer, JSON, personal data masked"),
        Field("loop.same", Type.BOOL, "whether it is word for word what the user got"),
    ),
    Kind.PROBE: (
        *_COMMON,
        Field("loop.replica", Type.TEXT, "base URL of the replica", required=True),
        Field("loop.version", Type.TEXT, "adapter version", required=True),
        Field("loop.adapter.digest", Type.TEXT, "digest of the adapter", required=True),
        Field("loop.probe.verdict", Type.TEXT, "PASS, FAIL or ERROR", required=True),
        Field(
            "loop.probe.base_difference",
            Type.REAL,
            "mean absolute difference of log-probabilities from the base",
        ),
        Field(
            "loop.probe.training_difference", Type.REAL, "the same from the training stack's, where recorded"
        ),
    ),
    Kind.VOTE: (
        *_COMMON,
        Field("loop.user", Type.TEXT, "keyed hash of the person who compared", required=True),
        Field("loop.group", Type.TEXT, "group of the API key", required=True),
        Field(
            "loop.left.version", Type.TEXT, "adapter version whose answer stood on the left", required=True
        ),
        Field("loop.left.digest", Type.TEXT, "digest of that adapter"),
        Field("loop.right.version", Type.TEXT, "adapter version on the right", required=True),
        Field("loop.right.digest", Type.TEXT, "digest of that adapter"),
        Field("loop.vote.choice", Type.TEXT, "left, right, tie or neither", required=True),
        Field("loop.vote.question", Type.TEXT, "id of the comparison, the same for all who judge it"),
        Field(
            "loop.vote.counted",
            Type.BOOL,
            "false where an answer gave its own model's name away; such a vote is kept and not counted",
        ),
        Field(
            "loop.vote.shown",
            Type.WHOLE,
            "answers that stood side by side; a vote on more makes several events",
        ),
        Field("loop.vote.taken_ms", Type.REAL, "from the last answer's end to the vote, milliseconds"),
        Field("loop.vote.category", Type.TEXT, "category of `policies/collection.yaml`"),
        Field("loop.vote.language", Type.TEXT, "language of the question: en, ko, ..."),
        Field("loop.vote.prompt", Type.TEXT, "the messages that both answered, JSON, personal data masked"),
        Field("loop.left.response", Type.TEXT, "the left answer's `gen_ai.response.id`"),
        Field("loop.right.response", Type.TEXT, "the right answer's `gen_ai.response.id`"),
        Field("loop.left.answer", Type.TEXT, "the left answer, personal data masked"),
        Field("loop.right.answer", Type.TEXT, "the right answer, personal data masked"),
        Field(
            "loop.left.sampling", Type.TEXT, "how the left answer was sampled, JSON: temperature, seed, ..."
        ),
        Field("loop.right.sampling", Type.TEXT, "how the right answer was sampled, JSON"),
        Field("loop.vote.reason", Type.TEXT, "why, in the person's words, personal data masked"),
        Field("loop.vote.correction", Type.TEXT, "an answer better than both, personal data masked"),
    ),
    Kind.LABEL: (
        *_COMMON,
        Field("loop.user", Type.TEXT, "keyed hash of the person who judged", required=True),
        Field("loop.group", Type.TEXT, "group of the API key", required=True),
        Field("loop.item", Type.TEXT, "id of the record or comparison that was judged", required=True),
        Field(
            "loop.label.task",
            Type.TEXT,
            "what was asked of it: answer, correction or preference",
            required=True,
        ),
        Field("loop.label.value", Type.TEXT, "what was said, one of the task's words", required=True),
        Field("loop.label.final", Type.BOOL, "whether it settles what others disagreed about"),
        Field("loop.label.taken_ms", Type.REAL, "from the item's being shown to its label, milliseconds"),
        Field("loop.label.correction", Type.TEXT, "a better answer, personal data masked"),
        Field("loop.label.comment", Type.TEXT, "free text, personal data masked"),
    ),
    Kind.SAMPLE: (
        *_COMMON,
        Field("loop.request.id", Type.TEXT, "the request whose answer was examined", required=True),
        Field("loop.version", Type.TEXT, "adapter version that had answered", required=True),
        Field("loop.adapter.digest", Type.TEXT, "digest of that adapter"),
        Field("loop.arm", Type.TEXT, "arm that had answered"),
        Field("loop.group", Type.TEXT, "group of the API key"),
        Field("loop.detector", Type.TEXT, "self_consistency or factual", required=True),
        Field(
            "loop.sample.value", Type.REAL, "agreement or support, 0 to 1, null where nothing could be said"
        ),
        Field("loop.sample.count", Type.WHOLE, "answers sampled, or statements checked"),
        Field("loop.sample.evidence", Type.TEXT, "what contradicts, JSON, personal data masked"),
        Field("gen_ai.usage.input_tokens", Type.WHOLE, "prompt tokens that the examination used"),
        Field("gen_ai.usage.output_tokens", Type.WHOLE, "answer tokens that the examination used"),
    ),
    Kind.EVALUATION: (
        *_COMMON,
        Field("loop.suite", Type.TEXT, "suite of `policies/evaluation.yaml`", required=True),
        Field("loop.question", Type.TEXT, "id of the question in the suite's data set", required=True),
        Field("loop.version", Type.TEXT, "adapter version that answered", required=True),
        Field("loop.adapter.digest", Type.TEXT, "digest of that adapter"),
        Field("loop.right", Type.BOOL, "whether the answer is right, null where nobody can say"),
        Field("loop.reward", Type.REAL, "reward of the preference model, where one scored it"),
        Field("gen_ai.usage.output_tokens", Type.WHOLE, "answer tokens"),
    ),
}


def names(kind: Kind) -> frozenset[str]:
    """Return the field names of a kind."""
    return frozenset(field.name for field in FIELDS[kind])
