"""Runs a data set's suite over its file by Great Expectations, in memory, and says how each expectation came out.

Called by `loop data check` and after a snapshot was made. Reads one file and writes none; asks no network.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner.errors import terminal
from runner.feedback.expectations import table
from runner.feedback.expectations.checked import Checked, Line, contract
from runner.feedback.expectations.library import great_expectations
from runner.feedback.expectations.suite import Expected, suite
from runner.spec.dataset import DatasetFile

EXAMPLES = 3
LONGEST_EXAMPLE = 60


def validate(root: Path, dataset: DatasetFile, now: float) -> Checked:
    """Check the file of a data set below `root`. Raises TerminalError where it is not there or cannot be read."""
    path = root / dataset.path
    try:
        content = path.read_bytes()
        found = table.read(path)
    except OSError as error:
        fix = f"fetch it: `dvc pull {dataset.path}`, or make it: `dvc repro`"
        raise terminal(
            f"data set '{dataset.name}' cannot be read: {dataset.path}: {error.strerror}", fix=fix
        ) from error
    lines = _lines(*_run(dataset, found))
    return Checked(
        name=dataset.name,
        path=dataset.path,
        hash=hashlib.md5(content, usedforsecurity=False).hexdigest(),
        contract=contract(dataset),
        at=now,
        rows=len(found.rows),
        categories=found.categories,
        lines=lines,
    )


def _run(dataset: DatasetFile, found: table.Rows) -> tuple[tuple[Expected, ...], list[dict[str, Any]]]:
    """Return what is expected, and Great Expectations' own results in the same order."""
    gx = great_expectations()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of what its own dependencies will do one day
        expected = suite(dataset)
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        batch = (
            context.data_sources.add_pandas("rows")
            .add_dataframe_asset("rows")
            .add_batch_definition_whole_dataframe("all")
            .get_batch({"dataframe": table.frame(found, dataset)})
        )
        return expected, [batch.validate(each.check).to_json_dict() for each in expected]


def _lines(expected: Sequence[Expected], results: Sequence[dict[str, Any]]) -> tuple[Line, ...]:
    return tuple(_line(one, result) for one, result in zip(expected, results, strict=True))


def _line(expected: Expected, result: dict[str, Any]) -> Line:
    about = result.get("result") or {}
    raised = [
        str(each.get("exception_message", "")) for each in _exceptions(result) if each.get("raised_exception")
    ]
    examples = raised or [str(each) for each in about.get("partial_unexpected_list") or ()]
    shown = dict.fromkeys(_short(each) for each in examples)
    observed = about.get("observed_value")
    if not shown and not result["success"] and observed is not None:
        shown = {f"found: {_short(str(observed))}": None}
    return Line(
        expected.column,
        expected.says,
        bool(result["success"]),
        int(about.get("element_count") or 0),
        int(about.get("unexpected_count") or 0),
        tuple(shown)[:EXAMPLES],
    )


def _exceptions(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what was raised inside; the shape depends on the expectation."""
    info = result.get("exception_info") or {}
    return (
        [info] if "raised_exception" in info else [each for each in info.values() if isinstance(each, dict)]
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_EXAMPLE else f"{line[: LONGEST_EXAMPLE - 3]}..."
