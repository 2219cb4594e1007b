from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from revenue_pipeline.partners.applovin_max import AppLovinMax
from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import Import, PartnerError, RevenueRow, import_day
from revenue_pipeline.partners.http import HttpOptions
from revenue_pipeline_tests.partners.conftest import IMPATIENT, QUICK, SECRET, SLOW, FakeServer, Reply, Request, account

DAY = date(2026, 10, 5)
AS_OF = date(2026, 10, 6)

REPORT = [  # as AppLovin sends it: every value a string, the country in lower case
    {"package_name": "com.acme.game", "country": "de", "platform": "android", "ad_format": "BANNER",
     "max_ad_unit_id": "b1", "impressions": "1000", "estimated_revenue": "0.123456789"},
    {"package_name": "com.acme.game", "country": "us", "platform": "android", "ad_format": "INTER",
     "max_ad_unit_id": "i1", "impressions": "200", "estimated_revenue": "3.1"},
    {"package_name": "com.acme.game", "country": "us", "platform": "ios", "ad_format": "INTER",
     "max_ad_unit_id": "i2", "impressions": "50", "estimated_revenue": "0.000000001"},
    {"package_name": "com.acme.quiz", "country": "", "platform": "ios", "ad_format": "REWARD",
     "max_ad_unit_id": "r1", "impressions": "7", "estimated_revenue": "-0.25"},
]  # fmt: skip
ALL = ("app_id", "platform", "country", "ad_format", "ad_unit_id")


class FakeMax:
    """maxReport as the vendor documents it: columns, sorting, limit and offset; an empty set beyond the last row."""

    def __init__(self, report: list[dict[str, str]], page_cap: int = 100, total_count: bool = False) -> None:
        self.report = report
        self.page_cap = page_cap
        self.total_count = total_count

    def __call__(self, request: Request) -> Reply:
        query = request.query
        if query["api_key"] != SECRET:
            return Reply({"code": 403, "message": f"bad key {query['api_key']}"}, status=403)
        assert request.path == "/maxReport"
        assert query["start"] == query["end"]
        assert query["format"] == "json"
        columns = query["columns"].split(",")
        rows = [{"day": query["start"], **row} for row in self.report]
        rows = [{column: row[column] for column in columns} for row in rows]
        sorts = [name.removeprefix("sort_") for name in query if name.startswith("sort_")]
        rows.sort(key=lambda row: [row[column] for column in sorts])
        offset = int(query["offset"])
        page = rows[offset : offset + min(int(query["limit"]), self.page_cap)]
        return Reply({"code": 200, "count": len(rows) if self.total_count else len(page), "results": page})


def ask(server: FakeServer, folder: Path, grain: tuple[str, ...] = ALL, options: HttpOptions = QUICK) -> Import:
    connector = AppLovinMax(account(server.url, grain=grain))
    return import_day(connector, DAY, AS_OF, Archive(folder), options)


def refused(server: FakeServer, folder: Path) -> PartnerError:
    with pytest.raises(PartnerError) as caught:
        ask(server, folder)
    return caught.value


# --- a day -----------------------------------------------------------------------------------------------------------


