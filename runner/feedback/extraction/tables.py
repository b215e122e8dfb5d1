"""Which events belong to which answer, as Ibis expressions over the tables of the lake; no backend is named.

An answer is a request that was answered (`ok`) with a content event; both names it has are used: feedback refers to
it by the response's id, contents and copies for shadows carry the id of its request's event, with a suffix.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from runner.events.lake import Engine, Lake
from runner.events.schema import Kind
from runner.feedback.extraction.rules import Window
from runner.signals.cube.facts import Span
from runner.signals.cube.pairs import close_by, conversations, request_id
from runner.signals.cube.rows import HOUR_US

SHADOW_SUFFIX: Final = "-shadow"
"""What a shadow event's id has more than its request's."""
BORDER_US: Final = HOUR_US
"""How far apart the clocks may be that stamp a request and what belongs to it."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The events of a window: requests of users that are not forgotten, and what refers to them."""

    requests: ir.Table
    feedback: ir.Table
    shadows: ir.Table
    window: Window
    lake: Lake

    @classmethod
    def of(cls, lake: Lake, window: Window, forgotten: Mapping[str, int]) -> Tables:
        """Return the tables of a lake."""
        since, until = window.since_us, window.until_us
        requests = _remembered(lake.table(Kind.REQUEST, since, until, since), forgotten)
        feedback = _remembered(lake.table(Kind.FEEDBACK, since, until, since), forgotten)
        return cls(requests, feedback, lake.table(Kind.SHADOW, since, until, since), window, lake)

    @property
    def everyday(self) -> ir.Table:
        """The requests of users who wanted an answer; not those of people who compare or try versions."""
        return self.requests.filter(~self.requests["loop.console"].coalesce(False))

    @property
    def contents(self) -> ir.Table:
        """Prompts and answers; a little more than the window, since it is their requests' time that counts."""
        return self.contents_in(self.window.since_us - BORDER_US, self.window.until_us + BORDER_US)

    def contents_in(self, since_us: int, until_us: int) -> ir.Table:
        """Return the prompts and answers of some time."""
        return self.lake.table(Kind.CONTENT, since_us, until_us, self.window.since_us - BORDER_US)

    def served(self, engine: Engine, responses: Collection[str]) -> dict[str, tuple[str, str]]:
        """Return the version and the adapter's digest of those responses whose requests are in the window."""
        wanted = ibis.memtable(pa.table({"wanted": pa.array(sorted(responses), pa.string())}))
        own = self.requests.semi_join(wanted, self.requests["gen_ai.response.id"] == wanted["wanted"])
        columns = ("gen_ai.response.id", "loop.version", "loop.adapter.digest")
        rows = engine.arrow(own.select(*columns)).to_pylist()
        return {row[columns[0]]: (row[columns[1]] or "", row[columns[2]] or "") for row in rows}


def count(engine: Engine, table: ir.Table) -> int:
    """Return how many rows a table has."""
    return int(engine.arrow(table.aggregate(n=table.count()))["n"][0].as_py())


def _remembered(table: ir.Table, forgotten: Mapping[str, int]) -> ir.Table:
    """Return the events of users that did not ask to be forgotten, or that happened after they did."""
    if not forgotten:
        return table
    users = pa.table({"forgotten": list(forgotten), "until_us": list(forgotten.values())})
    gone = ibis.memtable(users.cast(pa.schema([("forgotten", pa.string()), ("until_us", pa.int64())])))
    matches = (table["loop.user"] == gone["forgotten"]) & (table["event.time"] <= gone["until_us"])
    return table.anti_join(gone, matches)


def answered(requests: ir.Table) -> ir.Table:
    """Return the requests that were answered, with what a record says of them."""
    ok = requests.filter(requests["loop.outcome"] == "ok")
    return ok.select(
        request=ok["event.id"],
        at_us=ok["event.time"],
        user=ok["loop.user"],
        group=ok["loop.group"],
        session=ok["loop.session"],
        version=ok["loop.version"].coalesce(""),
        digest=ok["loop.adapter.digest"].coalesce(""),
        response=ok["gen_ai.response.id"],
        tokens=ok["gen_ai.usage.output_tokens"],
        console=ok["loop.console"].coalesce(False),
    )


def with_words(requests: ir.Table, contents: ir.Table) -> ir.Table:
    """Return the answers of which the words were kept, one row for each content."""
    facts = answered(requests).drop("response", "tokens")
    said = contents.select(
        of=request_id(contents["event.id"]),
        content=contents["event.id"],
        asked=contents["gen_ai.input.messages"],
        said=contents["gen_ai.output.messages"],
    )
    return said.inner_join(facts, said["of"] == facts["request"]).drop("of")


