from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from revenue_pipeline.partners.admob import AdMob
from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import Import, PartnerError, RevenueRow, import_day
from revenue_pipeline_tests.partners.conftest import QUICK, FakeServer, Reply, Request, account

DAY = date(2026, 10, 5)
AS_OF = date(2026, 10, 6)
TOKEN = "ya29.a0-access-token"
SECRETS = {"client_id": "id-1234567", "client_secret": "secret-1234567", "refresh_token": "1//refresh-1234567"}
EDGE = {"year": 2026, "month": 10, "day": 5}
HEADER: dict[str, Any] = {
    "dateRange": {"startDate": EDGE, "endDate": EDGE},
    "localizationSettings": {"currencyCode": "EUR", "languageCode": "en-US"},
    "reportingTimeZone": "America/Los_Angeles",
}


def row(
    app: str | None, country: str, micros: object, impressions: object = "7", clicks: object = "1"
) -> dict[str, Any]:
    labels = {
        "DATE": {"value": "20261005"},
        "APP": {"value": app, "displayLabel": "Acme"} if app else {},
        "COUNTRY": {"value": country},
    }
    metrics = {
        "ESTIMATED_EARNINGS": {"microsValue": micros},
        "IMPRESSIONS": {"integerValue": impressions},
        "CLICKS": {"integerValue": clicks},
    }
    return {"dimensionValues": labels, "metricValues": metrics}


ROWS = [
    row("ca-app-pub-1~1", "US", "6500000"),
    row("ca-app-pub-1~1", "DE", 1, 2, 0),
    row("ca-app-pub-1~2", "", "-250000"),
    row(None, "FR", "9223372036854775807"),
]


def stream(*rows: Mapping[str, Any], header: Any = HEADER, footer: Any = None) -> list[dict[str, Any]]:
    end = {"matchingRowCount": str(len(rows))} if footer is None else footer
    return [{"header": header}, *({"row": each} for each in rows), {"footer": end}]


def ask(server: FakeServer, folder: Path, report: Any, connector: type[AdMob] = AdMob, **changes: Any) -> Import:
    """Ask for the day; `report` is the answer, or a function of the report's specification that gives it."""

    def answer(request: Request) -> Reply:
        if request.path == "/token":
            return Reply({"access_token": TOKEN, "expires_in": 3599})
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        given = report(json.loads(request.body)["reportSpec"]) if callable(report) else report
        return given if isinstance(given, Reply) else Reply(given)

    server.answer = answer
    fields: dict[str, Any] = {
        "name": "admob",
        "grain": ("app_id", "country"),
        "timezone": "America/Los_Angeles",
        "credentials": SECRETS,
        "credential_variables": {name: f"ADMOB_{name}".upper() for name in SECRETS},
        "options": {"publisher_id": "pub-1", "token_url": f"{server.url}/token"},
    }
    return import_day(connector(account(server.url, **{**fields, **changes})), DAY, AS_OF, Archive(folder), QUICK)


def refused(server: FakeServer, folder: Path, report: Any, **changes: Any) -> PartnerError:
    with pytest.raises(PartnerError) as caught:
        ask(server, folder, report, **changes)
    assert caught.value.cause.startswith("admob 2026-10-05: ")
    assert TOKEN not in str(caught.value)
    return caught.value


def test_micros_are_exact_amounts_in_the_currency_of_the_header(server: FakeServer, tmp_path: Path) -> None:
    batch = ask(server, tmp_path, stream(*ROWS))

    def expected(app: str | None, country: str | None, revenue: str, shown: int = 7, clicked: int = 1) -> RevenueRow:
        return RevenueRow(
            report_date=DAY, app_id=app, country=country, impressions=shown, clicks=clicked,
            revenue=Decimal(revenue), currency="EUR",
        )  # fmt: skip

    assert set(batch.rows) == {
        expected("ca-app-pub-1~1", "US", "6.5"),
        expected("ca-app-pub-1~1", "DE", "0.000001", 2, 0),
        expected("ca-app-pub-1~2", None, "-0.25"),
        expected(None, "FR", "9223372036854.775807"),
    }
    assert batch.warnings == ()


