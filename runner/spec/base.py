"""The base of every spec type: frozen, and strict about keys that nobody declared."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo


class Section(BaseModel):
    """A mapping in a YAML file; unknown keys are errors.

    The text under a field documents it: `describe.py` reads it from the source, for schemas.
    """

    # Building only what a command loads, and only once, keeps `loop validate` fast.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def form(pattern: str, longest: int, words: str) -> FieldInfo:
    """Declare text of a certain form; `words` say what the form is in messages, where the pattern would not."""
    FORMS[pattern] = words
    field: FieldInfo = Field(pattern=pattern, max_length=longest)
    return field


FORMS: dict[str, str] = {}
"""Pattern -> the form it asks for, in words."""

_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_WEEKDAY = "(monday|tuesday|wednesday|thursday|friday|saturday|sunday)"

Name = Annotated[
    str, form(r"^[a-z0-9][a-z0-9._-]*$", 80, "a name of small letters, digits, '.', '_' and '-'")
]
Digest = Annotated[str, form(r"^[0-9a-f]{64}$", 64, "a SHA-256 of 64 hex digits")]
Commit = Annotated[str, form(r"^[0-9a-f]{40}$", 40, "a Git commit of 40 hex digits")]
"""In full: a tag or a short form can come to mean another commit."""
DvcHash = Annotated[str, form(r"^[0-9a-f]{32}(\.dir)?$", 36, "a hash as DVC writes it")]
Variable = Annotated[str, form(r"^[A-Za-z_][A-Za-z0-9_]*$", 120, "the name of an environment variable")]
"""Where a secret is; the secret itself never stands in Git."""
InsidePath = Annotated[
    str, form(rf"^{_PART}(/{_PART})*$", 300, "a path inside the repository, such as 'models/x'")
]
"""It cannot lead out of the repository."""
Address = Annotated[
    str, form(r"^[A-Za-z0-9.\[\]:_-]+:[0-9]{1,5}$", 260, "an address with a port, such as '127.0.0.1:8080'")
]
WebAddress = Annotated[str, form(r"^https?://[^ ]+$", 300, "an address such as 'http://127.0.0.1:8000/v1'")]
ModelName = Annotated[
    str, form(r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", 200, "a model's name, such as 'Qwen/Qwen2-0.5B'")
]
Moment = Annotated[
    str,
    form(
        rf"^(\d{{4}}-\d{{2}}-\d{{2}}T\d{{2}}:\d{{2}}|{_WEEKDAY} \d{{2}}:\d{{2}})$",
        20,
        "a moment such as '2026-12-20T00:00' or 'friday 16:00'",
    ),
]
Text = Annotated[str, Field(min_length=1, max_length=300)]
"""A line of words, not empty."""
