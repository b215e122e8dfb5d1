"""What the signals find on real data, how fast, and how well; `python -m benchmarks.signals.run`."""
