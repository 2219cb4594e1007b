"""ARPPU = revenue / members who have had a revenue event by the day, of the day and since the start."""

from decimal import Decimal
from pathlib import Path

import pytest

from revenue_pipeline_tests.reports.test_revenue import DAILY, KEY
from revenue_pipeline_tests.sql_fixture import NEXT_DAY, SqlFixture, pick

ARPPU = "reports.arppu"


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def test_arppu_divides_by_those_who_paid_so_far_not_by_those_of_the_day(sql: SqlFixture) -> None:
    numbers = {"revenue": Decimal(10), "cumulative_revenue": Decimal(50), "paying_users": 4}
    sql.insert(DAILY, KEY | numbers | {"users": 100, "active_users": 2, "new_payers": 1})
    ratios = {"arppu": 2.5, "cumulative_arppu": 12.5}
    assert sql.run(ARPPU, as_of=NEXT_DAY) == [KEY | numbers | ratios | {"is_partial": False}]


def test_arppu_is_null_while_nobody_paid(sql: SqlFixture) -> None:
    sql.insert(DAILY, KEY | {"revenue": 0, "cumulative_revenue": 0, "paying_users": 0})
    assert pick(sql.run(ARPPU), "arppu", "cumulative_arppu") == [(None, None)]
