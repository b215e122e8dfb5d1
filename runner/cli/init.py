"""`loop init`: a new repository for one's own model, in one command."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.init_asked import Asked, answered, demand_given
from runner.cli.repository import json_option
from runner.errors import Diagnostic, TerminalError, terminal

if TYPE_CHECKING:
    from runner.scaffold.base_model import Local, OfHub
    from runner.scaffold.choices import Base, Choices, First
    from runner.scaffold.first_version import Brought
    from runner.scaffold.place import Place
    from runner.scaffold.source import Source

ADD_SECONDS = 3600.0
MESSAGE = "{name}: the desired state begins"
NOT_YET = "0" * 64
"""Stands for a digest that is known once the bytes lie in their place."""
EXAMPLES = """\b
Examples:
  loop init shop --name shop --base-model Qwen/Qwen2.5-0.5B-Instruct
  loop init shop --name shop --base-model ~/models/qwen --dry-run        which files it would make
  loop init shop --name shop --base-model Qwen/Qwen2.5-0.5B-Instruct \\
    --engine http://10.0.0.1:8000 --git-host github --repository acme/shop

In a terminal it asks for what is missing. The first version is the base model itself, or the adapter of --adapter.
Nothing that is there is overwritten; whatever fails or is interrupted, nothing is left half made.
"""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made: everything was looked at, and nothing is there yet."""

    target: Path
    place: Place
    source: Source
    asked: Asked
    base: Base | Local
    brought: Brought | None
    notes: list[str] = field(default_factory=list)


@click.command(epilog=EXAMPLES)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--name", help="What the repository is called: small letters, digits, '.', '_' and '-'.")
@click.option(
    "--base-model", metavar="ID|PATH", help="The hub's name of the base model, or a folder with its files."
)
@click.option(
    "--served-as", metavar="NAME", help="Name under which vLLM serves it; the hub's or the folder's."
)
@click.option(
    "--engine", metavar="URL", multiple=True, help="A vLLM server of production that runs; several times."
)
@click.option(
    "--managed", is_flag=True, help="Let the runner start vLLM on its machine; so without --engine."
)
@click.option("--gateway", metavar="HOST:PORT", help="Where users call; 127.0.0.1:8080 where absent.")
@click.option("--git-host", type=click.Choice(["github", "none"]), help="Where pull requests are opened.")
@click.option("--repository", metavar="OWNER/NAME", help="The repository there.")
@click.option("--remote", metavar="URL", help="Git remote that the runner follows, as 'origin'.")
@click.option("--dvc-remote", metavar="URL|PATH", help="Where DVC keeps models and data.")
@click.option(
    "--adapter",
    type=click.Path(path_type=Path, file_okay=False),
    help="LoRA adapter that serves first; the base model as it is where absent.",
)
@click.option("--dry-run", is_flag=True, help="Say which files it would make, and make none.")
@json_option
def command(
    directory: Path,
    name: str | None,
    base_model: str | None,
    served_as: str | None,
    engine: tuple[str, ...],
    managed: bool,
    gateway: str | None,
    git_host: str | None,
    repository: str | None,
    remote: str | None,
    dvc_remote: str | None,
    adapter: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make a new repository for one's own model: loop.yaml, policies, data sets, workflows, first version."""
    if managed and engine:
        raise click.UsageError("say one of --managed and --engine")
    if git_host is None and repository is not None:
        git_host = "github"
    if git_host == "none" and repository is not None:
        raise click.UsageError("--repository is of a Git host; leave --git-host none out")
    asked = Asked(
        directory.expanduser(), name, base_model, served_as, engine, gateway, git_host or "none", repository, remote,
        dvc_remote, adapter,
    )  # fmt: skip
    if sys.stdin.isatty() and sys.stdout.isatty() and not as_json:
        asked = answered(asked, engine_open=not (managed or engine), host_open=git_host is None)
    order = _order(asked)
    _demand_free(order)
    if dry_run:
        value = {"directory": str(order.target), "files": _paths(order), "made": False}
    else:
        choices, commit = _make(order)
        value = _told(order, choices, commit)
    if as_json:
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_lines(order, value)))


def _order(asked: Asked) -> Order:
    """Return what is to be made. Raises TerminalError with what is missing or wrong; nothing is changed by then."""
    from runner.scaffold import base_model, choices, first_version, place, source

    demand_given(asked)
    choices.check(
        {
            "name": asked.name,
            "served_as": asked.served_as,
            "engine": asked.engine,
            "gateway": asked.gateway,
            "repository": asked.repository,
            "remote": asked.remote,
            "dvc_remote": asked.dvc_remote,
        }
    )
    assert asked.base_model is not None  # noqa: S101 - demanded above
    target = asked.directory.resolve()
    where, loop = place.look(target), source.running()
    brought = None if asked.adapter is None else first_version.look(asked.adapter.expanduser())
    found = base_model.look(asked.base_model, asked.served_as)
    _demand_same_base(found, brought)
    order = Order(target, where, loop, asked, _pinned(found), brought)
    order.notes.extend(_notes(order))
    return order


