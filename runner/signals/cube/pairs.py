"""Which questions are compared with which, to see whether an answer was asked for again.

Each question with the next few of the same user within the policy's window, as an Ibis expression that names no
backend; how alike two are is said by Python, for these pairs alone (`annotate.alike`). Called by `passes`.
"""

from __future__ import annotations

from typing import Final

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from runner.signals.cube.facts import Number, Span, passes_checks
from runner.signals.cube.rows import CONTENT_SUFFIX
from runner.signals.text import spoken

NEXT: Final = 3
"""Following questions of the same user that one is compared with."""

PAIRS: Final = pa.schema(
    [
        pa.field("event_id", pa.string()),
        pa.field("other_id", pa.string()),
        pa.field("time_us", pa.int64()),
        pa.field("likeness", pa.float64()),
        pa.field("arm", pa.string()),
        pa.field("version", pa.string()),
        pa.field("segment", pa.string()),
    ]
)
"""Two questions of one user by their requests' event ids, when the first was asked, their likeness, who answered."""


def conversations(contents: ir.Table, requests: ir.Table) -> ir.Table:
    """Return what was said, with the user who asked, the arm that answered and whether the record is sound.

    A content without its request is left out: it comes in the same moment, or with the next pass.
    """
    said = contents.select(
        event_id=request_id(contents["event.id"]),
        asked=contents["gen_ai.input.messages"],
        said=contents["gen_ai.output.messages"],
    )
    by = requests.select(
        by_id=requests["event.id"],
        time_us=requests["event.time"],
        user=requests["loop.user"],
        arm=requests["loop.arm"].coalesce(""),
        version=requests["loop.version"].coalesce(""),
        segment=requests["loop.group"].coalesce(""),
        sound=(requests["loop.outcome"] == "ok") & passes_checks(requests),
    )
    return said.inner_join(by, said["event_id"] == by["by_id"]).drop("by_id")


def request_id(content_id: ir.StringValue) -> ir.StringValue:
    """Return the event id of the request that a content event belongs to."""
    head = content_id.substr(0, content_id.length() - len(CONTENT_SUFFIX))
    return ibis.ifelse(content_id.endswith(CONTENT_SUFFIX), head, content_id)


def with_text(table: pa.Table, column: str) -> pa.Table:
    """Return a table in which a column of JSON messages is the text of the question."""
    texts = [spoken(messages, "user") for messages in table[column].to_pylist()]
    return table.set_column(table.column_names.index(column), column, pa.array(texts, pa.string()))


def close_by(said: ir.Table, span: Span, within_us: Number) -> ir.Table:
    """Return pairs of `conversations`: the first in the span, the second at most `within_us` later.

    `said` reach `within_us` beyond the span. Of two at one moment the one with the smaller id comes first.
    """
    window = ibis.window(group_by=said["user"], order_by=[said["time_us"], said["event_id"]])
    tables = []
    for step in range(1, NEXT + 1):
        rows = said.select(
            event_id=said["event_id"],
            time_us=said["time_us"],
            asked=said["asked"],
            arm=said["arm"],
            version=said["version"],
            segment=said["segment"],
            other_id=said["event_id"].lead(step).over(window),
            other_us=said["time_us"].lead(step).over(window),
            other_asked=said["asked"].lead(step).over(window),
        )
        near = rows["other_us"] - rows["time_us"] <= within_us
        tables.append(rows.filter(span.holds(rows["time_us"]) & near.coalesce(False)))
    return tables[0].union(*tables[1:])


def reasks(pairs: ir.Table, threshold: float) -> ir.Table:
    """Return the answers that were followed by an alike question (`rows.REASKS`), from scored pairs."""
    found = pairs.filter(pairs["likeness"] >= threshold)
    keys = ("event_id", "time_us", "arm", "version", "segment")
    return found.select(*keys).distinct().mutate(again=ibis.literal(True))
