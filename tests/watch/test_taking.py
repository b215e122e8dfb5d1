"""A pass measures what was logged, reads everything once, and shows figures whatever else goes on."""

from __future__ import annotations

import pytest

from runner.events.schema import Kind
from runner.report import weekly
from runner.report.weekly import Pair
from runner.signals.cube.store import Store
from runner.signals.reading import Level
from tests.watch import house as of
from tests.watch.house import BASELINE, CANDIDATE, NOW, REFUSAL, House, figures, reading

NOUNS = (
    *("atlas", "cookbook", "novel", "dictionary", "magazine", "poem", "diary", "comic", "songbook", "guide"),
    *("thriller", "memoir", "almanac", "fable", "essay", "sketchbook", "calendar", "saga", "manual", "play"),
)
QUESTIONS = tuple(f"Where would I find the {noun}?" for noun in NOUNS)
AGAIN = "Do you have gift vouchers in the shop?"
LATE = 120.0


@pytest.fixture
def logged(house: House) -> House:
    """A house with a log that can be counted by hand, all of it between an hour and five minutes old."""
    answered = house.asked(QUESTIONS, 3000)
    house.asked(QUESTIONS[:4], 2000, says=REFUSAL)
    house.asked([AGAIN, AGAIN], 1500, user="impatient")
    house.asked(QUESTIONS[:6], 1200, version=CANDIDATE)
    of.failed(house, 3, 1000)
    of.thumbs(house, answered[:6], 1, 900)
    of.thumbs(house, answered[6:8], -1, 900)
    of.thumbs(house, answered[8:], -1, 900, user="a stranger, who has no say")
    of.votes(house, 800, left=6, tie=2, right=2, neither=1)
    of.verdicts(house, BASELINE, [True] * 20, 700)
    of.verdicts(house, CANDIDATE, [False] * 3 + [True] * 17, 600)
    of.samples(house, "self_consistency", [(0.5, 5), (0.9, 5)], 500)
    of.samples(house, "factual", [(1.0, 3), (0.0, 1)], 500)
    return house


def test_every_quality_signal_is_what_counting_by_hand_gives(logged):
    found = logged.take()
    counted = {
        "error_rate": (3 / 35, 35),
        "crash_rate": (0.0, 35),
        "refusal_rate": (4 / 32, 32),
        "reask_rate": (1 / 32, 32),
        "consistency": (0.7, 2),
        "factuality": (0.5, 2),
        "satisfaction": ((6 * 5 + 2 * 1) / 8, 8),
        "thumbs_down_rate": (2 / 8, 8),
        "response_rate": (8 / 32, 32),
        "win_rate": ((6 + (2 + 1) / 2) / 11, 11),
        "forgetting": (3 / 20, 20),
        "answer_tokens": (20.0, 32),
        "data_quality": (1.0, 35),
    }
    for metric, (value, n) in counted.items():
        one = reading(found, metric)
        assert one.value == pytest.approx(value), metric
        assert one.n == n, metric


def test_each_arm_has_readings_of_its_own(logged):
    found = logged.take()
    assert reading(found, "refusal_rate", "candidate", CANDIDATE).n == 6
    assert reading(found, "refusal_rate", "baseline", BASELINE).value == pytest.approx(4 / 26)
    assert reading(found, "error_rate", "baseline", BASELINE).value == pytest.approx(3 / 29)


def test_a_second_take_reads_nothing_and_says_the_same(logged):
    first, second = logged.take(), logged.take()
    assert first.read > 0
    assert second.read == 0
    assert figures(second) == figures(first)
    assert second.histograms == first.histograms


def test_the_same_process_reads_nothing_twice_either(logged):
    watch = logged.watch()
    first = watch.take(NOW)
    second = watch.take(NOW)
    assert (first.read > 0, second.read) == (True, 0)
    assert figures(second) == figures(first)


def test_late_events_are_counted(logged):
    assert reading(logged.take(), "error_rate").n == 35
    of.failed(logged, 2, 2500)
    late = logged.asked([QUESTIONS[0]], 2400)
    of.thumbs(logged, late, -1, 100)
    found = logged.take()
    assert reading(found, "error_rate").value == pytest.approx(5 / 38)
    assert reading(found, "thumbs_down_rate").value == pytest.approx(3 / 9)
    assert reading(found, "response_rate").n == 33


def test_a_compaction_between_two_takes_changes_nothing(logged):
    before = logged.take()
    logged.compact()
    after = logged.take()
    assert after.read == 0
    assert figures(after) == figures(before)


def test_what_was_compacted_before_anything_was_measured_counts_the_same(logged, tmp_path_factory):
    before = logged.take()
    logged.compact()
    anew = House(tmp_path_factory.mktemp("anew"))
    logged.home.rename(anew.root / "kept")
    (anew.root / ".loop").mkdir()
    (anew.root / "kept").rename(anew.home)
    _forget(anew)
    assert figures(anew.take()) == figures(before)


