from __future__ import annotations

import contextlib
import gzip
import logging
import socket
import threading
import time
import traceback
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote

import pytest

from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.http import Answer, HttpOptions, PartnerError, PartnerHttp, RateLimit, Throttle
from revenue_pipeline_tests.partners.conftest import IMPATIENT, QUICK, SECRET, SLOW, FakeServer, Reply


def session(base_url: str, options: HttpOptions = QUICK, archive: Path | None = None) -> PartnerHttp:
    return PartnerHttp(
        subject="acme 2026-10-05",
        base_url=base_url,
        credentials={"api_key": SECRET, "api_user": "publisher-77"},
        credential_variables={"api_key": "ACME_KEY", "api_user": "ACME_USER"},
        answers=Archive(archive).open("acme", date(2026, 10, 5)) if archive else None,
        options=options,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- what comes back -------------------------------------------------------------------------------------------------


def test_numbers_are_exact(server: FakeServer) -> None:
    server.replies = [Reply(b'{"revenue": 12345678901234567890.123456789, "small": 1e-9, "n": 7, "text": "0.10"}')]
    answer = session(server.url).get("report")
    assert answer.json() == {
        "revenue": Decimal("12345678901234567890.123456789"),
        "small": Decimal("0.000000001"),
        "n": 7,
        "text": "0.10",
    }


@pytest.mark.parametrize("body", [b"<html>Maintenance</html>", b"", b'{"revenue": NaN}', b"[Infinity]", b'{"cut":'])
def test_a_body_that_is_not_json_is_an_error(server: FakeServer, body: bytes) -> None:
    server.replies = [Reply(body)]
    answer = session(server.url).get("report")
    with pytest.raises(PartnerError) as caught:
        answer.json()
    assert caught.value.cause == (
        f"acme 2026-10-05: the partner answered something that is not JSON (HTTP 200): {body.decode()!r}."
    )


def test_parameters_headers_and_paths_arrive(server: FakeServer) -> None:
    http = session(f"{server.url}/base/")
    http.get("/report", params={"api_key": SECRET, "fields[]": ["a"]}, headers={"X-Key": "k"})
    http.get(f"{server.url}/elsewhere?page=2")
    http.post("query", json={"from": "2026-10-05"})
    first, second, third = server.requests
    assert (first.path, first.query) == ("/base/report", {"api_key": SECRET, "fields[]": "a"})
    assert first.headers["X-Key"] == "k"
    assert (second.path, second.query) == ("/elsewhere", {"page": "2"})
    assert (third.method, third.path, third.body) == ("POST", "/base/query", b'{"from": "2026-10-05"}')


def test_a_netrc_entry_does_not_replace_the_partner_credentials(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    session(server.url).get("report", headers={"Authorization": "Bearer token"})
    assert server.requests[0].headers["Authorization"] == "Bearer token"


PACKED = gzip.compress("".join(f"user-{n},0.{n * n}\n" for n in range(500)).encode())


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(b"one\n") + gzip.compress(b"two\n"), None),  # a file of two members
        (gzip.compress(b"one\ntwo\n") + b"\0\0", None),
        (gzip.compress(b"one\ntwo\n"), "gzip"),
        (gzip.compress(gzip.compress(b"one\ntwo\n")), "gzip"),  # a packed file, packed on its way
        (zlib.compress(b"one\ntwo\n"), "deflate"),
        (bare_deflate(b"one\ntwo\n"), "deflate"),
        (b"\xef\xbb\xbfone\ntwo\n", None),
    ],
)
def test_what_is_packed_is_unpacked(server: FakeServer, tmp_path: Path, body: bytes, encoding: str | None) -> None:
    server.replies = [Reply(body, headers={"Content-Encoding": encoding} if encoding else {})]
    assert session(server.url, archive=tmp_path).get("file").text() == "one\ntwo\n"
    (kept,) = tmp_path.rglob("0001.*")
    assert gzip.decompress(kept.read_bytes()).endswith(b"one\ntwo\n")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", None])
