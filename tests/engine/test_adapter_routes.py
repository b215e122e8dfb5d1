"""What vLLM answers when adapters are loaded, listed and unloaded: every case that Loop relies on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.conftest import Server
from tests.engine.models import WEIGHTS

LOAD, UNLOAD = "/v1/load_lora_adapter", "/v1/unload_lora_adapter"
Name = Callable[[], str]
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def adapter(make_adapter: Make) -> Path:
    return make_adapter("adapter", seed=1)


def load(server: Server, name: str, path: Path | str) -> None:
    assert server.post(LOAD, {"lora_name": name, "lora_path": str(path)}).status == 200


def test_a_loaded_adapter_is_answered_in_plain_text(server: Server, fresh_name: Name, adapter: Path) -> None:
    name = fresh_name()
    answer = server.post(LOAD, {"lora_name": name, "lora_path": str(adapter)})
    assert answer.status == 200
    assert answer.text == f"Success: LoRA adapter '{name}' added successfully."


def test_the_list_names_the_base_first_without_a_parent(server: Server) -> None:
    first, *_ = server.ask("GET", "/v1/models").json["data"]
    assert (first["id"], first["parent"]) == (server.base, None)
    assert Path(first["root"]).is_absolute()


def test_the_list_gives_an_adapters_path_and_its_base(
    server: Server, fresh_name: Name, adapter: Path
) -> None:
    name = fresh_name()
    load(server, name, adapter)
    card = server.ask("GET", "/v1/models").json["data"][-1]
    assert (card["id"], card["root"], card["parent"]) == (name, str(adapter), server.base)


@pytest.mark.parametrize(("name", "path"), [("", "/adapters/a"), ("a", ""), ("", "")])
def test_an_empty_name_or_path_is_invalid(server: Server, name: str, path: str) -> None:
    answer = server.post(LOAD, {"lora_name": name, "lora_path": path})
    assert (answer.status, answer.error["type"]) == (400, "InvalidUserInput")


@pytest.mark.parametrize("field", ["lora_name", "lora_path"])
def test_a_missing_field_is_invalid(server: Server, field: str) -> None:
    body = {"lora_name": "a", "lora_path": "/adapters/a"}
    del body[field]
    answer = server.post(LOAD, body)
    assert (answer.status, answer.error["type"]) == (400, "Bad Request")


def test_the_name_of_the_base_is_invalid(server: Server, adapter: Path) -> None:
    answer = server.post(LOAD, {"lora_name": server.base, "lora_path": str(adapter)})
    assert (answer.status, answer.error["type"]) == (400, "InvalidUserInput")


def test_hazard_5_loading_twice_is_invalid_even_from_the_same_path(
    server: Server, fresh_name: Name, adapter: Path
) -> None:
    name = fresh_name()
    load(server, name, adapter)
    answer = server.post(LOAD, {"lora_name": name, "lora_path": str(adapter)})
    assert (answer.status, answer.error["type"]) == (400, "InvalidUserInput")
    assert "already been loaded" in answer.error["message"]


def test_missing_files_are_not_found_and_nothing_is_listed(server: Server, fresh_name: Name) -> None:
    name = fresh_name()
    answer = server.post(LOAD, {"lora_name": name, "lora_path": "/nowhere/adapter"})
    assert (answer.status, answer.error["type"]) == (404, "NotFoundError")
    assert name not in server.names()


def test_hazard_6_a_rank_over_the_engines_is_its_internal_error(
    server: Server, fresh_name: Name, make_adapter: Make
) -> None:
    name = fresh_name()
    wide = make_adapter("wide", seed=1, rank=32)
    answer = server.post(LOAD, {"lora_name": name, "lora_path": str(wide)})
    assert (answer.status, answer.error["type"]) == (500, "InternalServerError")
    assert "rank" in answer.error["message"]
    assert name not in server.names()


def test_damaged_weights_are_its_internal_error_and_it_lives_on(
    server: Server, fresh_name: Name, make_adapter: Make
) -> None:
    damaged = make_adapter("damaged", seed=1)
    (damaged / WEIGHTS).write_bytes(b"\xff" * 64)
    answer = server.post(LOAD, {"lora_name": fresh_name(), "lora_path": str(damaged)})
    assert (answer.status, answer.error["type"]) == (500, "InternalServerError")
    assert server.ask("GET", "/health").status == 200


def test_an_unloaded_adapter_is_gone_from_the_list_and_from_answers(
    server: Server, fresh_name: Name, adapter: Path
) -> None:
    name = fresh_name()
    load(server, name, adapter)
    answer = server.post(UNLOAD, {"lora_name": name})
    assert (answer.status, answer.text) == (200, f"Success: LoRA adapter '{name}' removed successfully.")
    assert name not in server.names()
    assert server.post("/v1/completions", {"model": name, "prompt": "a", "max_tokens": 1}).status == 404


def test_unloading_the_unknown_is_not_found(server: Server, fresh_name: Name) -> None:
    answer = server.post(UNLOAD, {"lora_name": fresh_name()})
    assert (answer.status, answer.error["type"]) == (404, "NotFoundError")


def test_unloading_without_a_name_is_invalid(server: Server) -> None:
    answer = server.post(UNLOAD, {"lora_name": ""})
    assert (answer.status, answer.error["type"]) == (400, "InvalidUserInput")


@pytest.mark.parametrize("path", [LOAD, UNLOAD])
def test_what_is_not_json_is_a_bad_request(server: Server, path: str) -> None:
    answer = server.ask("POST", path, data="{bad")
    assert (answer.status, answer.error["type"]) == (400, "Bad Request")


def test_a_route_that_does_not_exist_is_told_from_an_adapter_that_does_not(server: Server) -> None:
    answer = server.post("/v1/load_lora_adapter_off", {})
    assert (answer.status, answer.json) == (404, {"detail": "Not Found"})


def test_a_path_may_have_two_names(server: Server, fresh_name: Name, adapter: Path) -> None:
    one, other = fresh_name(), fresh_name()
    load(server, one, adapter)
    load(server, other, adapter)
    assert {one, other} <= server.names()
