"""What HubSpot's contacts, subscriptions and webhooks come to mean."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.dbt.conftest import Build
from tests.dbt.raw import NOW, Raw, ago
from tests.dbt.shop import LATER_OPT_OUT

LATER = NOW + timedelta(hours=1)
LATER_GRANT = {"consent": "SUBSCRIBED", "double_optin": True, "consent_timestamp": "2026-05-01T00:00:00+00:00"}
DECIDED = (
    "select reason_codes from marts.decisions where identifier = '{0}@hub.example' and known_at >= '{1}'"
    " and question_id like 'email|marketing|marketing|%|none|%'"
)


def contact(
    raw: Raw,
    number: int,
    name: str | None,
    changed: datetime = NOW - timedelta(days=2),
    archived_at: datetime | None = None,
    extracted_at: datetime = NOW - timedelta(hours=1),
    **properties: Any,
) -> None:
    """Land a version of a contact."""
    values = {
        "hs_object_id": str(number),
        "email": f"{name}@hub.example" if name else None,
        "firstname": "Pat",
        "lastname": f"Number {number}",
        "createdate": "2025-06-01T10:00:00.000Z",
        "lastmodifieddate": changed.isoformat(),
        "hs_email_optout": None,
        "hs_country_region_code": "US",
    }
    payload = {
        "id": str(number),
        "properties": values | properties,
        "createdAt": "2025-06-01T10:00:00.000Z",
        "updatedAt": changed.isoformat(),
        "archived": archived_at is not None,
        **({"archivedAt": archived_at.isoformat()} if archived_at else {}),
    }
    raw.record("hubspot", "contacts", str(number), payload, changed, extracted_at)


def status(
    state: str, at: datetime = NOW - timedelta(days=30), type_: str = "Marketing", **more: Any
) -> dict[str, Any]:
    known = {"channel": "EMAIL", "subscriptionName": type_, "subscriptionId": 7 if type_ == "Marketing" else 8}
    return {**known, "status": state, "timestamp": at.isoformat(), "legalBasis": "CONSENT_WITH_NOTICE", **more}


def opted_out(at: datetime) -> dict[str, Any]:
    wide = {"channel": "EMAIL", "status": "UNSUBSCRIBED", "wideStatusType": "PORTAL_WIDE"}
    return {**wide, "timestamp": at.isoformat()}


def statuses(
    raw: Raw,
    number: int,
    name: str,
    *said: Mapping[str, Any],
    wide: Sequence[Mapping[str, Any]] = (),
    changed: datetime = NOW - timedelta(days=2),
    extracted_at: datetime = NOW - timedelta(hours=1),
) -> None:
    """Land a version of what an address is subscribed to."""
    payload = {
        "subscriberIdString": f"{name}@hub.example",
        "statuses": list(said),
        "wideStatuses": list(wide),
        "contact": {"id": str(number), "lastmodifieddate": changed.isoformat()},
    }
    raw.record("hubspot", "subscription_statuses", str(number), payload, changed, extracted_at)


def person(raw: Raw, number: int, name: str, *said: Mapping[str, Any], **properties: Any) -> None:
    """Land a contact and its subscriptions; subscribed to marketing unless told otherwise."""
    contact(raw, number, name, **properties)
    statuses(raw, number, name, *(said or (status("SUBSCRIBED"),)))


def act(kind: str, number: int, at: datetime = NOW - timedelta(minutes=40), **more: Any) -> dict[str, Any]:
    known = {"eventId": number, "subscriptionId": 3, "portalId": 33, "appId": 7, "attemptNumber": 0}
    return {**known, "occurredAt": int(at.timestamp() * 1000), "subscriptionType": kind, "objectId": number, **more}


def change(number: int, name: str, value: Any, **more: Any) -> dict[str, Any]:
    return act("contact.propertyChange", number, propertyName=name, propertyValue=value, **more)


def fill(raw: Raw) -> None:
    people(raw)
    changes(raw)
    webhooks(raw)


def people(raw: Raw) -> None:
    """One contact for each thing that may be said."""
    person(raw, 1, "granted")
    person(raw, 2, "unsubscribed", status("UNSUBSCRIBED"))
    person(raw, 3, "silent", status("NOT_SPECIFIED"))
    person(raw, 4, "nothing-but-legitimate-interest", status("SUBSCRIBED", legalBasis="LEGITIMATE_INTEREST_CLIENT"))
    person(raw, 5, "never-seen", status("PAUSED"))
    person(raw, 6, "other-type", status("SUBSCRIBED"), status("UNSUBSCRIBED", type_="Newsletter"))
    contact(raw, 7, "all-mail", hs_email_optout="true")
    statuses(raw, 7, "all-mail", status("UNSUBSCRIBED"), wide=[opted_out(ago(days=10))])
    person(raw, 8, "flag-only", hs_email_optout="true")
    person(raw, 9, "odd-flag", hs_email_optout="maybe")
    person(raw, 10, "bounced", hs_email_hard_bounce_reason_enum="UNKNOWN_USER")
    person(raw, 11, "quarantined", hs_email_quarantined="true")
    person(raw, 12, "born", date_of_birth="1990-05-01", age_verified="true", hs_country_region_code="CA")
    person(raw, 13, "odd-birth-date", date_of_birth="1990-13-45", mobilephone="+1 415 555 0913")
    person(raw, 14, "registrant", aevent_registrant_id="0012ab")
    person(raw, 15, "one-type-here-all-there", status("UNSUBSCRIBED"))
    further = {"subscriberIdString": "further@hub.example"}
    person(raw, 16, "first", status("SUBSCRIBED"), status("UNSUBSCRIBED", **further))
    # The contact changed since, and what its addresses are subscribed to did not.
    statuses(raw, 16, "first", status("SUBSCRIBED"), status("UNSUBSCRIBED", **further), changed=ago(days=1))
    raw.profile("KH16", "further@hub.example", email_consent=LATER_GRANT, location={"country": "United States"})
    raw.profile("KH15", "one-type-here-all-there@hub.example", email_consent=LATER_OPT_OUT)
    occurrence = {"objectId": "14", "objectType": "CONTACT", "occurredAt": ago(days=3).isoformat(), "properties": {}}
    for event_id, kind in (("o1", "pe33_webinar_registered"), ("o2", "e_visited_page")):
        raw.record("hubspot", "events", event_id, {"id": event_id, "eventType": kind, **occurrence}, ago(days=3))


def changes(raw: Raw) -> None:
    """Contacts that changed between two pulls."""
    early, late = ago(days=9), ago(days=1)
    contact(raw, 21, "came-back", ago(days=20), hs_email_optout="true", extracted_at=early)
    statuses(raw, 21, "came-back", status("UNSUBSCRIBED"), wide=[opted_out(ago(days=20))], extracted_at=early)
    contact(raw, 21, "came-back", ago(days=3), hs_email_optout="", extracted_at=late)
    again = status("SUBSCRIBED", ago(days=3))
    statuses(raw, 21, "came-back", again, changed=ago(days=3), extracted_at=late)
    for number, name in ((22, "archived"), (23, "loser"), (24, "winner"), (25, "restored"), (26, "deleted")):
        person(raw, number, name)
    contact(raw, 22, "archived", archived_at=ago(days=1))


def webhooks(raw: Raw) -> None:
    """What came by webhook since the last pull."""
    for number, name in (
        (31, "clicked"),
        (32, "one-type"),
        (33, "took-it-back"),
        (34, "forgotten"),
        (35, "unreadable"),
    ):
        person(raw, number, name)
    opt_out = change(31, "hs_email_optout", "true")
    raw.webhook("hubspot", "contact.propertyChange", [opt_out], landing_id="first")
    other = act("contact.creation", 1)
    raw.webhook("hubspot", "contact.propertyChange", [other, {**opt_out, "attemptNumber": 1}], landing_id="again")
    one_type = change(32, "hs_email_optout_8", "true")
    back = change(33, "hs_email_optout", "false")
    raw.webhook("hubspot", "contact.propertyChange", [one_type, back], landing_id="mixed")
    unknown = change(999, "hs_email_optout", "true")
    raw.webhook("hubspot", "contact.propertyChange", [unknown, other], landing_id="unknown contact")
    odd = change(35, "hs_email_optout", {"value": True})
    raw.webhook("hubspot", "contact.propertyChange", [odd], landing_id="odd value")
    gone = [act("contact.deletion", 34), act("contact.privacyDeletion", 34)]
    raw.webhook("hubspot", "contact.privacyDeletion", gone, landing_id="erased")
    merge = act("contact.merge", 24, primaryObjectId=24, mergedObjectIds=[23], newObjectId=24)
    moved = [act("contact.deletion", 25), act("contact.deletion", 26), merge]
    raw.webhook("hubspot", "contact.deletion", moved, landing_id="moved")
    restore = act("contact.restore", 25, ago(minutes=35))
    raw.webhook("hubspot", "contact.restore", [restore], landing_id="restored")
    raw.webhook("hubspot", "", {"not": "a list"}, landing_id="no list")
    newer = {**change(1, "firstname", "Sam"), "subscriptionType": "object.propertyChange", "objectTypeId": "0-1"}
    raw.webhook("hubspot", "contact.propertyChange", [newer], landing_id="newer")


@pytest.fixture(scope="module")
def crm(shop: Build, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The shop of `shop.py` with a CRM, in a second build; only to be read."""
    folder = tmp_path_factory.mktemp("crm")
    shutil.copy(shop.warehouse, folder / "warehouse.duckdb")
    build = Build(shop.project, folder / "warehouse.duckdb", shop.target)
    with build.raw() as raw:
        fill(raw)
        raw.build(2, LATER)
    assert build.run() == set()
    return build


