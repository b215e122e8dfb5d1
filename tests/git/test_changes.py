"""The runner's edits: what is meant changes, every other byte stays."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runner.errors import TerminalError
from runner.git.changes import How, advance, conclude, lift, quarantine_entry, roll_back
from runner.git.threeway import merge
from runner.spec.quarantine import Quarantined, QuarantineFile
from runner.spec.source import read

BEFORE = """\
# what serves
name: bookshop
environments:
  staging: {baseline: chat-v1.0}  # small
  production:
    # the address
    gateway: {listen: 127.0.0.1:8080}
    baseline: chat-v1.0   # trusted

    suspend: false
poll: 2s
"""
ROLLOUT = "    rollout:\n      candidate: chat-v1.1\n      stage: canary\n"
AFTER_BASELINE = "chat-v1.0   # trusted\n"


def entered(before: str = BEFORE, rollout: str = ROLLOUT, after: str = AFTER_BASELINE) -> str:
    assert after in before
    return before.replace(after, after + rollout, 1)


def value(text: str) -> dict:
    document, problems = read("text", text.encode())
    assert document is not None, problems
    assert not problems
    return document.value


# Advance


def test_an_advance_changes_one_line() -> None:
    now = entered()
    assert advance(now, "production", "small") == now.replace("stage: canary", "stage: small")


def test_an_advance_into_the_stage_it_stands_in_changes_nothing() -> None:
    quoted = entered().replace("stage: canary", "stage: 'canary'")
    assert advance(quoted, "production", "canary") == quoted


@pytest.mark.parametrize("environment", ["staging", "nowhere"])
def test_without_a_rollout_there_is_nothing_to_advance(environment: str) -> None:
    with pytest.raises(TerminalError, match="no rollout to advance"):
        advance(entered(), environment, "small")


# Conclude


def concluded(text: str) -> dict:
    """Return what a file means once its rollout in production is concluded."""
    spec = value(text)
    environment = spec["environments"]["production"]
    candidate = environment.pop("rollout")["candidate"]
    environment |= {"standby": environment["baseline"], "baseline": candidate}
    return spec


def test_a_conclusion_makes_the_candidate_the_baseline_and_the_baseline_the_standby() -> None:
    expected = BEFORE.replace(
        AFTER_BASELINE, AFTER_BASELINE.replace("v1.0", "v1.1") + "    standby: chat-v1.0\n"
    )
    assert conclude(entered(), "production") == expected


def test_a_standby_that_is_declared_changes_in_its_place() -> None:
    text = entered().replace("    suspend: false\n", "    standby: chat-v0.9  # loaded\n    suspend: false\n")
    after = conclude(text, "production")
    assert "    standby: chat-v1.0  # loaded\n" in after
    assert value(after) == concluded(text)


def test_a_comment_above_the_rollout_stays_when_it_is_concluded() -> None:
    text = entered(rollout="    # what follows is about switches\n" + ROLLOUT)
    assert "    # what follows is about switches\n" in conclude(text, "production")


@pytest.mark.parametrize(
    ("inside", "after"),
    [
        ("baseline: a, rollout: {candidate: b, stage: c}", "baseline: b, standby: a"),
        ("rollout: {candidate: b, stage: c}, baseline: a, poll: 1", "baseline: b, standby: a, poll: 1"),
        ("standby: z, baseline: 'a', rollout: {candidate: b, stage: c}", "standby: a, baseline: b"),
    ],
)
def test_a_flow_mapping_is_concluded_too(inside: str, after: str) -> None:
    text = f"environments: {{production: {{{inside}}}}}\n"
    assert conclude(text, "production") == f"environments: {{production: {{{after}}}}}\n"


@pytest.mark.parametrize("environment", ["staging", "nowhere"])
def test_without_a_rollout_there_is_nothing_to_conclude(environment: str) -> None:
    with pytest.raises(TerminalError, match="no rollout to conclude"):
        conclude(entered(), environment)


def test_a_conclusion_that_would_change_more_is_refused() -> None:
    shared = "old: &rollout {candidate: b, stage: c}\nenvironments:\n  production:\n    baseline: a\n"
    text = shared + "    ? rollout\n    : {candidate: b, stage: c}\n"
    with pytest.raises(TerminalError):
        conclude(text, "production")


# Roll back


@pytest.mark.parametrize(
    "now",
    [
        entered(),
        advance(entered(), "production", "half"),
        entered(rollout="    # on trial since Monday\n" + ROLLOUT + "      # until Friday\n"),
        entered(rollout="\n" + ROLLOUT + "\n"),
        entered(rollout="    rollout: {candidate: chat-v1.1, stage: canary}  # flow\n"),
        entered(rollout='    "rollout":\n        stage: canary\n\n        candidate: chat-v1.1  # last\n'),
    ],
)
def test_nothing_else_changed_so_the_bytes_of_before_come_back(now: str) -> None:
    assert roll_back(now, BEFORE, "production") == (BEFORE, How.REVERTED)
    assert value(roll_back(now, None, "production")[0]) == value(BEFORE)


def test_a_flow_mapping_loses_the_entry_and_its_comma() -> None:
    for inside in (
        "{baseline: a, rollout: {candidate: b, stage: c}}",
        "{rollout: {candidate: b, stage: c}, baseline: a}",
    ):
        before = "environments: {production: {baseline: a}}\n"
        now = f"environments: {{production: {inside}}}\n"
        assert roll_back(now, None, "production") == (before, How.EDITED)
        assert roll_back(now, before, "production") == (before, How.REVERTED)


def test_a_flow_mapping_over_several_lines_keeps_the_comments_of_others() -> None:
    before = "environments:\n  production: {\n    baseline: a, # trusted\n  }\n"
    now = before.replace("  }", "    rollout: {candidate: b, stage: c} # on trial\n  }")
    assert roll_back(now, None, "production") == (before, How.EDITED)
    first = before.replace("    base", "    rollout: {candidate: b,\n     stage: c}, # on trial\n    base")
    assert roll_back(first, None, "production") == (before, How.EDITED)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_line_ends_mark_and_a_missing_last_line_end_stay(mark: str, newline: str, end: str) -> None:
    text = BEFORE[: BEFORE.index("poll")]
    before = mark + text.replace("\n", newline)
    now = mark + (text + ROLLOUT).replace("\n", newline)
    now = now.removesuffix(newline) + (newline if end else "")
    assert roll_back(now, before, "production") == (before, How.REVERTED)
    assert roll_back(now, None, "production") == (before, How.EDITED)


def test_a_file_that_ended_without_a_line_end_does_so_again() -> None:
    before = BEFORE[: BEFORE.index("\npoll")]
    assert roll_back(before + "\n" + ROLLOUT, before, "production") == (before, How.REVERTED)


def test_other_changes_meanwhile_stay_beside_the_revert() -> None:
    now = entered().replace("poll: 2s", "poll: 5s")
    expected = BEFORE.replace("poll: 2s", "poll: 5s")
    advanced = advance(now, "production", "half")
    for text in (now, advanced):
        assert roll_back(text, BEFORE, "production", entered()) == (expected, How.MERGED)
        assert roll_back(text, BEFORE, "production") == (expected, How.EDITED)


def test_a_comment_that_came_with_the_rollout_goes_with_it_wherever_it_stands() -> None:
    came = "# trying chat-v1.1\n" + entered()
    assert roll_back(came, BEFORE, "production", came) == (BEFORE, How.REVERTED)
    later = came.replace("poll: 2s", "poll: 5s")
    expected = BEFORE.replace("poll: 2s", "poll: 5s")
    assert roll_back(later, BEFORE, "production", came) == (expected, How.MERGED)


def test_where_a_revert_conflicts_the_block_alone_is_taken_out() -> None:
    now = entered().replace("# trusted\n", "# trusted by all\n")
    expected = BEFORE.replace("# trusted\n", "# trusted by all\n")
    # The changed line is the neighbour of the block: for Git, and here, that is a conflict.
    assert merge(entered(), now, BEFORE) is None
    assert roll_back(now, BEFORE, "production", entered()) == (expected, How.EDITED)


def test_a_change_that_came_with_the_rollout_and_means_something_is_not_undone() -> None:
    came = entered().replace("poll: 2s", "poll: 5s")
    expected = BEFORE.replace("poll: 2s", "poll: 5s")
    assert roll_back(came, BEFORE, "production", came) == (expected, How.EDITED)


def test_a_candidate_that_replaced_another_does_not_bring_that_one_back() -> None:
    before = entered()
    now = before.replace("candidate: chat-v1.1", "candidate: chat-v1.2")
    assert roll_back(now, before, "production", now) == (BEFORE, How.EDITED)


def test_a_comment_that_was_there_before_the_rollout_stays() -> None:
    before = BEFORE.replace(AFTER_BASELINE, AFTER_BASELINE + "    # what follows is about switches\n")
    now = before.replace("switches\n", "switches\n" + ROLLOUT).replace("poll: 2s", "poll: 5s")
    assert roll_back(now, before, "production")[0] == before.replace("poll: 2s", "poll: 5s")


def test_without_a_rollout_nothing_changes() -> None:
    assert roll_back(BEFORE, None, "production") == (BEFORE, How.ABSENT)


def test_another_environments_rollout_stays() -> None:
    before = BEFORE.replace(
        "{baseline: chat-v1.0}", "{baseline: chat-v1.0, rollout: {candidate: x, stage: y}}"
    )
    assert roll_back(entered(before), before, "production") == (before, How.REVERTED)


@pytest.mark.parametrize(
    "text",
    [
        "environments:\n  production:\n    rollout: {candidate: b}\n",  # nothing would be left: null, not {}
        "environments:\n  production:\n    ? rollout\n    : {candidate: b}\n    baseline: a\n",
        "environments: [\n",
    ],
)
def test_what_cannot_be_taken_out_cleanly_is_refused(text: str) -> None:
    with pytest.raises(TerminalError):
        roll_back(text, None, "production")


_COMMENTS = st.sampled_from(["", "  # a comment: {with} marks", " #", "  "])
_VALUES = st.sampled_from(
    ["1", "'x y'", '"q, }"', "plain text", "5%", "{a: 1, b: [2, 3]}", "[x, y]", "한국어 😀"]
)
_GAPS = st.sampled_from(["", "\n", "# above\n", "      # deep\n", "    # at the key\n\n", "  \n"])


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a file without a rollout, and the same with one: its lines stand together at one place."""
    keys = draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4, unique=True))
    lines = [f"    {key}: {draw(_VALUES)}{draw(_COMMENTS)}\n" for key in keys]
    gaps = [draw(_GAPS) for _ in keys]
    block = draw(
        st.sampled_from(
            [
                ROLLOUT,
                "    rollout: {candidate: c, stage: s}\n",
                "    rollout:   # on trial\n          stage: 's'\n\n          candidate: c\n",
                "    rollout: {candidate: c,\n              stage: s}  # two lines\n",
            ]
        )
    )
    at = draw(st.integers(0, len(keys)))
    body = [line + gap for line, gap in zip(lines, gaps, strict=True)]
    head, tail = (
        "# top\nenvironments:\n  production:\n",
        draw(st.sampled_from(["", "  other: {a: 1}\n", "poll: 2s\n"])),
    )
    before = head + "".join(body) + tail
    now = head + "".join(body[:at]) + block + "".join(body[at:]) + tail
    if draw(st.booleans()):
        before, now = before.replace("\n", "\r\n"), now.replace("\n", "\r\n")
    if draw(st.booleans()):
        before, now = "\ufeff" + before, "\ufeff" + now
    return before, now


