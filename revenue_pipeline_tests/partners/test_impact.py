from __future__ import annotations

import base64
import gzip
import logging
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from pydantic import ValidationError

from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import ConversionRow, Import, PartnerError, import_day, restated_days
from revenue_pipeline.partners.impact import Impact
from revenue_pipeline_tests.partners.conftest import QUICK, SECRET, FakeServer, Reply, Request, account

DAY = date(2026, 10, 5)
AS_OF = date(2026, 10, 6)
SID = "IRsid0123456789"
ZONE = "America/Los_Angeles"


def action(number: int, **changes: Any) -> dict[str, Any]:
    """One action as the partner writes it: every value a text, times with the account's offset, none as empty texts."""
    fields: dict[str, Any] = {
        "Id": f"1000.4636.{number}",
        "CampaignId": "1000",
        "CampaignName": "Shoes",
        "State": "PENDING",
        "Payout": "4.15",
        "DeltaPayout": "0.00",
        "IntendedPayout": "4.15",
        "Amount": "83.00",
        "Currency": "USD",
        "EventDate": f"2026-10-05T{number:02d}:00:00-07:00",
        "CreationDate": f"2026-10-05T{number:02d}:05:00-07:00",
        "LockingDate": "2026-11-20T23:00:00-08:00",
        "ClearedDate": "",
        "SubId1": f"click-{number}",
        "SubId2": "",
        "SubId3": "",
        "SharedId": "",
        "Uri": f"/Mediapartners/{SID}/Actions/1000.4636.{number}",
    }
    return {**fields, **changes}


