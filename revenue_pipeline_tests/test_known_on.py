from __future__ import annotations

import logging
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from revenue_pipeline import core, reports
from revenue_pipeline.definitions import open_warehouse
from revenue_pipeline.known_on import moved_between, rows_known_on, windows_needed
from revenue_pipeline.partitions import Window
from revenue_pipeline.run import run_graph
from revenue_pipeline.settings import Settings
from revenue_pipeline_tests.conftest import ACME, impression, land_csv_in, rows_of, settings_in

LOG = logging.getLogger(__name__)
FIFTH, SIXTH, SEVENTH, EIGHTH = (date(2026, 11, day) for day in (5, 6, 7, 8))
DAY = Window.of_day(FIFTH)
REPORTS = '+key:"reports/rpm"'
TABLES = {table.name: table for table in (*core.TABLES, *reports.TABLES)}


@pytest.fixture(scope="module")
def restated(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A partner that says nothing on the 5th, 0.08 on the 6th, 0.09 on the 7th, and nothing again on the 8th."""
    folder = tmp_path_factory.mktemp("restated")
    land_csv = partial(land_csv_in, folder)
    settings = settings_in(folder, partners={"acme": ACME})
    day = FIFTH.isoformat()
    land_csv("events", day, [
        impression("e1", day, revenue="0.01", container_id="news", user_id="ann"),
        impression("e2", day, revenue="0.03", container_id="news"),
        {**impression("e3", day, container_id="news"), "event_name": "open"},
        {**impression("e4", day, user_id="ann"), "event_name": "install"},
    ])  # fmt: skip
    run_graph(settings, DAY, FIFTH, REPORTS)
    for as_of, revenue in ((SIXTH, "0.08"), (SEVENTH, "0.09")):
        land_csv("partner_revenue", day, [
            {"partner": "acme", "report_date": day, "revenue": revenue, "app_id": "game"},
        ])  # fmt: skip
        run_graph(settings, DAY, as_of, REPORTS)
    path = land_csv("partner_revenue", day, [{"partner": "", "report_date": "", "revenue": "", "app_id": ""}])
    path.write_text("partner,report_date,revenue,app_id\n")
    run_graph(settings, DAY, EIGHTH, REPORTS)
    return settings


def container(settings: Settings, known_on: date) -> dict[str, Any]:
    rows = rows_known_on(open_warehouse(settings), settings, TABLES["reports.rpm"], DAY, known_on, LOG)
    (row,) = [row for row in rows if row["container_id"] == "news"]
    return row


@pytest.mark.parametrize(
    ("known_on", "revenue", "estimated", "is_final"),
    [
        (date(2026, 11, 4), "0.04", "0.04", False),
        (FIFTH, "0.04", "0.04", False),
        (SIXTH, "0.08", "0", False),
        (SEVENTH, "0.09", "0", False),
        (EIGHTH, "0", "0", True),
    ],
)
def test_a_report_reads_as_it_did_on_a_day(
    restated: Settings, known_on: date, revenue: str, estimated: str, is_final: bool
) -> None:
    row = container(restated, known_on)

    assert (row["revenue"], row["estimated_revenue"]) == (Decimal(revenue), Decimal(estimated))
    assert row["is_final"] is is_final
    assert row["rpm"] == pytest.approx(float(Decimal(revenue) * 1000))


def test_a_report_as_known_on_the_last_day_is_the_report(restated: Settings) -> None:
    before = rows_of(restated, "SELECT * FROM reports.rpm ORDER BY ALL")

    rows = rows_known_on(open_warehouse(restated), restated, TABLES["reports.rpm"], DAY, EIGHTH, LOG)

    assert sorted(map(str, (tuple(row.values()) for row in rows))) == sorted(map(str, before))
    assert rows_of(restated, "SELECT * FROM reports.rpm ORDER BY ALL") == before


def test_what_moved_between_two_days_is_named_with_the_batches_that_moved_it(restated: Settings) -> None:
    moved, batches = moved_between(open_warehouse(restated), restated, TABLES["reports.rpm"], DAY, FIFTH, SEVENTH, LOG)

    (row,) = [each for each in moved if each.key["container_id"] == "news"]
    assert (row.before, row.after) != (None, None)
    assert row.before is not None and row.before["revenue"] == Decimal("0.04")
    assert row.after is not None and row.after["revenue"] == Decimal("0.09")
    assert "impressions" not in row.after
    assert [(each.as_of, each.revenue, each.change) for each in batches] == [
        (SIXTH, Decimal("0.08"), None),
        (SEVENTH, Decimal("0.09"), Decimal("0.01")),
    ]


def test_what_every_run_replaces_whole_is_known_on_a_day_too(restated: Settings) -> None:
    def changes(known_on: date) -> list[tuple[Decimal, Decimal | None]]:
        table = TABLES["reports.restatements"]
        rows = rows_known_on(open_warehouse(restated), restated, table, DAY, known_on, LOG)
        return [(row["revenue"], row["change"]) for row in rows]

    assert changes(FIFTH) == []
    assert changes(SEVENTH) == [(Decimal("0.08"), None), (Decimal("0.09"), Decimal("0.01"))]
    assert changes(EIGHTH)[2:] == [(Decimal(0), Decimal("-0.09"))]


def test_a_table_that_is_whole_reads_none_that_is_computed_day_by_day() -> None:
    # Of such a one only the days of the window would be there.
    whole = [table for table in TABLES.values() if table.is_whole]
    assert whole
    assert {read.table for table in whole for read in table.reads}.isdisjoint(TABLES)


def test_nothing_moves_between_a_day_and_itself(restated: Settings) -> None:
    assert moved_between(open_warehouse(restated), restated, TABLES["reports.ctr"], DAY, SIXTH, SIXTH, LOG) == ([], [])


def test_a_report_needs_the_days_that_its_sources_read() -> None:
    needed = windows_needed(TABLES["reports.rpm"], DAY, {"followed": 90})

    assert needed["core.engagement_daily"] == DAY
    assert needed["core.allocated_revenue"] == DAY.widened(1, 1)
    assert needed["raw.events"] == DAY.widened(2, 2)
    assert "reports.ctr" not in needed


def test_a_cohort_report_needs_every_day_that_its_cohorts_have_been_followed_for() -> None:
    needed = windows_needed(TABLES["reports.ltv"], DAY, {"followed": 30})

    assert needed["core.cohort_daily"] == DAY
    assert needed["core.cohort_members"] == DAY.widened(30, 0)
    assert needed["core.allocated_revenue"] == DAY.widened(31, 1)


def test_a_cohort_report_reads_as_it_did_on_a_day(restated: Settings) -> None:
    def revenue(known_on: date) -> Decimal:
        table, warehouse = TABLES["reports.revenue"], open_warehouse(restated)
        (everything,) = [
            row
            for row in rows_known_on(warehouse, restated, table, DAY, known_on, LOG)
            if row["revenue_event"] == "all"
        ]
        revenue: Decimal = everything["revenue"]
        return revenue

    # A quarter of the day's money is hers, as of its estimates.
    expected = [Decimal("0.01"), Decimal("0.0225"), Decimal(0)]
    assert [revenue(known_on) for known_on in (FIFTH, SEVENTH, EIGHTH)] == expected
