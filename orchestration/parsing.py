"""dbt's manifest: parsed anew only when the project has changed, and never stopped by one broken segment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
from filelock import FileLock

from dbt_project.prepare_segments import Fault, prepare, segments_named_in
from dlt_sources.errors import ConfigurationError
from orchestration.home import DBT_PROJECT, Home

_SUFFIXES, _BUILT = {".sql", ".yml", ".csv", ".md", ".py"}, {"target", "logs"}


def environment(home: Home) -> dict[str, str]:
    """The environment dbt reads its paths and its share of memory from."""
    return {
        "AUDIENCES_MEMORY_LIMIT": os.environ.get("AUDIENCES_MEMORY_LIMIT", _memory_limit()),
        "AUDIENCES_WAREHOUSE": str(home.warehouse),
        "DBT_TARGET_PATH": str(home.dbt / "target"),
        "DBT_LOG_PATH": str(home.dbt / "logs"),
        # The debug log repeats every statement, which lies in the target folder anyway, at a tenth of the run.
        "DBT_LOG_LEVEL_FILE": "info",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def _memory_limit() -> str:
    """6 GB, or three fifths of a smaller machine; the process takes somewhat more than DuckDB counts."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{min(6_000, installed * 3 // 5 // 1_000_000)}MB"


def dbt_command(*arguments: str) -> list[str]:
    """The dbt of this environment on our project."""
    program = str(Path(sys.executable).parent / "dbt")
    folders = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
    return [program, "--quiet", "--no-use-colors", *arguments, *folders]


def manifest(home: Home) -> Path:
    """The manifest of the project as its files stand; segments that dbt cannot read are set aside first.

    Raises ConfigurationError with dbt's own words when anything but a segment keeps the project from being parsed.
    """
    path = home.dbt / "target" / "manifest.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(home.dbt / "parsing.lock"):
        faults = prepare()
        if path.exists() and path.stat().st_mtime >= _newest_source() and faults == set_aside(home):
            return path
        message = _parse(home)
        if message and (named := segments_named_in(message)):
            faults = prepare(also=dict.fromkeys(named, "dbt cannot parse it; `dbt parse` says where."))
            message = _parse(home)
        if message:
            raise ConfigurationError(f"The dbt project does not parse; mend this, then try again:\n{message}")
        _aside(home).write_bytes(orjson.dumps(faults))
    return path


def set_aside(home: Home) -> list[Fault]:
    """The segments that the manifest leaves out, each with what to mend."""
    path = _aside(home)
    return [Fault(**values) for values in orjson.loads(path.read_bytes())] if path.exists() else []


def _aside(home: Home) -> Path:
    return home.dbt / "set_aside.json"


def _parse(home: Home) -> str:
    """Parse; the empty string, or what dbt complains of."""
    result = subprocess.run(
        dbt_command("parse"),
        env={**os.environ, **environment(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return (result.stdout.strip() or "dbt gave no reason") if result.returncode else ""


def _newest_source() -> float:
    return max(
        file.stat().st_mtime
        for file in DBT_PROJECT.rglob("*")
        if file.suffix in _SUFFIXES and not _BUILT.intersection(file.relative_to(DBT_PROJECT).parts)
    )
