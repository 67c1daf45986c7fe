"""The plain majority of values, read as whole columns, with the very keys that the libraries would lead to.

Plain is an address of ASCII atoms whose domain has one spelling, and a valid phone number written in digits, spaces,
dots, dashes and parentheses, with its country code or by one country's own rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orchestration.identity import numbering
from orchestration.identity.characters import Fault
from orchestration.identity.columns import Column, Integers, Truths, column, lists_of, pc, truths
from orchestration.identity.emails import Addresses
from orchestration.identity.lists import Lists
from orchestration.identity.phones import TWOFOLD

_ATOM = r"[a-z0-9_!#$%&'*+/=?^`{|}~-]+"
_ADDRESS = rf"^(?P<local>{_ATOM}(?:\.{_ATOM})*)@(?P<domain>[a-z0-9.-]+)$"
_LONGEST, _LONGEST_LOCAL = 254, 64
_GROUPS = r"[0-9]+\)?(?:[ .-]?\(?[0-9]+\)?)*"
_ABROAD, _AT_HOME = rf"\+{_GROUPS}", rf"\(?{_GROUPS}"
_E164 = r"\+[1-9][0-9]{6,14}"
_DIALLED_ABROAD = "00|011"


class Plain(NamedTuple):
    """Columns of keys, and the places of the values that they are of."""

    places: Integers
    columns: dict[str, Any]


def emails(values: Column, reader: Addresses, lists: Lists) -> Plain:
    """Those of the distinct values that are plain addresses."""
    texts = pc.ascii_lower(pc.ascii_trim_whitespace(values))
    places = np.flatnonzero(truths(pc.match_substring_regex(texts, _ADDRESS)))
    parts = pc.extract_regex(texts.take(column(places)), _ADDRESS)
    local, domain = parts.field("local"), parts.field("domain").dictionary_encode()
    known = [reader.domain(name) for name in domain.dictionary.to_pylist()]
    of_each = domain.indices.to_numpy(zero_copy_only=False)

    def each(facts: Sequence[Any], kind: pa.DataType) -> Any:
        return column(facts, kind).take(domain.indices)

    spelt_one_way = np.array([one.ascii is not None and one.names == (one.ascii,) for one in known], dtype=bool)
    certain = spelt_one_way[of_each] if len(known) else np.zeros(0, dtype=bool)
    certain &= truths(pc.less_equal(pc.binary_length(local), _LONGEST_LOCAL))
    certain &= truths(pc.less_equal(pc.binary_length(texts.take(column(places))), _LONGEST))
    names = domain.dictionary_decode()
    relay = each([one.is_relay for one in known], pa.bool_())
    bare = pc.replace_substring_regex(local, r"^([^+]+)\+.*$", r"\1")
    provider = [one.providers[0] if one.providers else None for one in known]
    canonical = each([one and one.canonical for one in provider], pa.string())
    dotless = each([one is not None and one.dotless for one in provider], pa.bool_())
    address = _address(local, names)
    untagged = _unless(relay, _unless(pc.equal(bare, local), _address(bare, names)))
    mailbox = _address(pc.if_else(dotless, pc.replace_substring(bare, ".", ""), bare), canonical)
    repeated = pc.or_(relay, pc.or_kleene(pc.equal(mailbox, address), pc.equal(mailbox, untagged)))
    spellings = [address, untagged, _unless(pc.fill_null(repeated, False), mailbox)]
    keys = _gathered([_key("email:", one) for one in spellings])
    blocked = each([one.is_blocked for one in known], pa.bool_())
    for one, listed in [
        *((spelling, lists.blocked_texts) for spelling in spellings),
        (local, lists.blocked_local_parts),
        (bare, lists.blocked_local_parts),
    ]:
        blocked = pc.or_(blocked, _in(one, listed))
    columns = {
        "target_key": address,
        "fault": pa.nulls(len(places), pa.string()),
        "suppression_keys": keys,
        "blocked_by": keys,
        "is_role": pc.or_(_in(local, lists.roles), _in(bare, lists.roles)),
        "is_blocked": blocked,
        "is_relay": relay,
        "is_mistyped": pa.repeat(False, len(places)),
    }
    return _only(certain, places, columns)


def phones(
    values: Column, candidates: Sequence[Sequence[str]], of_each: NDArray[np.integer[Any]], lists: Lists
) -> Plain:
    """Those of the values that are plain numbers; `of_each` is the place of a value's countries in `candidates`."""
    texts = pc.fill_null(pc.ascii_trim_whitespace(values), "")
    digits = pc.replace_substring_regex(texts, "[^0-9]", "")
    abroad = np.flatnonzero(numbering.matches(texts, _ABROAD))
    found = [(abroad, _key("+", digits.take(column(abroad))))]
    home = numbering.matches(texts, _AT_HOME) & ~numbering.matches(digits, _DIALLED_ABROAD, whole=False)
    home[home] = numbering.kinds(_key("+", digits.filter(column(home)))) == numbering.INVALID
    for place, countries in enumerate(candidates):
        [rules, *others] = {numbering.dialling(country) for country in countries} or {None}
        if rules is not None and not others:
            some = np.flatnonzero(home & (of_each == place))
            settled, numbers = _at_home(digits.take(column(some)), rules)
            found.append((some[settled], numbers))
    places = np.concatenate([some for some, _ in found])
    number: Any = pa.concat_arrays([numbers for _, numbers in found])
    well_formed = numbering.matches(number, _E164)
    places, number = places[well_formed], number.filter(column(well_formed))
    kinds = numbering.kinds(number)
    mobile = column(kinds == numbering.MOBILE)
    forms = [number, _written_otherwise(number)]
    keys = [_key("phone:", one) for one in forms]
    home_forms = [numbering.national(one) for one in forms]
    ends = [
        *(pc.utf8_ltrim(pc.utf8_slice_codeunits(one, -9), "+") for one in forms),
        *(_unless(pc.greater_equal(pc.binary_length(one), 9), one) for one in home_forms),
    ]
    ends[1] = _unless(pc.fill_null(pc.equal(*ends[:2]), False), ends[1])
    columns = {
        "target_key": pc.if_else(mobile, number, None),
        "number": number,
        "fault": pc.if_else(mobile, None, pa.scalar(Fault.NOT_MOBILE.value)),
        "suppression_keys": _gathered(keys),
        "blocked_by": _gathered([*keys, *(_key("phone_end:", one) for one in ends)]),
        "is_blocked": pc.or_(
            _in(digits.take(column(places)), lists.blocked_digits),
            pc.or_(*(_in(one, lists.blocked_digits) for one in home_forms)),
        ),
    }
    return _only(kinds >= numbering.OTHER, places, columns)


