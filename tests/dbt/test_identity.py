"""Who is who in a whole build: suppressed wide, targeted narrow, merged and taken apart by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration import people
from orchestration.home import Home
from tests.dbt.conftest import Build, copied
from tests.dbt.raw import UNSUBSCRIBED, ago


def identity_shop(copy: Build) -> Build:
    """Mailboxes in several spellings, a family's phone, a crowd at one address, and two addresses of one Pat."""
    with copy.raw() as raw:
        raw.customer(910, "wide.one@gmail.com")
        raw.customer(911, "wideone+shop@googlemail.com", email_consent=UNSUBSCRIBED)
        raw.customer(912, "national@example.com", "(415) 555-0292")
        raw.message("SM912", "+14155550292", ago(hours=4), body="STOP")
        raw.customer(913, "mother@example.com", "+14155550293", last_name="Roe")
        raw.customer(914, "son@example.com", "415.555.0293", last_name="Poe")
        raw.message("SM913", "+14155550293", ago(hours=4), body="STOP")
        for number in range(920, 928):
            raw.customer(number, "crowd@example.com", f"+1415555{number:04d}")
        raw.message("SM920", "+14155550920", ago(hours=4), body="STOP")
        raw.customer(930, "first@example.org", last_name="One")
        raw.customer(931, "second@example.org", last_name="Two", email_consent=UNSUBSCRIBED)
        raw.customer(932, "ja\u200bne@example.org")
    return copy