class FakeImpact:
    """The lists as documented: relative addresses of further pages, and no list at all on an empty page."""

    def __init__(
        self, report: list[dict[str, Any]], size: int = 20_000, updates: list[dict[str, Any]] | None = None
    ) -> None:
        self.report = report
        self.updates = updates or []
        self.size = size

    def __call__(self, request: Request) -> Reply:
        headers = {name.lower(): value for name, value in request.headers.items()}
        pair = base64.b64encode(f"{SID}:{SECRET}".encode()).decode()
        if headers.get("authorization") != f"Basic {pair}":
            return Reply({"Status": "ERROR", "Message": f"Access denied {SID} {SECRET}"}, status=401)
        assert headers["accept"] == "application/json"
        prefix, _, resource = request.path.rpartition("/")
        assert prefix == f"/Mediapartners/{SID}"
        report = {"Actions": self.report, "ActionUpdates": self.updates}[resource]
        page = int(request.query.get("Page", 1))
        rows = report[self.size * (page - 1) : self.size * page]
        pages = -(-len(report) // self.size)
        following = {**request.query, "Page": str(page + 1)}
        body: dict[str, Any] = {
            "@page": str(page),
            "@numpages": str(pages),
            "@pagesize": str(self.size),
            "@total": str(len(report)),
            "@uri": request.path,
            "@nextpageuri": f"{request.path}?{urlencode(following)}" if page < pages else "",
        }
        return Reply({**body, resource: rows} if rows else body)


def connector(server: FakeServer, **changes: Any) -> Impact:
    fields = {
        "name": "net",
        "granularity": None,
        "grain": (),
        "timezone": ZONE,
        "credentials": {"account_sid": SID, "auth_token": SECRET},
        "credential_variables": {"account_sid": "IMPACT_SID", "auth_token": "IMPACT_TOKEN"},
    }
    return Impact(account(**{"base_url": server.url, **fields, **changes}))


def ask(server: FakeServer, folder: Path, **changes: Any) -> Import:
    return import_day(connector(server, **changes), DAY, AS_OF, Archive(folder), QUICK)


def refused(server: FakeServer, folder: Path, **changes: Any) -> PartnerError:
    with pytest.raises(PartnerError) as caught:
        ask(server, folder, **changes)
    return caught.value


def rows(batch: Import) -> dict[str, ConversionRow]:
    return {row.conversion_id: row for row in batch.rows if isinstance(row, ConversionRow)}


# --- a day -----------------------------------------------------------------------------------------------------------


def test_a_day_in_every_state(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeImpact(
        [
            action(1),
            action(2, State="APPROVED", Payout="12.3456789", SubId1=""),
            action(3, State="REVERSED", Payout="0.00", Currency="EUR"),
        ]
    )
    found = rows(ask(server, tmp_path))
    assert found["1000.4636.1"] == ConversionRow(
        conversion_id="1000.4636.1",
        click_id="click-1",
        offer_id="1000",
        payout=Decimal("4.15"),
        currency="USD",
        converted_at=datetime(2026, 10, 5, 8, tzinfo=timezone.utc),
        status="pending",
    )
    assert [(row.status, row.payout, row.currency, row.click_id) for row in found.values()][1:] == [
        ("approved", Decimal("12.3456789"), "USD", None),
        ("reversed", Decimal("0.00"), "EUR", "click-3"),
    ]


def test_what_is_asked_for(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeImpact([])
    assert ask(server, tmp_path).rows == ()
    (request,) = server.requests
    assert request.query == {
        "ActionDateStart": "2026-10-04T07:00:00Z",
        "ActionDateEnd": "2026-10-07T07:00:00Z",
        "PageSize": "20000",
    }
    assert request.headers["IR-Version"] == "16"


def test_the_partners_day_is_kept_to_the_second_and_nothing_of_its_neighbours(
    server: FakeServer, tmp_path: Path
) -> None:
    server.answer = FakeImpact(
        [
            action(1, EventDate="2026-10-04T23:59:59-07:00"),
            action(2, EventDate="2026-10-05T00:00:00-07:00"),
            action(3, EventDate="2026-10-06T06:59:59Z"),
            action(4, EventDate="2026-10-05T23:59:59-0700"),
            action(5, EventDate="2026-10-06T00:00:00-07:00"),
        ]
    )
    assert sorted(rows(ask(server, tmp_path))) == ["1000.4636.2", "1000.4636.3", "1000.4636.4"]


def test_an_action_that_says_little_is_kept(server: FakeServer, tmp_path: Path) -> None:
    little = {name: action(1)[name] for name in ("Id", "State", "Payout", "EventDate")}
    server.answer = FakeImpact([little])
    row = rows(ask(server, tmp_path, currency="GBP"))["1000.4636.1"]
    assert (row.currency, row.click_id, row.offer_id) == ("GBP", None, None)


def test_which_field_carries_the_click_is_an_option(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeImpact([action(1, SubId3="sub-3")])
    assert rows(ask(server, tmp_path, options={"click_id": "SubId3"}))["1000.4636.1"].click_id == "sub-3"
    for wrong in ({"click_id": "SubId4"}, {"page_size": "1999"}, {"version": "x"}):
        with pytest.raises(ValidationError):
            connector(server, options=wrong)


# --- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 20_000])
def test_pages_are_followed_to_the_end(server: FakeServer, tmp_path: Path, size: int) -> None:
    server.answer = FakeImpact([action(number) for number in (1, 2, 3)], size)
    assert len(ask(server, tmp_path).rows) == 3
    assert len(server.requests) == -(-3 // size)


def test_pages_below_a_prefix_are_followed_below_it(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeImpact([action(number) for number in (1, 2)], size=1)

    def answer(request: Request) -> Reply:
        request.path = request.path.removeprefix("/impact")
        return fake(request)

    server.answer = answer
    assert len(ask(server, tmp_path, base_url=f"{server.url}/impact").rows) == 2
    assert all(request.headers["Authorization"] for request in server.requests)


def test_a_report_that_moves_is_read_again(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeImpact([action(number) for number in (2, 1)], size=1)

    def answer(request: Request) -> Reply:
        if len(server.requests) == 2:  # the newest comes first
            fake.report = [action(number) for number in (3, 2, 1)]
        return fake(request)

    server.answer = answer
    assert len(ask(server, tmp_path).rows) == 3


def page(actions: list[Any] | None, following: str = "", total: str = "2", pages: str = "") -> Reply:
    body = {"@page": "1", "@numpages": pages, "@total": total, "@nextpageuri": following}
    return Reply(body if actions is None else {**body, "Actions": actions})


@pytest.mark.parametrize(
    ("replies", "what"),
    [
        ([page([action(1)])], "1 Actions came where `@total` speaks of 2"),
        ([page(None)], "0 Actions came where `@total` speaks of 2"),
        ([page([action(1)], total="", pages="2")], "there was no next page, and `@numpages` speaks of 1 more"),
        ([page([action(1)], "/next"), page([action(1)])], "the same action came twice"),
        ([page([action(1)], "/next"), page([action(2)], "/next")], "the pages go round in a circle"),
    ],
)
def test_pages_that_make_no_whole_are_an_error(
    server: FakeServer, tmp_path: Path, replies: list[Reply], what: str
) -> None:
    def answer(request: Request) -> Reply:
        return replies[0] if request.path.endswith("/Actions") else replies[-1]

    server.answer = answer
    assert what in refused(server, tmp_path).cause


def test_an_empty_page_without_its_list_is_no_conversions(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [page(None, total="0")]
    assert ask(server, tmp_path).rows == ()
    server.replies = [page(None, total="")]
    assert ask(server, tmp_path).rows == ()


def test_credentials_never_go_to_another_host(server: FakeServer, other_server: FakeServer, tmp_path: Path) -> None:
    server.replies = [page([action(1)], f"{other_server.url}/Mediapartners/x/Actions?Page=2")]
    assert "a `@nextpageuri` at another host" in refused(server, tmp_path).cause
    assert other_server.requests == []
    server.replies = [page([action(1)], f"{server.url}/Mediapartners/x/Actions?Page=2".replace("http:", "https:"))]
    assert "a `@nextpageuri` at another host" in refused(server, tmp_path).cause  # nor over another protocol


def update(number: int, **changes: Any) -> dict[str, Any]:
    """One line of the log of changes."""
    fields = {
        "Id": f"1000.4636.{number}.1",
        "ActionId": f"1000.4636.{number}",
        "State": "REVERSED",
        "DeltaPayout": "-4.15",
        "DeltaAmount": "-83.00",
        "Currency": "USD",
        "ActionDate": f"2026-10-05T{number:02d}:00:00-07:00",
        "UpdateDate": "2026-10-05T23:00:00-07:00",
        "ClearingDate": "",
    }
    return {**fields, **changes}


def restated(server: FakeServer, folder: Path, since: date = DAY) -> set[date] | None:
    return restated_days(connector(server), since, DAY, Archive(folder), QUICK)


def test_changes_are_asked_for_by_update_by_locking_date_and_by_the_log_in_windows_of_45_days(
    server: FakeServer, tmp_path: Path
) -> None:
    server.answer = FakeImpact(
        [action(1), action(2, EventDate="2026-09-30T23:59:59-07:00")],
        updates=[update(3, ActionDate="2026-09-12T01:00:00Z"), update(4)],
    )
    days = restated(server, tmp_path, since=date(2026, 8, 1))
    assert days == {DAY, date(2026, 9, 30), date(2026, 9, 11)}
    asked = [(request.path.rpartition("/")[2], *list(request.query.items())[:2]) for request in server.requests]
    windows = [("2026-08-01T07:00:00Z", "2026-09-15T07:00:00Z"), ("2026-09-15T07:00:00Z", "2026-10-06T07:00:00Z")]
    assert asked == [
        (resource, (start, first), (end, last))
        for first, last in windows
        for resource, start, end in (
            ("Actions", "StartDate", "EndDate"),
            ("Actions", "LockingDateStart", "LockingDateEnd"),
            ("ActionUpdates", "StartDate", "EndDate"),
        )
    ]


def test_the_pages_of_the_log_are_followed_to_the_end(server: FakeServer, tmp_path: Path) -> None:
    days = [f"2026-09-{number:02d}" for number in (1, 2, 3)]
    updates = [update(number, ActionDate=f"{day}T12:00:00-07:00") for number, day in enumerate(days)]
    server.answer = FakeImpact([], size=2, updates=updates)
    assert restated(server, tmp_path) == {date.fromisoformat(day) for day in days}


@pytest.mark.parametrize(
    ("updates", "what"),
    [
        ([{"Id": "1"}], "one of `ActionUpdates` without `ActionDate`"),
        ([update(1, ActionDate="")], "'' is not a time"),
    ],
)
def test_a_log_in_an_unknown_shape_never_reads_as_no_changes(
    server: FakeServer, tmp_path: Path, updates: list[dict[str, Any]], what: str
) -> None:
    server.answer = FakeImpact([action(1)], updates=updates)
    with pytest.raises(PartnerError, match=what) as caught:
        restated(server, tmp_path)
    assert caught.value.cause.startswith("net 2026-10-05: ")


# --- errors ----------------------------------------------------------------------------------------------------------


def test_refused_credentials_name_both_variables(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeImpact([])
    error = refused(server, tmp_path, credentials={"account_sid": SID, "auth_token": "another"})
    assert "refused the credentials (HTTP 401)" in error.cause
    assert "IMPACT_SID and IMPACT_TOKEN" in error.remedy


def test_a_rate_limit_is_waited_out_as_long_as_the_partner_says(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeImpact([action(1)])

    def answer(request: Request) -> Reply:
        limited = Reply({"Status": "ERROR"}, status=429, headers={"X-RateLimit-Reset": "0.01"})
        return limited if len(server.requests) == 1 else fake(request)

    server.answer = answer
    assert len(ask(server, tmp_path).rows) == 1


def test_an_error_is_told_in_the_partners_words(server: FakeServer, tmp_path: Path) -> None:
    body = {"Status": "ERROR", "Message": "Total exceeds 10 pages", "Errors": [{"Field": "PageSize", "Message": "x"}]}
    server.replies = [Reply(body, status=400)]
    assert "Total exceeds 10 pages" in refused(server, tmp_path).cause
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ([], "no page of actions"),
        ({}, "no page of actions"),
        ({"Actions": [action(1)]}, "no page of actions"),
        ({"@total": "1", "Actions": {"Action": action(1)}}, "no list of `Actions`"),
        ({"@total": "many", "Actions": []}, "in `@total`"),
        ({"@total": "1", "Actions": ["x"]}, "one of `Actions` without `Id`"),
        ({"@total": "1", "Actions": [{"Id": "1"}]}, "one of `Actions` without `State`"),
        ({"@total": "1", "Actions": [action(1)], "@nextpageuri": 2}, "a `@nextpageuri` of 2"),
        ({"@total": "1", "Actions": [action(1, Payout="")]}, "is not an amount of money"),
        ({"@total": "1", "Actions": [action(1, EventDate="")]}, "'' is not a time"),
        ({"@total": "1", "Actions": [action(1, EventDate="2026-10-05T01:00:00")]}, "has no time zone"),
        ({"@total": "1", "Actions": [action(1, Id="")]}, "a row without conversion_id"),
    ],
)
def test_an_unknown_shape_never_reads_as_no_conversions(
    server: FakeServer, tmp_path: Path, body: Any, what: str
) -> None:
    server.replies = [Reply(body)]
    error = refused(server, tmp_path)
    assert error.cause.startswith("net 2026-10-05: ")
    assert what in error.cause


def test_no_failure_and_no_success_shows_a_credential(
    server: FakeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    for reply in (
        Reply({"Status": "ERROR", "Message": f"Access denied {SID} {SECRET}"}, status=403),
        Reply({"@total": "1", "Actions": [action(1, Payout=SECRET)]}),
    ):
        server.replies = [reply]
        told.append(str(refused(server, tmp_path)))
    server.answer = FakeImpact([action(1), action(2)], size=1)
    ask(server, tmp_path)
    kept = [gzip.decompress(path.read_bytes()).decode() for path in tmp_path.rglob("*.gz")]
    index = [path.read_text() for path in tmp_path.rglob("requests.ndjson")]
    shown = caplog.text + "".join(told + kept + index)
    basic = base64.b64encode(f"{SID}:{SECRET}".encode()).decode()
    assert len(kept) == 4
    for secret in (SID, SECRET, SECRET[:15], quote(SECRET, safe=""), basic):
        assert secret not in shown
