"""Google Ads in hand-written answers of its documented shapes; what all channels share is in test_costs."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import CostRow, Import, PartnerError, import_day
from revenue_pipeline.partners.google_ads import GoogleAds
from revenue_pipeline_tests.partners.conftest import QUICK, FakeServer, Reply, Request, account

DAY, AS_OF = date(2026, 10, 5), date(2026, 10, 7)
SECRETS = {name: f"secret-{name}-0123456789" for name in GoogleAds.credentials}
BERLIN = {"resourceName": "customers/1234567890", "currencyCode": "EUR", "timeZone": "Europe/Berlin"}
APP = {"appId": "com.acme.game", "appStore": "GOOGLE_APP_STORE"}
CODES = [("2840", "US"), ("2276", "DE")]


def metrics(micros: int, impressions: int = 0, clicks: int = 0) -> dict[str, str]:
    return {"costMicros": str(micros), "impressions": str(impressions), "clicks": str(clicks)}


def row(number: str, numbers: dict[str, str], country: str | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "customer": BERLIN,
        "campaign": {"resourceName": f"customers/1234567890/campaigns/{number}", "id": number},
        "segments": {"date": "2026-10-05"},
        "metrics": numbers,
        **({"userLocationView": {"countryCriterionId": country}} if country is not None else {}),
        **changes,
    }


class FakeGoogleAds:
    """The token endpoint and the three queries; a stream is an array of batches of one row."""

    def __init__(self, campaigns: list[dict[str, Any]], countries: list[dict[str, Any]] | None = None) -> None:
        self.campaigns = campaigns
        self.countries = countries or []
        self.queries: list[str] = []

    def __call__(self, request: Request) -> Reply:
        if request.path == "/token":
            return Reply({"access_token": "ya29.access-0123456789", "expires_in": 3599, "token_type": "Bearer"})
        assert request.headers["Authorization"] == "Bearer ya29.access-0123456789"
        assert request.headers["developer-token"] == SECRETS["developer_token"]
        query = json.loads(request.body)["query"]
        self.queries.append(query)
        if "FROM geo_target_constant" in query:
            return self.stream([{"geoTargetConstant": {"id": number, "countryCode": code}} for number, code in CODES])
        return self.stream(self.countries if "FROM user_location_view" in query else self.campaigns)

    @staticmethod
    def stream(rows: list[dict[str, Any]]) -> Reply:
        return Reply([{"results": [each], "fieldMask": "…", "requestId": "r"} for each in rows])


def ask(server: FakeServer, folder: Path, grain: tuple[str, ...] = (), **options: Any) -> Import:
    connector = GoogleAds(
        account(
            server.url,
            name="google",
            granularity=None,
            grain=grain,
            timezone="Europe/Berlin",
            credentials=SECRETS,
            credential_variables={},
            options={"customer_id": "123-456-7890", "token_url": f"{server.url}/token", **options},
        )
    )
    return import_day(connector, DAY, AS_OF, Archive(folder), QUICK)


def refused(server: FakeServer, folder: Path, grain: tuple[str, ...] = ()) -> PartnerError:
    with pytest.raises(PartnerError) as caught:
        ask(server, folder, grain)
    return caught.value


def cost(campaign: str, amount: str, **fields: Any) -> CostRow:
    return CostRow(
        cost_date=DAY, channel="google", campaign_id=campaign, cost=Decimal(amount), currency="EUR", **fields
    )


def test_a_days_campaigns(server: FakeServer, tmp_path: Path) -> None:
    app = {"campaign": {"id": "11", "appCampaignSetting": APP}}
    server.answer = FakeGoogleAds([row("11", metrics(12_345_678, 900, 30), **app), row("12", metrics(1))])
    assert set(ask(server, tmp_path, ("app_id", "platform")).rows) == {
        cost("11", "12.345678", impressions=900, clicks=30, app_id="com.acme.game", platform="android"),
        cost("12", "0.000001", impressions=0, clicks=0),
    }


def test_what_is_asked_for(server: FakeServer, tmp_path: Path) -> None:
    server.answer = fake = FakeGoogleAds([])
    ask(server, tmp_path, login_customer_id="999-888-7777", api_version="v30")
    assert server.requests[1].path == "/v30/customers/1234567890/googleAds:searchStream"
    assert server.requests[1].headers["login-customer-id"] == "9998887777"
    (query,) = fake.queries
    assert query.endswith("FROM campaign WHERE segments.date = '2026-10-05'")
    assert "metrics.cost_micros" in query


def test_what_lies_in_no_country_stays_on_a_row_of_its_own(server: FakeServer, tmp_path: Path) -> None:
    countries = [
        row("11", metrics(4_000_000, 40, 4), "2840"),
        row("11", metrics(1_000_000, 10, 1), "2840"),  # the same country by another way of being aimed at
        row("11", metrics(2_000_000, 20, 2), "2276"),
        row("11", metrics(500_000, 5, 0), "0"),
        row("12", metrics(3_000_000, 30, 3), "2276"),
    ]
    server.answer = FakeGoogleAds(
        [row("11", metrics(8_000_000, 80, 7)), row("12", metrics(3_000_000, 30, 3))], countries
    )
    assert set(ask(server, tmp_path, ("country",)).rows) == {
        cost("11", "5", impressions=50, clicks=5, country="US"),
        cost("11", "2", impressions=20, clicks=2, country="DE"),
        cost("11", "1", impressions=10, clicks=0),
        cost("12", "3", impressions=30, clicks=3, country="DE"),
    }


def test_a_campaign_that_grows_between_the_queries_is_asked_for_again(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeGoogleAds([row("11", metrics(2_000_000))], [row("11", metrics(3_000_000), "2840")])

    def growing(request: Request) -> Reply:
        if len(fake.queries) == 3:  # the campaign has caught up when it is asked for again
            fake.campaigns = [row("11", metrics(3_000_000))]
        return fake(request)

    server.answer = growing
    assert ask(server, tmp_path, ("country",)).rows == (cost("11", "3", impressions=0, clicks=0, country="US"),)


def test_a_day_without_spend(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeGoogleAds([])
    assert ask(server, tmp_path, ("country",)).rows == ()


def test_an_account_with_other_days_is_refused(server: FakeServer, tmp_path: Path) -> None:
    elsewhere = {**BERLIN, "timeZone": "America/New_York"}
    server.answer = FakeGoogleAds([row("11", metrics(1), customer=elsewhere)])
    error = refused(server, tmp_path)
    assert "days are those of America/New_York, and not of Europe/Berlin" in error.cause
    assert error.remedy.startswith("Set partners.google.timezone to America/New_York.")


def test_another_name_of_the_same_zone_is_none(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeGoogleAds([row("11", metrics(1), customer={**BERLIN, "timeZone": "Europe/Vienna"})])
    assert len(ask(server, tmp_path).rows) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": {"impressions": "1", "clicks": "0"}},
        {"metrics": {"costMicros": "1.5", "impressions": "1", "clicks": "0"}},
        {"metrics": None},
        {"segments": {"date": "2026-10-04"}},
        {"campaign": {}},
        {"customer": {"timeZone": "Europe/Berlin"}},
        {"customer": {"timeZone": "Mars/Olympus", "currencyCode": "EUR"}},
    ],
)
def test_a_row_of_another_shape_is_an_error(server: FakeServer, tmp_path: Path, changes: dict[str, Any]) -> None:
    server.answer = FakeGoogleAds([row("11", metrics(1), **changes)])
    assert "google 2026-10-05: " in refused(server, tmp_path).cause


def test_what_else_a_batch_says_does_not_matter(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeGoogleAds([row("11", metrics(1))])

    def answer(request: Request) -> Reply:
        reply = fake(request)
        return reply if request.path == "/token" else Reply([{**batch, "etag": "x"} for batch in reply.body])  # type: ignore[attr-defined]

    server.answer = answer
    assert len(ask(server, tmp_path).rows) == 1


@pytest.mark.parametrize(
    "body",
    [{"results": []}, [{}], [{"rows": []}], [{"results": [], "error": "x"}], [["x"]], [{"results": {}}], "[{", b"[]]"],
)
def test_a_stream_of_another_shape_is_an_error(server: FakeServer, tmp_path: Path, body: object) -> None:
    token = FakeGoogleAds([])
    server.answer = lambda request: token(request) if request.path == "/token" else Reply(body)
    assert refused(server, tmp_path)


def test_a_stream_that_fails_on_the_way_is_tried_again_and_then_an_error(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeGoogleAds([row("11", metrics(1))])
    failed = {"error": {"code": 503, "message": "The service is currently unavailable.", "status": "UNAVAILABLE"}}

    def failing(request: Request) -> Reply:
        reply = fake(request)
        return reply if request.path == "/token" else Reply([*reply.body, failed])  # type: ignore[misc]

    server.answer = failing
    assert "the partner's side failed (HTTP 200 with code 503)" in refused(server, tmp_path).cause
    assert len(fake.queries) == 3


def test_a_missing_option_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="customer_id"):
        GoogleAds(account("http://x", granularity=None, grain=(), credentials=SECRETS, credential_variables={}))
