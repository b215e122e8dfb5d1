"""Counts in, readings out: value, interval, verdict and trend of every signal. Computation only, no files."""
