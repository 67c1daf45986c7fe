"""Ids of persons: kept through merges and splits, and never given to anybody else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.identity.person_ids import ASSIGNMENT, HISTORY, Assigned, assign

START = datetime(2026, 1, 1, tzinfo=UTC)


class State:
    """What is kept from build to build."""

    def __init__(self) -> None:
        self.assignment = ASSIGNMENT.empty_table()
        self.history = HISTORY.empty_table()
        self.build = 0

    def built(self, *components: Sequence[str], seen: dict[str, int] | None = None) -> dict[str, str]:
        """Build with these components, records being seen in alphabetic order; the person of each record."""
        self.build += 1
        records = _records(components, seen or {})
        result = assign(records, self.assignment, self.history, build=self.build)
        self.assignment = result.assignment
        self.history = pa.concat_tables([self.history, result.history])
        present = {record for one in components for record in one}
        return {row["record_key"]: row["person_id"] for row in result.assignment.to_pylist()
                if row["record_key"] in present}  # fmt: skip

    def told(self) -> list[tuple[str, str, str]]:
        """The history of the newest build."""
        return [
            (row["event"], row["person_id"], row["other"])
            for row in self.history.to_pylist()
            if row["at_build"] == self.build
        ]


def _records(components: Sequence[Sequence[str]], seen: dict[str, int]) -> pa.Table:
    rows = [(record, number) for number, one in enumerate(components) for record in one]
    return pa.table(
        {
            "record_key": pa.array([record for record, _ in rows], pa.string()),
            "component": pa.array([number for _, number in rows], pa.int64()),
            "first_seen": pa.array(
                [START + timedelta(days=seen.get(record, sum(map(ord, record)))) for record, _ in rows],
                pa.timestamp("us", "UTC"),
            ),
        }
    )


def test_a_new_person_s_id_derives_from_the_first_seen_record() -> None:
    state = State()
    first = state.built(["a", "b"], ["c"])
    assert first["a"] == first["b"] != first["c"]
    assert first["a"] == "p_ca978112ca1bbdca"
    assert state.told() == [("born", first["c"], "c"), ("born", first["a"], "a")]


def test_nothing_changes_while_nothing_does() -> None:
    state = State()
    first = state.built(["a", "b"], ["c"])
    assert state.built(["c"], ["b", "a"]) == first
    assert state.told() == []


def test_an_earlier_record_that_arrives_later_does_not_change_the_id() -> None:
    state = State()
    first = state.built(["b"])
    assert state.built(["a", "b"]) == {"a": first["b"], "b": first["b"]}


def test_a_merge_keeps_the_id_of_the_earliest_record_and_says_whose_ended() -> None:
    state = State()
    first = state.built(["a"], ["b"], ["c"])
    assert set(state.built(["b", "c", "a"]).values()) == {first["a"]}
    assert state.told() == sorted(
        [("merged_into", first["b"], first["a"]), ("merged_into", first["c"], first["a"])], key=lambda row: row[1]
    )


def test_who_is_earliest_is_judged_by_what_is_known_now() -> None:
    state = State()
    first = state.built(["a"], ["b"])
    assert set(state.built(["a", "b"], seen={"b": 1}).values()) == {first["b"]}
    assert state.told() == [("merged_into", first["a"], first["b"])]


def test_on_a_split_the_part_with_the_first_seen_record_keeps_the_id() -> None:
    state = State()
    first = state.built(["a", "b", "c"])
    parts = state.built(["b", "c"], ["a"])
    assert parts["a"] == first["a"]
    assert parts["b"] == parts["c"] != first["a"]
    assert state.told() == [("split_from", parts["b"], first["a"])]


def test_an_id_that_ended_in_a_merge_is_not_given_again_after_the_split() -> None:
    state = State()
    first = state.built(["a"], ["b"])
    state.built(["a", "b"])
    parts = state.built(["a"], ["b"])
    assert parts["a"] == first["a"]
    assert parts["b"] == f"{first['b']}-2"
    state.built(["a", "b"])
    assert state.built(["a"], ["b"])["b"] == f"{first['b']}-3"


def test_a_record_that_moves_to_another_person_is_told() -> None:
    state = State()
    first = state.built(["a", "b"], ["c"])
    moved = state.built(["a"], ["b", "c"])
    assert moved == {"a": first["a"], "b": first["c"], "c": first["c"]}
    assert state.told() == [("split_from", first["c"], first["a"])]


def test_a_person_both_merged_and_split_is_told_as_both() -> None:
    state = State()
    first = state.built(["a"], ["b", "c"])
    parts = state.built(["a", "b"], ["c"])
    assert parts["b"] == first["a"]
    assert sorted(state.told()) == [("merged_into", first["b"], first["a"]), ("split_from", parts["c"], first["b"])]
    assert parts["c"] not in {first["a"], first["b"]}


def test_a_record_that_was_gone_finds_its_person_again() -> None:
    state = State()
    first = state.built(["a"], ["b"])
    assert state.built(["b"]) == {"b": first["b"]}
    assert state.built(["a"], ["b"]) == first
    assert state.told() == []


def test_a_gone_record_goes_with_its_person_when_that_is_merged() -> None:
    state = State()
    first = state.built(["a"], ["b", "c"])
    state.built(["a", "b"])  # c is gone, and b's person ends
    back = state.built(["a", "b"], ["c"])
    assert back["b"] == first["a"]
    assert back["c"] not in set(first.values())
    assert state.told() == [("split_from", back["c"], first["a"])]


def test_without_the_assignment_the_history_alone_keeps_ids_from_being_given_again() -> None:
    state = State()
    first = state.built(["a"])
    state.assignment = ASSIGNMENT.empty_table()
    assert state.built(["a"]) == {"a": f"{first['a']}-2"}


def test_a_record_without_a_time_is_later_than_any() -> None:
    records = pa.table(
        {
            "record_key": ["a", "b"],
            "component": pa.array([0, 0], pa.int64()),
            "first_seen": pa.array([None, START], pa.timestamp("us", "UTC")),
        }
    )
    result = assign(records, ASSIGNMENT.empty_table(), HISTORY.empty_table(), build=1)
    assert result.history["other"].to_pylist() == ["b"]


def test_no_records_leave_everything_as_it_was() -> None:
    state = State()
    state.built(["a"])
    result: Assigned = assign(_records([], {}), state.assignment, state.history, build=2)
    assert result.assignment.to_pylist() == state.assignment.to_pylist()
    assert result.history.num_rows == 0


PARTITIONS = st.lists(st.lists(st.one_of(st.none(), st.integers(0, 5)), min_size=7, max_size=7), min_size=1, max_size=8)


@given(PARTITIONS)
@settings(max_examples=200)
def test_ids_are_never_given_again_over_merges_and_splits(partitions: list[list[int | None]]) -> None:
    """A partition gives each of seven records its component; None is gone for the moment."""
    state = State()
    ended: set[str] = set()
    known: set[str] = set()
    last: dict[str, str] = {}
    for partition in partitions:
        components: dict[int, list[str]] = {}
        for record, number in zip("abcdefg", partition, strict=True):
            if number is not None:
                components.setdefault(number, []).append(record)
        now = state.built(*components.values())
        persons = [{now[record] for record in one} for one in components.values()]
        assert all(len(one) == 1 for one in persons)
        assert len(set.union(set(), *persons)) == len(components)
        told = state.told()
        ended |= {person for event, person, _ in told if event == "merged_into"}
        assert ended.isdisjoint(now.values())
        born = {person for person in now.values() if person not in known}
        assert born == {person for event, person, _ in told if event != "merged_into" and person not in known}
        known |= born
        for person in {last[record] for record in now if record in last}:
            earliest = min(record for record in now if last.get(record) == person)
            assert now[earliest] == person or ("merged_into", person, now[earliest]) in told
        last = dict(zip(*state.assignment.to_pydict().values(), strict=True))
        again = State()
        again.assignment, again.history = state.assignment, state.history
        assert again.built(*components.values()) == now
        assert again.history.num_rows == state.history.num_rows


@given(st.lists(st.integers(0, 3), min_size=7, max_size=7), st.permutations("abcdefg"))
def test_the_order_of_the_records_is_of_no_matter(partition: list[int], order: list[str]) -> None:
    number = dict(zip("abcdefg", partition, strict=True))
    results = []
    for records in ("abcdefg", order):
        state = State()
        state.built(["a", "c", "e"], ["b", "d"], ["f"], ["g"])
        components: dict[int, list[str]] = {}
        for record in records:
            components.setdefault(number[record], []).append(record)
        results.append((state.built(*components.values()), state.told()))
    assert results[0] == results[1]
