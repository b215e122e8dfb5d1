"""Whether DVC's remote has what is tracked: asked of DVC itself, and never taken for granted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runner.data.cloud import lacking
from runner.errors import Unknown
from tests.promotion.shop import NEW, Shop

PATH = f"models/{NEW}"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "repo")


def test_what_the_remote_has_is_not_lacking_even_where_no_cache_has_it(shop: Shop) -> None:
    assert lacking(shop.root, PATH) == ()


def test_what_neither_side_has_is_lacking_though_dvc_calls_that_in_sync(shop: Shop) -> None:
    shutil.rmtree(shop.root.parent / "store")
    assert lacking(shop.root, PATH) == (f"{PATH}: neither here nor there",)


def test_where_there_is_no_remote_or_no_answer_it_is_unknown(shop: Shop) -> None:
    late = lacking(shop.root, PATH, seconds=0.01)
    assert isinstance(late, Unknown) and "did not end within" in late.reason
    (shop.root / ".dvc" / "config").write_text("")
    assert isinstance(lacking(shop.root, PATH), Unknown)
