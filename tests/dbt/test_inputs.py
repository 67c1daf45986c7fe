"""What people bring in, in the warehouse: verdicts and receipts decide through the models that decide everything."""

from __future__ import annotations

from datetime import datetime

from tests.dbt.conftest import Build
from tests.dbt.raw import Raw, ago
from tests.dbt.test_blocks_by_hand import act

UNCLEAR = "don't stop the deals!"


def verdict(raw: Raw, sid: str, told: str, at: datetime) -> None:
    """Land a verdict, as the commands do."""
    raw.connection.execute(
        "insert into raw_audiences.reviews values (?, ?, ?, 'sam', 'read', ?)",
        [f"review-{next(raw.counter)}", f"twilio:main:message:{sid}", told, at],
    )


def by_number(copy: Build, column: str) -> dict[str, object]:
    rows = copy.rows(
        f"select decisions.identifier, decisions.{column} from marts.decisions as decisions"
        " inner join marts.questions as questions using (question_id) where questions.channel = 'sms'"
        " and starts_with(decisions.identifier, '+14155558')"
    )
    return dict(rows)


def test_a_verdict_decides_about_what_was_held(copy: Build) -> None:
    names = {"held": None, "none": ["no_stop"], "stop": ["stop"], "both": ["no_stop", "stop"], "back": ["stop"]}
    numbers = {name: f"+1415555800{place}" for place, name in enumerate(names)}
    with copy.raw() as raw:
        for place, (name, told) in enumerate(names.items()):
            raw.customer(8000 + place, f"{name}@review.example", numbers[name])
            raw.message(f"SM{name}", numbers[name], ago(days=5), body=UNCLEAR)
            for one in told or ():
                verdict(raw, f"SM{name}", one, ago(days=3))
        raw.message("SMagain", numbers["back"], ago(days=1), body="START")
        act(raw, "stop", numbers["stop"], ago(days=3), channel="sms")
        raw.build(2)
    assert copy.run() == set()
    codes = by_number(copy, "reason_codes")
    assert {name: codes[number] for name, number in numbers.items()} == {
        "held": ["held_for_review"],
        "none": ["ok"],
        "stop": ["withdrawn"],
        "both": ["withdrawn"],
        "back": ["withdrawn"],
    }, "a start opens the sender it was sent to, and no other"
    rows = copy.rows(
        "select consent_event_id, actor, channel, recorded_at, honour_by - effective_hi < interval 11 days"
        " from intermediate.consent_events where method = 'review' and identifier = '+14155558002'"
    )
    assert rows == [("twilio:main:message:SMstop", "customer", "sms", ago(days=3), True)], "the clock ran from receipt"

    landed = copy.values("select landing_id from raw_audiences.webhooks where topic = 'stop'")
    absorbed = copy.values("select landing_id from marts.absorbed_landings")
    assert landed, "the stop was landed"
    assert landed <= absorbed, "the gate lets go of it once these decisions know the verdict"


def test_a_receipt_opens_what_it_guards_for_whom_it_names_until_it_is_taken_back(copy: Build) -> None:
    people = ("own", "half", "listed", "cleared", "none")
    with copy.raw() as raw:
        raw.connection.execute("delete from raw_audiences.registry_receipts")
        for place, name in enumerate(people):
            raw.customer(8100 + place, f"{name}@receipt.example", birth_date="1990-05-01")
            raw.order(8100 + place, 8100 + place, ago(days=3), skus=["VAPE-1"])
        for name in ("own", "listed", "cleared"):
            raw.compared("child_protection_utah", ago(days=3), f"{name}@receipt.example", "clear")
        for name in ("own", "half", "listed", "cleared"):
            raw.compared("child_protection_michigan", ago(days=3), f"{name}@receipt.example", "clear")
        raw.compared("child_protection_utah", ago(days=2), "listed@receipt.example", "listed")
        raw.compared("child_protection_utah", ago(days=4), "cleared@receipt.example", "listed")
        raw.build(2)
    assert copy.run() == set()
    assert registries(copy) == {
        "own": set(), "half": {"registry_stale"}, "listed": {"registry_hit"}, "cleared": set(),
        "none": {"registry_stale"},
    }  # fmt: skip
    with copy.raw() as raw:
        raw.connection.execute(
            "update raw_audiences.registry_receipts set retracted_at = ? where identifier = 'own@receipt.example'",
            [ago(minutes=1)],
        )
        raw.build(3)
    assert copy.run() == set()
    assert registries(copy)["own"] == {"registry_stale"}


def registries(copy: Build) -> dict[str, set[str]]:
    rows = copy.rows(
        "select split_part(decisions.identifier, '@', 1), list_filter(decisions.reason_codes,"
        " lambda code: starts_with(code, 'registry')) from marts.decisions as decisions"
        " inner join marts.questions as questions using (question_id)"
        " where questions.product_category = 'vape' and questions.channel = 'email'"
        " and decisions.identifier like '%@receipt.example'"
    )
    return {name: set(codes) for name, codes in rows}
