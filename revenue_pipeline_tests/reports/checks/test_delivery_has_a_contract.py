from __future__ import annotations

from pathlib import Path

from revenue_pipeline_tests.reports.test_contracted_revenue import delivery, line_item
from revenue_pipeline_tests.sql_fixture import DAY, NEXT_DAY, SqlFixture

CHECK = ("reports", "delivery_has_a_contract")


def test_line_items_that_delivered_without_a_contract_are_named(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert("raw.line_items", line_item("L"))
    sql.insert("raw.line_item_delivery", delivery("A", 1))
    assert sql.bad_rows(*CHECK) == []

    sql.insert(
        "raw.line_item_delivery",
        delivery("A", 2, NEXT_DAY, line_item_id="X", clicks=1),
        delivery("B", 3, line_item_id="X"),
    )

    assert sql.bad_rows(*CHECK) == [{"line_item_id": "X", "impressions": 5, "clicks": 1, "first_delivery_date": DAY}]
