"""Whether a user asks alike again: the answer before did not help.

`outcomes` compares each question of a user with the same user's questions shortly before; the lake's annotation
compares many pairs at once (`likenesses`). A question is kept as a sketch of hashes, so that no state holds what
anybody wrote. A question that corrects itself is compared by what it means in the end; other numbers, or another
kind of question on the same subject, make it a follow-up. Pure: no files, no clock, no model.
"""

from runner.signals.reask.comparison import THRESHOLD, WITHIN_S, asked_again, likeness, likenesses
from runner.signals.reask.question import NOTHING, Question, sketch
from runner.signals.reask.rarity import SHIPPED, Rarity

__all__ = [
    "NOTHING",
    "SHIPPED",
    "THRESHOLD",
    "WITHIN_S",
    "Question",
    "Rarity",
    "asked_again",
    "likeness",
    "likenesses",
    "sketch",
]
