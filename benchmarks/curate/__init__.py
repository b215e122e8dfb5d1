"""From the event log to a checked snapshot: how fast, with how much memory; `python -m benchmarks.curate.run`."""
