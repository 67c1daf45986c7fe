"""Starting: `audiences --help` against an interpreter that does nothing, and the demo against the sum of its parts."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from tests.benchmarks.figures import Figure, figure

_TIMES = 7
_PROGRAM = str(Path(sys.executable).parent / "audiences")


def measure() -> Iterator[Figure]:
    yield figure("audiences --help", _seconds([_PROGRAM, "--help"]), "s", _seconds([sys.executable, "-c", "pass"]))
    with tempfile.TemporaryDirectory() as folder:
        _demo(folder)
        began = time.perf_counter()
        told = _demo(folder)
        parts = sum(station["seconds"] for station in told["stations"])
        yield figure("demo, warm (reference: the sum of its stations)", time.perf_counter() - began, "s", parts)


def _demo(folder: str) -> dict[str, list[dict[str, float]]]:
    """Run the demo below `folder`; what it tells as JSON."""
    done = subprocess.run([_PROGRAM, "demo", "--json"], check=True, capture_output=True, cwd=folder, env=os.environ)
    told: dict[str, list[dict[str, float]]] = orjson.loads(done.stdout)
    return told


def _seconds(command: Sequence[str]) -> float:
    """The median of several starts."""
    taken = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)
