"""LTV = what the first `horizon` days brought for each member: 7, 30 and 90 days, day 0 included."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from revenue_pipeline_tests.reports.test_revenue import DAILY, KEY
from revenue_pipeline_tests.sql_fixture import DAY, NEXT_DAY, SqlFixture, pick

LTV = "reports.ltv"


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def at(period: int) -> dict[str, object]:
    return KEY | {"cohort_date": DAY - timedelta(days=period), "period": period, "users": 1}


def test_ltv_divides_the_money_through_the_day_by_all_members(sql: SqlFixture) -> None:
    numbers = {"users": 100, "cumulative_revenue": Decimal(410)}
    sql.insert(DAILY, KEY | numbers | {"revenue": 30, "paying_users": 5})
    rows = sql.run(LTV, as_of=NEXT_DAY)
    shown = {"users": 100, "revenue": 410, "ltv": 4.1, "is_complete": False, "is_partial": False}
    assert rows == [KEY | {"horizon": horizon} | shown for horizon in (7, 30, 90)]


@pytest.mark.parametrize(
    ("period", "horizons"),
    [(0, (7, 30, 90)), (6, (7, 30, 90)), (7, (30, 90)), (29, (30, 90)), (30, (90,)), (89, (90,)), (90, ())],
)
def test_a_cohort_has_rows_for_the_horizons_that_its_day_lies_in(
    sql: SqlFixture, period: int, horizons: tuple[int, ...]
) -> None:
    sql.insert(DAILY, at(period))
    assert pick(sql.run(LTV), "horizon") == [(horizon,) for horizon in horizons]


@pytest.mark.parametrize(
    ("period", "as_of", "complete"),
    [
        (5, NEXT_DAY, []),
        (6, DAY, []),
        (6, NEXT_DAY, [7]),
        (7, NEXT_DAY, []),
        (29, NEXT_DAY, [30]),
        (89, NEXT_DAY, [90]),
    ],
)
def test_a_horizon_is_complete_when_its_last_day_is_reached_and_over(
    sql: SqlFixture, period: int, as_of: date, complete: list[int]
) -> None:
    sql.insert(DAILY, at(period))
    assert [row["horizon"] for row in sql.run(LTV, as_of=as_of) if row["is_complete"]] == complete


def test_ltv_of_nobody_is_null(sql: SqlFixture) -> None:
    sql.insert(DAILY, KEY | {"cumulative_revenue": 0, "users": 0})
    assert set(pick(sql.run(LTV), "ltv")) == {(None,)}
