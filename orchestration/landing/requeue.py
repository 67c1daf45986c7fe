"""Landing files that go through the chain once more, after a ledger or a warehouse was lost or came from a backup.

Every step of the chain may happen twice and has its effect once, so more is sent through again than need be.
"""

from __future__ import annotations

from collections.abc import Container
from itertools import islice
from typing import Literal

from dlt_sources.platform import LANES
from orchestration.home import Home
from orchestration.landing.archive import archived
from orchestration.landing.files import Landing, Stage, read

#: Archived requests written back as one file.
_REQUESTS = 500


def requeue(landing: Landing, stage: Literal["ready", "settled"], known: Container[str]) -> int:
    """Move files beyond `stage` back to it where they hold a request whose id is not in `known`; counts those.

    Requests of the archive are copied into new files.
    """
    again = 0
    later: tuple[Stage, ...] = ("loaded",) if stage == "settled" else ("settled", "loaded")
    for lane in LANES:
        for behind in later:
            for path in landing.waiting(lane, behind):
                unknown = sum(landed.id not in known for landed in read(path))
                if unknown:
                    landing.move(path, lane, stage)
                    again += unknown
        lines = (landed.line() for landed in archived(landing, lane) if landed.id not in known)
        while part := list(islice(lines, _REQUESTS)):
            for path in landing.write(lane, part):
                if stage == "settled":
                    landing.move(path, lane, stage)
            again += len(part)
    return again


def absorbed_landings(home: Home) -> frozenset[str]:
    """The requests that the published decisions know; none when nothing is published."""
    path = home.published_warehouse
    if not path.exists():
        return frozenset()
    import duckdb

    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.execute(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = 'marts' AND table_name = 'absorbed_landings'"
        ).fetchone()
        rows = connection.execute("SELECT landing_id FROM marts.absorbed_landings").fetchall() if found else []
    return frozenset(landing_id for (landing_id,) in rows)
