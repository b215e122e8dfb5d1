"""Privacy: nobody relies on a protection which this version does not give."""

from __future__ import annotations

import pytest

from runner.errors import Severity

POLICY = "policies/privacy.yaml"


@pytest.mark.parametrize("content", ["masked", "raw"])
def test_groups_that_are_excluded_are_told_that_their_text_is_kept(repository, content):
    repository.set(POLICY, "content", to=content)
    repository.set(POLICY, "exclude_groups", to=["beta", "internal"])
    repository.refuses(
        f"not in force in this version: conversations of these groups are kept {content} like all others",
        line="- beta",
        evidence="groups: beta, internal",
        fix="write 'content: off'",
        severity=Severity.WARNING,
    )


def test_where_no_text_is_kept_at_all_excluded_groups_are_no_matter(repository):
    repository.set(POLICY, "content", to="off")
    repository.set(POLICY, "exclude_groups", to=["beta"])
    assert repository.load().diagnostics == ()
