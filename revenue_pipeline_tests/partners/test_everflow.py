from __future__ import annotations

import gzip
import json
import logging
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import ConversionRow, Import, PartnerError, import_day
from revenue_pipeline.partners.everflow import Everflow
from revenue_pipeline_tests.partners.conftest import QUICK, SECRET, FakeServer, Reply, Request, account

DAY = date(2026, 10, 5)
AS_OF = date(2026, 10, 6)
MIDNIGHT = int(datetime(2026, 10, 5, tzinfo=timezone.utc).timestamp())
ZONES = [{"timezone_id": 67, "timezone": "UTC"}, {"timezone_id": 41, "timezone": "Europe/Berlin"}]


def record(number: int, **changes: Any) -> dict[str, Any]:
    """One conversion as an affiliate sees it; what is missing is an empty text."""
    fields: dict[str, Any] = {
        "conversion_id": f"{number:032x}",
        "conversion_unix_timestamp": MIDNIGHT + 60 * number,
        "click_unix_timestamp": MIDNIGHT - 60,
        "transaction_id": f"t-{number}",
        "sub1": f"click-{number}",
        "sub2": "",
        "revenue_type": "CPS",
        "revenue": 25.996,
        "sale_amount": 199.99,
        "event": "",
        "is_event": False,
        "country": "United States",
        "currency_id": "USD",
        "relationship": {"offer": {"network_offer_id": 12, "name": "Shoes"}, "events_count": 0},
    }
    return {**fields, **changes}


class FakeEverflow:
    """The conversion report as documented: pages in the query only, 50 rows to one that is not asked for otherwise."""

    def __init__(self, report: list[dict[str, Any]], cap: int = 2_000) -> None:
        self.report = report
        self.cap = cap
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, request: Request) -> Reply:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("x-eflow-api-key") != SECRET:
            return Reply({"Error": f"Invalid key {headers.get('x-eflow-api-key')}"}, status=401)
        if request.path == "/meta/timezones":
            return Reply({"timezones": ZONES})
        assert request.method == "POST"
        assert request.path in ("/affiliates/reporting/conversions", "/networks/reporting/conversions")
        self.bodies.append(json.loads(request.body))
        page = int(request.query.get("page", 1))
        size = min(int(request.query.get("page_size", 50)), self.cap)
        rows = self.report[size * (page - 1) : size * page]
        paging = {"page": page, "page_size": size, "total_count": len(self.report)}
        return Reply({"conversions": rows, "paging": paging})


def connector(server: FakeServer, **changes: Any) -> Everflow:
    fields = {"name": "net", "granularity": None, "grain": (), "credential_variables": {"api_key": "EFLOW_KEY"}}
    return Everflow(account(server.url, **{**fields, **changes}))


def ask(server: FakeServer, folder: Path, day: date = DAY, **changes: Any) -> Import:
    return import_day(connector(server, **changes), day, AS_OF, Archive(folder), QUICK)


def refused(server: FakeServer, folder: Path, **changes: Any) -> PartnerError:
    with pytest.raises(PartnerError) as caught:
        ask(server, folder, **changes)
    return caught.value


def only(batch: Import) -> ConversionRow:
    (row,) = batch.rows
    assert isinstance(row, ConversionRow)
    return row


# --- a day -----------------------------------------------------------------------------------------------------------