@pytest.fixture(scope="module")
def built(shop: Build, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """That shop, built; only to be read."""
    build = identity_shop(copied(shop, tmp_path_factory.mktemp("identity")))
    assert build.run() == set()
    return build


def told(build: Build, channel: str = "email") -> dict[str, set[tuple[str, ...]]]:
    """By identifier, the reasons of every person who has it, on the marketing question about ordinary goods."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for identifier, codes in build.rows(
        "select decisions.identifier, decisions.reason_codes from marts.decisions as decisions"
        " inner join marts.questions as questions using (question_id)"
        f" where questions.channel = '{channel}' and questions.purpose = 'marketing'"
        " and questions.product_category = 'none'"
    ):
        found.setdefault(identifier, set()).add(tuple(codes))
    return found


def person_of(build: Build, record: int) -> str:
    [person] = build.values(
        f"select person_id from intermediate.person_records where record_key = 'shopify:main:{record}'"
    )
    return str(person)


def test_identifiers_are_blocked_in_every_spelling_and_targeted_in_one(built: Build) -> None:
    by_mail, by_text = told(built), told(built, "sms")
    assert {codes[0] for codes in by_mail["wide.one@gmail.com"]} == {"withdrawn"}
    assert {codes[0] for codes in by_text["+14155550292"]} == {"withdrawn"}
    assert not any("\u200b" in identifier for identifier in by_mail)

    withdrawn = built.values("select identifier from marts.withdrawals where channel in ('email', 'sms')")
    assert {"wide.one@gmail.com", "wideone+shop@googlemail.com", "+14155550292", "+14155550293"} <= withdrawn
    keys = built.values(
        "select unnest(suppression_keys) from marts.person_suppression_keys"
        f" where person_id = '{person_of(built, 910)}'"
    )
    assert {"email:wide.one@gmail.com", "email:wideone@gmail.com", "record:shopify:main:910"} <= keys


def test_a_family_is_several_people_whom_one_stop_silences(built: Build) -> None:
    assert person_of(built, 913) != person_of(built, 914)
    # A number alone, as texts show it, is neither of them.
    [number] = built.values("select person_id from intermediate.person_records where record_id = '+14155550293'")
    rows = built.rows(
        "select distinct person_id, reason_codes[1] from marts.decisions where identifier = '+14155550293'"
    )
    people = (person_of(built, 913), person_of(built, 914), number)
    assert sorted(rows) == sorted((one, "withdrawn") for one in people)
    reasons = built.values(
        "select reason from intermediate.identity_joins where purpose = 'suppression'"
        " and record_key = 'shopify:main:913' and other_record_key = 'shopify:main:914'"
    )
    assert reasons == {"phone"}


def test_a_crowd_at_one_address_is_joined_by_nothing_and_blocked_one_by_one(built: Build) -> None:
    assert len({person_of(built, number) for number in range(920, 928)}) == 8
    assert built.rows("select names, records from intermediate.shared_keys where key = 'email:crowd@example.com'") == [
        (8, 8)
    ]
    by_text = told(built, "sms")
    assert {codes[0] for codes in by_text["+14155550920"]} == {"withdrawn"}
    assert all("withdrawn" not in codes for codes in by_text["+14155550921"])
    restricted = built.values(
        "select list_contains(decisions.reason_codes, 'identity_ambiguous') from marts.decisions as decisions"
        " inner join marts.questions as questions using (question_id)"
        " where questions.product_category = 'vape' and decisions.identifier = 'crowd@example.com'"
    )
    assert restricted == {True}


def link(build: Build, verdict: str, number: int) -> None:
    with build.raw() as raw:
        raw.connection.execute(
            "insert into raw_audiences.links values"
            " (?, ?, 'shopify', 'main', '930', 'shopify', 'main', '931', 'sam', 'said so', ?)",
            [f"link-{number}", verdict, ago(hours=3 - number)],
        )


def built_and_kept(build: Build, home: Home, build_id: int) -> None:
    with build.raw() as raw:
        raw.build(build_id)
    assert build.run() == set()
    with build.raw() as raw:
        people.keep(home, raw.connection, build_id)


def test_what_is_merged_by_hand_is_taken_apart_again_and_no_id_is_given_twice(copy: Build, tmp_path: Path) -> None:
    shop, home = identity_shop(copy), Home(tmp_path)
    home.state.mkdir(parents=True)
    built_and_kept(shop, home, 2)
    first, second = person_of(shop, 930), person_of(shop, 931)
    assert first != second
    assert all("withdrawn" not in codes for codes in told(shop)["first@example.org"])

    link(shop, "merge", 1)
    built_and_kept(shop, home, 3)
    assert person_of(shop, 930) == person_of(shop, 931) == first
    assert {codes[0] for codes in told(shop)["first@example.org"]} == {"withdrawn"}
    # Nothing is written under the address that did not withdraw itself, since that could not be taken back.
    withdrawn = (
        "select identifier from marts.withdrawals where identifier in ('first@example.org', 'second@example.org')"
    )
    assert shop.values(withdrawn) == {"second@example.org"}

    link(shop, "unmerge", 2)
    built_and_kept(shop, home, 4)
    assert person_of(shop, 930) == first
    assert person_of(shop, 931) == f"{second}-2"
    assert all("withdrawn" not in codes for codes in told(shop)["first@example.org"])
    assert {codes[0] for codes in told(shop)["second@example.org"]} == {"withdrawn"}
    events = shop.rows(
        "select event, person_id, other from raw_audiences.person_history where at_build > 2 order by all"
    )
    assert events == [("merged_into", second, first), ("split_from", f"{second}-2", first)]


def test_a_changed_list_reads_every_identifier_anew(copy: Build) -> None:
    address = "typed@example.org"
    with copy.raw() as raw:
        raw.customer(940, address)
    assert copy.run("--select", "+identifier_keys") == set()
    read = f"select is_blocked from intermediate.identifier_keys where told = '{address}'"
    assert copy.values(read) == {False}
    seed = copy.project / "seeds" / "blocked_identifiers.csv"
    seed.write_text(seed.read_text() + f"email,exact,{address},typed in place of an address,policy,,\n")
    assert copy.dbt("seed", "--select", "blocked_identifiers").success
    assert copy.run("--select", "+identifier_keys") == set()
    assert copy.values(read) == {True}
