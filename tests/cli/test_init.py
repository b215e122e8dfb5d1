"""`loop init`: a repository that is valid at once, or nothing at all."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from runner import digest
from runner.scaffold import base_model, place, render
from runner.scaffold import source as sources
from runner.spec.files import DirectoryFiles
from runner.spec.load import Spec, load_or_raise
from tests.cli.workbench import Said, argv, call, refused
from tests.waiting import PATIENCE_S, until

HUB_ID = "acme/small-chat"
COMMIT = "4" * 40


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base model and an adapter, whose path is hard to write."""
    folder = tmp_path_factory.mktemp("init") / "with space, ü & 'quote'"
    base, adapter = folder / "base models" / "Small Chat!", folder / "adapter"
    base.mkdir(parents=True)
    (base / "config.json").write_text('{"model_type": "qwen2"}')
    (base / "model.safetensors").write_bytes(b"weights" * 100)
    (base / "tokenizer.json").write_text("{}")
    (base / ".cache").mkdir()
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(
        json.dumps({"r": 64, "base_model_name_or_path": "/x/Small-Chat"})
    )
    (adapter / "adapter_model.safetensors").write_bytes(b"lora")
    (adapter / "optimizer.pt").write_bytes(b"a pickle")
    return folder


@pytest.fixture(autouse=True)
def nobody_asks_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def made(workshop: Path) -> Path:
    """A repository with its base model inside, and a brought adapter."""
    target = workshop / "a shop"
    said = init(
        target,
        *(
            "--base-model",
            str(workshop / "base models" / "Small Chat!"),
            "--adapter",
            str(workshop / "adapter"),
        ),
        *("--dvc-remote", str(workshop / "store 100%"), "--git-host", "github", "--repository", "acme/shop"),
    )
    assert said.code == 0, said.err
    return target


def init(target: Path, *options: str, name: str = "shop") -> Said:
    return call("init", str(target), "--name", name, *options)


def of_hub(target: Path, *options: str) -> Said:
    return init(target, "--base-model", HUB_ID, *options)


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def everything(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def spec_of(folder: Path) -> Spec:
    return load_or_raise(DirectoryFiles(folder))


def test_the_result_is_valid_and_committed_with_nothing_left_over(made: Path) -> None:
    said = call("--root", str(made), "validate")
    assert (said.code, said.err) == (0, "")
    assert said.out == "valid: 2 environments, 1 model, 10 datasets, 8 policies\n"
    assert git(made, "status", "--porcelain") == ""
    assert git(made, "log", "--format=%s") == "shop: the desired state begins"
    assert git(made, "branch", "--show-current") == "main"
    assert git(made, "config", "remote.origin.url") == "https://github.com/acme/shop.git"


def test_the_base_model_is_copied_named_digested_and_in_dvc(made: Path, workshop: Path) -> None:
    base = spec_of(made).loop.base_model
    assert (base.name, base.path) == ("Small-Chat", "models/base")
    assert base.digest == digest.of_directory(made / "models" / "base")
    assert everything(made / "models" / "base").keys() == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    }
    tracked = git(made, "ls-files", "models").splitlines()
    assert "models/base.dvc" in tracked and "models/chat-v1.0.dvc" in tracked
    assert not [path for path in tracked if path.startswith(("models/base/", "models/chat-v1.0/"))]
    store = subprocess.run(
        [*argv()[:2], "dvc", "config", "remote.store.url"],
        cwd=made,
        capture_output=True,
        text=True,
        check=True,
    )
    assert store.stdout.strip() == str(workshop / "store 100%")


def test_an_adapter_that_is_brought_along_serves_first_without_its_pickles(made: Path) -> None:
    spec = spec_of(made)
    model = spec.models["chat-v1.0"]
    assert (model.adapter.rank, model.is_base) == (64, False)
    assert spec.loop.environments["production"].engine.max_lora_rank == 64
    assert everything(made / "models" / "chat-v1.0").keys() == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }


