"""Which records are one person: connected components over shared keys and asserted links, each join with its reason.

A key joins all records that show it to the first of them, so it costs as many edges as it has records. Keys that many
people share join nobody: they stay keys that can be blocked, for whoever shows them.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from orchestration.identity.columns import Column, Integers, Truths, column, integers, pc, schema, texts, truths, whole

Purpose = Literal["targeting", "suppression"]
COMPONENTS = schema(record_key=pa.string(), component=pa.int64())
#: The reason is the type of the key, or the reason of the link, which has no key.
JOINS = schema(
    component=pa.int64(), record_key=pa.string(), other_record_key=pa.string(), reason=pa.string(), key=pa.string()
)
SHARED = schema(key_type=pa.string(), key=pa.string(), names=pa.int64(), records=pa.int64())


class Limits(NamedTuple):
    """How many people's a key may look before it joins nobody; None is any number."""

    names: int | None = 3  # distinct ones among the records that show it
    records: int | None = 5  # of one account


class Joined(NamedTuple):
    """The result: COMPONENTS, one row per record; JOINS; SHARED, the keys beyond the limits, with their counts."""

    components: pa.Table
    joins: pa.Table
    shared: pa.Table


class _Shown(NamedTuple):
    """Which record shows which key, once each, ordered by key and then by record."""

    code: Integers  # of the key, from 0 on
    node: Integers
    key_type: Column
    key: Column

    def only(self, chosen: Truths) -> _Shown:
        return self.take(np.flatnonzero(chosen))

    def take(self, places: Integers) -> _Shown:
        rows = column(places)
        return _Shown(self.code[places], self.node[places], self.key_type.take(rows), self.key.take(rows))


class _Edges(NamedTuple):
    source: Integers
    target: Integers
    reason: Column
    key: Column


def join(
    records: pa.Table, keys: pa.Table, links: pa.Table, *, purpose: Purpose, limits: Limits | None = None
) -> Joined:
    """Join the records for a purpose.

    - `records`, one row each: record_key, account (`platform:account`), name (as written, null where none);
    - `keys`: record_key, key_type (email, phone, external ...), key, joins (false for role, blocked and relay ones);
    - `links`: record_key, other_record_key, reason (authenticated, platform_merge, by_hand), retracted.

    For suppression any key joins. For targeting links do, external keys, and an e-mail address together with the name;
    a record without a name goes with the one name that its address is known by, if there is just one or none at all.
    One that shows nothing but a phone number goes with the first record of the one name that the number is known by.
    The number of a component is the place of its first record among all in order, of no meaning beyond one build.
    Raises ValueError when a record_key is null or repeated.
    """
    nodes = whole(records["record_key"])
    order = pc.sort_indices(nodes)
    nodes = nodes.take(order)
    if nodes.null_count or truths(pc.equal(nodes[1:], nodes[:-1])).any():
        raise ValueError("record_key is null or repeated: give each record one row.")
    names, accounts = _codes(folded_names(records["name"].take(order))), _codes(whole(records["account"]).take(order))
    shown = _shown(keys, nodes)
    counts = _counts(shown, names, accounts, limits or Limits())
    crowded = counts.beyond(limits or Limits())
    joining = shown.only(~crowded[shown.code])
    edges = _united([*_by_keys(joining, names, purpose, _with_one_key(keys, nodes)), _by_links(links, nodes)])
    component = _numbered(edges, len(nodes))
    first = shown.only(np.diff(shown.code, prepend=-1) > 0)
    shared = [texts(first.key_type), texts(first.key), column(counts.names), column(counts.records)]
    ends = [nodes.take(column(places)) for places in (edges.target, edges.source)]
    return Joined(
        pa.table([nodes, column(component)], schema=COMPONENTS),
        pa.table([column(component[edges.source]), *ends, edges.reason, edges.key], schema=JOINS),
        pa.table(shared, schema=SHARED).filter(column(crowded)),
    )


