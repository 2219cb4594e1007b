"""The cells of revenue: as counted, and partial while the day is not over."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from revenue_pipeline_tests.sql_fixture import DAY, DAY_BEFORE, NEXT_DAY, Row, SqlFixture, pick

DAILY, REVENUE = "core.cohort_daily", "reports.revenue"
KEY: Row = {
    "event_date": DAY,
    "cohort_date": DAY_BEFORE,
    "start_event": "install",
    "revenue_event": "all",
    "app_id": "game",
    "platform": "ios",
    "country": "DE",
    "channel": "search",
    "campaign_id": None,
    "period": 1,
}


def test_a_cell_is_as_counted(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path)
    numbers = {
        "revenue": Decimal("2.000000001"),
        "cumulative_revenue": Decimal("3.000000001"),
        "events": 4,
        "cumulative_events": 5,
        "active_users": 6,
    }
    sql.insert(DAILY, KEY | numbers | {"users": 7, "new_payers": 8, "paying_users": 9, "cost": 10})
    assert sql.run(REVENUE, as_of=NEXT_DAY) == [KEY | numbers | {"is_partial": False}]


@pytest.mark.parametrize("table", ["revenue", "roas", "arpu", "arppu", "ltv"])
@pytest.mark.parametrize(("as_of", "is_partial"), [(DAY_BEFORE, True), (DAY, True), (NEXT_DAY, False)])
def test_a_cell_is_partial_until_its_day_is_over(tmp_path: Path, table: str, as_of: date, is_partial: bool) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert(DAILY, KEY)
    assert {row["is_partial"] for row in sql.run(f"reports.{table}", as_of=as_of)} == {is_partial}


@pytest.mark.parametrize("table", ["revenue", "roas", "arpu", "arppu"])
def test_each_row_of_facts_of_the_day_has_one_cell(tmp_path: Path, table: str) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert(DAILY, KEY, KEY | {"revenue_event": "purchase"}, KEY | {"country": None})
    sql.insert(DAILY, *(KEY | {"event_date": DAY + timedelta(days=days)} for days in (-1, 1)))
    cells = pick(sql.run(f"reports.{table}"), "event_date", "revenue_event", "country")
    assert sorted(cells, key=str) == [(DAY, "all", "DE"), (DAY, "all", None), (DAY, "purchase", "DE")]