def _at_home(digits: Column, rules: numbering.Dialling) -> tuple[Truths, Column]:
    """Which of the digits are beyond doubt a number as it is dialled within a country, and those in E.164."""
    # The library may take a calling code off, even without a plus; in North America that is the trunk prefix, too.
    settled = ~truths(pc.starts_with(digits, str(rules.calling_code))) | (rules.calling_code == numbering.NORTH_AMERICA)
    if rules.abroad:
        settled &= ~numbering.matches(digits, rules.abroad, whole=False)
    national = pc.replace_substring_regex(digits, f"^(?:{rules.trunk})", "")
    return settled, _key(f"+{rules.calling_code}", national).filter(column(settled))


def _written_otherwise(numbers: Column) -> Column:
    """The other form of each number that has one, else null."""
    found = pa.nulls(len(numbers), pa.string())
    for pattern, form in TWOFOLD.items():
        found = pc.if_else(
            numbering.matches(numbers, pattern), pc.replace_substring_regex(numbers, pattern, form), found
        )
    return found


def _in(values: Column, listed: frozenset[str]) -> Column:
    return pc.is_in(values, column(sorted(listed), pa.string()))


def _only(certain: Truths, places: Integers, columns: dict[str, Any]) -> Plain:
    chosen = column(certain)
    return Plain(places[certain], {name: column.filter(chosen) for name, column in columns.items()})


def _gathered(columns: Sequence[Column]) -> Column:
    """One list per row, of what is not null in the columns."""
    width, rows = len(columns), len(columns[0])
    order = np.arange(width * rows).reshape(width, rows).T.ravel()
    flat: Any = pa.concat_arrays(columns).take(column(order))
    return lists_of(flat.drop_null(), truths(flat.is_valid()).reshape(rows, width).sum(axis=1))


def _address(local: Any, domain: Any) -> Any:
    return pc.binary_join_element_wise(local, domain, "@")


def _key(kind: str, values: Any) -> Any:
    return pc.binary_join_element_wise(kind, values, "")


def _unless(condition: Any, values: Any) -> Any:
    return pc.if_else(condition, None, values)
