"""The base of every spec type: frozen, and strict about keys that nobody declared."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A mapping in a YAML file; unknown keys are errors.

    The text under a field documents it: `describe.py` reads it from the source, for schemas.
    """

    # Building only what a command loads, and only once, keeps `loop validate` fast.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=120)]
"""The name of an environment variable, where a secret is; the secret itself never stands in Git."""
InsidePath = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$", max_length=300)
]
"""A path below the repository's root; it cannot lead out of it."""
