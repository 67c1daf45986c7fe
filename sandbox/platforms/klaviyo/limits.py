"""Klaviyo's rate-limit tiers: fixed windows of a second (burst) and a minute (steady), per account and endpoint."""

from __future__ import annotations

import re

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.limits import FixedWindow
from sandbox.platforms.klaviyo.jsonapi import failure

XS, S, M, L, XL = (1, 15), (3, 60), (10, 150), (75, 750), (350, 3500)
# The first match counts; "profiles" of a list are L to read and M to write.
_TIERS: tuple[tuple[str, str, tuple[int, int]], ...] = (
    ("*", r"/api/(webhooks|webhook-topics|accounts)(/|$)", XS),
    ("*", r"/api/data-privacy-deletion-jobs", S),
    ("GET", r"/api/lists(/|$)", L),
    ("*", r"/api/lists(/|$)", M),
    ("*", r"/api/profile-bulk-import-jobs(/|$)", M),
    ("*", r"/api/metrics(/|$)", M),
    ("GET", r"/api/events/", M),
    ("*", r"/api/events$", XL),
    ("*", r"/api/", L),
)


class Tiers:
    """The windows of one account."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[FixedWindow, FixedWindow]] = {}

    def refuse(self, call: Call) -> Response | None:
        """A 429 when one of the two windows of this endpoint is spent; otherwise one call is used."""
        burst, steady = self._of(call)
        wait = max(burst.ask(), steady.ask())
        if wait:
            return too_many(wait)
        burst.take()
        steady.take()
        return None

    def headers(self, call: Call) -> dict[str, str]:
        """The state of the steady window, for answers that are no 429."""
        burst, steady = self._of(call)
        steady.ask()
        return {
            "RateLimit-Limit": f"{steady.limit}, {burst.limit};w=1, {steady.limit};w=60",
            "RateLimit-Remaining": str(max(0, steady.limit - steady.used)),
            "RateLimit-Reset": str(steady.reset()),
        }

    def _of(self, call: Call) -> tuple[FixedWindow, FixedWindow]:
        shape = re.sub(r"/(lists|profiles|events|metrics|webhooks|[a-z-]+-jobs)/[^/]+", r"/\1/{id}", call.path)
        endpoint = f"{call.method} {shape}"
        if endpoint not in self._windows:
            burst, steady = next(
                tier for method, path, tier in _TIERS if method in ("*", call.method) and re.match(path, call.path)
            )
            self._windows[endpoint] = (FixedWindow(burst, 1), FixedWindow(steady, 60))
        return self._windows[endpoint]


def too_many(wait: float) -> Response:
    """Klaviyo's 429; Retry-After is in whole seconds and replaces the other headers."""
    seconds = max(1, round(wait))
    detail = f"Request was throttled. Expected available in {seconds} second{'s' if seconds > 1 else ''}."
    response = failure(429, "throttled", "Request was throttled.", detail)
    response.headers["Retry-After"] = str(seconds)
    return response
