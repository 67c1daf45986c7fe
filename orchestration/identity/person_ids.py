"""Ids of persons that survive merges and splits, and that nobody gets a second time.

A component keeps the id of the person whose earliest record it holds. The others of a merge end; on a split the part
with the first-seen record keeps the id. Who has none gets one derived from the own first-seen record, with a counter
if it was ever used. The assignment and the history are kept outside the warehouse and handed in at every build.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from orchestration.identity.columns import Column, column, integers, pc, schema, whole

ASSIGNMENT = schema(record_key=pa.string(), person_id=pa.string())
#: The event is born, merged_into or split_from; the other is another person, or the record that the new id is from.
HISTORY = schema(person_id=pa.string(), event=pa.string(), other=pa.string(), at_build=pa.int64())
_DIGITS = 18  # of an id without its counter: p_ and 16 of a hash


class Assigned(NamedTuple):
    """ASSIGNMENT of every record ever seen, gone ones included, and the new rows of HISTORY."""

    assignment: pa.Table
    history: pa.Table


def assign(records: pa.Table, last: pa.Table, history: pa.Table, *, build: int) -> Assigned:
    """Give every component its person's id.

    - `records`, one row each: record_key, component, first_seen (a time; null is later than any);
    - `last`: ASSIGNMENT of the build before, empty at first;
    - `history`: HISTORY of all builds before; what has an id in it or in `last` never becomes another's.

    With the same records once more nothing changes. A record that is gone keeps its person, so that it finds it again;
    where the person was merged, it goes with it.
    """
    records = records.sort_by([("first_seen", "ascending"), ("record_key", "ascending")])
    keys = whole(records["record_key"])
    component = np.unique(integers(records["component"]), return_inverse=True)[1].astype(np.int64)
    persons: Any = whole(last["person_id"]).dictionary_encode()
    known = pc.index_in(keys, value_set=whole(last["record_key"]))
    before = integers(persons.indices.take(known).fill_null(-1))
    names = np.array(persons.dictionary.to_pylist(), dtype=object)

    holders, first = np.unique(before[before >= 0], return_index=True)
    claims = np.flatnonzero(before >= 0)[first]  # the earliest record of each person, in the order of `holders`
    by_age = np.argsort(claims)
    claimed, oldest = np.unique(component[claims[by_age]], return_index=True)
    opening = np.unique(component, return_index=True)[1]  # the earliest record of each component
    ids = np.full(len(opening), None, dtype=object)
    ids[claimed] = names[holders[by_age[oldest]]]
    vacant = np.flatnonzero(ids == None)  # noqa: E711 - element by element
    ids[vacant] = _new_ids(keys.take(column(opening[vacant])), last, history)
    now = ids[component]

    successor = names.copy()  # who holds the earliest record of each person today
    successor[holders] = ids[component[claims]]
    events = [(names[one], "merged_into", successor[one]) for one in holders[names[holders] != successor[holders]]]
    moved = np.flatnonzero(before >= 0)
    moved = moved[(now[moved] != names[before[moved]]) & (now[moved] != successor[before[moved]])]
    events += sorted({(now[one], "split_from", names[before[one]]) for one in moved})
    fresh = np.setdiff1d(vacant, component[before >= 0])
    events += [(ids[one], "born", keys[int(opening[one])].as_py()) for one in fresh]
    gone = pc.invert(pc.is_in(last["record_key"], value_set=keys))
    left = successor[integers(persons.indices)][np.asarray(gone.to_numpy(), dtype=bool)]
    return Assigned(
        pa.concat_tables(
            [
                pa.table([keys, column(now, pa.string())], schema=ASSIGNMENT),
                pa.table([last["record_key"].filter(gone), column(left, pa.string())], schema=ASSIGNMENT),
            ]
        ),
        pa.table(
            [column([one[place] for one in sorted(events)], pa.string()) for place in range(3)]
            + [pa.repeat(pa.scalar(build, pa.int64()), len(events))],
            schema=HISTORY,
        ),
    )


def _new_ids(first_records: Column, last: pa.Table, history: pa.Table) -> list[str]:
    """An id for each first-seen record, none of which was ever used."""
    bases = [f"p_{hashlib.sha256(one.encode()).hexdigest()[:16]}" for one in first_records.to_pylist()]
    used = pc.unique(pa.chunked_array([*last["person_id"].chunks, *history["person_id"].chunks], pa.string()))
    alike = used.filter(pc.is_in(pc.utf8_slice_codeunits(used, 0, _DIGITS), value_set=column(bases, pa.string())))
    counter: defaultdict[str, int] = defaultdict(int)
    for one in alike.to_pylist():
        base, _, count = one.partition("-")
        counter[base] = max(counter[base], int(count or 1))
    ids = []
    for base in bases:
        counter[base] += 1
        ids.append(base if counter[base] == 1 else f"{base}-{counter[base]}")
    return ids
