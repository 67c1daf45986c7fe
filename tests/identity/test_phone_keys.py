"""Phone numbers: suppressed in every plausible reading, targeted only where there is one, and a mobile's."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.identity import keys, numbering, plain_values
from orchestration.identity.keys import PHONE_KEYS, phone_keys
from orchestration.identity.phones import read
from tests.identity.reading import LISTS, is_hit, phone, wide

NBSP, ZERO_WIDTH, LEFT_TO_RIGHT, POP = "\u00a0", "\u200b", "\u202a", "\u202c"
KINDS = range(phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.VOICEMAIL + 1)


@pytest.mark.parametrize(
    ("value", "countries", "target"),
    [
        ("+14155552671", (), "+14155552671"),
        (f" +1 (415) 555-2671{NBSP}", (), "+14155552671"),
        (f"+1{NBSP}415.555.2671", (), "+14155552671"),
        ("(415) 555-2671", ("US",), "+14155552671"),
        ("415-555-2671", ("US", "CA"), "+14155552671"),
        ("14155552671", ("us", None), "+14155552671"),
        ("011 44 7911 123456", ("US",), "+447911123456"),
        ("07911 123456", ("GB",), "+447911123456"),
        ("0044 7911 123456", ("GB",), "+447911123456"),
        ("+44 (0) 7911 123456", (), "+447911123456"),
        ("(+44) 7911 123456", (), "+447911123456"),
        ("312 345 6789", ("IT",), "+393123456789"),
        ("+52 55 1234 5678", (), "+525512345678"),
        ("011 15 2345-6789", ("AR",), "+5491123456789"),
        ("(11) 98765-4321", ("BR",), "+5511987654321"),
        ("\uff0b\uff11 415 555 2671", (), "+14155552671"),
        ("+\u0664\u0664\u0667\u0669\u0661\u0661\u0661\u0662\u0663\u0664\u0665\u0666", (), "+447911123456"),
    ],
)
def test_a_number_with_one_valid_reading_is_targeted_in_its_canonical_form(
    value: str, countries: Sequence[str], target: str
) -> None:
    row = phone(value, *countries)
    assert (row["target_key"], row["number"], row["fault"]) == (target, target, None)
    assert f"phone:{target}" in row["suppression_keys"]


@pytest.mark.parametrize(
    ("value", "countries", "fault"),
    [
        (None, ("US",), "empty"),
        ("", (), "empty"),
        (f" {NBSP}", (), "empty"),
        (f"{LEFT_TO_RIGHT}+14155552671{POP}", (), "invisible_characters"),
        (f"+1415{ZERO_WIDTH}5552671", (), "invisible_characters"),
        ("\ufeff4155552671", ("US",), "invisible_characters"),
        ("4\ufe0f\u20e3155552671", ("US",), "invisible_characters"),
        ("abc", ("US",), "not_a_number"),
        ("1-800-FLOWERS", ("US",), "not_a_number"),
        ("tel:+14155552671", (), "not_a_number"),
        ("call 415 555 2671", ("US",), "not_a_number"),
        ("415555267\u00b9", ("US",), "not_a_number"),
        ("\U0001f4de4155552671", ("US",), "not_a_number"),
        ("+1" * 200, (), "not_a_number"),
        ("4155552671 ext 5", ("US",), "extension"),
        ("+14155552671x123", (), "extension"),
        ("4155552671", (), "country_unknown"),
        ("14155552671", (), "country_unknown"),
        ("0044 7911 123456", (), "country_unknown"),
        ("4155552671", ("XX", None), "country_unknown"),
        ("123", ("US",), "invalid_number"),
        ("0000000000", ("US",), "invalid_number"),
        ("9" * 300, ("US",), "invalid_number"),
        ("447911123456", ("US",), "invalid_number"),
        ("+39612345678", (), "invalid_number"),
        ("+5215512345678", (), "invalid_number"),
        ("+551187654321", (), "invalid_number"),
        ("0612345678", ("FR", "DE"), "ambiguous_country"),
    ],
)
def test_what_has_not_one_valid_reading_is_never_targeted(
    value: str | None, countries: Sequence[str | None], fault: str
) -> None:
    row = phone(value, *countries)
    assert (row["target_key"], row["number"], row["fault"]) == (None, None, fault)


@pytest.mark.parametrize("value", ["+442079460958", "+18003569377", "+390612345678", "+541123456789"])
def test_a_number_that_is_no_mobile_s_is_known_and_not_targeted(value: str) -> None:
    row = phone(value)
    assert (row["target_key"], row["number"], row["fault"]) == (None, value, "not_mobile")


@pytest.mark.parametrize(
    ("value", "countries", "spellings"),
    [
        ("4155552671", ("US",), {"+14155552671"}),
        ("4792123456", ("US",), {"+14792123456", "+4792123456"}),
        ("01163201220", ("GB",), {"+441163201220", "+63201220"}),
        ("0612345678", ("FR", "DE"), {"+33612345678", "+49612345678"}),
        ("+44 (0)7911 123456", (), {"+447911123456"}),
        ("07911123456 ext. 5", ("GB",), {"+447911123456"}),
        ("+52 55 1234 5678", (), {"+525512345678", "+5215512345678"}),
        ("+541123456789", (), {"+541123456789", "+5491123456789"}),
        ("+5491123456789", (), {"+541123456789", "+5491123456789"}),
        ("+390612345678", (), {"+390612345678", "+39612345678"}),
        ("+5511987654321", (), {"+5511987654321", "+551187654321"}),
    ],
)
def test_the_wide_keys_of_a_known_number_are_all_its_forms(
    value: str, countries: Sequence[str], spellings: set[str]
) -> None:
    assert wide(phone(value, *countries)) == spellings


@pytest.mark.parametrize(
    ("value", "countries"),
    [("+5215512345678", ()), ("044 55 1234 5678", ("MX",)), ("01 55 1234 5678", ("MX",)), ("155 1234 5678", ("MX",))],
)
def test_an_old_form_of_a_mexican_number_has_the_canonical_one_among_its_keys(
    value: str, countries: Sequence[str]
) -> None:
    assert "+525512345678" in wide(phone(value, *countries))


@pytest.mark.parametrize(
    ("value", "countries", "target"),
    [
        ("07911 123456", (), "+447911123456"),
        ("0044 7911 123456", (), "+447911123456"),
        ("447911123456", ("US",), "+447911123456"),
        ("4155552671", (), "+14155552671"),
        ("+4155552671", ("US",), "+14155552671"),
        ("20 12 34 56", (), "+4520123456"),
        ("tel:+1-415-555-2671", (), "+14155552671"),
        (f"{LEFT_TO_RIGHT}+14155552671{POP}", (), "+14155552671"),
        ("4\ufe0f\u20e3155552671", ("US",), "+14155552671"),
        ("+14155552671 ext 9", (), "+14155552671"),
        ("044 55 1234 5678", ("MX",), "+525512345678"),
        ("01 55 1234 5678", ("MX",), "+525512345678"),
        ("+5215512345678", (), "+525512345678"),
        ("+54 11 2345-6789", (), "+5491123456789"),
        ("+39 0312 345 6789", (), "+393123456789"),
        ("+55 11 8765-4321", (), "+5511987654321"),
        ("11 8765-4321", (), "+5511987654321"),
    ],
)
def test_a_suppression_blocks_the_number_however_it_was_typed(
    value: str, countries: Sequence[str], target: str
) -> None:
    known = phone(target)
    assert known["target_key"] == target
    assert is_hit(known, phone(value, *countries))


def test_numbers_of_known_countries_with_the_same_ending_do_not_block_each_other() -> None:
    assert not is_hit(phone("+447911123456"), phone("+33911123456"))
    assert is_hit(phone("+33911123456"), phone("911123456"))


@pytest.mark.parametrize(
    ("value", "countries"),
    [("0000000000", ("US",)), ("000 000 0000", ()), ("+1 000 000 0000", ()), ("2222222222", ("US",)), ("", ())],
)
def test_a_blocked_number_is_told(value: str, countries: Sequence[str]) -> None:
    assert phone(value, *countries)["is_blocked"]
    assert not phone("+14155552671")["is_blocked"]


def test_each_distinct_pair_of_value_and_countries_has_one_row() -> None:
    values = pa.chunked_array([["1", "1", None], ["1", None, "1"]])
    countries = pa.chunked_array([[["US"], ["GB"], None], [["US"], None, None]], pa.list_(pa.string()))
    table = phone_keys(values, countries, LISTS)
    assert table.schema == PHONE_KEYS
    assert sorted(map(str, zip(table["value"].to_pylist(), table["countries"].to_pylist(), strict=True))) == sorted(
        map(str, [("1", ["US"]), ("1", ["GB"]), (None, None), ("1", None)])
    )


def test_numbers_in_parts_have_the_same_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    values = pa.array(["+14155552671", None, "415 555 2671", "x", "07911123456"])
    countries = pa.array([None, ["US"], ["US"], [], ["GB"]], pa.list_(pa.string()))
    once = phone_keys(values, countries, LISTS).sort_by("value").to_pylist()
    monkeypatch.setattr(keys, "_AT_ONCE", 2)
    assert phone_keys(values, countries, LISTS).sort_by("value").to_pylist() == once


def test_no_numbers_give_no_rows() -> None:
    assert phone_keys(pa.array([], pa.string()), pa.array([], pa.list_(pa.string())), LISTS).num_rows == 0


def test_columns_and_the_library_give_the_same_keys_in_every_country() -> None:
    """Examples of every kind of number of every country, whole and spoilt, written as one does there and abroad."""
    written = list(_written(random.Random(5)))
    candidates = sorted({countries for _, countries in written})
    of_each = np.array([candidates.index(countries) for _, countries in written])
    plain = plain_values.phones(pa.array([value for value, _ in written]), candidates, of_each, LISTS)
    rows = pa.table(plain.columns).to_pylist()
    assert len(rows) > len(written) / 4
    for place, row in zip(plain.places.tolist(), rows, strict=True):
        number = read(*written[place])
        spellings, ends = ({f"phone:{one}" for one in number.spellings}, {f"phone_end:{one}" for one in number.ends})
        assert (row["number"], row["fault"]) == (number.number, number.fault), written[place]
        assert set(row["suppression_keys"]) == spellings, written[place]
        assert set(row["blocked_by"]) == spellings | ends, written[place]
        assert number.is_country_known


def test_columns_tell_mobiles_valid_numbers_and_others_apart_as_the_library_does() -> None:
    numbers = sorted({value for value, countries in _written(random.Random(6)) if value.startswith("+")})
    for value, kind in zip(numbers, numbering.kinds(pa.array(numbers)).tolist(), strict=True):
        if kind != numbering.UNSURE:
            found = read(value, ())
            expected = (
                numbering.INVALID if found.number is None else numbering.OTHER if found.fault else numbering.MOBILE
            )
            assert kind == expected, value


def _written(chance: random.Random) -> list[tuple[str, tuple[str, ...]]]:
    found = []
    for country in sorted(phonenumbers.SUPPORTED_REGIONS):
        trunk = phonenumbers.ndd_prefix_for_region(country, True) or "0"
        neighbours = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[phonenumbers.country_code_for_region(country)]
        for kind in KINDS:
            example = phonenumbers.example_number_for_type(country, kind)
            if example is not None:
                whole = phonenumbers.national_significant_number(example)
                for national in (whole, _spoilt(whole, chance), _spoilt(whole, chance)):
                    found += [
                        (f"+{example.country_code}{national}", ()),
                        (national, (country,)),
                        (national, tuple(sorted({country, chance.choice(neighbours)}))),
                        (f"{trunk}{national}", (country,)),
                        (f"{example.country_code}{national}", (country,)),
                    ]
    return found


def _spoilt(digits: str, chance: random.Random) -> str:
    place = chance.randrange(len(digits))
    return digits[:place] + chance.choice(["", *"0123456789"]) + digits[place + chance.randrange(2) :]


DIGITS = st.text("0123456789", min_size=5, max_size=13)
TYPED = st.builds(
    lambda start, digits, end: start + digits + end,
    st.sampled_from(["", "+", "00", "0", "+44", "+1", "+5511", "+521", "+549", "+390", "tel:", "(0)", ZERO_WIDTH]),
    DIGITS,
    st.sampled_from(["", " ", " ext 3", "x", NBSP, "\U0001f600", "#"]),
)
COUNTRIES = st.lists(
    st.sampled_from(["US", "GB", "IT", "BR", "AR", "MX", "DE", "DK", "KZ", "GG", "xx", None]), max_size=3
)


@given(st.one_of(TYPED, st.text(max_size=30)), COUNTRIES)
@settings(max_examples=400)
def test_the_wide_keys_include_the_narrow_one_and_all_of_its_own(value: str, countries: list[str | None]) -> None:
    row = phone(value, *countries)
    if row["target_key"] is not None:
        again = phone(row["target_key"])
        assert again["target_key"] == row["target_key"]
        assert again["suppression_keys"] <= row["suppression_keys"]
        assert again["blocked_by"] <= row["blocked_by"]
    assert row["suppression_keys"] <= row["blocked_by"]
    assert (row["target_key"] is None) == (row["fault"] is not None)


@given(st.one_of(TYPED, st.text(max_size=30)), COUNTRIES)
@settings(max_examples=200)
def test_the_order_of_the_countries_is_of_no_matter(value: str, countries: list[str | None]) -> None:
    one, other = phone(value, *countries), phone(value, *countries[::-1])
    assert one | {"countries": None} == other | {"countries": None}
