import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlt_sources.errors import GateClosed
from orchestration.activation.gate import UNRESOLVED, Gate, GateRow
from orchestration.activation.keys import keyed_hash
from orchestration.activation.ledger import absorb
from orchestration.activation.state import State
from orchestration.home import Home
from orchestration.landing.claims import Claims
from orchestration.landing.files import Landing
from tests.activation.places import Calls, ledger_rows, worker
from tests.landing.senders import (
    klaviyo,
    klaviyo_unsubscribe,
    land,
    make_home,
    publish_catalogue,
    shopify_order,
    twilio,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def state(home: Home) -> Iterator[State]:
    state = State(home.state)
    yield state
    state.close()


@pytest.fixture
def gate(home: Home, state: State) -> Gate:
    return Gate.of(home, state)


def row(state: State, *keys: str, channel: str = "email", audience: str = "lapsed", row_id: str = "r") -> GateRow:
    hashes = [keyed_hash(state.key, key) for key in keys]
    return GateRow(row_id=row_id, channel=channel, topic="news", audience=audience, brand="acme", key_hashes=hashes)


JANE = "email:jane@example.com"


def test_who_is_not_suppressed_passes(gate: Gate, state: State) -> None:
    assert gate.blocked([row(state, JANE)], 1) == {}


def test_an_opt_out_blocks_at_every_step_of_its_way(gate: Gate, home: Home, state: State) -> None:
    land(home, klaviyo_unsubscribe("jane@example.com", "1"))
    jane, john = row(state, JANE), row(state, "email:john@example.com", row_id="j")
    assert gate.blocked([jane, john], 1) == {"r": "withdrawn"}
    claims = Claims(Landing(home.landing), "speed")
    assert len(claims.claim(10)) == 1
    assert gate.blocked([jane, john], 1) == {"r": "withdrawn"}
    claims.release()
    assert worker(home, state, Calls()).settle_once().files == 1
    assert gate.blocked([jane, john], 1) == {"r": "withdrawn"}


def test_an_opt_out_in_one_spelling_blocks_every_other(gate: Gate, home: Home, state: State) -> None:
    land(home, klaviyo_unsubscribe("J.ane+news@GoogleMail.com", "1"))
    jane, john = row(state, "email:jane@gmail.com"), row(state, "email:john@gmail.com", row_id="j")
    assert gate.blocked([jane, john], 1) == {"r": "withdrawn"}
    worker(home, state, Calls()).settle_once()
    assert gate.blocked([jane, john], 1) == {"r": "withdrawn"}


def test_a_row_passes_once_the_build_of_its_plan_knows_the_opt_out(gate: Gate, home: Home, state: State) -> None:
    land(home, klaviyo_unsubscribe("jane@example.com", "1"))
    worker(home, state, Calls()).settle_once()
    absorb(state, 5, [str(one["landing_id"]) for one in ledger_rows(state)])
    assert gate.blocked([row(state, JANE)], 4) == {"r": "withdrawn"}
    assert gate.blocked([row(state, JANE)], 5) == {}


@pytest.mark.parametrize("moment", ["before ready", "after ready", "before claimed", "after claimed"])
def test_an_opt_out_that_is_settled_while_the_gate_looks_is_found(
    gate: Gate, home: Home, state: State, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    land(home, klaviyo_unsubscribe("jane@example.com", "1"))
    lane, look = worker(home, state, Calls()), gate.landing.waiting

    def waiting(which: str, stage: str) -> list[Path]:
        if moment == f"before {stage}":
            lane.settle_once()
        found = look(which, stage)
        if moment == f"after {stage}":
            lane.settle_once()
        return found

    monkeypatch.setattr(gate.landing, "waiting", waiting)
    assert gate.blocked([row(state, JANE)], 1) == {"r": "withdrawn"}
    assert Landing(home.landing).count("speed", "settled") == 1


def test_any_key_of_the_person_blocks(gate: Gate, home: Home, state: State) -> None:
    land(home, klaviyo_unsubscribe("jane@example.com", "1"))
    assert gate.blocked([row(state, "phone:+1555", "record:shopify:main:1", JANE)], 1) == {"r": "withdrawn"}


def test_another_channel_passes(gate: Gate, home: Home, state: State) -> None:
    land(home, twilio("STOP", "+14155550123", "SM1"))
    rows = [row(state, "phone:+14155550123", channel=one, row_id=one) for one in ("sms", "mms", "email")]
    assert gate.blocked(rows, 1) == {"sms": "withdrawn", "mms": "withdrawn"}


def test_leaving_an_audience_blocks_that_audience_alone(gate: Gate, home: Home, state: State) -> None:
    publish_catalogue(home, leave_on=("order_placed",), name="lapsed")
    land(home, shopify_order("jane@example.com", "1"))
    rows = [row(state, JANE, audience=one, row_id=one) for one in ("lapsed", "vip")]
    for _ in range(2):
        assert gate.blocked(rows, 1) == {"lapsed": "left"}
        worker(home, state, Calls()).settle_once()


def test_a_new_catalogue_is_seen_for_what_waits_already(gate: Gate, home: Home, state: State) -> None:
    land(home, shopify_order("jane@example.com", "1"))
    assert gate.blocked([row(state, JANE)], 1) == {}
    publish_catalogue(home, leave_on=("order_placed",), name="lapsed")
    assert gate.blocked([row(state, JANE)], 1) == {"r": "left"}


def test_an_unresolved_opt_out_holds_up_its_whole_channel(gate: Gate, home: Home, state: State) -> None:
    land(home, klaviyo("unsubscribed_from_email_marketing", "1", profile="01H"))
    rows = [row(state, JANE), row(state, JANE, channel="sms", row_id="s")]
    calls = Calls()
    assert gate.blocked(rows, 1) == {"r": UNRESOLVED}
    lane = worker(home, state, calls)
    lane.settle_once()
    assert gate.blocked(rows, 1) == {"r": UNRESOLVED}
    lane.deliver_once()
    assert gate.blocked(rows, 1) == {}
    assert calls.of("klaviyo:main", "identify") == ["01H"]


def test_the_strongest_reason_is_told(gate: Gate, home: Home, state: State) -> None:
    land(home, klaviyo_unsubscribe("jane@example.com", "1"))
    land(home, klaviyo("marked_email_as_spam", "2", email="jane@example.com"))
    assert gate.blocked([row(state, JANE)], 1) == {"r": "spam_complaint"}


def test_a_gone_landing_zone_closes_the_gate(gate: Gate, home: Home, state: State) -> None:
    shutil.rmtree(home.landing)
    with pytest.raises(GateClosed, match="landing zone"):
        gate.blocked([row(state, JANE)], 1)


def test_a_gone_ledger_closes_the_gate(gate: Gate, state: State) -> None:
    with state.ledger.begin() as connection:
        connection.exec_driver_sql("alter table ledger rename to elsewhere")
    with pytest.raises(GateClosed):
        gate.blocked([row(state, JANE)], 1)


def test_a_damaged_waiting_file_closes_the_gate(gate: Gate, home: Home, state: State) -> None:
    Landing(home.landing).write("speed", [b"{not ours\n"])
    with pytest.raises(GateClosed, match="cannot be read"):
        gate.blocked([row(state, JANE)], 1)


def test_a_waiting_webhook_of_a_vanished_account_closes_the_gate(home: Home, state: State) -> None:
    land(home, klaviyo_unsubscribe("jane@example.com", "1"))
    config = home.folder / ".dlt" / "config.toml"
    config.write_text(config.read_text().replace("sources.klaviyo.main", "sources.klaviyo.other"))
    secrets = home.folder / ".dlt" / "secrets.toml"
    secrets.write_text(secrets.read_text().replace("sources.klaviyo.main", "sources.klaviyo.other"))
    with pytest.raises(GateClosed, match="klaviyo"):
        Gate.of(home, state).blocked([row(state, JANE)], 1)


def test_a_broken_catalogue_closes_the_gate(gate: Gate, home: Home, state: State) -> None:
    home.published.mkdir(parents=True, exist_ok=True)
    (home.published / "catalogue.json").write_text("{")
    with pytest.raises(GateClosed, match="catalogue"):
        gate.blocked([row(state, JANE)], 1)


def test_no_opt_out_slips_through_while_files_move(gate: Gate, home: Home, state: State) -> None:
    """One thread settles as fast as it can; whatever had landed before a question is always found."""
    lane, stop, errors = worker(home, state, Calls()), threading.Event(), []

    def settle() -> None:
        while not stop.is_set():
            try:
                lane.settle_once()
            except Exception as error:
                errors.append(error)
                return

    thread = threading.Thread(target=settle)
    thread.start()
    try:
        for number in range(150):
            land(home, klaviyo_unsubscribe(f"p{number}@example.com", str(number)))
            asked = row(state, f"email:p{number}@example.com")
            for _ in range(3):
                assert gate.blocked([asked], 1) == {"r": "withdrawn"}, number
    finally:
        stop.set()
        thread.join()
    assert errors == []
