"""HTTP towards partners: retries, throttling, every answer kept before it is read, exact numbers, no secret shown."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from decimal import Decimal
from email.utils import mktime_tz, parsedate_tz
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_result,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
    wait_random,
)

from revenue_pipeline.partners.archive import PendingAnswers
from revenue_pipeline.partners.scrubbing import SIGNATURE_NAME, Scrubber, hide_from_logs

_log = logging.getLogger(__name__)
_EXCERPT = 300  # characters of an answer that an error shows
_LEAST_TOLD = 100  # of them, of what the answer says went wrong: some repeat the request first
_WITHHELD = "(kept out of the archive: it holds a token)"
_SHORTEST_SIGNATURE, _SURELY_A_SIGNATURE = 8, 20  # characters; hiding ordinary values would spoil what people read
_LOGGERS = ("urllib3", "requests", __name__)
_EXPIRED = (401, 403)  # how the hosts of files refuse an address that was signed too long ago
_BYTES_AT_ONCE = 1 << 16
_GZIP = b"\x1f\x8b"
_GZIP_FORMAT, _RAW_DEFLATE = 31, -15  # zlib's window bits for each


class PartnerError(Exception):
    """Asking a partner failed. Attributes: `cause` and `remedy`."""

    def __init__(self, cause: str, remedy: str) -> None:
        """`cause` names the partner and the day, `remedy` says what the reader can do about it: whole sentences."""
        super().__init__(cause, remedy)
        self.cause = cause
        self.remedy = remedy

    def __str__(self) -> str:
        """The cause, then the remedy."""
        return f"{self.cause} {self.remedy}"


class RateLimit(NamedTuple):
    """So many calls within any so many seconds."""

    calls: int
    seconds: float


class Throttle:
    """Holds back the calls of all threads that share it."""

    def __init__(self, limit: RateLimit | None) -> None:
        """Never more calls than `limit` allows, and all of them at once if it does; None for as they come."""
        self._seconds = limit.seconds if limit else 0.0
        self._latest: deque[float] = deque(maxlen=limit.calls if limit else 0)
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Sleep until the next call may be made."""
        with self._lock:
            now = start = time.monotonic()
            if self._latest and len(self._latest) == self._latest.maxlen:
                start = max(now, self._latest[0] + self._seconds)
            self._latest.append(start)
        time.sleep(start - now)


@dataclass(frozen=True)
class HttpOptions:
    """Patience towards a partner. All times are seconds."""

    attempts: int = 5
    base_wait: float = 1.0  # before the second attempt; doubles from there, with as much jitter again
    longest_wait: float = 60.0  # also when the partner asks for more
    connect_timeout: float = 10.0
    read_timeout: float = 120.0  # between two packets; wide reports take partners a minute and more
    longest_answer: float = 900.0  # from the first packet to the last: one that drips is never late for the next
    patience: float = 240.0  # then no attempt follows: time for every wait, but not for a host that hangs five times


