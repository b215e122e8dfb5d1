"""What the commands of `loop models` share: versions with their reports, places, tags and bytes.

It reads the working tree, Git's tags and the status files of runners here; it asks no system and decides nothing.
"""

from __future__ import annotations

import contextlib
import difflib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.cli.repository import in_words, read_spec
from runner.errors import LoopError, terminal

if TYPE_CHECKING:
    from runner.registry.comparison import Record
    from runner.report.models import Standing
    from runner.spec.load import Spec
    from runner.spec.model import ModelFile


class Registry:
    """The versions of a repository. What is asked of Git, DVC and reports is asked when it is needed."""

    def __init__(self, root: Path) -> None:
        """Read the working tree's spec. Raises TerminalError with everything that is wrong."""
        self.root = root
        self.spec: Spec = read_spec(root)

    def model(self, name: str) -> ModelFile:
        """Return a version's file. Raises TerminalError naming what is close, for one that is not there."""
        found = self.spec.models.get(name)
        if found is None:
            near = difflib.get_close_matches(name, self.spec.models, n=1)
            raise terminal(
                f"there is no version '{name}'",
                f"known: {', '.join(self.spec.models) or 'none'}",
                fix=f"did you mean '{near[0]}'?" if near else "train it: `loop train RECIPE`",
            )
        return found

    def record(self, name: str) -> Record:
        """Return a version with the values of its reports. Raises TerminalError for one that is not there."""
        from runner.registry.comparison import Record

        model = self.model(name)
        return Record(model, self._evaluation(model), self._manifest(model))

    def standing(self, name: str, *, full: bool = False) -> Standing:
        """Return what is known of a version; `full` asks for tags, files and the state of its bytes, too."""
        from runner.registry.places import places, quarantine_of
        from runner.report.models import Standing

        record = self.record(name)
        return Standing(
            record=record,
            places=places(self.spec, name),
            quarantined=quarantine_of(self.spec, name),
            required=tuple(self.spec.policies.evaluation.gates),
            live={where: said for where in self.spec.loop.environments if (said := self._live(where, name))},
            bytes_here=self._bytes(record.model) if full else "",
            tags=self.tags_of(name) if full else (),
            files=self._files(name) if full else (),
        )

    @cached_property
    def tags(self) -> Mapping[str, str]:
        """Every tag of the repository, and the commit that it leads to; none outside of Git."""
        from runner.git.repository import Repository

        form = "%(refname:strip=2)%00%(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)"
        with contextlib.suppress(LoopError):
            said = Repository(self.root).git.read("for-each-ref", f"--format={form}", "refs/tags")
            return dict(line.split("\0", 1) for line in said.decode(errors="replace").splitlines())
        return {}

    def tags_of(self, name: str) -> tuple[str, ...]:
        """Return the version's own tag where it is there, and those of stages that have the version now."""
        from runner.registry import tags

        try:
            own = tags.version_tag(name)
        except LoopError:
            return ()
        stages = {
            found.stage
            for text in self.tags
            if isinstance(found := tags.parse(text), tags.StageTag) and found.artifact == own.artifact
        }
        held = [
            str(tags.newest(stage, own.artifact, self.tags))
            for stage in sorted(stages)
            if tags.has_now(stage, own.artifact, self.tags) == own
        ]
        return (*([str(own)] if str(own) in self.tags else []), *held)

    def _evaluation(self, model: ModelFile) -> dict[str, Any] | None:
        """Return the values of a report of today's form; an older one is none."""
        from runner.evaluation.results import Report

        if model.evaluation is None:
            return None
        with contextlib.suppress(LoopError, OSError, ValueError, RecursionError):
            return Report.from_json(json.loads((self.root / model.evaluation.report).read_bytes())).to_json()
        return None

    def _manifest(self, model: ModelFile) -> Mapping[str, Any] | None:
        from runner.registry import manifest

        path = self._reports(model.name) / manifest.FILE
        return manifest.read(path.read_bytes() if path.is_file() else None, model.adapter.digest)

    def _reports(self, name: str) -> Path:
        return self.root / self.spec.loop.models / "reports" / name

    def _live(self, environment: str, name: str) -> str:
        """Return what the runner's last pass said of a version, empty where it said nothing."""
        from runner.cli.status import last
        from runner.report import figures

        try:
            found = last(self.root, environment)["pass"]
        except LoopError as error:
            return error.diagnostics[0].summary
        for each in found["adapters"] if found else ():
            if each["version"] == name:
                seen = f"{len(each['verified'])} of {each['replicas']} replicas have verified it"
                return f"{each['role']}, {seen}, {figures.moment(found['at'])}"
        return ""

    def _bytes(self, model: ModelFile) -> str:
        """Return in words how the weights are here, as DVC tracks them."""
        from runner.data.hashes import HashCache
        from runner.data.tracking import AsTheyStand, State, read_tracking, state_of
        from runner.git.repository import Repository

        try:
            repository = Repository(self.root)
            committed = repository.files_at(repository.head()).paths()
            here = AsTheyStand(_Present(self.root, committed), self.root)
            path = model.adapter.path
            tracked = next((each for each in read_tracking(here).outputs if each.path == path), None)
            if tracked is None and any(each.startswith(f"{path}/") for each in committed):
                return "here, in Git itself"
            if tracked is None:
                return f"not tracked by DVC: `dvc add {path}`"
            state = state_of(tracked, self.root, HashCache(self.root / ".loop/hashes.json"))
        except (LoopError, OSError) as error:
            return f"not known: {in_words(error)}"
        return {
            State.PRESENT: f"here, as {tracked.source} has them",
            State.MISSING: f"not here: `dvc pull {path}`",
            State.MODIFIED: f"other bytes than {tracked.source} has: `dvc checkout {path}`",
        }[state]

    def _files(self, name: str) -> tuple[str, ...]:
        folder = self.root / self.spec.loop.models
        found = [folder / f"{name}.yaml", folder / f"{name}.dvc", *sorted(self._reports(name).rglob("*"))]
        return tuple(path.relative_to(self.root).as_posix() for path in found if path.is_file())


class _Present:
    """The paths of a commit, and DVC's pointers beside them that are not committed yet."""

    def __init__(self, root: Path, committed: tuple[str, ...]) -> None:
        self._root = root
        fresh = {path.relative_to(root).as_posix() for path in root.glob("*/*.dvc")}
        self._paths = tuple(sorted({*committed, *fresh}))

    def paths(self) -> tuple[str, ...]:
        """Return the paths of all files."""
        return self._paths

    def read(self, path: str) -> bytes:
        """Return a file's bytes. Raises OSError."""
        return (self._root / path).read_bytes()
