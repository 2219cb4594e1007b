from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from revenue_pipeline_tests.reports.test_restatements import TABLE, batch
from revenue_pipeline_tests.sql_fixture import AGGREGATED, DAY, SqlFixture, pick

CHECK = ("reports", "closed_days_stand")


@pytest.mark.parametrize(
    ("age", "window", "revenue", "is_restated"),
    [
        (2, 3, "11", False),  # still open
        (3, 3, "11", True),
        (3, 4, "11", False),
        (8, 3, "10", False),  # imported again with another split of the same money
        (8, 3, "0", True),
    ],
)
def test_days_that_this_run_restated_after_they_had_closed_are_named(
    tmp_path: Path, age: int, window: int, revenue: str, is_restated: bool
) -> None:
    sql = SqlFixture(tmp_path, partners={"max": {**AGGREGATED, "import_window_days": window}})
    sql.insert("raw.partner_imports", batch(0, "10"), batch(age, revenue))
    sql.write(TABLE)

    found = sql.bad_rows(*CHECK, as_of=DAY + timedelta(days=age))

    assert pick(found, "revenue_before", "revenue") == ([(10, int(revenue))] if is_restated else [])
    assert sql.bad_rows(*CHECK, as_of=DAY + timedelta(days=age + 1)) == []
