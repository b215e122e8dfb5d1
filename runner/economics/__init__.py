"""When a round of training is worth it, and why a model does not improve: figures in, decisions with reasons out.

Called by `loop decide` and `loop diagnose`. Computation only: it reads no files and asks no system.
"""
