"""Accounts: what `.dlt/config.toml`, `.dlt/secrets.toml` and the environment say about each platform account.

Sections are `[sources.<platform>.<account>]`; an environment variable `SOURCES__<PLATFORM>__<ACCOUNT>__<KEY>` wins
over the files, secrets win over config: dlt's own order and spelling, read here without importing dlt because the
receiver and the speed lane must start at once.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from dlt_sources.errors import ConfigurationError

if TYPE_CHECKING:
    from dlt_sources.platform import Platform

_PREFIX = "SOURCES__"
_ACCOUNT_KEY = re.compile(r"[a-z0-9_]+:[A-Za-z0-9_-]+")


def home() -> Path:
    """The folder that holds `.dlt/` and `data/`: AUDIENCES_HOME, else the current folder."""
    return Path(os.environ.get("AUDIENCES_HOME", ".")).resolve()


@dataclass(frozen=True, slots=True)
class Account:
    """One configured account of a platform; `settings` holds plain and secret keys alike and stays out of repr."""

    platform: str
    name: str
    brand: str
    default_region: str
    markets: tuple[str, ...]
    settings: Mapping[str, str] = field(repr=False)
    #: Where this account's records carry ids of other systems: `platform:account` → name of its custom field.
    external_ids: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """`platform:account`, the account's name in state, plans and keys."""
        return f"{self.platform}:{self.name}"

    def __getitem__(self, setting: str) -> str:
        try:
            return self.settings[setting]
        except KeyError:
            raise ConfigurationError(_missing(self.platform, self.name, [setting])) from None

    def get(self, setting: str, default: str = "") -> str:
        """The setting, or `default` where it may be absent."""
        return self.settings.get(setting, default)


def load(platforms: Sequence[Platform], folder: Path | None = None) -> list[Account]:
    """Read every configured account of `platforms`, sorted by platform and name.

    A platform without a section is "not configured" and simply absent. All missing keys of all accounts are named in
    one ConfigurationError.
    """
    sections = _sections(folder or home(), {platform.name for platform in platforms})
    accounts, missing = [], []
    for platform in platforms:
        for name, values in sorted(sections.get(platform.name, {}).items()):
            absent = [c.name for c in platform.credentials if c.lacking(values)]
            if absent:
                missing.append(_missing(platform.name, name, absent))
                continue
            accounts.append(_account(platform.name, name, values))
    if missing:
        raise ConfigurationError("\n".join(missing))
    return accounts


def _account(platform: str, name: str, values: Mapping[str, Any]) -> Account:
    general = {"brand", "default_region", "markets", "external_ids"}
    markets = values.get("markets") or []
    return Account(
        platform=platform,
        name=name,
        brand=str(values.get("brand") or name),
        default_region=str(values.get("default_region") or ""),
        markets=tuple(markets if isinstance(markets, list) else str(markets).split(",")),
        settings={key: str(value) for key, value in values.items() if key not in general},
        external_ids=_external_ids(platform, name, values.get("external_ids") or {}),
    )


def _external_ids(platform: str, account: str, found: Any) -> dict[str, str]:
    """The table `external_ids`, from the environment as JSON text; ConfigurationError where it is none."""
    try:
        table = orjson.loads(found) if isinstance(found, str) else found
    except orjson.JSONDecodeError:
        table = None
    pairs = table.items() if isinstance(table, dict) else [("", "")]
    if not all(_ACCOUNT_KEY.fullmatch(holder) and isinstance(name, str) and name for holder, name in pairs):
        raise ConfigurationError(
            f"{platform} ({account}), external_ids: write a section [sources.{platform}.{account}.external_ids] with "
            'lines such as "aevent:main" = "name_of_the_custom_field".'
        )
    return dict(pairs)


def _sections(folder: Path, known: Collection[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Merge config, secrets and environment into platform → account → values, for the platforms that are known."""
    merged: dict[str, dict[str, dict[str, Any]]] = {}
    for file in ("config.toml", "secrets.toml"):
        path = folder / ".dlt" / file
        if not path.exists():
            continue
        try:
            content = tomllib.loads(path.read_text())
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{path.name} is not valid TOML: {error}.") from None
        for platform, accounts in _section(path.name, "<platform>", content.get("sources", {})).items():
            for name, values in _section(path.name, platform, accounts).items() if platform in known else ():
                merged.setdefault(platform, {}).setdefault(name, {}).update(_section(path.name, platform, values))
    for variable, value in os.environ.items():
        parts = variable.removeprefix(_PREFIX).lower().split("__")
        if variable.startswith(_PREFIX) and len(parts) == 3:
            platform, name, key = parts
            merged.setdefault(platform, {}).setdefault(name, {})[key] = value
    return merged


def _section(file: str, platform: str, found: Any) -> dict[str, Any]:
    """What stands in a section on the way to an account; ConfigurationError where a value stands in its place."""
    if not isinstance(found, dict):
        raise ConfigurationError(f"{file}: write keys under a section [sources.{platform}.<account>].")
    return found


def _missing(platform: str, account: str, keys: Sequence[str]) -> str:
    names = ", ".join(keys)
    variables = ", ".join(f"{_PREFIX}{platform}__{account}__{key}".upper() for key in keys)
    return (
        f"{platform} ({account}) lacks {names}: write it under [sources.{platform}.{account}] "
        f"in .dlt/secrets.toml (or config.toml if it is no secret), or set {variables}."
    )
