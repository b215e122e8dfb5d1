"""A repository in memory that begins as the shipped one with two versions, and is broken one thing at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from runner.errors import Diagnostic, Severity
from runner.spec.files import MemoryFiles
from runner.spec.load import Loaded, load

ROOT = Path(__file__).parents[2]
DIGESTS = {"chat-v1.0": "a" * 64, "chat-v1.1": "b" * 64}
MODEL = """\
# yaml-language-server: $schema=../schemas/model.json
name: {name}
type: {type}
base_model: bookshop-base
adapter:
  path: models/{name}
  digest: {digest}
  rank: 16
training:
  recipe: {recipe}
  dataset: {dataset}
  dataset_hash: 0123456789abcdef0123456789abcdef
  revision: 0123456789abcdef0123456789abcdef01234567
  date: 2026-11-21
"""
QUARANTINE = """\
- served: {served}
  environment: production
  at: 2026-11-21T09:30:00Z
  condition: error_rate > 5%
"""


def quarantine_text(*served: str) -> str:
    """Return a `quarantine.yaml` that holds these served names, in their order."""
    first = "# yaml-language-server: $schema=schemas/quarantine.json\nquarantined:"
    entries = "".join(QUARANTINE.format(served=name) for name in served)
    return f"{first}\n{entries}" if served else f"{first} []\n"


def shipped_texts() -> dict[str, str]:
    """Return the shipped files with models of our own in the place of the shipped ones."""
    paths = [ROOT / "loop.yaml", *ROOT.glob("policies/*.yaml"), *ROOT.glob("datasets/*.yaml")]
    texts = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(paths)}
    first = {"type": "SFT", "recipe": "sft", "dataset": "bookshop-sft"}
    second = {"type": "DPO", "recipe": "dpo", "dataset": "bookshop-preferences"}
    for name, how in (("chat-v1.0", first), ("chat-v1.1", second)):
        texts[f"models/{name}.yaml"] = MODEL.format(name=name, digest=DIGESTS[name], **how)
    return texts


class Repository:
    """The files, and what loading them says."""

    def __init__(self) -> None:
        self.texts = shipped_texts()
        self.digests = {f"models/{name}": digest for name, digest in DIGESTS.items()}
        self.set("loop.yaml", "base_model", "digest", to="c" * 64)
        self.digests["models/base"] = "c" * 64

    def set(self, path: str, *keys: str | int, to: Any) -> None:
        """Give a key of a file a value, plain YAML otherwise as it was."""
        value = yaml.safe_load(self.texts[path])
        inner = value
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = to
        self._write(path, value)

    def value(self, path: str, *keys: str | int) -> Any:
        """Return what stands at a key of a file."""
        value = yaml.safe_load(self.texts[path])
        for key in keys:
            value = value[key]
        return value

    def remove(self, path: str, *keys: str | int) -> None:
        value = yaml.safe_load(self.texts[path])
        inner = value
        for key in keys[:-1]:
            inner = inner[key]
        del inner[keys[-1]]
        self._write(path, value)

    def _write(self, path: str, value: Any) -> None:
        first = self.texts[path].partition("\n")[0]
        text = yaml.dump(value, Dumper=Plain, sort_keys=False, allow_unicode=True, width=10_000)
        self.texts[path] = f"{first}\n{text}"

    @property
    def files(self) -> MemoryFiles:
        return MemoryFiles({path: text.encode() for path, text in self.texts.items()}, self.digests)

    def load(self) -> Loaded:
        return load(self.files)

    def only(self) -> Diagnostic:
        """Return the one diagnostic that loading gives."""
        found = self.load().diagnostics
        assert len(found) == 1, "\n".join(map(str, found))
        return found[0]

    def line(self, diagnostic: Diagnostic) -> str:
        """Return the line of text that a diagnostic points at."""
        assert diagnostic.location is not None
        return self.texts[diagnostic.location.path].splitlines()[diagnostic.location.line - 1].strip()

    def refuses(
        self,
        summary: str,
        *,
        line: str,
        evidence: str = "",
        fix: str = "",
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Hold loading to one diagnostic: what it says, where it points, and what it advises."""
        found = self.only()
        assert summary in found.summary, found
        assert self.line(found).startswith(line), (self.line(found), line)
        assert evidence in "\n".join(found.evidence), found
        assert fix in (found.fix or ""), found
        assert found.severity is severity
        assert (self.load().spec is None) == (severity is Severity.ERROR)


class Plain(yaml.SafeDumper):
    """Writes dates as people do, and nothing twice by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
