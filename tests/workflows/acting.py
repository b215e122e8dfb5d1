"""Workflows run by act on this host, without containers, in a repository that a job could have checked out.

Real: act, every `run` step, `loop`, DVC, Git. Stand-ins: the third-party actions, which cannot be fetched here, and
what a test names as too heavy for it (`Shop.double`). Each run has a checkout of its own, and leaves nothing behind
but what it pushes, uploads or writes beside it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.docs.scratch import LOOP, ROOT
from tests.waiting import PATIENCE_S
from tests.workflows.github import REPOSITORY, TOKEN

ACT = Path(sys.executable).parent / "act"
CONTENT = (
    *(".ci", ".dvc", ".github", ".gitignore", "datasets", "dvc.lock", "dvc.yaml", "loop.yaml", "models"),
    *("policies", "pyproject.toml", "requirements", "store"),
)
MACHINERY = (".github", "requirements", "pyproject.toml")
"""What a workflow itself needs of a repository."""
FINGERPRINT = "sha256sum $group requirements/overrides.txt pyproject.toml | sha256sum | cut -c1-16"
"""As requirements/install.sh has it."""
PLATFORMS = ("ubuntu-24.04", "ubuntu-latest")
STAND_INS = {
    "actions/checkout": 'cp -a "{root}/." . && git checkout --quiet --detach',
    "actions/setup-python": "true",
    "actions/cache": "true",
    "actions/upload-artifact": 'mkdir -p "{artifacts}" && cp -r $(echo "${{{{ inputs.path }}}}") "{artifacts}/"',
    "actions/download-artifact": 'cp -r "{artifacts}/plan" "${{{{ inputs.path }}}}"',
}
Step = tuple[str, str, str]
"""Workflow, job, step."""
PROVEN: set[Step] = set()
"""The `run` steps that some test of this process has seen succeed or fail by itself: skipped ones do not count."""


@dataclass(frozen=True)
class Ran:
    """How a run of a workflow ended."""

    code: int
    steps: Mapping[tuple[str, str], str]
    """(job, step) -> success, failure; a step that was left out is not here."""
    said: str
    summary: str
    """What the run shows on its page."""

    def holds(self) -> Ran:
        """Demand that it succeeded."""
        assert self.code == 0, self.said
        return self


class Shop:
    """A repository at `root` with an environment that is installed; what runs leave is beside it."""

    def __init__(self, root: Path, *content: str) -> None:
        """Fill a new repository at `root` with parts of this checkout; one that is there gets them beside its own."""
        self.root, self.beside = root, root.parent
        self.artifacts = self.beside / "artifacts"
        (self.beside / "gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.com\n")
        self.environ = {
            **{key: os.environ[key] for key in ("LANG", "TMPDIR") if key in os.environ},
            "PATH": os.environ["PATH"],
            "HOME": str(self.beside),
            "PYTHONPATH": str(ROOT),
            "XDG_CACHE_HOME": str(self.beside / "cache"),
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.beside / "dvc"),
            "GIT_CONFIG_GLOBAL": str(self.beside / "gitconfig"),
            "GIT_CONFIG_SYSTEM": os.devnull,
        }
        self.job_environ: dict[str, str] = {}
        self.patience_s = PATIENCE_S
        fresh = not (root / ".git").exists()
        self._copy(content or CONTENT)
        if fresh:
            self.git("init", "--quiet", "--initial-branch=main")
            self.commit("as it is now")
        else:
            (root / ".git/info/exclude").write_text("".join(f"/{name}\n" for name in content))
        self._install()

    def git(self, *arguments: str) -> str:
        """Run git, which has to succeed."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env=self.environ, check=True, capture_output=True, text=True
        )
        return done.stdout

    def commit(self, message: str) -> None:
        """Commit everything that differs."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def edit(self, path: str, old: str, new: str) -> None:
        """Change a file that has `old`."""
        file = self.root / path
        text = file.read_text()
        assert old in text, path
        file.write_text(text.replace(old, new))

    def double(self, command: str, script: str) -> None:
        """Have a shell script stand in for a subcommand of `loop` (`train`, `data curate`), or for `dvc`."""
        file = self.beside / "doubles" / command.replace(" ", "-")
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\nset -eu\n{script}\n")
        file.chmod(0o755)

    def calls(self) -> list[str]:
        """Return every command line of `loop` and `dvc` so far, and forget them."""
        file = self.beside / "calls"
        found = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return found

    def act(
        self, event: str, workflow: str, payload: Mapping[str, Any], address: str = "", **variables: str
    ) -> Ran:
        """Run one workflow to its end; `address` stands for GitHub, `variables` are the repository's.

        What is set in `job_environ` every step has, too.
        """
        file = self.beside / "event.json"
        file.write_text(json.dumps({"repository": {"full_name": REPOSITORY}, **payload}))
        env = {"GITHUB_REPOSITORY": REPOSITORY, "NO_COLOR": "1"}
        env |= {"GITHUB_API_URL": address, "GITHUB_SERVER_URL": address} if address else {}
        env |= self.job_environ
        done = subprocess.run(
            [
                *(str(ACT), event, "--workflows", f".github/workflows/{workflow}", "--eventpath", str(file)),
                *(f"--platform={name}=-self-hosted" for name in PLATFORMS),
                *(
                    "--no-cache-server",
                    "--pull=false",
                    "--use-gitignore=false",
                    "--defaultbranch=main",
                    "--json",
                ),
                *(f"--env={name}={value}" for name, value in env.items()),
                *(f"--var={name}={value}" for name, value in variables.items()),
                *(f"--secret=GITHUB_TOKEN={TOKEN}", *self._stand_ins(workflow)),
            ],
            cwd=self.root,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=self.patience_s,
            check=False,
        )
        ran = _ran(done)
        PROVEN.update((workflow, job, step) for job, step in ran.steps)
        return ran

    def _copy(self, content: tuple[str, ...]) -> None:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *content],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        for name in filter(None, os.fsdecode(listed.stdout).split("\0")):
            if (ROOT / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name)

    def _install(self) -> None:
        """Make an environment of three small scripts, marked as installed: a set-up in it finds nothing to do.

        It is no link and has no packages, so that nothing that runs there could alter the real one.
        """
        programs = {"loop": f"-c '{LOOP}'", "dvc": "-m dvc", "python": ""}
        folder = self.root / ".venv/bin"
        folder.mkdir(parents=True)
        for name, options in programs.items():
            (folder / name).write_text(
                _PROGRAM.format(name=name, beside=self.beside, python=sys.executable, options=options)
            )
            (folder / name).chmod(0o755)
        mark = "for group in requirements/*.txt; do name=$(basename $group .txt); "
        mark += f"{FINGERPRINT} > .venv/.installed-$name; done"
        subprocess.run(["bash", "-c", mark], cwd=self.root, check=True)

    def _stand_ins(self, workflow: str) -> list[str]:
        options = []
        for job in jobs(self.root / ".github/workflows" / workflow).values():
            for step in (each for each in job["steps"] if "uses" in each):
                action = step["uses"].partition("@")[0]
                folder = self.beside / "actions" / action
                folder.mkdir(parents=True, exist_ok=True)
                run = STAND_INS[action].format(root=self.root, artifacts=self.artifacts)
                stand_in = {
                    "name": action,
                    "description": "stands in for the real one",
                    "inputs": {name: {"default": ""} for name in step.get("with", {})},
                    "runs": {"using": "composite", "steps": [{"run": run, "shell": "bash"}]},
                }
                (folder / "action.yml").write_text(json.dumps(stand_in))
                options.append(f"--local-repository={step['uses']}={folder}")
        return options


_PROGRAM = """\
#!/bin/sh
[ {name} = python ] || echo "{name} $*" >> "{beside}/calls"
for double in "{beside}/doubles/$1-${{2:-}}" "{beside}/doubles/$1" "{beside}/doubles/{name}"; do
  [ {name} = python ] || [ ! -f "$double" ] || exec "$double" "$@"
done
exec "{python}" {options} "$@"
"""


def jobs(path: Path) -> dict[str, Any]:
    """Return the jobs of a workflow."""
    return dict(yaml.safe_load(path.read_text())["jobs"])


def declared() -> set[Step]:
    """Return every `run` step of every workflow."""
    return {
        (path.name, job, step["name"])
        for path in (ROOT / ".github/workflows").glob("*.yml")
        for job, value in jobs(path).items()
        for step in value["steps"]
        if "run" in step
    }


def _ran(done: subprocess.CompletedProcess[str]) -> Ran:
    steps, said, summary = {}, [], []
    for line in done.stdout.splitlines():
        told = json.loads(line) if line.startswith("{") else {"msg": line}
        said.append(str(told.get("msg", "")).rstrip())
        if told.get("command") == "summary":
            summary.append(told["content"])
        ended = told.get("stage") == "Main" and len(told.get("stepID", ())) == 1
        if ended and told.get("stepResult") in ("success", "failure"):
            steps[told["jobID"], told["step"]] = told["stepResult"]
    return Ran(done.returncode, steps, "\n".join([*said, done.stderr]), "".join(summary))
