"""Opens an issue, or updates the one that was opened under the same mark before: `issue.py MARK TITLE FILE`.

Called by report.yml for each week and by retrain.yml for a candidate that goes no further. Nothing is installed where
it runs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from github_api import AUTHOR, Call, github, listed, marked


def publish(call: Call, mark: str, title: str, text: str) -> str:
    """Open or update the issue of `mark` and return what was done. Raises urllib.error.URLError."""
    marker = f"<!-- loop {mark} -->"
    body = marked(marker, text, "the whole of it is beside the run of the workflow")
    for issue in listed(call, f"issues?state=all&creator={AUTHOR}"):
        if (issue["body"] or "").startswith(marker):
            call("PATCH", f"issues/{issue['number']}", {"body": body})
            return f"updated #{issue['number']}"
    made = call("POST", "issues", {"title": title, "body": body})
    return f"opened #{made['number']}"


def main() -> None:
    """Read the environment that GitHub sets, and the command line."""
    mark, title, file = sys.argv[1:]
    print(publish(github(), mark, title, Path(file).read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
