"""The error tree, ordered by what to do next.

    AudiencesError
    ├── ConfigurationError      mend the configuration, then start again
    ├── PlatformError           a platform's answer; carries platform, object, status, next step
    │   ├── RetryLater          the same call may work later (429, 5xx, cut connection, time-out)
    │   ├── StopRun             no call of this run will work until a person acts (401, 403, 404, 410)
    │   └── SetAside            this page or row is unusable, the others are not (400, 409, 422, HTML, bad JSON)
    ├── NotOffered              the platform has no such operation
    ├── WebhookRejected         the request is not what it claims to be; carries the status to answer
    └── GateClosed              the gate cannot tell who is suppressed, so nothing may be sent

Messages name platform, object, status and next step; never a secret, a URL query or personal data.
"""

from __future__ import annotations

from dataclasses import dataclass


class AudiencesError(Exception):
    """Root of every error this project raises on purpose; its text is written for the person who reads it."""


class ConfigurationError(AudiencesError):
    """Something the operator wrote, or did not write, makes the command impossible."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a platform call failed: platform, account, object or operation, HTTP status (None = no answer)."""

    platform: str
    account: str
    object: str
    status: int | None
    detail: str

    def __str__(self) -> str:
        status = "no answer" if self.status is None else f"HTTP {self.status}"
        return f"{self.platform} ({self.account}), {self.object}: {status}: {self.detail}"


class PlatformError(AudiencesError):
    """A platform call that did not work, with the next step in its text."""

    def __init__(self, failure: Failure, next_step: str) -> None:
        super().__init__(f"{failure}. {next_step}")
        self.failure = failure
        self.next_step = next_step


class RetryLater(PlatformError):
    """The same call may work later; `retry_after` is in seconds when the platform named a time."""

    def __init__(self, failure: Failure, next_step: str, retry_after: float | None = None) -> None:
        super().__init__(failure, next_step)
        self.retry_after = retry_after

    @property
    def throttled(self) -> bool:
        """True when the platform asked for patience (429): waiting uses up no attempt."""
        return self.failure.status == 429


class StopRun(PlatformError):
    """Nothing of this run will work on this account until a person acts."""


class SetAside(PlatformError):
    """This page or row cannot be used; the others can."""


class NotOffered(AudiencesError):
    """The platform has no such operation."""


class WebhookRejected(AudiencesError):
    """A webhook request that is not stored as fact.

    `status` is the answer that platform needs (some lose data on a 4xx), `reason` a fixed word for the counter, `hint`
    what the sender should mend. `alarm`: such requests mean that acts are being lost, so a few of them are told.
    """

    def __init__(self, reason: str, status: int = 401, *, hint: str = "", alarm: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.hint = hint
        self.alarm = alarm


class GateClosed(AudiencesError):
    """The gate cannot read the landing zone or the ledger; nothing may be sent until it can."""
