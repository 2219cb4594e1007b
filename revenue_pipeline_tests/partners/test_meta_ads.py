"""Meta Ads in hand-written answers of its documented shapes; what all channels share is in test_costs."""

from __future__ import annotations

import gzip
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import CostRow, Import, PartnerError, import_day
from revenue_pipeline.partners.meta_ads import MetaAds
from revenue_pipeline_tests.partners.conftest import QUICK, SECRET, FakeServer, Reply, account

DAY, AS_OF = date(2026, 10, 5), date(2026, 10, 7)
ROW = {
    "account_currency": "EUR",
    "campaign_id": "120210",
    "spend": "5339.50",
    "impressions": "361324",
    "clicks": "77",
    "actions": [{"action_type": "link_click", "value": "70"}, {"action_type": "mobile_app_install", "value": "12"}],
    "date_start": "2026-10-05",
    "date_stop": "2026-10-05",
    "country": "DE",
}
COST = CostRow(
    cost_date=DAY, channel="meta", campaign_id="120210", country="DE", cost=Decimal("5339.5"), currency="EUR",
    impressions=361324, clicks=77, installs=12,
)  # fmt: skip


def page(*rows: dict[str, Any], following: str | None = None) -> Reply:
    cursors = {"cursors": {"before": "MAZDZD", "after": following or "MTAZDZD"}}
    link = {"next": f"https://graph.facebook.com/v25.0/act_77/insights?access_token={SECRET}&after={following}"}
    return Reply({"data": list(rows), "paging": {**cursors, **(link if following else {})}})


def ask(server: FakeServer, folder: Path, grain: tuple[str, ...] = ("country",)) -> Import:
    options = {"account_id": "77"}
    connector = MetaAds(
        account(
            server.url,
            name="meta",
            granularity=None,
            grain=grain,
            credentials={"access_token": SECRET},
            credential_variables={"access_token": "META_TOKEN"},
            options=options,
        )
    )
    return import_day(connector, DAY, AS_OF, Archive(folder), QUICK)


def refused(server: FakeServer, folder: Path) -> PartnerError:
    with pytest.raises(PartnerError) as caught:
        ask(server, folder)
    return caught.value


def error(code: int, **more: Any) -> dict[str, Any]:
    return {"error": {"message": "said by Meta", "type": "OAuthException", "code": code, "fbtrace_id": "A", **more}}


def test_a_days_insights(server: FakeServer, tmp_path: Path) -> None:
    web = {key: value for key, value in ROW.items() if key != "actions"} | {"campaign_id": "2", "country": "unknown"}
    server.replies = [page(ROW, web)]
    assert ask(server, tmp_path).rows == (
        COST,
        CostRow(
            cost_date=DAY, channel="meta", campaign_id="2", cost=Decimal("5339.5"), currency="EUR",
            impressions=361324, clicks=77,
        ),
    )  # fmt: skip


def test_what_is_asked_for(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [page()]
    ask(server, tmp_path)
    (asked,) = server.requests
    assert asked.path == "/v25.0/act_77/insights"
    assert asked.headers["Authorization"] == f"Bearer {SECRET}"
    assert asked.query == {
        "level": "campaign",
        "fields": "account_currency,campaign_id,spend,impressions,clicks,actions",
        "time_range": json.dumps({"since": "2026-10-05", "until": "2026-10-05"}),
        "time_increment": "1",
        "breakdowns": "country",
        "limit": "500",
    }


def test_the_next_page_is_asked_for_by_its_cursor_and_its_address_is_kept_without_the_token(
    server: FakeServer, tmp_path: Path
) -> None:
    server.replies = [page(ROW, following="MjQZD"), page({**ROW, "campaign_id": "3"})]
    assert len(ask(server, tmp_path).rows) == 2
    assert [request.query.get("after") for request in server.requests] == [None, "MjQZD"]
    kept = [gzip.decompress(path.read_bytes()) for path in sorted(tmp_path.rglob("*.gz"))]
    assert b"access_token=***&after=MjQZD" in kept[0]


@pytest.mark.parametrize("code", [1, 2, 4, 17, 32, 341, 613, 80000, 80004, 80014])
@pytest.mark.parametrize("status", [200, 400, 403])
def test_limits_are_tried_again_whatever_the_status(server: FakeServer, tmp_path: Path, code: int, status: int) -> None:
    server.replies = [Reply(error(code), status=status), page(ROW)]
    assert ask(server, tmp_path).rows == (COST,)


@pytest.mark.parametrize("status", [200, 400])
def test_a_refused_token_names_its_variable(server: FakeServer, tmp_path: Path, status: int) -> None:
    server.replies = [Reply(error(190, error_subcode=463), status=status)]
    caught = refused(server, tmp_path)
    assert "the partner refused the credentials" in caught.cause
    assert "META_TOKEN" in caught.remedy
    assert len(server.requests) == 1


def test_a_day_of_too_long_ago_is_beyond_reach(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply(error(3018), status=400)]
    caught = refused(server, tmp_path)
    assert "reports only the last" in caught.cause
    assert "<landing>/costs/date=2026-10-05/" in caught.remedy


@pytest.mark.parametrize("status", [200, 400])
def test_other_errors_are_errors(server: FakeServer, tmp_path: Path, status: int) -> None:
    server.replies = [Reply(error(100), status=status)]
    assert "said by Meta" in refused(server, tmp_path).cause
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"spend": None},
        {"spend": "-"},
        {"spend": ""},
        {"date_stop": "2026-10-06"},
        {"date_start": None},
        {"campaign_id": []},
        {"account_currency": "euro"},
        {"actions": {}},
        {"impressions": "many"},
    ],
)
def test_a_row_of_another_shape_is_an_error(server: FakeServer, tmp_path: Path, changes: dict[str, Any]) -> None:
    server.replies = [page({**ROW, **changes})]
    assert "meta 2026-10-05: " in refused(server, tmp_path).cause


@pytest.mark.parametrize("missing", ["spend", "campaign_id", "account_currency", "country"])
def test_a_row_without_a_field_that_was_asked_for_is_an_error(server: FakeServer, tmp_path: Path, missing: str) -> None:
    server.replies = [page({key: value for key, value in ROW.items() if key != missing})]
    assert missing in refused(server, tmp_path).cause


@pytest.mark.parametrize("body", [[], {}, {"data": {}}, {"data": [], "paging": {"next": "https://x/?limit=2"}}, "<p>"])
def test_an_answer_of_another_shape_is_an_error(server: FakeServer, tmp_path: Path, body: object) -> None:
    server.replies = [Reply(body)]
    assert refused(server, tmp_path)
