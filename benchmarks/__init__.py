"""Benchmarks: each measures its peers and its baseline in the same run, and ends with one JSON object."""
