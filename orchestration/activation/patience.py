"""How long a run waits for a destination before it leaves the rest to the next run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from dlt_sources.errors import AudiencesError, RetryLater

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


class OutOfPatienceError(AudiencesError):
    """A destination asked for more waiting than one run gives it; its rows stay for the next run."""


@dataclass(slots=True)
class Patience:
    """How long one run waits for one destination, in seconds: for its limits in all, and for each of its jobs."""

    throttled: float = 120.0
    job: float = 900.0
    sleep: Callable[[float], None] = time.sleep

    def wait(self, error: RetryLater) -> None:
        """Wait as long as the platform asked, while there is patience left."""
        seconds = error.retry_after if error.retry_after is not None else _FIRST_PAUSE
        if seconds > self.throttled:
            raise OutOfPatienceError(f"{error} It was waited for as long as one run waits; the rest goes next time.")
        self.throttled -= max(seconds, 0.05)
        self.sleep(seconds)

    def pause(self, error: RetryLater, tries: int) -> None:
        """Wait before the next of a few attempts, longer each time."""
        self.sleep(error.retry_after or min(_FIRST_PAUSE * 2**tries, _LONGEST_PAUSE))