@settings(max_examples=300, deadline=None)
@given(texts())
def test_property_an_advance_and_a_rollback_keep_every_other_byte(drawn: tuple[str, str]) -> None:
    before, now = drawn
    assert roll_back(now, before, "production") == (before, How.REVERTED)
    assert roll_back(now, before, "production", now) == (before, How.REVERTED)
    stage = value(now)["environments"]["production"]["rollout"]["stage"]
    advanced = advance(now, "production", "half")
    cut = [i for i, (a, b) in enumerate(zip(now.split("\n"), advanced.split("\n"), strict=True)) if a != b]
    assert len(cut) == 1
    assert advance(advanced, "production", stage).split("\n")[: cut[0]] == now.split("\n")[: cut[0]]
    assert roll_back(advanced, before, "production", now) == (before, How.REVERTED)


@settings(max_examples=200, deadline=None)
@given(
    texts(),
    st.sampled_from(["    baseline: chat-v1.0  # trusted\n", "    baseline: 'chat-v1.0'\n"]),
    st.sampled_from(["", "    standby: chat-v0.9   # loaded\n", "    standby:\n"]),
)
def test_property_a_conclusion_keeps_every_other_line(
    drawn: tuple[str, str], baseline: str, standby: str
) -> None:
    def grown(text: str) -> str:
        newline = "\r\n" if "\r" in text else "\n"
        return text.replace(
            f"production:{newline}",
            f"production:{newline}{(baseline + standby).replace(chr(10), newline)}",
            1,
        )

    before, now = map(grown, drawn)
    after = conclude(now, "production")
    assert value(after) == concluded(now)
    written = [line for line in after.splitlines() if "baseline:" not in line and "standby:" not in line]
    kept = [line for line in before.splitlines() if "baseline:" not in line and "standby:" not in line]
    assert written == kept


