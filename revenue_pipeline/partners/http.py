"""HTTP towards partners: retries, throttling, every answer kept before it is read, exact numbers, no secret shown."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from decimal import Decimal
from email.utils import mktime_tz, parsedate_tz
from typing import Any

import requests
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, wait_exponential, wait_random

from revenue_pipeline.partners.archive import PendingAnswers
from revenue_pipeline.partners.scrubbing import Scrubber, hide_from_logs

_log = logging.getLogger(__name__)
_EXCERPT = 300  # characters of an answer that an error shows


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


class Throttle:
    """Spaces the calls of all threads that share it."""

    def __init__(self, calls_per_second: float | None) -> None:
        """At most so many calls each second; None for as fast as they come."""
        self._interval = 1 / calls_per_second if calls_per_second else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Sleep until the next call may be made."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + self._interval
        time.sleep(start - now)


@dataclass(frozen=True)
class HttpOptions:
    """Patience towards a partner. All times are seconds."""

    attempts: int = 5
    base_wait: float = 1.0  # before the second attempt; doubles from there, with as much jitter again
    longest_wait: float = 60.0  # also when the partner asks for more
    connect_timeout: float = 10.0
    read_timeout: float = 120.0  # wide reports take partners a minute and more


@dataclass(frozen=True)
class Answer:
    """One answer of a partner: `status`, `headers` (names in any case), `body`.

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
        self.scrubber = Scrubber()
        for secret in credentials.values():
            self.hide(secret)
        self._base_url = base_url
        self._variables = [credential_variables.get(name, name) for name in credentials]
        self._answers = answers
        self._throttle = throttle or Throttle(None)
        self._options = options or HttpOptions()
        wait, longest = self._options.base_wait, self._options.longest_wait
        self._backoff = wait_exponential(multiplier=wait, max=longest) + wait_random(0, wait)
        self._session = _Session(self.scrubber, subject)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def hide(self, secret: str) -> None:
        """Scrub this text from now on, for example a bearer token got with `get(…, private=True)`."""
        self.scrubber.add(secret)
        hide_from_logs(secret, "urllib3", "requests", __name__)

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

    def refusal(self, answer: Answer, status: int | None = None) -> PartnerError:
        """What to raise for an answer that is not the report. `status`: the body's own code, where it has one."""
        status = status or answer.status
        meaning, remedy = self._meaning(status)
        code = f"HTTP {answer.status}" if status == answer.status else f"HTTP {answer.status} with code {status}"
        return PartnerError(f"{self.subject}: {meaning} ({code}): {answer.excerpt!r}.", remedy)

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
            stop=stop_after_attempt(self._options.attempts),
            wait=self._wait,
            before_sleep=self._log_retry,
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )
        outcome: Answer | _Failure = retrying(self._attempt, method, url, expect, true_status, private, request)
        if isinstance(outcome, Answer):
            return outcome
        if outcome.is_passing and self._options.attempts > 1:
            raise PartnerError(f"{outcome.error.cause} Tried {self._options.attempts} times.", outcome.error.remedy)
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
            response = self._session.request(method, url, timeout=timeout, **request)
        except requests.RequestException as error:
            return self._no_answer(error)
        answer = self._keep(method, response, private and response.status_code in expect)
        status = true_status(answer) if true_status else answer.status
        if status in expect:
            return answer
        return _Failure(self.refusal(answer, status), status == 429 or status >= 500, _asked_wait(answer))

    def _keep(self, method: str, response: requests.Response, private: bool) -> Answer:
        scrubbed = b"(kept out of the archive: it holds a token)" if private else self.scrubber.data(response.content)
        url = self.scrubber.text(response.url)
        _log.debug("%s: %s %s gave HTTP %s", self.subject, method, url, response.status_code)
        if self._answers:
            extension = "txt" if private else _extension(response.headers)
            self._answers.add(scrubbed, extension, {"method": method, "url": url, "status": response.status_code})
        excerpt = " ".join(scrubbed[: 4 * _EXCERPT].decode("utf-8", "replace").split())[:_EXCERPT]
        return Answer(response.status_code, response.headers, response.content, self.subject, excerpt)

    def _no_answer(self, error: requests.RequestException) -> _Failure:
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
            again, is_passing = "Check base_url and the credentials.", False
        return _Failure(PartnerError(f"{self.subject}: {cause}.", again), is_passing)

    def _meaning(self, status: int) -> tuple[str, str]:
        if status in (401, 403):
            variables = " and ".join(self._variables)
            return "the partner refused the credentials", f"Check the environment variable {variables}."
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

    def __init__(self, scrubber: Scrubber, subject: str) -> None:
        super().__init__()
        self._scrubber = scrubber
        self._subject = subject
        self.auth = lambda request: request  # else requests replaces our headers by what ~/.netrc says for the host

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Called by requests before it follows a redirect. PartnerError when the new address itself holds a secret."""
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]
        new_url = prepared_request.url or ""
        if not self.should_strip_auth(response.request.url, new_url):  # type: ignore[no-untyped-call]
            return
        for name, value in list(prepared_request.headers.items()):
            if self._holds_secret(value):
                del prepared_request.headers[name]
        if self._holds_secret(new_url) or self._holds_secret(prepared_request.body or ""):
            raise PartnerError(
                f"{self._subject}: the partner redirects to another host, and would pass the credentials on to it: "
                f"{self._scrubber.text(new_url)}.",
                "If the partner has moved, set its base_url to the new address.",
            )

    def _holds_secret(self, value: str | bytes) -> bool:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        return self._scrubber.text(text) != text


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
