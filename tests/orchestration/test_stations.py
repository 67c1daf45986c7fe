"""The figures of a run: the newest report of a station counts, and whoever waits hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from orchestration import stations
from orchestration.home import Home
from orchestration.stations import Station


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture(autouse=True)
def own_listeners() -> Iterator[None]:
    former = stations._listeners[:]
    stations._listeners.clear()
    yield
    stations._listeners[:] = former


def station(name: str, rows: int = 1) -> Station:
    return Station(name=name, rows_in=rows, quarantined=0, rows_out=rows, seconds=0.5, note="n")


def test_a_house_that_has_not_run_has_no_stations(home: Home) -> None:
    assert stations.read(home) == []


def test_stations_are_read_back_in_the_order_they_ended(home: Home) -> None:
    for name in ("pull", "build", "push"):
        stations.report(home, station(name))
    assert stations.read(home) == [station("pull"), station("build"), station("push")]


def test_the_newest_report_of_a_station_counts(home: Home) -> None:
    for one in (station("pull", 1), station("build"), station("pull", 7)):
        stations.report(home, one)
    assert stations.read(home) == [station("build"), station("pull", 7)]


def test_a_new_run_forgets_the_former_one_s_figures(home: Home) -> None:
    stations.report(home, station("pull"))
    stations.begin(home)
    assert stations.read(home) == []


def test_whoever_listens_hears_of_every_station_as_it_ends(home: Home) -> None:
    heard: list[Station] = []
    stations.listen(heard.append)
    stations.report(home, station("pull"))
    assert heard == [station("pull")]
    stations.report(home, station("build"))
    assert heard == [station("pull"), station("build")]


def test_a_reader_never_sees_half_a_file(home: Home) -> None:
    """The figures are written beside their place and moved into it."""
    stations.report(home, station("pull"))
    path = home.published / "stations.json"
    before = path.stat().st_ino
    stations.report(home, station("build"))
    assert path.stat().st_ino != before
    assert len(orjson.loads(path.read_bytes())) == 2
    assert [found.name for found in home.published.iterdir()] == ["stations.json"]
