"""Keys of e-mail addresses and phone numbers, for each distinct value once.

Columns of both tables:

- `value` (and `countries`) as given;
- `target_key`: the one mailbox (with an A-label domain) or mobile number (E.164) that it certainly is, else null;
- `fault`: why it is null, a `characters.Fault`;
- `number` (phones): the one valid E.164 reading, mobile or not;
- `suppression_keys`: every key that a suppression of this value blocks, such as `email:jane@example.com`,
  `phone:+14155550123` or, of a number whose country is not known, `phone_end:155550123`;
- `blocked_by`: every key whose suppression blocks this value: the same, and of a phone the endings of its forms;
- `is_role`, `is_blocked`, `is_relay`: kinds of identifier that join no records; `is_mistyped`: the domain looks it.

Plain values are read as whole columns, all others one by one with the libraries; both ways give the same keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import phonenumbers
import pyarrow as pa

from orchestration.identity import numbering, plain_values
from orchestration.identity.columns import Column, Integers, column, lists_of, pc, schema, texts, whole
from orchestration.identity.emails import Addresses
from orchestration.identity.lists import Lists
from orchestration.identity.phones import Number, digits_of, keys_of, read

_AT_ONCE = 500_000
_LIST = pa.list_(pa.string())
_FLAGS = {"is_role": pa.bool_(), "is_blocked": pa.bool_(), "is_relay": pa.bool_(), "is_mistyped": pa.bool_()}
_OUTCOME = {"fault": pa.string(), "suppression_keys": _LIST, "blocked_by": _LIST}
EMAIL_KEYS = schema(value=pa.string(), target_key=pa.string(), **_OUTCOME, **_FLAGS)
PHONE_KEYS = schema(
    value=pa.string(), countries=_LIST, target_key=pa.string(), number=pa.string(), **_OUTCOME, **_FLAGS
)


def email_keys(values: Column, lists: Lists) -> pa.Table:
    """The keys of each distinct value, null among them, in EMAIL_KEYS; rows in no particular order."""
    distinct = texts(values).unique()
    reader = Addresses(lists)
    return pa.concat_tables(
        [EMAIL_KEYS.empty_table(), *(_email_rows(some, reader, lists) for some in _slices(distinct))]
    )


def phone_keys(values: Column, countries: Column, lists: Lists) -> pa.Table:
    """The keys of each distinct pair of a value and a list of countries, in PHONE_KEYS; rows in no particular order.

    `countries`, one list of ISO codes per value, are those of ship-to, bill-to and shop; null or empty is unknown.
    """
    numbers, places = texts(values), whole(countries).cast(_LIST)
    together = _together(places)
    first = _first_of_each(numbers, together)
    rows = zip(_slices(numbers.take(first)), _slices(places.take(first)), _slices(together.take(first)), strict=True)
    return pa.concat_tables([PHONE_KEYS.empty_table(), *(_phone_rows(*some, lists) for some in rows)])


def _email_rows(distinct: Column, reader: Addresses, lists: Lists) -> pa.Table:
    plain = plain_values.emails(distinct, reader, lists)
    rest = distinct.take(_others(len(distinct), plain.places))
    found = [reader.read(one) for one in rest.to_pylist()]
    keys = [[f"email:{key}" for key in one.keys] for one in found]
    of_rest = {
        "value": rest,
        "target_key": [one.target for one in found],
        "fault": [one.fault for one in found],
        "suppression_keys": keys,
        "blocked_by": keys,
        "is_role": [one.is_role for one in found],
        "is_blocked": [one.is_blocked for one in found],
        "is_relay": [one.is_relay for one in found],
        "is_mistyped": [one.is_mistyped for one in found],
    }
    return _table([plain.columns | {"value": distinct.take(column(plain.places))}, of_rest], EMAIL_KEYS)


def _phone_rows(numbers: Column, places: Column, together: Column, lists: Lists) -> pa.Table:
    together = together.dictionary_encode()
    candidates = [_countries(one) for one in together.dictionary.to_pylist()]
    of_each = together.indices.to_numpy(zero_copy_only=False)
    plain = plain_values.phones(numbers, candidates, of_each, lists)
    rest = _others(len(numbers), plain.places)
    given = numbers.take(rest).to_pylist()
    found = [read(text, candidates[one]) for text, one in zip(given, of_each[rest].tolist(), strict=True)]
    of_rest = {
        "target_key": [None if one.fault else one.number for one in found],
        "number": [one.number for one in found],
        "fault": [one.fault for one in found],
        "suppression_keys": [keys_of(one, ends=not one.is_country_known) for one in found],
        "blocked_by": [keys_of(one, ends=True) for one in found],
        "is_blocked": [_is_blocked(text, one, lists) for text, one in zip(given, found, strict=True)],
    }
    order = column(np.concatenate([plain.places, rest.to_numpy()]))
    outcome = _table([plain.columns, of_rest], pa.schema([PHONE_KEYS.field(name) for name in of_rest]))
    no = pa.repeat(pa.scalar(value=False), len(order))
    columns = {
        "value": numbers.take(order),
        "countries": places.take(order),
        "is_role": no,
        "is_relay": no,
        "is_mistyped": no,
    }
    columns |= {name: outcome[name] for name in of_rest}
    return pa.table({name: columns[name] for name in PHONE_KEYS.names}, schema=PHONE_KEYS)


def _is_blocked(text: str | None, number: Number, lists: Lists) -> bool:
    national = (re.sub(numbering.CALLING_CODE, "", one) for one in number.spellings)
    return not (text or "").strip() or not lists.blocked_digits.isdisjoint([digits_of(text or ""), *national])


def _countries(together: str) -> tuple[str, ...]:
    return tuple(sorted({one.strip().upper() for one in together.split(",")} & phonenumbers.SUPPORTED_REGIONS))


def _together(places: Column) -> Column:
    """Each list of countries as one text."""
    codes = pc.fill_null(pc.list_flatten(places), "")
    return pc.binary_join(lists_of(codes, pc.fill_null(pc.list_value_length(places), 0)), ",")


def _slices(values: Column) -> Iterator[Column]:
    """The values in parts, so that the work of many millions fits in memory."""
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]


def _first_of_each(*columns: Column) -> Column:
    """The place of the first row of each combination."""
    names = [str(place) for place, _ in enumerate(columns)]
    rows = pa.table([*columns, column(np.arange(len(columns[0])))], names=[*names, "place"])
    return whole(rows.group_by(names).aggregate([("place", "min")])["place_min"])


def _table(parts: Iterable[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.concat_tables(
        [pa.table({name: part[name] for name in schema.names}, schema=schema) for part in parts]
    ).combine_chunks()


def _others(size: int, places: Integers) -> Column:
    left = np.ones(size, dtype=bool)
    left[places] = False
    return column(np.flatnonzero(left))
