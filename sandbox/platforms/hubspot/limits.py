"""HubSpot's rate limits on the Professional plan: a rolling window of ten seconds, a day, and searches a second."""

from __future__ import annotations

import time
from collections import deque

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.platforms.hubspot.manners import failure

TEN_SECONDS, DAILY, SEARCHES = 190, 650_000, 5
_POLICIES = {
    "TEN_SECONDLY_ROLLING": "You have reached your ten_secondly_rolling limit.",
    "SECONDLY": "You have reached your secondly limit.",
    "DAILY": "You have reached your daily limit.",
}


class Limits:
    """The windows of one app in one account."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque()
        self._searches: deque[float] = deque()
        self._day, self._today = -1, 0

    def refuse(self, call: Call) -> Response | None:
        """A 429 when a limit is spent; otherwise the call is counted. Searches are counted apart."""
        now = time.monotonic()
        if call.path.endswith("/search"):
            _forget(self._searches, now - 1)
            if len(self._searches) >= SEARCHES:
                return too_many("SECONDLY")
            self._searches.append(now)
            return None
        self._turn(now)
        if self._today >= DAILY:
            return too_many("DAILY")
        if len(self._recent) >= TEN_SECONDS:
            return too_many("TEN_SECONDLY_ROLLING")
        self._recent.append(now)
        self._today += 1
        return None

    def headers(self, call: Call) -> dict[str, str]:
        """The state of the windows; searches say nothing of theirs."""
        if call.path.endswith("/search"):
            return {}
        self._turn(time.monotonic())
        return {
            "X-HubSpot-RateLimit-Max": str(TEN_SECONDS),
            "X-HubSpot-RateLimit-Remaining": str(max(0, TEN_SECONDS - len(self._recent))),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Daily": str(DAILY),
            "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, DAILY - self._today)),
            "X-HubSpot-RateLimit-Secondly": str(TEN_SECONDS // 10),
            "X-HubSpot-RateLimit-Secondly-Remaining": str(TEN_SECONDS // 10),
        }

    def _turn(self, now: float) -> None:
        _forget(self._recent, now - 10)
        day = int(time.time() // 86400)
        if day != self._day:
            self._day, self._today = day, 0


def too_many(policy: str) -> Response:
    """HubSpot's 429; it names the policy and no time to wait."""
    return failure(429, "RATE_LIMITS", _POLICIES[policy], errorType="RATE_LIMIT", policyName=policy)


def _forget(times: deque[float], before: float) -> None:
    while times and times[0] <= before:
        times.popleft()
