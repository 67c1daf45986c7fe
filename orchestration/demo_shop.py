"""The demo's home and its stand-in platforms: where they live, how they start, and the configuration they need.

The sandbox runs as a program of its own; this module knows only what its `sandbox.json` says.
"""

from __future__ import annotations

import csv
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from dlt_sources import registry
from dlt_sources.errors import ConfigurationError
from orchestration import console
from orchestration.home import Home
from orchestration.inputs import receipts
from orchestration.inputs.reading import Layout
from orchestration.processes import Children

_BRAND, _REGION, _MARKETS = "acme", "US", ["US", "CA", "GB"]


@dataclass(frozen=True, slots=True)
class Shop:
    """Running stand-ins: the address of each platform."""

    urls: dict[str, str]


def demo_home() -> Path:
    """The demo's own home below the current folder, so that stand-ins never mix with real accounts."""
    return Path("data/demo").resolve()


def start_sandbox(
    children: Children, home: Home, *, people: int, seed: int, receiver: str, fresh: bool = False
) -> Shop:
    """Start the stand-ins, wait until they serve, and write the configuration that reaches them."""
    folder = home.data / "sandbox"
    told = folder / "sandbox.json"
    told.unlink(missing_ok=True)
    # A Plus shop: on the basic plan the first push would wait 40 s for Shopify's limit.
    command = ["sandbox", "--home", str(folder), "--people", str(people), "--seed", str(seed), "--shopify-plan", "plus"]
    command += ["--receiver", receiver] if receiver else []
    children.start("sandbox", command + (["--fresh"] if fresh else []))
    children.wait_for("sandbox", told.exists, 60)
    described = orjson.loads(told.read_bytes())
    write_configuration(home, described, receiver)
    return Shop(urls=described["urls"])


def write_configuration(home: Home, described: dict[str, Any], receiver: str) -> None:
    """Write `.dlt/config.toml` and `.dlt/secrets.toml` for the stand-ins that `sandbox.json` describes."""
    folder = home.folder / ".dlt"
    folder.mkdir(parents=True, exist_ok=True)
    config = [f'[receiver]\npublic_url = "{receiver}"\n'] if receiver else []
    secrets = []
    for platform in registry.all_platforms():
        if platform.name not in described["urls"]:
            raise ConfigurationError(f"The sandbox has no stand-in for {platform.title}: add sandbox/platforms/.")
        general = {"brand": _BRAND, "default_region": _REGION, "markets": _MARKETS}
        known = {credential.name: credential for credential in platform.credentials}
        values = {**described["config"][platform.name], **described["credentials"][platform.name]}
        plain = {key: value for key, value in values.items() if key not in known or not known[key].secret}
        hidden = {key: value for key, value in values.items() if key not in plain}
        config.append(_section(platform.name, {**general, **plain}))
        secrets.append(_section(platform.name, hidden))
    (folder / "config.toml").write_text("\n".join(config))
    (folder / "secrets.toml").write_text("\n".join(secrets))


def bring_receipts(home: Home, answers: Mapping[str, Mapping[str, Any]]) -> None:
    """Bring what the stand-ins' registries answered, as `audiences registry import` does."""
    folder = home.data / "registries"
    folder.mkdir(parents=True, exist_ok=True)
    layout = Layout(column="identifier", result_column="result", since_column="since")
    for name, answer in answers.items():
        file = folder / f"{name}.csv" if answer["found"] else None
        if file:
            with file.open("w", newline="") as opened:
                writer = csv.DictWriter(opened, ["identifier", "result", "since"])
                writer.writeheader()
                writer.writerows(answer["found"])
        day = date.fromisoformat(answer["compared_on"])
        receipts.keep(home, file, layout, registry=name, checked_on=day, whole_list=True, actor="demo")


def serve_sandbox(*, people: int, seed: int, receiver: str, as_json: bool = False) -> int:
    """Run the stand-ins until interrupted (`audiences sandbox`)."""
    home = Home.current()
    with Children(home.data / "logs") as children:
        shop = start_sandbox(children, home, people=people, seed=seed, receiver=receiver)
        if as_json:
            console.print_json({"urls": shop.urls})
        else:
            addresses = list(shop.urls.items())
            console.out.print(console.table("Stand-ins; Ctrl-C stops them", ["platform", "address"], addresses))
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        while not stopped.wait(0.5):
            if children.ended():
                return 1
    return 0


def _section(platform: str, values: dict[str, Any]) -> str:
    lines = [f"{key} = {_toml(value)}" for key, value in sorted(values.items())]
    return "\n".join([f"[sources.{platform}.main]", *lines, ""])


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(inner)}" for key, inner in value.items()) + "}"
    return orjson.dumps(value).decode()
