"""The house looks as docs/architecture.md says, so that whoever has seen one room finds their way in the others."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
OURS = ("dlt_sources", "orchestration", "expectations", "sandbox", "dbt_project")
PLATFORMS = sorted(path.parent.name for path in (ROOT / "dlt_sources" / "platforms").glob("*/__init__.py"))
SEGMENTS = ROOT / "dbt_project" / "models" / "segments"
MODELS = ROOT / "dbt_project" / "models"
STATIONS = {"dlt_sources", "dbt_project", "expectations", "orchestration", "sandbox", "tests", "docs", ".dlt", ".ci"}


@cache
def committed() -> tuple[Path, ...]:
    """Every file that git knows or would take, and that is there."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return tuple(path for name in sorted(set(listed)) if (path := ROOT / name).is_file())


def ours() -> list[Path]:
    return [path for path in committed() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in OURS]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def texts() -> list[tuple[Path, str]]:
    """Every committed text, but for this file: it has to name the paths and indexes that it forbids."""
    return [(path, path.read_text(errors="replace")) for path in committed() if path != Path(__file__)]


def test_each_top_level_folder_is_a_station() -> None:
    folders = {path.relative_to(ROOT).parts[0] for path in committed() if path.parent != ROOT}
    assert folders == STATIONS


def test_the_architecture_page_names_every_folder_it_explains_and_each_is_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    told = {name.rstrip("/") for name in re.findall(r"^\| `([\w/.*]+)` \|", page, re.MULTILINE) if "*" not in name}
    assert {name for name in STATIONS if name.isidentifier()} - {"docs"} <= {name.partition("/")[0] for name in told}
    known = [name for name in told if not name.startswith("data")]
    assert [name for name in known if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_platform_s_package_has_only_the_fixed_file_names(platform: str) -> None:
    """`tables` holds declarations; a module of another name is a part of one with a fixed name, which imports it."""
    fixed = {"__init__.py", "client.py", "source.py", "webhook.py", "subscriptions.py", "destination.py", "tables.py"}
    fixed.add("README.md")
    package = ROOT / "dlt_sources" / "platforms" / platform
    found = {path.name for path in committed() if path.is_relative_to(package)}
    assert {"__init__.py", "client.py", "README.md"} <= found
    texts = [(package / name).read_text() for name in found & fixed if name.endswith(".py")]
    for name in found - fixed:
        stem, home = name.removesuffix(".py"), f"dlt_sources.platforms.{platform}"
        assert any(
            f"from {home}.{stem} import" in text or (f"from {home} import" in text and stem in text) for text in texts
        )


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_platform_is_in_every_room_under_its_own_name(platform: str) -> None:
    rooms = ("dbt_project/models/staging", "tests/platforms", "sandbox/platforms")
    for room in rooms:
        assert (ROOT / room / platform).is_dir() or (ROOT / room / f"{platform}.py").exists(), f"{room}/{platform}"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_staging_model_is_named_for_its_platform(platform: str) -> None:
    pattern = re.compile(rf"(stg_)?{platform}__\w+\.sql|_{platform}__(models|sources)\.yml")
    for path in (MODELS / "staging" / platform).iterdir():
        assert pattern.fullmatch(path.name), named(path)


def test_no_module_is_too_long_to_read_at_once() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in ours()}
    assert {name: length for name, length in lengths.items() if length > 350} == {}


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "lib"}
    assert [named(path) for path in committed() if drawers & {part.lower() for part in (*path.parts, path.stem)}] == []


def test_every_module_says_what_it_is_for() -> None:
    assert [named(path) for path in ours() if not ast.get_docstring(ast.parse(path.read_text()))] == []


MACHINE = re.compile(r"(?<![\w.])/(?:wor[k]|roo[t]|home|Users)/[\w.]+")
INDEX = re.compile(
    r"--(?:extra-)?index-url|--find-links|--trusted-host|index\.docker|(?:^|[^\w.])(?:pypi|files)\.\w+(?:\.\w+)*/simple"
    r"|python[h]osted|artifactory|nexus|index-url\s*=",
    re.IGNORECASE,
)


