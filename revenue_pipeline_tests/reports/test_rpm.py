"""RPM = (revenue / adjusted opens) * 1000, and eCPM = revenue / impressions * 1000."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline_tests.sql_fixture import DAY, NEXT_DAY, Row, SqlFixture, event, pick

ENGAGEMENT, RPM = "core.engagement_daily", "reports.rpm"


def engagement(revenue: str = "0", adjusted_opens: str = "0", impressions: int = 0, **columns: Any) -> Row:
    row = {"event_date": DAY, "level": "container", "container_id": "letter", "revenue": revenue}
    return row | {"adjusted_opens": adjusted_opens, "impressions": impressions} | columns


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def test_rpm_is_revenue_for_a_thousand_adjusted_opens_never_raw_ones(sql: SqlFixture) -> None:
    sql.insert(ENGAGEMENT, engagement("5", "400", opens=1000, automated_opens=600))
    assert pick(sql.run(RPM), "opens", "adjusted_opens", "rpm") == [(1000, 400, 12.5)]


def test_ecpm_is_revenue_for_a_thousand_impressions(sql: SqlFixture) -> None:
    sql.insert(ENGAGEMENT, engagement("5", "400", 2000))
    assert pick(sql.run(RPM), "ecpm") == [(2.5,)]


@pytest.mark.parametrize("revenue", ["5", "0", "-5"])
def test_a_ratio_over_nothing_is_null(sql: SqlFixture, revenue: str) -> None:
    sql.insert(ENGAGEMENT, engagement(revenue))
    assert pick(sql.run(RPM), "rpm", "ecpm") == [(None, None)]


def test_no_revenue_is_a_ratio_of_zero_and_a_negative_one_is_negative(sql: SqlFixture) -> None:
    sql.insert(ENGAGEMENT, engagement("0", "400", 10), engagement("-1", "400", 10, container_id="other"))
    assert sorted(pick(sql.run(RPM), "rpm", "ecpm")) == [(-2.5, -100.0), (0.0, 0.0)]


def test_adjusted_opens_count_in_fractions(sql: SqlFixture) -> None:
    sql.insert(ENGAGEMENT, engagement("1", "0.5"))
    assert pick(sql.run(RPM), "rpm") == [(2000.0,)]


def test_a_container_divides_the_sums_of_its_placements(sql: SqlFixture) -> None:
    # Placements at 1 / 10 and 8 / 20 have 100 and 400; together they are 9 / 30, which is 300 and not their mean.
    for unit, opens, revenue in (("top", 10, "1"), ("foot", 20, "8")):
        at: Row = {"container_id": "letter", "ad_unit_id": unit}
        sql.insert("raw.events", *(event(f"{unit} {n}", "open", **at) for n in range(opens)))
        paid = {"report_date": DAY, "event_date": DAY, "partner": "max", "status": "verified", "revenue": revenue}
        sql.insert("core.allocated_revenue", paid | at)
    rows = sql.run(ENGAGEMENT, RPM)
    assert pick(rows, "ad_unit_id", "revenue", "adjusted_opens", "rpm") == [
        (None, 9, 30, 300.0),
        ("foot", 8, 20, 400.0),
        ("top", 1, 10, 100.0),
    ]


def test_everything_else_is_as_counted(sql: SqlFixture) -> None:
    row = {
        "event_date": DAY,
        "level": "placement",
        "container_id": None,
        "ad_unit_id": "top",
        "served_ads": 1,
        "impressions": 2,
        "opens": 3,
        "automated_opens": 4,
        "adjusted_opens": Decimal("5.5"),
        "opens_level": "container",
        "clicks": 6,
        "automated_clicks": 7,
        "revenue": Decimal("8.000000001"),
        "estimated_revenue": Decimal("0.000000009"),
        "is_final": False,
    }
    sql.insert(ENGAGEMENT, row)
    (found,) = sql.run(RPM)
    assert {column: found[column] for column in row} == row
    assert list(found) == [*row, "rpm", "ecpm"]


def test_only_the_days_of_the_run_are_replaced(sql: SqlFixture) -> None:
    sql.insert(ENGAGEMENT, engagement("1", "1"), engagement("1", "1", event_date=NEXT_DAY))
    assert pick(sql.run(RPM), "event_date") == [(DAY,)]
