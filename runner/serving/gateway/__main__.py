"""`python -m runner.serving.gateway --config FILE`: one gateway process, for `loop up` or a supervisor."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
from pathlib import Path

import uvloop

from runner.errors import LoopError
from runner.serving.gateway import config, server


def main() -> int:
    """Run until a signal; 1 where the configuration, an address or a file is not to be had."""
    parser = argparse.ArgumentParser(prog="python -m runner.serving.gateway", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="JSON file of a GatewayConfig")
    try:
        settings = config.read(parser.parse_args().config)
        gc.freeze()  # imports live for ever, and scanning them again and again shows in the slowest answers
        sys.setswitchinterval(0.001)  # a thread that masks a long text lets answers through more often
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.run(settings))
    except LoopError as error:
        print(f"{error}\n  {error.changed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
