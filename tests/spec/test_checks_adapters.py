"""Adapters and reports: what a version names says of it what the version's own file says."""

from __future__ import annotations

import json

import pytest

MODEL = "models/chat-v1.0.yaml"
CONFIG = "models/chat-v1.0/adapter_config.json"
SOUND = {"r": 16, "base_model_name_or_path": "bookshop-base"}


def configured(repository, **changed):
    repository.texts[CONFIG] = json.dumps({**SOUND, **changed})
    return repository


@pytest.mark.parametrize("path", ["bookshop-base", "trained/with/bookshop-base", "/srv/bookshop-base"])
def test_an_adapter_that_is_what_its_version_says_is_accepted(repository, path):
    assert configured(repository, base_model_name_or_path=path).load().diagnostics == ()


def test_of_an_adapter_whose_bytes_are_absent_nothing_is_told(repository):
    assert CONFIG not in repository.texts
    assert repository.load().diagnostics == ()


@pytest.mark.parametrize(("actual", "fix"), [(8, "write 'rank: 8'"), (None, "directory of a LoRA adapter")])
def test_a_rank_that_is_not_the_adapters_is_refused_with_both(repository, actual, fix):
    evidence = f"declared: 16\nr in {CONFIG}: {json.dumps(actual)}"
    configured(repository, r=actual).refuses("rank is not", line="rank: 16", evidence=evidence, fix=fix)


@pytest.mark.parametrize("actual", ["other-base", "my-bookshop-base", "bookshop-base/checkpoint-3", None])
def test_an_adapter_that_was_trained_on_another_base_is_refused_with_both(repository, actual):
    evidence = f"declared: bookshop-base\nbase_model_name_or_path in {CONFIG}: {json.dumps(actual)}"
    configured(repository, base_model_name_or_path=actual).refuses(
        "was not trained on 'bookshop-base'",
        line="base_model:",
        evidence=evidence,
        fix="name the adapter that was",
    )


@pytest.mark.parametrize("text", ["", "{", "[]", "\0", "[" * 100_000])
def test_a_configuration_that_is_none_is_refused_and_no_traceback(repository, text):
    repository.texts[CONFIG] = text
    repository.refuses("not an adapter's configuration", line="path:", evidence="no JSON object", fix="PEFT")


def test_a_report_that_is_not_there_is_refused(repository):
    report = "models/reports/chat-v1.0.json"
    repository.set(MODEL, "evaluation", to={"report": report, "metrics": {}})
    repository.refuses(f"no report at '{report}'", line="report:", fix="add the report to Git")
    repository.texts[report] = "{}"
    assert repository.load().diagnostics == ()
