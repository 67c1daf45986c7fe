"""Keyed hashes: how identifiers appear in state and plans.

A suppression key is a text such as `email:jane@example.com`, `phone:+14155550123` or `record:shopify:main:42`;
outside the warehouse it appears only as the hex HMAC-SHA256 of that text under this installation's key.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from functools import cache
from pathlib import Path

from dlt_sources.errors import ConfigurationError
from dlt_sources.platform import Identifier
from orchestration.home import DBT_PROJECT
from orchestration.identity.emails import Addresses
from orchestration.identity.lists import read_seeds
from orchestration.identity.phones import suppressed_keys as phone_keys

_BLOCK, _KEY_BYTES = 64, 32
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_PHONE_NOISE = re.compile(r"[\s().-]")


def load_key(state: Path) -> bytes:
    """Read this installation's key from `state/key`, making it on first use (mode 0600).

    Raises ConfigurationError when a state exists whose key is gone or damaged: another key would forget every
    suppression.
    """
    path = state / "key"
    if not path.exists():
        # The key is made before the stores, so both looks in this order cannot mistake a start for a loss.
        kept = [name for name in ("ledger", "deliveries") if (state / f"{name}.db").exists()]
        if kept and not path.exists():
            raise ConfigurationError(f"{path.name} is missing beside the {kept[0]}: restore it from your backup.")
        _create(path)
    try:
        key = bytes.fromhex(path.read_text().strip())
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ConfigurationError(f"{path.name} does not hold {_KEY_BYTES} bytes: restore it from your backup.")
    return key


def _create(path: Path) -> None:
    """Write a new key so that two processes starting together agree on one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"key.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def keyed_hash(key: bytes, text: str) -> str:
    """Hex HMAC-SHA256 of `text`."""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def keyed_hash_sql(key: bytes, expression: str) -> str:
    """The DuckDB expression that gives `keyed_hash` of a VARCHAR expression; contains the key, so never log it."""
    block = key.ljust(_BLOCK, b"\0")
    inner = "".join(f"\\x{byte ^ 0x36:02X}" for byte in block)
    outer = "".join(f"\\x{byte ^ 0x5C:02X}" for byte in block)
    return f"sha256('{outer}'::blob || unhex(sha256('{inner}'::blob || encode({expression}))))"


def normalise_email(value: str) -> str | None:
    """The exact e-mail key: trimmed, lower case; None when it is no address."""
    text = value.strip().lower()
    return text if _EMAIL.fullmatch(text) else None


def normalise_phone(value: str) -> str | None:
    """The exact phone key: E.164; None when it is not written with its country code."""
    text = _PHONE_NOISE.sub("", value)
    return text if _PHONE.fullmatch(text) else None


def exact_key(identifier: Identifier, account: str) -> str | None:
    """The one key that an identifier is known by as it is written; `account` (`platform:account`) scopes record ids."""
    if identifier.kind == "email":
        address = normalise_email(identifier.value)
        return f"email:{address}" if address else None
    if identifier.kind == "phone":
        number = normalise_phone(identifier.value)
        return f"phone:{number}" if number else None
    return f"{identifier.kind}:{account}:{identifier.value}"


def suppression_keys(identifier: Identifier, account: str, country: str = "") -> tuple[str, ...]:
    """Every key that a suppression of an identifier blocks, the exact one first, the other spellings in order.

    `country` (ISO code) is the one by whose rules a phone number without its country code is read. The models give a
    person every key whose suppression blocks them, by the same reading, so that the two meet.
    """
    exact = exact_key(identifier, account)
    first = (exact,) if exact else ()
    if identifier.kind == "email":
        wide = [f"email:{key}" for key in _addresses().read(identifier.value).keys]
    elif identifier.kind == "phone":
        wide = phone_keys(identifier.value, (country,) if country else ())
    else:
        wide = []
    return first + tuple(key for key in sorted(set(wide)) if key != exact)


@cache
def _addresses() -> Addresses:
    return Addresses(read_seeds(DBT_PROJECT / "seeds"))
