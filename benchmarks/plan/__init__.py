"""How fast the reconciler sees, decides and heals; `python -m benchmarks.plan.run`."""
