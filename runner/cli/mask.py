"""`loop mask`: texts as data sets would get them, to try out policies/privacy.yaml.

Standard output is what is left of the text, without anything that a terminal obeys; what was found is counted on
standard error. No value that was found is shown or logged.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.repository import find_root, json_option, read_spec
from runner.errors import terminal

if TYPE_CHECKING:
    from runner.feedback.privacy import Scrubber
    from runner.spec.privacy import Entity

EXAMPLES = """\b
Examples:
  echo "I am Kim Minsu, call 010-1234-5678" | loop mask
  loop mask answers.txt                    a text; names, numbers and addresses are replaced
  loop mask conversations.jsonl            JSON lines: a line is a conversation, and stays JSON
  loop mask --entities email,phone a.txt   only these, whatever the policy says
  loop mask --json a.txt                   where what was found, without saying what it was
"""
Json = Any


class Entities(click.ParamType["tuple[Entity, ...]"]):
    """Names of kinds of personal data, with commas between them."""

    name = "KIND,KIND"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Entity, ...]:
        """Return the kinds; refuse one that is none, with the known ones."""
        from runner.spec.privacy import Entity

        names = [name.strip() for name in str(value).split(",") if name.strip()]
        for name in names:
            if name not in tuple(Entity):
                self.fail(f"there is no kind '{name}'; known: {', '.join(Entity)}", param, ctx)
        return tuple(map(Entity, names))


@click.command(epilog=EXAMPLES)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--entities", type=Entities(), help="Look for these kinds instead of the policy's.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, file: Path | None, entities: tuple[Entity, ...] | None, as_json: bool
) -> None:
    """Mask a text, or JSON lines, as data sets would be masked; standard input where no file is named.

    Texts of one JSON line are one conversation: a name has one pseudonym in all of them. Keys and numbers stay.
    """
    root = find_root(ctx)
    content = _content(file)
    scrubber = _scrubber(root, entities)
    lines = _lines(content)
    results = [_of_value(scrubber, line) for line in lines] if lines else [_of_text(scrubber, content)]
    for result in results:
        if as_json:
            click.echo(_json(result.to_json()))
        elif lines:
            click.echo(_json(result.masked))
        else:
            click.echo(result.masked, nl=False)
    if not as_json:
        click.echo(_summary(results), err=True)


@dataclass(frozen=True, slots=True)
class Result:
    """One conversation, masked."""

    masked: Json
    counts: dict[str, int]
    excluded: tuple[str, ...]
    found: tuple[dict[str, Any], ...] | None = None
    """Where what was found, in characters; None for a JSON line."""

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        shown = {"masked": self.masked, "counts": self.counts, "excluded": list(self.excluded)}
        return shown if self.found is None else shown | {"found": list(self.found)}


def _scrubber(root: Path, entities: tuple[Entity, ...] | None) -> Scrubber:
    from runner.cli.data_collect import scrubber

    spec = read_spec(root)
    if entities is None:
        return scrubber(root, spec)
    privacy = spec.policies.privacy.model_copy(update={"entities": entities})
    return scrubber(root, replace(spec, policies=replace(spec.policies, privacy=privacy)))


def _content(file: Path | None) -> str:
    try:
        raw = file.read_bytes() if file else sys.stdin.buffer.read()
        return raw.decode()
    except OSError as error:
        from runner.cli.repository import in_words

        raise terminal(f"{file} cannot be read: {in_words(error)}") from None
    except UnicodeDecodeError as error:
        raise terminal(
            f"{file or 'standard input'} is not UTF-8",
            f"byte {error.start} of {len(error.object)} begins no character",
            fix="convert it first, for example with `iconv -t utf-8`",
        ) from None


def _lines(content: str) -> list[Json]:
    """Return the JSON values of JSON lines; none where the content is a text.

    The first line decides: once it is JSON, every other one must be.
    """
    numbered = [(number, line) for number, line in enumerate(content.split("\n"), 1) if line.strip()]
    values: list[Json] = []
    for number, line in numbered:
        try:
            value = json.loads(line) if line.lstrip()[0] in "{[" else None
        except (ValueError, RecursionError):
            value = None
        if value is None and not values:
            return []
        if value is None:
            raise terminal(f"line {number} is not JSON, as the lines before it are")
        values.append(value)
    return values


def _json(value: Json) -> str:
    """Return a value as one line in which nothing is obeyed by a terminal; keys are as they were read."""
    line = json.dumps(value, ensure_ascii=False)
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in line)


def _of_text(scrubber: Scrubber, text: str) -> Result:
    from runner.signals.language import language

    spoken = language(text)
    scrubbed = scrubber.scrub([text], spoken)
    found = tuple(
        {
            "start": each.start,
            "end": each.end,
            "entity": each.entity.value,
            "score": round(each.score, 3),
        }
        for each in scrubber.find(text, spoken)
    )
    return Result(scrubbed.texts[0], dict(scrubbed.counts), scrubbed.excluded, found)


def _of_value(scrubber: Scrubber, value: Json) -> Result:
    from runner.signals.language import language

    texts = list(_texts(value))
    scrubbed = scrubber.scrub(texts, language("\n".join(texts)))
    return Result(_replaced(value, iter(scrubbed.texts)), dict(scrubbed.counts), scrubbed.excluded)


def _texts(value: Json) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)


def _replaced(value: Json, texts: Iterator[str]) -> Json:
    """Return a value with its texts replaced, in the order in which `_texts` yields them."""
    match value:
        case str():
            return next(texts)
        case dict():
            return {key: _replaced(each, texts) for key, each in value.items()}
        case list():
            return [_replaced(each, texts) for each in value]
        case _:
            return value


def _summary(results: list[Result]) -> str:
    counts = sum((Counter(result.counts) for result in results), Counter())
    told = ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "nothing"
    left_out = sum(bool(result.excluded) for result in results)
    if not left_out:
        return f"masked: {told}"
    kinds = ", ".join(sorted({kind for result in results for kind in result.excluded}))
    return f"masked: {told}\nleft out of data sets whole: {left_out} of {len(results)} conversations, for {kinds}"