def reasons(crm: Build, name: str) -> list[str]:
    (found,) = crm.rows(f"select distinct reason_codes from ({DECIDED.format(name, LATER.isoformat())})")
    return list(found[0])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("granted", ["ok"]),
        # One contact's two addresses: opting out at one closes the other.
        ("first", ["withdrawn"]),
        ("further", ["withdrawn"]),
        ("unsubscribed", ["withdrawn", "no_grant"]),
        ("silent", ["unknown"]),
        ("nothing-but-legitimate-interest", ["unknown"]),
        ("never-seen", ["withdrawn", "no_grant"]),
        ("other-type", ["withdrawn"]),
        ("all-mail", ["withdrawn", "no_grant"]),
        ("flag-only", ["withdrawn"]),
        ("odd-flag", ["withdrawn"]),
        ("bounced", ["hard_bounce"]),
        ("quarantined", ["manual_block"]),
        # Without evidence that it was the person, a subscription after an opt-out lifts nothing.
        ("came-back", ["withdrawn"]),
        ("clicked", ["withdrawn"]),
        ("one-type", ["withdrawn"]),
        ("took-it-back", ["ok"]),
        ("unreadable", ["withdrawn"]),
        ("winner", ["ok"]),
        ("restored", ["ok"]),
    ],
)
def test_what_is_said_at_hubspot_decides(crm: Build, name: str, expected: list[str]) -> None:
    assert reasons(crm, name) == expected


