"""Pull over HTTP into raw, against bare requests + orjson + Arrow → DuckDB over the same pages."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa
import requests

from dlt_sources import registry
from dlt_sources.accounts import Account
from dlt_sources.pull import pull
from sandbox import Sandbox, running
from tests.benchmarks.figures import Figure, figure

_PEOPLE = 20_000


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "sandbox", _PEOPLE, 1, unlimited=True) as shop:
        for name, objects, bare in (("klaviyo", ["profiles"], _klaviyo), ("shopify", ["orders"], _shopify)):
            home = Path(folder) / name
            home.mkdir()
            account = _account(shop, name)
            began = time.perf_counter()
            pulled = pull(
                registry.platform(name),
                [account],
                warehouse=home / "w.duckdb",
                working_folder=home / "dlt",
                objects=objects,
            )
            ours = sum(one.rows for one in pulled) / (time.perf_counter() - began)
            began = time.perf_counter()
            rows = _land(home / "bare.duckdb", bare(account))
            yield figure(f"pull {name} {objects[0]}", ours, "rows/s", rows / (time.perf_counter() - began))


def _account(shop: Sandbox, platform: str) -> Account:
    settings = {**shop.config[platform], **shop.credentials[platform]}
    return Account(platform, "main", "acme", "US", ("US",), settings)


def _land(path: Path, pages: Iterator[list[Any]]) -> int:
    """Land pages as one payload column; the number of rows."""
    batches = [pa.table({"payload": [orjson.dumps(record).decode() for record in page]}) for page in pages if page]
    with duckdb.connect(str(path)) as connection:
        connection.register("landed", pa.concat_tables(batches))
        connection.execute("CREATE TABLE raw AS SELECT payload::JSON AS payload FROM landed")
        count = connection.execute("SELECT count(*) FROM raw").fetchone()
    return int(count[0]) if count else 0


def _klaviyo(account: Account) -> Iterator[list[Any]]:
    session = requests.Session()
    session.headers.update(
        {"Authorization": f"Klaviyo-API-Key {account['api_key']}", "revision": account["revision"], "Accept": "*/*"}
    )
    url = f"{account['base_url']}/api/profiles?page[size]=100&sort=updated&additional-fields[profile]=subscriptions"
    while url:
        page = orjson.loads(session.get(url, timeout=60).content)
        yield page["data"]
        url = page["links"]["next"]


def _shopify(account: Account) -> Iterator[list[Any]]:
    session = requests.Session()
    session.headers["X-Shopify-Access-Token"] = account["access_token"]
    url = f"{account['base_url']}/admin/api/2026-10/orders.json?status=any&limit=250"
    while url:
        answer = session.get(url, timeout=60)
        yield orjson.loads(answer.content)["orders"]
        url = answer.links.get("next", {}).get("url", "")
