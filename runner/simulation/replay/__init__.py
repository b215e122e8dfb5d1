"""Replay: a real arrival trace with real questions, played by many users and counted on both sides.

`play.replay` is called by `loop replay`, by load tests and by benchmarks. It speaks the gateway's public
API only and reads the event log; it never writes to either, and imports nothing of the executors.
"""
