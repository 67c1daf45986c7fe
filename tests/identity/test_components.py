"""Records are joined by what they share, not by what everybody shares, and each join says why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.identity.components import COMPONENTS, JOINS, SHARED, Joined, Limits, Purpose, folded_names, join

Record = tuple[str, str, str | None]
Key = tuple[str, str, str, bool]
Link = tuple[str, str, str, bool]
NO_LIMITS = Limits(names=None, records=None)


def joined(
    records: Sequence[Record],
    keys: Sequence[Key] = (),
    links: Sequence[Link] = (),
    purpose: Purpose = "suppression",
    limits: Limits | None = None,
) -> Joined:
    texts, truths = pa.string(), pa.bool_()
    return join(
        _table(records, record_key=texts, account=texts, name=texts),
        _table(keys, record_key=texts, key_type=texts, key=texts, joins=truths),
        _table(links, record_key=texts, other_record_key=texts, reason=texts, retracted=truths),
        purpose=purpose,
        limits=limits,
    )


def people(result: Joined) -> set[frozenset[str]]:
    found = defaultdict(set)
    for row in result.components.to_pylist():
        found[row["component"]].add(row["record_key"])
    return {frozenset(one) for one in found.values()}


def _table(rows: Sequence[tuple[object, ...]], **kinds: pa.DataType) -> pa.Table:
    names = list(kinds)
    return pa.table({name: pa.array([row[names.index(name)] for row in rows], kinds[name]) for name in names})


def records(*names: str | None, account: str = "shop:main") -> list[Record]:
    """Records r0, r1 ... of these names."""
    return [(f"r{place}", account, name) for place, name in enumerate(names)]


def emails(*keys: str, joins: bool = True) -> list[Key]:
    """The e-mail key that each of r0, r1 ... shows."""
    return [(f"r{place}", "email", key, joins) for place, key in enumerate(keys)]


def test_records_that_share_a_key_are_one_for_suppression_and_the_join_says_which() -> None:
    result = joined(records("Jane", "Joe", "Ann"), [*emails("a", "a", "b"), ("r2", "phone", "+1", True)])
    assert people(result) == {frozenset({"r0", "r1"}), frozenset({"r2"})}
    assert result.joins.to_pylist() == [
        {"component": 0, "record_key": "r0", "other_record_key": "r1", "reason": "email", "key": "a"}
    ]


def test_every_reason_of_a_join_is_kept() -> None:
    keys = [*emails("a", "a"), ("r0", "phone", "+1", True), ("r1", "phone", "+1", True)]
    result = joined(records("Jane", "Jane"), keys, [("r1", "r0", "by_hand", False)])
    assert sorted(result.joins["reason"].to_pylist()) == ["by_hand", "email", "phone"]


def test_the_same_text_as_an_e_mail_and_as_a_phone_is_two_keys() -> None:
    result = joined(records("Jane", "Joe"), [("r0", "email", "1", True), ("r1", "phone", "1", True)])
    assert len(people(result)) == 2


def test_for_targeting_an_address_joins_only_records_of_one_name() -> None:
    shown = emails("a", "a", "a", "a")
    result = joined(records("Jane Doe", "JANE  doe", "Joe", None), shown, purpose="targeting")
    assert people(result) == {frozenset({"r0", "r1"}), frozenset({"r2"}), frozenset({"r3"})}
    assert len(people(joined(records("Jane Doe", "JANE  doe", "Joe", None), shown))) == 1


def test_a_record_without_a_name_goes_with_the_only_name_of_its_address() -> None:
    assert len(people(joined(records("Jane", None, "JANE"), emails(*"aaa"), purpose="targeting"))) == 1
    assert len(people(joined(records(None, None), emails(*"aa"), purpose="targeting"))) == 1
    two = people(joined(records("Jane", "Joe", None, None), emails(*"aaaa"), purpose="targeting"))
    assert two == {frozenset({one}) for one in ("r0", "r1", "r2", "r3")}


def test_a_record_of_a_number_alone_goes_with_the_first_of_its_only_name() -> None:
    def phones(*records: str) -> list[Key]:
        return [(one, "phone", "+1", True) for one in records]

    shown = [*phones("r0", "r1", "r2"), *emails("a", "b")]
    assert people(joined(records("Jane", "JANE", None), shown, purpose="targeting")) == {
        frozenset({"r0", "r2"}),
        frozenset({"r1"}),
    }
    assert len(people(joined(records("Jane", "Joe", None), shown, purpose="targeting"))) == 3
    assert len(people(joined(records(None, None), phones("r0", "r1"), purpose="targeting"))) == 1
    more = [*shown, ("r2", "email", "info@c", False)]
    assert len(people(joined(records("Jane", "JANE", None), more, purpose="targeting"))) == 3


def test_for_targeting_a_phone_joins_nobody_and_an_external_key_does() -> None:
    two = records("Jane", "Joe")
    assert len(people(joined(two, [(one, "phone", "+1", True) for one in ("r0", "r1")], purpose="targeting"))) == 2
    assert len(people(joined(two, [(one, "external", "x", True) for one in ("r0", "r1")], purpose="targeting"))) == 1


def test_a_link_joins_for_both_purposes_until_it_is_retracted() -> None:
    two = records("Jane", "Joe")
    for purpose in ("targeting", "suppression"):
        for reason in ("authenticated", "platform_merge", "by_hand"):
            linked = joined(two, links=[("r0", "r1", reason, False)], purpose=purpose)
            assert linked.joins["reason"].to_pylist() == [reason]
            assert len(people(linked)) == 1
            assert len(people(joined(two, links=[("r0", "r1", reason, True)], purpose=purpose))) == 2


def test_a_link_to_a_record_that_is_not_there_joins_nobody() -> None:
    assert len(people(joined(records("Jane"), links=[("r0", "gone", "by_hand", False)]))) == 1


def test_a_role_blocked_or_relay_identifier_joins_nobody() -> None:
    assert len(people(joined(records("Jane", "Jane"), emails("info@a", "info@a", joins=False)))) == 2


def test_more_than_three_names_make_a_key_shared() -> None:
    three = records("Jane", "Joe", "Ann", "jane", "JOE")
    assert len(people(joined(three, emails(*"aaaaa")))) == 1
    four = joined(records("Jane", "Joe", "Ann", "Bob"), emails(*"aaaa"))
    assert len(people(four)) == 4
    assert four.shared.to_pylist() == [{"key_type": "email", "key": "a", "names": 4, "records": 4}]
    assert four.joins.num_rows == 0


def test_more_than_five_records_of_one_account_make_a_key_shared() -> None:
    assert len(people(joined(records(*["Jane"] * 5), emails(*"aaaaa")))) == 1
    assert len(people(joined(records(*["Jane"] * 6), emails(*"aaaaaa")))) == 6
    spread = [(f"r{place}", f"shop:{place % 2}", "Jane") for place in range(10)]
    assert len(people(joined(spread, emails(*"a" * 10)))) == 1


def test_a_record_that_shows_a_key_twice_counts_once() -> None:
    assert len(people(joined(records("Jane", "Joe"), emails("a", "a") * 5))) == 1


def test_the_limits_are_parameters() -> None:
    four = records("Jane", "Joe", "Ann", "Bob")
    assert len(people(joined(four, emails(*"aaaa"), limits=Limits(names=4, records=4)))) == 1
    assert len(people(joined(four, emails(*"aaaa"), limits=Limits(names=None, records=3)))) == 4


def test_a_shared_key_stops_only_itself() -> None:
    four = records("Jane", "Joe", "Ann", "Bob")
    result = joined(four, [*emails(*"aaaa"), ("r0", "phone", "+1", True), ("r1", "phone", "+1", True)])
    assert people(result) == {frozenset({"r0", "r1"}), frozenset({"r2"}), frozenset({"r3"})}


def test_a_hundred_thousand_records_of_one_address_and_a_person_of_ten_thousand_cost_an_edge_each() -> None:
    crowd = [(f"c{place}", "shop:main", f"Name {place}") for place in range(100_000)]
    one = [(f"p{place}", f"shop:{place}", "Jane Doe") for place in range(10_000)]
    keys = [(key, "email", "all@example.com", True) for key, _, _ in crowd]
    keys += [(key, "email", "jane@example.com", True) for key, _, _ in one]
    result = joined([*crowd, *one], keys)
    assert result.joins.num_rows == 9_999
    assert len(people(result)) == 100_001
    assert result.shared["records"].to_pylist() == [100_000]


def test_no_records_give_no_components() -> None:
    result = joined([], emails("a"))
    assert [table.num_rows for table in result] == [0, 0, 0]
    assert [table.schema for table in result] == [COMPONENTS, JOINS, SHARED]


@pytest.mark.parametrize("key", ["r0", None])
def test_a_record_with_two_rows_or_without_a_key_is_refused(key: str | None) -> None:
    with pytest.raises(ValueError, match="one row"):
        joined([("r0", "shop:main", "Jane"), (key, "shop:main", "Joe")])  # type: ignore[list-item]


def test_keys_without_a_value_join_nobody() -> None:
    keys = [("r0", "email", None, True), ("r1", "email", None, True), (None, "email", "a", True)]
    assert len(people(joined(records("Jane", "Jane"), keys))) == 2  # type: ignore[arg-type]


def test_names_are_compared_without_case_marks_and_what_shows_nothing() -> None:
    names = ["Jane Doe", " JANE\u00a0DOE ", "jane, doe!", "ja\u200bne d\u00adoe", "\uff2aane Doe"]
    assert set(folded_names(pa.array(names)).to_pylist()) == {"jane doe"}
    assert folded_names(pa.array(["", " - ", None, "\u200b"])).to_pylist() == [None] * 4
    assert folded_names(pa.array(["\u05d3\u05d5\u05d3", "\U0001f600"])).to_pylist() == ["\u05d3\u05d5\u05d3", None]


RECORDS = [f"r{place}" for place in range(9)]
NAMES = st.lists(st.sampled_from(["Jane", "Joe", "Ann", None]), min_size=9, max_size=9)
KEYS = st.lists(
    st.tuples(
        st.sampled_from(RECORDS),
        st.sampled_from(["email", "phone", "external"]),
        st.sampled_from("abcd"),
        st.booleans(),
    ),
    max_size=14,
)
LINKS = st.lists(
    st.tuples(st.sampled_from(RECORDS), st.sampled_from(RECORDS), st.just("by_hand"), st.booleans()), max_size=4
)


@given(NAMES, KEYS, LINKS, st.sampled_from(["suppression", "targeting"]))
def test_components_are_those_of_a_union_find(
    names: list[str | None], keys: list[Key], links: list[Link], purpose: Purpose
) -> None:
    rows = records(*names)
    expected = _by_union_find(rows, keys, links, purpose)
    assert people(joined(rows, keys, links, purpose, NO_LIMITS)) == expected


@given(NAMES, KEYS, LINKS, st.randoms(use_true_random=False))
def test_the_order_of_the_input_is_of_no_matter(
    names: list[str | None], keys: list[Key], links: list[Link], chance: object
) -> None:
    rows = records(*names)
    first = joined(rows, keys, links)
    shuffled = [sorted(some, key=lambda _: chance.random()) for some in (rows, keys, links)]  # type: ignore[attr-defined]
    again = joined(*shuffled)
    assert again.components == first.components
    assert sorted(map(str, again.joins.to_pylist())) == sorted(map(str, first.joins.to_pylist()))


@given(NAMES, KEYS, LINKS, KEYS, LINKS)
def test_what_is_added_never_takes_a_record_out_of_reach(
    names: list[str | None], keys: list[Key], links: list[Link], more: list[Key], more_links: list[Link]
) -> None:
    """Without limits; a key that crosses them still blocks whoever shows it, but joins nobody any longer."""
    rows = records(*names)
    before = people(joined(rows, keys, links, limits=NO_LIMITS))
    after = people(joined(rows, keys + more, links + more_links, limits=NO_LIMITS))
    assert all(any(one <= other for other in after) for one in before)


@given(NAMES, KEYS, LINKS, LINKS)
def test_a_link_never_takes_a_record_out_of_reach(
    names: list[str | None], keys: list[Key], links: list[Link], more: list[Link]
) -> None:
    rows = records(*names)
    before, after = people(joined(rows, keys, links)), people(joined(rows, keys, links + more))
    assert all(any(one <= other for other in after) for one in before)


@given(NAMES, KEYS, LINKS)
def test_records_joined_for_targeting_are_joined_for_suppression(
    names: list[str | None], keys: list[Key], links: list[Link]
) -> None:
    rows = records(*names)
    narrow, wide = people(joined(rows, keys, links, "targeting")), people(joined(rows, keys, links, "suppression"))
    assert all(any(one <= other for other in wide) for one in narrow)


def _by_union_find(
    rows: Iterable[Record], keys: Sequence[Key], links: Iterable[Link], purpose: Purpose
) -> set[frozenset[str]]:
    name = {key: one for key, _, one in rows}
    known: defaultdict[str, set[str]] = defaultdict(set)
    for record, kind, key, joins in keys:
        if joins and kind == "email" and (one := name[record]):
            known[key].add(one)
    above = {key: key for key in name}

    def top(one: str) -> str:
        while above[one] != one:
            one = above[one]
        return one

    shown: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for record, kind, key, _ in keys:
        shown[record].add((kind, key))
    numbers: defaultdict[str, set[str]] = defaultdict(set)
    for record, kind, key, joins in keys:
        if purpose == "targeting" and joins and kind == "phone" and (name[record] or len(shown[record]) == 1):
            numbers[key].add(record)
    for some in numbers.values():
        named = sorted(one for one in some if name[one])
        if len({name[one] for one in named}) < 2:
            bare = sorted(one for one in some if not name[one])
            for one in bare:
                above[top(one)] = top((named or bare)[0])
    holders: dict[tuple[str | None, ...], str] = {}
    for record, kind, key, joins in keys:
        group: tuple[str | None, ...] | None = (kind, key)
        if purpose == "targeting" and kind != "external":
            only = next(iter(known[key]), None) if len(known[key]) < 2 else None
            is_anybody = len(known[key]) < 2 or name[record]
            group = (kind, key, name[record] or only) if kind == "email" and is_anybody else None
        if joins and group:
            above[top(record)] = top(holders.setdefault(group, record))
    for one, other, _, retracted in links:
        if not retracted:
            above[top(one)] = top(other)
    found = defaultdict(set)
    for key in name:
        found[top(key)].add(key)
    return {frozenset(one) for one in found.values()}
