"""What to do about measured values: conditions compiled into tests, their evidence, stages, verdicts.

Computation only: no clock, no files, no network. The reconciler acts on what is decided here.
"""
