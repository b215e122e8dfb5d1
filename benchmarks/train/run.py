"""`make bench-train`: from 300 votes to a version that people prefer, to the next one, and three bad ones stopped.

One deployment with every real part: vLLM, gateway, runner, Git, DVC, the commands of `loop`. TRL alone trains on the
same pairs in the same run. The last line is one JSON object, with null for what could not be measured.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.train.shop import Command, Shop, shop
from runner import digest

RESULTS = Path("benchmarks/results/train.json")
KEYS = ("dpo_seconds", "dpo_peak_mib", "win_rate", "win_rate_low", "parity_max_abs_diff")
VOTES, POISON, PEERS = 300, 700, 3
FIRST, BETTER, NEXT = "chat-v1.0", "chat-v1.1", "chat-v1.2"
MIXED_UP = "chat-v9.2"
POLICY = "policies/training.yaml"
TOO_FAST, SMALLER = 100, 0.4
"""What the learning rate is multiplied by: for a candidate that must be stopped, and for the second round."""
NO_ALARM = "{max_chosen_drop: 100000, max_accuracy: 100%, max_length_ratio: 100000}"

Figures = dict[str, Any]


def main() -> int:
    """Run every part; returns 1 where one of them did not come out as it is meant to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--votes", type=int, default=VOTES, help="votes before each round")
    parser.add_argument("--peers", type=int, default=PEERS, help="times TRL alone trains on the same pairs")
    asked = parser.parse_args()
    figures: Figures = dict.fromkeys(KEYS)
    with tempfile.TemporaryDirectory(prefix="loop-train-") as home, shop(Path(home)) as running:
        parts: Mapping[str, Callable[[], Figures]] = {
            "round 1": lambda: first_round(running, asked.votes, asked.peers),
            "learning rate too high": lambda: too_fast(running),
            "reference wrong": lambda: wrong_reference(running),
            "round 2": lambda: second_round(running, asked.votes),
            "poisoned by one rater": lambda: poisoned(running),
        }
        failed = [name for name, part in parts.items() if not _carried_out(name, part, figures)]
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures))
    return 1 if failed else 0


def _carried_out(name: str, part: Callable[[], Figures], figures: Figures) -> bool:
    print(f"\n{name}", flush=True)
    try:
        found = part()
    except (RuntimeError, ValueError, KeyError, OSError, AssertionError) as error:
        print(f"  failed: {type(error).__name__}: {error}", flush=True)
        return False
    for key, value in found.items():
        print(f"  {key}: {value}", flush=True)
    figures |= found
    return True


def first_round(running: Shop, votes: int, peers: int) -> Figures:
    """Votes on the first version, DPO on it, TRL alone on the same pairs, and what the gates say."""
    running.do("arena", "simulate", "--votes", str(votes))
    running.curate("what people said of the first version")
    decided = running.run("decide")
    trained = running.do("train", "dpo")
    found = _of_training(trained, BETTER)
    alone = [_plain(running.place.root) for _ in range(peers)]
    middle = {key: statistics.median(each[key] for each in alone) for key in alone[0]}
    found |= {
        "votes": votes,
        "decided": decided.code,
        "trl_alone_train_seconds": round(middle["train_seconds"], 1),
        "trl_alone_seconds": round(middle["seconds"], 1),
        "trl_alone_peak_mib": round(middle["peak_mib"]),
    }
    running.place.commit(f"{BETTER}, trained on votes")
    return found | _of_evaluation(running, BETTER)


def second_round(running: Shop, votes: int) -> Figures:
    """The better version becomes the baseline; fresh votes compare both; DPO on the better one, in smaller steps."""
    running.edit(
        POLICY, lambda text: _recipe(text, "dpo", times=SMALLER), "smaller steps from a better start"
    )
    running.edit("loop.yaml", _better_is_baseline, f"{BETTER} is the baseline")
    running.in_sync()
    running.do("arena", "simulate", "--votes", str(votes), "--seed", "2")
    running.curate(f"what people said of {BETTER}")
    trained = running.do("train", "dpo")
    found = _of_training(trained, NEXT)
    running.place.commit(f"{NEXT}, trained on fresh votes")
    return {f"next_{key}": value for key, value in (found | _of_evaluation(running, NEXT)).items()}


