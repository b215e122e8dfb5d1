"""Asks served models on purpose: again, to see whether they repeat themselves, or as a judge of what others said.

Called by commands. What answers mean is decided in `runner.signals`; here is the asking, its price and its record.
"""
