from __future__ import annotations

import gzip
import logging
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import ConversionRow, Import, PartnerError, import_day
from revenue_pipeline.partners.tune import Tune
from revenue_pipeline_tests.partners.conftest import QUICK, SECRET, FakeServer, Reply, Request, account

DAY = date(2026, 10, 5)
AS_OF = date(2026, 10, 6)


def conversion(number: int, **changes: str | None) -> dict[str, str | None]:
    """One conversion as the network knows it; every value is a text."""
    fields: dict[str, str | None] = {
        "tune_event_id": f"e-{number}",
        "ad_id": f"10{number}",
        "datetime": f"2026-10-05 0{number}:15:00",
        "offer_id": "12",
        "conversion_status": "approved",
        "payout": f"{number}.65000",
        "revenue": f"{number}.90000",
        "currency": "USD",
        "affiliate_info1": f"click-{number}",
    }
    return {**fields, **changes}


REPORT = [
    conversion(1),
    conversion(2, conversion_status="pending", affiliate_info1=None),
    conversion(3, conversion_status="rejected", payout="0.00000"),
    conversion(4, payout="-1.65000", currency="EUR"),
    conversion(5, payout="80.12345"),
]


def envelope(data: Any, **response: Any) -> dict[str, Any]:
    body = {"status": 1, "httpStatus": 200, "data": data, "errors": [], "errorMessage": None, **response}
    return {"request": {"Target": "Affiliate_Report"}, "response": body}


def failure(errors: Any, message: str = "") -> dict[str, Any]:
    return envelope("", status=-1, httpStatus=200, errors=errors, errorMessage=message or None)


