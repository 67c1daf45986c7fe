"""The evidence pack: whole, private, verifiable, on record, and silent about everybody else."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path

import pytest
from sqlalchemy import select

from dlt_sources.errors import AudiencesError, ConfigurationError
from orchestration.activation.keys import keyed_hash
from orchestration.activation.state import exports
from orchestration.proving import pack
from orchestration.proving.pack_files import CONTENTS, _cell
from tests.activation.shop import Shop

_HASH = "a" * 64
_RAW = f"""
CREATE SCHEMA seeds;
CREATE SCHEMA intermediate;
CREATE SCHEMA raw_shop;
CREATE TABLE seeds.reason_codes AS SELECT
    'withdrawn' AS code, 13 AS position, 'Opted out.' AS meaning, 'Wait.' AS next_step, 'a law' AS law;
CREATE TABLE intermediate.consent_events AS SELECT
    'shop:main:customer:{_HASH}:email' AS consent_event_id, 'withdrawn' AS state, 'email' AS channel,
    '=cmd()' AS method, 'shop consent state' AS source, json_object('value', 'no') AS evidence, 'shop' AS platform,
    'main' AS account, 'r2' AS record_id, 'p2@example.com' AS identifier,
    TIMESTAMPTZ '2026-11-01 10:00:00+00' AS effective_lo, TIMESTAMPTZ '2026-11-01 10:00:00+00' AS effective_hi,
    TIMESTAMPTZ '2026-11-02 10:00:00+00' AS recorded_at;
CREATE TABLE raw_shop.customers AS
SELECT 'main' AS account, 'r2' AS record_id, TIMESTAMPTZ '2026-11-02 10:00:00+00' AS extracted_at,
    '{{"id": "r2", "email": "p2@example.com"}}' AS payload, '{_HASH}' AS payload_hash
UNION ALL
SELECT 'main', 'r1', TIMESTAMPTZ '2026-11-02 10:00:00+00', '{{"email": "p1@example.com"}}', '{"b" * 64}'
UNION ALL
SELECT 'other', 'r2', TIMESTAMPTZ '2026-11-02 10:00:00+00', '{{"email": "elsewhere@example.com"}}', '{"c" * 64}';
UPDATE marts.decisions SET evidence_ids = ['shop:main:customer:{_HASH}:email'] WHERE person_id = 'p2';
CREATE OR REPLACE TABLE exclusions.buyers AS SELECT 'p2' AS person_id, ['withdrawn'] AS reason_codes;
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Person 2 withdrew, which a raw row shows; person 1 is a member."""
    return Shop.of_two(tmp_path, _RAW, reason="withdrawn")


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / name).read_text())))


def test_a_pack_holds_every_file_under_its_hash_and_for_its_owner_alone(shop: Shop, tmp_path: Path) -> None:
    made = pack.of_person(shop.home, "p2@example.com", tmp_path / "pack", actor="jo")
    files = {path.name for path in made.folder.iterdir()}
    assert files == {*CONTENTS, pack.MANIFEST, pack.INDEX}
    assert {path.stat().st_mode & 0o777 for path in made.folder.iterdir()} == {0o600}
    assert made.folder.stat().st_mode & 0o777 == 0o700
    content = (made.folder / pack.MANIFEST).read_bytes()
    assert hashlib.sha256(content).hexdigest() == made.manifest_hash
    manifest = json.loads(content)
    assert {one["file"] for one in manifest["files"]} == set(CONTENTS)
    for one in manifest["files"]:
        assert hashlib.sha256((made.folder / one["file"]).read_bytes()).hexdigest() == one["sha256"]
    assert manifest["actor"] == "jo"


def test_the_raw_row_behind_a_decision_is_in_it_and_nobody_elses(shop: Shop, tmp_path: Path) -> None:
    made = pack.of_person(shop.home, "p2@example.com", tmp_path / "pack", actor="jo")
    [raw] = json.loads((made.folder / "raw.json").read_text())
    assert (raw["table"], raw["payload"]["email"]) == ("raw_shop.customers", "p2@example.com")
    [decision] = rows(made.folder, "decisions.csv")
    assert raw["evidence_ids"] == decision["evidence_ids"].split()
    assert decision["rests_on"] == "withdrawn: a law"
    [statement] = rows(made.folder, "consent_history.csv")
    assert statement["identifier"] == "p2@example.com"
    everything = "".join(path.read_text() for path in made.folder.iterdir())
    assert "p1@example.com" not in everything
    assert "elsewhere@example.com" not in everything


def test_an_export_is_on_record_with_who_made_it_and_whose_data_left(shop: Shop, tmp_path: Path) -> None:
    made = pack.of_person(shop.home, "p2@example.com", tmp_path / "pack", actor="jo")
    with shop.state.deliveries.connect() as connection:
        [row] = connection.execute(select(exports)).all()
    assert (row.export_id, row.actor, row.about, row.manifest_hash) == (
        made.export_id,
        "jo",
        "email",
        made.manifest_hash,
    )
    assert row.subject_hash == keyed_hash(shop.state.key, "email:p2@example.com")


def test_a_pack_about_nobody_or_into_a_full_folder_leaves_nothing_behind(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="not empty"):
        pack.of_person(shop.home, "p2@example.com", tmp_path / "full", actor="jo")
    with pytest.raises(ConfigurationError, match="--actor"):
        pack.of_person(shop.home, "p2@example.com", tmp_path / "pack", actor=" ")
    with pytest.raises(AudiencesError, match="nothing to prove"):
        pack.of_person(shop.home, "nobody@example.com", tmp_path / "pack", actor="jo")
    with pytest.raises(AudiencesError, match="Nothing was sent by the id"):
        pack.of_send(shop.home, "abc:def", tmp_path / "pack", actor="jo")
    assert sorted(path.name for path in tmp_path.iterdir() if "pack" in path.name) == []
    with shop.state.deliveries.connect() as connection:
        assert connection.execute(select(exports)).all() == []


@pytest.mark.parametrize(
    ("value", "written"),
    [("=1+1", "'=1+1"), ("@x", "'@x"), ("-cmd", "'-cmd"), ("+14155550101", "+14155550101"), (None, ""), (True, "True")],
)
def test_no_cell_can_be_taken_for_a_formula(value: object, written: str) -> None:
    assert _cell(value) == written
