"""A campaign and what it cost. The numbers are those of the message tracking document."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from revenue_pipeline_tests.message_rows import ACTIVITY, activity
from revenue_pipeline_tests.sql_fixture import SqlFixture, pick

REPORT = "reports.campaign_performance"


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path, messages={"cost_per_segment": "0.01"})


def test_the_worked_example_of_a_campaign(sql: SqlFixture) -> None:
    sql.insert(
        ACTIVITY, activity("m1", campaign_id="Weekend Promo", sends=25_000, segments=35_000, clicks=1, revenue="2100")
    )
    columns = ("campaign_id", "sends", "segments", "cost", "revenue", "roi", "roas")
    assert pick(sql.run(REPORT), *columns) == [("Weekend Promo", 25_000, 35_000, 350, 2_100, 5.0, 6.0)]


def test_cost_is_exact_in_the_last_digit(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path, messages={"cost_per_segment": "0.000000007"})
    sql.insert(ACTIVITY, activity(campaign_id="c", sends=1, segments=3), activity("m2", campaign_id="c", segments=4))
    assert pick(sql.run(REPORT), "cost", "roas", "roi") == [(Decimal("0.000000049"), 0.0, -1.0)]


def test_messages_that_cost_nothing_have_no_return_on_it(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert(ACTIVITY, activity(campaign_id="c", sends=1, segments=3, revenue="5"))
    assert pick(sql.run(REPORT), "cost", "revenue_per_send", "roas", "roi") == [(0, 5.0, None, None)]