def test_what_is_asked_for(server: FakeServer, tmp_path: Path) -> None:
    grain = ("app_id", "platform", "country", "ad_format", "ad_unit_id")
    asked: list[Any] = []
    ask(server, tmp_path, lambda spec: asked.append(spec) or stream(), grain=grain)
    assert asked == [
        {
            "dateRange": {"startDate": EDGE, "endDate": EDGE},
            "dimensions": ["DATE", "APP", "PLATFORM", "COUNTRY", "FORMAT", "AD_UNIT"],
            "metrics": ["ESTIMATED_EARNINGS", "IMPRESSIONS", "CLICKS"],
            "maxReportRows": 100_000,
            "timeZone": "America/Los_Angeles",
        }
    ]
    assert server.requests[-1].path == "/v1/accounts/pub-1/networkReport:generate"
    options = {"publisher_id": "pub-1", "token_url": f"{server.url}/token", "report": "mediation"}
    ask(server, tmp_path, stream(), options=options)
    assert server.requests[-1].path == "/v1/accounts/pub-1/mediationReport:generate"


def test_an_empty_report_is_an_empty_batch(server: FakeServer, tmp_path: Path) -> None:
    assert ask(server, tmp_path, stream(footer={})).rows == ()


def test_the_access_token_is_kept_nowhere(server: FakeServer, tmp_path: Path) -> None:
    batch = ask(server, tmp_path, stream(*ROWS))
    for path in batch.archive.glob("*.gz"):
        assert TOKEN.encode() not in gzip.decompress(path.read_bytes())
    refusal = Reply({"error": {"code": 403, "message": f"{TOKEN} may not", "status": "PERMISSION_DENIED"}}, status=403)
    error = refused(server, tmp_path, refusal)
    assert "the partner refused the credentials (HTTP 403)" in error.cause
    assert "PERMISSION_DENIED" in error.cause
    assert "ADMOB_REFRESH_TOKEN" in error.remedy


# --- days ------------------------------------------------------------------------------------------------------------


def test_days_in_the_accounts_own_zone_are_checked(server: FakeServer, tmp_path: Path) -> None:
    asked: list[Any] = []
    header = {**HEADER, "reportingTimeZone": "Asia/Calcutta"}

    def report(spec: Any) -> Any:
        asked.append(spec)
        return stream(*ROWS, header=header)

    assert len(ask(server, tmp_path, report, timezone="Asia/Kolkata").rows) == 4  # another name for the same days
    assert "timeZone" not in asked[0]
    error = refused(server, tmp_path, report, timezone="Europe/Berlin")
    assert "the partner's days are those of Asia/Calcutta, and not of Europe/Berlin" in error.cause
    assert error.remedy.startswith("Set partners.admob.timezone to Asia/Calcutta.")


def test_a_header_without_a_zone_is_believed(server: FakeServer, tmp_path: Path) -> None:
    header = {name: value for name, value in HEADER.items() if name != "reportingTimeZone"}
    assert len(ask(server, tmp_path, stream(*ROWS, header=header), timezone="Europe/Berlin").rows) == 4


# --- what is no report -----------------------------------------------------------------------------------------------


def changed(**metrics: Any) -> dict[str, Any]:
    first = row("a", "US", "1")
    first["metricValues"].update(metrics)
    return first


OTHER_DAY = row("a", "US", "1")
OTHER_DAY["dimensionValues"]["DATE"] = {"value": "20261004"}
NO_APP = row("a", "US", "1")
del NO_APP["dimensionValues"]["APP"]
WRONG_EDGE = {"startDate": EDGE, "endDate": {**EDGE, "day": 6}}
STOPPED = [*stream(*ROWS)[:-1], {"error": {"code": 500, "message": "stopped", "status": "INTERNAL"}}]


