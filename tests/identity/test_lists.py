"""The lists come from the seeds."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest

from orchestration.identity.lists import Lists, Provider, from_seeds

SEEDS = Path(__file__).parents[2] / "dbt_project" / "seeds"
NAMES = ("domain_typos", "role_addresses", "email_providers", "relay_domains", "blocked_identifiers")


def seeds() -> dict[str, pa.Table]:
    options = pyarrow.csv.ConvertOptions(strings_can_be_null=False)
    return {name: pyarrow.csv.read_csv(SEEDS / f"{name}.csv", convert_options=options) for name in NAMES}


def test_the_seeds_give_every_list() -> None:
    lists = from_seeds(**seeds())
    assert all(vars(lists).values())
    assert lists.providers["googlemail.com"] == Provider("gmail.com", dotless=True)
    assert lists.typos["gmial.com"] == "gmail.com"
    assert "test@test.com" in lists.blocked_texts
    assert "noreply" in lists.blocked_local_parts
    assert "0000000000" in lists.blocked_digits


def test_every_row_of_the_seeds_is_in_lower_case() -> None:
    """Values are folded before they are looked up, so another case would never be found."""
    lists = from_seeds(**seeds())
    for one in vars(lists).values():
        assert {text for text in one if text != text.casefold()} == set()


def test_a_match_that_nothing_knows_is_refused() -> None:
    given = seeds() | {"blocked_identifiers": pa.table({"match": ["regex"], "identifier": [".*"]})}
    with pytest.raises(ValueError, match="regex"):
        from_seeds(**given)


def test_without_lists_nothing_is_a_role_s_or_blocked() -> None:
    assert not any(vars(Lists()).values())