@dataclass(frozen=True)
class Answer:
    """One answer of a partner: `status`, `headers` (names in any case), `body` (unpacked, even where a file is a gzip).

    For errors: `subject` names partner and day, `excerpt` is the beginning of the body without secrets.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    subject: str
    excerpt: str

    def json(self) -> Any:
        """The body as JSON, fractions as exact `Decimal`s. PartnerError when it is not, or holds NaN or Infinity."""
        try:
            return json.loads(self.body, parse_float=Decimal, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            pass  # raised below, outside this block: an error in flight would be chained, with the whole body in it
        raise PartnerError(
            f"{self.subject}: the partner answered something that is not JSON (HTTP {self.status}): {self.excerpt!r}.",
            "Run the day again; if it stays, check base_url and the partner's status page.",
        )

    def text(self) -> str:
        """The body as text, without a byte order mark. PartnerError when it is not UTF-8."""
        try:
            return self.body.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass  # raised below, outside this block: an error in flight would be chained, with the whole body in it
        raise PartnerError(
            f"{self.subject}: the partner answered something that is not text (HTTP {self.status}): {self.excerpt!r}.",
            "Run the day again; if it stays, compare the archived answer with the partner's documentation.",
        )


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


@dataclass(frozen=True)
class _Failure:
    """An attempt that gave no usable answer. A value and not an exception, so nothing of requests is ever chained."""

    error: PartnerError
    is_passing: bool  # another attempt may cure it
    asked_wait: float | None = None


class PartnerHttp:
    """A session with one partner about one report date. Used by one thread; `close` it.

    No credential appears in what it logs, raises or archives.
    """

    def __init__(
        self,
        *,
        subject: str,
        base_url: str,
        credentials: Mapping[str, str],
        credential_variables: Mapping[str, str],
        answers: PendingAnswers | None = None,
        throttle: Throttle | None = None,
        options: HttpOptions | None = None,
    ) -> None:
        """What the session needs.

        subject: the partner and the day, as errors name them.
        credentials: name -> secret. credential_variables: name -> the environment variable it comes from.
        answers: where every answer is kept before it is returned, refused ones too.
        throttle: shared with the other sessions of this partner.
        """
        self.subject = subject
        self.scrubber = Scrubber()  # of what is shown and kept
        self.warnings: list[str] = []
        self._carried = Scrubber()  # what no other host may get
        for secret in credentials.values():
            self.hide(secret)
        self._base_url = base_url
        self._all_variables = " and ".join(credential_variables.get(name, name) for name in credentials)  # for errors
        self._answers = answers
        self._throttle = throttle or Throttle(None)
        self._options = options or HttpOptions()
        wait, longest = self._options.base_wait, self._options.longest_wait
        self._backoff = wait_exponential(multiplier=wait, max=longest) + wait_random(0, wait)
        self._session = _Session(self._carried, subject, self._hide_signature)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def hide(self, secret: str) -> None:
        """Scrub this text from now on, for example a bearer token got with `get(…, private=True)`."""
        self._carried.add(secret)
        self._hide(secret)

    def warn(self, warning: str) -> None:
        """Hand on what a person should know of the day although it came: the run shows it, once. A whole sentence."""
        if warning not in self.warnings:
            self.warnings.append(warning)

    def get(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: Container[int] = range(200, 300),
        true_status: Callable[[Answer], int] | None = None,
        private: bool = False,
    ) -> Answer:
        """GET `path` (under the base URL, or a whole URL).

        Raises PartnerError for every status outside `expect`, after retrying no answer, 429 and 5xx with growing waits.
        `true_status` is for partners that say in the body what others say with the status (200 around an error, 400
        around a rate limit): it gives the HTTP status that an answer amounts to, which then decides instead.
        `private` keeps the body, which holds a token, out of the archive.
        """
        return self._ask("GET", path, expect, true_status, private, params=params, headers=headers)

    def post(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: Mapping[str, str] | None = None,
        expect: Container[int] = range(200, 300),
        true_status: Callable[[Answer], int] | None = None,
        private: bool = False,
    ) -> Answer:
        """POST a query, as JSON or as a form. Otherwise as `get`, retries included: a query changes nothing."""
        request = {"params": params, "headers": headers, "json": json, "data": data}
        return self._ask("POST", path, expect, true_status, private, **request)

    def download(self, url: str, *, expect: Container[int] = range(200, 300)) -> Answer:
        """GET a file by the signed address that the partner gave for it.

        Credentials are not sent, and PartnerError is raised for an address that holds one; the signature is scrubbed
        from then on. Otherwise as `get`, but a refusal says nothing of the credentials: the address has expired.
        """
        if not re.match("https?://", url):
            raise PartnerError(
                f"{self.subject}: the partner gave {self.scrubber.text(url)[:_EXCERPT]!r} as the address of a file.",
                "Run the day again; if it stays, compare the archived answer with the partner's documentation.",
            )
        self._hide_signature(url)
        if self._session.should_strip_auth(self._base_url, url):  # type: ignore[no-untyped-call]
            self._session.refuse_to_carry(url)
        answer = self._ask(
            "GET", url, expect, lambda answer: 200 if answer.status in _EXPIRED else answer.status, False
        )
        if answer.status in _EXPIRED:
            raise PartnerError(
                f"{self.subject}: the address that the partner gave for a file was refused (HTTP {answer.status}): "
                f"{answer.excerpt!r}.",
                "Run the day again: the partner gives a new address each time.",
            )
        return answer

    def refusal(self, answer: Answer, status: int | None = None) -> PartnerError:
        """What to raise for an answer that is not the report. `status`: the body's own code, where it has one."""
        status = status or answer.status
        meaning, remedy = self._meaning(status)
        code = f"HTTP {answer.status}" if status == answer.status else f"HTTP {answer.status} with code {status}"
        return PartnerError(f"{self.subject}: {meaning} ({code}): {self._telling(answer)!r}.", remedy)

    def _telling(self, answer: Answer) -> str:
        """The excerpt of the body, or the part where it speaks of an error, where that comes after the excerpt."""
        body = self.scrubber.data(answer.body)
        begin = body.find(b'"error')
        if begin < _EXCERPT - _LEAST_TOLD or answer.excerpt == _WITHHELD:
            return answer.excerpt
        return f"… {_excerpt(body[begin:])}"

    def _ask(
        self,
        method: str,
        path: str,
        expect: Container[int],
        true_status: Callable[[Answer], int] | None,
        private: bool,
        **request: Any,
    ) -> Answer:
        url = path if re.match("https?://", path) else f"{self._base_url.rstrip('/')}/{path.lstrip('/')}"
        retrying = Retrying(
            retry=retry_if_result(lambda outcome: isinstance(outcome, _Failure) and outcome.is_passing),
            stop=stop_after_attempt(self._options.attempts) | stop_after_delay(self._options.patience),
            wait=self._wait,
            before_sleep=self._log_retry,
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )
        outcome: Answer | _Failure = retrying(self._attempt, method, url, expect, true_status, private, request)
        if isinstance(outcome, Answer):
            return outcome
        attempts = retrying.statistics["attempt_number"]
        if outcome.is_passing and attempts > 1:
            raise PartnerError(f"{outcome.error.cause} Tried {attempts} times.", outcome.error.remedy)
        raise outcome.error

    def _attempt(
        self,
        method: str,
        url: str,
        expect: Container[int],
        true_status: Callable[[Answer], int] | None,
        private: bool,
        request: Any,
    ) -> Answer | _Failure:
        self._throttle.wait()
        timeout = (self._options.connect_timeout, self._options.read_timeout)
        try:
            with self._session.request(method, url, timeout=timeout, stream=True, **request) as response:
                body, is_whole = _body(response, self._options.longest_answer)
        except (requests.RequestException, UnicodeError) as error:  # the latter for a key that no header can hold
            return self._no_answer(error)
        answer = self._keep(method, response, body, private and response.status_code in expect)
        if not is_whole:
            return self._no_answer(requests.exceptions.ContentDecodingError("cut off or damaged inside"))
        status = true_status(answer) if true_status else answer.status
        if status in expect:
            return answer
        return _Failure(self.refusal(answer, status), status == 429 or status >= 500, _asked_wait(answer))

    def _keep(self, method: str, response: requests.Response, body: bytes, private: bool) -> Answer:
        scrubbed = _WITHHELD.encode() if private else self.scrubber.data(body)
        url = self.scrubber.text(response.url)
        _log.debug("%s: %s %s gave HTTP %s", self.subject, method, url, response.status_code)
        if self._answers:
            extension = "txt" if private else _extension(response.headers)
            self._answers.add(scrubbed, extension, {"method": method, "url": url, "status": response.status_code})
        return Answer(response.status_code, response.headers, body, self.subject, _excerpt(scrubbed))

    def _hide(self, secret: str) -> None:
        self.scrubber.add(secret)
        hide_from_logs(secret, *_LOGGERS)

    def _hide_signature(self, url: str) -> None:
        """Scrub what of the address's query opens the file: parameters that say so, and others long enough to."""
        for name, value in parse_qsl(urlsplit(url).query):
            if len(value) >= (_SHORTEST_SIGNATURE if SIGNATURE_NAME.fullmatch(name) else _SURELY_A_SIGNATURE):
                self._hide(value)

    def _no_answer(self, error: requests.RequestException | UnicodeError) -> _Failure:
        reason = getattr(error.args[0], "reason", error) if error.args else error  # without requests' own wrapping
        detail = self.scrubber.text(f"{type(error).__name__}: {reason}")[:_EXCERPT]
        again = "Run the day again later; if it stays, check the network and base_url."
        is_passing = True
        if isinstance(error, requests.Timeout):
            cause = f"the partner did not answer in time ({detail})"
        elif isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
            cause = f"the answer broke off or is damaged ({detail})"
        elif isinstance(error, requests.ConnectionError):
            cause = f"the connection to the partner failed ({detail})"
        else:
            cause = f"the request cannot be made ({detail})"
            again, is_passing = f"Check base_url and the environment variable {self._all_variables}.", False
        return _Failure(PartnerError(f"{self.subject}: {cause}.", again), is_passing)

    def _meaning(self, status: int) -> tuple[str, str]:
        if status in (401, 403):
            return "the partner refused the credentials", f"Check the environment variable {self._all_variables}."
        if status == 429:
            return "the partner's rate limit is reached", "Run the day again later, or ask for fewer days at once."
        if status >= 500:
            return "the partner's side failed", "Nothing was changed; run the day again later."
        return (
            "the partner refused the request",
            "Check base_url and this partner's settings against its documentation.",
        )

    def _wait(self, state: RetryCallState) -> float:
        failure: _Failure = state.outcome.result()  # type: ignore[union-attr]  # there is one: the attempt is over
        if failure.asked_wait is None:
            return self._backoff(state)
        return min(failure.asked_wait, self._options.longest_wait)

    def _log_retry(self, state: RetryCallState) -> None:
        failure: _Failure = state.outcome.result()  # type: ignore[union-attr]
        progress = f"Attempt {state.attempt_number} of {self._options.attempts}, next in {state.upcoming_sleep:.1f} s."
        _log.warning("%s %s", failure.error.cause, progress)