@settings(max_examples=200, deadline=None)
@given(texts(), st.integers(0, 20), st.sampled_from(["# noted\n", "\n"]))
def test_property_what_others_wrote_meanwhile_is_kept(drawn: tuple[str, str], at: int, line: str) -> None:
    before, now = drawn
    lines = now.split("\n")
    first = next(i for i, each in enumerate(lines) if "rollout" in each)
    assume(at < first and at < len(lines))
    newer = "\n".join([*lines[:at], line.rstrip("\n") + ("\r" if "\r" in now else ""), *lines[at:]])
    assume(value_or_none(newer) == value(now))
    for introduced in (None, now):
        text, _ = roll_back(newer, before, "production", introduced)
        assert value(text) == value(before)
        assert text.count("# noted") == (1 if "noted" in line and at < first else 0) or at == first


def value_or_none(text: str) -> dict | None:
    document, problems = read("text", text.encode())
    return None if document is None or problems else document.value


# Three ways

_LINES = st.lists(st.sampled_from("abc"), max_size=6).map(
    lambda found: "".join(f"{line}\n" for line in found)
)


@settings(max_examples=60, deadline=None)
@given(base=_LINES, ours=_LINES)
def test_one_sided_changes_always_merge(base: str, ours: str) -> None:
    assert merge(base, ours, base) == ours
    assert merge(base, base, ours) == ours
    assert merge(base, ours, ours) == ours


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("A\nb\nc\nd\ne\n", "a\nb\nc\nd\nE\n"),
        ("a\nc\nd\ne\n", "a\nb\nc\nd\ne\nf\n"),
        ("A\nb\nc\nd\ne\n", "B\nb\nc\nd\ne\n"),
        ("a\nB\nc\nd\ne\n", "a\nb\nC\nd\ne\n"),
        ("a\nb\nc\nd\ne", "A\nb\nc\nd\ne\n"),
    ],
)
def test_a_merge_is_the_one_that_git_makes(tmp_path: Path, ours: str, theirs: str) -> None:
    base = "a\nb\nc\nd\ne\n"
    for name, text in {"ours": ours, "base": base, "theirs": theirs}.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["git", "merge-file", "-p", "ours", "base", "theirs"], cwd=tmp_path, capture_output=True, text=True
    )
    assert merge(base, ours, theirs) == (done.stdout if done.returncode == 0 else None)


