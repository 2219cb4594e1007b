"""TikTok Ads in hand-written answers of its documented shapes; what all channels share is in test_costs."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import CostRow, Import, PartnerError, import_day
from revenue_pipeline.partners.tiktok_ads import TikTokAds
from revenue_pipeline_tests.partners.conftest import QUICK, SECRET, FakeServer, Reply, account

DAY, AS_OF = date(2026, 10, 5), date(2026, 10, 7)


def row(campaign: str, spend: object = "12.34", **dimensions: Any) -> dict[str, Any]:
    labels = {"campaign_id": campaign, "stat_time_day": "2026-10-05 00:00:00", "country_code": "JP", **dimensions}
    return {"dimensions": labels, "metrics": {"spend": spend, "impressions": "1000", "clicks": "7"}}


def page(*rows: dict[str, Any], number: int = 1, pages: int = 1, total: int | None = None) -> Reply:
    found = len(rows) if total is None else total
    info = {"total_number": found, "page": number, "page_size": 1000, "total_page": pages}
    return Reply({"code": 0, "message": "OK", "request_id": "r", "data": {"list": list(rows), "page_info": info}})


def failure(code: int, message: str) -> Reply:
    return Reply({"code": code, "message": message, "request_id": "r", "data": {}})


def ask(server: FakeServer, folder: Path, grain: tuple[str, ...] = ("country",), **options: Any) -> Import:
    connector = TikTokAds(
        account(
            server.url,
            name="tiktok",
            granularity=None,
            grain=grain,
            currency="JPY",
            credentials={"access_token": SECRET},
            credential_variables={"access_token": "TIKTOK_TOKEN"},
            options={"advertiser_id": "7001", **options},
        )
    )
    return import_day(connector, DAY, AS_OF, Archive(folder), QUICK)


def refused(server: FakeServer, folder: Path) -> PartnerError:
    with pytest.raises(PartnerError) as caught:
        ask(server, folder)
    return caught.value


def test_a_day_in_the_currency_of_the_settings(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [page(row("17001"))]
    assert ask(server, tmp_path).rows == (
        CostRow(
            cost_date=DAY, channel="tiktok", campaign_id="17001", country="JP", cost=Decimal("12.34"), currency="JPY",
            impressions=1000, clicks=7,
        ),
    )  # fmt: skip


def test_what_is_asked_for(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [page()]
    ask(server, tmp_path, grain=(), report_type="AUDIENCE")
    (asked,) = server.requests
    assert asked.path == "/open_api/v1.3/report/integrated/get/"
    assert asked.headers["Access-Token"] == SECRET
    assert asked.query == {
        "advertiser_id": "7001",
        "report_type": "AUDIENCE",
        "data_level": "AUCTION_CAMPAIGN",
        "dimensions": '["campaign_id", "stat_time_day"]',
        "metrics": '["spend", "impressions", "clicks"]',
        "start_date": "2026-10-05",
        "end_date": "2026-10-05",
        "page": "1",
        "page_size": "1000",
    }


def test_all_pages_are_read(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [page(row("1"), pages=2, total=2), page(row("2"), number=2, pages=2, total=2)]
    assert [each.campaign_id for each in ask(server, tmp_path).rows] == ["1", "2"]  # type: ignore[attr-defined]
    assert [request.query["page"] for request in server.requests] == ["1", "2"]


def test_numbers_of_pages_may_be_texts(server: FakeServer, tmp_path: Path) -> None:
    info = {"total_number": "1", "page": "1", "page_size": "1000", "total_page": "1"}
    server.replies = [Reply({"code": 0, "message": "OK", "data": {"list": [row("1")], "page_info": info}})]
    assert len(ask(server, tmp_path).rows) == 1


def test_pages_that_are_promised_and_empty_are_an_error(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [page(row("1"), pages=10**9, total=2), page(pages=10**9, total=2)]
    assert "rows came where it speaks of 2" in refused(server, tmp_path).cause


def test_fewer_rows_than_it_speaks_of_are_an_error(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [page(row("1"), total=2)]
    assert "1 rows came where it speaks of 2" in refused(server, tmp_path).cause
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "trouble",
    [
        failure(40100, "Too many requests. Please retry in some time."),
        failure(40002, "The app has reached its QPS limit"),
        failure(60001, "System maintenance"),
        failure(50002, "Internal service error"),
        Reply({"code": "60001", "message": "System maintenance"}),
    ],
)
def test_a_passing_trouble_under_http_200_is_tried_again(server: FakeServer, tmp_path: Path, trouble: Reply) -> None:
    server.replies = [trouble, page(row("1"))]
    assert len(ask(server, tmp_path).rows) == 1


def test_a_refused_token_names_its_variable(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [failure(40105, f"Access token {SECRET} is incorrect or has been revoked")]
    error = refused(server, tmp_path)
    assert "the partner refused the credentials (HTTP 200 with code 401)" in error.cause
    assert "TIKTOK_TOKEN" in error.remedy
    assert SECRET not in str(error)
    assert len(server.requests) == 1


def test_an_error_under_http_200_is_an_error(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [failure(40067, "The query is too large")]
    assert "The query is too large" in refused(server, tmp_path).cause
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "odd",
    [
        row("1", "-"),
        row("1", None),
        row("1", stat_time_day="2026-10-04 00:00:00"),
        {"dimensions": {}, "metrics": {}},
        {"dimensions": row("1")["dimensions"]},
        "row",
    ],
)
def test_a_row_of_another_shape_is_an_error(server: FakeServer, tmp_path: Path, odd: Any) -> None:
    server.replies = [page(odd)]
    assert "tiktok 2026-10-05: " in refused(server, tmp_path).cause


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"list": [], "page_info": {"total_number": 0, "total_page": 0}}},
        {"code": "OK", "data": {"list": [], "page_info": {"total_number": 0, "total_page": 0}}},
        {"code": 0, "message": "OK"},
        {"code": 0, "message": "OK", "data": {"list": []}},
        {"code": 0, "message": "OK", "data": {"list": [], "page_info": {"total_number": "none", "total_page": 0}}},
        {"code": 0, "message": "OK", "data": {"page_info": {"total_number": 0, "total_page": 0}}},
        {"code": 0, "message": "OK", "data": {"list": [], "page_info": {"total_number": None, "total_page": 0}}},
        {"code": 0, "message": "OK", "data": {"list": [], "page_info": []}},
        [],
    ],
)
def test_an_answer_of_another_shape_is_an_error(server: FakeServer, tmp_path: Path, body: object) -> None:
    server.replies = [Reply(body)]
    assert "in a shape the connector does not know" in refused(server, tmp_path).cause
