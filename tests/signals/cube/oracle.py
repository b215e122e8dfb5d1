"""The cube worked out by hand: plain loops over dicts, slow, with no word of the expressions it checks."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections import defaultdict
from itertools import pairwise
from typing import Any

from runner.events.schema import Kind
from runner.signals.language import CODES, language
from tests.signals.cube.worlds import BASELINE, HOUR_US, World, alike, topics_of

Key = tuple[int, str, str, str, str, int | None]
Cell = tuple[int, float, float, float | None]
GAP_US, WITHIN_US = 1_800_000_000, 30_000_000
GROWTH = 1.01 / 0.99
CRASHES = ("replica_unreachable", "stream_broken")


class Tally:
    """Rows of the cube by their keys."""

    def __init__(self) -> None:
        self.cells: dict[Key, list[Any]] = defaultdict(lambda: [0, 0.0, 0.0, None])

    def add(self, place: tuple[int, str, str, str], measure: str, n: int, value: float, **more: Any) -> None:
        """Count one value, in a `bucket` where given."""
        cell = self.cells[(*place, measure, more.get("bucket"))]
        cell[0] += n
        cell[1] += value
        cell[2] += value * value
        if "peak" in more:
            cell[3] = more["peak"] if cell[3] is None else max(cell[3], more["peak"])

    def rows(self) -> dict[Key, Cell]:
        """Return what was counted, without cells that count nothing."""
        return {
            key: tuple(cell) for key, cell in self.cells.items() if cell[0] or cell[1] or key[5] is not None
        }


def cube(world: World, closed_us: int = 2**62) -> dict[Key, Cell]:
    """Return all rows of a world."""
    tally = Tally()
    said = {event["event.id"].removesuffix("-content"): event for event in world[Kind.CONTENT]}
    asked = {event["event.id"]: event for event in world[Kind.REQUEST]}
    said = {key: event for key, event in said.items() if key in asked}
    _requests(tally, world, said)
    _answers(tally, asked, said, closed_us)
    _feedback(tally, world)
    _votes(tally, world[Kind.VOTE])
    _examined(tally, world)
    return tally.rows()


def _requests(tally: Tally, world: World, said: dict[str, Any]) -> None:
    kept = {_hour(event) for event in said.values()}
    for event in world[Kind.REQUEST]:
        outcome, fell_back = event["loop.outcome"], bool(event.get("loop.fell_back"))
        arm, version = event.get("loop.arm"), event.get("loop.version")
        mine = event.get("loop.arm.assigned") or arm or "" if arm else ""
        if arm:
            place = (
                _hour(event),
                mine,
                event.get("loop.version.assigned") or version or "",
                event["loop.group"],
            )
        else:
            place = (_hour(event), "", version or "", event["loop.group"])
        answering = (_hour(event), arm or "", version or "", event["loop.group"])
        if fell_back or outcome in ("ok", "error"):
            broke = not fell_back and outcome == "error" and event.get("error.type") in CRASHES
            tally.add(place, "error", 1, float(fell_back or outcome == "error"))
            tally.add(place, "crash", 1, float(event.get("loop.arm.failure") in CRASHES or broke))
        tally.add(place, "session", 1, float(_begins(event, world[Kind.REQUEST])))
        has_words = event["event.id"] in said or _hour(event) not in kept or outcome != "ok"
        tally.add(answering, "data_quality", 1, float(_is_sound(event) and has_words))
        if outcome == "ok":
            tally.add(answering, "response", 1, 0.0)
            for measure, name, unit in (
                ("latency", "loop.latency_ms", 1000.0),
                ("first_token", "loop.first_token_ms", 1000.0),
                ("prompt_tokens", "gen_ai.usage.input_tokens", 1.0),
                ("answer_tokens", "gen_ai.usage.output_tokens", 1.0),
            ):
                read_early = measure != "first_token" or event.get("gen_ai.request.stream")
                if event.get(name) is not None and read_early:
                    value = max(0.0, event[name] / unit)
                    tally.add(answering, measure, 1, value, bucket=_bucket(value))


def _begins(event: dict[str, Any], requests: list[dict[str, Any]]) -> bool:
    def who(each: dict[str, Any]) -> tuple[str, str]:
        return each["loop.user"], each.get("loop.session") or ""

    def order(each: dict[str, Any]) -> tuple[Any, ...]:
        arm, version = each.get("loop.arm"), each.get("loop.version") or ""
        assigned = each.get("loop.arm.assigned") or arm if arm else ""
        return (
            each["event.time"],
            assigned,
            (each.get("loop.version.assigned") if arm else "") or version,
            each["loop.group"],
        )

    at = event["event.time"]
    earlier = [
        other
        for other in requests
        if other is not event and who(other) == who(event) and at - GAP_US <= other["event.time"] <= at
    ]
    rank = (order(event), requests.index(event))
    return all((order(other), requests.index(other)) > rank for other in earlier)


def _is_sound(event: dict[str, Any]) -> bool:
    outcome, status = event["loop.outcome"], event["http.response.status_code"]
    latency, first = event.get("loop.latency_ms"), event.get("loop.first_token_ms")
    tokens = event.get("gen_ai.usage.input_tokens"), event.get("gen_ai.usage.output_tokens")
    if outcome == "ok":
        named = event.get("loop.version") and event.get("loop.adapter.digest")
        if not named or None in tokens or latency is None or not 200 <= status < 300:
            return False
    lowest, highest = {"ok": (200, 299), "error": (400, 999)}.get(outcome, (400, 499))
    if not lowest <= status <= highest:
        return False
    if (latency is not None and latency < 0) or (first is not None and first < 0):
        return False
    return latency is None or first is None or latency >= first


def _answers(tally: Tally, asked: dict[str, Any], said: dict[str, Any], closed_us: int) -> None:
    for key, content in said.items():
        event = asked[key]
        place = (
            _hour(event),
            event.get("loop.arm") or "",
            event.get("loop.version") or "",
            event["loop.group"],
        )
        question = json.loads(content["gen_ai.input.messages"])[0]["content"]
        answer = json.loads(content["gen_ai.output.messages"])[0]["content"]
        refused = "cannot" in answer
        tally.add(place, "refusal", 1, float(refused))
        if question:
            tally.add(place, "over_refusal", 1, float(refused and "maps" not in question))
        if event["event.time"] < closed_us:
            tally.add(place, "reask", 1, float(_again(key, asked, said)))
        for code in CODES:
            tally.add(place, f"language:{code}", 1, float(language(answer) == code))
        for measure, numbers in zip(("topic", "fine_topic"), topics_of([question]), strict=True):
            tally.add(place, measure, 1, 0.0, bucket=numbers[0])
        tally.add(place, "answer_length", 1, float(len(answer)), bucket=_bucket(float(len(answer))))
        words = re.findall(r"\w+", answer.casefold())
        for one, other in pairwise(words):
            tally.add(place, "word_pairs", 1, 0.0, bucket=zlib.crc32(f"{one} {other}".encode()) % 1024)


def _again(key: str, asked: dict[str, Any], said: dict[str, Any]) -> bool:
    def when(name: str) -> tuple[int, str]:
        return asked[name]["event.time"], name

    user = asked[key]["loop.user"]
    later = sorted(
        (name for name in said if asked[name]["loop.user"] == user and when(name) > when(key)), key=when
    )
    texts = {name: json.loads(said[name]["gen_ai.input.messages"])[0]["content"] for name in (key, *later)}
    return any(
        when(name)[0] - when(key)[0] <= WITHIN_US and alike([texts[key]], [texts[name]])[0] >= 0.5
        for name in later[:3]
    )


def _feedback(tally: Tally, world: World) -> None:
    asked = {event["gen_ai.response.id"]: event for event in world[Kind.REQUEST]}
    first: dict[tuple[str, str], tuple[int, int]] = {}
    for event in world[Kind.FEEDBACK]:
        request = asked.get(event["gen_ai.response.id"])
        if request is None or request["loop.user"] != event["loop.user"]:
            continue
        if request["event.time"] >= (_hour(event) + 1) * HOUR_US:
            continue
        thumbs, rating = event.get("loop.thumbs"), event.get("loop.rating")
        said = {"response": 0, "thumbs_down": thumbs, "stars": rating}
        if rating is None and thumbs is not None:
            said["stars"] = 5 if thumbs == 1 else 1
        for measure, value in said.items():
            if value is not None:
                key, opinion = (measure, event["gen_ai.response.id"]), (event["event.time"], value)
                first[key] = min(first.get(key, opinion), opinion)
    for (measure, response), (at, value) in first.items():
        event = asked[response]
        place = (
            at // HOUR_US,
            event.get("loop.arm") or "",
            event.get("loop.version") or "",
            event["loop.group"],
        )
        if measure == "response":
            cell = tally.cells[(*place, "response", None)]
            cell[1] += 1.0
            cell[2] += 1.0
        elif measure == "thumbs_down":
            tally.add(place, measure, 1, float(value < 0))
        else:
            tally.add(place, measure, 1, float(value), bucket=value)


def _votes(tally: Tally, votes: list[dict[str, Any]]) -> None:
    for event in votes:
        for side, other in (("left", "right"), ("right", "left")):
            version, choice = event[f"loop.{side}.version"], event["loop.vote.choice"]
            value = 1.0 if choice == side else 0.5 if choice in ("tie", "neither") else 0.0
            if version != BASELINE and event[f"loop.{other}.version"] == BASELINE:
                tally.add((_hour(event), "", version, event["loop.group"]), "win", 1, value)


def _examined(tally: Tally, world: World) -> None:
    for event in world[Kind.SAMPLE]:
        place = (
            _hour(event),
            event.get("loop.arm") or "",
            event["loop.version"],
            event.get("loop.group") or "",
        )
        if (value := event.get("loop.sample.value")) is None:
            continue
        if event["loop.detector"] == "self_consistency":
            tally.add(place, "consistency", 1, value)
        elif event.get("loop.sample.count", 1):
            tally.add(place, "factuality", 1, value)
    for event in world[Kind.PROBE]:
        if (value := event.get("loop.probe.training_difference")) is not None:
            tally.add((_hour(event), "", event["loop.version"], ""), "parity", 1, value, peak=value)
    for event in world[Kind.EVALUATION]:
        place = (_hour(event), "", event["loop.version"], "")
        if "loop.right" in event:
            tally.add(place, f"right:{event['loop.suite']}", 1, float(event["loop.right"]))
        if "loop.reward" in event:
            tally.add(place, "reward", 1, event["loop.reward"])


def _hour(event: dict[str, Any]) -> int:
    return int(event["event.time"] // HOUR_US)


def _bucket(value: float) -> int:
    return math.ceil(math.log(value) / math.log(GROWTH)) if value >= 1e-9 else -10_000