def too_fast(running: Shop) -> Figures:
    """A learning rate a hundred times too high: an alarm stops the run; without alarms, the gates stop the version."""
    before = (running.place.root / POLICY).read_text(encoding="utf-8")
    running.edit(POLICY, lambda text: _recipe(text, "dpo", times=TOO_FAST), "learn much faster")
    stopped = running.run("train", "dpo", "--parent", FIRST, "--name", "chat-v9.1")
    found: Figures = {"too_fast_training": stopped.code, "too_fast_said": _first_line(stopped)}
    running.edit(POLICY, _without_alarms, "no alarms")
    running.do("train", "dpo", "--parent", FIRST, "--name", "chat-v9.1")
    done = running.run("evaluate", "chat-v9.1", "-e", "production", "--against", FIRST, "--no-record")
    for path in ("models/chat-v9.1.yaml", "models/chat-v9.1.dvc"):
        (running.place.root / path).unlink()
    running.edit(POLICY, lambda _: before, "the recipe as it was")
    found |= {"too_fast_gates": _gates(done)}
    assert stopped.code == 1 and found["too_fast_gates"]["nothing-forgotten"] == "FAIL", found
    return found


def wrong_reference(running: Shop) -> Figures:
    """The parent's weights on this disk are not those that were proven and served: the proof at step 0 refuses them."""
    models = running.place.root / "models"
    shutil.copytree(models / BETTER, models / MIXED_UP)
    shutil.copy2(models / FIRST / "probe.json", models / MIXED_UP / "probe.json")
    value = yaml.safe_load((models / f"{BETTER}.yaml").read_text(encoding="utf-8"))
    value |= {"name": MIXED_UP, "adapter": value["adapter"] | {"path": f"models/{MIXED_UP}"}}
    value["adapter"]["digest"] = digest.of_directory(models / MIXED_UP)
    value.pop("evaluation")
    (models / f"{MIXED_UP}.yaml").write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
    stopped = running.run("train", "dpo", "--parent", MIXED_UP, "--name", "chat-v9.3")
    found: Figures = {"wrong_reference_training": stopped.code, "wrong_reference_said": _first_line(stopped)}
    (models / f"{MIXED_UP}.yaml").unlink()
    shutil.rmtree(models / MIXED_UP)
    assert stopped.code == 1 and "reference" in stopped.said.lower(), stopped.said
    assert not (models / "chat-v9.3.yaml").exists()
    return found


def poisoned(running: Shop) -> Figures:
    """One person votes more than all others together, for what is wrong: the set's check refuses it."""
    running.poison(POISON)
    curated = running.curate("what one person said")
    stopped = running.run("train", "dpo", "--name", "chat-v9.4")
    found: Figures = {
        "poisoned_curate": curated.code,
        "poisoned_training": stopped.code,
        "poisoned_said": _first_line(stopped),
    }
    assert stopped.code == 1 and "rater" in stopped.said, stopped.said
    return found


def _of_training(done: Command, name: str) -> Figures:
    value = done.value
    if value["version"] != name:
        raise RuntimeError(f"trained {value['version']}, not {name}")
    return {
        "dpo_seconds": value["seconds"],
        "dpo_command_seconds": round(done.seconds, 1),
        "dpo_peak_mib": max(value["peak_mib"].values()),
        "pairs": value["dataset"]["rows"],
    }


def _of_evaluation(running: Shop, name: str) -> Figures:
    done = running.do("evaluate", name, "-e", "production", codes=(0, 2))
    running.place.commit(f"{name}, evaluated")
    measured = {
        (suite["suite"], each["metric"]): each for suite in done.value["suites"] for each in suite["measured"]
    }
    won = measured["preference", "win_rate"]
    return {
        "win_rate": won["value"],
        "win_rate_low": won["low"],
        "accuracy": measured["regression", "accuracy"]["value"],
        "forgetting": measured["forgetting", "forgetting"]["value"],
        "parity_max_abs_diff": measured["parity", "parity_max_abs_diff"]["value"],
        "verdict": done.value["verdict"],
        "gates": _gates(done),
        "evaluate_seconds": round(done.seconds, 1),
    }


def _gates(done: Command) -> dict[str, str]:
    return {gate["gate"]: gate["verdict"] for gate in done.value["gates"]}


def _plain(root: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.train.plain", str(root), "dpo", FIRST]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _better_is_baseline(text: str) -> str:
    before, production = text.split("  production:\n")
    new = f"baseline: {BETTER}\n    standby: {FIRST}"
    return f"{before}  production:\n{production.replace(f'baseline: {FIRST}', new, 1)}"


def _recipe(text: str, name: str, times: float) -> str:
    """Return the policy with the learning rate of one recipe multiplied."""
    head, recipe, rest = re.split(rf"(?m)^(  {name}:\n)", text, maxsplit=1)
    changed = re.sub(
        r"learning_rate: ([0-9.e-]+)", lambda m: f"learning_rate: {float(m[1]) * times:g}", rest, count=1
    )
    return head + recipe + changed


def _without_alarms(text: str) -> str:
    return re.sub(r"(?m)^    guards:\n(      .*\n)+", f"    guards: {NO_ALARM}\n", text)


def _first_line(done: Command) -> str:
    return next((line for line in done.said.splitlines() if line.startswith("error")), "")


if __name__ == "__main__":
    sys.exit(main())