def test_an_affiliates_conversion(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeEverflow([record(1)])
    assert only(ask(server, tmp_path)) == ConversionRow(
        conversion_id=f"{1:032x}",
        click_id="click-1",
        offer_id="12",
        payout=Decimal("25.996"),  # to the digit that was written, not to the float that it would be
        currency="USD",
        converted_at=datetime(2026, 10, 5, 0, 1, tzinfo=timezone.utc),
        status=None,
    )


def test_a_networks_conversion_has_a_status_and_what_the_affiliate_gets(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeEverflow([record(1, status="Rejected", payout=20, revenue=30.5)])
    server.answer = fake
    row = only(ask(server, tmp_path, options={"side": "network"}))
    assert (row.payout, row.status) == (Decimal(20), "rejected")
    assert server.requests[0].path == "/networks/reporting/conversions"
    assert only(ask(server, tmp_path, options={"side": "network", "payout": "revenue"})).payout == Decimal("30.5")


def test_what_is_asked_for(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeEverflow([])
    server.answer = fake
    assert ask(server, tmp_path, timezone="America/New_York").rows == ()
    assert server.requests[0].query == {"page": "1", "page_size": "2000"}
    assert fake.bodies == [
        {
            "from": "2026-10-05 00:00:00",
            "to": "2026-10-05 23:59:59",
            "timezone_id": 80,
            "show_conversions": True,
            "show_events": True,
            "query": {"filters": [], "search_terms": []},
        }
    ]


def test_the_number_of_a_zone_is_looked_up_once_or_set(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeEverflow([])
    server.answer = fake
    everflow = connector(server, timezone="Europe/Berlin")
    for _ in range(2):
        import_day(everflow, DAY, AS_OF, Archive(tmp_path), QUICK)
    ask(server, tmp_path, timezone="Europe/Berlin", options={"timezone_id": "42", "events": "false"})
    assert [body["timezone_id"] for body in fake.bodies] == [41, 41, 42]
    assert fake.bodies[-1]["show_events"] is False
    assert [request.path for request in server.requests].count("/meta/timezones") == 1
    error = refused(server, tmp_path, timezone="Asia/Tokyo")
    assert "knows no time zone Asia/Tokyo" in error.cause
    assert f"{server.url}/meta/timezones" in error.remedy


def test_which_field_carries_the_click_is_an_option(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeEverflow([record(1)])
    assert only(ask(server, tmp_path, options={"click_id": "transaction_id"})).click_id == "t-1"
    assert only(ask(server, tmp_path, options={"click_id": "sub2"})).click_id is None
    for wrong in ({"click_id": "sub11"}, {"click_id": "country"}, {"side": "partner"}, {"payout": "sale_amount"}):
        with pytest.raises(ValidationError):
            connector(server, options=wrong)


def test_a_conversion_that_says_little_is_kept(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeEverflow([record(1, currency_id="", relationship=None, sub1="", conversion_status="pending")])
    row = only(ask(server, tmp_path, currency="EUR"))
    assert (row.currency, row.offer_id, row.click_id, row.status) == ("EUR", None, None, "pending")


def test_a_conversion_of_another_day_is_an_error(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeEverflow([record(1, conversion_unix_timestamp=MIDNIGHT - 1)])
    assert "a row of 2026-10-04 where 2026-10-05 was asked for" in str(refused(server, tmp_path))


def test_days_beyond_365_are_not_asked_for(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeEverflow([])
    assert ask(server, tmp_path, day=date(2025, 10, 6)).rows == ()
    error = refused(server, tmp_path, day=date(2025, 10, 5))
    assert "only the last 365 days" in error.cause
    assert "<landing>/conversions/date=2025-10-05/" in error.remedy
    server.replies = [Reply({"error": "Date range is limited to the prior 365 days"}, status=400)]
    server.answer = server._next_reply
    assert "only the last 365 days" in refused(server, tmp_path).cause


# --- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cap", [25, 50, 2_000])
def test_all_pages_are_read_whatever_size_the_partner_makes_them(server: FakeServer, tmp_path: Path, cap: int) -> None:
    server.answer = FakeEverflow([record(number) for number in range(1, 102)], cap)
    assert len(ask(server, tmp_path).rows) == 101
    assert len(server.requests) == -(-101 // cap)


def test_a_report_that_moves_is_read_again(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeEverflow([record(number) for number in (1, 2, 3)], cap=2)

    def answer(request: Request) -> Reply:
        if len(server.requests) == 2:
            fake.report = [record(number) for number in (0, 1, 2, 3)]
        return fake(request)

    server.answer = answer
    assert len(ask(server, tmp_path).rows) == 4
    assert len(server.requests) == 2 + 2


@pytest.mark.parametrize(
    ("pages", "what"),
    [
        ([[1, 2], [2, 3]], "3 different conversions came where `total_count` speaks of 4"),
        ([[1, 2], []], "2 conversions came where `total_count` speaks of 4"),
        ([[1, 2], [1, 2]], "2 different conversions"),
    ],
)
def test_pages_that_make_no_whole_are_an_error(
    server: FakeServer, tmp_path: Path, pages: list[list[int]], what: str
) -> None:
    def answer(request: Request) -> Reply:
        number = int(request.query["page"])
        rows = [record(each) for each in pages[min(number, len(pages)) - 1]]
        return Reply({"conversions": rows, "paging": {"page": number, "page_size": 2, "total_count": 4}})

    server.answer = answer
    assert what in refused(server, tmp_path).cause


def test_the_page_that_was_not_asked_for_is_an_error(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply({"conversions": [record(1)], "paging": {"page": 1, "page_size": 1, "total_count": 2}})]
    assert "page 1 came where page 2 was asked for" in refused(server, tmp_path).cause


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["error", "Error"])
@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_told_in_the_partners_words(server: FakeServer, tmp_path: Path, key: str, status: int) -> None:
    server.replies = [Reply({key: "Out of realm"}, status=status)]
    error = refused(server, tmp_path)
    assert "Out of realm" in error.cause
    assert f"HTTP {status}" in error.cause
    assert ("EFLOW_KEY" in error.remedy) == (status in (401, 403))
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500])
def test_what_passes_is_tried_again(server: FakeServer, tmp_path: Path, status: int) -> None:
    fake = FakeEverflow([record(1)])

    def answer(request: Request) -> Reply:
        return Reply({"error": "slow down"}, status=status) if len(server.requests) == 1 else fake(request)

    server.answer = answer
    assert only(ask(server, tmp_path)).click_id == "click-1"


def test_conversions_of_the_documentations_other_shape(server: FakeServer, tmp_path: Path) -> None:
    known = ("transaction_id", "conversion_unix_timestamp", "revenue", "sub1")
    rows = [{name: record(number)[name] for name in known} for number in (1, 2)]
    rows = [{**row, "network_conversion_id": 70 + n, "conversion_status": "rejected"} for n, row in enumerate(rows)]
    rows = [{**row, "event_name": "", "relationship": {"offer": {}, "geo": {}}} for row in rows]
    server.replies = [Reply({"conversions": rows, "paging": {"page": 1, "page_size": 50, "total_count": 2}})]
    found = [row for row in ask(server, tmp_path).rows if isinstance(row, ConversionRow)]
    assert [(row.conversion_id, row.status, row.click_id) for row in found] == [
        ("70", "rejected", "click-1"),
        ("71", "rejected", "click-2"),
    ]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ([], "no `conversions` with their `paging`"),
        ({"conversions": []}, "no `conversions` with their `paging`"),
        ({"conversions": {"id": 1}, "paging": {"total_count": 1}}, "no `conversions` with their `paging`"),
        ({"conversions": [7], "paging": {"total_count": 1}}, "a conversion that is none"),
        ({"conversions": [], "paging": {}}, "no `total_count`"),
        (
            {"conversions": [record(1)], "paging": {"total_count": 1}, "incomplete_results": True},
            "more conversions than it gives",
        ),
        ({"conversions": [], "paging": {"total_count": "many"}}, "in `paging`"),
        ({"conversions": [record(1, revenue="")], "paging": {"total_count": 1}}, "is not an amount of money"),
        ({"conversions": [record(1, revenue=None)], "paging": {"total_count": 1}}, "is not an amount of money"),
        ({"conversions": [record(1, conversion_id="")], "paging": {"total_count": 1}}, "without conversion_id"),
        (
            {"conversions": [record(1, conversion_unix_timestamp=None)], "paging": {"total_count": 1}},
            "None is not a time",
        ),
    ],
)
def test_an_unknown_shape_never_reads_as_no_conversions(
    server: FakeServer, tmp_path: Path, body: Any, what: str
) -> None:
    server.replies = [Reply(body)]
    error = refused(server, tmp_path)
    assert error.cause.startswith("net 2026-10-05: ")
    assert what in error.cause


def test_no_failure_shows_the_key(server: FakeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for reply in (
        Reply({"Error": f"bad key {SECRET}"}, status=401),
        Reply({"conversions": [record(1, revenue=SECRET)], "paging": {"total_count": 1}}),
        Reply({SECRET: 1}),
    ):
        server.replies = [reply]
        assert SECRET not in str(refused(server, tmp_path))
    kept = [gzip.decompress(path.read_bytes()).decode() for path in tmp_path.rglob("*.gz")]
    assert kept
    assert SECRET[:12] not in caplog.text + "".join(kept)