def own_feedback(feedback: ir.Table, requests: ir.Table) -> ir.Table:
    """Return feedback on an answer by the user who got it, with the request that it is on.

    Whoever did not get an answer has no say in it: so nobody can be voted down by guessing ids, and an answer is
    judged by one person at most. What the gateway remembered (`loop.feedback.known`) is not asked: it forgets with
    every restart, and the log does not.
    """
    facts = answered(requests).select("request", "response", "user", asked_us="at_us")
    said = feedback.select(
        id=feedback["event.id"],
        at_us=feedback["event.time"],
        of=feedback["gen_ai.response.id"],
        by=feedback["loop.user"],
        thumbs=feedback["loop.thumbs"],
        rating=feedback["loop.rating"],
        correction=feedback["loop.correction"],
    )
    return said.inner_join(facts, (said["of"] == facts["response"]) & (said["by"] == facts["user"])).select(
        "id", "at_us", "request", "thumbs", "rating", "correction"
    )


def on_known_answers(feedback: ir.Table, requests: ir.Table) -> ir.Table:
    """Return feedback on any answer of the window, whoever gave it."""
    facts = answered(requests).select("response")
    return feedback.semi_join(facts, feedback["gen_ai.response.id"] == facts["response"])


def tails(requests: ir.Table, share: float) -> ir.Table:
    """Return the answers at both ends of their version's distribution of tokens, `share` of them at each.

    Exact ranks; of answers with equally many tokens those with the smaller ids come first. An end holds only what is
    shorter, or longer, than the version's median: where all answers are alike, none is short.
    """
    known = answered(requests)
    known = known.filter(known["tokens"].notnull())
    rows = known.select("request", "version", "tokens")
    mine = ibis.window(group_by=rows["version"])
    upward = ibis.window(group_by=rows["version"], order_by=[rows["tokens"], rows["request"]])
    ranked = rows.mutate(
        rank=ibis.row_number().over(upward),
        count=rows["request"].count().over(mine),
        median=rows["tokens"].median().over(mine),
    )
    size = (ranked["count"] * share).ceil()
    short = (ranked["rank"] < size) & (ranked["tokens"] < ranked["median"])
    long = (ranked["rank"] >= ranked["count"] - size) & (ranked["tokens"] > ranked["median"])
    return ranked.filter(short | long).select("request", short=short)


def gateway_masked(tables: Tables, kinds: Collection[str], users: Sequence[str]) -> ir.Table:
    """Return the prompts of some users in which the gateway masked one of some kinds, and what it masked there."""
    said = tables.contents
    said = said.filter(ibis.or_(*(said["loop.masked"].contains(f'"{kind}"') for kind in kinds)))
    rows = said.select(
        of=request_id(said["event.id"]), asked=said["gen_ai.input.messages"], masked=said["loop.masked"]
    )
    asked = _asked_by(tables.requests, users)
    return rows.inner_join(asked, rows["of"] == asked["request"]).select("user", "session", "asked", "masked")


def remarks(tables: Tables, users: Sequence[str]) -> ir.Table:
    """Return what anybody wrote of answers that some users got, with the prompts that were answered."""
    feedback, contents = tables.feedback, tables.contents
    written = feedback.filter(feedback["loop.correction"].notnull() | feedback["loop.comment"].notnull())
    texts = written.select(
        of=written["gen_ai.response.id"],
        correction=written["loop.correction"],
        comment=written["loop.comment"],
    )
    answers = _asked_by(tables.requests, users)
    about = texts.inner_join(answers, texts["of"] == answers["response"])
    prompts = contents.select(
        content_of=request_id(contents["event.id"]), asked=contents["gen_ai.input.messages"]
    )
    rows = about.inner_join(prompts, about["request"] == prompts["content_of"])
    return rows.select("user", "session", "asked", "correction", "comment")


def _asked_by(requests: ir.Table, users: Sequence[str]) -> ir.Table:
    """Return the requests of some users, with their sessions and the ids of their answers."""
    wanted = ibis.memtable(pa.table({"wanted": pa.array(users, pa.string())}))
    rows = requests.select(
        request="event.id", user="loop.user", session="loop.session", response="gen_ai.response.id"
    )
    return rows.semi_join(wanted, rows["user"] == wanted["wanted"])


def copies(shadows: ir.Table) -> ir.Table:
    """Return what shadowed versions answered where it is not word for word what the user got."""
    answered_copies = shadows.filter(
        (shadows["loop.outcome"] == "ok")
        & ~shadows["loop.same"].coalesce(False)
        & shadows["gen_ai.output.messages"].notnull()
    )
    name = answered_copies["event.id"]
    return answered_copies.select(
        id=name,
        request=ibis.ifelse(
            name.endswith(SHADOW_SUFFIX), name.substr(0, name.length() - len(SHADOW_SUFFIX)), name
        ),
        said=answered_copies["gen_ai.output.messages"],
    )


def asked_soon_after(tables: Tables, within_us: int) -> ir.Table:
    """Return questions (JSON messages) of one user that follow each other closely, as `signals.cube.pairs` has them."""
    said = conversations(tables.contents, tables.everyday)
    until = tables.window.until_us // HOUR_US + 1
    pairs = close_by(said, Span(0, until), within_us)
    return pairs.select("event_id", "other_id", "asked", "other_asked")
