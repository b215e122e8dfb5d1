"""What others ask of the lake beside the cube: new questions, answers at both ends, who gives feedback.

Called through `passes.Measurer`. Reads only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from runner.events.lake import Engine, Lake
from runner.events.schema import Kind
from runner.signals.cube import pairs
from runner.signals.cube.facts import ANSWER_HOURS
from runner.signals.cube.rows import HOUR_US

_TOKENS = {"prompt_tokens": "gen_ai.usage.input_tokens", "answer_tokens": "gen_ai.usage.output_tokens"}


def questions(lake: Lake, engine: Engine, scored: ir.Table, since_us: int, until_us: int) -> pa.Table:
    """Return the scored questions of a time as text, oldest first; see `Measurer.questions` for the columns."""
    tables = {
        "scored": scored,
        "contents": lake.table(Kind.CONTENT, since_us, until_us, since_us),
        "requests": lake.table(Kind.REQUEST, since_us, until_us, since_us),
    }
    found = engine.answer(_questions, tables, {"since_us": since_us, "until_us": until_us})
    in_order = found.sort_by([("time_us", "ascending"), ("event_id", "ascending")])
    return pairs.with_text(in_order, "question")


def _questions(tables: Mapping[str, ir.Table], values: Mapping[str, Any]) -> ir.Table:
    """Return what was asked in a time, with its scores and who asked, as an engine is asked for it."""
    scored, contents, requests = tables["scored"], tables["contents"], tables["requests"]
    scored = scored.filter(
        (scored["time_us"] >= values["since_us"]) & (scored["time_us"] < values["until_us"])
    )
    asked = contents.select(
        event_id=pairs.request_id(contents["event.id"]), question=contents["gen_ai.input.messages"]
    )
    columns = (
        "event_id",
        "time_us",
        "question",
        "topic",
        "fine_topic",
        "novelty",
        "language",
        "version",
        "user",
    )
    by = requests.select(event_id=requests["event.id"], user=requests["loop.user"])
    return scored.inner_join(asked, "event_id").inner_join(by, "event_id").select(*columns)


def tails(lake: Lake, engine: Engine, since_us: int, share: float, limit: int) -> pa.Table:
    """Return the answers with the fewest and the most tokens; see `Measurer.tails`."""
    requests = lake.table(Kind.REQUEST, since_us, None, since_us)
    return pa.concat_tables([engine.arrow(each) for each in _tails(requests, share, limit)])


def concentration(lake: Lake, engine: Engine, since_us: int) -> tuple[int, float | None]:
    """Return how many people judged answers that they got, and which share of what was judged the most active did."""
    said = lake.table(Kind.FEEDBACK, since_us, None, since_us)
    back = since_us - ANSWER_HOURS * HOUR_US
    asked = lake.table(Kind.REQUEST, back, None, back).select("gen_ai.response.id", "loop.user")
    own = ["gen_ai.response.id", "loop.user"]
    said = said.semi_join(asked, own).select(*own).distinct()
    each = said.group_by("loop.user").agg(n=said.count())
    found = each.agg(raters=each.count(), most=each["n"].max(), all=each["n"].sum())
    row = engine.arrow(found).to_pylist()[0]
    return row["raters"], row["most"] / row["all"] if row["raters"] else None


def _tails(requests: ir.Table, share: float, limit: int) -> Iterator[ir.Table]:
    answered = requests.filter((requests["loop.outcome"] == "ok") & ~requests["loop.console"].coalesce(False))
    for measure, column in _TOKENS.items():
        some = answered.filter(answered[column].notnull())
        rows = some.select(request_id=some["loop.request.id"], event_id=some["event.id"], value=some[column])
        for tail, order in (("low", rows["value"].asc()), ("high", rows["value"].desc())):
            ranked = rows.mutate(
                at=ibis.row_number().over(order_by=[order, rows["event_id"]]),
                of=rows.count().over(ibis.window()),
            )
            most = (ranked["of"].cast("float64") * share).ceil()
            found = ranked.filter((ranked["at"] < most) & (ranked["at"] < limit)).order_by("at")
            yield found.select(
                measure=ibis.literal(measure),
                tail=ibis.literal(tail),
                request_id=found["request_id"],
                event_id=found["event_id"],
                value=found["value"],
            )
