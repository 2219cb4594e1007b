"""Line items and delivery of an ad server's API, imported from the simulated world beside what is landed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from revenue_pipeline.partners.google_ad_manager import GoogleAdManager
from revenue_pipeline.raw.datasets import LINE_ITEM_DELIVERY
from revenue_pipeline.raw.imports import Batch, FailedDay
from revenue_pipeline.simulator import Simulator, World
from revenue_pipeline.simulator.google_ad_manager import SECTION_KEY
from revenue_pipeline.simulator.line_items import delivery, line_items
from revenue_pipeline_tests.raw.conftest import DAY, KEY, Import, Lake

FIRST = DAY - timedelta(days=1)
DELIVERED = (
    "SELECT coalesce(partner, source), sum(impressions), count(*) FROM raw.line_item_delivery GROUP BY 1 ORDER BY 1"
)


@pytest.fixture(scope="module")
def world() -> World:
    return World(first_day=FIRST, last_day=DAY + timedelta(days=1), scale=0.5)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GoogleAdManager, "poll_seconds", 0.001)
    monkeypatch.setattr(GoogleAdManager, "longest_poll_seconds", 0.002)
    monkeypatch.setattr(GoogleAdManager, "rate_limit", None)


@pytest.fixture
def import_contracts(import_days: Import, simulator: Simulator, lake: Lake) -> Iterator[Import]:
    """Import days of the ad server; one euro was worth two dollars when its line items began."""
    lake.put("fx_rates", "rates.csv", f"rate_date,currency,rate\n{FIRST},EUR,2\n", FIRST)

    def run(*days: date, **changes: Any) -> list[Batch | FailedDay]:
        address = f"{simulator.url}/google_ad_manager"
        set_up = {
            "connector": "google_ad_manager",
            "credentials": {name: {"env": "KEY"} for name in GoogleAdManager.credentials},
            "base_url": address,
            "options": {
                "network_code": "77",
                "token_url": f"{address}/token",
                "custom_targeting_key_id": SECTION_KEY,
                "custom_targeting_key": "section",
            },
        }
        return import_days(*days, partner="gam", **{**set_up, **changes})

    yield run


def test_what_is_booked_and_delivered_is_that_of_the_world(lake: Lake, import_contracts: Import, world: World) -> None:
    (batch,) = import_contracts(DAY)
    assert isinstance(batch, Batch)

    booked = [item for item in line_items(world) if item.start_date <= DAY]
    columns = "line_item_id, proposal_id, proposal_status, rate_type, net_rate, currency, contracted_volume"
    assert lake.ask(f"SELECT {columns}, start_date, end_date FROM raw.line_items ORDER BY 1") == [
        (*item[:5], *item[6:]) for item in booked
    ]
    rates = "SELECT DISTINCT folder_date, source, partner, currency, exchange_rate FROM raw.line_items ORDER BY 4"
    assert lake.ask(rates) == [(DAY, "api", "gam", "EUR", Decimal(2)), (DAY, "api", "gam", "USD", Decimal(1))]
    fields = "delivery_date, line_item_id, ad_unit_id, custom_criteria, impressions, clicks"
    found = lake.ask(f"SELECT {fields} FROM raw.line_item_delivery WHERE source = 'api' AND partner = 'gam'")
    assert sorted(found, key=str) == sorted(map(tuple, delivery(world, DAY)), key=str)
    assert batch.rows == len(booked) + len(found)


def test_landed_delivery_stays_beside_what_is_imported(lake: Lake, import_contracts: Import, world: World) -> None:
    header = "delivery_date,line_item_id,ad_unit_id,impressions"
    lake.put("line_item_delivery", "a.csv", f"{header}\n{DAY},by hand,top,7\n")
    lake.land(LINE_ITEM_DELIVERY)
    import_contracts(DAY)
    rows = delivery(world, DAY)
    assert lake.ask(DELIVERED) == [("files", 7, 1), ("gam", sum(row.impressions for row in rows), len(rows))]


@pytest.mark.parametrize("fault", ["report_failed", "report_pending", "error_in_body", "not_json"])
def test_a_failure_keeps_what_was_there(lake: Lake, import_contracts: Import, simulator: Simulator, fault: str) -> None:
    import_contracts(DAY)
    before = lake.ask(DELIVERED)
    simulator.faults.add(fault)

    (failed,) = import_contracts(DAY)

    assert isinstance(failed, FailedDay)
    assert KEY not in failed.error
    assert lake.ask(DELIVERED) == before
    assert lake.column("SELECT count(*) FROM raw.line_items") == [4]


def test_a_day_without_delivery_clears_what_was_there(
    lake: Lake, import_contracts: Import, simulator: Simulator
) -> None:
    import_contracts(DAY)
    simulator.faults.add("empty")
    import_contracts(DAY)
    assert lake.ask(DELIVERED) == []
    assert lake.column("SELECT count(*) FROM raw.line_items") == [4]


def test_a_contract_that_no_total_can_hold_is_an_error(
    import_contracts: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("revenue_pipeline.raw.line_items.LARGEST_TOTAL", Decimal(10_000))
    (failed,) = import_contracts(DAY)
    assert isinstance(failed, FailedDay)
    assert "is more than a total can hold" in failed.error