def _demand_same_base(found: Local | OfHub, brought: Brought | None) -> None:
    """Raise TerminalError where an adapter was trained on a base of another name; a path before the name may differ."""
    if brought is not None and not f"/{brought.base}".endswith(f"/{found.name}"):
        raise terminal(
            f"the adapter was trained on '{brought.base}', and the base model is served as '{found.name}'",
            fix=f"where that is the same model: `--served-as {brought.base.rpartition('/')[2] or brought.base}`",
        )


def _pinned(found: Local | OfHub) -> Base | Local:
    from runner.scaffold.base_model import OfHub, pinned

    return pinned(found) if isinstance(found, OfHub) else found


def _notes(order: Order) -> Iterator[str]:
    """Yield what a person has to know, beside what the files say."""
    from runner.scaffold import place
    from runner.scaffold.choices import Base

    if isinstance(order.base, Base) and order.base.unpinned:
        yield f"the base model is not pinned to a commit ({order.base.unpinned}); loop.yaml says how to pin it"
    if order.source.is_local:
        yield "requirements/loop.txt names a folder of this machine, where nobody else finds Loop: correct it"
    if not order.source.pushed:
        at = f"commit {order.source.commit[:12]}, which its remote did not have when it was last asked"
        yield f"requirements/loop.txt names {at}: push it, or nobody can install it"
    if order.place is place.Place.REPOSITORY:
        yield from _remote_notes(order)


def _remote_notes(order: Order) -> Iterator[str]:
    """Yield what of the remote is to be done in a repository that is there: its settings are its owner's."""
    import shlex

    from runner.git.begin import BRANCH
    from runner.git.repository import Repository
    from runner.urls import without_secret

    wanted = _origin(order)
    if wanted is None:
        return
    repository = Repository(order.target)
    there = repository.git.run("config", "--get", "remote.origin.url").stdout.decode(errors="replace").strip()
    if not there:
        yield f"loop.yaml follows 'origin', and there is none: `git remote add origin {shlex.quote(wanted)}`"
    elif there != wanted:
        differs = f"'origin' is {without_secret(there)} here, and not {wanted}; loop.yaml follows it"
        yield f"{differs}: where that is another repository, `git remote set-url origin {shlex.quote(wanted)}`"
    branch = repository.branch()
    if branch != BRANCH:
        shown = "no branch" if branch is None else f"'{branch}'"
        yield f"loop.yaml follows '{BRANCH}', and {shown} is checked out: correct `branch` in loop.yaml"


def _choices(order: Order, base: Base, first: First) -> Choices:
    from runner.scaffold.choices import Choices

    asked = order.asked
    assert asked.name is not None  # noqa: S101 - demanded before
    return Choices(
        name=asked.name,
        base=base,
        first=first,
        engines=asked.engine,
        gateway=asked.gateway or Choices.gateway,
        repository=asked.repository,
        remote=asked.remote,
        dvc_remote=_dvc_remote(asked.dvc_remote),
    )


def _dvc_remote(given: str | None) -> str | None:
    """Return an address as it is, and a folder as DVC finds it from anywhere."""
    return given if given is None or "://" in given else str(Path(given).expanduser().resolve())


def _paths(order: Order) -> list[str]:
    """Return the paths of all files, but for those of models that are copied: these by their folder."""
    from runner.scaffold import base_model, first_version
    from runner.scaffold.choices import MODEL_FOLDER, Base, First
    from runner.scaffold.render import render

    name = first_version.UNTRAINED if order.brought is None else first_version.BROUGHT
    rank = 1 if order.brought is None else order.brought.rank
    base = order.base if isinstance(order.base, Base) else base_model.local(order.base, NOT_YET)
    choices = _choices(order, base, First(name, NOT_YET, rank, order.brought is not None))
    adapter = f"models/{name}"
    tracked = [
        path for path, is_in_dvc in ((MODEL_FOLDER, base.is_local), (adapter, order.brought)) if is_in_dvc
    ]
    dvc = [*(f"{path}.dvc" for path in tracked), "models/.gitignore"] if tracked else []
    return sorted({*render(choices, order.source, _today()), adapter, *tracked, *dvc})


def _today() -> Any:
    return datetime.now(UTC).date()


def _demand_free(order: Order) -> None:
    """Raise TerminalError naming everything that is there already."""
    from runner.scaffold import place

    if found := place.in_the_way(order.target, _paths(order)):
        raise TerminalError(
            Diagnostic(
                f"'{order.target}' has {len(found)} of these files already",
                evidence=found,
                fix="move them away, or begin in an empty folder",
            )
        )


