"""What the users ask: BANKING77, CLINC150, a file of one's own, or the bookshop's customers.

Called by replay. Reads files, nothing more; the bookshop is imported only where it is asked for.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from runner.errors import terminal
from runner.simulation.replay.plan import BOOKSHOP

if TYPE_CHECKING:
    from runner.simulation.bookshop.questions import Question

BANKING77 = ("banking77/train.csv", "banking77/test.csv")
CLINC150 = ("clinc150/data_full.json",)
NAMED = ("banking77", "clinc150", BOOKSHOP)


def draw(name: str, data: Path, seed: int) -> Iterator[str]:
    """Return questions without end, the same for the same seed. Raises TerminalError for a bad source.

    `name` is one of `NAMED`, or the path of a CSV file with a column `text`.
    """
    if name == BOOKSHOP:
        return (question.question for question in bookshop(seed))
    texts = _texts(name, data)
    return _for_ever(texts, _rng(seed))


def bookshop(seed: int) -> Iterator[Question]:
    """Return the questions that `draw` returns for the bookshop, with what a right answer to each holds."""
    from runner.simulation.bookshop.traffic import everyday

    return everyday(_rng(seed))


def _rng(seed: int) -> Random:
    return Random(f"{seed}:questions")


def _for_ever(texts: list[str], rng: Random) -> Iterator[str]:
    while True:
        yield rng.choice(texts)


def _texts(name: str, data: Path) -> list[str]:
    match name:
        case "banking77":
            paths = [data / file for file in BANKING77]
        case "clinc150":
            paths = [data / file for file in CLINC150]
        case _ if Path(name).suffix == ".csv":
            paths = [Path(name)]
        case _:
            raise terminal(
                f"there are no questions named '{name}'",
                f"known: {', '.join(NAMED)}",
                fix="use one of these names, or the path of a CSV file with a column 'text'",
            )
    texts = [text for path in paths for text in _read(path, name)]
    if not texts:
        raise terminal(f"the questions '{name}' are empty", *map(str, paths))
    return texts


def _read(path: Path, name: str) -> list[str]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            found = _from_json(json.load(file)) if path.suffix == ".json" else _from_csv(file)
            return [text for text in found if text.strip()]
    except FileNotFoundError:
        fix = "put the file there, or set LOOP_REAL_DATA to the folder that holds these data sets"
        raise terminal(f"the questions '{name}' are not there", f"looked for {path}", fix=fix) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise terminal(f"'{path}' holds no questions", f"{type(error).__name__}: {error}") from error


def _from_csv(file: Iterator[str]) -> list[str]:
    rows = csv.DictReader(file)
    if "text" not in (rows.fieldnames or ()):
        raise ValueError("it has no column 'text'")
    return [row["text"] for row in rows]


def _from_json(value: dict[str, list[tuple[str, str]]]) -> list[str]:
    return [text for split in sorted(value) for text, _ in value[split]]
