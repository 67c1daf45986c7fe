"""What dbt said of the newest build: which models failed, which data tests did not pass."""

from __future__ import annotations

from typing import Any

import orjson

from orchestration.home import Home


def run_results(home: Home) -> list[dict[str, Any]]:
    """The result of each node of the newest dbt invocation."""
    path = home.dbt / "target" / "run_results.json"
    return list(orjson.loads(path.read_bytes())["results"]) if path.exists() else []


def failed_models(home: Home) -> list[str]:
    """Models, seeds and snapshots that were not built, skipped ones included."""
    return [
        result["unique_id"].split(".")[2]
        for result in run_results(home)
        if not result["unique_id"].startswith("test.") and result["status"] in ("error", "skipped")
    ]


def failed_tests(home: Home) -> list[str]:
    """Data tests that did not pass."""
    return [
        result["unique_id"].split(".")[2]
        for result in run_results(home)
        if result["unique_id"].startswith("test.") and result["status"] not in ("pass", "skipped")
    ]
