"""How far numbers can be trusted, read from a published copy that a real run made."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from revenue_pipeline.catalog import all_macros, published_tables
from revenue_pipeline.definitions import open_warehouse
from revenue_pipeline.freshness import partner_days, settlements, stale_days
from revenue_pipeline.partitions import Window
from revenue_pipeline.publish import PublishedCopy
from revenue_pipeline.run import run_graph
from revenue_pipeline.settings import Settings
from revenue_pipeline.warehouse import remember_written
from revenue_pipeline_tests.conftest import ACME, Land, MakeSettings, impression

FIRST, SECOND = date(2026, 11, 5), date(2026, 11, 6)
DAYS = Window.between(FIRST, SECOND)
CONTRACT = {
    "line_item_id": "L",
    "rate_type": "CPM",
    "net_rate": "1",
    "currency": "USD",
    "contracted_volume": "1000",
    "start_date": "2026-11-05",
}


def total(day: str, revenue: str) -> dict[str, Any]:
    return {"partner": "acme", "report_date": day, "revenue": revenue, "app_id": "game"}


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    return make_settings(partners={"acme": ACME, "slow": {**ACME, "import_window_days": 10}})


def test_nothing_published_is_told(settings: Settings) -> None:
    with pytest.raises(FileNotFoundError, match="nothing is published"):
        partner_days(settings, FIRST)
    with pytest.raises(FileNotFoundError, match="nothing is published"):
        stale_days(settings)


def test_partner_days_and_stale_days_follow_the_runs(settings: Settings, land_csv: Land) -> None:
    rows = [
        impression("1", "2026-11-05", revenue="0.5"),
        impression("2", "2026-11-05", revenue="0.5", app_id="other"),
        impression("3", "2026-11-05", revenue="3", partner="slow"),
        impression("4", "2026-11-05", revenue="1", partner="nobody"),
    ]
    land_csv("events", "2026-11-05", rows)
    land_csv("partner_revenue", "2026-11-05", [total("2026-11-05", "1.5")])
    bad = land_csv("partner_revenue", "2026-11-06", [total("2026-11-06", "1")], name="bad.parquet")
    as_of = date(2026, 11, 6)
    run_graph(settings, DAYS, as_of)

    days = {(day.partner, day.report_date): day for day in partner_days(settings, as_of)}
    acme = days["acme", FIRST]
    assert (acme.is_closed, acme.imported_revenue, acme.difference) == (False, Decimal("1.5"), 0)
    assert acme.last_imported_at is not None
    assert (acme.verified_share, acme.estimated_share, acme.expired_share) == (0.75, 0.25, 0.0)
    failed = days["acme", SECOND]
    assert failed.import_error is not None
    assert bad.name in failed.import_error
    assert (failed.last_imported_at, failed.imported_revenue, failed.verified_share) == (None, 0, None)
    slow, nobody = days["slow", FIRST], days["nobody", FIRST]
    assert (slow.estimated_share, slow.is_closed, nobody.estimated_share) == (1.0, False, 1.0)
    assert stale_days(settings) == []

    later = date(2026, 11, 8)  # three days after the first
    closed = {(day.partner, day.report_date): day.is_closed for day in partner_days(settings, later)}
    assert [closed[key] for key in (("acme", FIRST), ("slow", FIRST), ("nobody", FIRST), ("acme", SECOND))] == [
        True,
        False,
        True,
        False,
    ]
    assert {day.report_date for day in partner_days(settings, later, SECOND, SECOND)} == {SECOND}

    # One day's events are landed again, and a contract; nothing after them is run.
    land_csv("events", "2026-11-05", rows[:1])
    land_csv("line_items", "2026-11-05", [CONTRACT])
    for selection in ('key:"raw/events" or key:"raw/line_items"', 'key:"published/reports"'):
        run_graph(settings, Window.of_day(FIRST), as_of, selection)
    stale = {(each.table, each.day): each.newer for each in stale_days(settings)}
    assert "raw.events 2026-11-05" in stale["core.reconciled_estimates", FIRST]
    assert ("core.reconciled_estimates", SECOND) in stale  # its day reads the events of the day before
    # What every run replaces whole is stale once, by the day on which it was.
    assert stale["reports.contracted_revenue", as_of] == "raw.line_items/files 2026-11-05"
    assert "reports.restatements" not in {table for table, _ in stale}

    heal = 'key:"reports/contracted_revenue" or key:"published/reports"'
    run_graph(settings, Window.of_day(SECOND), as_of, heal)  # a run of whatever day
    assert "reports.contracted_revenue" not in {each.table for each in stale_days(settings)}


def import_a_week(settings: Settings, known: Mapping[int, str]) -> None:
    """Publish a log of imports: of each day of a week, age -> what was known then."""
    imports = [
        {"report_date": FIRST + timedelta(days=number), "partner": "acme", "age": age, "revenue": revenue}
        for number in range(7)
        for age, revenue in known.items()
    ]
    with open_warehouse(settings).writing(logging.getLogger(__name__), "a test") as connection:
        for number, row in enumerate(imports):
            connection.execute(
                "INSERT INTO raw.partner_imports (report_date, partner, imported_at, as_of, revenue) "
                "VALUES ($report_date, $partner, to_timestamp($number), $report_date + $age, $revenue)",
                {**row, "number": number},
            )
        remember_written(connection, "raw.partner_imports", Window.between(FIRST, FIRST + timedelta(days=6)), FIRST)
        PublishedCopy(settings.storage.warehouse).publish(connection, published_tables(), all_macros())


def test_how_soon_a_partner_settles_and_what_window_that_asks_for(settings: Settings) -> None:
    import_a_week(settings, {0: "50", 1: "80", 2: "100", 8: "100"})

    (acme,) = settlements(settings)

    assert (acme.partner, acme.import_window_days, acme.recommended_import_window_days) == ("acme", 3, 3)
    assert acme.report_dates == 7
    assert {age: acme.settled_shares[age] for age in (0, 1, 2, 7, 8)} == {0: 0.5, 1: 0.8, 2: 1.0, 7: 1.0, 8: 1.0}
