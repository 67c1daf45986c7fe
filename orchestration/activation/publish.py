"""Publishing: what becomes true for everybody else once a build has made its decisions.

The order is what keeps the gate shut at every instant, kill -9 included:

1. the warehouse is checkpointed, so that this build's decisions are durable;
2. its copy and the catalogue are swapped in, each whole or not at all;
3. the build is marked as decided: from here on no plan of an older build can add anybody;
4. the ledger absorbs the webhooks that these decisions know.

Until 4 the gate goes on blocking people that the decisions could speak for, which is safe. Were 4 before 1 or 3, a row
could stop blocking while the only decisions, or the only plans, are those that never heard of it.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
from sqlalchemy import select, update

from dlt_sources.errors import AudiencesError
from orchestration.activation import catalogue as catalogues
from orchestration.activation import ledger
from orchestration.activation.catalogue import Catalogue
from orchestration.activation.state import State, builds
from orchestration.activation.state import ledger as ledger_table
from orchestration.home import Home
from orchestration.warehouse import decided_build, has_table

WAREHOUSE = "warehouse.duckdb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was published: the build, the size of its copy, and how many ledger rows its decisions now speak for."""

    build_id: int
    bytes: int
    absorbed: int


def publish(home: Home, state: State, connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> Published:
    """Publish the build of this catalogue; AudiencesError if its decisions were not made in this build.

    `connection` is the open warehouse. A failed step leaves everything behind it undone, and the next build does it.
    """
    build = decided_build(connection)
    if build is None or build.build_id != catalogue.build_id:
        raise AudiencesError(
            f"Build {catalogue.build_id} made no decisions, so it is not published and the ledger goes on blocking: "
            "see which dbt model failed, then build again."
        )
    connection.execute("CHECKPOINT")
    size = _copy(home)
    catalogues.write(home, catalogue)
    with state.write_ledger() as store:
        mine = builds.c.build_id == catalogue.build_id
        store.execute(update(builds).where(mine).values(decided_at=datetime.now(UTC)))
    absorbed = ledger.absorb(state, catalogue.build_id, _known_landings(state, connection))
    return Published(build_id=catalogue.build_id, bytes=size, absorbed=absorbed)


def is_published(state: State, build_id: int) -> bool:
    """True when this build's decisions have been published."""
    with ledger.reading(state.ledger) as store:
        mine = select(builds.c.decided_at).where(builds.c.build_id == build_id)
        return store.execute(mine).scalar() is not None


def _copy(home: Home) -> int:
    """Copy the warehouse's file and swap it in; readers keep the file they have open."""
    home.published.mkdir(parents=True, exist_ok=True)
    final = home.published / WAREHOUSE
    draft = final.with_name(f"{WAREHOUSE}.tmp")
    shutil.copyfile(home.warehouse, draft)
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    draft.replace(final)
    catalogues.sync_folder(home.published)
    return final.stat().st_size


def _known_landings(state: State, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Landings that still block and that this build's decisions know."""
    with ledger.reading(state.ledger) as store:
        query = select(ledger_table.c.landing_id).where(ledger_table.c.absorbed_build.is_(None)).distinct()
        blocking = pa.table({"landing_id": pa.array(store.execute(query).scalars().all(), pa.string())})
    if not blocking.num_rows or not has_table(connection, "marts", "absorbed_landings"):
        return []
    connection.register("blocking", blocking)
    try:
        known = connection.execute("FROM blocking SEMI JOIN marts.absorbed_landings USING (landing_id)").fetchall()
    finally:
        connection.unregister("blocking")
    return [landing_id for (landing_id,) in known]
