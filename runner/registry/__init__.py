"""What is known of versions: lineage, names, tags, what sets two of them apart.

`models/*.yaml` and DVC hold the facts; nothing is kept anywhere else. Called by `loop models`, `loop train` and
promotion. Computation only: it reads no files and asks no system.
"""
