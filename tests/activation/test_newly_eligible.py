"""Newly eligible people, each with why, and the breaker: over two builds whose decisions are written by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import insert

from dlt_sources.errors import ConfigurationError
from orchestration.activation import approvals, newly_eligible
from orchestration.activation.catalogue import Audience
from orchestration.activation.newly_eligible import NewlyEligible
from orchestration.activation.state import State, plans
from orchestration.home import Home
from orchestration.warehouse import Build
from tests.activation.shop import fresh_state

FIRST = datetime(2026, 11, 20, 12, tzinfo=UTC)
TABLES = """
CREATE SCHEMA marts;
CREATE SCHEMA intermediate;
CREATE TABLE marts.clock (build_id BIGINT, as_of TIMESTAMPTZ, known_at TIMESTAMPTZ, policies MAP(VARCHAR, VARCHAR));
CREATE TABLE marts.questions (question_id VARCHAR, channel VARCHAR, purpose VARCHAR);
INSERT INTO marts.questions VALUES ('mail', 'email', 'marketing'), ('leave', 'none', 'suppression');
CREATE TABLE marts.decisions (person_id VARCHAR, identifier_type VARCHAR, identifier VARCHAR, question_id VARCHAR,
    reason_codes VARCHAR[], evidence_ids VARCHAR[], rule_version VARCHAR, eligible BOOLEAN, may_remain BOOLEAN,
    next_change_at TIMESTAMPTZ);
CREATE TABLE marts.customer_events (event_id VARCHAR, occurred_at TIMESTAMPTZ, recorded_at TIMESTAMPTZ);
CREATE TABLE intermediate.person_records (record_key VARCHAR, person_id VARCHAR);
CREATE TABLE intermediate.consent_events (identifier_type VARCHAR, identifier VARCHAR, channel VARCHAR, state VARCHAR,
    actor VARCHAR, recorded_at TIMESTAMPTZ);
CREATE TABLE intermediate.suppressions (suppression_id VARCHAR, ended_at TIMESTAMPTZ, identifier_type VARCHAR,
    identifier VARCHAR, channel VARCHAR);
