"""`policies/privacy.yaml`: what counts as personal data, what reaches the disk, and how long it stays.

Only `content` is in force in this version; each other field says so.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from runner.spec.base import Name, Section
from runner.spec.quantity import Duration


class Entity(StrEnum):
    """A kind of personal data."""

    EMAIL = "email"
    PHONE = "phone"
    CARD = "card"
    IBAN = "iban"
    IP = "ip"
    URL = "url"
    NATIONAL_NUMBER = "national_number"
    """Social security and similar numbers; found are those of Korea (resident, business) and the US."""
    ADDRESS = "address"
    NAME = "name"
    PLACE = "place"
    DATE = "date"


class Content(StrEnum):
    """What is kept of questions and answers."""

    MASKED = "masked"
    """The text with structured personal data masked; names, places, dates and addresses stay."""
    OFF = "off"
    """Nothing; only the facts about requests."""
    RAW = "raw"
    """The text as it was: only where everybody has agreed to it."""


class Replacement(StrEnum):
    """What stands in the place of personal data."""

    TAG = "tag"
    """Its kind, such as `<email>`."""
    PSEUDONYM = "pseudonym"
    """Its kind and a number that stays the same inside a conversation, such as `<EMAIL_1>`."""


class Retention(Section):
    """How long what is kept. Not in force yet: nothing is deleted."""

    facts: Duration = 365 * 86400.0
    """Facts about requests: times, counts, versions."""
    content: Duration = 90 * 86400.0
    """Questions and answers."""
    feedback: Duration = 365 * 86400.0
    """Votes, ratings, corrections and comments."""


class PrivacyPolicy(Section):
    """What is done before anything reaches the disk."""

    content: Content = Content.MASKED
    """What is kept of questions and answers."""
    entities: tuple[Entity, ...] = tuple(Entity)
    """What is to be masked. Not obeyed yet: always masked are `email`, `phone`, `card`, `iban`, `ip`, `url` with
    credentials, and `national_number` of Korea and the US; never `name`, `place`, `date`, `address`."""
    replacement: Replacement = Replacement.PSEUDONYM
    """What stands in its place. Not obeyed yet: it is always `pseudonym`."""
    exclude_groups: tuple[Name, ...] = ()
    """Groups of callers whose text is not to be kept. Not in force yet: it is kept as `content` says."""
    retention: Retention = Field(default_factory=Retention)
    """How long what is kept. Not in force yet: nothing is deleted."""
