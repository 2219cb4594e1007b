from __future__ import annotations

import gzip
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import ValidationError

from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import Import, PartnerError, RevenueRow, import_day
from revenue_pipeline.partners.unity_ads import UnityAds
from revenue_pipeline_tests.partners.conftest import QUICK, SECRET, FakeServer, Reply, account

DAY = date(2026, 10, 5)
AS_OF = date(2026, 10, 6)
ALL = ("app_id", "platform", "country", "ad_unit_id")
SIGNATURE = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
CSV = """timestamp,source_game_id,source_name,country,platform,placement,start_count,revenue_sum
2026-10-05T00:00:00.000Z,5000001,"Acme, the game",US,ios,banner,120,1.234567
2026-10-05T00:00:00.000Z,5000001,"Acme, the game",DE,ios,,7,0
2026-10-05T00:00:00.000Z,5000002,Acme,us,android,video,3,2.5e-05
"""
JSON = """[
 {"timestamp": "2026-10-05T00:00:00.000Z", "source_game_id": 5000001, "source_name": "Acme", "country": "US",
  "platform": "ios", "placement": "banner", "start_count": 120, "revenue_sum": 1.234567},
 {"timestamp": "2026-10-05T00:00:00.000Z", "source_game_id": "5000001", "country": "DE", "platform": "ios",
  "placement": null, "start_count": 7, "revenue_sum": 0},
 {"timestamp": "2026-10-05T00:00:00.000Z", "source_game_id": "5000002", "country": "us", "platform": "android",
  "placement": "video", "start_count": "3", "revenue_sum": "0.000025"}
]"""


def ask(server: FakeServer, folder: Path, grain: tuple[str, ...] = ALL, **options: str) -> Import:
    set_up = account(
        server.url, name="unity", grain=grain, options={"organization_id": "77", **options},
        credential_variables={"api_key": "UNITY_KEY"},
    )  # fmt: skip
    return import_day(UnityAds(set_up), DAY, AS_OF, Archive(folder), QUICK)


def redirect(server: FakeServer, storage: FakeServer, body: str | Reply) -> None:
    location = f"{storage.url}/stats?X-Amz-Signature={SIGNATURE}&X-Amz-Expires=60"
    server.answer = lambda _: Reply(status=302, headers={"Location": location})
    storage.answer = lambda _: body if isinstance(body, Reply) else Reply(body)


def refused(server: FakeServer, folder: Path, **changes: Any) -> PartnerError:
    with pytest.raises(PartnerError) as caught:
        ask(server, folder, **changes)
    assert caught.value.cause.startswith("unity 2026-10-05: ")
    assert SECRET not in str(caught.value)
    assert SIGNATURE not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(("form", "body"), [("csv", CSV), ("json", JSON)])
def test_a_day_in_either_form(
    server: FakeServer, other_server: FakeServer, tmp_path: Path, form: str, body: str
) -> None:
    redirect(server, other_server, body)
    batch = ask(server, tmp_path, format=form)

    def row(keys: str, impressions: int, revenue: str) -> RevenueRow:
        app_id, platform, country, ad_unit_id = (key or None for key in keys.split("|"))
        return RevenueRow(
            report_date=DAY, app_id=app_id, platform=platform, country=country, ad_unit_id=ad_unit_id,
            impressions=impressions, revenue=Decimal(revenue), currency="USD",
        )  # fmt: skip

    assert set(batch.rows) == {
        row("5000001|ios|US|banner", 120, "1.234567"),
        row("5000001|ios|DE|", 7, "0"),
        row("5000002|android|US|video", 3, "0.000025"),
    }


def test_what_is_asked_for_and_of_whom(server: FakeServer, other_server: FakeServer, tmp_path: Path) -> None:
    redirect(server, other_server, CSV)
    batch = ask(server, tmp_path)
    (asked,), (redirected,) = server.requests, other_server.requests
    assert asked.path == "/stats/v1/operate/organizations/77"
    assert asked.headers["Authorization"] == f"Token {SECRET}"
    assert asked.query == {
        "fields": "start_count,revenue_sum",
        "groupBy": "game,platform,country,placement",
        "scale": "day",
        "start": "2026-10-05T00:00:00.000Z",
        "end": "2026-10-05T23:59:59.999Z",
    }
    assert redirected.headers["Accept"] == "text/csv"
    assert SECRET not in str(redirected.headers) + str(redirected.query)
    archived = gzip.decompress((batch.archive / "0001.html.gz").read_bytes()).decode()
    assert archived == CSV
    assert SIGNATURE not in (batch.archive / "requests.ndjson").read_text()


