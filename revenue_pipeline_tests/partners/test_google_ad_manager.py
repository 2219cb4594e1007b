"""Google Ad Manager in hand-written answers of its documented shapes; the whole of a day is in raw/test_line_items."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import DeliveryRow, Import, LineItemRow, PartnerError, import_day
from revenue_pipeline.partners.google_ad_manager import GoogleAdManager
from revenue_pipeline_tests.partners.conftest import QUICK, FakeServer, Reply, Request, account

DAY, AS_OF = date(2026, 10, 5), date(2026, 10, 7)
SECRETS = {name: f"secret-{name}-0123456789" for name in GoogleAdManager.credentials}
ITEM: dict[str, Any] = {
    "name": "networks/77/lineItems/61",
    "order": "networks/77/orders/31",
    "startTime": "2026-10-01T04:00:00Z",  # the first of October in New York
    "targetEndTime": "2026-11-01T03:59:00Z",  # the last
    "endTime": "2026-11-04T04:59:00Z",
    "lineItemType": "STANDARD",
    "costType": "CPM",
    "rate": {"currencyCode": "EUR", "units": "12", "nanos": 500_000_000},
    "contractedUnitsBought": "40000",
    "goal": {"goalType": "LIFETIME", "unitType": "IMPRESSIONS", "units": "45000"},
    "reservationStatus": "RESERVED",
}
SECTION = {"custom_targeting_key_id": "14001", "custom_targeting_key": "section"}


def cell(value: object) -> dict[str, Any]:
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}


def row(*labels: object, impressions: int = 0, clicks: int = 0, day: object = 20261005) -> dict[str, Any]:
    metrics = {"primaryValues": [cell(impressions), cell(clicks)]}
    return {"dimensionValues": [cell(label) for label in (day, *labels)], "metricValueGroups": [metrics]}


class FakeAdManager:
    """The REST API v1: a network, its line items, and reports that are defined, run, asked after and fetched."""

    def __init__(
        self,
        items: list[dict[str, Any]] | None = None,
        whole: list[dict[str, Any]] | None = None,
        by_key: list[dict[str, Any]] | None = None,
        page_size: int = 100,
    ) -> None:
        self.items = items or []
        self.reports = {"1": whole or [], "2": by_key or []}
        self.page_size = page_size
        self.zone = "America/New_York"
        self.definitions: list[dict[str, Any]] = []
        self.states: dict[str, Any] = {}
        self.polls = 0
        self.filters: list[str] = []

    def __call__(self, request: Request) -> Reply:
        path = request.path.removeprefix("/v1/")
        if path == "/token":
            return Reply({"access_token": "ya29.access-0123456789", "token_type": "Bearer"})
        assert request.headers["Authorization"] == "Bearer ya29.access-0123456789"
        return Reply(self.object(path, request))

    def object(self, path: str, request: Request) -> dict[str, Any]:
        if path == "networks/77":
            return {"name": path, "timeZone": self.zone, "currencyCode": "USD"}
        if path == "networks/77/lineItems":
            self.filters.append(request.query["filter"])
            return self.page("lineItems", self.items, request.query)
        if path == "networks/77/reports":
            return self.define(json.loads(request.body)["reportDefinition"])
        if run := re.fullmatch(r"networks/77/reports/(\d):run", path):
            return {"name": f"networks/77/operations/reports/runs/{run[1]}"}
        if operation := re.fullmatch(r"networks/77/operations/reports/runs/(\d)", path):
            return self.state(path, operation[1])
        fetched = re.fullmatch(r"networks/77/reports/(\d)/results/9:fetchRows", path)
        assert fetched, path
        return self.page("rows", self.reports[fetched[1]], request.query, "totalRowCount")

    def define(self, definition: dict[str, Any]) -> dict[str, Any]:
        self.definitions.append(definition)
        return {"name": f"networks/77/reports/{2 if 'CUSTOM_DIMENSION_0_VALUE' in definition['dimensions'] else 1}"}

    def state(self, path: str, number: str) -> dict[str, Any]:
        self.polls += 1
        if self.polls % 2:  # not at once
            return {"name": path, "metadata": {"percentComplete": 50}}
        result = {"reportResult": f"networks/77/reports/{number}/results/9"}
        return {"name": path, "done": True, "response": result, **self.states}

    def page(self, name: str, entries: list[Any], query: Mapping[str, str], total: str = "") -> dict[str, Any]:
        offset = int(query.get("pageToken", "0"))
        page = entries[offset : offset + self.page_size]
        following = offset + len(page)
        more = {"nextPageToken": str(following)} if following < len(entries) else {}
        counted = {total: len(entries)} if total and not offset else {}
        return {**({name: page} if page else {}), **counted, **more}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(GoogleAdManager, "poll_seconds", 0.001)
    monkeypatch.setattr(GoogleAdManager, "longest_poll_seconds", 0.002)
    monkeypatch.setattr(GoogleAdManager, "rate_limit", None)
    return


def connector(server: FakeServer, **options: Any) -> GoogleAdManager:
    return GoogleAdManager(
        account(
            server.url,
            name="gam",
            granularity=None,
            grain=(),
            timezone="America/New_York",
            credentials=SECRETS,
            credential_variables={},
            options={"network_code": "77", "token_url": f"{server.url}/token", **options},
        )
    )


def ask(server: FakeServer, folder: Path, **options: Any) -> Import:
    return import_day(connector(server, **options), DAY, AS_OF, Archive(folder), QUICK)


def refused(server: FakeServer, folder: Path, **options: Any) -> PartnerError:
    with pytest.raises(PartnerError) as caught:
        ask(server, folder, **options)
    return caught.value


def booked(server: FakeServer, folder: Path, options: Mapping[str, Any] | None = None, **changes: Any) -> LineItemRow:
    server.answer = FakeAdManager([{**ITEM, **changes}])
    (line_item,) = ask(server, folder, **(options or {})).rows
    assert isinstance(line_item, LineItemRow)
    return line_item


def delivered(batch: Import) -> dict[tuple[str, str, str | None], tuple[int, int | None]]:
    rows = [each for each in batch.rows if isinstance(each, DeliveryRow)]
    return {
        (each.line_item_id, each.ad_unit_id, each.custom_criteria): (each.impressions, each.clicks) for each in rows
    }


# --- line items ------------------------------------------------------------------------------------------------------


def test_a_line_item_as_it_is_booked(server: FakeServer, tmp_path: Path) -> None:
    assert booked(server, tmp_path) == LineItemRow(
        line_item_id="61",
        proposal_id="31",
        proposal_status="sold",
        rate_type="CPM",
        net_rate=Decimal("12.5"),
        gross_rate=None,
        currency="EUR",
        contracted_volume=40_000,
        start_date=date(2026, 10, 1),
        end_date=date(2026, 10, 31),
    )


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"reservationStatus": "UNRESERVED"}, "proposal_status", "unsold"),
        ({"reservationStatus": "LINE_ITEM_RESERVATION_STATUS_UNSPECIFIED"}, "proposal_status", None),
        ({"rate": {"currencyCode": "EUR", "units": "12"}}, "net_rate", Decimal(12)),
        ({"rate": {"currencyCode": "EUR", "nanos": 650_000_000}}, "net_rate", Decimal("0.65")),
        ({"contractedUnitsBought": None}, "contracted_volume", 45_000),
        ({"targetEndTime": None}, "end_date", date(2026, 11, 3)),
        ({"endTimeUnlimited": True}, "end_date", None),
        ({"costType": "CPD", "contractedUnitsBought": "9"}, "contracted_volume", 31),
        ({"startTime": "2026-10-01T03:59:00.500Z"}, "start_date", date(2026, 9, 30)),
    ],
)
def test_what_is_derived_from_it(
    server: FakeServer, tmp_path: Path, changes: dict[str, Any], field: str, value: object
) -> None:
    assert getattr(booked(server, tmp_path, **changes), field) == value


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"costType": "VCPM"}, "it is paid by VCPM, and not by CPM, CPC, CPD"),
        (
            {"contractedUnitsBought": None, "goal": {"goalType": "DAILY", "units": "50"}},
            "it has neither a contracted quantity",
        ),
        ({"contractedUnitsBought": "-1", "goal": None}, "it has neither a contracted quantity"),
        ({"costType": "CPD", "endTimeUnlimited": True}, "it is paid by the day, and has no last one"),
        ({"discount": {"discount": 10}}, "it has a discount"),
    ],
)
def test_what_cannot_be_counted_is_an_error_that_names_it(
    server: FakeServer, tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    server.answer = FakeAdManager([{**ITEM, **changes}])
    error = refused(server, tmp_path)
    assert f"networks/77/lineItems/61 is no contract that can be counted: {why}" in error.cause
    assert "leave it out by the option line_item_filter" in error.remedy


@pytest.mark.parametrize(
    ("discounts", "discount", "net", "gross"),
    [
        ("deduct", {"discount": 10}, "11.25", "12.5"),
        ("deduct", {"discountType": "PERCENTAGE", "discount": 33.0}, "8.375", "12.5"),
        ("deduct", {"discountType": "ABSOLUTE_VALUE", "discount": 100.5}, "9.9875", "12.5"),
        ("ignore", {"discount": 10}, "12.5", None),
        ("deduct", {"discount": 0}, "12.5", None),
    ],
)
def test_a_discount_is_deducted_or_not_as_the_option_says(
    server: FakeServer, tmp_path: Path, discounts: str, discount: dict[str, Any], net: str, gross: str | None
) -> None:
    line_item = booked(server, tmp_path, {"discounts": discounts}, discount=discount)
    assert (line_item.net_rate, line_item.gross_rate) == (Decimal(net), gross and Decimal(gross))


@pytest.mark.parametrize(
    ("start", "end", "is_seen"),
    [
        ("2026-10-05T12:00:00Z", "2026-12-01T00:00:00Z", True),
        ("2026-10-06T12:00:00Z", "2026-12-01T00:00:00Z", False),
        ("2026-08-01T12:00:00Z", "2026-09-04T12:00:00Z", True),
        ("2026-08-01T12:00:00Z", "2026-09-03T12:00:00Z", False),
    ],
)
def test_line_items_are_seen_from_their_first_day_until_a_month_after_their_last(
    server: FakeServer, tmp_path: Path, start: str, end: str, is_seen: bool
) -> None:
    server.answer = FakeAdManager([{**ITEM, "startTime": start, "targetEndTime": end}])
    assert bool(ask(server, tmp_path).rows) == is_seen


def test_all_pages_of_line_items_are_read_by_the_filter(server: FakeServer, tmp_path: Path) -> None:
    items = [{**ITEM, "name": f"networks/77/lineItems/{number}"} for number in range(5)]
    server.answer = fake = FakeAdManager(items, page_size=2)
    batch = ask(server, tmp_path, line_item_filter='costType = "CPM"')
    assert [each.line_item_id for each in batch.rows] == ["0", "1", "2", "3", "4"]  # type: ignore[attr-defined]
    assert fake.filters == ['costType = "CPM"'] * 3


# --- delivery --------------------------------------------------------------------------------------------------------


def test_a_days_delivery_by_line_item_and_ad_unit(server: FakeServer, tmp_path: Path) -> None:
    rows = [row(61, 900, impressions=1000, clicks=7), row(61, 901, impressions=5), row(62, 900, clicks=1)]
    server.answer = fake = FakeAdManager(whole=rows, page_size=2)
    assert delivered(ask(server, tmp_path)) == {
        ("61", "900", None): (1000, 7),
        ("61", "901", None): (5, 0),
        ("62", "900", None): (0, 1),
    }
    assert fake.definitions == [
        {
            "reportType": "HISTORICAL",
            "dimensions": ["DATE", "LINE_ITEM_ID", "AD_UNIT_ID"],
            "metrics": ["AD_SERVER_IMPRESSIONS", "AD_SERVER_CLICKS"],
            "dateRange": {
                "fixed": {
                    "startDate": {"year": 2026, "month": 10, "day": 5},
                    "endDate": {"year": 2026, "month": 10, "day": 5},
                }
            },
        }
    ]


def test_what_has_no_value_of_the_key_is_the_rest(server: FakeServer, tmp_path: Path) -> None:
    server.answer = fake = FakeAdManager(
        whole=[row(61, 900, impressions=100, clicks=5), row(61, 901, impressions=10)],
        by_key=[
            row(61, 900, "sport", impressions=60, clicks=2),
            row(61, 900, "(Not applicable)", impressions=30),
            row(61, 901, "news", impressions=10),
        ],
    )
    assert delivered(ask(server, tmp_path, **SECTION)) == {
        ("61", "900", "section=sport"): (60, 2),
        ("61", "900", None): (40, 3),
        ("61", "901", "section=news"): (10, 0),
    }
    assert fake.definitions[0]["customDimensionKeyIds"] == ["14001"]


def test_values_that_overlap_are_an_error(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeAdManager(
        whole=[row(61, 900, impressions=100)],
        by_key=[row(61, 900, "sport", impressions=60), row(61, 900, "news", impressions=60)],
    )
    error = refused(server, tmp_path, **SECTION)
    assert "have more than line item 61 in ad unit 900 as a whole; choose another key" in error.cause


def test_a_date_may_be_a_text(server: FakeServer, tmp_path: Path) -> None:
    server.answer = FakeAdManager(whole=[row(61, 900, impressions=1, day="2026-10-05")])
    assert delivered(ask(server, tmp_path)) == {("61", "900", None): (1, 0)}


@pytest.mark.parametrize(
    "odd",
    [
        row(61, 900, day=20261004),
        row(61, 900, "sport"),
        row(61),
        {"dimensionValues": row(61, 900)["dimensionValues"]},
        {**row(61, 900), "metricValueGroups": []},
        {**row(61, 900), "metricValueGroups": [{"primaryValues": [cell(1)]}]},
        {**row(61, 900), "metricValueGroups": [{"primaryValues": [{"doubleValue": 1.5}, cell(1)]}]},
        {**row(61, 900), "dimensionValues": [cell(20261005), {"intListValue": {"values": ["1"]}}, cell(900)]},
    ],
)
def test_a_row_of_another_shape_is_an_error(server: FakeServer, tmp_path: Path, odd: dict[str, Any]) -> None:
    server.answer = FakeAdManager(whole=[odd])
    assert "in a shape the connector does not know" in refused(server, tmp_path).cause


def test_rows_that_are_missing_or_come_twice_are_an_error(server: FakeServer, tmp_path: Path) -> None:
    server.answer = fake = FakeAdManager(whole=[row(61, 900), row(61, 900)])
    assert "the row of ('61', '900', None) came twice" in refused(server, tmp_path).cause
    fake.reports["1"] = [row(61, number) for number in range(3)]
    full = fake.page
    fake.page = lambda *asked: {**full(*asked), "totalRowCount": 4}  # type: ignore[method-assign]
    assert "3 of 4 `rows` came" in refused(server, tmp_path).cause


# --- reports that take their time ------------------------------------------------------------------------------------


def test_a_report_that_failed_is_an_error(server: FakeServer, tmp_path: Path) -> None:
    server.answer = fake = FakeAdManager()
    fake.states = {"error": {"code": 13, "message": "Internal error encountered."}}
    assert "the report failed at the partner: {'code': 13" in refused(server, tmp_path).cause


def test_a_report_that_is_never_ready_is_an_error(server: FakeServer, tmp_path: Path) -> None:
    server.answer = fake = FakeAdManager()
    fake.states = {"done": False}
    assert "was not ready when it had been asked after 20 times" in refused(server, tmp_path).cause
    assert fake.polls == 20


def test_a_network_with_other_days_is_refused(server: FakeServer, tmp_path: Path) -> None:
    server.answer = fake = FakeAdManager()
    fake.zone = "Europe/Berlin"
    error = refused(server, tmp_path)
    assert "days are those of Europe/Berlin, and not of America/New_York" in error.cause
    assert "Set partners.gam.timezone to Europe/Berlin." in error.remedy


def test_a_key_needs_its_id_and_its_name(server: FakeServer) -> None:
    with pytest.raises(PartnerError, match="needs both its id and its name"):
        connector(server, custom_targeting_key="section")
