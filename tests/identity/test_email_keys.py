"""E-mail addresses: suppressed in every spelling that may mean the mailbox, targeted only as the one mailbox."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestration.identity import keys
from orchestration.identity.emails import Addresses
from orchestration.identity.keys import EMAIL_KEYS, email_keys
from tests.identity.reading import LISTS, email, is_hit, wide

ZERO_WIDTH, BOM, SOFT_HYPHEN, NBSP, RIGHT_TO_LEFT = "\u200b", "\ufeff", "\u00ad", "\u00a0", "\u202e"
CYRILLIC_A = "\u0430"


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("jane@example.com", "jane@example.com"),
        ("  Jane@Example.COM\t", "jane@example.com"),
        (f"{NBSP}jane@example.com{NBSP}", "jane@example.com"),
        ("jane+shop@example.com", "jane+shop@example.com"),
        ("J.ane@Gmail.com", "j.ane@gmail.com"),
        ("jane@gmial.com", "jane@gmial.com"),
        ("jane@b\u00fccher.de", "jane@xn--bcher-kva.de"),
        ("jane@XN--BCHER-KVA.de", "jane@xn--bcher-kva.de"),
        ("jane@stra\u00dfe.de", "jane@xn--strae-oqa.de"),
        ("\u00c9ric@example.com", "\u00e9ric@example.com"),
        ("e\u0301ric@example.com", "\u00e9ric@example.com"),
        ("\u05d3\u05d5\u05d3@example.com", "\u05d3\u05d5\u05d3@example.com"),
        ("\U0001f600@example.com", "\U0001f600@example.com"),
        (f"j{CYRILLIC_A}ne@example.com", f"j{CYRILLIC_A}ne@example.com"),
    ],
)
def test_an_address_is_targeted_as_the_mailbox_that_was_typed(value: str, target: str) -> None:
    row = email(value)
    assert (row["target_key"], row["fault"]) == (target, None)
    assert f"email:{target}" in row["suppression_keys"]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, "empty"),
        ("", "empty"),
        (f" \t{NBSP}", "empty"),
        (f"ja{ZERO_WIDTH}ne@example.com", "invisible_characters"),
        (f"{BOM}jane@example.com", "invisible_characters"),
        (f"jane@exam{SOFT_HYPHEN}ple.com", "invisible_characters"),
        (f"jane{NBSP}@example.com", "invisible_characters"),
        (f"{RIGHT_TO_LEFT}jane@example.com", "invisible_characters"),
        ("\u2764\ufe0f@example.com", "invisible_characters"),
        ("ja\x00ne@example.com", "invisible_characters"),
        ("jane", "not_an_address"),
        ("@", "not_an_address"),
        ("@example.com", "not_an_address"),
        ("jane@", "not_an_address"),
        ("jane@@example.com", "not_an_address"),
        ("jane@example", "not_an_address"),
        ("jane@example.com.", "not_an_address"),
        ("jane@exa mple.com", "not_an_address"),
        ("Jane Doe <jane@example.com>", "not_an_address"),
        ("jane@example.com, joe@example.com", "not_an_address"),
        ("mailto:jane@example.com", "not_an_address"),
        ('"jane doe"@example.com', "not_an_address"),
        ("jane@[127.0.0.1]", "not_an_address"),
        (f"{'a' * 65}@example.com", "not_an_address"),
        (f"{'a' * 300}@example.com", "not_an_address"),
        (f"jane@{'a' * 300}.com", "not_an_address"),
        (f"jane@{'a.' * 150}com", "not_an_address"),
        ("jane@-example.com", "not_an_address"),
        ("jane@xn--0.com", "not_an_address"),
        ("jane@\U0001f600.com", "not_an_address"),
        ("\uff4aane@example.com", "ambiguous_characters"),
        ("\u0130lker@example.com", "ambiguous_characters"),
    ],
)
def test_what_is_not_certainly_one_mailbox_is_never_targeted(value: str | None, fault: str) -> None:
    row = email(value)
    assert (row["target_key"], row["fault"]) == (None, fault)


@pytest.mark.parametrize(
    "value",
    [
        f"ja{ZERO_WIDTH}ne@example.com",
        f"{BOM}Jane@example.com",
        f"jane@exam{SOFT_HYPHEN}ple.com",
        f"jane{NBSP}@example.com",
        "jane @ example.com",
        "\uff4aane\uff20example.com",
        "jane@example.com.",
        "'jane@example.com'",
        "Jane Doe <jane@example.com>",
        "mailto:jane@example.com?subject=stop",
        "joe@example.com; jane@example.com",
        "jane+news@example.com",
        "jane+a+b@EXAMPLE.com",
        "jane@exmaple.com",
    ],
)
def test_a_suppression_blocks_the_address_however_it_was_typed(value: str) -> None:
    assert is_hit(email("jane@example.com"), email(value))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("jane+shop@gmail.com", "J.ane@Gmail.com"),
        ("j.a.n.e@googlemail.com", "jane+x@gmail.com"),
        ("jane+a@example.com", "jane+b@example.com"),
        ("jane@gmial.com", "j.ane@googlemail.com"),
        ("jane@me.com", "jane+x@icloud.com"),
        ("jane@b\u00fccher.de", "JANE@xn--bcher-kva.de"),
        ("jane@stra\u00dfe.de", "jane@strasse.de"),
        ("STRASSE@example.com", "stra\u00dfe@example.com"),
        ("e\u0301ric@example.com", "\u00e9ric@example.com"),
        ("x@\U0001f600.com", "x@xn--e28h.com"),
    ],
)
def test_two_spellings_of_a_mailbox_block_each_other(one: str, other: str) -> None:
    assert is_hit(email(one), email(other))
    assert is_hit(email(other), email(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("jane@example.com", "joe@example.com"),
        ("j.ane@example.com", "jane@example.com"),
        ("j.ane@icloud.com", "jane@icloud.com"),
        ("jane@example.com", f"j{CYRILLIC_A}ne@example.com"),
        ("jane@apple.example.com", f"jane@{CYRILLIC_A}pple.example.com"),
        ("+jane@example.com", "+joe@example.com"),
        ("a+x@privaterelay.example", "a@privaterelay.example"),
    ],
)
def test_another_mailbox_is_not_blocked(one: str, other: str) -> None:
    assert not is_hit(email(one), email(other))


def test_the_wide_keys_of_a_tagged_gmail_address_are_all_its_spellings() -> None:
    assert wide(email("Jane.Doe+shop@googlemail.com")) == {
        "jane.doe+shop@googlemail.com",
        "jane.doe@googlemail.com",
        "janedoe@gmail.com",
    }


def test_the_wide_keys_of_a_domain_that_only_the_older_rules_know_are_both_its_spellings() -> None:
    assert wide(email("x@\U0001f600.com")) == wide(email("x@xn--e28h.com")) == {"x@\U0001f600.com", "x@xn--e28h.com"}


def test_what_is_no_address_blocks_itself_if_it_looks_like_one() -> None:
    assert wide(email('"jane doe"@example.com')) == {'"jane doe"@example.com'}
    assert wide(email("jane")) == set()
    assert wide(email("@")) == set()


@pytest.mark.parametrize("value", ["info@example.com", "Info+x@example.com", "te\u200bam@example.com"])
def test_a_role_address_is_told(value: str) -> None:
    assert email(value)["is_role"]
    assert not email("jane@example.com")["is_role"]


@pytest.mark.parametrize(
    "value",
    ["test@test.com", "Test+1@test.com", "t.e.s.t@googlemail.com", "noreply@example.com", "NoReply+1@b\u00fccher.de",
     "jane@invalid", "jane@shop.invalid", "N/A", "", None],
)  # fmt: skip
def test_a_blocked_identifier_is_told(value: str | None) -> None:
    assert email(value)["is_blocked"]
    assert not email("tester@test.com")["is_blocked"]


def test_a_relay_address_is_told_and_has_its_exact_key_alone() -> None:
    row = email("Ab+c@x.privaterelay.example")
    assert row["is_relay"]
    assert wide(row) == {"ab+c@x.privaterelay.example"}
    assert email("a@relay.example.net")["is_relay"]
    assert not email("a@below.relay.example.net")["is_relay"]


def test_a_domain_that_looks_mistyped_is_told_and_never_corrected() -> None:
    row = email("Jane@gmial.com")
    assert row["is_mistyped"]
    assert row["target_key"] == "jane@gmial.com"
    assert not email("jane@gmail.com")["is_mistyped"]


@pytest.mark.parametrize(
    "value", ["\u00e9" * 50_000, "a@" + "a." * 50_000 + "com", "@" * 50_000, "a@" + "\u00e9" * 50_000]
)
@pytest.mark.timeout(20)
def test_a_text_of_any_length_is_read_in_a_moment(value: str) -> None:
    """The library alone takes minutes over some of these."""
    assert email(value)["fault"] == "not_an_address"


def test_each_distinct_value_has_one_row() -> None:
    table = email_keys(pa.chunked_array([["a@example.com", None], ["a@example.com", "A@example.com", None]]), LISTS)
    assert table.schema == EMAIL_KEYS
    assert sorted(map(str, table["value"].to_pylist())) == ["A@example.com", "None", "a@example.com"]


def test_values_in_parts_have_the_same_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    values = pa.array(["a@example.com", None, "B@gmail.com", "c", "d@b\u00fccher.de"])
    once = email_keys(values, LISTS).sort_by("value").to_pylist()
    monkeypatch.setattr(keys, "_AT_ONCE", 2)
    assert email_keys(values, LISTS).sort_by("value").to_pylist() == once


def test_no_values_give_no_rows() -> None:
    assert email_keys(pa.array([], pa.string()), LISTS).num_rows == 0


# Texts made of what addresses are made of, and of what spoils them.
PIECES = st.sampled_from(
    [*"aAbzZ09.+-_@'\"<>, \u00df\u00e9\u0130\u03a3\u03c2\u01c5\ufb01\u0430\u05d0\u0663", "jane", "test", "gmail.com",
     "googlemail.com", "example.com", "b\u00fccher.de", "xn--bcher-kva.de", "gmial.com", "info", "e\u0301",
     "\U0001f600", "\u200d", ZERO_WIDTH, BOM, SOFT_HYPHEN, NBSP, RIGHT_TO_LEFT, "\uff20", "\u3002", "\ufe0f"]
)  # fmt: skip
MIXED = st.lists(PIECES, max_size=8).map("".join)
LIKELY = st.builds(lambda local, domain: f"{local}@{domain}", MIXED, MIXED)
ANYTHING = st.one_of(LIKELY, MIXED, st.text(max_size=40), st.emails())


@given(ANYTHING)
@example("\u03c2@\u03c2gmail.com")
@settings(max_examples=400)
def test_the_wide_keys_include_the_narrow_one_and_all_of_its_own(value: str) -> None:
    row = email(value)
    if row["target_key"] is not None:
        assert f"email:{row['target_key']}" in row["suppression_keys"]
        assert email(row["target_key"])["suppression_keys"] <= row["suppression_keys"]
    assert (row["target_key"] is None) == (row["fault"] is not None)


@given(ANYTHING)
@settings(max_examples=400)
def test_a_narrow_key_is_its_own_and_shows_everything_it_holds(value: str) -> None:
    target = email(value)["target_key"]
    assert target is None or email(target)["target_key"] == target
    assert target is None or target.isprintable()
    assert target is None or target.partition("@")[2].isascii()
    assert target is None or unicodedata.normalize("NFKC", target) == target


@given(st.lists(ANYTHING, max_size=8))
@settings(max_examples=100)
def test_neither_order_nor_company_changes_an_address_s_keys(values: list[str]) -> None:
    together = email_keys(pa.array(values[::-1] + values, pa.string()), LISTS).to_pylist()
    assert len(together) == len(set(values))
    for row in together:
        alone = email(row["value"])
        assert row | {"suppression_keys": set(row["suppression_keys"]), "blocked_by": set(row["blocked_by"])} == alone


@given(st.one_of(LIKELY, st.emails(), st.from_regex(r"[a-zA-Z0-9.+_-]{1,70}@[a-z0-9.-]{1,30}", fullmatch=True)))
@example("J.a.ne+x@Gmail.com")
@example("j.ane@googlemail.com")
@example("jane+x@me.com")
@example("a.b+x@privaterelay.example")
@example("info+x@example.com")
@example("t.e.s.t+x@gmail.com")
@settings(max_examples=400)
def test_columns_and_the_library_give_the_same_keys(value: str) -> None:
    row, address = email(value), Addresses(LISTS).read(value)
    assert row["target_key"] == address.target
    assert wide(row) == set(address.keys)
    assert (row["is_role"], row["is_blocked"], row["is_relay"], row["is_mistyped"]) == address[3:]
