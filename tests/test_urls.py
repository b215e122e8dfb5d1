"""Addresses lose what is secret in them, wherever people put it."""

from __future__ import annotations

from itertools import product

import pytest

from runner.urls import holds_secret, text_without_secret, without_secret

SECRET = "s3cr3t"


@pytest.mark.parametrize("scheme", ["http", "https", "HTTPS", "ssh", "s3", "webdavs", "git+https"])
def test_no_place_for_a_secret_keeps_it(scheme: str) -> None:
    users = (
        f"u:{SECRET}@",
        f":{SECRET}@",
        f"u:p@{SECRET}@",
        f"u:p/{SECRET}@",
        f"u:1/{SECRET}@",
        f"u:1?{SECRET}@",
    )
    ends = ("", f"?token={SECRET}", f"?x=a@{SECRET}", f"#{SECRET}", f"?a={SECRET}#b@c")
    for user, host, end in product(("", *users), ("h", "h:8080", "[::1]:8"), ends):
        url = f"{scheme}://{user}{host}/x{end}"
        assert SECRET not in without_secret(url), url
        assert holds_secret(url) is bool(user or end), url


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example:8443/acme/models.git",
        "https://packages.example/@acme/models",
        "ssh://git@git.example/acme/models.git",
        "git@git.example:acme/models.git",
        "s3://bucket/a folder",
        "/srv/git/what?.git",
        "",
    ],
)
def test_what_is_no_secret_stays(url: str) -> None:
    assert without_secret(url) == url and not holds_secret(url)


def test_a_web_address_loses_its_user_who_is_a_token_there() -> None:
    assert without_secret(f"https://{SECRET}@git.example/x") == "https://git.example/x"


@pytest.mark.parametrize("after", ["", "'", "/': no", ", sorry", '".', " and"])
def test_addresses_in_a_text_lose_theirs_and_the_text_stays(after: str) -> None:
    shown = text_without_secret(f"cannot read https://u:{SECRET}@h/x{after}")
    assert shown == f"cannot read https://h/x{after}"
