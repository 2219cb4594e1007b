"""CTR = clicks / adjusted opens."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline_tests.sql_fixture import DAY, NEXT_DAY, Row, SqlFixture, event, pick

ENGAGEMENT, CTR = "core.engagement_daily", "reports.ctr"


def engagement(clicks: int = 0, adjusted_opens: str = "0", **columns: Any) -> Row:
    row = {"event_date": DAY, "level": "container", "container_id": "letter"}
    return row | {"clicks": clicks, "adjusted_opens": adjusted_opens} | columns


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def test_ctr_is_clicks_of_people_for_each_adjusted_open_as_a_share(sql: SqlFixture) -> None:
    sql.insert(ENGAGEMENT, engagement(8, "400", opens=1000, automated_opens=600, automated_clicks=100))
    assert pick(sql.run(CTR), "ctr") == [(0.02,)]


@pytest.mark.parametrize("clicks", [0, 5])
def test_a_ratio_over_nothing_is_null(sql: SqlFixture, clicks: int) -> None:
    sql.insert(ENGAGEMENT, engagement(clicks))
    assert pick(sql.run(CTR), "ctr") == [(None,)]


def test_no_clicks_are_a_ratio_of_zero(sql: SqlFixture) -> None:
    sql.insert(ENGAGEMENT, engagement(0, "4"))
    assert pick(sql.run(CTR), "ctr") == [(0.0,)]


def test_adjusted_opens_count_in_fractions(sql: SqlFixture) -> None:
    sql.insert(ENGAGEMENT, engagement(1, "0.8"))
    assert pick(sql.run(CTR), "ctr") == [(1.25,)]


def test_a_container_divides_the_sums_of_its_placements(sql: SqlFixture) -> None:
    # 1 click in 10 opens and 8 in 20 are 9 in 30: 0.3, which is not the mean of 0.1 and 0.4.
    for unit, opens, clicks in (("top", 10, 1), ("foot", 20, 8)):
        at: Row = {"container_id": "letter", "ad_unit_id": unit}
        sql.insert("raw.events", *(event(f"open {unit} {n}", "open", **at) for n in range(opens)))
        sql.insert("raw.events", *(event(f"click {unit} {n}", "ad_click", **at) for n in range(clicks)))
    rows = sql.run(ENGAGEMENT, CTR)
    assert pick(rows, "ad_unit_id", "clicks", "adjusted_opens", "ctr") == [
        (None, 9, 30, 0.3),
        ("foot", 8, 20, 0.4),
        ("top", 1, 10, 0.1),
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
    (found,) = sql.run(CTR)
    assert {column: found[column] for column in row} == row
    assert list(found) == [*row, "ctr"]


def test_only_the_days_of_the_run_are_replaced(sql: SqlFixture) -> None:
    sql.insert(ENGAGEMENT, engagement(1, "1"), engagement(1, "1", event_date=NEXT_DAY))
    assert pick(sql.run(CTR), "event_date") == [(DAY,)]
