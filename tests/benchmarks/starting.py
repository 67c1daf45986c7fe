"""How long `audiences --help` takes, against an interpreter that does nothing."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.figures import Figure, figure

_TIMES = 7


def measure() -> Iterator[Figure]:
    program = str(Path(sys.executable).parent / "audiences")
    yield figure("audiences --help", _seconds([program, "--help"]), "s", _seconds([sys.executable, "-c", "pass"]))


def _seconds(command: Sequence[str]) -> float:
    """The median of several starts."""
    taken = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)
