"""The real destinations against the stand-ins, over HTTP: what was planned is what the platforms then hold."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from dlt_sources import registry
from dlt_sources.accounts import Account
from dlt_sources.platform import Destination
from orchestration import warehouse
from orchestration.activation import approvals, baseline, catalogue
from orchestration.activation.apply import Applied, apply
from orchestration.activation.catalogue import Audience, Catalogue, Place
from orchestration.activation.guards import Findings
from orchestration.activation.patience import Patience
from orchestration.activation.plan import PlanSummary, plan
from orchestration.activation.state import State, plans
from orchestration.home import Home
from sandbox.client import Sandbox
from sandbox.server import running
from tests.activation.shop import MARTS, NONE, ToldGate, fresh_state

LIST, TAG = "Recent buyers", "aud-recent-buyer"
BUYERS = Audience(
    name="buyers", channel="email", purpose="marketing", topic="marketing", brand="acme", question_id=NONE.id,
    destinations=(
        Place(platform="klaviyo", account="main", target=f"list:{LIST}", traits={"orders": "orders"}),
        Place(platform="shopify", account="main", target=f"tag:{TAG}"),
    ),
)  # fmt: skip


class Beside:
    """A house with fabricated marts over the stand-ins' own people."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.home, self.sandbox = Home(folder), sandbox
        self.state: State = fresh_state(self.home)
        self.gate = ToldGate(self)  # type: ignore[arg-type]
        self.accounts = [
            Account(name, "main", "acme", "US", ("US",), {**sandbox.credentials[name], **sandbox.config[name]})
            for name in ("klaviyo", "shopify")
        ]
        for account in self.accounts:
            approvals.approve(self.state, account.key, "tests", "stand-ins")
        self.opened: dict[str, Destination] = {}
        everybody = [one for one in sandbox.people() if one["emails"] and set(one["records"]) >= {"klaviyo", "shopify"}]
        self.people = {one["person"]: one for one in everybody[:12]}
        with warehouse.opened(self.home) as connection:
            warehouse.ensure_raw(connection, [], self.accounts)
            connection.execute(MARTS)
            connection.execute("CREATE SCHEMA audiences")
        self.build_id = 0

    def build(self, admitted: list[str], refused: list[str] | None = None, orders: int = 1) -> dict[str, PlanSummary]:
        """Decide that everybody but the refused is eligible, and plan."""
        refused = refused or []
        found = baseline.read_back(baseline.due(self.state), lambda key: self.destination(*key.split(":")))
        with warehouse.opened(self.home) as connection:
            build = warehouse.begin_build(self.state, connection)
            connection.execute("BEGIN")
            for table in ("questions", "destination_records", "person_suppression_keys", "decisions", "withdrawals"):
                connection.execute(f"DELETE FROM marts.{table}")
            connection.execute("INSERT INTO marts.questions VALUES (?, 'email')", [NONE.id])
            connection.execute(
                "CREATE OR REPLACE TABLE audiences.buyers (person_id VARCHAR, identifier_type VARCHAR, "
                "identifier VARCHAR, orders INTEGER, build_id BIGINT)"
            )
            for person, one in self.people.items():
                email = one["emails"][0]
                records = [(name, record) for name, held in one["records"].items() for record in held]
                for name, record in records:
                    if name != "twilio":
                        values = [name, "main", "acme", record, person, email, None]
                        connection.execute("INSERT INTO marts.destination_records VALUES (?, ?, ?, ?, ?, ?, ?)", values)
                connection.execute(
                    "INSERT INTO marts.person_suppression_keys VALUES (?, ?)", [person, [f"email:{email}"]]
                )
                reason = "withdrawn" if person in refused else "ok"
                connection.execute(
                    "INSERT INTO marts.decisions SELECT ?, 'email', ?, ?, ?, ?, [?], [], 'r1', as_of, known_at, NULL "
                    "FROM raw_audiences.builds WHERE build_id = ?",
                    [person, email, NONE.id, reason == "ok", reason == "ok", reason, build.build_id],
                )
                if person in refused:
                    values = ["email", email, "email", reason, build.as_of, []]
                    connection.execute("INSERT INTO marts.withdrawals VALUES (?, ?, ?, ?, ?, ?)", values)
                if person in admitted:
                    values = [person, "email", email, orders, build.build_id]
                    connection.execute("INSERT INTO audiences.buyers VALUES (?, ?, ?, ?, ?)", values)
            connection.execute("DELETE FROM marts.clock")
            connection.execute("INSERT INTO marts.clock SELECT build_id, as_of, known_at FROM raw_audiences.builds")
            connection.execute("COMMIT")
            baseline.take(connection, self.state, found, build.build_id)
            summaries = plan(
                self.home, self.state, connection, Catalogue(build.build_id, (BUYERS,)), Findings(),
                platforms=registry.all_platforms(), accounts=self.accounts,
            )  # fmt: skip
        return {f"{one.path} {one.platform}": one for one in summaries}

    def apply(self) -> dict[str, Applied]:
        results = apply(
            self.home, self.state, self.gate, self.destination, patience=Patience(sleep=lambda _seconds: None)
        )
        return {f"{one.path} {one.platform}": one for one in results}

    def destination(self, platform: str, _account: str) -> Destination:
        if platform not in self.opened:
            account = next(one for one in self.accounts if one.platform == platform)
            self.opened[platform] = registry.platform(platform).destination(account)
        return self.opened[platform]

    def records(self, platform: str, people: list[str]) -> set[str]:
        return {record for person in people for record in self.people[person]["records"][platform]}

    def held(self) -> dict[str, set[str]]:
        members = self.sandbox.members()
        return {"klaviyo": members["klaviyo"].get(LIST, set()), "shopify": members["shopify"].get(TAG, set())}

    def wanted(self, people: list[str]) -> dict[str, set[str]]:
        return {platform: self.records(platform, people) for platform in ("klaviyo", "shopify")}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("sandbox")
    with running(home, people=60, seed=5, unlimited=True, job_seconds=0.02) as started:
        yield started


