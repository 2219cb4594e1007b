"""ARPU = revenue / members, of the day and since the start."""

from decimal import Decimal
from pathlib import Path

import pytest

from revenue_pipeline_tests.reports.test_revenue import DAILY, KEY
from revenue_pipeline_tests.sql_fixture import NEXT_DAY, SqlFixture, pick

ARPU = "reports.arpu"


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def test_arpu_divides_by_all_members_whether_they_pay_or_not(sql: SqlFixture) -> None:
    numbers = {"revenue": Decimal(80), "cumulative_revenue": Decimal(230), "users": 100}
    sql.insert(DAILY, KEY | numbers | {"paying_users": 3, "active_users": 2})
    ratios = {"arpu": 0.8, "cumulative_arpu": 2.3}
    assert sql.run(ARPU, as_of=NEXT_DAY) == [KEY | numbers | ratios | {"is_partial": False}]


def test_arpu_of_nobody_is_null(sql: SqlFixture) -> None:
    sql.insert(DAILY, KEY | {"revenue": 0, "cumulative_revenue": 0, "users": 0})
    assert pick(sql.run(ARPU), "arpu", "cumulative_arpu") == [(None, None)]
