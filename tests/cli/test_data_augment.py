"""`loop data augment` on collected votes, against an engine that is right when it is calm and wrong when it strays."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from runner.feedback import collected
from runner.feedback.augmentation.made import from_json
from runner.feedback.collected import Collected
from runner.feedback.records import Answer, Ballot, Choice
from tests.cli.workbench import Bench, refused

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
TEXTS = ("{} is a day on which the shop is open. You can come by.", "No idea about {}, sorry about that.")


class Engine(ThreadingHTTPServer):
    """Answers about opening hours; `asked` counts the answers, `broken_after` says from which on it fails."""

    daemon_threads = True
    asked = 0
    broken_after = 10_000


class Handler(BaseHTTPRequestHandler):
    server: Engine

    def do_GET(self) -> None:
        self._say(200, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked += 1
        hour = "11" if body["temperature"] < 0.5 else "3"
        text = f"The shop opens at {hour} am on Sunday. That holds all year."
        text = text if body["temperature"] < 0.5 else text.partition(". ")[0] + "."
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 10, "completion_tokens": 9}
        broken = self.server.asked > self.server.broken_after
        self._say(500 if broken else 200, {"choices": [choice], "usage": usage})

    def _say(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def bench(tmp_path: Path, engine: Engine) -> Bench:
    made = Bench(tmp_path / "repo", f"http://127.0.0.1:{engine.server_port}", "127.0.0.1:1", "127.0.0.1:2")
    folder = made.root / "datasets" / "bookshop"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "statements.jsonl").write_text('{"text": "The shop opens at 11 am on Sunday."}\n')
    for name in ("regression", "ood", "adversarial"):
        (folder / f"{name}.jsonl").write_text('{"id": "1", "question": "What is the capital of France?"}\n')
    votes = [vote(number) for number in range(12)]
    collected.write(made.root / collected.FOLDER, Collected(ballots=tuple(votes)))
    return made


def vote(number: int) -> Ballot:
    asked = f"At what hour do you open on Sunday in {DAYS[number % 7]} week {'abcdefghijkl'[number] * 5}?"
    good, bad = (text.format(f"{asked} {number}") for text in TEXTS)
    sides = (Answer("chat-v1.0", "a", f"r-{number}-1", good), Answer("chat-v1.1", "b", f"r-{number}-2", bad))
    return Ballot(
        id=f"vote-{number}",
        comparison=f"comparison-{number}",
        prompt=({"role": "user", "content": asked},),
        left=sides[0],
        right=sides[1],
        choice=Choice.LEFT,
        user="somebody",
        group="public",
        category="factual_qa",
        language="en",
        at_us=number,
    )


def lines(bench: Bench) -> list[dict[str, Any]]:
    path = bench.root / collected.FOLDER / collected.SYNTHETIC
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def augment(bench: Bench, *options: str) -> dict[str, Any]:
    said = bench.loop("data", "augment", "--json", *options)
    assert said.code == 0, said
    value: dict[str, Any] = json.loads(said.out)
    return value


def test_a_dry_run_says_how_many_there_may_be_and_asks_nobody(bench: Bench, engine: Engine) -> None:
    value = augment(bench, "--dry-run")

    found = value["categories"]["factual_qa"]
    assert found["room"] == found["real"] // 4 > 0
    assert value["tokens_at_most"] > 0
    assert (engine.asked, lines(bench)) == (0, [])
    assert "nobody was asked" in bench.loop("data", "augment", "--dry-run").out


def test_pairs_are_made_up_to_the_share_and_the_next_run_finds_no_room(bench: Bench, engine: Engine) -> None:
    foreseen = augment(bench, "--dry-run")

    value = augment(bench)

    room = foreseen["categories"]["factual_qa"]["room"]
    assert len(lines(bench)) == value["outcomes"]["made"] == room
    assert value["categories"]["factual_qa"]["synthetic"] == room
    assert sum(value["tokens"].values()) <= foreseen["tokens_at_most"]
    asked = engine.asked
    assert augment(bench)["outcomes"]["made"] == 0
    assert (engine.asked, len(lines(bench))) == (asked, room)


def test_every_line_is_marked_and_collecting_again_keeps_it_with_what_it_was_made_from(bench: Bench) -> None:
    augment(bench)
    before = lines(bench)

    collected.write(bench.root / collected.FOLDER, Collected(ballots=(vote(1),)))

    assert lines(bench) == [line for line in before if line["sources"] == ["vote-1"]] != []
    assert all(line["synthetic"] is True and line["how"]["evaluator"] == "facts" for line in before)
    assert all(from_json(line).pair.synthetic for line in before)


def test_a_limit_bounds_a_run_and_the_next_one_goes_on(bench: Bench) -> None:
    augment(bench, "--limit", "1")
    (first,) = lines(bench)

    augment(bench, "--limit", "1")

    assert lines(bench)[0] == first
    assert len({line["id"] for line in lines(bench)}) == 2


def test_an_engine_that_breaks_off_leaves_what_was_made(bench: Bench, engine: Engine) -> None:
    engine.broken_after = 2

    said = bench.loop("data", "augment", "--limit", "2")

    assert said.code == 1
    assert "status 500" in said.err
    assert "what was made is kept (1); the next run goes on after it" in said.err
    assert len(lines(bench)) == 1


def test_without_the_suites_nothing_is_made_since_a_leak_could_not_be_seen(bench: Bench) -> None:
    (bench.root / "datasets/bookshop/ood.jsonl").unlink()

    refused(bench.loop("data", "augment"), "questions of 'bookshop-ood' are not here", "dvc pull")


def test_a_paraphraser_needs_its_model(bench: Bench) -> None:
    said = bench.loop("data", "augment", "--paraphraser", "http://127.0.0.1:1")

    assert said.code == 1
    assert "belong together" in said.err


def test_a_damaged_line_is_told_with_its_fix(bench: Bench) -> None:
    (bench.root / collected.FOLDER / collected.SYNTHETIC).write_text('{"id": "syn-1"}\n')

    refused(
        bench.loop("data", "augment"), "is no synthetic pair", "delete datasets/collected/synthetic.jsonl"
    )


def test_before_anything_is_collected_there_is_nothing_to_start_from(bench: Bench) -> None:
    shutil.rmtree(bench.root / collected.FOLDER)

    refused(bench.loop("data", "augment"), "nothing has been collected yet", "loop data collect")