def test_the_workflows_install_the_very_loop_that_made_the_repository(made: Path) -> None:
    head = git(Path(sources.running().root), "rev-parse", "HEAD")
    lines = (made / "requirements" / "loop.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines if not line.startswith("#")] == [head]
    assert (
        "bash requirements/install.sh .venv core" in (made / ".github" / "workflows" / "plan.yml").read_text()
    )


def test_the_installer_fetches_that_commit_and_links_its_environment(made: Path, tmp_path: Path) -> None:
    loop, own = tmp_path / "loop", tmp_path / "own"
    (loop / "requirements").mkdir(parents=True)
    (loop / "requirements" / "install.sh").write_text(
        'cd "$(dirname "$0")/.."; mkdir -p "$1"; echo "${@:2}" > .venv/it\n'
    )
    git(tmp_path, "init", "--quiet", str(loop))
    git(loop, "add", ".")
    git(loop, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "x")
    (own / "requirements").mkdir(parents=True)
    for name in ("install.sh", "loop.txt"):
        (own / "requirements" / name).write_bytes((made / "requirements" / name).read_bytes())
    (own / "requirements" / "loop.txt").write_text(f"# a comment\n{git(loop, 'rev-parse', 'HEAD')} {loop}\n")
    install = ["bash", str(own / "requirements" / "install.sh"), ".venv", "core", "data"]
    for _ in range(2):  # the second time everything is there
        subprocess.run(install, check=True, capture_output=True)
        assert (own / ".venv" / "it").read_text() == "core data\n"
    (own / ".venv").unlink()
    (own / ".venv").mkdir()
    ended = subprocess.run(install, capture_output=True, text=True)
    assert ended.returncode == 1 and "fix: move it away: mv .venv .venv.own" in ended.stderr
    (own / ".venv").rmdir()
    (own / "requirements" / "loop.txt").write_text(f"{'1' * 40} {tmp_path / 'nowhere'}\n")
    ended = subprocess.run(install, capture_output=True, text=True)
    assert ended.returncode == 1 and "cannot be fetched from" in ended.stderr and "fix: " in ended.stderr


def test_before_anybody_asked_anything_there_is_nothing_to_curate(made: Path) -> None:
    before = everything(made / "datasets")
    said = call("--root", str(made), "data", "curate")
    assert (
        said.code == 1
        and "error: there is nothing to curate" in said.err
        and "nothing was changed" in said.err
    )
    assert everything(made / "datasets") == before


def test_without_an_adapter_the_base_model_itself_serves_first(tmp_path: Path) -> None:
    said = of_hub(tmp_path / "shop", "--json")
    value = json.loads(said.out)
    assert (said.code, value["first_version"], value["made"]) == (0, "chat-v0.0", True)
    assert value["base_model"] == {"name": HUB_ID, "digest": None, "revision": None}
    assert "HF_HUB_OFFLINE is set" in value["notes"][0]
    spec = spec_of(tmp_path / "shop")
    assert spec.models["chat-v0.0"].is_base
    assert {env.baseline for env in spec.loop.environments.values()} == {"chat-v0.0"}
    from runner.cli.train_inputs import Choice, _parent

    for recipe in spec.policies.training.recipes.values():
        choice = Choice("any", None, None, None, "production")
        assert _parent(spec, choice, recipe) is None, "the first training starts from the base model"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, bytes], None]]:
    """A hub on the loopback that says what it is told to say."""
    told: list[tuple[int, bytes]] = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = told[-1] if self.path == f"/api/models/{HUB_ID}" else (500, b"")
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
    yield lambda status, body: told.append((status, body))
    server.shutdown()
    server.server_close()


def test_a_model_of_the_hub_is_pinned_to_the_commit_that_the_hub_has(
    hub: Callable[[int, bytes], None], tmp_path: Path
) -> None:
    hub(200, json.dumps({"sha": COMMIT}).encode())
    assert of_hub(tmp_path / "shop").code == 0
    assert spec_of(tmp_path / "shop").loop.base_model.revision == COMMIT


