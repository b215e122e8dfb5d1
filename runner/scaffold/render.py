"""The texts of a new repository, made from what was chosen: path -> bytes. Pure, but for reading Loop's own checkout.

A fact stands in one place: what the shipped policies say comes from them, what hangs on a choice from the templates
beside this module, schemas from the types.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import jinja2

from runner.scaffold.choices import RANK, Choices
from runner.scaffold.datasets import CATEGORIES, DATASETS
from runner.scaffold.source import POLICIES, Source
from runner.spec import schemas

_TEMPLATES = {
    "loop.yaml": "loop.yaml",
    "dvc.yaml": "dvc.yaml",
    "README.md": "README.md",
    "gitignore": ".gitignore",
    "dvcignore": ".dvcignore",
    "dvc-config": ".dvc/config",
    "dvc-gitignore": ".dvc/.gitignore",
    "requirements/loop.txt": "requirements/loop.txt",
    "requirements/install.sh": "requirements/install.sh",
    "policies/training.yaml": "policies/training.yaml",
    "policies/evaluation.yaml": "policies/evaluation.yaml",
    "policies/collection.yaml": "policies/collection.yaml",
    "policies/cost.yaml": "policies/cost.yaml",
}
"""Template -> the file that it becomes."""


def render(choices: Choices, source: Source, day: date) -> dict[str, bytes]:
    """Return every file but the adapter's and the base model's. Raises OSError where Loop's checkout lacks one."""
    return dict(_files(choices, source, day))


def _files(choices: Choices, source: Source, day: date) -> Iterator[tuple[str, bytes]]:
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("runner.scaffold"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    templates.filters["quoted"] = _quoted
    known: dict[str, Any] = {"choices": choices, "source": source, "day": day.isoformat(), "rank": RANK}

    def text(template: str, **more: object) -> bytes:
        return templates.get_template(template).render(known | more).encode()

    for template, path in _TEMPLATES.items():
        yield path, text(template)
    yield f"models/{choices.first.name}.yaml", text("model.yaml")
    for name, about in DATASETS.items():
        yield (
            f"datasets/{choices.name}-{name}.yaml",
            text("dataset.yaml", name=name, about=about, categories=CATEGORIES),
        )
        if about.empty:
            yield about.path, b""
    for policy in POLICIES:
        yield f"policies/{policy}.yaml", source.policy(policy, choices.name).encode()
    for path, schema in schemas.render().items():
        yield path, schema.encode()
    if choices.repository is not None:
        yield from source.forge_files()


def _quoted(value: str) -> str:
    """Return text as YAML takes it, whatever it holds."""
    return json.dumps(value, ensure_ascii=False)
