"""`quarantine.yaml`: versions that were rolled back and get no users by automation. To delete one lifts it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from runner.spec.base import Name, Section, form

Served = Annotated[
    str,
    form(
        r"^[a-z0-9][a-z0-9._-]*--[0-9a-f]{12}$",
        100,
        "a version and its digest, such as 'chat-v1.1--3f5866e570ad'",
    ),
]
"""`NAME--DIGEST12`, as the engine serves it."""

Words = Annotated[str, Field(max_length=20_000)]
"""As long as it comes: a rollback whose reason is long must not make the file one that is refused."""


class Quarantined(Section):
    """One version that was rolled back."""

    served: Served
    """Version and digest: other bytes under the same version are not meant."""
    environment: Name
    """Where it was rolled back; no environment puts it on trial again."""
    at: AwareDatetime
    """When, with its time zone: `2026-11-21T09:30:00Z`."""
    condition: Words
    """What was proven, or why a person asked for it."""
    evidence: Words | None = None
    """The figures."""


class QuarantineFile(Section):
    """The versions that were rolled back, to be tried again by nobody but a person; the newest last."""

    quarantined: tuple[Quarantined, ...] = ()
    """What was rolled back."""
