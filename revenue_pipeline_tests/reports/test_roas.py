"""ROAS = revenue / cost, of the day and since the start."""

from decimal import Decimal
from pathlib import Path

import pytest

from revenue_pipeline_tests.reports.test_revenue import DAILY, KEY
from revenue_pipeline_tests.sql_fixture import NEXT_DAY, SqlFixture, pick

ROAS = "reports.roas"


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def test_roas_is_a_ratio_of_revenue_to_cost(sql: SqlFixture) -> None:
    numbers = {"revenue": Decimal(1), "cumulative_revenue": Decimal("5.5"), "cost": Decimal(4)}
    sql.insert(DAILY, KEY | numbers)
    ratios = {"roas": 0.25, "cumulative_roas": 1.375}
    assert sql.run(ROAS, as_of=NEXT_DAY) == [KEY | numbers | ratios | {"is_partial": False}]


@pytest.mark.parametrize("cost", [None, "0"])
def test_roas_over_no_cost_or_a_cost_of_nothing_is_null(sql: SqlFixture, cost: str | None) -> None:
    sql.insert(DAILY, KEY | {"revenue": 1, "cumulative_revenue": 1, "cost": cost})
    assert pick(sql.run(ROAS), "roas", "cumulative_roas") == [(None, None)]


def test_no_revenue_or_more_refunds_than_revenue_is_a_ratio_too(sql: SqlFixture) -> None:
    sql.insert(DAILY, KEY | {"revenue": 0, "cumulative_revenue": -2, "cost": 4})
    assert pick(sql.run(ROAS), "roas", "cumulative_roas") == [(0.0, -0.5)]
