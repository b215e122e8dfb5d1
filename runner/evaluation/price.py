"""What asking costs in tokens: bounds before, counts after, and the day's budget. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from runner.evaluation.chat import Reply

TEMPLATE = 256
"""Tokens that a chat template may add to what is said, where nothing better is known."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens read and written."""

    input: int
    output: int

    @property
    def both(self) -> int:
        """Their sum, as budgets count."""
        return self.input + self.output

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.input + other.input, self.output + other.output)


NOTHING = Tokens(0, 0)


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens of one day: how many there are, and how many are spent."""

    limit: int
    spent: int

    @property
    def left(self) -> int:
        """How many may still be spent."""
        return max(0, self.limit - self.spent)

    def affords(self, most: int) -> bool:
        """Whether something that takes at most this much stays within the budget."""
        return most <= self.left

    def less(self, tokens: Tokens) -> Budget:
        """Return what remains after spending."""
        return Budget(self.limit, self.spent + tokens.both)


@dataclass(slots=True)
class Meter:
    """What one examination has taken so far, also where it is broken off."""

    tokens: Tokens = NOTHING
    replies: int = 0

    def count(self, reply: Reply, most_input: int, most_output: int) -> None:
        """Add a reply; its bounds where the server did not count."""
        self.tokens += Tokens(
            most_input if reply.input_tokens is None else reply.input_tokens,
            most_output if reply.output_tokens is None else reply.output_tokens,
        )
        self.replies += 1


def upper_bound(*texts: str, template: int = TEMPLATE) -> int:
    """Return more tokens than these texts come to: no token of a byte-level vocabulary is shorter than a byte."""
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) + template
