"""What the scripts of the workflows share: one caller of GitHub's API, and texts that are fit to be posted.

Nothing is installed where it runs: the standard library is all there is.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

Call = Callable[[str, str, Any], Any]
"""(method, path below the repository, body or None) -> the answer's JSON."""

AUTHOR = "github-actions[bot]"
MOST_CHARACTERS = 60_000
PER_PAGE = 100


def marked(marker: str, text: str, whole: str) -> str:
    """Return a text to post: marked, without mentions, and short enough; `whole` says where all of it is."""
    quiet = text.replace("@", "@\N{ZERO WIDTH SPACE}")
    if len(quiet) > MOST_CHARACTERS:
        quiet = f"{quiet[:MOST_CHARACTERS]}\n\n(cut here: {whole})"
    return f"{marker}\n{quiet}"


def listed(call: Call, path: str) -> Iterator[dict[str, Any]]:
    """Yield everything of a list, page after page; `path` may have a query of its own."""
    page, joint = 1, "&" if "?" in path else "?"
    while found := call("GET", f"{path}{joint}per_page={PER_PAGE}&page={page}", None):
        yield from found
        if len(found) < PER_PAGE:
            return
        page += 1


def github() -> Call:
    """Return a caller of GitHub's API for the repository of this run. Its calls raise urllib.error.URLError."""
    environ = os.environ
    base = f"{environ['GITHUB_API_URL']}/repos/{environ['GITHUB_REPOSITORY']}"
    headers = {
        "Authorization": f"Bearer {environ['GITHUB_TOKEN']}",
        "Accept": "application/vnd.github+json",
    }

    def call(method: str, path: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{base}/{path}", method=method, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    return call
