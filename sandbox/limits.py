"""The two shapes of rate limit that the platforms publish: leaky buckets and fixed windows."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class LeakyBucket:
    """A bucket of `size` that leaks `leak` a second."""

    size: float
    leak: float
    level: float = 0.0
    seen: float = field(default_factory=time.monotonic)

    def drain(self) -> float:
        """The level now."""
        now = time.monotonic()
        self.level = max(0.0, self.level - (now - self.seen) * self.leak)
        self.seen = now
        return self.level

    def pour(self, amount: float) -> float:
        """Add `amount` if it fits and return 0.0; otherwise the seconds until it would."""
        level = self.drain()
        if level + amount <= self.size:
            self.level = level + amount
            return 0.0
        return (level + amount - self.size) / self.leak

    def widen(self, size: float, leak: float) -> None:
        """Take another plan's size and leak; the level stays."""
        self.drain()
        self.size, self.leak = size, leak

    def give_back(self, amount: float) -> None:
        """Take back what was poured in excess of the real cost."""
        self.level = max(0.0, self.level - amount)


@dataclass(slots=True)
class FixedWindow:
    """`limit` calls in each window of `seconds`; windows begin on whole multiples of the clock."""

    limit: int
    seconds: int
    window: int = -1
    used: int = 0

    def ask(self) -> int:
        """0 when one more call fits, otherwise whole seconds (at least 1) until the window ends."""
        window = int(time.time() // self.seconds)
        if window != self.window:
            self.window, self.used = window, 0
        return 0 if self.used < self.limit else self.reset()

    def take(self) -> None:
        """Use one call of the present window."""
        self.used += 1

    def reset(self) -> int:
        """Whole seconds (at least 1) until the window ends."""
        return max(1, math.ceil((self.window + 1) * self.seconds - time.time()))
