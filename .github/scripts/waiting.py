"""Tells whether the last round of training waits for a person, and puts that into the step's output `waiting`.

Called by retrain.yml before it decides. A round that waits is an open pull request of a promotion, or an open issue
about a candidate that was stopped; both only where automation opened them here. Nothing is installed where it runs.
"""

from __future__ import annotations

import os
from pathlib import Path

from github_api import AUTHOR, Call, github, listed

BRANCHES = "loop/promote"
STOPPED = "<!-- loop candidate "


def waiting(call: Call, repository: str) -> list[str]:
    """Return the addresses of what is open. Raises urllib.error.URLError."""
    pulls = [
        pull["html_url"]
        for pull in listed(call, "pulls?state=open")
        if pull["head"]["ref"].startswith(BRANCHES)
        and (pull["head"]["repo"] or {}).get("full_name") == repository
    ]
    issues = [
        issue["html_url"]
        for issue in listed(call, f"issues?state=open&creator={AUTHOR}")
        if (issue["body"] or "").startswith(STOPPED)
    ]
    return [*pulls, *issues]


def main() -> None:
    """Read the environment that GitHub sets."""
    found = waiting(github(), os.environ["GITHUB_REPOSITORY"])
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as output:
        output.write(f"waiting={' '.join(found)}\n")
    said = [f"- {address}" for address in found]
    text = "\n".join(
        ["No round of training: the last one waits for a person.", *said] if found else ["Nothing waits."]
    )
    print(text)
    if found:
        with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as summary:
            summary.write(f"{text}\n")


if __name__ == "__main__":
    main()
