"""What of an address may be shown, and written into a file: never the secret that people put into it.

Called by `loop init`, which refuses such addresses, and by `loop doctor`, which tells of remotes and receivers. Pure.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_WEB = ("http", "https")
_CUT = "..."
_IN_TEXT = re.compile(r"\w[\w+.-]*://\S+?(?=['\"]*[:.,;]*(?:\s|$))")


def without_secret(url: str) -> str:
    """Return an address without what may be secret in it; a path, and `git@host:path`, as they are.

    Cut are a password, the user of a web address (who is a token there), query and fragment, and everything behind the
    scheme where a password may hold what ends a host: `https://ada:pass/word@host`.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    try:
        parts = urlsplit(f"//{rest}")
        parts.port  # noqa: B018 - reading it is what raises for a port that is none
    except ValueError:
        return f"{scheme}://{_CUT}"
    user, at, host = parts.netloc.rpartition("@")
    if not at and ":" in host and "@" in rest:
        return f"{scheme}://{_CUT}"
    kept = "" if scheme.lower().endswith(_WEB) else user.partition(":")[0]
    return f"{scheme}://{kept}{'@' if kept else ''}{host}{parts.path}"


def holds_secret(url: str) -> bool:
    """Whether an address has something in it that must not stand in a file."""
    return without_secret(url) != url


def text_without_secret(text: str) -> str:
    """Return a text with every address in it shortened by what may be secret."""
    return _IN_TEXT.sub(lambda found: without_secret(found[0]), text)
