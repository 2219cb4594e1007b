"""The history of what partner days were known to have earned."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from revenue_pipeline_tests.sql_fixture import DAY, Row, SqlFixture, pick

TABLE = "reports.restatements"
NOON = datetime(2026, 10, 1, 12)  # noqa: DTZ001  as the warehouse has it, in UTC


def batch(age: int, revenue: str | None, **columns: Any) -> Row:
    """An import at noon, `age` days after DAY."""
    return {
        "report_date": DAY,
        "partner": "max",
        "imported_at": NOON + timedelta(days=age),
        "as_of": DAY + timedelta(days=age),
        "import_id": f"batch {revenue}",
        "revenue": revenue,
        "is_changed": True,
    } | columns


def test_each_differing_batch_is_a_row_with_its_change_from_the_one_before(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert(
        "raw.partner_imports",
        batch(2, "12"),
        batch(0, "10"),
        batch(1, "10", is_changed=False),
        batch(3, None, is_changed=None, import_id=None, error="refused"),
        batch(8, "0"),  # an empty batch cleared the day
        batch(15, "11.5"),
    )
    sql.insert("raw.partner_imports", batch(0, "1", partner="acme"), batch(1, None, partner="affiliates"))

    assert pick(sql.run(TABLE), "partner", "imported_at", "revenue", "change", "age_days") == [
        ("acme", NOON, 1, None, 0),
        ("max", NOON, 10, None, 0),
        ("max", NOON + timedelta(days=2), 12, 2, 2),
        ("max", NOON + timedelta(days=8), 0, -12, 8),
        ("max", NOON + timedelta(days=15), Decimal("11.5"), Decimal("11.5"), 15),
    ]