class FakeTune:
    """getConversions as documented; `page_count` and `rows_as` choose among the ways in which they are written."""

    def __init__(self, report: list[dict[str, str | None]], page_count: Any = "number", rows_as: str = "list") -> None:
        self.report = report
        self.page_count = page_count
        self.rows_as = rows_as

    def __call__(self, request: Request) -> Reply:
        query = request.query
        key, target = ("NetworkToken", "Report") if "NetworkToken" in query else ("api_key", "Affiliate_Report")
        if query.get(key) != SECRET or query["Target"] != target:
            return Reply(failure([{"publicMessage": f"API key {query.get(key)} is not authenticated"}]))
        assert (request.path, query["Method"]) == ("/Apiv3/json", "getConversions")
        assert query["data_start"] == query["data_end"] == "2026-10-05"
        fields = [value.removeprefix("Stat.") for name, value in request.parameters if name == "fields[]"]
        limit, page = int(query["limit"]), int(query["page"])
        rows = self.report[limit * (page - 1) : limit * page]
        listed = [{"Stat": {field: row[field] for field in fields}, "Offer": {"name": "Shoes"}} for row in rows]
        data: dict[str, Any] = {"page": str(page), "current": 0, "count": len(self.report), "data": listed}
        if self.rows_as == "map":
            data["data"] = {str(row["ad_id"]): item for row, item in zip(rows, listed, strict=True)} or []
        if self.page_count != "missing":
            data["pageCount"] = -(-len(self.report) // limit) if self.page_count == "number" else self.page_count
        return Reply(envelope(data))


def connector(server: FakeServer, page_size: int = 2, **changes: Any) -> Tune:
    fields = {"name": "net", "granularity": None, "grain": (), "credential_variables": {"api_key": "TUNE_KEY"}}
    tune = Tune(account(f"{server.url}/Apiv3/json", **{**fields, **changes}))
    tune.page_size = page_size  # type: ignore[misc]
    return tune


def ask(server: FakeServer, folder: Path, page_size: int = 2, **changes: Any) -> Import:
    return import_day(connector(server, page_size, **changes), DAY, AS_OF, Archive(folder), QUICK)


def refused(server: FakeServer, folder: Path, **changes: Any) -> PartnerError:
    with pytest.raises(PartnerError) as caught:
        ask(server, folder, **changes)
    return caught.value


def ids(batch: Import) -> list[str]:
    return sorted(row.conversion_id for row in batch.rows if isinstance(row, ConversionRow))


# --- a day -----------------------------------------------------------------------------------------------------------


def test_a_day_in_every_state(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeTune(REPORT)
    batch = ask(server, tmp_path)

    def row(number: int, payout: str, status: str, click: str | None = "", currency: str = "USD") -> ConversionRow:
        return ConversionRow(
            conversion_id=f"e-{number}",
            click_id=f"click-{number}" if click == "" else click,
            offer_id="12",
            payout=Decimal(payout),
            currency=currency,
            converted_at=datetime(2026, 10, 5, number, 15, tzinfo=timezone.utc),
            status=status,
        )

    assert set(batch.rows) == {
        row(1, "1.65", "approved"),
        row(2, "2.65", "pending", click=None),
        row(3, "0", "rejected"),
        row(4, "-1.65", "approved", currency="EUR"),
        row(5, "80.12345", "approved"),
    }
    assert len(batch.rows) == 5
    assert len(server.requests) == 3


def test_what_is_asked_for(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeTune([])
    ask(server, tmp_path)
    (request,) = server.requests
    assert request.parameters == [
        ("api_key", SECRET),
        ("Target", "Affiliate_Report"),
        ("Method", "getConversions"),
        ("fields[]", "Stat.tune_event_id"),
        ("fields[]", "Stat.datetime"),
        ("fields[]", "Stat.conversion_status"),
        ("fields[]", "Stat.payout"),
        ("fields[]", "Stat.currency"),
        ("fields[]", "Stat.offer_id"),
        ("fields[]", "Stat.affiliate_info1"),
        ("filters[Stat.datetime][conditional]", "BETWEEN"),
        ("filters[Stat.datetime][values][]", "2026-10-05 00:00:00"),
        ("filters[Stat.datetime][values][]", "2026-10-05 23:59:59"),
        ("data_start", "2026-10-05"),
        ("data_end", "2026-10-05"),
        ("sort[Stat.datetime]", "asc"),
        ("limit", "2"),
        ("page", "1"),
    ]


def test_times_are_those_of_the_network_shifted_as_asked(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeTune([conversion(1, datetime="2026-10-05 23:30:00")])
    batch = ask(server, tmp_path, timezone="America/New_York", options={"hour_offset": "3"})
    (row,) = batch.rows
    assert isinstance(row, ConversionRow)
    assert row.converted_at == datetime(2026, 10, 6, 3, 30, tzinfo=timezone.utc)
    assert server.requests[0].query["hour_offset"] == "3"


def test_a_row_of_another_day_is_an_error(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeTune([conversion(1, datetime="2026-10-06 00:00:00")])
    assert "a row of 2026-10-06 where 2026-10-05 was asked for" in str(refused(server, tmp_path))


def test_a_field_that_the_account_may_not_select_is_told_with_the_option(server: FakeServer, tmp_path: Path) -> None:
    fields = conversion(1)
    del fields["tune_event_id"]
    server.replies = [Reply(envelope({"data": [{"Stat": fields}], "pageCount": 1}))]
    error = refused(server, tmp_path)
    assert "a conversion without `Stat.tune_event_id`" in error.cause
    assert "options.conversion_id" in error.remedy


def test_a_network_with_one_currency_may_leave_it_out(server: FakeServer, tmp_path: Path) -> None:
    fields = conversion(1)
    del fields["currency"], fields["offer_id"]
    server.replies = [Reply(envelope({"data": [{"Stat": fields}], "pageCount": 1}))]
    (row,) = ask(server, tmp_path, currency="GBP").rows
    assert isinstance(row, ConversionRow)
    assert (row.currency, row.offer_id) == ("GBP", None)


def test_the_networks_side_has_another_key_and_report(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeTune([conversion(1)])
    (row,) = ask(server, tmp_path, options={"side": "network"}).rows
    assert isinstance(row, ConversionRow)
    assert row.payout == Decimal("1.65")  # what the affiliate gets, whoever tells it
    (row,) = ask(server, tmp_path, options={"side": "network", "payout": "Stat.revenue"}).rows
    assert isinstance(row, ConversionRow)
    assert row.payout == Decimal("1.9")


def test_which_fields_carry_the_click_and_name_the_conversion_is_an_option(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeTune([conversion(1)])
    options = {"click_id": "Stat.ad_id", "conversion_id": ["Stat.ad_id", "Stat.datetime"]}
    (row,) = ask(server, tmp_path, options=options).rows
    assert isinstance(row, ConversionRow)
    assert (row.click_id, row.conversion_id) == ("101", "101:2026-10-05 01:15:00")


def test_what_names_a_conversion_beside_the_first_field_may_be_untold(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeTune([conversion(1, ref=None), conversion(2, ref="")])
    batch = ask(server, tmp_path, options={"conversion_id": ["Stat.ad_id", "Stat.ref", "Stat.datetime"]})
    assert ids(batch) == ["101::2026-10-05 01:15:00", "102::2026-10-05 02:15:00"]


def test_a_conversion_without_a_name_is_an_error_that_shows_it(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeTune([conversion(1, ad_id=None)])
    error = refused(server, tmp_path, options={"conversion_id": ["Stat.ad_id", "Stat.datetime"]})
    assert "no Stat.ad_id in the conversion {'Stat': {'ad_id': None, 'datetime': '2026-10-05 01:15:00'" in error.cause


@pytest.mark.parametrize(
    "options",
    [{"side": "both"}, {"click_id": "affiliate_info1"}, {"conversion_id": []}, {"hour_offset": "24"}, {"x": "1"}],
)
def test_options_that_are_none_are_refused(server: FakeServer, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        connector(server, options=options)


def test_the_host_is_the_networks_own(server: FakeServer) -> None:
    fields: dict[str, Any] = {"granularity": None, "grain": ()}
    assert (
        Tune(account("", **fields, options={"network_id": "acme"})).address
        == "https://acme.api.hasoffers.com/Apiv3/json"
    )
    with pytest.raises(PartnerError, match=r"options\.network_id is missing"):
        Tune(account("", **fields))


# --- how pages are written -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page_count", ["number", "3", None, "null", "missing"])
@pytest.mark.parametrize("rows_as", ["list", "map"])
def test_every_way_of_writing_pages_gives_the_same_day(
    server: FakeServer, tmp_path: Path, page_count: Any, rows_as: str
) -> None:
    server.answer = FakeTune(REPORT, page_count, rows_as)
    assert ids(ask(server, tmp_path)) == ["e-1", "e-2", "e-3", "e-4", "e-5"]


@pytest.mark.parametrize("page_count", ["number", "0", None, "null", "missing"])
@pytest.mark.parametrize("rows_as", ["list", "map"])
def test_an_empty_day_is_an_empty_batch(server: FakeServer, tmp_path: Path, page_count: Any, rows_as: str) -> None:
    server.answer = FakeTune([], page_count, rows_as)
    assert ask(server, tmp_path).rows == ()


@pytest.mark.parametrize("data", [[], "", None, {"page": "1", "count": "0", "pageCount": None, "data": None}])
def test_nothing_at_all_in_a_good_answer_is_an_empty_day(server: FakeServer, tmp_path: Path, data: Any) -> None:
    server.replies = [Reply(envelope(data))]
    assert ask(server, tmp_path).rows == ()


def test_a_report_that_moves_is_read_again(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeTune(REPORT)

    def answer(request: Request) -> Reply:
        if len(server.requests) == 2:  # one comes in before those that are read already
            fake.report = [conversion(0), *REPORT]
        return fake(request)

    server.answer = answer
    assert ids(ask(server, tmp_path)) == ["e-0", "e-1", "e-2", "e-3", "e-4", "e-5"]
    assert len(server.requests) == 2 + 3


def test_pages_that_repeat_are_an_error(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeTune(REPORT)

    def answer(request: Request) -> Reply:
        request.query["page"] = "1"
        return fake(request)

    server.answer = answer
    error = refused(server, tmp_path)
    assert "could not be read as a whole in 3 attempts: the same conversion came twice" in error.cause


def test_pages_that_are_promised_and_empty_are_an_error(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeTune(REPORT, page_count=10**9)
    assert "in 3 attempts: page 4 of 1000000000 was empty" in refused(server, tmp_path).cause


def test_a_conversion_that_came_twice_on_one_page_is_an_error(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeTune([conversion(1), conversion(1)])
    assert "in 3 attempts: the same conversion came twice" in refused(server, tmp_path).cause


def test_rows_that_are_missing_are_an_error(server: FakeServer, tmp_path: Path) -> None:
    body = envelope({"page": "1", "count": 3, "pageCount": 1, "data": [{"Stat": conversion(1)}]})
    server.replies = [Reply(body)]
    assert "1 conversions came where `count` speaks of 3" in refused(server, tmp_path).cause


# --- errors inside HTTP 200 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "errors",
    [
        [{"publicMessage": "API key s3cret is not authenticated"}],
        {"publicMessage": "API key s3cret is not authenticated"},
        [{"err_msg": "Token not authenticated", "attribute_name": None}],
    ],
)
def test_refused_credentials_name_the_variable_whatever_the_shape(
    server: FakeServer, tmp_path: Path, errors: Any
) -> None:
    server.replies = [Reply(failure(errors))]
    error = refused(server, tmp_path)
    assert "the partner refused the credentials (HTTP 200 with code 401)" in error.cause
    assert "Check the environment variable TUNE_KEY." in error.remedy
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        failure([{"publicMessage": "You have exceeded the RATE LIMIT for your account"}]),
        failure({"publicMessage": "API usage exceeded rate-limit. Configured: 50/10s window"}),
        failure([], "API usage exceeded rate limit"),
    ],
)
def test_a_rate_limit_is_waited_out(server: FakeServer, tmp_path: Path, body: dict[str, Any]) -> None:
    fake = FakeTune(REPORT)

    def answer(request: Request) -> Reply:
        return Reply(body) if len(server.requests) == 2 else fake(request)

    server.answer = answer
    assert len(ask(server, tmp_path).rows) == 5


def test_a_rate_limit_that_stays_is_told(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply(failure([{"publicMessage": "exceeded rate limit"}]))]
    assert "rate limit is reached (HTTP 200 with code 429)" in refused(server, tmp_path).cause
    assert len(server.requests) == 3


def test_other_errors_are_told_at_once(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply(failure({"publicMessage": "Field Stat.tune_event_id does not exist"}))]
    error = refused(server, tmp_path)
    assert "Stat.tune_event_id does not exist" in error.cause
    assert len(server.requests) == 1


@pytest.mark.parametrize("reply", [Reply("<html>busy</html>"), Reply("busy", status=504)])
def test_an_overloaded_server_is_asked_again(server: FakeServer, tmp_path: Path, reply: Reply) -> None:
    fake = FakeTune(REPORT)

    def answer(request: Request) -> Reply:
        return reply if len(server.requests) == 1 else fake(request)

    server.answer = answer
    assert len(ask(server, tmp_path).rows) == 5


# --- what is no report -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"rows": []}, "the partner refused the request"),
        ({"response": {"data": []}}, "the partner refused the request"),
        (envelope([1]), "no `data`"),
        (envelope(False), "no `data`"),
        ({"response": {"status": 1, "errors": []}}, "no `data`"),
        (envelope({"page": "1", "count": None, "data": None}), "no conversions in a page"),
        (envelope({"page": "1", "count": 2, "pageCount": 1, "data": None}), "no conversions in a page"),
        (envelope({"page": "1", "data": "none"}), "no conversions in a page"),
        (envelope({"page": "1", "pageCount": "many", "data": []}), "'many' is not an amount"),
        (envelope({"page": "1", "data": [{"Conversion": {}}]}), "a conversion without `Stat.tune_event_id`"),
        (envelope({"data": [{"Stat": conversion(1, tune_event_id="")}], "pageCount": 1}), "no Stat.tune_event_id in"),
        (envelope({"data": [{"Stat": conversion(1, payout="1,65")}], "pageCount": 1}), "is not an amount of money"),
        (envelope({"data": [{"Stat": conversion(1, payout=None)}], "pageCount": 1}), "is not an amount of money"),
        (envelope({"data": [{"Stat": conversion(1, datetime="10/05/2026")}], "pageCount": 1}), "does not match format"),
    ],
)
def test_an_unknown_shape_never_reads_as_no_conversions(
    server: FakeServer, tmp_path: Path, body: dict[str, Any], what: str
) -> None:
    server.replies = [Reply(body)]
    error = refused(server, tmp_path)
    assert error.cause.startswith("net 2026-10-05: ")
    assert what in error.cause


def test_no_failure_shows_the_key(server: FakeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for body in (
        failure([{"publicMessage": f"Token {SECRET} is not authenticated"}]),
        failure({"publicMessage": f"bad {SECRET}"}),
        envelope({"data": [{"Stat": conversion(1, payout=SECRET)}], "pageCount": 1}),
        {SECRET: SECRET},
    ):
        server.replies = [Reply(body)]
        assert SECRET not in str(refused(server, tmp_path))
    kept = [gzip.decompress(path.read_bytes()).decode() for path in tmp_path.rglob("*.gz")]
    index = [path.read_text() for path in tmp_path.rglob("requests.ndjson")]
    assert kept
    assert SECRET[:12] not in caplog.text + "".join(kept) + "".join(index)
