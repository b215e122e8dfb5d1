"""Engines and gateways: adapters fit, addresses do not clash, and nobody else can load adapters."""

from __future__ import annotations

import pytest

from runner.errors import Severity

ENGINE = ("environments", "production", "engine")
GATEWAY = ("environments", "production", "gateway")


def test_an_engine_is_managed_or_given_and_not_both(repository):
    repository.set("loop.yaml", *ENGINE, "replicas", to=["http://10.0.0.1:8000"])
    repository.refuses("both managed and given replicas", line="engine:", fix="either")


def test_an_engine_is_managed_or_given_and_not_neither(repository):
    repository.set("loop.yaml", *ENGINE, "managed", to=False)
    repository.refuses("neither managed nor given replicas", line="engine:", fix="either")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("10.0.0.1:8000", "has no scheme"),
        ("ftp://10.0.0.1:8000", "has no scheme"),
        ("http://10.0.0.1", "a host and a port"),
        ("http://10.0.0.1:8000/v1", "nothing else"),
        ("http://10.0.0.1:99999999", "is no address"),
        ("http://u:p@10.0.0.1:8000", "user or password"),
        ("http://[::1", "is no address"),
    ],
)
def test_a_replica_is_a_scheme_a_host_and_a_port(repository, url, problem):
    _give(repository, [url])
    repository.refuses(problem, line=f"- {url}", fix="http://10.0.0.1:8000")


def test_a_replica_stands_once(repository):
    _give(repository, ["http://10.0.0.1:8000", "http://10.0.0.1:8000"])
    repository.refuses("stands twice", line="- http://10.0.0.1:8000", fix="keep one")


def test_a_dns_name_stands_alone(repository):
    _give(repository, ["http://10.0.0.1:8000", "dns+http://vllm:8000"])
    repository.refuses("a DNS name stands beside", line="- dns+http", fix="alone")


def test_two_environments_do_not_share_a_replica(repository):
    _give(repository, ["http://10.0.0.1:8000"])
    _give(repository, ["http://10.0.0.1:8000/"], "staging")
    repository.refuses("belongs to 'staging' already", line="- http://10.0.0.1:8000", fix="of its own")


def _give(repository, replicas, name="production"):
    repository.set("loop.yaml", "environments", name, "engine", "managed", to=False)
    repository.set("loop.yaml", "environments", name, "engine", "replicas", to=replicas)


def test_the_highest_rank_is_one_that_the_engine_knows(repository):
    repository.set("loop.yaml", *ENGINE, "max_lora_rank", to=24)
    repository.refuses("takes no rank 24", line="max_lora_rank: 24", evidence="8, 16, 32", fix="write 32")


def test_memory_holds_at_least_what_a_batch_holds(repository):
    repository.set("loop.yaml", *ENGINE, "max_cpu_loras", to=2)
    repository.refuses(
        "fewer adapters fit in memory", line="max_cpu_loras: 2", evidence="max_loras: 4", fix="raise"
    )


def test_an_adapter_of_too_high_a_rank_is_refused_for_each_engine_that_would_serve_it(repository):
    repository.set("models/chat-v1.0.yaml", "adapter", "rank", to=32)
    found = repository.load().diagnostics
    assert [item.summary for item in found] == [
        "rank 32 is over what the engine of 'production' takes",
        "rank 32 is over what the engine of 'staging' takes",
    ]
    assert {repository.line(item) for item in found} == {"rank: 32"}


def test_more_versions_than_the_engine_holds_are_refused(repository):
    repository.set("loop.yaml", *ENGINE, "max_loras", to=1)
    repository.set("loop.yaml", *ENGINE, "max_cpu_loras", to=1)
    repository.set("loop.yaml", "environments", "production", "standby", to="chat-v1.1")
    repository.refuses(
        "names 2 versions, and its engine holds 1", line="max_cpu_loras: 1", fix="raise max_cpu_loras to 2"
    )


def test_versions_that_take_turns_in_batches_are_a_warning(repository):
    repository.set("loop.yaml", *ENGINE, "max_loras", to=1)
    repository.set("loop.yaml", "environments", "production", "shadow", to={"version": "chat-v1.1"})
    repository.refuses("they take turns", line="max_loras: 1", fix="to 2", severity=Severity.WARNING)


@pytest.mark.parametrize("address", ["0.0.0.0:8100", "10.0.0.1:8100", "engine:8100"])
def test_a_managed_engine_listens_where_nobody_else_can_load_adapters(repository, address):
    repository.set("loop.yaml", *ENGINE, "listen", to=address)
    repository.refuses("others may load adapters", line=f"listen: {address}", fix="127.0.0.1")