@pytest.mark.parametrize("cut", [-1, -9, 60, 12])
def test_a_packed_stream_that_was_cut_off_is_an_error(
    server: FakeServer, tmp_path: Path, encoding: str | None, cut: int
) -> None:
    body = zlib.compress(gzip.decompress(PACKED)) if encoding == "deflate" else PACKED
    server.replies = [Reply(body[:cut], headers={"Content-Encoding": encoding} if encoding else {})]
    with pytest.raises(PartnerError, match=r"broke off or is damaged .* Tried 3 times"):
        session(server.url, archive=tmp_path).get("file")
    assert len(list(tmp_path.rglob("*.bin.gz"))) == 3  # what could be unpacked, for whoever looks into it


def test_a_secret_inside_a_packed_file_is_not_archived(server: FakeServer, tmp_path: Path) -> None:
    for body in (gzip.compress(f"a,b\n{SECRET},2\n".encode()), gzip.compress(f"a,b\n{SECRET},2\n".encode())[:-2]):
        server.replies = [Reply(body)]
        with contextlib.suppress(PartnerError):
            session(server.url, archive=tmp_path).get("file")
    for path in tmp_path.rglob("*.bin.gz"):
        assert gzip.decompress(path.read_bytes()) == b"a,b\n***,2\n"


def test_a_packing_nobody_asked_for_is_an_error(server: FakeServer) -> None:
    server.replies = [Reply(b"\x1b\x03", headers={"Content-Encoding": "br"})]
    with pytest.raises(PartnerError, match="packed as br, which was not asked for"):
        session(server.url).get("file")
    assert "br" not in server.requests[0].headers["Accept-Encoding"]


def test_a_body_that_is_not_text_is_an_error(server: FakeServer) -> None:
    server.replies = [Reply(b"caf\xe9")]
    with pytest.raises(PartnerError, match="something that is not text") as caught:
        session(server.url).get("file").text()
    assert caught.value.__context__ is None


# --- patience --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(status=429, headers={"Retry-After": "0"}),
        Reply(status=500),
        Reply(status=503),
        Reply(b'{"a": 1}', withheld=10),
        Reply(b'{"a": 1}', chunked=True),
        Reply(b"not gzip", headers={"Content-Encoding": "gzip"}),
        Reply(b"{}", delay=SLOW),
    ],
    ids=["429", "500", "503", "content-length", "chunked", "damaged", "timeout"],
)
def test_a_passing_trouble_is_tried_again(server: FakeServer, trouble: Reply) -> None:
    server.replies = [trouble, Reply({"a": 2})]
    assert session(server.url, IMPATIENT if trouble.delay else QUICK).get("report").json() == {"a": 2}
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "3600"},
        {"Retry-After": formatdate(time.time() + 3600, usegmt=True)},
        {"X-RateLimit-Reset": "3600"},
        {"Retry-After": "0.15", "X-RateLimit-Reset": "3600"},
    ],
)
def test_the_wait_the_partner_asks_for_is_honoured_up_to_a_bound(server: FakeServer, headers: dict[str, str]) -> None:
    server.replies = [Reply(status=429, headers=headers), Reply()]
    start = time.monotonic()
    session(server.url, replace(QUICK, longest_wait=0.2)).get("report")
    assert 0.15 <= time.monotonic() - start < 60


def test_waits_grow(server: FakeServer) -> None:
    server.replies = [Reply(status=500)]
    start = time.monotonic()
    with pytest.raises(PartnerError):
        session(server.url, replace(QUICK, base_wait=0.04, longest_wait=9)).get("report")
    assert time.monotonic() - start >= 0.04 + 0.08


