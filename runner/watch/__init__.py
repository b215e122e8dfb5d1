"""Measuring one environment: from the event log and the policies to a snapshot of every signal.

Here detectors, the store of counts and drift's memory come together; what a value means is `signals`' to say. It
reads the log, writes only below its own folder, and asks no live system.
"""
