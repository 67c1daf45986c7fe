"""Where things lie: every path below the home folder, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dlt_sources import accounts

#: The dbt project stands beside this package, in a checkout as in an installed wheel.
DBT_PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"


@dataclass(frozen=True, slots=True)
class Home:
    """The home folder (`.dlt/` and `data/`) of one installation."""

    folder: Path

    @classmethod
    def current(cls) -> Home:
        """The home that AUDIENCES_HOME names, else the current folder."""
        return cls(accounts.home())

    @property
    def data(self) -> Path:
        """Everything this installation writes."""
        return self.folder / "data"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file; open it only inside `warehouse.opened`."""
        return self.data / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        """The folder of the read-only copy and the catalogue, swapped after each good build."""
        return self.data / "published"

    @property
    def data_docs(self) -> Path:
        """Great Expectations' pages about the newest validation of each table."""
        return self.published / "data_docs"

    @property
    def published_warehouse(self) -> Path:
        """The read-only copy that analysts, `why` and `status` read."""
        return self.published / "warehouse.duckdb"

    @property
    def landing(self) -> Path:
        """Webhook requests as received."""
        return self.data / "landing"

    @property
    def rejected(self) -> Path:
        """Redacted lines about refused webhook requests."""
        return self.data / "rejected"

    @property
    def state(self) -> Path:
        """The ledger, the deliveries and the key."""
        return self.data / "state"

    @property
    def receipts(self) -> Path:
        """Registry receipts that people have imported."""
        return self.data / "receipts"

    @property
    def plans(self) -> Path:
        """Plan files, a folder per build."""
        return self.data / "plans"

    @property
    def dlt(self) -> Path:
        """dlt's working folder: load packages and pipeline state."""
        return self.data / "dlt"

    @property
    def dbt(self) -> Path:
        """dbt's target and logs."""
        return self.data / "dbt"
