"""Prints which versions a pull request brings forward: `versions=` and their names, as outputs of a step have it.

Called by evaluate.yml as `promoted.py BASE`, in a checkout of the pull request's merge. It compares what two commits
declare and looks at no file's bytes; `loop evaluate` decides what a version is worth.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from runner.errors import LoopError
from runner.git.repository import Repository
from runner.spec.load import Spec, load_or_raise


def promoted(base: Spec, head: Spec) -> list[str]:
    """Return the versions to evaluate, in order of name.

    Those whose file is new or another one, and those that an environment puts on trial or trusts and did not before.
    Where only the suites or the gates change it is what serves now: a new policy is tried on that.
    """
    found = {name for name, version in head.models.items() if base.models.get(name) != version}
    found |= {name for _, _, name in set(_roles(head)) - set(_roles(base))}
    if not found and base.policies.evaluation != head.policies.evaluation:
        found = {name for _, _, name in _roles(head)}
    return sorted(found)


def _roles(spec: Spec) -> Iterator[tuple[str, str, str]]:
    """Yield (environment, role, version) of what users meet."""
    for name, environment in spec.loop.environments.items():
        yield name, "baseline", environment.baseline
        if environment.rollout is not None:
            yield name, "candidate", environment.rollout.candidate


def main() -> int:
    """Compare the commit that is checked out with the one that the command line names."""
    repository = Repository(Path.cwd())
    try:
        base = load_or_raise(repository.files_at(repository.resolve(sys.argv[1])))
        head = load_or_raise(repository.files_at(repository.head()))
    except LoopError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"versions={' '.join(promoted(base, head))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
