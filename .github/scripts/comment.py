"""Posts a plan as one comment on its pull request, and updates that comment in place from then on.

Called by plan-comment.yml with a token that may write, so what it reads from the plan's directory is not
trusted: a text, which is cut to length and cannot mention anybody, and a number, which is believed only where
that pull request is open and its head is the commit that was planned. Nothing is installed where it runs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from github_api import AUTHOR, Call, github, listed, marked

MARKER = "<!-- loop plan -->"


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
    body = marked(MARKER, text, "the whole plan is in the summary of the run")
    for comment in listed(call, f"issues/{number}/comments"):
        if comment["user"]["login"] == AUTHOR and comment["body"].startswith(MARKER):
            call("PATCH", f"issues/comments/{comment['id']}", {"body": body})
            return f"updated the comment on #{number}"
    call("POST", f"issues/{number}/comments", {"body": body})
    return f"commented on #{number}"


def main() -> None:
    """Read the environment that GitHub sets, and the directory that the command line names."""
    print(publish(github(), Path(sys.argv[1]), os.environ["HEAD_SHA"]))


if __name__ == "__main__":
    main()
