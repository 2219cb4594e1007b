"""The partners' APIs over real HTTP on this machine, answering from one generated world.

`/_faults` switches faults: GET lists them, DELETE clears them, POST adds one: `{"name": …, "partner": …, "times": …,
"value": …, "key": …, "path": …}`.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from revenue_pipeline.simulator.counterpart import Answer, Call, Counterpart, discover
from revenue_pipeline.simulator.faults import FAULTS, REFUSALS, Fault, Faults
from revenue_pipeline.simulator.world import World

_REFUSE: Mapping[str, Callable[[Fault, Counterpart, str | None], Answer]] = {
    "rate_limited": lambda fault, _, __: Answer.text(429, "Too many requests", Retry_After=f"{fault.amount(1):g}"),
    "server_error": lambda *_: Answer.text(500, "Internal server error"),
    "unavailable": lambda *_: Answer.text(503, "Service unavailable"),
    "unauthorized": lambda fault, _, key: Answer.text(int(fault.amount(401)), f"The key {key} is not authorized"),
    "error_in_body": lambda fault, partner, _: partner.failure_in_body(int(fault.amount(500))),
    "not_json": lambda *_: Answer(200, b"<html><body><h1>Please try again</h1></body></html>", "text/html"),
    "window_refused": lambda _, partner, __: partner.refuse_window(),
    "not_found": lambda *_: Answer.text(404, "No route here"),
    "no_content": lambda *_: Answer(204, b""),
    "empty_body": lambda *_: Answer(200, b""),
    "redirected": lambda *_: Answer.text(307, "Moved", Location="http://localhost:9/elsewhere"),
}


class Simulator:
    """All partners of the world behind one address; a context manager that answers in the background.

    `today` decides how old, and so how complete, each day is; without it the UTC clock does. It may be changed while
    running. `requests` holds path and query of every partner call so far, without the credential.
    """

    def __init__(self, world: World, port: int = 0, today: date | None = None, faults: Iterable[str] = ()) -> None:
        """Take the port at once, and answer once entered, or by `serve_forever`.

        Raises:
            ValueError: a fault, or the partner of one, is unknown, or something else listens at the port.
        """
        self.today = today
        self.faults = Faults(faults)
        self.requests: list[str] = []
        self._world = world
        self._counterparts = discover()
        names = [counterpart.name for counterpart in self._counterparts]
        for fault in self.faults.listed():
            if fault["partner"] not in {None, *names}:
                raise ValueError(f"unknown partner {fault['partner']!r} of a fault; there are {', '.join(names)}")
        try:
            self._server = _Server(self, port)
        except OSError as error:
            raise ValueError(
                f"port {port}: {error.strerror}: end what listens there, maybe `make dev` or another simulator"
            ) from error

    @property
    def url(self) -> str:
        """The address of the simulator; a partner's is this plus its prefix, such as `/applovin`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Simulator":
        """Answer in the background from here on."""
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()

    def serve_forever(self) -> None:
        """Answer in the foreground until interrupted."""
        try:
            self._server.serve_forever()
        finally:
            self._server.server_close()

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to one HTTP call; `target` is path and query, header names are lower case."""
        url = urlsplit(target)
        if url.path == "/_faults":
            return self._switch_faults(method, body)
        for counterpart in self._counterparts:
            if url.path.startswith(counterpart.prefix + "/"):
                parameters = parse_qsl(url.query, keep_blank_values=True)
                kept = [(name, value) for name, value in parameters if name not in counterpart.secrets]
                self.requests.append(f"{url.path}?{urlencode(kept, safe=',:')}")
                today = self.today or datetime.now(timezone.utc).date()
                path = url.path.removeprefix(counterpart.prefix)
                faults = self.faults.take(counterpart.name, counterpart.credential(dict(parameters), headers), path)
                return _partner_answer(
                    counterpart, Call(method, path, parameters, headers, body, today, self._world, faults)
                )
        partners = "".join(f"  {c.name}: {self.url}{c.prefix}\n" for c in self._counterparts)
        return Answer.text(404, f"Nothing here. The partners:\n{partners}Faults: {self.url}/_faults\n")

    def _switch_faults(self, method: str, body: bytes) -> Answer:
        if method == "DELETE":
            self.faults.clear()
        elif method == "POST":
            try:
                self.faults.add(**json.loads(body))
            except (TypeError, ValueError) as error:
                return Answer.text(400, str(error))
        return Answer.json({"on": self.faults.listed(), "known": FAULTS})


def _partner_answer(counterpart: Counterpart, call: Call) -> Answer:
    """The partner's own answer, unless a fault refuses the call first."""
    if slow := call.faults.get("slow"):
        time.sleep(slow.amount(5))
    for name in REFUSALS.keys() & call.faults.keys():
        return _REFUSE[name](call.faults[name], counterpart, counterpart.credential(call.query, call.headers))
    answer = counterpart.answer(call)
    if "truncated" in call.faults:
        return replace(answer, body=answer.body[: len(answer.body) // 2], length=len(answer.body))
    return answer


class _Server(ThreadingHTTPServer):
    def __init__(self, simulator: Simulator, port: int) -> None:
        self.simulator = simulator
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: apart, keep-alive costs 40 ms a call
    server: _Server

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.simulator.answer(self.command, self.path, headers, body)
        promised = len(answer.body) if answer.length is None else answer.length
        with contextlib.suppress(ConnectionError):  # the caller lost patience, which is its right
            self.send_response(answer.status)
            fixed = {"Content-Type": answer.content_type, "Content-Length": str(promised)}
            for name, value in {**fixed, **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)
            self.wfile.flush()
        self.close_connection = self.close_connection or promised != len(answer.body)

    do_GET = do_POST = do_DELETE = _respond  # noqa: N815  the names http.server looks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  http.server's own name
        """Nothing: `Simulator.requests` is the log, and this line would show the credential."""