# Quarantine


def entry(served: str = "chat-v1.1--0123456789ab", **changes: object) -> Quarantined:
    facts: dict[str, object] = {
        "served": served,
        "environment": "production",
        "at": datetime(2026, 11, 21, 5, 17, tzinfo=UTC),
        "condition": 'error_rate > 5% # "quoted"',
        "evidence": "12 of 80: 15%",
    }
    return Quarantined.model_validate(facts | changes)


OTHER = "chat-v0.9--aaaaaaaaaaaa"
ITEM = f"- served: {OTHER}  # kept\n    environment: staging\n    at: 2026-01-01T00:00:00Z\n    condition: asked for\n"


def loaded(text: str) -> tuple[Quarantined, ...]:
    return QuarantineFile.model_validate(value(text)).quarantined


def test_the_first_entry_makes_the_file_and_says_what_it_is_for() -> None:
    text = quarantine_entry(None, entry())
    assert text.startswith("# ")
    assert "# Versions that were rolled back." in text
    assert loaded(text) == (entry(),)


@pytest.mark.parametrize(
    "text",
    [
        f"# ours\nquarantined:\n  {ITEM}",
        f"# ours\nquarantined:\n  {ITEM}    # about it\n\n# the end\n",
        f"quarantined:\n{ITEM.replace('    ', '  ')}",
        f"quarantined:\n  {ITEM}".removesuffix("\n"),
        f"quarantined:\n  {ITEM}".replace("\n", "\r\n"),
        f"\ufeffquarantined:\n  {ITEM}",
        f"quarantined: [{{served: {OTHER}, environment: e, at: 2026-01-01T00:00:00Z, condition: c}}]  # flow\n",
    ],
)
def test_an_entry_comes_last_and_can_be_lifted_without_a_trace(text: str) -> None:
    more = quarantine_entry(text, entry())
    assert [each.served for each in loaded(more)] == [OTHER, entry().served]
    assert loaded(more)[1] == entry()
    assert quarantine_entry(more, entry()) == more
    lifted = lift(more, entry().served)
    assert lifted in (text, text + ("\r\n" if "\r\n" in text else "\n"))
    assert [each.served for each in loaded(lift(more, OTHER))] == [entry().served]