class _Session(requests.Session):
    """A session whose redirects to another host carry no secret: requests itself strips only `Authorization`."""

    def __init__(self, carried: Scrubber, subject: str, on_new_host: Callable[[str], None]) -> None:
        """`carried` knows the secrets; `on_new_host` is called with an address on another host before it is asked."""
        super().__init__()
        self._carried = carried
        self._subject = subject
        self._on_new_host = on_new_host
        self.headers["Accept-Encoding"] = "gzip, deflate"  # what `_body` unpacks
        self.auth = lambda request: request  # else requests replaces our headers by what ~/.netrc says for the host

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Called by requests before it follows a redirect. PartnerError when the new address itself holds a secret."""
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]
        new_url = prepared_request.url or ""
        if not self.should_strip_auth(response.request.url, new_url):  # type: ignore[no-untyped-call]
            return
        for name, value in list(prepared_request.headers.items()):
            if self._carried.finds(value):
                del prepared_request.headers[name]
        self.refuse_to_carry(new_url, prepared_request.body)
        self._on_new_host(new_url)

    def refuse_to_carry(self, url: str, body: str | bytes | None = None) -> None:
        """PartnerError when asking this address of another host would pass a secret on to it."""
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body or ""
        if self._carried.finds(url) or self._carried.finds(text):
            raise PartnerError(
                f"{self._subject}: the partner points to another host, and would pass the credentials on to it: "
                f"{self._carried.text(url)}.",
                "If the partner has moved, set its base_url to the new address.",
            )


def _excerpt(body: bytes) -> str:
    return " ".join(body[: 4 * _EXCERPT].decode("utf-8", "replace").split())[:_EXCERPT]


def _received(response: requests.Response, longest: float) -> bytes:
    """The body as it was sent, packed or not; a requests.Timeout when it is still coming after `longest` seconds."""
    begun, parts = time.monotonic(), []
    try:
        while part := response.raw.read1(_BYTES_AT_ONCE, decode_content=False):
            parts.append(part)
            if time.monotonic() - begun > longest:
                raise requests.Timeout(f"after {longest:g} seconds it was still sending")
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.Timeout(error) from None
    except urllib3.exceptions.HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from None
    return b"".join(parts)


def _body(response: requests.Response, longest: float) -> tuple[bytes, bool]:
    """The body, unpacked, and whether it is whole; of a damaged one what can be unpacked.

    Urllib3 takes a compressed stream that was cut off for a whole one, so it gets none to unpack.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    body, is_whole = _received(response, longest), True
    if encoding in ("gzip", "x-gzip"):
        body, is_whole = _unpacked(body, _GZIP_FORMAT)
    elif encoding == "deflate":
        packed = body
        body, is_whole = _unpacked(packed, zlib.MAX_WBITS)
        if not body:  # some servers mean the bare stream by it
            body, is_whole = _unpacked(packed, _RAW_DEFLATE)
    elif encoding not in ("", "identity"):
        raise requests.exceptions.ContentDecodingError(f"packed as {encoding}, which was not asked for")
    if is_whole and body.startswith(_GZIP):
        return _unpacked(body, _GZIP_FORMAT)
    return body, is_whole


def _unpacked(data: bytes, window_bits: int) -> tuple[bytes, bool]:
    """All members of a compressed body, and whether the last one is whole."""
    parts: list[bytes] = []
    while data:
        member = zlib.decompressobj(window_bits)
        try:
            parts.append(member.decompress(data))
        except zlib.error:
            return b"".join(parts), False
        if not member.eof:
            return b"".join(parts), False
        data = member.unused_data.lstrip(b"\0")  # writers may fill a file up with zeros
    return b"".join(parts), True


def _asked_wait(answer: Answer) -> float | None:
    """Seconds the partner asks to wait: Retry-After (seconds or a date), or with 429 X-RateLimit-Reset (seconds)."""
    reset = answer.headers.get("X-RateLimit-Reset", "") if answer.status == 429 else ""
    value = answer.headers.get("Retry-After", reset).strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        return float(value)
    moment = parsedate_tz(value)
    return max(0.0, mktime_tz(moment) - time.time()) if moment else None


def _extension(headers: Mapping[str, str]) -> str:
    subtype = headers.get("Content-Type", "").partition(";")[0].rpartition("/")[2].strip().lower()
    return {"json": "json", "csv": "csv", "html": "html", "xml": "xml", "plain": "txt"}.get(subtype, "bin")
