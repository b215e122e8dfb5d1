"""`make bench-gateway`: our gateway and LiteLLM's proxy before the same upstream, interleaved in one run.

Overhead is the latency through a proxy less the latency straight to the upstream, percentile against
percentile, in the same round; the figure is the median of the rounds. CPU is what the proxy's processes used,
from /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.gateway import load, proxies
from benchmarks.gateway.load import Measured
from benchmarks.gateway.proxies import Proxy

RATES = (50, 100, 200, 400, 800, 1600)
RESULT = Path("benchmarks/results/gateway.json")
WARM_UP_S = 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: requests a second, rounds at each rate, and the seconds of a round."""

    rates: tuple[int, ...]
    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Round:
    """One proxy in one round at one rate."""

    measured: Measured
    cpu_us: float
    """Of the proxy's processes, for each answered request."""


class Results:
    """All rounds by proxy and rate."""

    def __init__(self) -> None:
        self.rounds: dict[tuple[str, int], list[Round]] = defaultdict(list)

    def overhead_ms(self, name: str, rate: int, share: float) -> float | None:
        """Return the median over the rounds of the paired difference of percentiles."""
        pairs = zip(self.rounds[name, rate], self.rounds["direct", rate], strict=False)
        differences = [
            through - straight
            for proxy, direct in pairs
            if (through := proxy.measured.percentile(share)) is not None
            and (straight := direct.measured.percentile(share)) is not None
        ]
        return round(statistics.median(differences), 3) if differences else None

    def cpu_us(self, name: str, rate: int) -> float | None:
        """Return the median over the rounds of the CPU time of a request."""
        rounds = self.rounds[name, rate]
        return round(statistics.median(r.cpu_us for r in rounds), 1) if rounds else None

    def max_rate(self, name: str) -> int | None:
        """Return the highest rate at which most rounds kept up."""
        kept = [
            rate
            for (proxy, rate), rounds in self.rounds.items()
            if proxy == name and rounds and sum(r.measured.kept_up for r in rounds) * 2 > len(rounds)
        ]
        return max(kept, default=None)


async def measure(targets: Sequence[Proxy], key: str, plan: Plan) -> Results:
    """Take every target in turn, round after round, at every rate; drop one that no longer keeps up."""
    results = Results()
    left = list(targets)
    async with load.session(key) as session:
        for target in targets:
            await load.offer(session, _path(target), 20, WARM_UP_S)
        for rate in plan.rates:
            for _ in range(plan.rounds):
                for target in left:
                    before = target.cpu_us()
                    measured = await load.offer(session, _path(target), rate, plan.seconds)
                    used = target.cpu_us() - before
                    done = max(1, len(measured.latencies_ms))
                    results.rounds[target.name, rate].append(Round(measured, used / done))
            left = [t for t in left if results.max_rate(t.name) == rate or t.name == "direct"]
            print(_rows(results, [t.name for t in targets], rate), flush=True)
            if len(left) == 1:
                break
    return results


def _path(target: Proxy) -> str:
    return f"{target.url}/v1/chat/completions"


def _rows(results: Results, names: Sequence[str], rate: int) -> str:
    lines = []
    for name in names:
        rounds = results.rounds[name, rate]
        if not rounds:
            lines.append(f"{rate:>6}  {name:<8}  does not keep up at a lower rate")
            continue
        p50, p99 = (statistics.median(r.measured.percentile(s) or 0.0 for r in rounds) for s in (0.5, 0.99))
        failed = sum(r.measured.failed for r in rounds)
        figures = [f"{p50:8.2f}", f"{p99:8.2f}"]
        figures += [_show(results.overhead_ms(name, rate, s)) for s in (0.5, 0.99)]
        figures += [_show(results.cpu_us(name, rate)), f"{failed:>6}"]
        lines.append(f"{rate:>6}  {name:<8}  {'  '.join(figures)}")
    return "\n".join(lines)


def _show(value: float | None) -> str:
    return f"{'-' if value is None else f'{value:.2f}':>8}"


def figures(results: Results) -> dict[str, Any]:
    """Return the figures by which this benchmark is judged; None is what could not be measured."""
    lowest = results.max_rate("litellm")
    litellm_rate = 100 if results.rounds["litellm", 100] else (lowest or 50)
    ours, theirs = results.cpu_us("gateway", 100), results.cpu_us("litellm", litellm_rate)
    return {
        "overhead_p50_ms_100": results.overhead_ms("gateway", 100, 0.5),
        "overhead_p99_ms_100": results.overhead_ms("gateway", 100, 0.99),
        "cpu_us_per_request": ours,
        "litellm_overhead_p50_ms_100": results.overhead_ms("litellm", 100, 0.5),
        "litellm_overhead_p99_ms_100": results.overhead_ms("litellm", 100, 0.99),
        "litellm_cpu_us_per_request": theirs,
        "cpu_ratio": round(ours / theirs, 4) if ours and theirs else None,
        "max_rps": results.max_rate("gateway"),
        "litellm_max_rps": lowest,
    }


def main() -> None:
    """Measure, print a table, write the result, and print the figures as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of one round at one rate")
    parser.add_argument("--rates", type=int, nargs="+", default=list(RATES))
    options = parser.parse_args()
    plan = Plan(tuple(options.rates), options.rounds, options.seconds)
    key = f"sk-{secrets.token_hex(24)}"
    print("a constant upstream; latency and overhead in ms, CPU of the proxy in us for each request")
    heads = "  ".join(f"{head:>8}" for head in ("p50", "p99", "over p50", "over p99", "cpu us"))
    print(f"{'rps':>6}  {'through':<8}  {heads}  failed")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-gateway-")))
        direct = stack.enter_context(proxies.upstream(folder))
        ours = stack.enter_context(proxies.gateway(folder, direct.url, key))
        theirs = stack.enter_context(proxies.litellm(folder, direct.url, key))
        if theirs is None:
            print("litellm is not installed: bash requirements/install.sh .venv-bench bench")
        targets = [direct, ours, *([theirs] if theirs else [])]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            results = runner.run(measure(targets, key, plan))
    summary = figures(results)
    detail = [
        {
            "proxy": name,
            "rate": rate,
            "overhead_p50_ms": results.overhead_ms(name, rate, 0.5),
            "overhead_p99_ms": results.overhead_ms(name, rate, 0.99),
            "cpu_us": results.cpu_us(name, rate),
            "failed": sum(r.measured.failed for r in rounds),
        }
        for (name, rate), rounds in list(results.rounds.items())
    ]
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()}
    RESULT.write_text(json.dumps({"figures": summary, "machine": machine, "rounds": detail}, indent=2) + "\n")
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
