"""Privacy: that nobody relies on a protection which this version does not give."""

from __future__ import annotations

from collections.abc import Iterator

from runner.errors import Diagnostic, Severity
from runner.spec.files import Files
from runner.spec.parse import Parsed
from runner.spec.privacy import Content, PrivacyPolicy


def check(parsed: Parsed, files: Files) -> Iterator[Diagnostic]:
    """Yield a warning for groups whose text would be kept although the policy excludes them."""
    del files
    policy = parsed.policy(PrivacyPolicy)
    if policy is None or not policy.exclude_groups or policy.content is Content.OFF:
        return
    kept = f"conversations of these groups are kept {policy.content.value} like all others"
    evidence = (f"groups: {', '.join(policy.exclude_groups)}",)
    where = parsed.document("policies/privacy").at("exclude_groups")
    fix = "write 'content: off'; it holds for all groups"
    yield Diagnostic(f"not in force in this version: {kept}", where, evidence, fix, Severity.WARNING)