@pytest.mark.parametrize(
    "text",
    [
        "# nothing yet\n",
        "",
        "quarantined:\n",
        "quarantined: []\n# end\n",
        "quarantined: []  # none\n",
        "quarantined: null  # none\n",
        "# x\nquarantined:",
    ],
)
def test_an_empty_file_takes_an_entry_and_keeps_its_comments(text: str) -> None:
    more = quarantine_entry(text, entry())
    assert loaded(more) == (entry(),)
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        line for line in more.splitlines() if line.startswith("#")
    ]


@pytest.mark.parametrize(
    "text", [quarantine_entry(None, entry()), quarantine_entry("quarantined: []  # none\n", entry())]
)
def test_lifting_the_last_entry_leaves_an_empty_list(text: str) -> None:
    lifted = lift(text, entry().served)
    assert loaded(lifted) == ()
    assert loaded(quarantine_entry(lifted, entry())) == (entry(),)


def test_what_is_not_quarantined_cannot_be_lifted() -> None:
    with pytest.raises(TerminalError, match="is not quarantined"):
        lift(quarantine_entry(None, entry()), OTHER)


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300) | st.none())
@settings(max_examples=150, deadline=None)
def test_property_any_words_of_an_entry_are_taken_and_nothing_else_moves(
    condition: str, evidence: str | None
) -> None:
    assume(condition.strip() and any(c.isprintable() and not c.isspace() for c in condition))
    words = entry(condition=condition, evidence=evidence)
    text = f"# ours\nquarantined:\n  {ITEM}"
    more = quarantine_entry(text, words)
    assert more.startswith(text)
    assert value(more)["quarantined"][1]["served"] == words.served
    assert lift(more, words.served) == text