@pytest.mark.parametrize(
    ("reply", "cause", "remedy"),
    [
        (
            Reply("slow  down", status=429),
            "acme 2026-10-05: the partner's rate limit is reached (HTTP 429): 'slow down'. Tried 3 times.",
            "Run the day again later, or ask for fewer days at once.",
        ),
        (
            Reply("<h1>Bad Gateway</h1>", status=502),
            "acme 2026-10-05: the partner's side failed (HTTP 502): '<h1>Bad Gateway</h1>'. Tried 3 times.",
            "Nothing was changed; run the day again later.",
        ),
    ],
)
def test_after_the_last_attempt_the_error_says_what_to_do(
    server: FakeServer, reply: Reply, cause: str, remedy: str
) -> None:
    server.replies = [reply]
    with pytest.raises(PartnerError) as caught:
        session(server.url).get("report")
    assert (caught.value.cause, caught.value.remedy) == (cause, remedy)
    assert str(caught.value) == f"{cause} {remedy}"
    assert len(server.requests) == 3


def test_an_error_that_a_body_tells_last_is_shown(server: FakeServer) -> None:
    request = {"key": SECRET, "fields": "f" * 400}
    server.replies = [Reply({"request": request, "response": {"errors": [{"publicMessage": f"{SECRET} is unknown"}]}})]
    with pytest.raises(PartnerError) as caught:
        session(server.url).get("report", true_status=lambda _: 400)
    assert caught.value.cause == (
        "acme 2026-10-05: the partner refused the request (HTTP 200 with code 400): "
        """'… "errors": [{"publicMessage": "*** is unknown"}]}}'."""
    )


def test_no_answer_in_time(server: FakeServer) -> None:
    server.replies = [Reply(delay=SLOW)]
    with pytest.raises(PartnerError, match=r"did not answer in time .* Tried 2 times\."):
        session(server.url, replace(IMPATIENT, attempts=2)).get("report")


@pytest.mark.parametrize("chunked", [False, True])
def test_an_answer_that_never_ends_is_given_up(server: FakeServer, chunked: bool) -> None:
    server.replies = [Reply(b"drop " * 200, drip=0.02, chunked=chunked)]
    with pytest.raises(PartnerError, match=r"did not answer in time .*after 0\.1 seconds it was still sending"):
        session(server.url, replace(QUICK, longest_answer=0.1, patience=0.1)).get("report")
    assert len(server.requests) == 1


def test_an_answer_in_small_pieces_is_whole(server: FakeServer) -> None:
    server.replies = [Reply({"a": 1}, drip=0.001)]
    assert session(server.url).get("report").json() == {"a": 1}


def test_a_host_that_hangs_is_not_asked_as_often_as_one_that_answers(server: FakeServer) -> None:
    server.replies = [Reply(delay=SLOW)]
    with pytest.raises(PartnerError, match="did not answer in time"):
        session(server.url, replace(IMPATIENT, patience=0.1)).get("report")
    assert len(server.requests) == 1


def test_no_connection() -> None:
    with pytest.raises(PartnerError, match=r"connection to the partner failed .*Connection refused.* Tried 3 times\."):
        session(f"http://127.0.0.1:{free_port()}").get("report", params={"long": "x" * 400})


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_name_the_environment_variables(server: FakeServer, status: int) -> None:
    server.replies = [Reply("no", status=status)]
    with pytest.raises(PartnerError) as caught:
        session(server.url).get("report")
    assert caught.value.remedy == "Check the environment variable ACME_KEY and ACME_USER."
    assert len(server.requests) == 1


def test_other_refusals_are_not_tried_again_and_show_the_beginning_of_the_answer(server: FakeServer) -> None:
    server.replies = [Reply("unknown column " + 400 * "x", status=400)]
    with pytest.raises(PartnerError) as caught:
        session(server.url).get("report")
    shown = "unknown column " + 285 * "x"
    assert caught.value.cause == f"acme 2026-10-05: the partner refused the request (HTTP 400): {shown!r}."
    assert len(server.requests) == 1


def test_a_connector_may_look_at_a_refusal(server: FakeServer) -> None:
    server.replies = [Reply("no data for the date", status=404)]
    http = session(server.url)
    answer = http.get("report", expect=(200, 404))
    assert (answer.status, answer.body) == (404, b"no data for the date")
    assert "the partner refused the request (HTTP 404)" in http.refusal(answer).cause
    assert "the partner refused the credentials (HTTP 404 with code 401)" in http.refusal(answer, 401).cause


