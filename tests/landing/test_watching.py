"""What watches a receiver: /healthz and /metrics, asked of a real one."""

import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestration.home import Home
from orchestration.landing import health, metrics
from orchestration.landing.files import Landing
from orchestration.landing.receiver import app
from orchestration.processes import free_port
from tests.landing.senders import Request, klaviyo_unsubscribe, make_home, send, serving, shopify, twilio

Samples = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer is made anew."""
    monkeypatch.setattr(health, "_KEPT_SECONDS", 0.0)
    monkeypatch.setattr(metrics, "_KEPT_SECONDS", 0.0)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def port(home: Home) -> Iterator[int]:
    with serving(app(home)) as port:
        yield port


def healthz(port: int) -> tuple[int, str]:
    status, _, body = send(port, Request("/healthz", b"", method="GET"))
    return status, body.decode()


def scraped(port: int) -> tuple[Samples, str]:
    """Every sample by name and label values, and the text."""
    status, headers, body = send(port, Request("/metrics", b"", method="GET"))
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = [one for family in text_string_to_metric_families(body.decode()) for one in family.samples]
    order = ("platform", "account", "lane", "stage", "reason", "le")
    return {
        (one.name, tuple(one.labels[name] for name in order if name in one.labels)): one.value for one in samples
    }, body.decode()


def test_a_receiver_that_can_land_is_healthy_and_leaves_no_trace_of_being_asked(home: Home, port: int) -> None:
    assert healthz(port) == (200, '{"status":"ok"}')
    assert [path for path in home.landing.rglob("*") if path.is_file()] == []
    assert send(port, Request("/health", b"", method="GET"))[0] == 404


def test_a_receiver_that_cannot_write_is_not_healthy_until_it_can(home: Home, port: int) -> None:
    folder = home.landing / "care" / "writing"
    folder.rmdir()
    status, told = healthz(port)
    assert (status, "not_writable" in told) == (503, True)
    assert str(home.folder) not in told
    folder.mkdir()
    assert healthz(port)[0] == 200


def test_too_little_room_on_the_disk_is_not_healthy(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIVER__FREE_DISK_FLOOR_MB", str(10**9))
    with serving(app(home)) as port:
        status, told = healthz(port)
        assert (status, "disk_full" in told) == (503, True)
        # What can still be landed is landed: an opt-out is worth the last megabytes.
        assert send(port, twilio("STOP", "+14155550123", "SM1"))[0] == 200


def test_a_full_disk_by_names_is_full(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_FEWEST_FILES", 2**63)
    assert health.unfit(Landing(home.landing), 0).startswith("disk_full")


def test_what_lands_and_what_is_refused_is_counted_by_configured_names_only(port: int) -> None:
    assert send(port, twilio("STOP", "+14155550123", "SM1"))[0] == 200
    assert send(port, shopify("nobody/knows", "1", {"id": 1}))[0] == 200
    genuine = klaviyo_unsubscribe("jane@example.com", "1")
    assert send(port, Request(genuine.path, genuine.body + b" ", genuine.headers))[0] == 401
    for path in ("/webhooks/klaviyo/jane-doe", "/webhooks/c8AU6RrgjGTBI0u/main", "/webhooks/shopify/main/s3cr3tt0ken"):
        assert send(port, Request(path, b"{}"))[0] == 404
    samples, text = scraped(port)
    assert samples["audiences_webhooks_landed_total", ("twilio", "main", "speed")] == 1
    assert samples["audiences_webhooks_landed_total", ("shopify", "main", "segmentation")] == 1
    assert samples["audiences_webhooks_landed_total", ("klaviyo", "main", "speed")] == 0
    assert samples["audiences_webhooks_unknown_topic_total", ("shopify", "main")] == 1
    assert samples["audiences_webhooks_refused_total", ("klaviyo", "main", "bad_signature")] == 1
    assert samples["audiences_webhooks_refused_total", ("klaviyo", "other", "unknown_account")] == 1
    assert samples["audiences_webhooks_refused_total", ("other", "other", "unknown_account")] == 1
    for secret in ("example.com", "4155550123", "jane", "c8AU6RrgjGTBI0u", "s3cr3tt0ken"):
        assert secret not in text


def test_answers_are_timed_by_platform(port: int) -> None:
    for number in range(3):
        send(port, twilio("STOP", "+14155550123", f"SM{number}"))
    send(port, Request("/webhooks/nobody/main", b"{}"))
    samples, _ = scraped(port)
    assert samples["audiences_webhook_answer_seconds_count", ("twilio",)] == 3
    assert samples["audiences_webhook_answer_seconds_count", ("other",)] == 1
    assert samples["audiences_webhook_answer_seconds_sum", ("twilio",)] > 0
    assert samples["audiences_webhook_answer_seconds_bucket", ("twilio", "+Inf")] == 3


def test_waiting_files_are_counted_by_lane_and_stage_with_the_age_of_the_oldest(home: Home, port: int) -> None:
    landing = Landing(home.landing)
    [first] = landing.write("care", [b"{}\n"])
    time.sleep(0.05)
    landing.write("care", [b"{}\n"])
    (home.landing / "care" / "claimed" / "worker").mkdir()
    first.rename(home.landing / "care" / "claimed" / "worker" / first.name)
    samples, _ = scraped(port)
    assert samples["audiences_landing_files", ("care", "ready")] == 1
    assert samples["audiences_landing_files", ("care", "claimed")] == 1
    assert samples["audiences_landing_files", ("speed", "ready")] == 0
    ages = [samples["audiences_landing_oldest_seconds", ("care", stage)] for stage in ("claimed", "ready")]
    assert ages[0] - ages[1] >= 0.05
    assert samples["audiences_landing_free_bytes", ()] > 0


def test_a_landing_zone_that_cannot_be_read_costs_only_its_own_figures(home: Home, port: int) -> None:
    home.landing.rename(home.landing.with_name("gone"))
    samples, _ = scraped(port)
    assert ("audiences_webhooks_landed_total", ("twilio", "main", "speed")) in samples
    assert ("audiences_landing_free_bytes", ()) not in samples


def test_files_are_counted_at_most_once_in_some_seconds(home: Home, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_KEPT_SECONDS", 60.0)
    assert scraped(port)[0]["audiences_landing_files", ("care", "ready")] == 0
    Landing(home.landing).write("care", [b"{}\n"])
    assert scraped(port)[0]["audiences_landing_files", ("care", "ready")] == 0


def test_figures_may_be_kept_off_the_webhooks_port(home: Home) -> None:
    port, private = free_port(), free_port()
    command = [sys.executable, "-m", "orchestration.cli", "--home", str(home.folder), "receive"]
    process = subprocess.Popen([*command, "--port", str(port), "--metrics-port", str(private)], stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                assert healthz(port)[0] == 200
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert send(port, Request("/metrics", b"", method="GET"))[0] == 404
        connection = HTTPConnection("127.0.0.1", private, timeout=10)
        connection.request("GET", "/metrics")
        assert b"audiences_webhooks_landed_total" in connection.getresponse().read()
        connection.close()
    finally:
        process.terminate()
        process.wait(timeout=20)
