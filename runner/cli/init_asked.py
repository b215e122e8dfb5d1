"""What `loop init` is asked for: the options, what a person at the terminal answers, and what has to be there."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import click

from runner.errors import terminal


@dataclass(frozen=True, slots=True)
class Asked:
    """The options, as they were given or answered; None and empty where nothing was said."""

    directory: Path
    name: str | None
    base_model: str | None
    served_as: str | None
    engine: tuple[str, ...]
    gateway: str | None
    git_host: str
    repository: str | None
    remote: str | None
    dvc_remote: str | None
    adapter: Path | None


def answered(asked: Asked, *, engine_open: bool, host_open: bool) -> Asked:
    """Return the options with what a person at the terminal said for those that are missing."""

    def ask(given: str | None, question: str, default: str | None = None) -> str | None:
        return given if given is not None else click.prompt(question, default=default)

    name = ask(asked.name, "Name of the repository", _suggested(asked.directory))
    base = ask(asked.base_model, "Base model (OWNER/NAME of the hub, or a folder)")
    engine = asked.engine
    if engine_open:
        said = click.prompt("vLLM servers of production, by blanks (empty: start one here)", default="")
        engine = tuple(said.split())
    repository, host = asked.repository, asked.git_host
    if host_open:
        repository = click.prompt("Repository on GitHub as OWNER/NAME (empty: none)", default="") or None
        host = "github" if repository else "none"
    elif host == "github":
        repository = ask(repository, "Repository on GitHub as OWNER/NAME")
    return replace(asked, name=name, base_model=base, engine=engine, git_host=host, repository=repository)


def _suggested(directory: Path) -> str | None:
    """Return the folder's name, as far as it can be a repository's."""
    return re.sub(r"[^a-z0-9._-]+", "-", directory.resolve().name.lower()).strip("-._") or None


def demand_given(asked: Asked) -> None:
    """Raise TerminalError naming all options that are needed and missing."""
    needed = {"--name": asked.name, "--base-model": asked.base_model}
    if asked.git_host == "github":
        needed["--repository"] = asked.repository
    if missing := [option for option, value in needed.items() if not value]:
        raise terminal(
            f"{', '.join(missing)} must be given: there is no terminal to ask on",
            fix="for example: `loop init shop --name shop --base-model Qwen/Qwen2.5-0.5B-Instruct`",
        )
