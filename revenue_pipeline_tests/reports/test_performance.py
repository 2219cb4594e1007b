"""Messages by everything they can be told apart by."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from revenue_pipeline_tests.message_rows import ACTIVITY, activity
from revenue_pipeline_tests.sql_fixture import SqlFixture, pick

REPORT = "reports.performance"


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path, messages={"cost_per_segment": "0.01"})


def test_each_combination_is_a_row(sql: SqlFixture) -> None:
    told = {"creative_id": "a", "offer_id": "sofa", "campaign_id": "weekend", "sending_list": "vip", "custom": "{}"}
    others = [told | {column: "other"} for column in told] + [told | {column: None} for column in told]
    for each in [told, told, *others]:
        sql.insert(ACTIVITY, activity(sends=1, segments=1, revenue="0.5", **each))
    rows = pick(sql.run(REPORT), *told, "sends", "revenue")
    assert len(rows) == 11
    assert (*told.values(), 2, Decimal(1)) in rows
    assert sum(row[-2] for row in rows) == 12
