"""Keyed hashes: the same in Python and in SQL, under one key that is never lost silently."""

from __future__ import annotations

import hashlib
import hmac
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlt_sources.errors import ConfigurationError
from dlt_sources.platform import Identifier
from orchestration.activation.keys import (
    exact_key,
    keyed_hash,
    keyed_hash_sql,
    load_key,
    normalise_email,
    normalise_phone,
    suppression_keys,
)
from orchestration.home import DBT_PROJECT
from orchestration.identity.keys import email_keys, phone_keys
from orchestration.identity.lists import read_seeds

KEY = bytes(range(32))


def test_the_hash_is_hmac_sha256_of_the_text() -> None:
    expected = hmac.new(KEY, b"email:jane@example.com", hashlib.sha256).hexdigest()
    assert keyed_hash(KEY, "email:jane@example.com") == expected
    assert keyed_hash(bytes(32), "email:jane@example.com") != expected


@settings(max_examples=40)
@given(key=st.binary(min_size=32, max_size=32), texts=st.lists(st.text(), min_size=1, max_size=20))
def test_sql_and_python_give_the_same_hash_for_every_text_and_key(key: bytes, texts: list[str]) -> None:
    texts = [text.encode(errors="ignore").decode() for text in texts]
    with duckdb.connect() as connection:
        query = f"SELECT {keyed_hash_sql(key, 'text')} FROM (SELECT unnest(?::VARCHAR[]) AS text)"
        found = [row[0] for row in connection.execute(query, [texts]).fetchall()]
    assert found == [keyed_hash(key, text) for text in texts]


def test_sql_hashes_null_to_null() -> None:
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT {keyed_hash_sql(KEY, 'NULL::VARCHAR')}").fetchone() == (None,)


def test_a_new_key_is_32_random_bytes_that_the_owner_alone_may_read(tmp_path: Path) -> None:
    first, second = load_key(tmp_path / "one"), load_key(tmp_path / "two")
    assert len(first) == len(second) == 32
    assert first != second
    assert stat.S_IMODE((tmp_path / "one" / "key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["key"]


def test_the_key_stays_the_same(tmp_path: Path) -> None:
    assert load_key(tmp_path) == load_key(tmp_path)


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    state, go = tmp_path / "state", tmp_path / "go"
    code = (
        "import sys, time; from pathlib import Path; from orchestration.activation.keys import load_key\n"
        "state, go = map(Path, sys.argv[1:])\n"
        "print('ready', flush=True)\n"
        "while not go.exists(): pass\n"
        "print(load_key(state).hex())"
    )
    command = [sys.executable, "-c", code, str(state), str(go)]
    starting = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in starting:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    go.touch()
    keys = {process.communicate(timeout=60)[0].strip() for process in starting}
    assert keys == {load_key(state).hex()}


def test_a_ledger_without_its_key_is_refused_and_no_new_key_is_made(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    with pytest.raises(ConfigurationError, match="key is missing beside the ledger: restore it"):
        load_key(tmp_path)
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize("content", ["", "not hexadecimal", "00ff"])
def test_a_key_file_that_holds_no_key_is_refused_without_showing_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content)
    with pytest.raises(ConfigurationError, match="key") as caught:
        load_key(tmp_path)
    assert not content or content not in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        (" Jane.Doe+Tea@Example.COM ", "jane.doe+tea@example.com"),
        ("ü@example.com", "ü@example.com"),
        ("jane@example", None),
        ("jane doe@example.com", None),
        ("jane@@example.com", None),
        ("@example.com", None),
        ("", None),
    ],
)
def test_an_e_mail_key_is_the_trimmed_lower_case_address_or_nothing(raw: str, key: str | None) -> None:
    assert normalise_email(raw) == key


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ("+1 (415) 555-0123", "+14155550123"),
        ("+44.20.7946.0958", "+442079460958"),
        ("4155550123", None),
        ("+0155550123", None),
        ("+123456", None),
        ("+1234567890123456", None),
        ("+1415555O123", None),
        ("whatsapp:+14155550123", None),
        ("", None),
    ],
)
def test_a_phone_key_is_e164_or_nothing(raw: str, key: str | None) -> None:
    assert normalise_phone(raw) == key


def test_record_ids_of_two_accounts_are_two_keys() -> None:
    record = Identifier("record", "42")
    assert suppression_keys(record, "shopify:main") == ("record:shopify:main:42",)
    assert suppression_keys(record, "shopify:second") == ("record:shopify:second:42",)


def test_an_identifier_that_cannot_be_used_gives_no_key() -> None:
    assert suppression_keys(Identifier("email", "nobody"), "shopify:main") == ()
    assert suppression_keys(Identifier("phone", "555"), "shopify:main") == ()
    assert suppression_keys(Identifier("email", "A@B.co"), "shopify:main") == ("email:a@b.co",)


def test_a_suppression_reaches_every_spelling_with_the_exact_key_first() -> None:
    keys = suppression_keys(Identifier("email", "Jane.D+Shop@GoogleMail.com"), "shopify:main")
    assert keys == ("email:jane.d+shop@googlemail.com", "email:jane.d@googlemail.com", "email:janed@gmail.com")
    [first, *others] = suppression_keys(Identifier("phone", "+5215512345678"), "twilio:main")
    assert first == "phone:+5215512345678"
    assert "phone:+525512345678" in others


def test_a_number_without_its_country_code_is_read_in_the_country_of_the_account() -> None:
    number = Identifier("phone", "(415) 555-0123")
    assert "phone:+14155550123" in suppression_keys(number, "shopify:main", "US")
    assert suppression_keys(number, "shopify:main") == ("phone_end:155550123",)


@pytest.mark.parametrize(
    "value",
    ["jane@example.com", "J.ane+x@gmail.com", "ja\u200bne@example.com", "Jane@B\u00fccher.example", "info@example.com",
     "jane@gmial.com", "Jane <jane@example.com>", "jane@", ""],
)  # fmt: skip
def test_the_speed_lane_reads_addresses_as_the_models_do(value: str) -> None:
    [row] = email_keys(pa.array([value]), read_seeds(DBT_PROJECT / "seeds")).to_pylist()
    identifier = Identifier("email", value)
    exact = exact_key(identifier, "shopify:main")
    assert set(suppression_keys(identifier, "shopify:main")) == {*row["suppression_keys"], *([exact] if exact else [])}


@pytest.mark.parametrize("value", ["+14155550123", "415.555.0123", "+442079460958", "0791 234 567", "12", "call me"])
@pytest.mark.parametrize("country", ["", "US", "CH"])
def test_the_speed_lane_reads_numbers_as_the_models_do(value: str, country: str) -> None:
    countries = pa.array([[country] if country else []], pa.list_(pa.string()))
    [row] = phone_keys(pa.array([value]), countries, read_seeds(DBT_PROJECT / "seeds")).to_pylist()
    identifier = Identifier("phone", value)
    exact = exact_key(identifier, "shopify:main")
    found = set(suppression_keys(identifier, "shopify:main", country))
    assert found == {*row["suppression_keys"], *([exact] if exact else [])}
    # What the exact key alone once blocked is among what blocks the value today.
    assert exact is None or exact in row["blocked_by"]
