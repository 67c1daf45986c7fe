"""Fixtures of the dbt tests: one shop, built once, and copies of it for whatever changes something."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner, dbtRunnerResult

from tests.dbt.raw import Raw
from tests.dbt.shop import fill

PROJECT = Path(__file__).parents[2] / "dbt_project"


@dataclass
class Build:
    """A dbt project over a warehouse file."""

    project: Path
    warehouse: Path
    target: Path

    def dbt(self, *arguments: str) -> dbtRunnerResult:
        """Run dbt in this process; the result names what failed."""
        # A changed variable makes dbt parse everything again, so each warehouse goes by the same relative name.
        os.environ["AUDIENCES_WAREHOUSE"] = self.warehouse.name
        folders = ["--project-dir", str(self.project), "--profiles-dir", str(PROJECT)]
        folders += ["--target-path", str(self.target), "--log-path", str(self.target / "logs")]
        try:
            with contextlib.chdir(self.warehouse.parent):
                return dbtRunner().invoke([*arguments, *folders, "--quiet", "--no-use-colors"])
        finally:
            # dbt keeps the file open for its next run in this process.
            DuckDBConnectionManager.close_all_connections()
            del os.environ["AUDIENCES_WAREHOUSE"]

    def run(self, *arguments: str) -> set[str]:
        """Build all models; the names of those that failed or were skipped."""
        result = self.dbt("run", *arguments)
        if result.exception:
            raise result.exception
        return {one.node.name for one in result.result.results if one.status not in ("success", "pass")}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query on the warehouse."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()

    def values(self, sql: str) -> set[Any]:
        """First column of a query on the warehouse."""
        return {row[0] for row in self.rows(sql)}

    def raw(self) -> Raw:
        """More raw rows for the warehouse."""
        return Raw(self.warehouse)


def _copy_of_project(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("target", "logs", "generated", ".dbtignore", "__pycache__")
    project = shutil.copytree(PROJECT, folder / "project", ignore=ignored)
    shutil.copytree(PROJECT / "macros" / "generated", project / "macros" / "generated")
    return project


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The shop of `shop.py`, built once; only to be read."""
    folder = tmp_path_factory.mktemp("shop")
    build = Build(_copy_of_project(folder), folder / "warehouse.duckdb", folder / "target")
    with build.raw() as raw:
        fill(raw)
        raw.build(1)
    assert build.dbt("seed").success
    assert build.run() == set()
    return build


@pytest.fixture
def copy(shop: Build, tmp_path: Path) -> Build:
    """A copy of the built shop and of the project, free to change."""
    return copied(shop, tmp_path)


def copied(shop: Build, folder: Path) -> Build:
    """A copy of a build and of its project in that folder."""
    shutil.copy(shop.warehouse, folder / "warehouse.duckdb")
    shutil.copytree(shop.target, folder / "target", ignore=shutil.ignore_patterns("logs", "run", "compiled"))
    return Build(_copy_of_project(folder), folder / "warehouse.duckdb", folder / "target")
