"""Tokens in URLs: nobody can guess one, no tool changes one, and only hashes are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from dlt_sources import url_tokens
from dlt_sources.url_tokens import Fixed, UrlToken

TOKEN = UrlToken(hash=url_tokens.hash_of("secret123"), account="aevent:main", tags=("Gold Buyer", "Straße"))


@pytest.fixture(autouse=True)
def book() -> Iterator[None]:
    url_tokens.keep_in(Fixed([TOKEN]))
    yield
    url_tokens.keep_in(Fixed())


def test_a_new_token_is_long_and_of_letters_and_digits_only() -> None:
    made = {url_tokens.new() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"[A-Za-z0-9]{32}", token) for token in made)


def test_a_token_is_found_by_itself_alone() -> None:
    assert url_tokens.find("secret123") is TOKEN
    for other in ("SECRET123", "secret12", "secret1234", "", TOKEN.hash, TOKEN.short, "\udcff"):
        assert url_tokens.find(other) is None


def test_the_tokens_of_an_account_are_its_own() -> None:
    assert list(url_tokens.live("aevent:main")) == [TOKEN]
    assert list(url_tokens.live("aevent:other")) == []


def test_a_tag_is_found_in_any_case_and_keeps_its_stored_spelling() -> None:
    assert TOKEN.tag("GOLD buyer") == "Gold Buyer"
    assert TOKEN.tag("STRASSE") == "Straße"
    assert TOKEN.tag("Gold") is None


def test_before_anybody_keeps_a_book_no_token_is_live() -> None:
    url_tokens.keep_in(Fixed())
    assert url_tokens.find("secret123") is None
