"""How often decisions are wrong and how late they come, in simulated worlds; `python -m benchmarks.decisions.run`."""
