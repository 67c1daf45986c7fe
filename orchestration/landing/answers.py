"""What senders of webhooks are answered: in the platform's own words where it has any."""

from __future__ import annotations

from starlette.responses import Response

from dlt_sources.errors import WebhookRejected
from orchestration.landing import unsigned
from orchestration.landing.endpoints import Endpoint

#: How long to wait before the same request, in seconds, by status.
RETRY_SECONDS = {503: "5", 429: "1"}
#: Statuses after which the rest of the request is not read.
_CLOSING = frozenset({408, 413})


def acceptance(endpoint: Endpoint) -> Response:
    """The answer to a request that is durable."""
    accepted = endpoint.webhook.ACCEPTED
    return Response(accepted.body, accepted.status, _headers(endpoint), media_type=accepted.media_type)


def refusal(error: WebhookRejected, endpoint: Endpoint | None) -> Response:
    """The answer to a request that is refused; without an endpoint, or words of its own, the status alone."""
    headers = _headers(endpoint)
    if error.status in RETRY_SECONDS:
        headers["Retry-After"] = RETRY_SECONDS[error.status]
    if error.status in _CLOSING:
        headers["Connection"] = "close"
    told = getattr(endpoint.webhook, "refusal", None) if endpoint is not None else None
    if told is None:
        return Response(status_code=error.status, headers=headers)
    answer = told(error)
    return Response(answer.body, answer.status, headers, media_type=answer.media_type)


def _headers(endpoint: Endpoint | None) -> dict[str, str]:
    return dict(unsigned.HEADERS) if endpoint is not None and not endpoint.signed else {}
