"""What is done once when a state store was lost: what can be recovered is, and what cannot is made safe and told.

- The *ledger*: its rows that builds had absorbed live on in decisions. Those that had not are written again from the
  landing zone: files and archived requests that the published decisions do not know are settled once more. What
  people decided (verdicts, links) comes back from the published copy. Plans of changes made before are let go of.
- The *deliveries*: who is a member where is not known any more, so every place owes a baseline (see `baseline`), and no
  account counts as approved.
"""

from __future__ import annotations

import logging

import duckdb
from filelock import FileLock
from sqlalchemy import update

from orchestration.activation import catalogue, plan_records
from orchestration.activation.baseline import mark
from orchestration.activation.ledger import insert_new
from orchestration.activation.state import State, installation, links, origin, reviews
from orchestration.home import Home
from orchestration.landing.files import Landing
from orchestration.landing.requeue import absorbed_landings, requeue
from orchestration.warehouse import has_table

_log = logging.getLogger(__name__)


def recover(home: Home, state: State) -> None:
    """Recover what can be; harmless when another process was quicker."""
    with FileLock(state.folder / "recovering.lock"):
        lost = state.lost
        if "ledger" in lost:
            plan_records.supersede_changes(state)
            landing = Landing(home.landing)
            landing.create()
            requests = requeue(landing, "ready", absorbed_landings(home))
            _decided_by_people(home, state)
            with state.write_ledger() as connection:
                connection.execute(update(installation).values(lost_at=None))
            _log.error(
                "The suppression ledger was lost and is new: %s webhook requests that no published decision knows are "
                "settled again. If you have a backup of it, restore that instead (docs/operating.md).",
                requests,
            )
        if "deliveries" in lost:
            places = mark(state, catalogue.read(home), "the deliveries store was lost")
            with state.write_deliveries() as connection:
                connection.execute(update(origin).values(lost_at=None))
            _log.error(
                "The deliveries store was lost and is new: the next plan reads back the members of %s places, removes "
                "whoever must go, and adds nobody until their accounts are approved (audiences approve).",
                len(places),
            )


def _decided_by_people(home: Home, state: State) -> None:
    """Verdicts and links that the published copy knows are kept in state again; builds know them in any case."""
    if not home.published_warehouse.exists():
        return
    with duckdb.connect(str(home.published_warehouse), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for table in (reviews, links):
            if not has_table(connection, "raw_audiences", table.name):
                continue
            cursor = connection.execute(f"FROM raw_audiences.{table.name}")
            names = [column[0] for column in cursor.description or ()]
            # Whose it was is known to the build alone.
            more = {"key_hash": ""} if "key_hash" in table.c else {}
            rows = [dict(zip(names, row, strict=True)) | more for row in cursor.fetchall()]
            with state.write_ledger() as store:
                insert_new(store, table, rows)
