"""How vLLM is run: the flags that the desired state means, and the environment that is refused."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from runner.errors import TerminalError
from runner.serving import launcher
from runner.serving.launcher import Build
from runner.serving.processes import Program
from runner.spec.environment import BaseModelRef, Engine

BASE = BaseModelRef(name="bookshop-base", path="models/base")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "models" / "base").mkdir(parents=True)
    return tmp_path


def program(
    root: Path, build: Build = Build.CPU, environ: dict[str, str] | None = None, **engine: int
) -> Program:
    spec = Engine(managed=True, listen="127.0.0.1:8101", **engine)
    return launcher.vllm(spec, BASE, root, build, environ or {})


def flag(of: Program, name: str) -> str:
    return of.argv[of.argv.index(name) + 1]


def test_the_engines_limits_become_flags(root: Path) -> None:
    made = program(root, Build.GPU, max_loras=3, max_cpu_loras=6, max_lora_rank=32, max_model_len=256)
    names = ("--max-loras", "--max-cpu-loras", "--max-lora-rank", "--max-model-len")
    assert [flag(made, name) for name in names] == ["3", "6", "32", "256"]
    assert (flag(made, "--host"), flag(made, "--port")) == ("127.0.0.1", "8101")
    assert flag(made, "--model") == str(root / "models" / "base")
    assert flag(made, "--served-model-name") == "bookshop-base"


def test_a_model_of_the_hub_is_served_at_its_commit_and_a_local_one_needs_none(root: Path) -> None:
    revision, engine = "4" * 40, Engine(managed=True)
    hub = BaseModelRef(name="chat", path="acme/chat", revision=revision)
    made = launcher.vllm(engine, hub, root, Build.GPU, {})
    assert flag(made, "--model") == "acme/chat"
    assert {flag(made, "--revision"), flag(made, "--tokenizer-revision")} == {revision}
    local = launcher.vllm(engine, BASE.model_copy(update={"revision": revision}), root, Build.GPU, {})
    assert "--revision" not in local.argv


def test_as_many_adapters_stay_in_memory_as_fit_a_batch_unless_said_otherwise(root: Path) -> None:
    made = program(root, Build.GPU, max_loras=3)
    assert flag(made, "--max-cpu-loras") == "3"
    assert "--max-model-len" not in made.argv


def test_on_a_cpu_one_slot_more_than_declared_keeps_the_base_apart_from_adapters(root: Path) -> None:
    made = program(root, Build.CPU, max_loras=3, max_cpu_loras=6)
    assert (flag(made, "--max-loras"), flag(made, "--max-cpu-loras")) == ("4", "6")
    made = program(root, Build.CPU, max_loras=3)
    assert (flag(made, "--max-loras"), flag(made, "--max-cpu-loras")) == ("4", "4")


def test_the_cpu_build_gets_its_own_flags_and_the_gpu_build_does_not(root: Path) -> None:
    cpu, gpu = program(root), program(root, Build.GPU)
    assert "--enforce-eager" in cpu.argv
    assert flag(cpu, "--dtype") == "bfloat16"
    assert "--enforce-eager" not in gpu.argv
    assert set(gpu.settings) < set(cpu.settings)
    assert gpu.settings["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "1"


def test_python_may_write_byte_code(root: Path) -> None:
    assert "PYTHONDONTWRITEBYTECODE" in program(root).dropped


def test_no_plugin_is_loaded_and_nothing_is_downloaded(root: Path) -> None:
    settings = program(root).settings
    assert (settings["VLLM_PLUGINS"], settings["HF_HUB_OFFLINE"]) == ("", "1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VLLM_SKIP_MODEL_NAME_VALIDATION", "1"),
        ("VLLM_SKIP_MODEL_NAME_VALIDATION", "true"),
        ("VLLM_LORA_RESOLVER_CACHE_DIR", "/adapters"),
        ("VLLM_LORA_RESOLVER_HF_REPO_LIST", "somebody/adapters"),
        ("VLLM_PLUGINS", "lora_filesystem_resolver"),
    ],
)
def test_hazard_8_an_environment_that_serves_the_undeclared_is_refused(
    root: Path, name: str, value: str
) -> None:
    with pytest.raises(TerminalError, match=name):
        program(root, environ={name: value})


def test_every_refused_variable_is_named_at_once() -> None:
    environ = {"VLLM_SKIP_MODEL_NAME_VALIDATION": "1", "VLLM_LORA_RESOLVER_CACHE_DIR": "/adapters"}
    with pytest.raises(TerminalError) as caught:
        launcher.refuse_unsafe(environ)
    assert len(caught.value.diagnostics) == 2


@pytest.mark.parametrize("value", ["", "0"])
def test_a_variable_that_is_off_is_no_harm(value: str) -> None:
    launcher.refuse_unsafe({"VLLM_SKIP_MODEL_NAME_VALIDATION": value})


def test_a_base_that_was_not_fetched_says_how_to_fetch_it(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="dvc pull"):
        program(tmp_path)


def test_a_base_on_a_hub_is_named_as_it_is_and_may_be_downloaded(tmp_path: Path) -> None:
    base = BaseModelRef(name="qwen", path="Qwen/Qwen2.5-0.5B")
    made = launcher.vllm(Engine(managed=True), base, tmp_path, Build.GPU, {})
    assert flag(made, "--model") == "Qwen/Qwen2.5-0.5B"
    assert "HF_HUB_OFFLINE" not in made.settings


@pytest.mark.parametrize("build", Build)
def test_the_installed_build_is_told_by_its_distribution(build: Build) -> None:
    def version(name: str) -> str:
        if name != build.value:
            raise PackageNotFoundError(name)
        return "0.32.0"

    assert launcher.installed(version) is build


def test_without_vllm_the_error_says_how_to_get_it() -> None:
    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    with pytest.raises(TerminalError, match="make up"):
        launcher.installed(version)