def test_no_file_names_a_path_of_somebody_s_machine() -> None:
    found = {named(path): match.group() for path, text in texts() if (match := MACHINE.search(text))}
    assert found == {}


def test_no_file_names_a_package_index() -> None:
    allowed = {"Makefile": "--no-emit-index-url"}  # which is how the lock file comes to name none
    found = {
        named(path): match.group()
        for path, text in texts()
        if (match := INDEX.search(text.replace(allowed.get(named(path), "\0"), "")))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("pattern", "bad", "good"),
    [
        (MACHINE, 'open("/home/project/file")', "https://example.com/home/page"),
        (MACHINE, "cd /Users/main", "docs/users/main"),
        (INDEX, "--extra-index-url https://host", "an index of names"),
        (INDEX, "https://files.example.org/simple", "pip install ."),
    ],
)
def test_the_patterns_find_what_they_forbid_and_no_more(pattern: re.Pattern[str], bad: str, good: str) -> None:
    assert pattern.search(bad)
    assert not pattern.search(good)


def test_every_requirement_in_the_lock_is_pinned_with_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    lines = [line for line in lock.splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) > 50
    assert [line for line in lines if "==" not in line or "--hash=sha256:" not in line] == []


def test_each_segment_has_its_twin_and_each_twin_its_segment() -> None:
    assert {path.stem for path in SEGMENTS.glob("*.sql")} == {path.stem for path in SEGMENTS.glob("*.yml")}
    assert {path.suffix for path in SEGMENTS.iterdir()} == {".sql", ".yml"}
    for path in SEGMENTS.glob("*.yml"):
        assert [model["name"] for model in yaml.safe_load(path.read_text())["models"]] == [path.stem]


def test_a_segment_is_one_select_without_jinja_but_ref() -> None:
    for path in SEGMENTS.glob("*.sql"):
        text = re.sub(r"--[^\n]*", "", path.read_text())
        inside = re.findall(r"\{\{(.*?)\}\}", text, re.DOTALL)
        assert inside, path.name
        assert all(re.fullmatch(r"\s*ref\('\w+'\)\s*", one) for one in inside), path.name
        assert "{%" not in text, path.name
        assert re.search(r"\bperson_id\b", text), path.name


def test_every_model_and_seed_has_a_description() -> None:
    described: dict[str, str] = {}
    for path in (ROOT / "dbt_project").rglob("*.yml"):
        if "target" not in path.parts:
            content = yaml.safe_load(path.read_text()) or {}
            for one in [*(content.get("models") or []), *(content.get("seeds") or [])]:
                if isinstance(one, dict):
                    described[one["name"]] = str(one.get("description") or "").strip()
    models = {path.stem for path in MODELS.rglob("*") if path.suffix in {".sql", ".py"}}
    seeds = {path.stem for path in (ROOT / "dbt_project" / "seeds").glob("*.csv")}
    assert sorted(name for name in models | seeds if not described.get(name)) == []
    assert sorted(described.keys() - models - seeds) == []


def test_every_model_s_description_names_its_grain() -> None:
    """What one row is: the first thing a reader of a table has to know."""
    grain = re.compile(r"\b(one|a|single) row\b|\brow per\b", re.IGNORECASE)
    models = [
        model
        for path in MODELS.rglob("*.yml")
        for model in (yaml.safe_load(path.read_text()) or {}).get("models") or []
    ]
    assert models
    assert sorted(one["name"] for one in models if not grain.search(str(one.get("description")))) == []


def test_tests_mirror_the_tree() -> None:
    rooms = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and not path.name.startswith("_")}
    mirrored = {"dlt_sources", "platforms", "dbt", "expectations", "orchestration", "landing", "activation", "sandbox"}
    assert mirrored <= rooms
    assert rooms <= mirrored | {
        "deciding",
        "identity",
        "inputs",
        "proving",
        "cases",
        "oracle",
        "chaos",
        "end_to_end",
        "benchmarks",
    }