def test_a_value_nobody_has_seen_is_an_alarm_and_is_written_nowhere_else(crm: Build) -> None:
    flagged = crm.values(
        "select record_id from marts.quarantine where platform = 'hubspot' and reason = 'unknown_value'"
    )
    assert flagged == {"5", "9", "35"}
    pushed = crm.values("select identifier from marts.withdrawals where identifier like '%@hub.example'")
    assert not pushed & {"never-seen@hub.example", "odd-flag@hub.example", "unreadable@hub.example"}


def test_only_an_opt_out_from_all_mail_is_written_elsewhere(crm: Build) -> None:
    found = dict(crm.rows("select identifier, held_by from marts.withdrawals where identifier like '%@hub.example'"))
    assert found == {
        "all-mail@hub.example": ["hubspot:main"],
        "flag-only@hub.example": ["hubspot:main"],
        "clicked@hub.example": ["hubspot:main"],
        "came-back@hub.example": ["hubspot:main"],
        # One type of mail there is not all mail: HubSpot has yet to hear of the other.
        "one-type-here-all-there@hub.example": ["klaviyo:main"],
    }


def test_the_time_of_an_opt_out_is_hubspots_own_where_it_tells_one(crm: Build) -> None:
    found = crm.rows(
        "select distinct effective_lo, effective_hi from intermediate.consent_events"
        " where platform = 'hubspot' and record_id = '7' and topic = '*'"
    )
    assert found == [(ago(days=10), ago(days=10))]