def test_a_day_of_the_full_grain(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeMax(REPORT)
    batch = ask(server, tmp_path)

    def row(keys: str, impressions: int, revenue: str) -> RevenueRow:
        app_id, platform, country, ad_format, ad_unit_id = (key or None for key in keys.split("|"))
        return RevenueRow(
            report_date=DAY, app_id=app_id, platform=platform, country=country, ad_format=ad_format,
            ad_unit_id=ad_unit_id, impressions=impressions, revenue=Decimal(revenue), currency="USD",
        )  # fmt: skip

    assert set(batch.rows) == {
        row("com.acme.game|android|DE|banner|b1", 1000, "0.123456789"),
        row("com.acme.game|android|US|inter|i1", 200, "3.1"),
        row("com.acme.game|ios|US|inter|i2", 50, "0.000000001"),
        row("com.acme.quiz|ios||reward|r1", 7, "-0.25"),
    }
    assert len(batch.rows) == 4
    assert sum(row.revenue for row in batch.rows) == Decimal("2.973456790")


def test_what_is_asked_for(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeMax([])
    ask(server, tmp_path, grain=("app_id", "country"))
    assert server.requests[0].query == {
        "api_key": SECRET,
        "start": "2026-10-05",
        "end": "2026-10-05",
        "columns": "day,package_name,country,impressions,estimated_revenue",
        "format": "json",
        "limit": "10000",
        "offset": "0",
        "sort_day": "ASC",
        "sort_package_name": "ASC",
        "sort_country": "ASC",
    }


def test_a_day_of_the_empty_grain(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeMax([{"impressions": "1257", "estimated_revenue": "2.97345679"}])
    batch = ask(server, tmp_path, grain=())
    assert batch.rows == (RevenueRow(report_date=DAY, impressions=1257, revenue=Decimal("2.97345679"), currency="USD"),)


def test_an_empty_day_is_an_empty_batch(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeMax([])
    assert ask(server, tmp_path).rows == ()
    server.replies, server.answer = [Reply({"code": 200, "count": 0, "results": None})], server._next_reply
    assert ask(server, tmp_path).rows == ()


def test_numbers_are_taken_as_exactly_as_strings(server: FakeServer, tmp_path: Path) -> None:
    body = (
        b'{"code": "200", "results": [{"day": "2026-10-05", "package_name": 12, '
        b'"impressions": 3, "estimated_revenue": 0.1000000000000000055}]}'
    )
    server.replies = [Reply(body), Reply({"code": 200, "results": []})]
    (row,) = ask(server, tmp_path, grain=("app_id",)).rows
    assert (row.app_id, row.impressions, row.revenue) == ("12", 3, Decimal("0.1000000000000000055"))


# --- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("total_count", [False, True])
@pytest.mark.parametrize("page_cap", [1, 2, 3, 4])
def test_pages_shorter_than_asked_for_are_not_the_last(
    server: FakeServer, tmp_path: Path, page_cap: int, total_count: bool
) -> None:
    server.answer = FakeMax(REPORT, page_cap, total_count)
    batch = ask(server, tmp_path)
    assert len(batch.rows) == 4
    offsets = [int(request.query["offset"]) for request in server.requests]
    assert offsets == [*range(0, 4, page_cap), 4]
    assert len(list(batch.archive.glob("*.gz"))) == len(offsets)


def test_paging_does_not_change_the_import_id(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeMax(REPORT)
    whole = ask(server, tmp_path)
    server.answer = FakeMax(REPORT, page_cap=3)
    assert ask(server, tmp_path).import_id == whole.import_id


def test_a_report_that_moves_between_pages_is_read_again(server: FakeServer, tmp_path: Path) -> None:
    early = {**REPORT[0], "package_name": "com.acme.a"}
    fake = FakeMax(REPORT, page_cap=2)

    def moving(request: Request) -> Reply:
        if len(server.requests) == 2:  # after the first page a row appears before all others
            fake.report = [early, *REPORT]
        return fake(request)

    server.answer = moving
    batch = ask(server, tmp_path)
    assert len(batch.rows) == 5
    assert [request.query["offset"] for request in server.requests] == ["0", "2", "0", "2", "4", "5"]


def test_a_report_that_never_stands_still_is_an_error(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeMax([], page_cap=2)

    def moving(request: Request) -> Reply:
        newest = f"com.acme.{1000 - len(server.requests)}"
        fake.report = [{**REPORT[0], "package_name": newest}, *(fake.report or REPORT)]
        return fake(request)

    server.answer = moving
    error = refused(server, tmp_path)
    assert "could not be read as a whole in 3 attempts: the same row came twice" in error.cause
    assert len(server.requests) == 6


def test_an_ignored_offset_is_an_error(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeMax(REPORT)
    server.answer = lambda request: fake(Request("GET", request.path, {**request.query, "offset": "0"}, {}, b""))
    assert "the partner sent the same page twice" in refused(server, tmp_path).cause
    assert len(server.requests) == 6


@pytest.mark.parametrize(("first", "last"), [(9, 0), (3, 0), (4, 4), (4, 9), ("4", 1)])
def test_a_count_that_fits_neither_the_page_nor_the_report(
    server: FakeServer, tmp_path: Path, first: object, last: object
) -> None:
    fake = FakeMax(REPORT)

    def lying(request: Request) -> Reply:
        body = json.loads(json.dumps(fake(request).body))
        return Reply({**body, "count": last if request.query["offset"] == "4" else first})

    server.answer = lying
    if (first, last) == (4, 4):
        assert len(ask(server, tmp_path).rows) == 4
    else:
        assert "`count` speaks of" in refused(server, tmp_path).cause


def test_a_row_that_came_twice_on_one_page_is_an_error(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeMax([*REPORT, REPORT[0]], page_cap=10)
    assert "in 3 attempts: the same row came twice" in refused(server, tmp_path).cause


# --- refusals --------------------------------------------------------------------------------------------------------


def changed(**changes: object) -> Callable[[Request], Reply]:
    """The report with its first row changed; `None` takes the column out."""

    def answer(request: Request) -> Reply:
        reply = FakeMax(REPORT)(request)
        body = json.loads(json.dumps(reply.body))
        for row in body["results"][:1]:
            row.update(changes)
            for column in [name for name, value in row.items() if value is None]:
                del row[column]
        return Reply(body)

    return answer


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"estimated_revenue": None}, "a row without `estimated_revenue`"),
        ({"impressions": None}, "a row without `impressions`"),
        ({"max_ad_unit_id": None}, "a row without `max_ad_unit_id`"),
        ({"day": None}, "a row without `day`"),
        ({"day": "2026-10-04"}, "a row of day '2026-10-04'"),
        ({"estimated_revenue": "1,234.5"}, "'1,234.5' is not an amount of money in the row"),
        ({"estimated_revenue": ""}, "'' is not an amount of money in the row"),
        ({"impressions": "3.5"}, "'3.5' is not a count in the row"),
        ({"country": True}, "True is not text in the row"),
        ({"impressions": "-3"}, "-3 is not a count"),
    ],
)
def test_a_row_that_is_not_as_asked_for(
    server: FakeServer, tmp_path: Path, changes: dict[str, object], what: str
) -> None:
    server.answer = changed(**changes)
    error = refused(server, tmp_path)
    assert error.cause.startswith("applovin_max 2026-10-05: ")
    assert what in error.cause
    assert "revenue-reporting-api" in error.remedy


@pytest.mark.parametrize(
    ("reply", "what"),
    [
        (Reply({"code": 500, "count": 0, "results": []}), "the partner's side failed (HTTP 200 with code 500)"),
        (Reply({"code": "401", "results": []}), "the partner refused the credentials (HTTP 200 with code 401)"),
        (Reply({"results": []}), "no `code`"),
        (Reply({"code": 200, "count": 0}), "no list of `results`"),
        (Reply({"code": 200, "results": None}), "no list of `results`"),
        (Reply({"code": 200, "count": 2, "results": None}), "no list of `results`"),
        (Reply({"code": 200, "results": {}}), "no list of `results`"),
        (Reply({"code": 200, "results": [["day"]]}), "a row without `day`"),
        (Reply([]), "no `code`"),
        (Reply("<html>Sign in</html>"), "something that is not JSON (HTTP 200): '<html>Sign in</html>'"),
        (Reply(status=204), "the partner refused the request (HTTP 204)"),
        (Reply("no such column", status=400), "the partner refused the request (HTTP 400): 'no such column'"),
        (Reply("gone", status=410), "the partner refused the request (HTTP 410)"),
    ],
)
def test_what_is_not_a_report_is_never_an_empty_day(
    server: FakeServer, tmp_path: Path, reply: Reply, what: str
) -> None:
    server.replies = [reply]
    error = refused(server, tmp_path)
    assert error.cause.startswith("applovin_max 2026-10-05: ")
    assert what in error.cause


@pytest.mark.parametrize("code", [429, "503"])
def test_a_passing_trouble_under_http_200_is_tried_again(server: FakeServer, tmp_path: Path, code: object) -> None:
    fake = FakeMax(REPORT)
    trouble = Reply({"code": code, "message": "Too many requests"})
    server.answer = lambda request: trouble if len(server.requests) == 1 else fake(request)
    assert len(ask(server, tmp_path).rows) == len(REPORT)


@pytest.mark.parametrize(
    "reply",
    [
        Reply("Requests are limited to the last 45 days", status=400),
        Reply("start is outside the 45-day request window"),
        Reply({"code": 400, "message": "Outside the request window of 45 days"}),
        Reply({"code": 403, "message": "45 day window"}, status=403),
    ],
)
def test_a_refusal_for_the_window_says_what_to_do_instead(server: FakeServer, tmp_path: Path, reply: Reply) -> None:
    server.replies = [reply]
    assert refused(server, tmp_path).remedy.startswith(
        "Export it at the partner and land it as files: <landing>/partner_revenue/date=2026-10-05/."
    )


def test_a_wrong_key_is_not_shown(server: FakeServer, tmp_path: Path) -> None:
    wrong = account(server.url, credentials={"api_key": "wrong/key-123456"})
    server.answer = FakeMax(REPORT)
    with pytest.raises(PartnerError) as caught:
        import_day(AppLovinMax(wrong), DAY, AS_OF, Archive(tmp_path), QUICK)
    assert str(caught.value).startswith(
        "applovin_max 2026-10-05: the partner refused the credentials (HTTP 403): "
        '\'{"code": 403, "message": "bad key ***"}\'. Check the environment variable APPLOVIN_API_KEY. The raw'
    )
    answer = next(tmp_path.rglob("0001.json.gz"))
    assert gzip.decompress(answer.read_bytes()) == b'{"code": 403, "message": "bad key ***"}'
    assert "wrong/key" not in next(tmp_path.rglob("requests.ndjson")).read_text()


# --- troubles that pass ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [
        Reply("slow down", status=429, headers={"Retry-After": "0"}),
        Reply("<html>error</html>", status=500),
        Reply(b'{"code": 200, "count": 1, "results": [', withheld=100),
        Reply(b'{"code": 200, "count": 1, "results": [', chunked=True),
        Reply(delay=SLOW),
    ],
    ids=["429", "500", "length", "chunked", "timeout"],
)
def test_a_passing_trouble_on_the_second_page_changes_nothing(
    server: FakeServer, tmp_path: Path, trouble: Reply
) -> None:
    fake = FakeMax(REPORT, page_cap=2)
    server.answer = lambda request: trouble if len(server.requests) == 2 else fake(request)
    assert len(ask(server, tmp_path, options=IMPATIENT if trouble.delay else QUICK).rows) == 4
    assert [request.query["offset"] for request in server.requests] == ["0", "2", "2", "4"]


# --- user-level ------------------------------------------------------------------------------------------------------

SIGNATURE = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
SUMS = """Ad Unit ID,Placement,IDFA,IDFV,User Id,Impressions,Revenue
b1,,A-1,V-1,ann,12,0.012345
b1,shop,A-1,V-1,ann,1,0.000001
i1,,,V-2,,3,0.5
"""
_HEADINGS = (
    *("Date", "Ad Unit ID", "Ad Unit Name", "Waterfall", "Ad Format", "Placement", "Country", "Device Type"),
    *("IDFA", "IDFV", "User Id", "Revenue", "Ad Placement", "Network", "Custom Data"),
)
_CUSTOM = '"{""level"": 3, ""a"": ""b""}"'
_SHOWN = f"15:53:07.39,b1,Banner,Default,BANNER,,us,PHONE,,V-1,ann,0.000123,,ADMOB_BIDDING,{_CUSTOM}"
IMPRESSIONS = f"""{",".join(_HEADINGS)}
2026-10-05 {_SHOWN}
2026-10-05 {_SHOWN}
2026-10-05 23:59:59.99,i1,Inter,Default,INTER,,de,TABLET,,V-2,,0.01,,UNITY_BIDDING,
"""
IOS = {"platform": "ios", "application": "com.acme.game"}
ANDROID = {"platform": "android", "store_id": "com.acme.game"}


class FakeUsers:
    """userAdRevenueReport as documented, and the storage its addresses point to."""

    def __init__(self, files: FakeServer, sums: str = SUMS, impressions: str = IMPRESSIONS, **reply: Any) -> None:
        self.files = files
        self.reply = reply
        files.answer = lambda request: Reply(impressions if request.path.endswith("impressions") else sums)

    def __call__(self, request: Request) -> Reply:
        assert request.path == "/max/userAdRevenueReport"
        kind = {"true": "sums", "false": "impressions"}[request.query["aggregated"]]
        url = f"{self.files.url}/full-{kind}?X-Amz-Signature={SIGNATURE}&X-Amz-Expires=3600"
        names = {"url": url.replace("full", "basic"), "ad_revenue_report_url": url, "status": 200, **self.reply}
        reply = {name: value for name, value in names.items() if value is not None}
        return Reply(json.dumps(reply).replace("/", "\\/").encode())


def ask_users(
    server: FakeServer,
    folder: Path,
    grain: tuple[str, ...] = ("app_id", "platform", "ad_unit_id"),
    day: date = DAY,
    apps: list[dict[str, str]] | None = None,
    **options: str,
) -> Import:
    set_up = account(server.url, granularity="user_level", grain=grain, options={"apps": apps or [IOS], **options})
    return import_day(AppLovinMax(set_up), day, max(day, AS_OF) if day == DAY else day, Archive(folder), QUICK)


def refused_users(server: FakeServer, folder: Path, **changes: Any) -> PartnerError:
    with pytest.raises(PartnerError) as caught:
        ask_users(server, folder, **changes)
    return caught.value


def told(batch: Import) -> list[tuple[str | None, str | None, int | None, Decimal]]:
    rows = [row for row in batch.rows if isinstance(row, RevenueRow)]
    return [(row.user_id, row.ad_unit_id, row.impressions, row.revenue) for row in rows]


def test_the_sums_of_users(server: FakeServer, other_server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeUsers(other_server)
    batch = ask_users(server, tmp_path)
    assert sorted(told(batch), key=str) == [
        ("ann", "b1", 1, Decimal("0.000001")),
        ("ann", "b1", 12, Decimal("0.012345")),
        (None, "i1", 3, Decimal("0.5")),
    ]
    assert {(row.app_id, row.platform, row.country) for row in batch.rows if isinstance(row, RevenueRow)} == {
        ("com.acme.game", "ios", None)
    }
    assert server.requests[0].query == {
        "api_key": SECRET,
        "date": "2026-10-05",
        "platform": "ios",
        "application": "com.acme.game",
        "aggregated": "true",
    }
    assert batch.warnings == ()


def test_equal_impressions_are_as_many_impressions(
    server: FakeServer, other_server: FakeServer, tmp_path: Path
) -> None:
    server.answer = FakeUsers(other_server)
    batch = ask_users(server, tmp_path, grain=("app_id", "country", "ad_format", "ad_unit_id"))
    assert server.requests[0].query["aggregated"] == "false"
    assert told(batch) == [
        (None, "i1", 1, Decimal("0.01")),
        ("ann", "b1", 1, Decimal("0.000123")),
        ("ann", "b1", 1, Decimal("0.000123")),
    ]
    assert {(row.country, row.ad_format) for row in batch.rows if isinstance(row, RevenueRow)} == {
        ("US", "banner"),
        ("DE", "inter"),
    }


def test_every_app_is_asked_for_as_it_is_named(server: FakeServer, other_server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeUsers(other_server)
    numbered = {"platform": "ios", "store_id": "1207472156"}
    batch = ask_users(server, tmp_path, apps=[IOS, ANDROID, numbered])
    asked = [(r.query["platform"], r.query.get("application"), r.query.get("store_id")) for r in server.requests]
    assert asked == [
        ("ios", "com.acme.game", None),
        ("android", None, "com.acme.game"),
        ("ios", None, "1207472156"),
    ]
    apps = [(row.app_id, row.platform) for row in batch.rows if isinstance(row, RevenueRow)]
    assert len(apps) == 9
    assert set(apps) == {("com.acme.game", "ios"), ("com.acme.game", "android"), ("1207472156", "ios")}


def test_the_user_may_be_a_device(server: FakeServer, other_server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeUsers(other_server)
    assert {user for user, *_ in told(ask_users(server, tmp_path, user="idfv"))} == {"V-1", "V-2"}


@pytest.mark.parametrize("heading", ["User ID", "user_id", "USER ID", " User Id "])
def test_headings_are_spelled_in_many_ways(
    server: FakeServer, other_server: FakeServer, tmp_path: Path, heading: str
) -> None:
    server.answer = FakeUsers(other_server, sums="\ufeff" + SUMS.replace("User Id", heading))
    assert {user for user, *_ in told(ask_users(server, tmp_path))} == {"ann", None}


def test_the_storage_gets_no_credentials_and_nobody_is_shown_the_signature(
    server: FakeServer, other_server: FakeServer, tmp_path: Path
) -> None:
    server.answer = FakeUsers(other_server)
    batch = ask_users(server, tmp_path)
    (asked,) = other_server.requests
    assert asked.query == {"X-Amz-Signature": SIGNATURE, "X-Amz-Expires": "3600"}
    assert SECRET not in str(asked.headers)
    kept = b"".join(gzip.decompress(path.read_bytes()) for path in sorted(batch.archive.glob("*.gz"))).decode()
    assert "ad_revenue_report_url" in kept
    assert SUMS in kept
    assert SIGNATURE not in kept + (batch.archive / "requests.ndjson").read_text()


def test_a_storage_that_refuses_fails_the_day_and_shows_no_signature(
    server: FakeServer, other_server: FakeServer, tmp_path: Path
) -> None:
    server.answer = FakeUsers(other_server)
    other_server.answer = lambda _: Reply(f"<Error>Request has expired: {SIGNATURE}</Error>", status=403)
    error = refused_users(server, tmp_path)
    assert "<Error>Request has expired: ***</Error>" in error.cause
    assert SIGNATURE not in str(error)


@pytest.mark.parametrize("status", [404, 200])
@pytest.mark.parametrize(
    ("text", "warns"),
    [
        ("No Mediation App Id found for platform: ios", True),
        ("Data does not exist for specified date", False),
        ('{"code": 404, "message": "No data for the date 2026-10-05"}', False),
    ],
)
def test_404_with_such_a_text_is_an_app_without_revenue(
    server: FakeServer, other_server: FakeServer, tmp_path: Path, text: str, warns: bool, status: int
) -> None:
    users = FakeUsers(other_server)
    refusal = Reply(text, status=404) if status == 404 else Reply({"status": "404", "message": text})
    server.answer = lambda request: refusal if request.query["platform"] == "ios" else users(request)
    batch = ask_users(server, tmp_path, apps=[IOS, ANDROID])
    assert len(batch.rows) == 3
    assert bool(batch.warnings) == warns
    assert ask_users(server, tmp_path).rows == ()


@pytest.mark.parametrize(
    ("reply", "what"),
    [
        (Reply("No route here", status=404), "the partner refused the request (HTTP 404): 'No route here'"),
        (Reply("<html>404 Not Found</html>", status=404), "the partner refused the request (HTTP 404)"),
        (Reply("Data does not exist for specified date", status=400), "the partner refused the request (HTTP 400)"),
        (Reply({"status": 404, "message": "Not found"}), "the partner refused the request (HTTP 200 with code 404)"),
        (Reply({"status": 500}), "the partner's side failed (HTTP 200 with code 500)"),
        (Reply({"status": "error"}), "the partner's side failed (HTTP 200 with code 500)"),
        (Reply({"status": 401, "message": SECRET}), "the partner refused the credentials (HTTP 200 with code 401)"),
        (Reply({}), "no address of a file"),
        (Reply([]), "no address of a file"),
        (Reply({"status": 200, "ad_revenue_report_url": 7}), "no address of a file"),
        (Reply({"status": 200, "ad_revenue_report_url": "report.csv"}), "'report.csv' as the address of a file"),
        (Reply(status=204), "the partner refused the request (HTTP 204)"),
    ],
)
def test_what_gives_no_address_is_never_an_app_without_revenue(
    server: FakeServer, tmp_path: Path, reply: Reply, what: str
) -> None:
    server.replies = [reply]
    error = refused_users(server, tmp_path)
    assert what in error.cause
    assert SECRET not in str(error)


@pytest.mark.parametrize("status", [429, "503"])
def test_a_passing_trouble_under_http_200_is_tried_again_for_users_too(
    server: FakeServer, other_server: FakeServer, tmp_path: Path, status: object
) -> None:
    users = FakeUsers(other_server)
    trouble = Reply({"status": status, "message": "Too many requests"})
    server.answer = lambda request: trouble if len(server.requests) == 1 else users(request)
    assert len(ask_users(server, tmp_path).rows) == 3


def test_the_window_holds_for_users_too(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply("Request window must be within the last 45 days", status=400)]
    assert "only the last 45 days" in refused_users(server, tmp_path).cause


def test_the_basic_file_will_do_but_lacks_something(
    server: FakeServer, other_server: FakeServer, tmp_path: Path
) -> None:
    server.answer = FakeUsers(other_server, ad_revenue_report_url=None)
    batch = ask_users(server, tmp_path)
    assert other_server.requests[0].path == "/basic-sums"
    assert batch.warnings == ("The file of com.acme.game on ios lacks what AppLovin estimates for Meta's ads.",)


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("", "no headings"),
        ("<html>Sign in</html>", "no column ad_unit_id among html_sign_in_html"),
        (SUMS.replace("Revenue", "Earnings"), "no column revenue among"),
        (SUMS.replace("Impressions", "Views"), "no column impressions among"),
        (SUMS.replace("User Id", "Player"), "no column user_id among"),
        (SUMS.replace("Ad Unit ID", "Unit"), "no column ad_unit_id among"),
        (SUMS.replace("Placement", "User Id"), "one of them twice"),
        (SUMS[: SUMS.index(",3,0.5")], "line 4 has 5 values under 7 headings"),
        (SUMS + 'b1,,,,"ann', "unexpected end of data"),
        (SUMS.replace("0.012345", "0,012345"), "line 2 has 8 values under 7 headings"),
        (SUMS.replace("0.012345", "n/a"), "'n/a' is not an amount of money"),
        (SUMS.replace("0.012345", ""), "'' is not an amount of money"),
        (SUMS.replace("ann,12", "ann,many"), "'many' is not an amount of money"),
    ],
)
def test_a_file_that_is_not_as_documented_is_an_error(
    server: FakeServer, other_server: FakeServer, tmp_path: Path, file: str, what: str
) -> None:
    server.answer = FakeUsers(other_server, sums=file)
    error = refused_users(server, tmp_path)
    assert what in error.cause
    assert "in the file of com.acme.game on ios" in error.cause


def test_impressions_of_another_day_are_an_error(server: FakeServer, other_server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeUsers(other_server, impressions=IMPRESSIONS.replace("2026-10-05 23", "2026-10-04 23"))
    assert "impressions of another day" in refused_users(server, tmp_path, grain=("country",)).cause


def test_a_file_with_headings_only_is_an_app_without_revenue(
    server: FakeServer, other_server: FakeServer, tmp_path: Path
) -> None:
    server.answer = FakeUsers(other_server, sums=SUMS.partition("\n")[0] + "\n")
    assert ask_users(server, tmp_path).rows == ()


def test_an_unknown_revenue_counts_as_nothing_only_while_it_was_written_so(
    server: FakeServer, other_server: FakeServer, tmp_path: Path
) -> None:
    old = date(2022, 1, 10)
    file = IMPRESSIONS.replace("0.000123", "-1").replace("0.01,", "-0.5,")
    server.answer = FakeUsers(other_server, impressions=file.replace("2026-10-05", "2022-01-10"))
    batch = ask_users(server, tmp_path, grain=("app_id",), day=old)
    assert sorted(paid for *_, paid in told(batch)) == [Decimal("-0.5"), 0, 0]  # by impressions, where alone it shows
    assert batch.warnings == ("2 impressions of com.acme.game on ios have an unknown revenue, counted as 0.",)
    server.answer = FakeUsers(other_server, impressions=file)
    since = ask_users(server, tmp_path, grain=("country",))
    assert sorted(paid for *_, paid in told(since)) == [-1, -1, Decimal("-0.5")]
    assert since.warnings == ()


@pytest.mark.parametrize(
    ("options", "where", "what"),
    [
        ({}, ("apps",), "missing: user-level revenue is asked for app by app"),
        ({"apps": [IOS, IOS]}, ("apps",), "named twice"),
        ({"apps": [{"platform": "ios"}]}, ("apps", 0), "give either application or store_id"),
        ({"apps": [{**IOS, "store_id": "1"}]}, ("apps", 0), "give either application or store_id"),
        ({"apps": [{**IOS, "platform": "web"}]}, ("apps", 0, "platform"), "'android', 'fireos' or 'ios'"),
        ({"apps": [IOS], "user": "email"}, ("user",), "'user_id', 'idfv' or 'idfa'"),
    ],
)
def test_options_that_cannot_work_name_their_key(options: dict[str, Any], where: tuple[object, ...], what: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AppLovinMax(account("", granularity="user_level", options=options))
    (mistake,) = caught.value.errors()
    assert mistake["loc"] == where
    assert what in mistake["msg"]
