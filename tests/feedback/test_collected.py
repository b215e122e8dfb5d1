"""The folder of what was collected: read back as it was written, replaced as a whole, damage told."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.errors import TerminalError
from runner.feedback import collected
from runner.feedback.collected import Collected
from runner.feedback.records import Answer, Ballot, Choice, Label, Reason, Record, Task

TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
MADE = {"id": "syn-0", "sources": ["rec-1"], "text": "made of it"}
LIVED = 0
CRASHED = 9
DISK = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "shutil.copyfile")


def record(text: str = "Who wrote it?", **changes: object) -> Record:
    of = Record(
        id="rec-1",
        reasons=(Reason.REFUSAL, Reason.REASK),
        prompt=({"role": "system", "content": "Be brief."}, {"role": "user", "content": text}),
        answer="Sorry.",
        version="chat-v1.0",
        digest="a" * 64,
        group="public",
        user="u1",
        category="factual_qa",
        language="en",
        at_us=1_790_000_000_000_000,
        sources=("q1", "f1"),
        masked={"name": 2},
    )
    return replace(of, **changes)


def ballot(text: str = "left") -> Ballot:
    left, right = (Answer(f"chat-v1.{n}", "d", f"r{n}", text, {"temperature": 0.7}) for n in (0, 1))
    prompt = ({"role": "user", "content": "Which?"},)
    return Ballot("v1", "c1", prompt, left, right, Choice.TIE, "u1", "internal", "comparison", "en", 1)


LABEL = Label("l1", "rec-1", Task.ANSWER, "bad", "rita", 5, comment="no")


def test_what_is_written_is_read_back(tmp_path) -> None:
    content = Collected((record(),), (ballot(),), (LABEL,), ({"id": "syn-1"},), {"environment": "production"})
    collected.write(tmp_path / "collected", content)
    assert collected.read(tmp_path / "collected") == content


@given(question=TEXT, answer=TEXT, correction=st.none() | TEXT, side=TEXT)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_read_back_but_for_half_characters_which_nobody_can_write(
    tmp_path, question, answer, correction, side
) -> None:
    content = Collected((record(question, answer=answer, correction=correction),), (ballot(side),))
    collected.write(tmp_path / "collected", content)
    found = collected.read(tmp_path / "collected")
    whole = [text for text in (question, answer, correction, side) if text is not None]
    if all(text == text.encode("utf-8", "replace").decode() for text in whole):
        assert found == content
    else:
        assert found.records[0].id == "rec-1"


def test_the_same_content_is_the_same_bytes_and_the_manifest_holds_their_digests(tmp_path) -> None:
    for name in ("one", "two"):
        collected.write(tmp_path / name, Collected((record(),), (ballot(),), (LABEL,)))
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / n).iterdir()} for n in ("one", "two"))
    assert one == two
    assert json.loads(one["manifest.json"])["files"]["records.jsonl"]["lines"] == 1


def test_synthetic_lines_are_kept_when_the_rest_is_collected_again(tmp_path) -> None:
    folder = tmp_path / "collected"
    collected.write(folder, Collected((record(),), synthetic=(MADE,)))
    collected.write(folder, Collected((record("Why?"),)))
    found = collected.read(folder)
    assert found.synthetic == (MADE,)
    assert found.records[0].prompt[-1]["content"] == "Why?"


@pytest.mark.parametrize(
    ("sources", "stays"),
    [
        (["rec-1"], True),
        (["v1", "rec-1"], True),
        (["rec-1/answer"], True),
        (["rec-2"], False),
        (["v1", "v2"], False),
        (["rec-2/answer"], False),
        (None, False),
        ([3], False),
        ("rec-1", False),
    ],
)
def test_a_synthetic_line_stays_only_as_long_as_all_that_it_was_made_from(tmp_path, sources, stays) -> None:
    folder, content = tmp_path / "collected", Collected((record(),), (ballot(),))
    line = {"id": "syn-1", "text": "made up"} | ({} if sources is None else {"sources": sources})
    collected.write(folder, replace(content, synthetic=(line, MADE)))
    assert collected.orphans(folder, content) == (not stays)
    collected.write(folder, content)
    assert collected.read(folder).synthetic == ((line, MADE) if stays else (MADE,))


def test_synthetic_lines_that_stay_keep_their_bytes_and_damaged_ones_go(tmp_path) -> None:
    folder = tmp_path / "collected"
    collected.write(folder, Collected((record(),)))
    kept = b'{"sources":  ["rec-1"], "text": "\xc3\xa9 x"}\n'
    (folder / collected.SYNTHETIC).write_bytes(b'{"torn\n' + kept + b"[1]\n")
    assert collected.orphans(folder, Collected((record(),))) == 2
    collected.write(folder, Collected((record(),)))
    assert (folder / collected.SYNTHETIC).read_bytes() == kept


def test_nothing_collected_yet_says_what_to_do(tmp_path) -> None:
    with pytest.raises(TerminalError, match="nothing has been collected yet") as error:
        collected.read(tmp_path / "collected")
    assert "loop data collect" in str(error.value)


@pytest.mark.parametrize("name", [collected.RECORDS, collected.VOTES, collected.LABELS, collected.MANIFEST])
@pytest.mark.parametrize("damage", [b"", b"{}\n", b"\xff\xfe", None])
def test_a_damaged_file_is_told_and_never_read_as_something_else(tmp_path, name, damage) -> None:
    folder = tmp_path / "collected"
    collected.write(folder, Collected((record(),), (ballot(),), (LABEL,)))
    if damage is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(damage)
    with pytest.raises(TerminalError, match="collected"):
        collected.read(folder)


def test_a_crash_at_any_file_operation_leaves_the_old_content_or_the_new_and_the_next_run_repairs(
    tmp_path,
) -> None:
    old = Collected((record("old"),), (ballot("old"),), synthetic=(MADE,))
    new = Collected((record("new"),), (ballot("new"),))
    kept = replace(new, synthetic=old.synthetic)
    seen = set()
    for step in range(200):
        folder = tmp_path / str(step) / "collected"
        collected.write(folder, old)
        status = _killed_at(step, lambda folder=folder: collected.write(folder, new))
        found = collected.read(folder)
        assert found in (old, kept)
        seen.add(found.records[0].prompt[-1]["content"])
        collected.write(folder, new)
        assert collected.read(folder) == kept
        assert [path.name for path in folder.parent.iterdir()] == ["collected"]
        if status == LIVED:
            break
    assert status == LIVED
    assert seen == {"old", "new"}


def _killed_at(step: int, act) -> int:
    """Run in a process of its own, which dies before its file operation number `step`; return its exit status."""
    child = os.fork()
    if child == 0:
        left = [step]

        def hook(event: str, _: object) -> None:
            if event in DISK:
                if left[0] == 0:
                    os._exit(CRASHED)
                left[0] -= 1

        sys.addaudithook(hook)
        try:
            act()
            os._exit(LIVED)
        except BaseException:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (LIVED, CRASHED)
    return status
