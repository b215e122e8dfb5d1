"""`loop calendar` on a repository: its forms, its files, and what it refuses."""

from __future__ import annotations

import json

import pytest

from runner.cli.pages import write_page
from runner.errors import TerminalError
from tests.cli.workbench import PRODUCTION, Bench, refused

AT = ("--at", "2026-11-21T12:00")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made = Bench(tmp_path_factory.mktemp("calendar"))
    made.files.set(
        *PRODUCTION,
        "freeze",
        to=[{"zone": "Asia/Seoul", "from": "friday 16:00", "to": "monday 09:00", "reason": "weekend"}],
    )
    made.write()
    return made


def test_it_tells_the_dates_of_a_moment_in_a_zone(bench):
    said = bench.loop("calendar", *AT, "--zone", "Asia/Seoul", "--rounds", "1")
    assert said.code == 0, said
    assert said.out.startswith("bookshop: Sat 2026-11-21 21:00 (Asia/Seoul)\n")
    assert "production   Fri 2026-11-20 16:00  Mon 2026-11-23 09:00  weekend" in said.out
    assert "Mon 2026-11-16 09:00" not in said.out, "that window is over"


def test_programs_get_as_many_months_as_they_ask_for(bench):
    value = json.loads(bench.loop("calendar", *AT, "--rounds", "6", "--json").out)
    assert [each["cycle"] for each in value["cycles"]] == ["monthly"] * 6 + ["quarterly"] * 3
    assert {each["environment"] for each in value["frozen"]} == {"production"}


def test_a_chart_is_printed_for_markdown(bench):
    assert bench.loop("calendar", "--mermaid").out.startswith("gantt\n    title bookshop, ")


def test_an_ics_goes_to_the_screen_or_into_a_file_with_the_same_bytes(bench, tmp_path):
    target = tmp_path / "loop.ics"
    shown = bench.loop("calendar", *AT, "--ics").out.encode()
    said = bench.loop("calendar", *AT, "--ics", str(target))
    assert said.code == 0 and f"written: {target}" in said.err, said
    assert target.read_bytes() == shown
    assert shown.count(b"\n") == shown.count(b"\r\n")
    assert [path.name for path in tmp_path.iterdir()] == ["loop.ics"]


def test_no_file_of_the_repository_is_replaced_and_no_directory(bench, tmp_path):
    before = (bench.root / "loop.yaml").read_bytes()
    path = str(bench.root / "loop.yaml")
    for asked in (("calendar", "--ics"), ("cost", "--html"), ("cost", "--svg"), ("report", "--tails")):
        refused(bench.loop(*asked, path), f"'{path}' is tracked by Git and would be replaced")
    assert (bench.root / "loop.yaml").read_bytes() == before
    refused(bench.loop("calendar", "--ics", str(tmp_path)), f"'{tmp_path}' is a directory")
    own = bench.root / ".loop" / "loop.ics"
    own.parent.mkdir(exist_ok=True)
    for _ in range(2):
        assert bench.loop("calendar", "--ics", str(own)).code == 0, "what was made is made again"


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path):
    target = tmp_path / "loop.ics"
    target.mkdir()
    with pytest.raises(TerminalError, match=r"loop\.ics cannot be written"):
        write_page(target, "BEGIN:VCALENDAR")
    assert [path.name for path in tmp_path.iterdir()] == ["loop.ics"]


@pytest.mark.parametrize("at", ["1970-01-01T00:00-14:00", "1970-01-01T00:00+14:00", "2199-12-31T23:59-14:00"])
def test_the_first_and_the_last_moment_have_a_calendar(bench, at):
    assert bench.loop("calendar", "--at", at, "--rounds", "24", "--zone", "Asia/Seoul").code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--zone", "Mars/Olympus"), "'Mars/Olympus' is no time zone"),
        (("--json", "--mermaid"), "say one of --mermaid, --ics and --json"),
        (("--ics", "no/such/folder/loop.ics"), "there is no folder"),
        (("--rounds", "0"), "0 is not in the range"),
        (("--at", "9999-12-30"), "9999-12-30 is out of range: say a moment of 1970 to 2199"),
        (("--at", "0001-01-01"), "out of range"),
    ],
)
def test_what_it_cannot_do_is_refused(bench, arguments, says):
    refused(bench.loop("calendar", *arguments), says)
