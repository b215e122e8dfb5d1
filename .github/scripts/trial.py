"""Refuses a rollback of a version that is not on trial: `loop rollback` takes back whoever is.

Called by rollback.yml with LOOP_ENVIRONMENT and VERSION set. A person who reads of a bad version and presses the button
means that one, and another may be on trial by then.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from runner.errors import LoopError
from runner.spec.files import DirectoryFiles
from runner.spec.load import Spec, load_or_raise


def refusal(spec: Spec, environment: str, version: str) -> str | None:
    """Return why `version` cannot be rolled back in `environment`; None where it is on trial there."""
    declared = spec.loop.environments.get(environment)
    if declared is None:
        known = ", ".join(spec.loop.environments)
        return f"error: there is no environment '{environment}' in loop.yaml\n  known: {known}"
    if declared.rollout is None:
        lines = [
            f"error: there is no candidate on trial in '{environment}'",
            f"  baseline: {declared.baseline}",
        ]
        if declared.baseline == version:
            lines.append("  fix: revert the commit that made it the baseline: `git revert`")
        return "\n".join(lines)
    if declared.rollout.candidate != version:
        return (
            f"error: '{version}' is not on trial in '{environment}'\n  on trial: {declared.rollout.candidate}"
        )
    return None


def main() -> int:
    """Read the desired state that is checked out."""
    try:
        spec = load_or_raise(DirectoryFiles(Path.cwd()))
    except LoopError as error:
        print(
            f"{error}\n  the version on trial cannot be told; it is rolled back all the same", file=sys.stderr
        )
        return 0
    found = refusal(spec, os.environ["LOOP_ENVIRONMENT"], os.environ["VERSION"])
    if found is not None:
        print(f"{found}\n  nothing was changed", file=sys.stderr)
    return 0 if found is None else 1


if __name__ == "__main__":
    sys.exit(main())
