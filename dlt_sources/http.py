"""The one HTTP session of the house: time-outs, the only retry rule, and errors by remedy.

Reads (pulls, look-ups) use `session(account)`, which retries what may pass. Writes use `session(account, retry=False)`:
who sends asks the gate again before every call, so a write is never repeated below that question.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.util.retry import Retry

from dlt_sources.accounts import Account
from dlt_sources.errors import Failure, PlatformError, RetryLater, SetAside, StopRun

CONNECT_SECONDS, READ_SECONDS = 5.0, 60.0
#: No page of any platform comes near this; more is a fault or an attack, and would fill the memory.
MAX_BODY_BYTES = 64 * 2**20
_TRANSIENT = frozenset({408, 423, 425, 429, 477, 500, 502, 503, 504, 520, 521, 522, 523, 524})


class _Patience(Retry):
    def parse_retry_after(self, retry_after: str) -> float:
        """Read seconds with a fraction too ("2.0"), which urllib3 takes for an invalid header."""
        try:
            return min(max(0.0, float(retry_after)), self.retry_after_max)
        except ValueError:
            return super().parse_retry_after(retry_after)


_RETRIES = _Patience(
    total=5,
    status_forcelist=_TRANSIENT,
    allowed_methods=None,  # reads only; some platforms read by POST (GraphQL, search)
    backoff_factor=0.5,
    backoff_jitter=0.5,
    backoff_max=30,
    retry_after_max=120,
    respect_retry_after_header=True,
    raise_on_status=False,
)
_NO_RETRIES = Retry(total=0, raise_on_status=False)


class BodyTooLarge(requests.RequestException):
    """An answer of more than MAX_BODY_BYTES, unpacked."""


class Answer(requests.Response):
    """A response that reads no endless body and decodes JSON once, with orjson."""

    def iter_content(self, chunk_size: int | None = 1, decode_unicode: bool = False) -> Iterator[Any]:
        """Like requests, up to MAX_BODY_BYTES."""
        size = 0
        for chunk in super().iter_content(chunk_size, decode_unicode):
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                self.close()
                raise BodyTooLarge(f"more than {MAX_BODY_BYTES} bytes")
            yield chunk

    def json(self, **_: Any) -> Any:
        """Decode the body; orjson.JSONDecodeError (a ValueError) when it is no JSON."""
        if "_decoded" not in self.__dict__:
            self.__dict__["_decoded"] = _decode(self.content)
        return self.__dict__["_decoded"]


def _decode(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        # Half an emoji (a lone surrogate) is common in cut-off texts; it must not cost a whole page.
        if rb"\ud" not in content.lower():
            raise
        return orjson.loads(json.dumps(json.loads(content), ensure_ascii=False).encode("utf-8", "replace"))


class _Adapter(HTTPAdapter):
    def build_response(self, *args: Any, **kwargs: Any) -> Answer:
        answer = Answer()
        answer.__dict__.update(super().build_response(*args, **kwargs).__dict__)
        return answer


#: A platform's own reading of an answer that is not 2xx: the error as it is, or a better one.
Judge = Callable[[requests.Response, PlatformError], PlatformError]


class Session(requests.Session):
    """A requests session bound to one account: base URL, auth, time-outs, errors of the tree.

    `judge` is for platforms whose status codes alone do not tell what to do next.
    """

    def __init__(
        self, account: Account, base_url: str, *, auth: AuthBase | None, retry: bool, judge: Judge | None = None
    ) -> None:
        super().__init__()
        self.account = account
        self._judge = judge
        self.base_url = base_url.rstrip("/")
        self.auth = auth
        self.headers["User-Agent"] = "audiences/0.1"
        self.max_redirects = 3
        # A proxy or .netrc of the machine must not see or change platform traffic without being configured.
        self.trust_env = False
        adapter = _Adapter(max_retries=_RETRIES if retry else _NO_RETRIES, pool_maxsize=16)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """Like requests, with a path allowed in place of a full URL."""
        text = str(url)
        return super().request(method, self.base_url + text if text.startswith("/") else text, *args, **kwargs)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Like requests, with time-outs always set (dlt's RESTClient sends prepared requests itself).

        Refuses another host than the account's: a link or redirect in an answer must not carry the credentials away.
        """
        if _origin(str(request.url)) != _origin(self.base_url):
            failure = Failure(self.account.platform, self.account.name, "link", None, "it leads to another host")
            raise SetAside(failure, "It is not followed; check base_url.")
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = (CONNECT_SECONDS, READ_SECONDS)
        return super().send(request, **kwargs)

    def call(
        self,
        method: str,
        path: str,
        *,
        object: str,
        explain: Callable[[requests.Response], str] | None = None,
        **kwargs: Any,
    ) -> requests.Response:
        """Make one call and return its 2xx answer; anything else raises the right PlatformError.

        `object` names what the call is about in errors; `explain` reads the platform's own error text (it must not
        return personal data).
        """
        try:
            response = self.request(method, path, **kwargs)
        except requests.RequestException as error:
            raise unreachable(self.account, object, error) from None
        if not response.ok:
            raise self.refusal(object, response, explain(response) if explain else "")
        return response

    def refusal(self, object: str, response: requests.Response, detail: str = "") -> PlatformError:
        """The error for an answer that is not 2xx, as this platform means it."""
        error = refused(self.account, object, response, detail)
        return self._judge(response, error) if self._judge else error


def json_body(account: Account, object: str, response: requests.Response) -> Any:
    """Decode an answer that must be JSON; SetAside when it is HTML, cut off or anything else."""
    try:
        return response.json()
    except ValueError:
        kind = response.headers.get("Content-Type", "no content type").split(";")[0]
        failure = Failure(account.platform, account.name, object, response.status_code, f"not JSON but {kind}")
        raise SetAside(failure, "The page is left out; check base_url and any proxy in between.") from None


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def unreachable(account: Account, object: str, error: Exception) -> PlatformError:
    """The error for a call that got no whole answer, or one too large to read."""
    failure = Failure(account.platform, account.name, object, None, type(error).__name__)
    if isinstance(error, BodyTooLarge):
        return SetAside(failure, f"The page is left out: it holds {error}.")
    return RetryLater(failure, "It is tried again; check the network and base_url if it stays.")


def refused(account: Account, object: str, response: requests.Response, detail: str = "") -> PlatformError:
    """The error of the tree for an answer that is not 2xx."""
    status = response.status_code
    failure = Failure(account.platform, account.name, object, status, detail or response.reason or "refused")
    section = f"[sources.{account.platform}.{account.name}]"
    if status in _TRANSIENT or status >= 500:
        return RetryLater(failure, "It is tried again later.", retry_after(response))
    if status == 401:
        return StopRun(failure, f"Renew the credentials under {section}.")
    if status == 403:
        return StopRun(failure, f"Give the credentials under {section} the missing permission.")
    if status in (404, 410):
        return StopRun(failure, f"Check base_url, API version and names under {section}.")
    return SetAside(failure, "The rows of this call are set aside; the detail says what to mend.")


def retry_after(response: requests.Response) -> float | None:
    """Seconds the platform asks to wait: the Retry-After header as seconds or as a date."""
    value = response.headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