def status_in_body(answer: Answer) -> int:
    return int(answer.json().get("status", answer.status))


@pytest.mark.parametrize("disguise", [Reply({"status": 429}), Reply({"status": 503}, status=400)])
def test_what_the_body_says_of_the_status_decides_over_retries(server: FakeServer, disguise: Reply) -> None:
    server.replies = [disguise, Reply({"a": 1})]
    assert session(server.url).get("report", true_status=status_in_body).json() == {"a": 1}
    assert len(server.requests) == 2


def test_an_error_inside_http_200_is_an_error(server: FakeServer) -> None:
    server.replies = [Reply({"status": 401, "message": "no such key"})]
    with pytest.raises(PartnerError) as caught:
        session(server.url).post("report", json={}, true_status=status_in_body)
    assert "the partner refused the credentials (HTTP 200 with code 401): " in caught.value.cause
    assert "no such key" in caught.value.cause
    assert len(server.requests) == 1


def test_a_success_under_an_error_status_is_a_success(server: FakeServer) -> None:
    server.replies = [Reply({"status": 200}, status=404)]
    assert session(server.url).get("report", true_status=status_in_body).status == 404


def test_an_address_that_cannot_be_asked_is_not_tried_again() -> None:
    with pytest.raises(PartnerError, match=r"the request cannot be made .*MissingSchema.*\. Check base_url"):
        session("partner.example").get("report")


def test_a_key_that_no_header_can_hold_is_named(server: FakeServer) -> None:
    with pytest.raises(
        PartnerError, match=r"the request cannot be made .*Check base_url and the environment"
    ) as caught:
        session(server.url).get("report", headers={"X-Key": "“s3cret”"})
    assert "ACME_KEY" in caught.value.remedy
    assert "s3cret" not in str(caught.value)
    assert server.requests == []


# --- redirects -------------------------------------------------------------------------------------------------------


def test_a_redirect_to_another_host_carries_no_secret(server: FakeServer, other_server: FakeServer) -> None:
    server.replies = [Reply(status=302, headers={"Location": f"{other_server.url}/file?signature=1"})]
    other_server.replies = [Reply(b"the file")]
    headers = {"X-Api-Key": SECRET, "Authorization": "Bearer of-another-kind", "Accept": "text/csv"}
    assert session(server.url).get("report", params={"api_key": SECRET}, headers=headers).body == b"the file"
    asked = other_server.requests[0]
    assert asked.query == {"signature": "1"}
    assert asked.headers["Accept"] == "text/csv"
    assert SECRET not in str(asked.headers)
    assert "Authorization" not in asked.headers


def test_a_redirect_on_the_same_host_keeps_the_credentials(server: FakeServer) -> None:
    server.replies = [Reply(status=302, headers={"Location": "/v2/report"}), Reply(b"the report")]
    assert session(server.url).get("report", headers={"X-Api-Key": SECRET}).body == b"the report"
    assert server.requests[1].headers["X-Api-Key"] == SECRET


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_that_would_pass_the_secret_on_is_refused(
    server: FakeServer, other_server: FakeServer, status: int
) -> None:
    location = f"{other_server.url}/report" + (f"?api_key={quote(SECRET)}" if status == 302 else "")
    server.replies = [Reply(status=status, headers={"Location": location})]
    with pytest.raises(PartnerError, match="points to another host"):
        session(server.url).post("report", json={"api_key": SECRET})
    assert other_server.requests == []


# --- files by signed addresses ---------------------------------------------------------------------------------------

SIGNED = "X-Amz-Date=20261105T000000Z&X-Amz-Signature=0f1e2d3c4b5a6978&Expires=3600&other=AbCdEfGhIjKlMnOpQrStUv%2F1%3D"


