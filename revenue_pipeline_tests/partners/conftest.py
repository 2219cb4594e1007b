"""A web server that a test scripts, and accounts that point to it. It knows nothing of the code under test."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

from revenue_pipeline.partners.base import Account
from revenue_pipeline.partners.http import HttpOptions

SECRET = "s3cr/et+key=with&signs-0123456789"
QUICK = HttpOptions(attempts=3, base_wait=0.001, longest_wait=0.05)
IMPATIENT = replace(QUICK, read_timeout=0.4)  # only for the tests of slow answers: a busy machine is slow too
SLOW = 2.0  # seconds; nobody waits for them


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]  # the last value of each name
    headers: dict[str, str]
    body: bytes
    parameters: list[tuple[str, str]] = field(default_factory=list)  # of the query, repeated names included


@dataclass
class Reply:
    body: object = b""  # bytes as they are, text as UTF-8, anything else as JSON
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0  # seconds before the first byte
    drip: float = 0.0  # seconds after each byte
    withheld: int = 0  # bytes announced but never sent
    chunked: bool = False  # sends one chunk and hangs up before the last one

    def encoded(self) -> tuple[str, bytes]:
        if isinstance(self.body, bytes):
            return "application/octet-stream", self.body
        if isinstance(self.body, str):
            return "text/html; charset=utf-8", self.body.encode()
        return "application/json", json.dumps(self.body).encode()


class FakeServer:
    """Answers with `answer(request)`, or with `replies` in turn, the last one again and again."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.replies: list[Reply] = [Reply()]
        self.answer: Callable[[Request], Reply] = self._next_reply
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def _next_reply(self, _: Request) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one packet for head and body: two would wait for each other 40 ms

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                parameters = parse_qsl(url.query, keep_blank_values=True)
                request = Request(self.command, url.path, dict(parameters), dict(self.headers), body, parameters)
                fake.requests.append(request)
                self.send(fake.answer(request))

            def do_POST(self) -> None:
                self.do_GET()

            def send(self, reply: Reply) -> None:
                time.sleep(reply.delay)
                content_type, body = reply.encoded()
                self.send_response(reply.status)
                for name, value in {"Content-Type": content_type, **reply.headers}.items():
                    self.send_header(name, value)
                if reply.chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                    body = b"%x\r\n%s\r\n" % (len(body), body)
                else:
                    self.send_header("Content-Length", str(len(body) + reply.withheld))
                self.end_headers()
                if reply.drip:
                    self.write_slowly(body, reply.drip)
                else:
                    self.wfile.write(body)
                self.close_connection = self.close_connection or reply.chunked or reply.withheld > 0

            def write_slowly(self, body: bytes, pause: float) -> None:
                with contextlib.suppress(ConnectionError):  # the caller lost patience, as it should
                    for byte in body:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        time.sleep(pause)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    yield fake
    fake.close()


@pytest.fixture
def other_server() -> Iterator[FakeServer]:
    fake = FakeServer()
    yield fake
    fake.close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


def account(base_url: str, **changes: object) -> Account:
    """An aggregated account with one secret; `changes` replaces fields."""
    fields: dict[str, object] = {
        "name": "applovin_max",
        "granularity": "aggregated",
        "grain": ("app_id", "country"),
        "timezone": "UTC",
        "currency": "USD",
        "base_url": base_url,
        "credentials": {"api_key": SECRET},
        "credential_variables": {"api_key": "APPLOVIN_API_KEY"},
    }
    return Account(**{**fields, **changes})  # type: ignore[arg-type]
