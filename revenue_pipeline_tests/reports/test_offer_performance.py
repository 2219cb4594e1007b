"""An offer over all the messages that carried it. The numbers are those of the message tracking document."""

from __future__ import annotations

from pathlib import Path

import pytest

from revenue_pipeline_tests.message_rows import ACTIVITY, activity
from revenue_pipeline_tests.sql_fixture import SqlFixture, pick

REPORT = "reports.offer_performance"


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path, messages={"cost_per_segment": "0.01"})


def test_the_worked_example_of_an_offer(sql: SqlFixture) -> None:
    sql.insert(
        ACTIVITY,
        activity("m1", offer_id="Summer Clearance", clicks=15_000, conversions=599, revenue="14399"),
        activity("m2", offer_id="Summer Clearance", conversions=1, revenue="1"),
        activity("m2", sends=1, segments=1),
    )
    columns = ("offer_id", "clicks", "conversions", "revenue", "epc", "conversion_rate", "revenue_per_send")
    assert sorted(pick(sql.run(REPORT), *columns), key=str) == [
        ("Summer Clearance", 15_000, 600, 14_400, 0.96, 0.04, None),
        (None, 0, 0, 0, None, None, 0.0),
    ]