def shared(records: pa.Table, keys: pa.Table, limits: Limits | None = None) -> pa.Table:
    """The keys that look like more people's than the limits allow, in SHARED; tables as `join` takes them."""
    links = pa.table({name: pa.array([], pa.string()) for name in ("record_key", "other_record_key", "reason")})
    nothing = links.append_column("retracted", pa.array([], pa.bool_()))
    return join(records, keys, nothing, purpose="suppression", limits=limits).shared


def connected(nodes: Column, source: Column, target: Column) -> Integers:
    """The component of every node (distinct, in order) over edges between them: the place of its first node."""
    ends: list[Any] = [integers(pc.index_in(whole(one), value_set=whole(nodes))) for one in (source, target)]
    return _numbered(_Edges(ends[0], ends[1], pa.nulls(0), pa.nulls(0)), len(nodes))


def folded_names(names: Column) -> Column:
    """Names without case, marks that show nothing, punctuation and surplus spaces; null where nothing is left."""
    plain = pc.utf8_lower(pc.utf8_normalize(whole(names).cast(pa.string()), "NFKC"))
    visible = pc.replace_substring_regex(plain, r"\p{Cf}+", "")
    words = pc.utf8_trim_whitespace(pc.replace_substring_regex(visible, r"[^\p{L}\p{M}\p{N}]+", " "))
    return pc.if_else(pc.equal(words, ""), None, words)


class _Counts(NamedTuple):
    names: Integers  # by code of the key: distinct names
    records: Integers  # most records of one account

    def beyond(self, limits: Limits) -> Truths:
        most = np.iinfo(np.int64).max
        return (self.names > (most if limits.names is None else limits.names)) | (
            self.records > (most if limits.records is None else limits.records)
        )


def _shown(keys: pa.Table, nodes: Column) -> _Shown:
    place = pc.index_in(whole(keys["record_key"]), value_set=nodes)
    usable = pc.and_(pc.and_(pc.is_valid(place), pc.is_valid(whole(keys["key"]))), whole(keys["joins"]))
    node = integers(place.filter(usable))
    key_type, key = (whole(keys[name]).filter(usable).dictionary_encode() for name in ("key_type", "key"))
    code = integers(key_type.indices) * max(len(key.dictionary), 1) + integers(key.indices)
    code = np.unique(code, return_inverse=True)[1].astype(np.int64)
    first = np.unique(code * max(len(nodes), 1) + node, return_index=True)[1]
    rows = column(first)
    return _Shown(code[first], node[first], key_type.take(rows), key.take(rows))


