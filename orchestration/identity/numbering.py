"""The library's own patterns of numbers, applied to whole columns of plain digits.

What they do not settle beyond doubt is left to the library itself, value by value (`phones.read`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import phonenumbers
from numpy.typing import NDArray
from phonenumbers import PhoneMetadata, PhoneNumberDesc

from orchestration.identity.columns import Column, Integers, Truths, column, pc

UNSURE, INVALID, OTHER, MOBILE = -1, 0, 1, 2
NORTH_AMERICA = 1
_CODES = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
_CODE_TEXTS = frozenset(map(str, _CODES))
CALLING_CODE = rf"^\+(?:{'|'.join(sorted(_CODE_TEXTS))})"
_NOT_GEOGRAPHIC = "001"
_OTHER_KINDS = (
    "premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan", "voicemail",
)  # fmt: skip


class Dialling(NamedTuple):
    """How a country's own numbers are written."""

    calling_code: int
    trunk: str  # pattern of the digits before a number dialled within the country
    abroad: str  # pattern of the digits that dial abroad


def kinds(numbers: Column) -> NDArray[np.int8]:
    """UNSURE, INVALID, OTHER (valid, but not mobile) or MOBILE (perhaps fixed) of numbers such as +14155550123."""
    found = np.full(len(numbers), UNSURE, dtype=np.int8)
    for code, places in _by_calling_code(numbers):
        national = pc.utf8_slice_codeunits(numbers.take(column(places)), 1 + len(str(code)))
        found[places] = _kinds_within(code, national) if code else INVALID
    return found


def national(numbers: Column) -> Column:
    """E.164 forms without plus and calling code."""
    return pc.replace_substring_regex(numbers, CALLING_CODE, "")


@cache
def dialling(country: str) -> Dialling | None:
    """None for a country unknown to the library, or whose rules rewrite the digits or are those of another."""
    about: Any = PhoneMetadata.metadata_for_region(country, None)
    if about is None or about.national_prefix_transform_rule:
        return None
    regions = _CODES[about.country_code]
    if country != regions[0] and about.country_code != NORTH_AMERICA:
        return None
    return Dialling(about.country_code, about.national_prefix_for_parsing or "", about.international_prefix or "")


def matches(texts: Column, pattern: str, *, whole: bool = True) -> Truths:
    """Which texts match from their start on, to their end if `whole`."""
    found = pc.match_substring_regex(texts, f"^(?:{pattern})$" if whole else f"^(?:{pattern})")
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def _by_calling_code(numbers: Column) -> Iterator[tuple[int, Integers]]:
    """Each calling code with the places of its numbers; 0 is none."""
    if not len(numbers):
        return
    heads = pc.utf8_slice_codeunits(numbers, 1, 4).dictionary_encode()
    codes = np.array([_calling_code(one) for one in heads.dictionary.to_pylist()], dtype=np.int64)
    of_each = codes[heads.indices.to_numpy(zero_copy_only=False)]
    order = np.argsort(of_each, kind="stable")
    distinct, starts = np.unique(of_each[order], return_index=True)
    yield from zip(distinct.tolist(), np.split(order, starts[1:]), strict=True)


def _calling_code(head: str) -> int:
    return next((int(head[:size]) for size in (1, 2, 3) if head[:size] in _CODE_TEXTS), 0)


def _kinds_within(code: int, national: Column) -> NDArray[np.int8]:
    """By the library's order: the first region that claims the number says what it is."""
    found = np.full(len(national), INVALID, dtype=np.int8)
    regions = _CODES[code]
    if regions == (_NOT_GEOGRAPHIC,):
        found[:] = UNSURE
        return found
    left = np.arange(len(national))
    for region in regions:
        about: Any = PhoneMetadata.metadata_for_region(region, None)
        some = national.take(column(left))
        kind = _kinds_of_region(about, some)
        claimed = matches(some, about.leading_digits, whole=False) if about.leading_digits else kind != INVALID
        found[left[claimed]] = kind[claimed]
        left = left[~claimed]
        if not len(left):
            break
    main: Any = PhoneMetadata.metadata_for_region(regions[0], None)
    if main.national_prefix_for_parsing:
        found[matches(national, main.national_prefix_for_parsing, whole=False)] = UNSURE
    return found


def _kinds_of_region(about: Any, national: Column) -> NDArray[np.int8]:
    lengths = pc.binary_length(national).to_numpy(zero_copy_only=False)

    def fits(descriptions: Iterable[PhoneNumberDesc | None]) -> Truths:
        fitting = np.zeros(len(national), dtype=bool)
        for one in descriptions:
            if one is not None and one.national_number_pattern:
                possible = np.isin(lengths, one.possible_length) if one.possible_length else np.True_
                fitting |= possible & matches(national, one.national_number_pattern)
        return fitting

    general = fits([about.general_desc])
    other = fits(getattr(about, kind) for kind in _OTHER_KINDS)
    fixed = fits([about.fixed_line])
    mobile = fixed if about.same_mobile_and_fixed_line_pattern else fits([about.mobile])
    kind = np.where(mobile, MOBILE, np.where(fixed, OTHER, INVALID))
    return np.where(general, np.where(other, OTHER, kind), INVALID).astype(np.int8)