@pytest.mark.parametrize("goes", ["to another server", "on the same server"])
def test_the_token_follows_no_redirect_to_another_server(goes: str) -> None:
    seen: list[tuple[int, str, str | None]] = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.server.server_port, self.path, self.headers["Authorization"]))  # type: ignore[attr-defined]
            moved = self.path != "/new"
            self.send_response(307 if moved else 200)
            if moved:
                self.send_header("Location", f"http://127.0.0.1:{to.server_port}/new")
            self.end_headers()
            self.wfile.write(b"" if moved else json.dumps({"sha": COMMIT}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Hub) as first,
        ThreadingHTTPServer(("127.0.0.1", 0), Hub) as other,
    ):
        to = other if goes == "to another server" else first
        for server in (first, other):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        environ = {"HF_ENDPOINT": f"http://127.0.0.1:{first.server_port}", "HF_TOKEN": "hf_secret"}
        found = base_model.pinned(base_model.OfHub(HUB_ID, HUB_ID), environ)
        for server in (first, other):
            server.shutdown()
    assert found.revision == COMMIT
    assert seen == [
        (first.server_port, f"/api/models/{HUB_ID}", "Bearer hf_secret"),
        (to.server_port, "/new", None if to is other else "Bearer hf_secret"),
    ]


@pytest.mark.parametrize("absent", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_without_a_part_of_a_model_is_refused(tmp_path: Path, workshop: Path, absent: str) -> None:
    folder = tmp_path / "half a model"
    shutil.copytree(workshop / "base models" / "Small Chat!", folder)
    (folder / absent).write_bytes(b"")
    named = {"model.safetensors": "*.safetensors", "tokenizer.json": "tokenizer"}.get(absent, absent)
    said = init(tmp_path / "shop", "--base-model", str(folder))
    refused(said, "holds no model", f"it has no {named}\n")
    assert not (tmp_path / "shop").exists()


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b""), (200, b"<html>"), (200, b'{"sha": "main"}'), (200, b"[]"), (200, b'{"sha": 1}')],
)
def test_a_hub_that_names_no_commit_leaves_it_unpinned_and_the_files_say_how(
    hub: Callable[[int, bytes], None], tmp_path: Path, status: int, body: bytes
) -> None:
    hub(status, body)
    said = of_hub(tmp_path / "shop", "--dry-run")
    assert said.code == 0 and not (tmp_path / "shop").exists()
    from runner.scaffold.base_model import OfHub, pinned

    found = pinned(OfHub(HUB_ID, HUB_ID))
    assert found.revision is None and found.unpinned


def test_a_dry_run_names_exactly_what_a_run_makes(tmp_path: Path) -> None:
    foreseen = json.loads(of_hub(tmp_path / "shop", "--dry-run", "--json").out)
    assert not (tmp_path / "shop").exists() and not list(tmp_path.iterdir())
    of_hub(tmp_path / "shop")
    there = set(git(tmp_path / "shop", "ls-files").splitlines())
    assert {path for path in there if not path.startswith("models/chat-v0.0/")} | {"models/chat-v0.0"} == set(
        foreseen["files"]
    )


def test_what_is_there_is_listed_and_not_touched(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "rollout.yaml").write_text("mine")
    (tmp_path / "README.md").symlink_to("nowhere")
    (tmp_path / "datasets").write_text("a file where a folder belongs")
    before = everything(tmp_path)
    refused(
        of_hub(tmp_path), "has 3 of these files already", "README.md", "datasets", "policies/rollout.yaml"
    )
    assert everything(tmp_path) == before


def test_a_folder_with_other_things_keeps_them_and_stays_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "house.md").write_text("mine")
    inode = tmp_path.stat().st_ino
    assert of_hub(tmp_path).code == 0
    assert (tmp_path / "policies" / "house.md").read_text() == "mine"
    assert tmp_path.stat().st_ino == inode
    assert git(tmp_path, "status", "--porcelain") == "?? policies/house.md"


