"""When a round of training is worth it, why a model does not improve, what serving it costs: figures in, reasons out.

Called by `loop decide`, `loop diagnose` and `loop cost`. Computation only: it reads no files and asks no system.
"""
