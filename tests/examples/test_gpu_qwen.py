"""`examples/gpu-qwen`: the page as far as it goes without a GPU, a hub and people.

What vLLM, TRL and PEFT would be given is shown to them. They are imported for it, which is why these
tests run with those of the real vLLM.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
import yaml

from runner.serving import launcher
from runner.serving.launcher import Build
from runner.spec.files import DirectoryFiles
from runner.spec.load import load_or_raise
from tests.docs.scratch import ROOT
from tests.examples.accepted import QWEN
from tests.examples.place import EXAMPLES, Place
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.engine
NOT_HERE = (
    r"hf download .*",  # there is no hub; the fixture puts a model's configuration there
    r"bash requirements/install\.sh .*",  # downloads a whole environment
    r"loop doctor",  # it would miss the GPU and a token of GitHub: tests/doctor
    r"CUDA_VISIBLE_DEVICES=. loop (up|train|evaluate).*",  # there is no GPU
    r"loop data curate",  # nobody has voted: tests/system/test_up.py
    r"git commit --quiet --all --message 'Pairs .*'",
    r"loop promote .*",  # its remote is on GitHub: tests/cli/test_promote.py
)
MODEL = "models/Qwen2.5-0.5B-Instruct"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The whole page, but for what is not here; the model is its configuration alone."""
    place = Place(tmp_path_factory.mktemp("gpu-qwen"))
    (place.cwd / MODEL).mkdir(parents=True)
    (place.cwd / MODEL / "config.json").write_text(json.dumps(QWEN))
    for name in ("model.safetensors", "tokenizer.json"):  # a gigabyte that no test here reads
        (place.cwd / MODEL / name).write_text("not here")
    said = place.follow("gpu-qwen", NOT_HERE)
    assert said["loop validate"].startswith("valid: 2 environments, 1 model")
    return place


def command_line(place: Place, environment: str) -> list[str]:
    """Return the arguments with which Loop would start vLLM on a GPU."""
    loop = load_or_raise(DirectoryFiles(place.cwd)).loop
    engine = loop.environments[environment].engine
    program = launcher.vllm(engine, loop.base_model, place.cwd, Build.GPU, {})
    assert program.settings["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "1"
    assert program.argv[:3] == (sys.executable, "-m", "vllm.entrypoints.openai.api_server")
    return list(program.argv[3:])


def replica() -> list[str]:
    """Return the arguments of `vllm serve` in `examples/existing-vllm/replica.sh`."""
    script = (EXAMPLES / "existing-vllm/replica.sh").read_text()
    line = re.search(r"^exec vllm serve ((?:.*\\\n)*.*)$", script, re.MULTILINE)
    assert line is not None and "export VLLM_ALLOW_RUNTIME_LORA_UPDATING=1" in script
    return shlex.split(line[1].replace("\\\n", " "))


@pytest.fixture(scope="module")
def taken(place: Place) -> dict[str, Any]:
    """What vLLM, TRL and PEFT make of both examples."""
    asked = [json.dumps(arguments) for arguments in (command_line(place, "production"), replica())]
    done = subprocess.run(
        [sys.executable, "-m", "tests.examples.accepted", str(place.cwd), *asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_vllm_takes_the_command_line_that_serves_the_model_on_a_gpu(
    taken: dict[str, Any], place: Place
) -> None:
    ours, _ = taken["serve"]
    assert ours["model"] == str(place.cwd / "models/base")
    assert ours["served_model_name"] == ["Qwen2.5-0.5B-Instruct"]
    assert (ours["enable_lora"], ours["max_loras"], ours["max_lora_rank"]) == (True, 4, 16)
    assert ours["max_model_len"] == 4096 and not ours["enforce_eager"]


def test_vllm_takes_the_command_line_of_a_replica_and_it_fits_its_loop_yaml(taken: dict[str, Any]) -> None:
    _, theirs = taken["serve"]
    loop = yaml.safe_load((EXAMPLES / "existing-vllm/loop.yaml").read_text())
    assert theirs["served_model_name"] == [loop["base_model"]["name"]]
    assert theirs["model_tag"] == loop["base_model"]["path"]
    sizes = {key: theirs[key] for key in ("max_loras", "max_cpu_loras", "max_lora_rank")}
    for environment in loop["environments"].values():
        assert environment["engine"].items() >= sizes.items()


def test_trl_takes_the_recipes_as_they_are_given_on_a_gpu(taken: dict[str, Any]) -> None:
    recipes = taken["recipes"]
    assert all(made["bf16"] and made["gradient_checkpointing"] for made in recipes.values())
    assert 5e-7 <= recipes["dpo"]["learning_rate"] <= 1e-5 and recipes["dpo"]["beta"] == 0.1
    assert recipes["dpo"]["per_device_train_batch_size"] == 2 and recipes["dpo"]["max_length"] == 1024


def test_the_adapter_is_as_large_as_the_page_says(taken: dict[str, Any]) -> None:
    page = (EXAMPLES / "gpu-qwen/README.md").read_text()
    assert f"{taken['adapter'] / 1e6:.1f} million parameters" in page
    assert f"{taken['adapter'] * 16 / 1e6:.0f} MB with the optimiser" in page
    logits = 2 * 2 * 1024 * QWEN["vocab_size"] * 4
    assert f"{logits / 1e9:.1f} GB of logits" in page
