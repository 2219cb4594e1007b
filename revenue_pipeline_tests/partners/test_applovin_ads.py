"""AppLovin's advertiser report in hand-written answers; what all channels share is in test_costs."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline.partners.applovin_ads import AppLovinAds
from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import CostRow, Import, PartnerError, import_day
from revenue_pipeline_tests.partners.conftest import QUICK, SECRET, FakeServer, Reply, account

DAY, AS_OF = date(2026, 10, 5), date(2026, 10, 7)
ROW = {  # every value is a string
    "day": "2026-10-05",
    "campaign_id_external": "e1d2",
    "campaign_package_name": "com.acme.game",
    "platform": "android",
    "country": "us",
    "impressions": "1000",
    "clicks": "30",
    "conversions": "4",
    "cost": "1.234567",
}


def report(*rows: dict[str, Any]) -> Reply:
    return Reply({"code": 200, "count": len(rows), "results": list(rows)})


def ask(server: FakeServer, folder: Path, day: date = DAY) -> Import:
    grain = ("app_id", "platform", "country")
    return import_day(
        AppLovinAds(account(server.url, granularity=None, grain=grain)), day, AS_OF, Archive(folder), QUICK
    )


def refused(server: FakeServer, folder: Path, day: date = DAY) -> PartnerError:
    with pytest.raises(PartnerError) as caught:
        ask(server, folder, day)
    return caught.value


def test_a_days_report(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [report(ROW), report()]
    assert ask(server, tmp_path).rows == (
        CostRow(
            cost_date=DAY, channel="applovin", campaign_id="e1d2", app_id="com.acme.game", platform="android",
            country="US", cost=Decimal("1.234567"), currency="USD", impressions=1000, clicks=30, installs=4,
        ),
    )  # fmt: skip


def test_what_is_asked_for(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [report()]
    ask(server, tmp_path)
    (asked,) = server.requests
    assert asked.path == "/report"
    dimensions = ["day", "campaign_id_external", "campaign_package_name", "platform", "country"]
    assert asked.query == {
        "api_key": SECRET,
        "report_type": "advertiser",
        "start": "2026-10-05",
        "end": "2026-10-05",
        "columns": ",".join([*dimensions, "impressions", "clicks", "conversions", "cost"]),
        "format": "json",
        "limit": "10000",
        "offset": "0",
        **{f"sort_{dimension}": "ASC" for dimension in dimensions},
    }


def test_a_day_beyond_the_window_is_an_error_and_no_empty_batch(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply("Request window must be within the last 45 days", status=400)]
    assert "reports only the last 45 days" in refused(server, tmp_path).cause
    server.requests.clear()
    assert "reports only the last 45 days" in refused(server, tmp_path, AS_OF - timedelta(days=46)).cause
    assert server.requests == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply("Unknown column: cost", status=400),
        Reply({"code": 403, "message": f"bad key {SECRET}"}),
        Reply({"code": "500", "message": "try later"}),
        Reply({"code": 200, "results": {}}),
        Reply({"results": []}),
        Reply([ROW]),
        Reply({"code": "OK", "results": []}),
    ],
)
def test_an_answer_that_is_no_report_is_an_error(server: FakeServer, tmp_path: Path, reply: Reply) -> None:
    server.replies = [reply]
    assert SECRET not in str(refused(server, tmp_path))


@pytest.mark.parametrize("column", ROW)
def test_a_row_without_a_column_that_was_asked_for_is_an_error(server: FakeServer, tmp_path: Path, column: str) -> None:
    server.replies = [report({key: value for key, value in ROW.items() if key != column})]
    assert column in refused(server, tmp_path).cause


@pytest.mark.parametrize("change", [{"cost": ""}, {"cost": "n/a"}, {"day": "2026-10-04"}, {"clicks": "1.5"}])
def test_a_value_that_cannot_be_is_an_error(server: FakeServer, tmp_path: Path, change: dict[str, str]) -> None:
    server.replies = [report({**ROW, **change}), report()]
    assert "in a shape the connector does not know" in refused(server, tmp_path).cause


def test_fewer_rows_than_the_count_speaks_of_are_an_error(server: FakeServer, tmp_path: Path) -> None:
    server.answer = lambda request: Reply(
        {"code": 200, "count": 5, "results": [ROW] if request.query["offset"] == "0" else []}
    )
    assert "1 rows came where `count` speaks of 5" in refused(server, tmp_path).cause
