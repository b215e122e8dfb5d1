"""Posts a plan as one comment on its pull request, and updates that comment in place from then on.

Called by plan-comment.yml with a token that may write, so what it reads from the plan's directory is not
trusted: a text, which is cut to length and cannot mention anybody, and a number, which is believed only where
that pull request is open and its head is the commit that was planned. Nothing is installed where it runs.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Call = Callable[[str, str, Any], Any]
"""(method, path below the repository, body or None) -> the answer's JSON."""

MARKER = "<!-- loop plan -->"
AUTHOR = "github-actions[bot]"
MOST_CHARACTERS = 60_000
PER_PAGE = 100


def publish(call: Call, plan: Path, head: str) -> str:
    """Post or update the comment and return what was done. Raises urllib.error.URLError."""
    number_file, text_file = plan / "number", plan / "plan.md"
    if number_file.is_symlink() or text_file.is_symlink():  # it could lead to this process's token
        return "the plan's files are links: nothing was posted"
    try:
        number, text = int(number_file.read_text()), text_file.read_text(errors="replace")
    except (OSError, ValueError):
        return "there is no plan to post"
    pull = call("GET", f"pulls/{number}", None)
    if pull["state"] != "open" or pull["head"]["sha"] != head:
        return f"#{number} is closed or has moved on: nothing was posted"
    body = comment_of(text)
    for comment in comments(call, number):
        if comment["user"]["login"] == AUTHOR and comment["body"].startswith(MARKER):
            call("PATCH", f"issues/comments/{comment['id']}", {"body": body})
            return f"updated the comment on #{number}"
    call("POST", f"issues/{number}/comments", {"body": body})
    return f"commented on #{number}"


def comment_of(text: str) -> str:
    """Return a comment's text: marked, without mentions, and short enough for GitHub."""
    quiet = text.replace("@", "@\N{ZERO WIDTH SPACE}")
    if len(quiet) > MOST_CHARACTERS:
        quiet = quiet[:MOST_CHARACTERS] + "\n\n(cut here: the whole plan is in the summary of the run)"
    return f"{MARKER}\n{quiet}"


def comments(call: Call, number: int) -> Iterator[dict[str, Any]]:
    """Yield all comments of a pull request, oldest first."""
    page = 1
    while found := call("GET", f"issues/{number}/comments?per_page={PER_PAGE}&page={page}", None):
        yield from found
        if len(found) < PER_PAGE:
            return
        page += 1


def github(api: str, repository: str, token: str) -> Call:
    """Return a caller of GitHub's API for one repository."""

    def call(method: str, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            f"{api}/repos/{repository}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    return call


def main() -> None:
    """Read the environment that GitHub sets, and the directory that the command line names."""
    environ = os.environ
    call = github(environ["GITHUB_API_URL"], environ["GITHUB_REPOSITORY"], environ["GITHUB_TOKEN"])
    print(publish(call, Path(sys.argv[1]), environ["HEAD_SHA"]))


if __name__ == "__main__":
    main()
