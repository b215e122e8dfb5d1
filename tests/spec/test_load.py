"""Loading: everything at once, sorted, and always with a place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from runner import digest
from runner.errors import Severity, TerminalError
from runner.spec.files import DirectoryFiles, MemoryFiles
from runner.spec.load import load, load_or_raise
from tests.docs.scratch import ROOT


def test_a_sound_repository_gives_a_spec_and_nothing_else(repository):
    loaded = repository.load()
    assert loaded.diagnostics == ()
    assert loaded.spec.version("chat-v1.0") == ("chat-v1.0", "a" * 64)


def test_all_errors_of_all_files_come_at_once_in_the_order_of_files_and_lines(repository):
    repository.set("policies/rollout.yaml", "stages", 0, "traffic", to="500%")
    repository.set("policies/rollout.yaml", "stages", 1, "rollback_if", to="eror_rate > 1%")
    repository.set("policies/cost.yaml", "trafic", to={})
    repository.set("loop.yaml", "environments", "staging", "baseline", to="chat-v9")
    found = repository.load().diagnostics
    assert [item.location.path for item in found] == [
        "loop.yaml",
        "policies/cost.yaml",
        "policies/rollout.yaml",
        "policies/rollout.yaml",
    ]
    assert found[2].location.line < found[3].location.line
    assert all(item.location.line > 0 for item in found)


def test_raising_carries_every_diagnostic(repository):
    repository.set("loop.yaml", "nam", to="x")
    repository.set("policies/cost.yaml", "trafic", to={})
    with pytest.raises(TerminalError) as raised:
        load_or_raise(repository.files)
    assert len(raised.value.diagnostics) == 2


def test_an_empty_repository_names_every_file_that_is_missing():
    found = load(MemoryFiles({})).diagnostics
    assert {item.location.path for item in found} >= {
        "loop.yaml",
        "policies/rollout.yaml",
        "policies/cost.yaml",
    }
    assert all(item.severity is Severity.ERROR for item in found)


def test_one_broken_file_does_not_hide_what_is_wrong_between_the_others(repository):
    repository.texts["policies/cost.yaml"] = "a: [\n"
    repository.set("loop.yaml", "environments", "production", "baseline", to="chat-v9")
    assert [item.location.path for item in repository.load().diagnostics] == [
        "loop.yaml",
        "policies/cost.yaml",
    ]


def test_a_broken_version_file_does_not_make_its_name_unknown(repository):
    repository.set("models/chat-v1.0.yaml", "adapter", "rank", to="much")
    repository.refuses("'rank' should be a whole number", line="rank: much", evidence="value: much")


def test_an_unknown_key_is_told_with_the_known_ones_and_the_closest(repository):
    repository.set("loop.yaml", "environments", "production", "engine", "max_lora", to=3)
    repository.refuses(
        "unknown key 'max_lora'", line="max_lora: 3", evidence="max_loras", fix="did you mean 'max_loras'?"
    )


def test_an_unknown_key_inside_a_chosen_alternative_is_told_with_its_own_keys(repository):
    repository.set("policies/signals.yaml", "signals", "reask_rate", "detector", "withn", to="30s")
    repository.refuses("unknown key 'withn'", line="withn:", evidence="within", fix="did you mean 'within'?")


def test_an_unknown_alternative_is_told_with_the_known_ones(repository):
    repository.set("policies/signals.yaml", "signals", "error_rate", "detector", to={"kind": "shar"})
    repository.refuses(
        "unknown kind 'shar'", line="kind: shar", evidence="quantile", fix="did you mean 'share'?"
    )


def test_a_missing_key_is_told_where_it_belongs(repository):
    repository.remove("loop.yaml", "environments", "production", "gateway")
    repository.refuses(
        "key 'gateway' is missing in 'production'", line="production:", fix="add 'gateway: ...'"
    )


def test_a_wrong_word_is_told_with_the_closest(repository):
    repository.set("policies/rollout.yaml", "rollback", "mode", to="comit")
    repository.refuses(
        "'mode' should be 'commit' or 'pull_request'", line="mode: comit", fix="did you mean 'commit'?"
    )


def test_a_number_in_quotes_is_no_number(repository):
    repository.set("loop.yaml", "prune_limit", to="3")
    repository.refuses("'prune_limit' should be a whole number", line="prune_limit: '3'", evidence="value: 3")


def test_a_share_over_one_is_told_with_its_value(repository):
    repository.set("policies/rollout.yaml", "holdback", to="120%")
    repository.refuses("'holdback' should be less than or equal to", line="holdback: 120%", evidence="120%")


def test_a_condition_is_refused_at_its_place_with_a_caret(repository):
    repository.set("policies/rollout.yaml", "stages", 0, "rollback_if", to="latency_p99 > 5%")
    found = repository.only()
    assert "'latency_p99' is a duration" in found.summary
    assert repository.line(found)[found.location.column - 3 :].startswith("5%")
    assert found.evidence == ("latency_p99 > 5%", "              ^^")
    assert found.fix == "write it as '2000ms'"


def test_a_bad_name_of_a_version_is_told_at_the_name(repository):
    repository.set("loop.yaml", "environments", "Production!", to=None)
    found = repository.load().diagnostics
    assert "Production!" in "".join(map(str, found))


def test_a_file_of_another_suffix_is_not_passed_over_in_silence(repository):
    repository.texts["models/chat-v1.2.yml"] = "name: chat-v1.2\n"
    assert "rename it to 'chat-v1.2.yaml'" in repository.only().fix


def test_an_unknown_policy_is_not_passed_over_in_silence(repository):
    repository.texts["policies/rolout.yaml"] = "stages: []\n"
    found = repository.only()
    assert (found.location.path, found.fix) == ("policies/rolout.yaml", "did you mean 'rollout.yaml'?")


def test_folders_are_where_loop_yaml_says(repository):
    repository.set("loop.yaml", "policies", to="rules")
    for path in [path for path in repository.texts if path.startswith("policies/")]:
        repository.texts[path.replace("policies/", "rules/")] = repository.texts.pop(path)
    assert repository.load().diagnostics == ()


@pytest.mark.parametrize("path", ["../elsewhere", "/etc", "a/../../b", ".hidden", "a//b"])
def test_a_path_cannot_lead_out_of_the_repository(repository, path):
    repository.set("models/chat-v1.0.yaml", "adapter", "path", to=path)
    assert "'path' should be a path inside the repository" in repository.only().summary


def test_the_digest_of_the_spec_is_of_its_meaning_and_not_of_its_layout(repository):
    before = repository.load().spec.digest
    repository.texts["loop.yaml"] += "\n# a comment\n"
    same = repository.load().spec.digest
    repository.set("loop.yaml", "prune_limit", to=4)
    assert (before == same, before == repository.load().spec.digest) == (True, False)


def test_a_folder_in_the_place_of_a_file_is_a_diagnostic(tmp_path):
    (tmp_path / "loop.yaml").mkdir()
    found = load(DirectoryFiles(tmp_path)).diagnostics
    assert "cannot be read" in next(item.summary for item in found if item.location.path == "loop.yaml")


def test_files_in_a_folder_and_in_memory_load_alike(repository, tmp_path):
    for path, text in repository.texts.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    on_disk = load(DirectoryFiles(tmp_path))
    assert all(item.severity is Severity.WARNING for item in on_disk.diagnostics)
    assert on_disk.spec.digest == repository.load().spec.digest


def test_a_directory_without_a_file_has_no_digest_as_one_that_is_absent(tmp_path):
    (tmp_path / "models/chat-v1.0/empty").mkdir(parents=True)
    files = DirectoryFiles(tmp_path)
    assert (files.digest("models/chat-v1.0"), files.digest("models/chat-v1.1")) == (None, None)
    (tmp_path / "models/chat-v1.0/empty/file").write_text("")
    assert files.digest("models/chat-v1.0") == digest.of_directory(tmp_path / "models/chat-v1.0")


def test_a_spec_for_people_says_what_the_other_says_with_units() -> None:
    spec = load_or_raise(DirectoryFiles(ROOT))
    plain, written = spec.to_json()["policies"], spec.as_written()["policies"]
    stages = [(one["duration"], other["duration"]) for one, other in stages_of(plain, written)]
    assert stages == [(86400.0, "1d"), (172800.0, "2d"), (259200.0, "3d"), ("stable", "stable")]
    assert [other["traffic"] for _, other in stages_of(plain, written)] == ["5%", "20%", "50%", "100%"]
    assert written["rollout"]["rollback"]["budget"] == "30s"
    assert {item["amount"] for item in written["cost"]["items"].values()} > {"$200"}
    assert spec.digest == digest.of_value(spec.to_json()), "units change no digest"


def stages_of(*policies: Any) -> Iterator[tuple[Any, ...]]:
    return zip(*(each["rollout"]["stages"] for each in policies), strict=True)
