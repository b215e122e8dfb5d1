"""`policies/privacy.yaml`: what counts as personal data, what reaches the disk, and how long it stays."""

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
    """How long what is kept; `loop forget --expired` deletes what is older, and `loop up` does so once a day."""

    facts: Duration = 365 * 86400.0
    """Facts about requests: times, counts, versions."""
    content: Duration = 90 * 86400.0
    """Questions and answers."""
    feedback: Duration = 365 * 86400.0
    """Votes, ratings, corrections and comments."""


class PrivacyPolicy(Section):
    """What is kept of what people write, where it is masked how far, and for how long it is kept.

    The gateway masks before anything reaches the disk, by recognisers that need no model; what goes into data sets is
    searched again, more slowly, for names, places, dates and addresses too.
    """

    content: Content = Content.MASKED
    """What is kept of questions and answers."""
    entities: tuple[Entity, ...] = tuple(Entity)
    """What is masked in data sets. On the way to the log the gateway always masks `email`, `phone`, `card`, `iban`,
    `ip`, `url` with credentials and `national_number`."""
    replacement: Replacement = Replacement.PSEUDONYM
    """What stands in its place in data sets; in the log it is always a pseudonym."""
    exclude_groups: tuple[Name, ...] = ()
    """Groups of callers of whose conversations no text is kept at all."""
    exclude_with: tuple[Entity, ...] = ()
    """A conversation in which one of these is found goes into no data set, not even masked."""
    retention: Retention = Field(default_factory=Retention)
    """How long what is kept."""
