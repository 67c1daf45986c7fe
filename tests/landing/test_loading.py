import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from orchestration.home import Home
from orchestration.landing import loading
from orchestration.landing.files import Landing
from orchestration.landing.loading import load, payload
from tests.landing.senders import Request, klaviyo_unsubscribe, land, landed_of, make_home, shopify, twilio


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def rows(home: Home, platform: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        return connection.execute(
            f"select account, record_id, landing_id, lane, payload::json::varchar, payload_hash "
            f"from raw_{platform}.webhooks order by landing_id"
        ).fetchall()


def stages(home: Home) -> dict[str, int]:
    landing = Landing(home.landing)
    return {
        stage: sum(landing.count(lane, stage) for lane in ("speed", "segmentation", "care"))
        for stage in ("ready", "claimed", "settled", "loaded")
    }


def test_settled_requests_become_raw_rows_and_the_other_lanes_are_settled_first(home: Home) -> None:
    land(home, twilio("START", "+14155550123", "SM1"), shopify("customer.tags_added", "w1", {"id": 1, "tags": ["a"]}))
    assert load(home) == {"twilio": 1, "shopify": 1}
    assert stages(home) == {"ready": 0, "claimed": 0, "settled": 0, "loaded": 2}
    [(account, _, landing_id, lane, text, _)] = rows(home, "twilio")
    assert (account, lane, json.loads(str(text))["Body"]) == ("main", "segmentation", "START")
    assert len(str(landing_id)) == 36
    assert load(home) == {}


def test_the_speed_lane_is_loaded_only_after_it_has_been_settled(home: Home) -> None:
    [path] = land(home, klaviyo_unsubscribe("jane@b.c", "1"))
    assert load(home) == {}
    Landing(home.landing).move(path, "speed", "settled")
    assert load(home) == {"klaviyo": 1}


def test_a_crash_between_load_and_move_repeats_rows_that_are_equal(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    land(home, twilio("START", "+14155550123", "SM1"))
    move: Callable[..., Path | None] = Landing.move

    def crash(self: Landing, path: Path, lane: str, stage: str) -> Path | None:
        if stage == "loaded":
            raise KeyboardInterrupt
        return move(self, path, lane, stage)

    with monkeypatch.context() as patched:
        patched.setattr(Landing, "move", crash)
        with pytest.raises(KeyboardInterrupt):
            load(home)
    assert load(home) == {"twilio": 1}
    first, second = rows(home, "twilio")
    assert first == second


def test_batches_stay_within_bounds_and_lose_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "BATCH_BYTES", 3000)
    for number in range(12):
        land(home, twilio("START", "+14155550123", f"SM{number}"))
    assert load(home) == {"twilio": 12}
    assert len(rows(home, "twilio")) == 12


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (shopify("x/y", "1", b'{"b": 1, "a": [1, 2]}'), '{"a":[1,2],"b":1}'),
        (
            Request("/webhooks/twilio/main", b"a=1&b=&a=2", {"Content-Type": "application/x-www-form-urlencoded"}),
            '{"a":["1","2"],"b":""}',
        ),
        (Request("/webhooks/twilio/main?From=%2B1&Body=STOP", b"", {}, "GET"), '{"Body":"STOP","From":"+1"}'),
        (Request("/webhooks/twilio/main", b"\xff\x00", {}), '{"_unparsed":"/wA="}'),
        (Request("/webhooks/twilio/main", b"<xml/>", {"Content-Type": "text/xml"}), '{"_unparsed":"PHhtbC8+"}'),
        (Request("/webhooks/twilio/main", b"", {}), '{"_unparsed":""}'),
    ],
    ids=["json", "form", "get", "bytes", "xml", "empty"],
)
def test_every_body_becomes_json_and_loses_nothing(request_: Request, expected: str) -> None:
    assert payload(landed_of(request_)) == expected
