"""The blocking check of the certificate."""

from decimal import Decimal
from pathlib import Path

import pytest

from revenue_pipeline.core import TABLES
from revenue_pipeline_tests.sql_fixture import DAY, NEXT_DAY, Row, SqlFixture, pick


def certificate(difference: str = "0", allocation_difference: str = "0", **columns: object) -> Row:
    row = {"report_date": DAY, "partner": "max", "difference": difference}
    return row | {"allocation_difference": allocation_difference} | columns


def test_no_difference_is_no_bad_row(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert("core.revenue_conservation", certificate())
    assert sql.bad_rows("core", "revenue_is_conserved") == []


@pytest.mark.parametrize("differences", [("0.000000001", "0"), ("-0.000000001", "0"), ("0", "1"), ("0", "-1")])
def test_a_difference_of_one_unit_either_way_is_found(tmp_path: Path, differences: tuple[str, str]) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert("core.revenue_conservation", certificate(*differences), certificate(partner="fine"))
    bad = sql.bad_rows("core", "revenue_is_conserved")
    assert pick(bad, "report_date", "partner", "difference", "allocation_difference") == [
        (DAY, "max", Decimal(differences[0]), Decimal(differences[1]))
    ]


def test_only_the_days_of_the_run_are_looked_at(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert("core.revenue_conservation", certificate("1", report_date=NEXT_DAY))
    assert sql.bad_rows("core", "revenue_is_conserved") == []
    assert len(sql.bad_rows("core", "revenue_is_conserved", last=NEXT_DAY)) == 1


def test_it_stops_what_is_downstream() -> None:
    (table,) = (table for table in TABLES if table.name == "core.revenue_conservation")
    assert [check.blocking for check in table.checks if check.name == "revenue_is_conserved"] == [True]