def test_an_environment_and_ignore_files_that_are_there_are_kept(tmp_path: Path, workshop: Path) -> None:
    for kind in ("folder", "link"):
        target = tmp_path / kind
        target.mkdir()
        (target / "mine").mkdir()
        own = target / ".venv"
        own.mkdir() if kind == "folder" else own.symlink_to("mine")
        assert of_hub(target).code == 0
        assert own.is_symlink() is (kind == "link") and (kind == "folder" or str(own.readlink()) == "mine")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / ".gitignore").write_text("mine")
    before = everything(tmp_path)
    refused(
        init(tmp_path, "--base-model", str(workshop / "base models" / "Small Chat!")),
        "has 1 of these files already",
        "models/.gitignore",
    )
    assert everything(tmp_path) == before


def test_a_repository_that_is_there_gets_files_and_no_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=trunk")
    git(
        tmp_path,
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "commit",
        "--quiet",
        "--allow-empty",
        "-m",
        "mine",
    )
    said = of_hub(tmp_path, "--repository", "acme/shop")
    assert said.code == 0 and "not committed: look, and commit" in said.out
    assert git(tmp_path, "log", "--format=%s") == "mine"
    assert git(tmp_path, "branch", "--show-current") == "trunk"
    assert git(tmp_path, "remote") == ""
    assert "there is none: `git remote add origin https://github.com/acme/shop.git`" in said.out
    assert "loop.yaml follows 'main', and 'trunk' is checked out" in said.out
    assert "git push" not in said.out
    refused(of_hub(tmp_path / "below"), "lies inside another repository", str(tmp_path))
    assert not (tmp_path / "below").exists()


def test_a_remote_other_than_the_one_that_is_there_is_told(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "remote", "add", "origin", "https://u:secret@git.example/mine.git")
    said = of_hub(tmp_path, "--remote", "https://git.example/other.git")
    assert "'origin' is https://git.example/mine.git here, and not https://git.example/other.git" in said.out
    assert "is checked out" not in said.out and "secret" not in said.out
    assert git(tmp_path, "remote", "get-url", "origin") == "https://u:secret@git.example/mine.git"


def test_the_next_steps_bring_it_where_others_find_it(tmp_path: Path, workshop: Path) -> None:
    places = ("--remote", str(tmp_path / "x.git"), "--dvc-remote", str(tmp_path / "store"))
    adapter = ("--adapter", str(workshop / "adapter"), "--served-as", "Small-Chat")
    for options, push, dvc in (
        ((), False, False),
        (places, True, False),
        ((*places, *adapter), True, True),
        (("--repository", "acme/shop"), True, False),
    ):
        said = of_hub(tmp_path / f"shop-{len(options)}", *options)
        assert ("  git push -u origin main\n" in said.out, "  dvc push " in said.out) == (push, dvc)


def test_where_nobody_may_write_the_error_names_what_was_asked_for() -> None:
    refused(of_hub(Path("/proc/x")), "'/proc/x' cannot be made", "fix: name a folder")
    assert ".loop-init" not in of_hub(Path("/proc/x")).err


