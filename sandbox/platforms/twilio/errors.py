"""Twilio's error document."""

from __future__ import annotations

from starlette.responses import Response

from sandbox.standin import json_response


def failure(status: int, code: int, message: str) -> Response:
    """An error with Twilio's own code."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    return json_response({"code": code, "message": message, "more_info": more, "status": status}, status)


def not_found(path: str) -> Response:
    """A 404 that names the path."""
    return failure(404, 20404, f"The requested resource {path} was not found")
