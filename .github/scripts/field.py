"""Prints a field of a JSON file as a step's output: `field.py OUTPUT FILE KEY [KEY ...]`. Called by retrain.yml."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    """Follow the keys; a value of more than one line is refused, since it would be several outputs."""
    output, file, *keys = sys.argv[1:]
    value = json.loads(Path(file).read_text(encoding="utf-8"))
    for key in keys:
        value = value[key]
    if not isinstance(value, str) or "\n" in value:
        sys.exit(f"error: {file}: '{'.'.join(keys)}' is not one line of text")
    print(f"{output}={value}")


if __name__ == "__main__":
    main()