def test_what_is_missing_without_a_terminal_is_one_error(tmp_path: Path) -> None:
    said = call("init", str(tmp_path / "shop"), "--git-host", "github")
    refused(said, "--name, --base-model, --repository must be given", "fix: for example: `loop init")
    assert said.err.count("error: ") == 1 and not (tmp_path / "shop").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--base-model", "/nowhere/at/all"), "neither a folder nor a hub's name"),
        (("--base-model", "acme/../x"), "neither a folder nor a hub's name"),
        (("--base-model", "acme/x; rm -rf ~"), "neither a folder nor a hub's name"),
        (("--base-model", "/"), "holds no model"),
        (("--base-model", HUB_ID, "--managed", "--engine", "http://a:80"), "one of --managed and --engine"),
        (
            ("--base-model", HUB_ID, "--git-host", "none", "--repository", "a/b"),
            "--repository is of a Git host",
        ),
        (("--base-model", HUB_ID, "--adapter", "/nowhere"), "is no LoRA adapter"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    refused(init(tmp_path / "shop", *options), said)
    assert list(tmp_path.iterdir()) == []


def test_an_adapter_of_another_base_is_refused_and_the_fix_works(tmp_path: Path, workshop: Path) -> None:
    adapter = ("--adapter", str(workshop / "adapter"))
    refused(of_hub(tmp_path / "shop", *adapter), "trained on '/x/Small-Chat'", "`--served-as Small-Chat`")
    assert of_hub(tmp_path / "shop", *adapter, "--served-as", "Small-Chat", "--dry-run").code == 0


def test_a_name_with_nothing_to_do_with_files_makes_none(tmp_path: Path) -> None:
    for name in ("../../x", "a\nb", "$(touch x)", "'; DROP"):
        refused(init(tmp_path / "shop", "--base-model", HUB_ID, name=name), "--name")
    assert list(tmp_path.iterdir()) == []


FAILURES: dict[str, tuple[object, str]] = {
    "rendering": (render, "render"),
    "the first version": (digest, "of_directory"),
    "the last move": (Path, "rename"),
}


@pytest.mark.parametrize(
    "failure", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["disk", "Ctrl-C"]
)
@pytest.mark.parametrize("where", FAILURES)
def test_whatever_fails_or_is_interrupted_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, failure: BaseException
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    for begun in ("new", "folder"):
        target = tmp_path / begun
        if begun == "folder":
            target.mkdir()
            (target / "mine").write_text("mine")
        before = everything(tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr(*FAILURES[where], fail)
            assert of_hub(target).code in (1, 130)
        assert everything(tmp_path) == before


def test_a_move_that_fails_in_the_middle_takes_back_what_was_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename
    made = tmp_path / "made"
    for path in ("a/b", "c", "d/e/f", "loop.yaml"):
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_text(path)
    (tmp_path / "target" / "d").mkdir(parents=True)
    before = everything(tmp_path)
    for failing in range(4):
        moves = iter(range(100))

        def move(self: Path, to: Path, failing: int = failing, moves: Iterator[int] = moves) -> Path:
            if next(moves) == failing:
                raise KeyboardInterrupt
            return rename(self, to)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", move)
            with pytest.raises(KeyboardInterrupt):
                place.move_in(made, tmp_path / "target", place.Place.FOLDER)
        assert everything(tmp_path) == before
    place.move_in(made, tmp_path / "target", place.Place.FOLDER)
    assert (tmp_path / "target" / "d" / "e" / "f").read_text() == "d/e/f"


def test_ctrl_c_in_a_real_process_leaves_nothing(tmp_path: Path) -> None:
    programs, begun = tmp_path / "bin", tmp_path / "begun"
    programs.mkdir()
    slow = programs / "git"
    slow.write_text(
        f'#!/bin/sh\ncase "$*" in *" init "*) touch "{begun}"; exec sleep 1000;; esac\nexec /usr/bin/git "$@"\n'
    )
    slow.chmod(0o755)
    place_of_all = tmp_path / "work"
    place_of_all.mkdir()
    running = subprocess.Popen(
        argv("init", str(place_of_all / "shop"), "--name", "shop", "--base-model", HUB_ID),
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(begun.exists, "Git was asked for a repository")
    assert list(place_of_all.iterdir()), "something is under way"
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, "interrupted" in err) == (130, True)
    assert list(place_of_all.iterdir()) == []


def test_a_terminal_is_asked_for_what_is_missing(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        argv("init", str(tmp_path / "Shop 2")),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = ""
    answers = iter(("\n", f"{HUB_ID}\n", "http://10.0.0.1:8000\n", "acme/shop\n"))
    try:
        while chunk := os.read(ours, 4096).decode():
            shown += chunk
            if shown.rstrip().endswith(":") and chunk.endswith(": "):
                os.write(ours, next(answers).encode())
    except OSError:
        pass  # the terminal is gone with its process
    assert running.wait(PATIENCE_S) == 0, shown
    spec = spec_of(tmp_path / "Shop 2")
    assert spec.loop.name == "shop-2"
    assert spec.loop.environments["production"].engine.replicas == ("http://10.0.0.1:8000",)
    assert spec.loop.git is not None and spec.loop.git.forge is not None