def test_a_flip_is_a_new_statement_and_a_change_of_name_is_none(crm: Build) -> None:
    said = crm.rows(
        "select state, topic from intermediate.consent_events where platform = 'hubspot' and record_id = '21'"
        " order by recorded_at, topic"
    )
    assert said == [("withdrawn", "*"), ("withdrawn", "*"), ("withdrawn", "marketing"), ("granted", "marketing")]


def test_each_address_of_a_contact_speaks_for_itself_and_once(crm: Build) -> None:
    said = crm.rows(
        "select identifier, state from intermediate.consent_events where platform = 'hubspot' and record_id = '16'"
    )
    assert sorted(said) == [("first@hub.example", "granted"), ("further@hub.example", "withdrawn")]


def test_legal_bases_and_times_stay_with_the_statement(crm: Build) -> None:
    [(evidence, method, at)] = crm.rows(
        "select evidence ->> '$.detail', method, source_seen_at from intermediate.consent_events"
        " where platform = 'hubspot' and record_id = '1' and topic = 'marketing'"
    )
    assert (evidence, method, at) == ("CONSENT_WITH_NOTICE", "web_form", ago(days=30))


def test_who_is_gone_is_pushed_to_no_more(crm: Build) -> None:
    there = crm.values("select record_id from marts.destination_records where platform = 'hubspot'")
    assert {"22", "23", "26", "34"} & there == set()
    assert {"1", "24", "25"} <= there


def test_a_privacy_deletion_erases_and_the_deletion_beside_it_changes_nothing(crm: Build) -> None:
    kinds = crm.rows("select kind, identifier_type, identifier from intermediate.suppressions where record_id = '34'")
    assert sorted(kinds) == [("erased", "email", "forgotten@hub.example"), ("erased", "phone", None)]


def test_acts_that_are_delivered_again_in_another_batch_are_one(crm: Build) -> None:
    acts = crm.rows("select count(*) from staging.hubspot__acts where record_id = '31'")
    assert acts == [(1,)]


def test_a_request_is_absorbed_when_all_that_it_forbids_has_arrived(crm: Build) -> None:
    absorbed = crm.values("select landing_id from marts.absorbed_landings")
    assert {"first", "again", "mixed", "erased", "moved", "restored", "newer", "odd value"} <= absorbed
    # Whose opt-out it is nobody knows yet, so the ledger goes on blocking the record.
    assert not absorbed & {"unknown contact", "no list"}


def test_birth_dates_and_ticks_are_evidence_of_their_level(crm: Build) -> None:
    found = crm.rows(
        "select kind, level, threshold, value::varchar from intermediate.age_evidence"
        " where platform = 'hubspot' order by level"
    )
    assert found == [("over", 1, 18, None), ("dob", 2, None, "1990-05-01")]
    misfits = crm.rows("select field, reason from marts.quarantine where platform = 'hubspot' and record_id = '13'")
    assert misfits == [("birth_date", "not_birth_date")]


def test_a_registrant_id_among_the_properties_joins_the_contact(crm: Build) -> None:
    people = crm.values(
        "select person_id from marts.destination_records"
        " where email in ('registrant@hub.example', 'shopper@example.com') or record_id = '0012ab'"
    )
    assert len(people) == 1


def test_events_of_custom_types_are_known_whatever_the_accounts_number(crm: Build) -> None:
    found = crm.rows(
        "select event_name, raw_name from marts.customer_events where platform = 'hubspot' and record_id = '14'"
        " and person_id is not null order by 1"
    )
    assert found == [("other", "e_visited_page"), ("webinar_registered", "pe33_webinar_registered")]


def test_phones_and_places_are_read(crm: Build) -> None:
    assert crm.rows(
        "select phone_key from intermediate.customer_records_latest where platform = 'hubspot' and record_id = '13'"
    ) == [("+14155550913",)]
    assert crm.rows(
        "select country from intermediate.customer_records_latest where platform = 'hubspot' and record_id = '12'"
    ) == [("CA",)]
