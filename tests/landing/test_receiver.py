import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest

from orchestration.home import Home
from orchestration.landing import bodies, commit, rejected
from orchestration.landing.bodies import MOST_BODY_BYTES
from orchestration.landing.files import Landed, Landing, read
from orchestration.landing.receiver import app
from tests.landing.senders import (
    PUBLIC,
    Request,
    klaviyo,
    klaviyo_unsubscribe,
    make_home,
    publish_catalogue,
    send,
    serving,
    shopify,
    shopify_order,
    shopify_unsubscribe,
    twilio,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def port(home: Home) -> Iterator[int]:
    with serving(app(home)) as port:
        yield port


def landed(home: Home, lane: str) -> list[Landed]:
    landing = Landing(home.landing)
    return [one for path in landing.waiting(lane, "ready") for one in read(path)]


def refused(home: Home) -> list[dict[str, object]]:
    return [json.loads(line) for path in home.rejected.glob("*.jsonl") for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("request_", "lane"),
    [
        (twilio("STOP", "+14155550123", "SM1"), "speed"),
        (klaviyo_unsubscribe("a@example.com", "1"), "speed"),
        (shopify_unsubscribe("a@example.com", "1"), "speed"),
        (twilio("START", "+14155550123", "SM1"), "segmentation"),
        (klaviyo("subscribed_to_email_marketing", "1", email="a@example.com"), "segmentation"),
        (shopify("orders/paid", "1", {"id": 1, "email": "a@example.com"}), "segmentation"),
        (shopify("customer.tags_added", "1", {"id": 1}), "care"),
        (shopify("nobody/knows", "1", {"id": 1}), "segmentation"),
    ],
    ids=["stop", "klaviyo-out", "shopify-out", "start", "klaviyo-in", "order", "tags", "unknown"],
)
def test_a_genuine_webhook_lands_in_its_lane(home: Home, port: int, request_: Request, lane: str) -> None:
    assert send(port, request_)[0] == 200
    [one] = landed(home, lane)
    assert one.body == request_.body
    assert one.url.startswith("https://hooks.example.test/webhooks/")


def test_the_platforms_own_answer_is_given(port: int) -> None:
    status, headers, body = send(port, twilio("STOP", "+14155550123", "SM1"))
    assert (status, headers["content-type"].partition(";")[0]) == (200, "text/xml")
    assert body.endswith(b"<Response/>")


def test_an_event_some_audience_leaves_on_travels_the_speed_lane(home: Home, port: int) -> None:
    paid = shopify("orders/paid", "1", {"id": 1, "email": "a@example.com"})
    send(port, paid)
    publish_catalogue(home, leave_on=("order_paid",))
    send(port, paid)
    assert [len(landed(home, lane)) for lane in ("segmentation", "speed")] == [1, 1]


def test_a_repeat_gets_its_2xx(home: Home, port: int) -> None:
    stop = twilio("STOP", "+14155550123", "SM1")
    assert [send(port, stop)[0] for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize("status", [401, 403])
def test_a_forgery_is_refused_counted_and_not_kept(home: Home, status: int) -> None:
    forged = (
        klaviyo_unsubscribe("jane@example.com", "1")
        if status == 401
        else twilio("STOP +14155550123", "+14155550123", "1")
    )
    other = Request(forged.path, forged.body.replace(b"a", b"b") + b"&x=1", forged.headers)
    made = app(home)
    with serving(made) as port:
        assert send(port, other)[0] == status
    assert all(Landing(home.landing).count(lane, "ready") == 0 for lane in ("speed", "segmentation", "care"))
    [line] = refused(home)
    assert (line["reason"], line["status"], line["read_bytes"]) == ("bad_signature", status, len(other.body))
    assert sum(made.state.receiver.rejections.counts.values()) == 1
    text = json.dumps(line)
    assert "example.com" not in text
    assert "4155550123" not in text


def test_a_flood_of_forgeries_is_counted_in_full_and_kept_small(home: Home) -> None:
    with serving(app(home)) as port:
        connection = HTTPConnection("127.0.0.1", port)
        for _ in range(300):
            connection.request("POST", "/webhooks/klaviyo/main", body=b"{}")
            assert connection.getresponse().read() == b""
    lines = refused(home)
    assert len(lines) < 130
    assert sum(int(str(line["count"])) for line in lines) == 300


def test_a_flood_of_invented_names_is_counted_in_full_and_kept_small(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejected, "_MOST_NAMES", 5)
    made = app(home)
    with serving(made) as port:
        for number in range(20):
            assert send(port, Request(f"/webhooks/nobody/{number}", b"{}"))[0] == 404
    counts = made.state.receiver.rejections.counts
    assert (len(counts), sum(counts.values())) == (6, 20)
    assert sum(int(str(line["count"])) for line in refused(home)) == 20


@pytest.mark.parametrize(
    "path", ["/webhooks/klaviyo/other", "/webhooks/nobody/main", "/webhooks/%2e%2e/x", "/webhooks/x"]
)
def test_an_unknown_account_is_404(home: Home, port: int, path: str) -> None:
    assert send(port, Request(path, b"{}"))[0] == 404


def test_a_broken_platform_asks_to_come_back_and_leaves_the_others_working(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    secrets = home.folder / ".dlt" / "secrets.toml"
    secrets.write_text(secrets.read_text().replace('auth_token = "0123456789abcdef"', ""))
    with serving(app(home)) as port:
        status, headers, _ = send(port, twilio("STOP", "+14155550123", "SM1"))
        assert (status, headers["retry-after"]) == (503, "5")
        assert send(port, klaviyo_unsubscribe("a@example.com", "1"))[0] == 200


def test_a_giant_body_is_413_without_being_read(home: Home, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        head = f"POST /webhooks/klaviyo/main HTTP/1.1\r\nHost: x\r\nContent-Length: {10**12}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(64).startswith(b"HTTP/1.1 413")
    [line] = refused(home)
    assert (line["reason"], line["announced_bytes"], line["read_bytes"]) == ("too_large", 10**12, 0)


def test_a_chunked_giant_body_is_413_before_its_end(home: Home, port: int) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"POST /webhooks/klaviyo/main HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(2000):
                connection.sendall(chunk)
                sent += len(chunk)
        except OSError:
            pass
        answer = connection.recv(64)
    assert answer.startswith(b"HTTP/1.1 413")
    assert sent < 60 * 1024 * 1024


def test_a_content_length_that_lies_is_not_landed(home: Home, port: int) -> None:
    genuine = klaviyo_unsubscribe("a@example.com", "1")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        lines = [f"{name}: {value}" for name, value in genuine.headers.items()]
        head = "\r\n".join(["POST /webhooks/klaviyo/main HTTP/1.1", "Host: x", *lines, "Content-Length: 10", "", ""])
        connection.sendall(head.encode() + genuine.body)
        assert connection.recv(64)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 401")
    assert landed(home, "speed") == []


def test_a_body_of_the_largest_size_is_taken(home: Home, port: int) -> None:
    body = json.dumps({"id": 1, "note": ""}).encode()
    large = body.replace(b'""', b'"' + b"x" * (MOST_BODY_BYTES - len(body)) + b'"')
    assert len(large) == MOST_BODY_BYTES
    assert send(port, shopify("nobody/knows", "1", large))[0] == 200
    assert landed(home, "segmentation")[0].body == large


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"customer_id":', b"\xff\xfe"])
def test_a_signed_body_that_is_not_the_platforms_is_400(home: Home, port: int, body: bytes) -> None:
    assert send(port, shopify("orders/create", "1", body))[0] == 400


def test_a_body_that_does_not_arrive_is_408(home: Home, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"POST /webhooks/klaviyo/main HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert connection.recv(64).startswith(b"HTTP/1.1 408")
    assert [line["reason"] for line in refused(home)] == ["body_too_slow"]


def test_more_than_the_memory_for_bodies_is_asked_to_come_back(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST_READING_BYTES", 100)
    status, headers, _ = send(port, klaviyo_unsubscribe("a@example.com", "1"))
    assert (status, headers["retry-after"]) == (503, "5")
    monkeypatch.undo()
    assert send(port, klaviyo_unsubscribe("a@example.com", "1"))[0] == 200


def test_more_than_the_disk_keeps_up_with_is_asked_to_come_back(
    home: Home, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "MOST_WAITING_BYTES", 100)
    assert send(port, klaviyo_unsubscribe("a@example.com", "1"))[0] == 503
    assert landed(home, "speed") == []


def test_without_a_public_address_the_one_that_was_called_is_signed(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    config = home.folder / ".dlt" / "config.toml"
    config.write_text(config.read_text().replace(f'public_url = "{PUBLIC}"', ""))
    with serving(app(home)) as port:
        address = f"http://127.0.0.1:{port}"
        assert send(port, twilio("STOP", "+14155550123", "SM1", address))[0] == 200
        assert send(port, twilio("STOP", "+14155550123", "SM1"))[0] == 403


def test_a_parser_that_breaks_is_not_acknowledged(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from dlt_sources.platforms.shopify import webhook

    monkeypatch.setattr(webhook, "parse", lambda *_: 1 / 0)
    with serving(app(home)) as port:
        assert send(port, shopify_order("a@example.com", "1"))[0] == 503
    assert landed(home, "speed") == []


def test_concurrent_requests_share_files_and_each_is_there_once(home: Home, port: int) -> None:
    requests = [klaviyo_unsubscribe(f"p{number}@example.com", f"id{number}") for number in range(200)]
    with ThreadPoolExecutor(32) as pool:
        statuses = list(pool.map(lambda one: send(port, one)[0], requests))
    assert statuses == [200] * 200
    assert sorted(one.body for one in landed(home, "speed")) == sorted(one.body for one in requests)
    assert Landing(home.landing).count("speed", "ready") < 150


def test_a_stopping_receiver_commits_what_it_has_taken(home: Home) -> None:
    requests = [klaviyo_unsubscribe(f"p{number}@example.com", f"id{number}") for number in range(50)]
    acknowledged = []
    with ThreadPoolExecutor(16) as pool, serving(app(home)) as port:
        for one in requests:
            pool.submit(lambda one=one: acknowledged.append(one.body) if send(port, one)[0] == 200 else None)
    assert {one.body for one in landed(home, "speed")} >= set(acknowledged)


def test_the_receiver_needs_neither_dlt_nor_dbt_nor_dagster_nor_pandas(home: Home) -> None:
    script = (
        "import sys; from pathlib import Path; from orchestration.home import Home;"
        "from orchestration.landing.receiver import app; app(Home(Path(sys.argv[1])));"
        "names = {name.partition('.')[0] for name in sys.modules};"
        "print(sorted(names & {'dlt', 'dbt', 'dagster', 'pandas', 'duckdb', 'sqlalchemy'}))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(home.folder)], check=True, capture_output=True, text=True, timeout=60
    )
    assert ran.stdout.strip() == "[]"


FULL_DISK = """
import asyncio, resource, signal, sys
from tests.landing.serve_receiver import serve
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
asyncio.run(serve(sys.argv[1]))
"""


def test_a_disk_that_refuses_gives_503_and_nothing_acknowledged_is_lost(home: Home) -> None:
    """The child may not write files beyond 20 kB, as on a full disk: small requests fit, large ones do not."""
    process = subprocess.Popen(
        [sys.executable, "-c", FULL_DISK, str(home.folder)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        small = [klaviyo_unsubscribe(f"p{number}@example.com", f"id{number}") for number in range(10)]
        large = [shopify_unsubscribe("x" * 40_000 + "@example.com", str(number)) for number in range(3)]
        acknowledged = []
        for one in [*small[:5], *large, *small[5:]]:
            status, headers, _ = send(port, one)
            if status == 200:
                acknowledged.append(one.body)
            else:
                assert (status, headers["retry-after"]) == (503, "5")
    finally:
        process.kill()
        process.wait(timeout=10)
    assert acknowledged == [one.body for one in small]
    assert [one.body for one in landed(home, "speed")] == acknowledged
    assert list((home.landing / "speed" / "writing").iterdir()) == []
