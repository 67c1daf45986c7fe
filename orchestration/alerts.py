"""Telling people: a line in data/alerts.jsonl, and a POST to AUDIENCES_ALERT_URL where one is set."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import orjson
import requests

from orchestration.home import Home


def tell(home: Home, text: str, **more: str) -> None:
    """Tell once; the text carries no personal data. requests.RequestException when the address does not take it."""
    alert = {"at": datetime.now(UTC).isoformat(), **more, "text": text}
    home.data.mkdir(parents=True, exist_ok=True)
    with (home.data / "alerts.jsonl").open("ab") as file:
        file.write(orjson.dumps(alert) + b"\n")
    if url := os.environ.get("AUDIENCES_ALERT_URL"):
        requests.post(url, json=alert, timeout=10).raise_for_status()
