"""Plans and applies in any order, with crashes, faults and opt-outs in between, end where an undisturbed run ends."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select, update

from orchestration.activation import guards
from orchestration.activation.keys import keyed_hash
from orchestration.activation.state import membership_keys, memberships
from tests.activation.shop import Shop, throttled, unanswered

PEOPLE = range(8)
LIST = "list:Buyers"
people = st.sets(st.sampled_from(PEOPLE))


class Killed(BaseException):
    """Stands for kill -9: nothing below the caller may catch it."""


class House(RuleBasedStateMachine):
    """One audience at one destination, whose gate knows every opt-out at once, as the real one does."""

    @initialize()
    def open(self) -> None:
        self.folder = Path(mkdtemp())
        self.shop = Shop(self.folder)
        self.shop.mailer.batch_size = {"add": 3, "remove": 3, "suppress": 3}
        self.audience()
        self.interested: set[int] = set()
        self.suppressed: set[int] = set()
        #: Whom a pull said to have withdrawn; the ledger never hears of it, the next build does.
        self.withdrawn: set[int] = set()
        #: Whom the newest decisions refuse.
        self.refused: set[int] = set()

    def audience(self) -> None:
        # The guard on shares is not what is looked at here.
        self.shop.audience(traits={"total": "spent"}, limits={"removed_share": 1.0})

    def teardown(self) -> None:
        if hasattr(self, "shop"):
            self.shop.state.close()
            shutil.rmtree(self.folder)

    @rule(interested=people, spent=st.integers(0, 2))
    def build(self, interested: set[int], spent: int) -> None:
        self.interested, self.spent = interested, spent
        self.refused = self.suppressed | self.withdrawn
        build_id = self.shop.build(
            {"buyers": sorted(interested - self.refused)},
            refused=dict.fromkeys(self.refused, "withdrawn"),
            people=PEOPLE,
            spent=dict.fromkeys(PEOPLE, spent),
        )
        self.shop.gate.absorb(build_id)
        self.shop.plan()

    @rule(person=st.sampled_from(PEOPLE))
    def withdraw_elsewhere(self, person: int) -> None:
        """The next pull brings it."""
        self.withdrawn.add(person)

    @rule(person=st.sampled_from(PEOPLE))
    def opt_out(self, person: int) -> None:
        """The ledger forbids the person, and the speed lane removes every membership it finds."""
        self.forget(person)

    @rule(
        faults=st.lists(st.sampled_from(["", "crash", "crash after", "cut", "cut after", "429", "opt-out"]), max_size=6)
    )
    def apply(self, faults: Sequence[str]) -> None:
        self.shop.mailer.next = [self.fault(kind) for kind in faults]
        with suppress(Killed):
            self.shop.apply()
        self.shop.mailer.next = []

    @rule(polls=st.sampled_from([None, 0, 1]))
    def jobs(self, polls: int | None) -> None:
        self.shop.mailer.polls = polls

    @rule(bad=st.sets(st.sampled_from(PEOPLE), max_size=2))
    def bad_batches(self, bad: set[int]) -> None:
        self.shop.mailer.bad, self.shop.mailer.whole = {f"r{n}" for n in bad}, bool(bad)

    @invariant()
    def it_converges(self) -> None:
        """Left alone from here, destination and state reach what the newest build desires, less the suppressed."""
        if not hasattr(self, "shop") or not self.shop.build_id:
            return
        copy = self.copied()
        for _ in range(3):
            self.approved(copy)
            copy.apply()
        desired = self.interested - self.suppressed - self.refused
        assert copy.mailer.members.get(LIST, {}) == {f"r{n}": {"total": self.spent} for n in desired}
        held = {record for record, status in copy.memberships().items() if status != "removed"}
        assert held == {f"r{n}" for n in desired}
        calls = len(copy.mailer.log)
        copy.plan()
        copy.apply()
        left = [call for call in copy.mailer.log[calls:] if call[0] == "add"]
        assert left == []
        copy.state.close()
        shutil.rmtree(copy.folder)

    @staticmethod
    def approved(shop: Shop) -> None:
        """Plan, and let a person approve what an audience that is meant to be empty would hold."""
        for planned in shop.plan().values():
            if planned.status == "held":
                assert all(reason.startswith("empty_audience") for reason in planned.held_because)
                guards.approve(shop.state, planned.plan_id, "operations", "the audience is meant to be empty")

    def forget(self, person: int) -> None:
        self.suppressed.add(person)
        self.shop.gate.block(f"email:p{person}@example.com")
        speed_lane(self.shop, person)

    def fault(self, kind: str) -> Any:
        if kind == "crash":
            return Killed()
        if kind == "crash after":
            return self.raising(Killed())
        if kind == "cut":
            return unanswered()
        if kind == "cut after":
            return self.raising(unanswered())
        if kind == "429":
            return throttled(1)
        if kind == "opt-out":
            return lambda: self.forget(sorted(self.interested or {0})[0])
        return None

    @staticmethod
    def raising(error: BaseException) -> Any:
        def fail() -> None:
            raise error

        return fail

    def copied(self) -> Shop:
        """The whole house as it lies on disk, with a destination in the same condition and no more faults."""
        folder = Path(mkdtemp())
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return Shop.reopened(folder, self.shop)


def speed_lane(shop: Shop, person: int) -> None:
    """What the speed lane does once the ledger row is committed: remove members by key, from state alone."""
    key = keyed_hash(shop.state.key, f"email:p{person}@example.com")
    with shop.state.write_deliveries() as connection:
        query = (
            select(memberships)
            .join(membership_keys)
            .where(membership_keys.c.key_hash == key, memberships.c.status.in_(("pending", "accepted")))
        )
        for member in connection.execute(query).all():
            shop.mailer.members.get(member.target, {}).pop(member.record_id, None)
            mine = memberships.c.membership_id == member.membership_id
            connection.execute(update(memberships).where(mine).values(status="removed"))


def test_an_audience_that_empties_converges_once_a_person_has_approved() -> None:
    house = House()
    try:
        house.open()
        house.build({1, 2}, 0)
        house.apply([])
        house.build(set(), 0)
        assert house.shop.plan()["buyers"].status == "held"
        house.it_converges()
    finally:
        house.teardown()


TestHouse = House.TestCase
TestHouse.settings = settings(
    # The same histories every time: a failure belongs to the change that brings it.
    max_examples=12,
    stateful_step_count=10,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