CREATE TABLE intermediate.lifted_suppressions (suppression_id VARCHAR);
CREATE TABLE intermediate.reviews (reviewed_id VARCHAR, reviewed_at TIMESTAMPTZ);
CREATE TABLE intermediate.age_evidence (age_evidence_id VARCHAR, recorded_at TIMESTAMPTZ);
CREATE TABLE intermediate.registry_receipts (compared_at TIMESTAMPTZ);
"""


class House:
    """A home whose warehouse is written build by build; people are named by a letter or a number."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        self.state: State = fresh_state(self.home)
        self.build_id = 0
        self.limits = {"mass_flip_share": "0.5", "mass_flip_people": "500", "mass_flip_least": "2"}
        self.rules = "r1"

    @contextmanager
    def build(self, codes: Mapping[str, Sequence[str]], **more: object) -> Iterator[duckdb.DuckDBPyConnection]:
        """Write a build, a day after the one before: why each person may not be written to (no code: they may)."""
        self.build_id += 1
        path = self.home.warehouse
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with duckdb.connect(str(path)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(TABLES)
            clock = [self.build_id, self.at, self.at, self.limits]
            connection.execute("INSERT INTO marts.clock VALUES (?, ?, ?, ?)", clock)
            for name, found in codes.items():
                person, _, address = name.partition("=")
                self.decide(connection, person, address or person, found)
                connection.execute("INSERT INTO intermediate.person_records VALUES (?, ?)", [address or person, person])
            yield connection

    def decide(self, connection: duckdb.DuckDBPyConnection, person: str, address: str, codes: Sequence[str]) -> None:
        stays = not codes or list(codes) == ["stale_source"]
        connection.execute(
            "INSERT INTO marts.decisions VALUES (?, 'email', ?, 'mail', ?, [], ?, ?, ?, NULL),"
            " (?, 'person', ?, 'leave', ['ok'], [], ?, true, true, NULL)",
            [person, address, codes or ["ok"], self.rules, not codes, stays, person, person, self.rules],
        )

    @property
    def at(self) -> datetime:
        return FIRST + timedelta(days=self.build_id)

    def compare(self, connection: duckdb.DuckDBPyConnection) -> NewlyEligible:
        return newly_eligible.compare(self.home, self.state, connection, Build(self.build_id, self.at))

    def publish(self) -> None:
        self.home.published.mkdir(parents=True, exist_ok=True)
        self.home.published_warehouse.write_bytes(self.home.warehouse.read_bytes())

    def made(self, codes: Mapping[str, Sequence[str]]) -> NewlyEligible:
        """Build, compare, publish."""
        with self.build(codes) as connection:
            found = self.compare(connection)
        self.publish()
        return found

    def hold(self, because: str) -> None:
        """Put a plan of the newest build on record as held."""
        values = {
            "plan_id": f"plan{self.build_id}", "build_id": self.build_id, "path": "changes", "platform": "mailer",
            "account": "main", "audience": "buyers", "target": "list:Buyers", "adds": 1, "updates": 0, "removes": 0,
            "suppressions": 0, "status": "held", "held_because": because, "file": "", "created_at": FIRST,
        }  # fmt: skip
        with self.state.write_deliveries() as connection:
            connection.execute(insert(plans).values(values))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.state.close()


WITHDRAWN, BLOCKED, YOUNG = ["withdrawn"], ["manual_block"], ["under_age"]


def test_the_first_build_has_nothing_to_be_compared_with(house: House) -> None:
    found = house.made({"a": [], "b": WITHDRAWN})
    assert (found.base_build_id, found.flipped, found.held_because) == (None, 0, "")


def test_each_person_who_may_be_contacted_anew_has_the_cause_that_explains_it(house: House) -> None:
    people = ["in", "granted", "imported", "lifted", "vanished", "reviewed", "birthday", "proven", "joined", "moved"]
    house.made(dict.fromkeys(people, WITHDRAWN) | {
        "in": [], "lifted": BLOCKED, "vanished": BLOCKED, "reviewed": ["held_for_review"], "birthday": YOUNG,
        "proven": ["age_no_evidence"], "silent": ["stale_source"], "moved=m": BLOCKED,
    })  # fmt: skip
    with duckdb.connect(str(house.home.published_warehouse)) as former:
        former.execute("UPDATE marts.decisions SET evidence_ids = ['s-' || identifier]")
        former.execute(
            "UPDATE marts.decisions SET next_change_at = ? WHERE person_id = 'birthday'",
            [house.at + timedelta(hours=1)],
        )
    now = [*people[:-2], "silent", "new"]
    with house.build(dict.fromkeys(now, ()) | {"other=joined": [], "elsewhere=m": [], "in=second": []}) as new:
        late = [house.at - timedelta(hours=1)]
        grant = "INSERT INTO intermediate.consent_events VALUES ('email', ?, 'email', 'granted', ?, ?)"
        new.execute(grant, ["granted", "customer", *late])
        new.execute(grant, ["imported", "import", *late])
        new.execute("INSERT INTO intermediate.suppressions (suppression_id, ended_at) VALUES ('s-lifted', ?)", late)
        new.execute("INSERT INTO intermediate.reviews VALUES ('s-reviewed', ?)", late)
        new.execute("UPDATE marts.decisions SET evidence_ids = ['proof'] WHERE person_id = 'proven'")
        new.execute("INSERT INTO intermediate.age_evidence VALUES ('proof', ?)", late)
        found = house.compare(new)
        rows = new.execute("SELECT person_id, identifier, cause FROM comparison.newly_eligible").fetchall()
    assert {f"{person}={address}": cause for person, address, cause in rows} == {
        "new=new": "first_seen",
        "granted=granted": "own_new_grant",
        "imported=imported": "unexplained",
        "lifted=lifted": "suppression_ended",
        "reviewed=reviewed": "suppression_ended",
        "vanished=vanished": "unexplained",
        "birthday=birthday": "clock_or_evidence",
        "proven=proven": "clock_or_evidence",
        "other=joined": "merge",
        "elsewhere=m": "merge",
        "in=second": "merge",
    }
    assert found.by_cause["unexplained"] == 2
    assert (found.flipped, found.people, found.base_build_id) == (9, 11, 1)
    assert found.by_question == {"mail": 9}


def test_other_rules_explain_whom_nothing_else_does(house: House) -> None:
    house.made({"a": YOUNG})
    house.rules = "r2"
    assert house.made({"a": []}).by_cause == {"rule_change": 1}


def test_a_purchase_since_is_an_own_grant_where_it_is_the_ground(house: House) -> None:
    house.made({"old": ["implied_expired"], "replayed": ["implied_expired"]})
    with house.build({"old": [], "replayed": []}) as new:
        new.execute("UPDATE marts.decisions SET evidence_ids = ['order-' || person_id]")
        order = "INSERT INTO marts.customer_events VALUES (?, ?, ?)"
        new.execute(order, ["order-old", house.at - timedelta(hours=1), house.at])
        new.execute(order, ["order-replayed", FIRST - timedelta(days=90), house.at])
        assert house.compare(new).by_cause == {"unexplained": 1, "own_new_grant": 1}


def test_a_question_that_was_not_asked_before_flips_nobody(house: House) -> None:
    house.made({"a": WITHDRAWN})
    with duckdb.connect(str(house.home.published_warehouse)) as former:
        former.execute("UPDATE marts.decisions SET question_id = 'another' WHERE question_id = 'mail'")
    assert house.made({"a": []}).flipped == 0


@pytest.mark.parametrize(
    ("limits", "flips", "held"),
    [
        ({"mass_flip_share": "0.005"}, 5, False),
        ({"mass_flip_share": "0.005"}, 6, True),
        ({"mass_flip_share": "0.9", "mass_flip_people": "7"}, 7, False),
        ({"mass_flip_share": "0.9", "mass_flip_people": "7"}, 8, True),
        ({"mass_flip_share": "0.0001"}, 1, False),
        ({"mass_flip_share": "0.0001"}, 2, True),
    ],
    ids=["at the share", "beyond it", "at the number", "beyond it", "one person", "two of a thousand"],
)
def test_more_than_the_share_or_the_number_of_people_is_held(
    house: House, limits: Mapping[str, str], flips: int, held: bool
) -> None:
    house.limits |= limits
    everybody = {str(number): WITHDRAWN for number in range(1000)}
    house.made(everybody)
    found = house.made(everybody | {str(number): [] for number in range(flips)})
    assert found.flipped == flips
    assert bool(found.held_because) is held


def test_people_first_seen_and_people_with_a_grant_of_their_own_hold_nothing(house: House) -> None:
    house.made({str(number): WITHDRAWN for number in range(10)})
    with house.build({str(number): [] for number in range(30)}) as new:
        for number in range(10):
            values = [str(number), house.at]
            grant = "INSERT INTO intermediate.consent_events VALUES ('email', ?, 'email', 'granted', 'customer', ?)"
            new.execute(grant, values)
        found = house.compare(new)
    assert (found.flipped, found.held_because) == (0, "")
    assert found.by_cause == {"own_new_grant": 10, "first_seen": 20}


def test_the_reason_says_how_many_why_and_what_approves(house: House) -> None:
    everybody = {str(number): WITHDRAWN for number in range(4)}
    house.made(everybody)
    found = house.made(dict.fromkeys(everybody, ()) | {"new": []})
    assert found.held_because == (
        "mass_flip: 4 people who were kept out in build 1 may be contacted now, 100.00% of 4 (limits 500 and 50.00%): "
        "4 unexplained; counted apart: 1 seen for the first time; when this is right: "
        "audiences approve build:2 --actor YOU --reason WHY"
    )
    asked = Audience(name="buyers", channel="email", purpose="marketing", topic="", brand="", question_id="mail")
    other = Audience(name="readers", channel="email", purpose="marketing", topic="", brand="", question_id="letters")
    assert found.holds([asked, other]) == {"buyers": (found.held_because,)}
    assert approvals.command("mailer:main", "plan", found.held_because).startswith("audiences approve build:2 ")


def test_waiting_makes_no_fault_true_and_an_approval_does(house: House) -> None:
    everybody = {str(number): WITHDRAWN for number in range(4)}
    flipped = dict.fromkeys(everybody, ())
    house.made(everybody)
    second = house.made(flipped)
    house.hold(second.held_because)
    third = house.made(flipped)
    assert (third.flipped, third.base_build_id) == (4, 1)
    assert "audiences approve build:3 " in third.held_because
    house.hold(third.held_because)
    approvals.approve_build(house.state, 3, "jo", "a withdrawal list was wrong")
    fourth = house.made(flipped | {"4": []})
    assert (fourth.flipped, fourth.base_build_id, fourth.held_because) == (0, 3, "")
    assert fourth.by_cause == {"first_seen": 1}


def test_a_fault_that_is_mended_needs_no_approval(house: House) -> None:
    everybody = {str(number): WITHDRAWN for number in range(4)}
    house.made(everybody)
    assert house.made(dict.fromkeys(everybody, ())).held_because
    mended = house.made(everybody)
    assert (mended.flipped, mended.held_because) == (0, "")
    assert house.made(everybody).base_build_id == 3


def test_the_same_build_planned_anew_is_held_until_it_is_approved(house: House) -> None:
    everybody = {str(number): WITHDRAWN for number in range(4)}
    house.made(everybody)
    first = house.made(dict.fromkeys(everybody, ()))
    with duckdb.connect(str(house.home.warehouse)) as connection:
        assert house.compare(connection) == first
        house.hold(first.held_because)
        approved = approvals.approve_build(house.state, 2, "jo", "looked at")
        assert (approved.ready, approved.held) == (1, 0)
        again = house.compare(connection)
    assert (again.held_because, again.flipped, again.by_cause) == ("", 4, {"unexplained": 4})


def test_an_approval_leaves_what_else_holds_a_plan(house: House) -> None:
    house.build_id = 5
    house.hold("mass_flip: many\nremoved_share: half of them would leave")
    done = approvals.approve_build(house.state, 5, "jo", "looked at")
    assert (done.ready, done.held) == (0, 1)


def test_a_build_that_waits_for_nothing_cannot_be_approved(house: House) -> None:
    house.build_id = 5
    house.hold("removed_share: half of them would leave")
    with pytest.raises(ConfigurationError, match="No plan of build 5 waits"):
        approvals.approve_build(house.state, 5, "jo", "looked at")


def test_a_copy_that_cannot_be_compared_with_holds_everything(house: House) -> None:
    house.made({"a": []})
    with duckdb.connect(str(house.home.published_warehouse)) as former:
        former.execute("DROP TABLE intermediate.person_records")
    found = house.made({"a": []})
    asked = Audience(name="buyers", channel="email", purpose="marketing", topic="", brand="", question_id="mail")
    assert list(found.holds([asked])) == ["buyers"]
    assert "audiences approve build:2 " in found.held_because
    assert "audiences approve build:3 " in house.made({"a": []}).held_because