def _make(order: Order) -> tuple[Choices, str | None]:
    """Make everything beside its place and move it in. Raises LoopError, OSError; then nothing is there."""
    from runner.cli.deployment import stopwatch
    from runner.git.begin import begin, first_commit
    from runner.scaffold import place

    tell = stopwatch()
    with place.beside(order.target, order.place) as folder:
        begin(folder, _origin(order))  # DVC asks Git what it may track
        choices = _fill(order, folder, tell)
        commit = first_commit(folder, MESSAGE.format(name=choices.name))
        _link_environment(folder, order.target)
        place.move_in(folder, order.target, order.place)
    return choices, None if order.place is place.Place.REPOSITORY else commit


def _origin(order: Order) -> str | None:
    """Return the address of the remote: that of the Git host where nothing else was said."""
    if order.asked.remote is None and order.asked.repository is not None:
        return f"https://github.com/{order.asked.repository}.git"
    return order.asked.remote


def _fill(order: Order, folder: Path, tell: Callable[[str], None]) -> Choices:
    """Write every file below the folder, the models first: their digests stand in the others."""
    from runner import digest
    from runner.scaffold import base_model, first_version
    from runner.scaffold.choices import MODEL_FOLDER, Base
    from runner.scaffold.render import render

    models, base = folder / "models", order.base
    models.mkdir()
    tracked = []
    if not isinstance(base, Base):
        tell(f"copying {base.folder}")
        shutil.copytree(base.folder, folder / MODEL_FOLDER, ignore=shutil.ignore_patterns(".*"))
        base = base_model.local(base, digest.of_directory(folder / MODEL_FOLDER))
        tracked.append(MODEL_FOLDER)
    first = first_version.place(order.brought, base.name, models)
    if first.brought:
        tracked.append(f"models/{first.name}")
    choices = _choices(order, base, first)
    for path, content in render(choices, order.source, _today()).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / "requirements" / "install.sh").chmod(0o755)
    _track(order, folder, tracked, tell)
    _demand_valid(folder)
    return choices


def _track(order: Order, folder: Path, paths: list[str], tell: Callable[[str], None]) -> None:
    """Put the models under DVC, or note how where DVC is not installed. Raises TransientError where it refuses."""
    import importlib.util

    from runner.data.command import dvc
    from runner.errors import transient

    if not paths:
        return
    if importlib.util.find_spec("dvc") is None:
        lines = "".join(f"/{path.removeprefix('models/')}\n" for path in paths)
        (folder / "models" / ".gitignore").write_text(lines, encoding="utf-8")
        order.notes.append(
            f"DVC is not installed here: where it is, run `dvc add {' '.join(paths)}` and commit"
        )
        return
    tell(f"adding {', '.join(paths)} to DVC")
    ended = dvc(folder, ["add", "--quiet", "--", *paths], lambda _: None, ADD_SECONDS)
    if ended.status or ended.expired:
        raise transient(
            "DVC did not take the models", *ended.said[-3:], fix="put right what it says, and try again"
        )


def _demand_valid(folder: Path) -> None:
    """Raise TerminalError where what was made is not valid, which is a fault of ours or of the checkout's policies."""
    from runner.spec.files import DirectoryFiles
    from runner.spec.load import load_or_raise

    load_or_raise(DirectoryFiles(folder))


def _link_environment(folder: Path, target: Path) -> None:
    """Let `.venv` lead to the environment that runs this, where there is none; `requirements/install.sh` makes one."""
    there = target / ".venv"
    if sys.prefix != sys.base_prefix and not (there.exists() or there.is_symlink()):
        (folder / ".venv").symlink_to(sys.prefix)


def _told(order: Order, choices: Choices, commit: str | None) -> dict[str, Any]:
    return {
        "directory": str(order.target),
        "files": _paths(order),
        "made": True,
        "commit": commit,
        "first_version": choices.first.name,
        "base_model": {
            "name": choices.base.name,
            "digest": choices.base.digest,
            "revision": choices.base.revision,
        },
        "notes": order.notes,
    }


def _lines(order: Order, value: dict[str, Any]) -> Iterator[str]:
    if not value["made"]:
        yield f"would make in {order.target}:"
        yield from (f"  {path}" for path in value["files"])
        yield "nothing was made"
        return
    pinned = value["base_model"]["digest"] or value["base_model"]["revision"] or "not pinned"
    yield f"made {order.target}: {len(value['files'])} files"
    yield f"  base model     {value['base_model']['name']} ({pinned[:12]})"
    yield f"  first version  {value['first_version']}, {_words(order)}"
    committed = f"commit {value['commit'][:12]}" if value["commit"] else "not committed: look, and commit"
    yield f"  Git            {committed}"
    yield from (f"note: {note}" for note in order.notes)
    yield "next:"
    yield f"  cd {_shell(order.target)}"
    if value["commit"] and _origin(order) is not None:
        yield "  git push -u origin main"
    if order.asked.dvc_remote is not None and any(path.endswith(".dvc") for path in value["files"]):
        yield "  dvc push           models and data, for every other machine"
    yield "  loop doctor        what this machine lacks"
    yield "  loop up            starts everything; README.md says what is still empty"


def _words(order: Order) -> str:
    return "the base model as it is" if order.brought is None else f"from {order.brought.folder}"


def _shell(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))