@pytest.mark.parametrize(
    ("report", "what"),
    [
        ([], "no header, rows and footer"),
        ({}, "no header, rows and footer"),
        ([{"row": ROWS[0]}, {"footer": {}}], "no header, rows and footer"),
        ([*stream(*ROWS), {}], "no header, rows and footer"),
        ([{"header": HEADER}, {"rows": ROWS}, {"footer": {}}], "no header, rows and footer"),
        ([{"header": HEADER}, *stream(*ROWS)], "something else than rows"),
        (stream(*ROWS)[:-1], "could not be read as a whole in 3 attempts: the stream ended without a footer"),
        (stream(*ROWS)[:1], "the stream ended without a footer"),
        (json.dumps(stream(*ROWS))[:-1], "not JSON"),
        (json.dumps(stream(*ROWS))[: len(json.dumps(stream(*ROWS))) // 2], "not JSON"),
        (STOPPED, "the partner's side failed (HTTP 200 with code 500)"),
        (
            {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}},
            "the partner's rate limit is reached (HTTP 200 with",
        ),
        ([{"error": "no"}], "the partner's side failed (HTTP 200 with code 500)"),
        (stream(header={}), "the header {}"),
        (stream(header=None), "the header None"),
        (stream(header={**HEADER, "localizationSettings": "EUR"}), "the header"),
        (stream(header={**HEADER, "dateRange": WRONG_EDGE}), "the header"),
        (stream(header={**HEADER, "reportingTimeZone": "Mars/Base"}), "'Mars/Base' is not a time zone"),
        (stream(footer={"warnings": ["late"]}), "the footer"),
        (stream(footer={"matchingRowCount": "many"}), "the footer"),
        (stream(ROWS[0], *ROWS), "in 3 attempts: the same row came twice"),
        (stream(OTHER_DAY), "a row of another day"),
        (stream(NO_APP), "no APP in the row"),
        (stream({"metricValues": {}}), "the row"),
        (stream({"dimensionValues": ROWS[0]["dimensionValues"], "metric_values": {}}), "the row"),
        (stream(changed(ESTIMATED_EARNINGS={"microsValue": "1.5"})), "ESTIMATED_EARNINGS is 1.5"),
        (stream(changed(ESTIMATED_EARNINGS={"microsValue": "1e999999"})), "ESTIMATED_EARNINGS is 1E+999999"),
        (stream(changed(ESTIMATED_EARNINGS={"microsValue": "many"})), "'many' is not an amount"),
        (stream(changed(ESTIMATED_EARNINGS={"doubleValue": 1.5})), "ESTIMATED_EARNINGS is {'doubleValue'"),
        (stream(changed(ESTIMATED_EARNINGS={})), "ESTIMATED_EARNINGS is {}"),
        (stream(changed(IMPRESSIONS={"microsValue": "1"})), "IMPRESSIONS is {'microsValue'"),
        (stream(changed(IMPRESSIONS={"integerValue": "-1"})), "-1 is not a count"),
        (stream(changed(ESTIMATED_EARNINGS=None)), "impressions, and no ESTIMATED_EARNINGS in any row"),
    ],
)
def test_what_is_not_a_report_is_never_an_empty_day(server: FakeServer, tmp_path: Path, report: Any, what: str) -> None:
    assert what in refused(server, tmp_path, report).cause


def test_a_stream_that_broke_off_once_is_asked_for_again(server: FakeServer, tmp_path: Path) -> None:
    reports = [stream(*ROWS)[:-1], stream(*ROWS)]
    assert len(ask(server, tmp_path, lambda _: reports.pop(0)).rows) == 4


def test_a_passing_trouble_under_http_200_is_tried_again(server: FakeServer, tmp_path: Path) -> None:
    exhausted = {"error": {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED"}}
    reports = [[exhausted], STOPPED, stream(*ROWS)]
    assert len(ask(server, tmp_path, lambda _: reports.pop(0)).rows) == 4


@pytest.mark.parametrize(
    "report",
    [
        [{**part, "etag": None} for part in stream(*ROWS)],
        stream(*({**each, "segments": [{}]} for each in ROWS)),
        stream(*ROWS, footer={"matchingRowCount": None, "warnings": None, "source": "x"}),
    ],
)
def test_what_else_the_stream_says_does_not_matter(server: FakeServer, tmp_path: Path, report: Any) -> None:
    batch = ask(server, tmp_path, report)
    assert (len(batch.rows), batch.warnings) == (4, ())


# --- warnings and long reports ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [None, {}, {"currencyCode": ""}])
def test_amounts_of_no_currency_are_in_the_configured_one(server: FakeServer, tmp_path: Path, settings: Any) -> None:
    header = {**HEADER, "localizationSettings": settings}
    batch = ask(server, tmp_path, stream(*ROWS, header=header), currency="GBP")
    assert {row.currency for row in batch.rows if isinstance(row, RevenueRow)} == {"GBP"}
    (warning,) = batch.warnings
    assert warning == (
        "AdMob does not say what its amounts are in: taken as GBP. "
        "Set partners.admob.currency if the account has another one."
    )


def test_fewer_rows_than_the_footer_speaks_of_are_told(server: FakeServer, tmp_path: Path) -> None:
    batch = ask(server, tmp_path, stream(*ROWS, footer={"matchingRowCount": 9}))
    assert len(batch.rows) == 4
    assert batch.warnings == ("AdMob sent 4 rows where its footer speaks of 9.",)


def test_warnings_and_missing_earnings_are_handed_on(server: FakeServer, tmp_path: Path) -> None:
    warnings = [{"type": "DATA_DELAYED", "description": "Later."}, {"type": "OTHER"}, {"description": "Unnamed."}]
    without = row("ca-app-pub-1~3", "US", "1")
    del without["metricValues"]["ESTIMATED_EARNINGS"]
    del without["metricValues"]["CLICKS"]
    batch = ask(server, tmp_path, stream(*ROWS, without, footer={"warnings": warnings}))
    assert batch.warnings == (
        "AdMob says DATA_DELAYED: Later.",
        "AdMob says OTHER: ",
        "AdMob says OTHER: Unnamed.",
        "1 rows came without ESTIMATED_EARNINGS, which count as 0.",
    )
    (found,) = [each for each in batch.rows if isinstance(each, RevenueRow) and each.app_id == "ca-app-pub-1~3"]
    assert (found.revenue, found.impressions, found.clicks) == (0, 7, None)


class Short(AdMob):
    row_limit = 3


def in_parts(spec: Any, moving: bool = False) -> Any:
    """A report of two apps, of two rows each."""
    rows = [row(app, country, "100") for app in ("a", "b") for country in ("US", "DE")]
    kept = {each["dimension"]: each["matchesAny"]["values"] for each in spec.get("dimensionFilters", [])}
    rows = [r for r in rows if all(r["dimensionValues"][name]["value"] in values for name, values in kept.items())]
    if spec["dimensions"] == ["DATE", "APP"]:
        rows = [row(app, "", "199" if moving else "200", "14", "2") for app in ("a", "b")]
    return stream(*rows[: spec["maxReportRows"]])


def test_a_report_that_is_too_long_is_asked_for_in_parts(server: FakeServer, tmp_path: Path) -> None:
    asked: list[Any] = []
    batch = ask(server, tmp_path, lambda spec: asked.append(spec) or in_parts(spec), connector=Short)
    assert len(batch.rows) == 4
    assert [spec.get("dimensionFilters") for spec in asked] == [
        None,
        None,
        [{"dimension": "APP", "matchesAny": {"values": ["a"]}}],
        [{"dimension": "APP", "matchesAny": {"values": ["b"]}}],
    ]


def test_parts_that_are_not_the_whole_are_an_error(server: FakeServer, tmp_path: Path) -> None:
    error = refused(server, tmp_path, lambda spec: in_parts(spec, moving=True), connector=Short)
    assert "in 3 attempts: the parts by APP do not add up to the whole" in error.cause


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({}, ("publisher_id",)),
        ({"publisher_id": "ca-app-pub-1~2"}, ("publisher_id",)),
        ({"publisher_id": "pub-1", "report": "campaign"}, ("report",)),
    ],
)
def test_options_that_cannot_work_name_their_key(options: dict[str, Any], where: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        AdMob(account("", credentials=SECRETS, options=options))
    assert [mistake["loc"] for mistake in caught.value.errors()] == [where]