def test_a_file_is_got_without_credentials_and_its_signature_is_shown_nowhere(
    server: FakeServer, other_server: FakeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    address = f"{other_server.url}/file.csv?{SIGNED}"
    server.replies = [Reply({"url": address, "escaped": address.replace("&", "\\u0026").replace("/", "\\/")})]
    echo = "<Signature>0f1e2d3c4b5a6978</Signature> AbCdEfGhIjKlMnOpQrStUv/1="
    other_server.replies = [Reply(echo, status=403)]
    http = session(server.url, archive=tmp_path)
    url = http.get("report", headers={"X-Key": SECRET}).json()["url"]
    with pytest.raises(PartnerError) as caught:
        http.download(url)
    asked = other_server.requests[0]
    assert asked.query["X-Amz-Signature"] == "0f1e2d3c4b5a6978"
    assert SECRET not in str(asked.headers)
    shown = str(caught.value) + caplog.text + next(tmp_path.rglob("requests.ndjson")).read_text()
    said, file = (gzip.decompress(path.read_bytes()).decode() for path in sorted(tmp_path.rglob("*.gz")))
    assert "0f1e2d3c4b5a6978" not in shown + said + file
    assert "AbCdEfGhIjKlMnOpQrStUv" not in shown + file  # known by its length once the file was asked for
    assert "Expires=3600" in shown
    assert said.count("X-Amz-Signature") == 2


@pytest.mark.parametrize("status", [401, 403])
def test_an_address_that_has_expired_is_no_matter_of_credentials(server: FakeServer, status: int) -> None:
    server.replies = [Reply("<Message>Request has expired</Message>", status=status)]
    with pytest.raises(PartnerError) as caught:
        session(server.url).download(f"{server.url}/file.csv")
    assert f"for a file was refused (HTTP {status}): '<Message>Request has expired</Message>'" in caught.value.cause
    assert caught.value.remedy.startswith("Run the day again")
    assert "ACME_KEY" not in str(caught.value)
    assert len(server.requests) == 1


def test_an_address_that_would_pass_the_credentials_on_is_refused(server: FakeServer, other_server: FakeServer) -> None:
    http = session(server.url)
    with pytest.raises(PartnerError, match=r"points to another host, .*key=\*\*\*"):
        http.download(f"{other_server.url}/file?key={quote(SECRET, safe='')}")
    assert other_server.requests == []
    assert http.download(f"{server.url}/file?key={quote(SECRET, safe='')}").status == 200


@pytest.mark.parametrize("address", ["", "file.csv", "ftp://files/1", "javascript:0"])
def test_an_address_that_is_none_is_an_error(server: FakeServer, address: str) -> None:
    with pytest.raises(PartnerError, match="as the address of a file"):
        session(server.url).download(address)


def test_a_signed_redirect_may_redirect_again(server: FakeServer, other_server: FakeServer, tmp_path: Path) -> None:
    signed = "signature=0f1e2d3c4b5a6978"
    server.replies = [Reply(status=302, headers={"Location": f"{other_server.url}/file?{signed}"})]
    other_server.replies = [
        Reply(status=307, headers={"Location": f"{server.url}/regional?{signed}"}),
        Reply(status=500),
    ]
    server.replies.append(Reply(b"the file"))
    assert session(server.url, archive=tmp_path).get("report").body == b"the file"
    assert "/regional?signature=***" in next(tmp_path.rglob("requests.ndjson")).read_text()


# --- the archive -----------------------------------------------------------------------------------------------------


def test_every_answer_is_archived_the_refused_ones_too(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply("<h1>busy</h1>", status=503), Reply({"a": 1}), Reply(b"raw")]
    http = session(server.url, archive=tmp_path)
    http.get("report", params={"api_key": SECRET})
    http.get("file")
    folder = next((tmp_path / "acme" / "2026-10-05").iterdir())
    assert gzip.decompress((folder / "0001.html.gz").read_bytes()) == b"<h1>busy</h1>"
    assert gzip.decompress((folder / "0002.json.gz").read_bytes()) == b'{"a": 1}'
    assert gzip.decompress((folder / "0003.bin.gz").read_bytes()) == b"raw"
    lines = (folder / "requests.ndjson").read_text().splitlines()
    assert lines[0] == (
        f'{{"file": "0001.html.gz", "method": "GET", "url": "{server.url}/report?api_key=***", "status": 503}}'
    )


def test_a_token_is_kept_out_of_the_archive_and_hidden_afterwards(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply(b'"token-abcdef-123"'), Reply(b"bad token-abcdef-123", status=400)]
    http = session(server.url, archive=tmp_path)
    token = http.get("auth", private=True).json()
    http.hide(token)
    with pytest.raises(PartnerError, match=r"bad \*\*\*") as caught:
        http.get("report", headers={"Authorization": f"Bearer {token}"})
    assert "token-abcdef-123" not in str(caught.value)
    bodies = [gzip.decompress(path.read_bytes()) for path in sorted(tmp_path.rglob("*.gz"))]
    assert bodies == [b"(kept out of the archive: it holds a token)", b"bad ***"]


# --- secrets ---------------------------------------------------------------------------------------------------------

ECHO = f"invalid key {SECRET}, you sent {quote(SECRET, safe='')}"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(ECHO, status=400),
        Reply(ECHO, status=401),
        Reply(ECHO, status=429),
        Reply(ECHO, status=500),
        Reply({"error": ECHO}, status=400),
        Reply("x" * 290 + SECRET, status=400),
        Reply(ECHO, withheld=10),
        Reply(ECHO, chunked=True),
        Reply(ECHO, delay=SLOW),
        Reply(status=302, headers={"Location": f"http://localhost:1/{quote(SECRET, safe='')}"}),
        Reply(status=302, headers={"Location": f"/again?api_key={quote(SECRET, safe='')}"}),
        Reply(ECHO),
        None,
    ],
    ids=[
        "400",
        "401",
        "429",
        "500",
        "json",
        "cut",
        "length",
        "chunk",
        "slow",
        "redirect",
        "loop",
        "not-json",
        "closed",
    ],
)
def test_no_failure_shows_a_secret(
    server: FakeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, reply: Reply | None
) -> None:
    caplog.set_level(logging.DEBUG)
    server.replies = [reply or Reply()]
    url = server.url if reply else f"http://127.0.0.1:{free_port()}"
    http = session(url, IMPATIENT if reply and reply.delay else QUICK, tmp_path)
    with pytest.raises(PartnerError) as caught:
        http.get("report", params={"api_key": SECRET}, headers={"X-Key": SECRET}).json()
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.args) + caplog.text
    for path in tmp_path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            shown += (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    for form in (SECRET, quote(SECRET), quote(SECRET, safe=""), SECRET[:15]):
        assert form not in shown
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_urllib3_does_not_log_a_secret(server: FakeServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    session(server.url).get("report", params={"api_key": SECRET})
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("urllib3")]
    assert any("GET /report?api_key=***" in line for line in lines)
    assert quote(SECRET, safe="") not in caplog.text


# --- throttling ------------------------------------------------------------------------------------------------------


def test_threads_share_a_throttle() -> None:
    throttle = Throttle(RateLimit(2, 0.06))
    moments: list[float] = []

    def call() -> None:
        for _ in range(3):
            throttle.wait()
            moments.append(time.monotonic())

    run_together(call, 2)
    moments.sort()
    assert len(moments) == 6
    for nth in range(4):  # no three within 0.06 seconds
        assert moments[nth + 2] - moments[nth] >= 0.06 - 0.01


def test_calls_within_the_limit_do_not_wait() -> None:
    throttle, start = Throttle(RateLimit(1000, 3600)), time.monotonic()
    for _ in range(1000):
        throttle.wait()
    assert time.monotonic() - start < 0.5


def test_without_a_limit_nothing_waits() -> None:
    start = time.monotonic()
    for _ in range(1000):
        Throttle(None).wait()
    assert time.monotonic() - start < 0.5


def run_together(target: Callable[[], None], threads: int) -> None:
    started = [threading.Thread(target=target) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
