from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import Account, PartnerError
from revenue_pipeline.partners.google_oauth import Authorization
from revenue_pipeline.partners.http import PartnerHttp
from revenue_pipeline_tests.partners.conftest import QUICK, FakeServer, Reply, account

SECRETS = {"client_id": "id-1234567", "client_secret": "secret-1234567", "refresh_token": "1//refresh-1234567"}
TOKEN = "ya29.access-token-0123456789"
GRANTED = Reply({"access_token": TOKEN, "expires_in": 3599, "scope": "…", "token_type": "Bearer"})


def google_account(server: FakeServer) -> Account:
    variables = {"client_id": "G_ID", "client_secret": "G_SECRET", "refresh_token": "G_REFRESH"}
    return account(server.url, credentials=SECRETS, credential_variables=variables)


def session(server: FakeServer, folder: Path) -> PartnerHttp:
    answers = Archive(folder).open("google", date(2026, 10, 5))
    return PartnerHttp(
        subject="google 2026-10-05",
        base_url=server.url,
        credentials=SECRETS,
        credential_variables={},
        answers=answers,
        options=QUICK,
    )


def test_the_token_is_asked_for_with_the_refresh_token_and_shown_nowhere(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [GRANTED, Reply(f"bad token {TOKEN}", status=400)]
    http = session(server, tmp_path)

    headers = Authorization(google_account(server), f"{server.url}/token").header(http)

    assert headers == {"Authorization": f"Bearer {TOKEN}"}
    (asked,) = server.requests
    assert (asked.method, asked.path) == ("POST", "/token")
    assert dict(parse_qsl(asked.body.decode())) == {"grant_type": "refresh_token", **SECRETS}
    with pytest.raises(PartnerError, match=r"bad token \*\*\*"):
        http.get("report", headers=headers)
    archived = b"".join(gzip.decompress(path.read_bytes()) for path in tmp_path.rglob("*.gz"))
    assert TOKEN.encode() not in archived


def test_a_withdrawn_consent_names_the_credentials(server: FakeServer, tmp_path: Path) -> None:
    refusal = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
    server.replies = [Reply(refusal, status=400)]
    with pytest.raises(PartnerError) as caught:
        Authorization(google_account(server), f"{server.url}/token").header(session(server, tmp_path))
    assert caught.value.cause == (
        "google 2026-10-05: Google refused the credentials (invalid_grant: Token has been expired or revoked.)."
    )
    assert "G_ID and G_SECRET and G_REFRESH" in caught.value.remedy
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", ["Unauthorized", [], {}])
def test_a_refusal_in_other_words_names_the_credentials_too(server: FakeServer, tmp_path: Path, body: object) -> None:
    server.replies = [Reply(body, status=401)]
    with pytest.raises(PartnerError, match=r"Google refused the credentials \(HTTP 401\)\..* G_REFRESH") as caught:
        Authorization(google_account(server), f"{server.url}/token").header(session(server, tmp_path))
    assert "None" not in str(caught.value)


@pytest.mark.parametrize("body", [{"token_type": "Bearer"}, [], {"access_token": ""}])
def test_an_answer_without_a_token_is_an_error(server: FakeServer, tmp_path: Path, body: object) -> None:
    server.replies = [Reply(body)]
    with pytest.raises(PartnerError, match="no access token"):
        Authorization(google_account(server), f"{server.url}/token").header(session(server, tmp_path))


def test_a_passing_trouble_is_tried_again(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply(status=503), GRANTED]
    assert Authorization(google_account(server), f"{server.url}/token").header(session(server, tmp_path))


@pytest.mark.parametrize(("life", "asked"), [(3599, 1), (0, 2), (None, 2)])
def test_a_token_serves_the_days_that_begin_in_the_first_half_of_its_life(
    server: FakeServer, tmp_path: Path, life: int | None, asked: int
) -> None:
    server.answer = lambda request: Reply(
        {"access_token": TOKEN, "expires_in": life} if request.path == "/token" else f"bad token {TOKEN}",
        status=200 if request.path == "/token" else 400,
    )
    authorization = Authorization(google_account(server), f"{server.url}/token")
    authorization.header(session(server, tmp_path))
    later = session(server, tmp_path)

    headers = authorization.header(later)

    assert headers == {"Authorization": f"Bearer {TOKEN}"}
    assert [request.path for request in server.requests] == ["/token"] * asked
    with pytest.raises(PartnerError, match=r"bad token \*\*\*"):
        later.get("report", headers=headers)
