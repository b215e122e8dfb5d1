"""A manifest is read where it is whole and speaks of these bytes; anything else counts as none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runner.registry.manifest import read

DIGEST = "a" * 64
READING = {"guard": "finite", "value": 1.0, "limit": None, "verdict": "PASS", "step": 3}
WHOLE: dict[str, Any] = {
    "format": 1,
    "digest": DIGEST,
    "recipe": {"type": "DPO"},
    "dataset": {"rows": 3, "train": 2, "held_out": 1},
    "machine": {"device": "CPU", "precision": "float32"},
    "peak_mib": {"memory": 100.0},
    "steps": 3,
    "seconds": 1.5,
    "proof": [READING],
    "guards": [],
}


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_a_whole_manifest_is_read() -> None:
    assert read(encoded(WHOLE), DIGEST) == WHOLE


@pytest.mark.parametrize("key", WHOLE)
@pytest.mark.parametrize("instead", [None, "text", [None], {"other": 1}])
def test_a_manifest_in_which_one_part_is_missing_or_another_is_none(key: str, instead: object) -> None:
    without = {name: value for name, value in WHOLE.items() if name != key}
    assert read(encoded(without), DIGEST) is None
    if (key, instead) not in (("recipe", {"other": 1}), ("peak_mib", {"other": 1})):
        assert read(encoded({**WHOLE, key: instead}), DIGEST) is None


@pytest.mark.parametrize("data", [None, b"", b"[", b"[]", b"3", b"\xff", b"[" * 100_000])
def test_what_is_no_manifest_is_none(data: bytes | None) -> None:
    assert read(data, DIGEST) is None


def test_a_manifest_of_other_bytes_is_none() -> None:
    assert read(encoded(WHOLE), "b" * 64) is None
