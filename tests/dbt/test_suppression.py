"""An audience of purpose suppression: everybody of interest but the erased, whatever they consented to."""

from __future__ import annotations

import pytest

from tests.dbt.conftest import Build

SQL = """
select distinct person_id from {{ ref('customer_events') }}
where event_name = 'order_placed' and person_id is not null
"""
TWIN = """version: 2
models:
  - name: leave_alone
    config:
      meta:
        owner: events
        rule: Bought something.
        audience:
          channel: {channel}
          purpose: suppression
          topic: webinar
          product_category: none
          {more}
          destinations:
            - {{platform: aevent, account: main, tag: Buyer}}
"""


def write(build: Build, channel: str = "none", more: str = "limits: {}") -> None:
    segments = build.project / "models" / "segments"
    (segments / "leave_alone.sql").write_text(SQL)
    (segments / "leave_alone.yml").write_text(TWIN.format(channel=channel, more=more))


def test_everybody_of_interest_but_the_erased_is_admitted_as_a_person(copy: Build) -> None:
    write(copy)
    assert copy.run("--select", "questions", "decisions", "leave_alone") == set()
    of_interest = copy.values("select person_id from segments.leave_alone")
    rows = copy.rows("select person_id, identifier_type, identifier from audiences.leave_alone")
    assert {(kind, person == identifier) for person, kind, identifier in rows} == {("person", True)}
    admitted = [person for person, *_ in rows]
    assert len(admitted) == len(set(admitted))
    out = copy.rows("select person_id, reason_codes from exclusions.leave_alone")
    assert {code for _, codes in out for code in codes} == {"erased"}
    assert set(admitted) | {person for person, _ in out} == of_interest
    withdrawn = copy.values("select person_id from marts.destination_records where email = 'bob@example.com'")
    nowhere = copy.values("select person_id from marts.destination_records where record_id = '6'")
    assert withdrawn | nowhere <= set(admitted)


@pytest.mark.parametrize(
    ("channel", "more", "told"),
    [
        ("email", "limits: {}", "channel: none"),
        ("none", "leave_on: [order_placed]", "leave_on"),
        ("none", "holdout: 0.1", "holdout"),
    ],
)
def test_a_twin_that_suppresses_and_contacts_is_told(copy: Build, channel: str, more: str, told: str) -> None:
    write(copy, channel, more)
    result = copy.dbt("run", "--select", "leave_alone")
    (message,) = [one.message for one in result.result.results if one.node.name == "leave_alone"]
    assert told in message


def test_a_tag_never_adds_anybody_to_what_is_sent(copy: Build) -> None:
    path = copy.project / "models" / "segments" / "webinar_follow_up.yml"
    path.write_text(path.read_text().replace("leave_on:", 'enter_on: ["Tag: Buyer"]\n          leave_on:'))
    result = copy.dbt("run", "--select", "webinar_follow_up")
    (message,) = [one.message for one in result.result.results if one.node.name == "webinar_follow_up"]
    assert "tag:buyer" in message
