"""The warning that names partners which the settings do not."""

from decimal import Decimal
from pathlib import Path

import pytest

from revenue_pipeline_tests.sql_fixture import AGGREGATED, DAY, NEXT_DAY, SqlFixture, impression, pick

LEDGER = "core.reconciled_estimates"


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path, {"max": AGGREGATED})


def test_configured_partners_are_fine(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1"))
    sql.write(LEDGER)
    assert sql.bad_rows("core", "partners_are_configured") == []


def test_others_are_named_with_what_they_lose(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        impression("e1", "stranger", estimate="0.1"),
        impression("e2", "stranger", estimate="0.2", day=NEXT_DAY),
        impression("e3", None),
        impression("e4"),
    )
    sql.write(LEDGER, last=NEXT_DAY)
    bad = sql.bad_rows("core", "partners_are_configured", last=NEXT_DAY)
    assert pick(bad, "partner", "impressions", "estimated_revenue") == [
        ("stranger", 2, Decimal("0.3")),
        ("unknown", 1, 0),
    ]


def test_only_the_days_of_the_run_are_looked_at(sql: SqlFixture) -> None:
    sql.insert(LEDGER, {"report_date": NEXT_DAY, "partner": "stranger", "sdk_impressions": 1})
    assert sql.bad_rows("core", "partners_are_configured", first=DAY, last=DAY) == []
