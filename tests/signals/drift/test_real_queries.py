"""On dated queries of January 2020 nothing is found in the quiet first week, and the outbreak is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.signals import drift

DATA = Path(os.environ.get("LOOP_REAL_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data")
FOLDER = DATA / "bing_covid_queries"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the labelled data are not at {DATA}")


def test_the_quiet_week_raises_no_alarm_the_outbreak_does_and_the_bare_rule_fires_at_once() -> None:
    found = drift.bing(FOLDER)
    assert found["bing_quiet_alarms"] == 0
    assert 8 <= found["bing_first_alarm"] < 20 and 17 <= found["bing_first_alarm_second"] <= 20
    assert found["bare_kl_bing_first_alarm"] <= 7
