"""Numbers in, numbers out: tests that stay valid however often one looks, and intervals that do.

Nothing here knows of versions, events or YAML. Arrays broadcast over leading axes, so that one look at one
rollout and a simulation of a thousand worlds are the same code.
"""