@pytest.fixture
def house(tmp_path: Path, sandbox: Sandbox) -> Iterator[Beside]:
    house = Beside(tmp_path, sandbox)
    yield house
    sandbox.behave()
    house.gate.forbidden.clear()
    house.build(admitted=[])
    with house.state.write_deliveries() as connection:
        connection.execute(update(plans).where(plans.c.status == "held").values(status="ready"))
    house.apply()
    assert house.held() == {"klaviyo": set(), "shopify": set()}


def test_after_lost_deliveries_everybody_ends_where_they_belong(house: Beside) -> None:
    """Members are read back from the real platforms' answers: nobody twice, nobody out, and whoever must go goes."""
    people = sorted(house.people)
    house.build(people[:6])
    house.apply()
    catalogue.write(house.home, Catalogue(house.build_id, (BUYERS,)))
    house.state.close()
    for path in house.home.state.glob("deliveries.db*"):
        path.unlink()
    house.state = State.of(house.home)
    planned = house.build(people[1:8], refused=people[:1])
    for platform in ("klaviyo", "shopify"):
        stayed, new = len(house.records(platform, people[1:6])), len(house.records(platform, people[6:8]))
        changed, going = planned[f"changes {platform}"], planned[f"removals {platform}"]
        assert (changed.adds, changed.updates, changed.removes, changed.status) == (new, stayed, 0, "held")
        assert going.removes == len(house.records(platform, people[:1]))
    house.apply()
    assert house.held() == house.wanted(people[1:6]), "removals go, additions wait for an approval"
    for account in house.accounts:
        approvals.approve(house.state, account.key, "tests", "the figures are right")
    house.apply()
    assert house.held() == house.wanted(people[1:8])


def test_members_come_and_go_and_nothing_else_is_touched(house: Beside) -> None:
    others = {
        platform: {name: ids for name, ids in held.items() if name not in (LIST, TAG)}
        for platform, held in house.sandbox.members().items()
    }
    people = list(house.people)
    house.build(people[:8])
    results = house.apply()
    assert {one.status for one in results.values()} == {"applied"}
    assert house.held() == house.wanted(people[:8])

    planned = house.build(people[1:9], refused=[people[2]])
    assert planned["removals klaviyo"].removes == len(house.records("klaviyo", [people[2]]))
    house.apply()
    assert house.held() == house.wanted([one for one in people[1:9] if one != people[2]])
    after = house.sandbox.members()
    assert {platform: {name: after[platform][name] for name in held} for platform, held in others.items()} == others


def test_running_again_calls_nobody(house: Beside) -> None:
    people = list(house.people)[:5]
    house.build(people)
    house.apply()
    house.sandbox.clear_calls()
    house.build(people)
    assert house.apply() == {}
    assert house.sandbox.calls() == []


def test_a_withdrawal_is_written_where_the_address_is(house: Beside) -> None:
    person = list(house.people)[10]
    planned = house.build([], refused=[person])
    assert planned["removals shopify"].suppressions == len(house.records("shopify", [person]))
    results = house.apply()
    assert {one.status for one in results.values()} == {"applied"}
    assert house.build([], refused=[person])["removals klaviyo"].status == "nothing"


@pytest.mark.parametrize(
    ("platform", "fault"),
    [
        ("klaviyo", {"kind": "cut", "effect": True}),
        ("klaviyo", {"kind": "500", "times": 2}),
        ("klaviyo", {"kind": "429", "times": 4, "seconds": 0.1}),
        ("shopify", {"kind": "cut", "effect": True, "times": 3}),
        ("shopify", {"kind": "429", "times": 4, "seconds": 0.1}),
    ],
    ids=lambda value: value if isinstance(value, str) else value["kind"],
)
def test_misbehaviour_changes_nothing_about_the_end(house: Beside, platform: str, fault: dict) -> None:
    people = list(house.people)[:6]
    house.build(people)
    kind = dict(fault)
    house.sandbox.misbehave(platform, kind.pop("kind"), kind.pop("times", 1), method="POST", **kind)
    house.apply()
    house.sandbox.behave()
    house.apply()
    assert house.held() == house.wanted(people)


def test_a_row_that_the_platform_refuses_hinders_no_other(house: Beside) -> None:
    people = list(house.people)[:6]
    house.build(people)
    bad = {name: sorted(house.records(name, people))[0] for name in ("klaviyo", "shopify")}
    for platform, record in bad.items():
        house.sandbox.misbehave(platform, "partial", records=[record])
    results = house.apply()
    assert house.held() == {name: ids - {bad[name]} for name, ids in house.wanted(people).items()}
    assert {name: one.dead + one.failed for name, one in results.items()} == {
        "changes klaviyo": 1,
        "changes shopify": 1,
    }
    house.sandbox.behave()


def test_who_is_suppressed_meanwhile_is_on_no_platform_afterwards(house: Beside) -> None:
    people = list(house.people)[:6]
    house.build(people)
    ask, asked = house.gate.blocked, []

    def blocked_from_the_second_question(rows: list, build_id: int) -> dict:
        asked.append(len(rows))
        if len(asked) == 2:
            house.gate.block(f"email:{house.people[people[3]]['emails'][0]}")
        return ask(rows, build_id)

    house.gate.blocked = blocked_from_the_second_question
    house.apply()
    assert house.held() == house.wanted([one for one in people if one != people[3]])
