"""What is done once when a state store was lost: what can be recovered is, and what cannot is made safe and told.

- The *ledger*: its rows that builds had absorbed live on in decisions. Those that had not are written again from the
  landing zone: files and archived requests that the published decisions do not know are settled once more. Plans of
  changes made before are let go of.
- The *deliveries*: who is a member where is not known any more, so every place owes a baseline (see `baseline`), and no
  account counts as approved.
"""

from __future__ import annotations

import logging

from filelock import FileLock
from sqlalchemy import update

from orchestration.activation import catalogue, plan_records
from orchestration.activation.baseline import mark
from orchestration.activation.state import State, installation, origin
from orchestration.home import Home
from orchestration.landing.files import Landing
from orchestration.landing.requeue import absorbed_landings, requeue

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
