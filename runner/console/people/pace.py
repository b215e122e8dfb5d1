"""How often one address may sign in: a token bucket for each, so that nobody fills the sessions or guesses for all.

Used by the entrance. Behind a proxy all people have the proxy's address and share its bucket.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

BURST = 30
"""Sign-ins of one address at once."""
PER_MINUTE = 15
REMEMBERED = 10_000
"""Addresses kept at once; of more, the one that came least recently is forgotten."""
_HOME = 64  # bits of an IPv6 address that say whose network it is; one machine may have all addresses below


class Pace:
    """A bucket for each address, `BURST` full at first and refilled evenly. Times are monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """Take one from an address' bucket and return 0; where it is empty, whole seconds until one is there."""
        who, now = _network(address), self._clock()
        left, then = self._buckets.pop(who, (float(BURST), now))
        left = min(float(BURST), left + (now - then) * PER_MINUTE / 60)
        if len(self._buckets) >= REMEMBERED:
            self._buckets.popitem(last=False)
        self._buckets[who] = (left - 1 if left >= 1 else left, now)
        return 0 if left >= 1 else math.ceil((1 - left) * 60 / PER_MINUTE)


def _network(address: str) -> str:
    """Return whose address it is: of IPv6 the network; what is no address stands for itself."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((int(found), _HOME), strict=False))
    return str(found)
