"""A socket that listens on an address as people write it; for the gateway and the monitor, which are servers both."""

from __future__ import annotations

import socket

from runner.errors import terminal


def listening(address: str, backlog: int) -> socket.socket:
    """Return a socket that listens on `HOST:PORT`. Raises TerminalError, with nothing left open."""
    host, _, port = address.rpartition(":")
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host.strip("[]"), int(port)))
        made.listen(backlog)
        made.setblocking(False)
    except (OSError, ValueError, OverflowError) as error:
        made.close()
        raise terminal(
            f"cannot listen on '{address}'",
            str(error),
            fix="choose a free HOST:PORT, or stop what listens there",
        ) from error
    return made


def url(listener: socket.socket) -> str:
    """Return the address under which a listening socket is reached over HTTP."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
