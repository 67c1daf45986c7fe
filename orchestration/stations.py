"""What each station of a run took in, set aside and gave out: the figures people read after a run.

Assets report here; the figures of the newest run lie in `data/published/stations.json`, and whoever waits at the
command line hears of each station as it ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from orchestration.home import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One station of one run: rows in, rows quarantined, rows out, seconds."""

    name: str
    rows_in: int
    quarantined: int
    rows_out: int
    seconds: float
    note: str = ""


_listeners: list[Callable[[Station], None]] = []


def listen(listener: Callable[[Station], None]) -> None:
    """Call `listener` with every station that ends in this process."""
    _listeners.append(listener)


def begin(home: Home) -> None:
    """Forget the former run's figures."""
    _write(_file(home), [])


def report(home: Home, station: Station) -> None:
    """Keep a station's figures and tell the listeners; the newest report of a station counts."""
    others = [former for former in read(home) if former.name != station.name]
    _write(_file(home), [*others, station])
    for listener in _listeners:
        listener(station)


def read(home: Home) -> list[Station]:
    """The stations of the newest run, in the order they ended."""
    path = _file(home)
    return [Station(**values) for values in orjson.loads(path.read_bytes())] if path.exists() else []


def _file(home: Home) -> Path:
    return home.published / "stations.json"


def _write(path: Path, stations: list[Station]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".writing")
    draft.write_bytes(orjson.dumps([asdict(station) for station in stations]))
    draft.replace(path)
