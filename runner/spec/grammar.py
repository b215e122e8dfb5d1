"""The grammar of conditions, read by hand; nothing is ever evaluated as code.

    condition   = conjunction { OR conjunction }
    conjunction = negation { AND negation }
    negation    = NOT negation | "(" condition ")" | comparison
    comparison  = METRIC ( ">" | ">=" | "<" | "<=" ) ( QUANTITY | "baseline" [ "*" NUMBER ] )

Keywords are read in any case; bounds are checked against the table of metrics. Called by `condition`. Pure.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from enum import StrEnum

from runner.spec import quantity
from runner.spec.expression import (
    And,
    Baseline,
    Comparison,
    ConditionError,
    Constant,
    Expression,
    Not,
    Operator,
    Or,
)
from runner.spec.metric import METRICS, Metric
from runner.spec.quantity import Dimension

MAX_DEPTH = 20


def read(text: str) -> Expression:
    """Read and check one line of text. Raises ConditionError, with the place in the text."""
    return _Parser(text).whole()


class _Kind(StrEnum):
    WORD = "word"
    NUMBER = "number"
    OPERATOR = "operator"
    PUNCTUATION = "punctuation"
    END = "end"


@dataclass(frozen=True, slots=True)
class _Token:
    kind: _Kind
    text: str
    start: int
    end: int

    def is_word(self, word: str) -> bool:
        return self.kind is _Kind.WORD and self.text.lower() == word


_NUMBER = rf"\$ ?{quantity.NUMBER}|{quantity.NUMBER} ?(?:%|(?:ms|[smhdw])\b)|{quantity.NUMBER}"
_TOKEN = re.compile(
    rf"\s*(?:(?P<number>(?:{_NUMBER})(?![\d.]))"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<operator>[<>]=?)|(?P<punctuation>[()*]))",
    re.ASCII,
)
_KEYWORDS = ("and", "or", "not", "baseline")


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise ConditionError(
                text, start, start + 1, f"'{text[start]}' has no meaning here", _hint(text, start)
            )
        kind = _Kind(match.lastgroup)
        found.append(_Token(kind, match[match.lastgroup], match.start(match.lastgroup), match.end()))
        position = match.end()
    return [*found, _Token(_Kind.END, "", len(text), len(text))]


def _hint(text: str, start: int) -> str | None:
    hints = {"=": "compare with '>', '>=', '<' or '<='", "&": "write AND", "|": "write OR", "!": "write NOT"}
    if text[start] == "-":
        return "bounds are never negative"
    return hints.get(text[start])


class _Parser:
    """Recursive descent over the tokens of one condition."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.index = 0
        self.depth = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.index]

    def take(self) -> _Token:
        token = self.token
        self.index += token.kind is not _Kind.END
        return token

    def error(self, token: _Token, summary: str, fix: str | None = None) -> ConditionError:
        return ConditionError(self.text, token.start, token.end, summary, fix)

    def whole(self) -> Expression:
        expression = self.disjunction()
        if self.token.kind is not _Kind.END:
            fix = "join comparisons with AND or OR"
            raise self.error(self.token, f"the condition is complete before '{self.token.text}'", fix)
        return expression

    def disjunction(self) -> Expression:
        parts = [self.conjunction()]
        while self.token.is_word("or"):
            self.take()
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def conjunction(self) -> Expression:
        parts = [self.negation()]
        while self.token.is_word("and"):
            self.take()
            parts.append(self.negation())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def negation(self) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(self.token, f"the condition is nested more than {MAX_DEPTH} deep")
        expression = self.unit()
        self.depth -= 1
        return expression

    def unit(self) -> Expression:
        if self.token.is_word("not"):
            self.take()
            return Not(self.negation())
        if self.token.text == "(":
            opening = self.take()
            inner = self.disjunction()
            if self.take().text != ")":
                raise self.error(opening, "this parenthesis is never closed", "add ')'")
            return inner
        return self.comparison()

    def comparison(self) -> Comparison:
        name = self.take()
        if name.kind is not _Kind.WORD or name.text.lower() in _KEYWORDS:
            fix = "write METRIC > BOUND, with the metric on the left"
            raise self.error(name, f"expected a metric, found {_named(name)}", fix)
        metric = self.metric(name)
        operator = self.take()
        if operator.kind is not _Kind.OPERATOR:
            fix = "compare with '>', '>=', '<' or '<='"
            raise self.error(operator, f"expected a comparison, found {_named(operator)}", fix)
        kind = Operator(operator.text)
        bound, token = self.bound(metric)
        if isinstance(bound, Constant):
            self.check_reach(metric, kind, bound.value, token)
        return Comparison(metric.name, kind, bound)

    def metric(self, name: _Token) -> Metric:
        found = METRICS.get(name.text.lower())
        if found is None:
            close = difflib.get_close_matches(name.text.lower(), METRICS, n=1)
            fix = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(sorted(METRICS))}"
            raise self.error(name, f"unknown metric '{name.text}'", fix)
        return found

    def bound(self, metric: Metric) -> tuple[Constant | Baseline, _Token]:
        token = self.take()
        if token.is_word("baseline"):
            return self.baseline(metric, token), token
        if token.kind is not _Kind.NUMBER:
            fix = f"write a bound such as '{_example(metric)}', or 'baseline'"
            raise self.error(token, f"expected a bound for '{metric.name}', found {_named(token)}", fix)
        return Constant(self.constant(metric, token)), token

    def baseline(self, metric: Metric, token: _Token) -> Baseline:
        if not metric.per_arm:
            fix = f"compare it with a constant such as '{_example(metric)}'"
            raise self.error(token, f"'{metric.name}' is not measured per arm, so it has no baseline", fix)
        if self.token.text != "*":
            return Baseline()
        self.take()
        factor = self.take()
        value = quantity.parse(factor.text) if factor.kind is _Kind.NUMBER else None
        if value is None or value.dimension is not None or value.value <= 0:
            raise self.error(
                factor, "expected a factor above 0", "write it without a unit, such as 'baseline * 1.5'"
            )
        return Baseline(value.value)

    def constant(self, metric: Metric, token: _Token) -> float:
        value = quantity.parse(token.text)
        if value.dimension is None and metric.dimension in (Dimension.DURATION, Dimension.MONEY):
            fix = f"write a unit, such as '{_example(metric)}'"
            raise self.error(
                token, f"'{token.text}' has no unit, and '{metric.name}' is {_NOUN[metric.dimension]}", fix
            )
        if value.dimension not in (None, metric.dimension):
            kinds = _NOUN[metric.dimension], _NOUN[value.dimension]
            summary = f"'{metric.name}' is {kinds[0]}, and '{token.text}' is {kinds[1]}"
            raise self.error(token, summary, f"write it as '{_example(metric)}'")
        return value.value

    def check_reach(self, metric: Metric, operator: Operator, value: float, token: _Token) -> None:
        """Refuse a comparison that comes out the same whatever is measured."""
        match operator:
            case Operator.GREATER:
                never, always = value >= metric.high, value < metric.low
            case Operator.AT_LEAST:
                never, always = value > metric.high, value <= metric.low
            case Operator.LESS:
                never, always = value <= metric.low, value > metric.high
            case Operator.AT_MOST:
                never, always = value < metric.low, value >= metric.high
        if not (never or always):
            return
        low, high = (quantity.show(end, metric.dimension) for end in (metric.low, metric.high))
        truth = "never" if never else "always"
        summary = f"'{metric.name}' lies between {low} and {high}, so this is {truth} true"
        bare = (
            metric.dimension is Dimension.RATIO and token.text.replace(".", "").isdigit() and 1 < value < 100
        )
        raise self.error(token, summary, f"did you mean '{token.text}%'?" if bare else None)


_NOUN = {
    Dimension.RATIO: "a share",
    Dimension.DURATION: "a duration",
    Dimension.MONEY: "an amount of money",
    Dimension.SCORE: "a plain number",
    Dimension.COUNT: "a plain number",
}
_EXAMPLES = {
    Dimension.RATIO: "5%",
    Dimension.DURATION: "2000ms",
    Dimension.MONEY: "$2",
    Dimension.SCORE: "4.0",
    Dimension.COUNT: "100",
}


def _example(metric: Metric) -> str:
    return _EXAMPLES[metric.dimension]


def _named(token: _Token) -> str:
    return "the end" if token.kind is _Kind.END else f"'{token.text}'"