def test_the_empty_grain_asks_for_no_groups(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply("timestamp,start_count,revenue_sum\n2026-10-05T00:00:00.000Z,5,1\n")]
    (row,) = ask(server, tmp_path, grain=()).rows
    assert isinstance(row, RevenueRow)
    assert row.revenue == 1
    assert "groupBy" not in server.requests[0].query


@pytest.mark.parametrize(("form", "body"), [("csv", CSV.partition("\n")[0] + "\n"), ("json", "[]")])
def test_headings_or_brackets_alone_are_an_empty_day(server: FakeServer, tmp_path: Path, form: str, body: str) -> None:
    server.replies = [Reply(body)]
    assert ask(server, tmp_path, format=form).rows == ()


@pytest.mark.parametrize(
    ("reply", "what"),
    [
        (Reply({"errors": [{"msg": "access token required"}]}, status=400), "the partner refused the credentials"),
        (
            Reply({"errors": [{"msg": "invalid api key"}]}),
            "the partner refused the credentials (HTTP 200 with code 401)",
        ),
        (Reply({"errors": [{"msg": "bad groupBy"}]}, status=400), "the partner refused the request (HTTP 400)"),
        (Reply({"errors": [{"msg": "bad groupBy"}]}), "the partner refused the request (HTTP 200 with code 400)"),
        (Reply(b'{"errors": [', status=400), "the partner refused the request (HTTP 400)"),
        (Reply("Not found", status=404), "the partner refused the request (HTTP 404)"),
        (Reply(status=204), "the partner refused the request (HTTP 204)"),
        (Reply({"errors": [{"msg": "oops"}]}, status=503), "the partner's side failed (HTTP 503)"),
    ],
)
def test_refusals(server: FakeServer, tmp_path: Path, reply: Reply, what: str) -> None:
    server.replies = [reply]
    assert what in refused(server, tmp_path).cause


@pytest.mark.parametrize(
    ("form", "body", "what"),
    [
        ("csv", "", "no headings"),
        ("csv", "<html>busy</html>", "no `timestamp` in"),
        ("csv", CSV.replace("revenue_sum", "revenue"), "no `revenue_sum` in"),
        ("csv", CSV.replace("placement", "zone"), "no `placement` in"),
        ("csv", CSV[: CSV.rindex(",2.5")], "line 4 has 7 values under 8 headings"),
        ("csv", CSV.replace("2026-10-05T00", "2026-10-06T00"), "a row of '2026-10-06T00:00:00.000Z'"),
        ("csv", CSV.replace("1.234567", ""), "'' is not an amount of money"),
        ("csv", CSV.replace("120", "many"), "'many' is not an amount of money"),
        ("json", CSV, "not JSON"),
        ("json", JSON[:-1], "not JSON"),
        ("json", '{"rows": []}', "no list in"),
        ("json", '["row"]', "no `timestamp` in"),
        ("json", JSON.replace('"revenue_sum": 0}', '"revenue_sum": null}'), "None is not an amount of money"),
        ("json", JSON.replace('"placement": null', '"zone": null'), "no `placement` in"),
    ],
)
def test_what_is_not_the_statistics_is_never_an_empty_day(
    server: FakeServer, other_server: FakeServer, tmp_path: Path, form: str, body: str, what: str
) -> None:
    redirect(server, other_server, body)
    assert what in refused(server, tmp_path, format=form).cause


def test_a_redirect_that_carries_the_key_is_refused(
    server: FakeServer, other_server: FakeServer, tmp_path: Path
) -> None:
    location = f"{other_server.url}/stats?apikey={quote(SECRET, safe='')}"
    server.answer = lambda _: Reply(status=302, headers={"Location": location})
    assert "points to another host" in refused(server, tmp_path).cause
    assert other_server.requests == []


@pytest.mark.parametrize("options", [{}, {"organization_id": "acme"}, {"organization_id": "7", "format": "xml"}])
def test_options_that_cannot_work_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        UnityAds(account("", options=options))
