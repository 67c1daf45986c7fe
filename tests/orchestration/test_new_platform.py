"""`make platform`: a copy that cannot be mistaken for a platform that works."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from dlt_sources.errors import ConfigurationError
from orchestration.new_platform import FOLDERS, MODEL, copy, leftovers

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in FOLDERS:
        path = folder.format(name=MODEL)
        shutil.copytree(ROOT / path, tmp_path / path, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_every_text_file_says_what_to_write_and_every_payload_is_kept(tree: Path) -> None:
    made = copy(tree, "google_sheets")
    told = {file for folder in FOLDERS for file in leftovers(tree / folder.format(name="google_sheets"))}
    payloads = [file for file in made if "payloads" in file.parts]
    assert payloads
    assert told == set(made) - set(payloads)
    for file in payloads:
        assert file.read_bytes() == Path(str(file).replace("google_sheets", MODEL)).read_bytes()


def test_names_change_and_addresses_do_not(tree: Path) -> None:
    for file in copy(tree, "google_sheets"):
        assert MODEL not in file.name
        if file.suffix == ".py":
            ast.parse(file.read_text())
    page = (tree / "dlt_sources/platforms/google_sheets/__init__.py").read_text()
    assert 'name="google_sheets"' in page
    assert "https://www.twilio.com/" in page
    assert "ref('stg_google_sheets__webhooks')" in "".join(
        file.read_text() for file in (tree / "dbt_project/models/staging/google_sheets").glob("*.sql")
    )


def test_a_written_file_is_no_leftover(tree: Path) -> None:
    made = next(file for file in copy(tree, "drift") if file.name == "client.py")
    assert made in leftovers(made.parent)
    made.write_text(made.read_text().rpartition("\n#")[0] + "\n")
    assert made not in leftovers(made.parent)


@pytest.mark.parametrize("name", ["Google", "2go", "a-b", "", "../x", MODEL])
def test_a_name_that_cannot_be_or_is_taken_is_refused(tree: Path, name: str) -> None:
    before = sorted(tree.rglob("*"))
    with pytest.raises(ConfigurationError):
        copy(tree, name)
    assert sorted(tree.rglob("*")) == before


def test_a_model_that_is_not_there_is_named(tree: Path) -> None:
    with pytest.raises(ConfigurationError, match="staging/klaviyo"):
        copy(tree, "drift", "klaviyo")
