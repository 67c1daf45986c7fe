"""The receiver's own settings: section `[receiver]` of .dlt/config.toml, or RECEIVER__<NAME> in the environment."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from dlt_sources.errors import ConfigurationError

_FLOOR_MB = 256


def public_url(folder: Path) -> str:
    """The address that platforms call, without /webhooks/...; empty: the URL as received."""
    return _setting(folder, "public_url").rstrip("/")


def free_disk_floor(folder: Path) -> int:
    """Bytes that must be free on the landing zone's disk for the receiver to call itself healthy."""
    text = _setting(folder, "free_disk_floor_mb") or str(_FLOOR_MB)
    if not text.isdecimal():
        raise ConfigurationError(f"[receiver] free_disk_floor_mb is {text!r}: write a whole number of megabytes.")
    return int(text) * 1024 * 1024


def _setting(folder: Path, name: str) -> str:
    if configured := os.environ.get(f"RECEIVER__{name.upper()}"):
        return configured
    path = folder / ".dlt" / "config.toml"
    if not path.exists():
        return ""
    return str(tomllib.loads(path.read_text()).get("receiver", {}).get(name, ""))
