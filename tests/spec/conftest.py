"""Fixtures of these tests."""

from __future__ import annotations

import pytest

from tests.spec.repository import Repository


@pytest.fixture
def repository() -> Repository:
    """The shipped files in memory, sound until a test breaks them."""
    return Repository()
