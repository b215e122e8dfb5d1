"""Houses to measure: empty ones, and ones whose detectors are fitted to the bookshop's reference set."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.spec.repository import ROOT
from tests.watch.house import REFERENCE, House


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house without a reference set and without events."""
    return House(tmp_path)


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of a house after the first measuring, whose fitting takes seconds."""
    if not (ROOT / REFERENCE).exists():
        pytest.skip(f"{REFERENCE} is not here: `dvc pull {REFERENCE}`")
    made = House(tmp_path_factory.mktemp("fitted"))
    made.refer_to()
    made.take()
    assert any("fitting" in text for text in made.said), "the first measuring says what takes so long"
    return made.state


@pytest.fixture
def bookshop(tmp_path: Path, fitted: Path) -> House:
    """A house with the bookshop's reference set, fitted to it."""
    made = House(tmp_path)
    made.refer_to()
    made.state.mkdir(parents=True)
    for file in fitted.iterdir():
        if file.is_file():
            shutil.copy(file, made.state)
    return made
