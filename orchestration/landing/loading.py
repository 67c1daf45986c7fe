"""From the landing zone to the warehouse: settled requests become rows of `raw_<platform>.webhooks`.

At least once: rows are loaded, then their files move on. A crash in between loads the same rows again, with the same
landing ids and payload hashes, and staging keeps one of each.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import orjson

from dlt_sources.platform import LANES, Lane
from orchestration.home import Home
from orchestration.landing import archive
from orchestration.landing.files import Landed, Landing, read

if TYPE_CHECKING:
    import pyarrow as pa

#: One load holds about this much of request bodies in memory.
BATCH_BYTES = 32 * 1024 * 1024


def load(home: Home) -> dict[str, int]:
    """Load everything that is settled; returns rows per platform.

    The lanes that have no worker of their own are settled first. The caller holds the warehouse: dlt opens it here.
    """
    from orchestration.activation.speed_lane import settle
    from orchestration.activation.state import State

    landing = Landing(home.landing)
    landing.create()
    state = State.of(home)
    try:
        for lane in ("segmentation", "care"):
            settle(home, state, lane)
    finally:
        state.close()
    loaded: Counter[str] = Counter()
    for lane in LANES:
        for paths in _batches(landing.waiting(lane, "settled")):
            loaded.update(load_files(home, landing, lane, paths))
        archive.compact(landing, lane)
    return dict(loaded)


def load_files(home: Home, landing: Landing, lane: Lane, paths: Sequence[Path]) -> dict[str, int]:
    """Load some settled files of a lane, then move them on; returns rows per platform."""
    from dlt_sources.pull import land

    by_platform: dict[str, list[Landed]] = defaultdict(list)
    for path in paths:
        for landed in read(path):
            by_platform[landed.platform].append(landed)
    for platform, requests in by_platform.items():
        land(platform, "webhooks", table(requests), warehouse=home.warehouse, working_folder=home.dlt)
    for path in paths:
        landing.move(path, lane, "loaded")
    return {platform: len(requests) for platform, requests in by_platform.items()}


def table(requests: Sequence[Landed]) -> pa.Table:
    """The requests as rows of a raw webhooks table."""
    import pyarrow as pa

    time = pa.timestamp("us", tz="UTC")
    texts = [payload(one) for one in requests]
    received = [one.received_at for one in requests]
    return pa.table(
        {
            "account": pa.array([one.account for one in requests], pa.string()),
            "record_id": pa.array([one.delivery_id for one in requests], pa.string()),
            "updated_at": pa.array(received, time),
            "extracted_at": pa.array(received, time),
            "payload": pa.array(texts, pa.string()),
            "payload_hash": pa.array([hashlib.sha256(text.encode()).hexdigest() for text in texts], pa.string()),
            "landing_id": pa.array([one.id for one in requests], pa.string()),
            "topic": pa.array([one.topic for one in requests], pa.string()),
            "lane": pa.array([one.lane for one in requests], pa.string()),
            "received_at": pa.array(received, time),
        }
    )


def payload(landed: Landed) -> str:
    """The body as canonical JSON: JSON as it is, a form or a GET's query as an object of its fields, else base64."""
    return orjson.dumps(_document(landed), option=orjson.OPT_SORT_KEYS).decode()


def _document(landed: Landed) -> Any:
    body = landed.body
    kind = landed.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if landed.method == "GET" and not body:
            return _fields(urlsplit(landed.url).query)
        if kind == "application/x-www-form-urlencoded":
            return _fields(body.decode())
        return orjson.loads(body)
    except ValueError:
        return {"_unparsed": base64.b64encode(body).decode("ascii")}


def _fields(encoded: str) -> dict[str, str | list[str]]:
    """A form as an object; a field that comes more than once keeps all its values."""
    fields = parse_qs(encoded, keep_blank_values=True, strict_parsing=bool(encoded))
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


def _batches(paths: Sequence[Path]) -> Iterator[list[Path]]:
    batch: list[Path] = []
    size = 0
    for path in paths:
        bytes_ = path.stat().st_size
        if batch and size + bytes_ > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(path)
        size += bytes_
    if batch:
        yield batch
