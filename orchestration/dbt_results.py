"""What dbt said of the newest build: which models failed, which data tests did not pass."""

from __future__ import annotations

from typing import Any

import orjson

from orchestration.home import Home

_ABOUT_SHAPES = ("Compilation Error", "Binder Error", "Catalog Error", "Parser Error")


def run_results(home: Home) -> list[dict[str, Any]]:
    """The result of each node of the newest dbt invocation."""
    path = home.dbt / "target" / "run_results.json"
    return list(orjson.loads(path.read_bytes())["results"]) if path.exists() else []


def problems(home: Home) -> list[str]:
    """What is wrong with each node that failed, for the person who mends it.

    Errors about names and shapes are given in full; any other may quote a value, so only its kind is.
    """
    return [_problem(result) for result in run_results(home) if result["status"] in ("error", "fail")]


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


def _problem(result: dict[str, Any]) -> str:
    name, message = result["unique_id"].split(".")[2], str(result["message"] or "")
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    kinds = [kind for kind in _ABOUT_SHAPES if kind in message]
    if kinds and len(lines) > 1:
        return f"{name}: {lines[1]}"
    return f"{name}: {lines[0] if lines else 'failed'}; data/dbt/logs/dbt.log says where."