@pytest.mark.parametrize("address", ["127.0.0.1:8110", "localhost:8110", "[::1]:8110"])
def test_two_things_do_not_listen_at_one_address(repository, address):
    repository.set("loop.yaml", *ENGINE, "listen", to=address)
    evidence = "first at line"
    repository.refuses(
        "listens where the engine of 'staging' does", line="listen:", evidence=evidence, fix="another port"
    )


@pytest.mark.parametrize("key", ["listen", "admin"])
@pytest.mark.parametrize(
    ("address", "whose"),
    [
        ("127.0.0.1:8080", "gateway of 'production'"),
        ("127.0.0.1:8081", "admin listener of 'production'"),
        ("127.0.0.1:8091", "admin listener of 'staging'"),
        ("127.0.0.1:8100", "engine of 'production'"),
        ("0.0.0.0:8110", "engine of 'staging'"),
    ],
)
def test_a_further_gateway_listens_where_nothing_else_does(repository, key, address, whose):
    more = {"listen": "127.0.0.1:8082", "admin": "127.0.0.1:8083", key: address}
    repository.set("loop.yaml", *GATEWAY, "more", to=[more])
    found = repository.load().diagnostics
    errors = [item for item in found if item.severity is Severity.ERROR]
    assert len(errors) == 1
    ours = "gateway 2" if key == "listen" else "admin listener 2"
    assert f"the {ours} of 'production'" in errors[0].summary
    assert f"the {whose}" in errors[0].summary
    assert errors[0].fix == "give it another port"


def test_two_further_gateways_do_not_listen_at_one_address(repository):
    addresses = [{"listen": f"127.0.0.1:{port}", "admin": "127.0.0.1:8083"} for port in (8082, 8084)]
    repository.set("loop.yaml", *GATEWAY, "more", to=addresses)
    repository.refuses(
        "the admin listener 3 of 'production' listens where the admin listener 2 of 'production' does",
        line="admin: 127.0.0.1:8083",
        fix="another port",
    )


def test_further_gateways_with_addresses_of_their_own_are_taken(repository):
    addresses = [{"listen": f"127.0.0.1:{port}", "admin": f"127.0.0.1:{port + 1}"} for port in (8082, 8084)]
    repository.set("loop.yaml", *GATEWAY, "more", to=addresses)
    assert repository.load().diagnostics == ()


def test_an_admin_listener_of_a_further_gateway_that_everybody_reaches_is_a_warning(repository):
    more = {"listen": "127.0.0.1:8082", "admin": "0.0.0.0:8083"}
    repository.set("loop.yaml", *GATEWAY, "more", to=[more])
    repository.refuses("the admin listener 2", line="admin: 0.0.0.0:8083", severity=Severity.WARNING)


def test_versions_of_an_experiment_need_room_in_a_batch_too(
    repository,
):
    repository.set("loop.yaml", *ENGINE, "max_loras", to=1)
    versions = {"name": "x", "versions": ["chat-v1.0", "chat-v1.1"]}
    repository.set("loop.yaml", "environments", "production", "experiments", to=[versions])
    repository.refuses("they take turns", line="max_loras: 1", fix="to 2", severity=Severity.WARNING)


def test_a_listener_on_all_networks_clashes_with_one_of_the_same_port(repository):
    repository.set("loop.yaml", *GATEWAY, "listen", to="0.0.0.0:8110")
    repository.refuses("listens where the engine of 'staging' does", line="listen: 0.0.0.0:8110")


def test_an_admin_listener_that_everybody_reaches_is_a_warning(repository):
    repository.set("loop.yaml", *GATEWAY, "admin", to="0.0.0.0:8081")
    repository.refuses("from every network", line="admin:", fix="127.0.0.1", severity=Severity.WARNING)


def test_a_port_is_between_one_and_65535(repository):
    repository.set("loop.yaml", *GATEWAY, "listen", to="127.0.0.1:70000")
    repository.refuses("there is no port 70000", line="listen: 127.0.0.1:70000", fix="1 to 65535")


def test_a_gateway_that_nobody_may_call_is_refused(repository):
    repository.set("loop.yaml", *GATEWAY, "anonymous", to=None)
    repository.refuses("nobody may call", line="anonymous: null", fix="keys_file")


def test_a_file_of_keys_has_to_be_there(repository):
    repository.set("loop.yaml", *GATEWAY, "keys_file", to="keys.yaml")
    repository.refuses("'keys.yaml' is missing", line="keys_file:", fix="add it")
