"""Lineage: the tree stands on the base model, every version is in it once, and relations are told in words."""

from __future__ import annotations

import random

import pytest

from runner.registry.lineage import Node, ancestors, related, tree
from runner.spec.model import ModelFile

BASE = "bookshop-base"
PARENTS = {
    "chat-v1.0": None,
    "chat-v1.1": "chat-v1.0",
    "chat-v1.2": "chat-v1.1",
    "chat-v1.10": "chat-v1.1",
    "other-v1.0": None,
}


def model(name: str, parent: str | None) -> ModelFile:
    training = {
        "recipe": "dpo",
        "dataset": "pairs",
        "dataset_hash": "0",
        "revision": "0" * 40,
        "date": "2026-11-21",
    }
    return ModelFile.model_validate(
        {
            **{"name": name, "type": "DPO", "base_model": BASE, "parent": parent, "training": training},
            "adapter": {"path": f"models/{name}", "digest": "a" * 64, "rank": 8},
        }
    )


MODELS = {name: model(name, parent) for name, parent in PARENTS.items()}


def test_the_tree_shows_each_version_below_its_parent_oldest_first() -> None:
    assert tree(MODELS, BASE) == (
        Node(BASE, 0),
        Node("chat-v1.0", 1),
        Node("chat-v1.1", 2),
        Node("chat-v1.2", 3),
        Node("chat-v1.10", 3),
        Node("other-v1.0", 1),
    )


@pytest.mark.parametrize("seed", range(30))
def test_every_version_of_a_random_history_is_in_the_tree_once_as_deep_as_it_has_ancestors(seed: int) -> None:
    rng = random.Random(seed)
    names = [f"chat-v{rng.randrange(3)}.{number}" for number in range(20)]
    models = {
        name: model(name, rng.choice(names[:at]) if at and rng.random() < 0.8 else None)
        for at, name in enumerate(names)
    }
    (root, *nodes) = tree(models, BASE)
    assert root == Node(BASE, 0)
    assert sorted(node.name for node in nodes) == sorted(models)
    assert all(node.depth == len(ancestors(models, node.name)) + 1 for node in nodes)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ("chat-v1.0", "chat-v1.0", "the same version"),
        ("chat-v1.0", "chat-v1.1", "chat-v1.0 is the parent of chat-v1.1"),
        ("chat-v1.1", "chat-v1.0", "chat-v1.0 is the parent of chat-v1.1"),
        ("chat-v1.0", "chat-v1.2", "chat-v1.2 came of chat-v1.0 in 2 steps"),
        ("chat-v1.2", "chat-v1.10", "both came of chat-v1.1"),
        ("chat-v1.2", "other-v1.0", "both came of bookshop-base"),
    ],
)
def test_how_two_versions_are_related_is_told_in_words(one: str, other: str, words: str) -> None:
    assert related(MODELS, one, other, BASE) == words