def _counts(shown: _Shown, names: Integers, accounts: Integers, limits: Limits) -> _Counts:
    """How many distinct names, and records of one account, show each key; 0 where they cannot be beyond the limits."""
    keys = int(shown.code.max(initial=-1)) + 1
    least = min((one for one in limits if one is not None), default=len(shown.code))
    shown = shown.only((np.bincount(shown.code, minlength=keys) > least)[shown.code])
    name, account = names[shown.node], accounts[shown.node]
    spread = max(len(names), 1) + 1
    named = np.unique((shown.code * spread + name)[name >= 0])
    held, sizes = np.unique(shown.code * spread + account + 1, return_counts=True)
    records = np.zeros(keys, dtype=np.int64)
    np.maximum.at(records, held // spread, sizes)
    return _Counts(np.bincount(named // spread, minlength=keys), records)


def _by_keys(shown: _Shown, names: Integers, purpose: Purpose, with_one_key: Truths) -> list[_Edges]:
    if purpose == "suppression":
        return [_stars(shown, shown.code)]
    external = shown.only(truths(pc.equal(shown.key_type, "external")))
    emails = shown.only(truths(pc.equal(shown.key_type, "email")))
    own = names[emails.node]
    name = np.where(own >= 0, own, _only_names(emails, names)[emails.code])
    named = emails.only(name >= 0)
    group = named.code * (len(names) + 2) + name[name >= 0]
    numbers = _bare_numbers(shown.only(truths(pc.equal(shown.key_type, "phone"))), names, with_one_key)
    return [_stars(external, external.code), _stars(named, group), _stars(numbers, numbers.code)]


def _only_names(shown: _Shown, names: Integers) -> Integers:
    """By code of the key: the only name that it is known by, -1 where there are several, beyond all where none."""
    own, keys = names[shown.node], int(shown.code.max(initial=-1)) + 1
    least, most = np.full(keys, len(names), dtype=np.int64), np.full(keys, -1, dtype=np.int64)
    np.minimum.at(least, shown.code[own >= 0], own[own >= 0])
    np.maximum.at(most, shown.code[own >= 0], own[own >= 0])
    return np.where(least == most, most, np.where(most < 0, len(names), -1))


def _bare_numbers(phones: _Shown, names: Integers, with_one_key: Truths) -> _Shown:
    """Of each number of one name or none: its first record with a name, and those that show nothing else."""
    is_named = names[phones.node] >= 0
    wanted = (_only_names(phones, names)[phones.code] >= 0) & (is_named | with_one_key[phones.node])
    order = np.lexsort((~is_named[wanted], phones.code[wanted]))
    phones, is_named = phones.only(wanted).take(order), is_named[wanted][order]
    return phones.only(~is_named | (np.diff(phones.code, prepend=-1) != 0))


def _with_one_key(keys: pa.Table, nodes: Column) -> Truths:
    """Which records show one key alone, joining or not."""
    distinct = keys.select(["record_key", "key_type", "key"]).group_by(["record_key", "key_type", "key"]).aggregate([])
    place = pc.drop_null(pc.index_in(whole(distinct["record_key"]), value_set=nodes))
    return np.asarray(np.bincount(integers(place), minlength=len(nodes)) == 1)


def _stars(shown: _Shown, group: Integers) -> _Edges:
    """One edge to the first record of each group from every other."""
    order = np.argsort(group, kind="stable")
    group, node = group[order], shown.node[order]
    opening = np.diff(group, prepend=-1) != 0
    hub = node[np.maximum.accumulate(np.where(opening, np.arange(len(group)), 0))]
    rows = column(order[~opening])
    return _Edges(node[~opening], hub[~opening], texts(shown.key_type.take(rows)), texts(shown.key.take(rows)))


def _by_links(links: pa.Table, nodes: Column) -> _Edges:
    """The links that stand and whose two records are there."""
    ends: Any = [pc.index_in(whole(links[name]), value_set=nodes) for name in ("record_key", "other_record_key")]
    stands = pc.and_(pc.and_(pc.is_valid(ends[0]), pc.is_valid(ends[1])), pc.invert(whole(links["retracted"])))
    places = np.sort([integers(one.filter(stands)) for one in ends], axis=0)
    reason = texts(whole(links["reason"]).filter(stands))
    return _Edges(places[1], places[0], reason, pa.nulls(len(reason), pa.string()))


def _united(edges: list[_Edges]) -> _Edges:
    sources, targets, reasons, keys = zip(*edges, strict=True)
    return _Edges(np.concatenate(sources), np.concatenate(targets), pa.concat_arrays(reasons), pa.concat_arrays(keys))


def _numbered(edges: _Edges, size: int) -> Integers:
    """The component of every record: the place of its first record."""
    graph = coo_array((np.ones(len(edges.source), dtype=np.int8), (edges.source, edges.target)), shape=(size, size))
    labels = connected_components(graph, directed=False)[1]
    return np.unique(labels, return_index=True)[1][labels].astype(np.int64)


def _codes(values: Column) -> Integers:
    """A number for each distinct value, -1 for null."""
    return integers(values.dictionary_encode().indices.fill_null(-1))
