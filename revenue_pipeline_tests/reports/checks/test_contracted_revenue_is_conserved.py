from __future__ import annotations

from pathlib import Path

from revenue_pipeline_tests.reports.test_contracted_revenue import TABLE, delivery, line_item
from revenue_pipeline_tests.sql_fixture import DAY_BEFORE, NEXT_DAY, SqlFixture

CHECK = ("reports", "contracted_revenue_is_conserved")


def test_contracts_that_were_split_whole_are_no_bad_rows(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert("raw.line_items", line_item("L", folder_date=DAY_BEFORE, contracted_volume=7), line_item("L"))
    sql.insert("raw.line_items", line_item("undelivered", contracted_volume=0))
    sql.insert("raw.line_item_delivery", delivery("A", 1), delivery("B", 1), delivery("C", 1))
    sql.write(TABLE)

    assert sql.bad_rows(*CHECK) == []


def test_a_lost_part_and_a_contract_without_a_row_are(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert("raw.line_items", line_item("L"), line_item("M"), line_item("later"))
    sql.insert("raw.line_item_delivery", delivery("A", 1), delivery("B", 1))
    sql.write(TABLE)
    sql.execute(f"DELETE FROM {TABLE} WHERE ad_unit_id = 'B'")
    sql.execute(f"UPDATE {TABLE} SET contracted_net_revenue = NULL WHERE line_item_id = 'M'")
    sql.insert("raw.line_items", line_item("later", folder_date=NEXT_DAY, contracted_volume=8), line_item("new"))

    assert [(row["line_item_id"], row["contracted_volume"], row["volume"]) for row in sql.bad_rows(*CHECK)] == [
        ("L", 1000, 500),
        ("M", 1000, None),
        ("later", 8, 1000),
        ("new", 1000, None),
    ]
