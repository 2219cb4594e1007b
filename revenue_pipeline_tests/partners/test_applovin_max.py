from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

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
    assert "could not be read as a whole in 3 attempts: the same row came on two pages" in error.cause
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
