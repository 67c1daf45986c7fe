"""Refused webhook requests: one redacted line each, bounded, so that a flood of forgeries cannot fill the disk.

A line holds time, platform, account, reason, status, sizes and a hash of the body under a key that lives as long as
the process: enough to see repeats and a misconfigured secret, nothing about a person. Beyond so many lines a minute
only counts are written, so the numbers in the files are always complete.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import time
from collections import Counter, deque
from datetime import UTC, datetime
from pathlib import Path

import orjson

_log = logging.getLogger(__name__)
_LINES_A_MINUTE = 60
#: So many refusals within an hour that mean a loss are an alarm.
ALARM_AFTER, ALARM_SECONDS = 3, 3600.0
#: Names in a URL may be anybody's invention: beyond so many they are counted as one.
_MOST_NAMES = 1_000
_NAME = re.compile(r"[a-z0-9_-]{1,40}", re.IGNORECASE)


class Rejections:
    """The counter of refused requests and their redacted lines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: Counter[tuple[str, str, str]] = Counter()
        #: (platform, account, reason) of the alarms given.
        self.alarms: Counter[tuple[str, str, str]] = Counter()
        self._losses: dict[tuple[str, str, str, str], deque[float]] = {}
        self._key = secrets.token_bytes(32)
        self._unwritten: Counter[tuple[str, str, str, int]] = Counter()
        self._minute = 0
        self._lines = 0

    def lost(self, platform: str, account: str, reason: str, token: str) -> None:
        """Note a refusal that means a lost act; `token` tells the sender. Some of them within an hour are an alarm."""
        times = self._losses.setdefault((platform, account, reason, token), deque(maxlen=ALARM_AFTER))
        times.append(time.monotonic())
        if len(times) == ALARM_AFTER and times[-1] - times[0] <= ALARM_SECONDS:
            times.clear()
            self.alarms[platform, account, reason] += 1
            _log.error(
                "%s (%s), token %s: %d requests within an hour were refused as %s. What that sender reports is being "
                "lost: mend its mapping.",
                *(platform, account, token, ALARM_AFTER, reason),
            )

    def refuse(
        self, platform: str, account: str, reason: str, status: int, body: bytes, announced: str, token: str = ""
    ) -> None:
        """Count a refusal and write its line; `announced` is the Content-Length as the sender gave it.

        `token` is the beginning of the hash of a known token in the URL.
        """
        platform, account = _name(platform), _name(account)
        if (platform, account, reason) not in self.counts and len(self.counts) >= _MOST_NAMES:
            platform, account = "?", "?"
        self.counts[platform, account, reason] += 1
        minute = int(time.time() // 60)
        if minute != self._minute:
            self.flush()
            self._minute, self._lines = minute, 0
        if self._lines >= _LINES_A_MINUTE:
            self._unwritten[platform, account, reason, status] += 1
            return
        self._lines += 1
        self._write(
            {
                "at": datetime.now(UTC).isoformat(),
                "platform": platform,
                "account": account,
                "reason": reason,
                "status": status,
                "count": 1,
                "announced_bytes": int(announced) if announced.isdecimal() else None,
                "read_bytes": len(body),
                "body_hash": hashlib.blake2b(body, key=self._key, digest_size=16).hexdigest() if body else None,
                **({"token": token} if token else {}),
            }
        )

    def flush(self) -> None:
        """Write the counts of refusals that got no line of their own."""
        for (platform, account, reason, status), count in self._unwritten.items():
            self._write(
                {
                    "at": datetime.now(UTC).isoformat(),
                    "platform": platform,
                    "account": account,
                    "reason": reason,
                    "status": status,
                    "count": count,
                }
            )
        self._unwritten.clear()

    def _write(self, line: dict[str, object]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / f"{datetime.now(UTC):%Y-%m-%d}.jsonl").open("ab") as file:
                file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            _log.warning("A refused request could not be noted: %s", error.strerror)


def _name(text: str) -> str:
    """A name out of a URL that may be anything: kept only when it looks like one of ours."""
    return text if _NAME.fullmatch(text) else "?"
