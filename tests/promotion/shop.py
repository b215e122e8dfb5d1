"""A repository with a remote, whose main has chat-v1.0; chat-v1.1 is registered here and passed its gates."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from runner import digest
from runner.data.hashes import HashCache
from runner.evaluation.gates import alpha_of, decide
from runner.evaluation.results import Against, Measured, Report, Row, SuiteResult, worst
from runner.spec.condition import Comparison, Constant, Operator
from runner.spec.evaluation import SuiteKind
from runner.spec.load import Spec
from runner.spec.model import GateVerdict
from tests.cli.workbench import Bench, Said

HEAD = "# yaml-language-server: $schema=../schemas/model.json\n"
OLD, NEW = "chat-v1.0", "chat-v1.1"
PING = "call @everyone, fixes #12 ``` ~~~ <script> | [x](y)"
"""What nobody must be able to have a pull request do."""


def rows(number: int = 40, said: str = "") -> tuple[Row, ...]:
    """Answers of which every seventh is right for the parent only, and every fifth for the version only."""
    return tuple(
        Row(f"q{n}", f"question {n} {said}", f"new {n} {said}", f"old {n} {said}", n % 7 != 0, n % 5 != 0)
        for n in range(number)
    )


def report_of(
    spec: Spec,
    bytes_: str,
    name: str = NEW,
    against: str = OLD,
    verdicts: Mapping[str, GateVerdict] | None = None,
    answers: tuple[Row, ...] = rows(),
) -> Report:
    """Return an evaluation whose figures have every gate pass, but for those in `verdicts`."""
    said = verdicts or {}
    policy = spec.policies.evaluation
    figures: dict[str, list[Measured]] = {suite: [] for suite in policy.suites}
    for name_, gate in policy.gates.items():
        for leaf in gate.require.comparisons():
            figures[gate.suite].append(measured(leaf, said.get(name_, GateVerdict.PASS)))
    suites = tuple(
        SuiteResult(
            suite,
            each.kind,
            tuple(figures[suite]),
            tuple(Measured(each.metric, 0.94, 0.91, 0.96, 200) for each in figures[suite]),
            answers if each.kind is SuiteKind.REGRESSION else (),
            3.0,
            alpha_of(policy, suite),
        )
        for suite, each in policy.suites.items()
    )
    gates = decide(policy, suites)
    asked = [each.dataset for each in policy.suites.values() if each.dataset is not None]
    return Report(
        name,
        bytes_,
        Against(against, spec.models[against].adapter.digest if against in spec.models else ""),
        "bookshop-base",
        "staging",
        "0.11.0",
        {each: spec.datasets[each].hash or "" for each in asked},
        "0" * 40,
        "2026-11-21",
        12.0,
        suites,
        gates,
        worst(each.verdict for each in gates),
    )


def measured(leaf: Comparison, verdict: GateVerdict) -> Measured:
    """Return a figure with which a comparison with a constant ends so."""
    assert isinstance(leaf.bound, Constant)
    bound, up = leaf.bound.value, leaf.operator in (Operator.GREATER, Operator.AT_LEAST)
    if up and verdict is GateVerdict.PASS:
        return Measured(leaf.metric, 0.95, 0.92, 0.97, 200)
    above, below = (1.01 * bound, 1.02 * bound), (0.98 * bound, 0.99 * bound)
    low, high = {
        GateVerdict.PASS: above if up else below,
        GateVerdict.FAIL: below if up else above,
        GateVerdict.INCONCLUSIVE: (below[0], above[1]),
    }[verdict]
    return Measured(leaf.metric, (low + high) / 2, low, high, 200)


class Shop:
    """The repository at `root`, its remote, and a clone in which another person works."""

    def __init__(self, root: Path) -> None:
        self.bench = Bench(root)
        self.root, self.bare, self.person = root, root.with_name("bare.git"), root.with_name("person")
        files = self.bench.files
        del files.texts[f"models/{NEW}.yaml"]
        files.set("loop.yaml", "git", to={"remote": "origin", "branch": "main"})
        files.set("loop.yaml", "environments", "production", "promote_after", to=AFTER)
        (root / ".dvc").mkdir()
        (root / ".dvc" / "config").write_text(
            "[core]\n    remote = s\n['remote \"s\"']\n    url = ../../store\n"
        )
        self.bench.commit("one version")
        run(root.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(self.bare))
        run(root, "remote", "add", "origin", str(self.bare))
        run(root, "push", "--quiet", "origin", "main")
        self.register(NEW)

    def register(self, name: str, parent: str = OLD) -> None:
        """Register a version in the working tree, its weights tracked by DVC and pushed, every gate passed."""
        folder = self.root / "models" / name
        if not folder.exists():
            shutil.copytree(self.root / "adapters" / NEW, folder)
            (folder / "probe.json").write_text(json.dumps({"made_for": name}))
        bytes_ = digest.of_directory(folder)
        hash_ = HashCache(self.root / ".loop" / "none.json").dvc_hash(folder)
        assert hash_ is not None
        pointer = {"outs": [{"md5": hash_, "hash": "md5", "path": name}]}
        (self.root / "models" / f"{name}.dvc").write_text(yaml.safe_dump(pointer))
        self._store(folder, hash_)
        value = yaml.safe_load(self.bench.files.texts[f"models/{OLD}.yaml"])
        value |= {"name": name, "type": "DPO", "parent": parent}
        value["adapter"] |= {"path": f"models/{name}", "digest": bytes_}
        value["training"] |= {"recipe": "dpo", "dataset": "bookshop-preferences"}
        self.write(f"models/{name}.yaml", HEAD + yaml.safe_dump(value, sort_keys=False))
        self.evaluate(name, against=parent)

    def evaluate(self, name: str = NEW, **how: Any) -> None:
        """Give a version an evaluation, as `report_of` makes it."""
        spec = self.bench_spec()
        report = report_of(spec, how.pop("bytes_", spec.models[name].adapter.digest), name, **how)
        path = f"models/reports/{name}/evaluation.json"
        self.write(path, json.dumps(report.to_json()))
        gates = {each.gate: each.verdict.value for each in report.gates}
        self.model(
            name, evaluation={"report": path, "metrics": {"regression_accuracy": 0.95}, "gates": gates}
        )

    def model(self, name: str = NEW, **changes: Any) -> None:
        """Change keys of a version's file in the working tree; None takes one out."""
        path = self.root / "models" / f"{name}.yaml"
        value = {**yaml.safe_load(path.read_text()), **changes}
        kept = {key: each for key, each in value.items() if each is not None}
        self.write(f"models/{name}.yaml", HEAD + yaml.safe_dump(kept, sort_keys=False))

    def bench_spec(self) -> Spec:
        """Return the spec of the working tree."""
        from runner.spec.files import DirectoryFiles
        from runner.spec.load import load_or_raise

        return load_or_raise(DirectoryFiles(self.root))

    def write(self, path: str, text: str) -> None:
        """Write a file of the working tree."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def loop(self, *arguments: str) -> Said:
        """Run a command here."""
        return self.bench.loop(*arguments)

    def merge(self, branch: str, at: str | None = None) -> str:
        """Merge a branch of the remote as a person does, at a moment; returns the commit."""
        self._clone()
        run(self.person, "merge", "--quiet", "--no-ff", "--no-edit", f"origin/{branch}", at=at)
        return self._push()

    def edit(self, path: str, text: str, message: str = "an edit", at: str | None = None) -> str:
        """Write a file on main as a person does; returns the commit."""
        self._clone()
        target = self.person / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        run(self.person, "add", "--all")
        run(self.person, "commit", "--quiet", f"--message={message}", at=at)
        return self._push()

    def change(self, message: str = "an edit", at: str | None = None, **keys: Any) -> str:
        """Change keys of an environment on main: `staging={...}`; None takes one out."""
        value = yaml.safe_load(self.at("main", "loop.yaml"))
        for environment, changes in keys.items():
            declared = {**value["environments"][environment], **changes}
            value["environments"][environment] = {k: v for k, v in declared.items() if v is not None}
        head = self.at("main", "loop.yaml").partition("\n")[0]
        return self.edit("loop.yaml", f"{head}\n{yaml.safe_dump(value, sort_keys=False)}", message, at)

    def at(self, branch: str, path: str) -> str:
        """Return a file of the remote."""
        return run(self.bare, "show", f"{branch}:{path}")

    def declared(self, branch: str, environment: str = "staging") -> dict[str, Any]:
        """Return an environment as a branch of the remote declares it."""
        found: dict[str, Any] = yaml.safe_load(self.at(branch, "loop.yaml"))["environments"][environment]
        return found

    def branches(self) -> list[str]:
        """Return the branches of the remote."""
        return run(self.bare, "for-each-ref", "--format=%(refname:strip=2)", "refs/heads").split()

    def served(self, name: str = NEW) -> str:
        """Return the immutable name of a version's bytes."""
        return digest.served_name(name, digest.of_directory(self.root / "models" / name))

    def _clone(self) -> None:
        if not self.person.exists():
            run(self.root.parent, "clone", "--quiet", str(self.bare), str(self.person))
        run(self.person, "pull", "--quiet", "origin", "main")
        run(self.person, "fetch", "--quiet", "--prune", "origin")

    def _push(self) -> str:
        run(self.person, "push", "--quiet", "origin", "main")
        return run(self.person, "rev-parse", "HEAD").strip()

    def _store(self, folder: Path, hash_: str) -> None:
        """Put the objects of a folder into DVC's remote, as `dvc push` does."""
        listed = [
            {"md5": _md5(path), "relpath": path.relative_to(folder).as_posix()}
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]
        objects = {each["md5"]: (folder / each["relpath"]).read_bytes() for each in listed}
        objects[hash_] = json.dumps(listed).encode()
        for name, content in objects.items():
            target = self.root.parent / "store" / "files" / "md5" / name[:2] / name[2:]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


AFTER = {"environment": "staging", "soak": "24h", "gates": ["facts-right", "outside-refused"]}


def run(folder: Path, *arguments: str, at: str | None = None) -> str:
    """Run git as a person, at a moment where one is given."""
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for name in ("AUTHOR", "COMMITTER"):
        environ |= {f"GIT_{name}_NAME": "Ada", f"GIT_{name}_EMAIL": "ada@example.com"}
        environ |= {f"GIT_{name}_DATE": at} if at else {}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
