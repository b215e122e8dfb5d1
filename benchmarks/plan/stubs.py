"""Stub engines in one process of their own, so that their work is not measured with the reconciler's.

`python -m benchmarks.plan.stubs COUNT` prints their addresses as one line of JSON and ends with its input.
"""

from __future__ import annotations

import contextlib
import json
import sys

from tests.doubles.stub_engine import stub_engine


def main() -> None:
    """Serve until the input ends."""
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(stub_engine()).url for _ in range(int(sys.argv[1]))]
        print(json.dumps(urls), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
