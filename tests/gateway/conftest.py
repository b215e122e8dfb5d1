from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.stub_engine import RunningStub, stub_engine
from tests.gateway.running import SERVED, RunningGateway, gateway, table


@pytest.fixture
def engine() -> Iterator[RunningStub]:
    with stub_engine(adapters=SERVED) as running:
        yield running


@pytest.fixture
def served(engine: RunningStub, tmp_path: Path) -> Iterator[RunningGateway]:
    """A gateway with one replica and the baseline alone."""
    with gateway(tmp_path) as running:
        assert running.put(table(engine.url)).status_code == 200
        yield running