def test_while_another_process_measures_the_figures_of_before_are_shown(logged):
    before = logged.take()
    of.failed(logged, 5, 400)
    with Store(logged.state / "cube").writing():
        meanwhile = logged.take()
    assert meanwhile.read == 0
    assert figures(meanwhile) == figures(before)
    assert any("measured by somebody else" in text for text in logged.said)
    assert reading(logged.take(), "error_rate").n == 40


def test_without_a_log_everything_is_unmeasured_and_nothing_is_counted(house):
    found = house.take()
    assert {one.level for one in found.readings} == {Level.UNMEASURED}
    assert (found.read, found.histograms, found.drift) == (0, (), None)
    assert not (house.state / "cube").exists()


def test_an_empty_folder_of_events_is_as_good_as_none(house):
    (house.home / "events").mkdir(parents=True)
    found = house.take()
    assert {one.level for one in found.readings} == {Level.UNMEASURED}


def test_a_damaged_line_costs_only_itself(logged):
    before = logged.take()
    broken = logged.home / "events" / f"request-{of.at(-5)}-4194998.jsonl"
    broken.write_bytes(b'{"event.id": "half\n\xff\xfe\n[]\n')
    assert figures(logged.take()) == figures(before)


def test_an_event_that_was_written_twice_counts_once(logged):
    before = logged.take()
    for path in list((logged.home / "events").glob("*.jsonl")):
        kind, _, number = path.stem.rpartition("-")
        path.with_name(f"{kind}-{int(number) - 1}.jsonl").write_bytes(path.read_bytes())
    assert figures(logged.take()) == figures(before)


@pytest.mark.parametrize("window", [3600.0, 30 * 86_400.0])
def test_one_window_for_all_is_each_signals_window(logged, window):
    found = logged.watch().take(NOW, window)
    assert {one.window for one in found.readings} == {window}
    assert reading(found, "error_rate").n == 35


def test_with_time_what_is_older_than_its_window_counts_no_more(logged):
    logged.take()
    tomorrow = logged.take(NOW + 86_400)
    assert reading(tomorrow, "error_rate").n == 0
    assert reading(tomorrow, "satisfaction").n == 8
    assert reading(logged.take(NOW + 40 * 86_400), "satisfaction").value is None


def test_the_material_of_a_report_has_signs_raters_and_tails(logged):
    found = logged.watch().material(NOW, 7 * 86_400.0)
    assert (found.raters.users, found.raters.most) == (8, 1 / 8)
    assert found.window == 7 * 86_400.0
    assert found.signs, "a candidate is compared with the baseline"
    assert found.pair == Pair(CANDIDATE, BASELINE)
    titles = [each.title for each in weekly.sections(found)]
    assert f"Candidate beside baseline: {CANDIDATE} beside {BASELINE}" in titles
    assert f"Reward collapse: {CANDIDATE} beside {BASELINE}" in titles
    assert {tails.metric for tails in found.tails} == {"prompt_tokens", "answer_tokens"}


def test_the_material_without_a_log_is_there_all_the_same(house):
    found = house.watch().material(NOW, 86_400.0)
    assert (found.pair, found.signs, found.tails) == (None, (), ())


def test_a_change_of_the_policy_measures_anew(logged):
    before = reading(logged.take(), "refusal_rate")
    detector = {"kind": "refusal", "threshold": 0.5, "keywords": ["third shelf"]}
    logged.files.set("policies/signals.yaml", "signals", "refusal_rate", "detector", to=detector)
    logged.files.set("policies/signals.yaml", "signals", "over_refusal_rate", "detector", to=detector)
    after = reading(logged.take(), "refusal_rate")
    assert (before.value, after.value) == (pytest.approx(4 / 32), 1.0)


def test_kinds_are_logged_as_the_schema_has_them(logged):
    kinds = {path.name.partition("-")[0] for path in (logged.home / "events").iterdir()}
    assert kinds == {
        kind.value
        for kind in (
            *(Kind.REQUEST, Kind.CONTENT, Kind.FEEDBACK, Kind.VOTE),
            *(Kind.SAMPLE, Kind.EVALUATION),
        )
    }


def _forget(house: House) -> None:
    import shutil

    shutil.rmtree(house.state)


def test_a_goal_has_its_last_weeks_with_intervals_and_no_data_before_the_log(logged):
    watch = logged.watch()
    found = watch.material(NOW, 7 * 86_400.0).weeks
    assert set(found) == {kpi.metric for kpi in watch.policy.kpis.values()}
    *before, last = found["satisfaction"]
    assert {week.found.value for week in before} == {None}
    assert last.found.value == pytest.approx(reading(logged.take(), "satisfaction").value)
    assert last.found.low is not None and last.found.n == 8
    assert [round(later.at - week.at) for week, later in zip(before, [*before[1:], last], strict=True)] == [
        7 * 86_400
    ] * len(before)
