"""The store of adapters that engines read: a read-only directory for each served name, put there as a whole.

Called by the reconciler before an adapter is loaded and after it was drained. A served name stands for its
bytes for ever (`NAME--DIGEST12`), so a directory is never changed: it appears by a rename, after its digest
was verified on the copy, and goes by a rename. Weights are safetensors only, since reading a pickle runs its
author's code. Deleting files that an engine may still read kills the engine: the caller says when.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from runner import digest as digests
from runner.errors import Diagnostic, TerminalError, terminal, transient

REQUIRED = ("adapter_config.json", "adapter_model.safetensors")
ALLOWED = frozenset({".safetensors", ".json", ".jsonl", ".jinja", ".md", ".txt", ".yaml"})
_PLACING, _REMOVING = ".placing-", ".removing-"
_SERVED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*--[0-9a-f]{12}")


class Copy(StrEnum):
    """What the store holds of an adapter."""

    ABSENT = "absent"
    INTACT = "intact"
    DAMAGED = "damaged"


def place(source: Path, store: Path, name: str, digest: str) -> Path:
    """Copy version `name` from `source` into the store and return the absolute path of its directory.

    `digest` is the 64 hex digits that the copy must have. An intact copy is left as it is, a damaged one is
    replaced. Raises TerminalError where the source is no safe adapter or has another digest, TransientError
    where the disk fails; the store has no new copy then.
    """
    target = _directory(store, digests.served_name(name, digest))
    if inspect(target, digest) is Copy.INTACT:
        return target
    files = _files_of(source)
    try:
        temporary = _fresh(store, _PLACING + target.name)
        for file in files:
            _copy(source / file, temporary / file)
        _verify(temporary, source, digest)
        _seal(temporary)
        if target.exists():
            remove(store, target.name)
        temporary.rename(target)
        _sync(store)
    except OSError as error:
        raise transient(f"adapter {target.name!r} could not be placed", str(error)) from error
    return target


def remove(store: Path, served: str) -> None:
    """Take a served name's directory out of the store; that it is gone already is success.

    Raises TerminalError for a name that is none, TransientError where the disk fails.
    """
    target = _directory(store, served)
    try:
        doomed = store / (_REMOVING + served)
        _delete(doomed)
        if target.exists():
            target.rename(doomed)
            _sync(store)
            _delete(doomed)
    except OSError as error:
        raise transient(f"adapter {served!r} could not be deleted", str(error)) from error


def inspect(placed: Path, digest: str) -> Copy:
    """Compare a placed directory's bytes with the digest that they must have. Reads every byte."""
    if not placed.exists():
        return Copy.ABSENT
    try:
        return Copy.INTACT if digests.of_directory(placed) == digest else Copy.DAMAGED
    except OSError:
        return Copy.DAMAGED


def placed(store: Path) -> tuple[str, ...]:
    """Return the served names that the store holds, sorted; whether they are intact is not looked at."""
    if not store.is_dir():
        return ()
    return tuple(sorted(entry.name for entry in store.iterdir() if _SERVED.fullmatch(entry.name)))


def sweep(store: Path) -> None:
    """Delete what a placing or a removal that was killed left behind; only while nobody else places or removes.

    Raises TransientError where the disk fails.
    """
    try:
        for left in [*store.glob(f"{_PLACING}*"), *store.glob(f"{_REMOVING}*")]:
            _delete(left)
    except OSError as error:
        raise transient(f"the adapter store {store} could not be tidied", str(error)) from error


def _directory(store: Path, served: str) -> Path:
    if not _SERVED.fullmatch(served):
        raise terminal(f"{served!r} is not the name of a served adapter", "they read VERSION--DIGEST12")
    return store.absolute() / served


def _files_of(source: Path) -> tuple[Path, ...]:
    """Return the relative paths of an adapter's files. Raises TerminalError, naming all that is wrong."""
    if not source.is_dir() or source.is_symlink():
        raise terminal(f"adapter {source} is not a directory", fix="fetch it with `dvc pull`")
    entries = sorted(source.rglob("*"))
    wrong = [problem for entry in entries for problem in _problems(entry)]
    missing = [f"it has no {name}" for name in REQUIRED if not (source / name).is_file()]
    if wrong or missing:
        fix = "leave in it regular files of LoRA weights as safetensors, with their configuration and notes"
        raise TerminalError(Diagnostic(f"adapter {source} is refused", evidence=(*missing, *wrong), fix=fix))
    return tuple(entry.relative_to(source) for entry in entries if entry.is_file())


def _problems(entry: Path) -> Iterator[str]:
    mode = entry.lstat().st_mode
    if stat.S_ISLNK(mode):
        yield f"{entry.name} is a symbolic link, which may point anywhere later"
    elif not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        yield f"{entry.name} is not a regular file"
    elif stat.S_ISREG(mode) and entry.suffix not in ALLOWED:
        yield f"{entry.name} is none of {', '.join(sorted(ALLOWED))}; a pickle would run its author's code"


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # A link put in place of the file after the check must not be followed.
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as reader, target.open("xb") as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)
        writer.flush()
        os.fsync(writer.fileno())
        os.fchmod(writer.fileno(), 0o444)


def _verify(copy: Path, source: Path, digest: str) -> None:
    found = digests.of_directory(copy)
    if found != digest:
        _delete(copy)
        evidence = (f"declared: {digest}", f"found:    {found}")
        fix = "fetch the declared bytes, or declare the digest of these as a new version"
        raise terminal(f"adapter {source} has another digest than declared", *evidence, fix=fix)


def _seal(directory: Path) -> None:
    for inner in (*(path for path in directory.rglob("*") if path.is_dir()), directory):
        _sync(inner)
        inner.chmod(0o555)


def _fresh(store: Path, name: str) -> Path:
    store.mkdir(parents=True, exist_ok=True)
    path = store.absolute() / name
    _delete(path)
    path.mkdir()
    return path


def _delete(directory: Path) -> None:
    if not directory.exists():
        return
    for inner in (directory, *(path for path in directory.rglob("*") if path.is_dir())):
        inner.chmod(0o755)
    shutil.rmtree(directory)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
