"""The warning of imports that are far from the estimates they verify."""

from pathlib import Path

import pytest

from revenue_pipeline_tests.sql_fixture import DAY, NEXT_DAY, Row, SqlFixture, pick


def ledger(estimated: str, imported: str | None, status: str = "verified", **columns: object) -> Row:
    row = {"report_date": DAY, "partner": "max", "status": status}
    return row | {"estimated_revenue": estimated, "imported_revenue": imported} | columns


def bad_rows(sql: SqlFixture) -> list[Row]:
    return sql.bad_rows("core", "estimates_are_near_imports")


@pytest.mark.parametrize("imported", ["5", "10", "20"])
def test_from_half_to_twice_the_estimates_is_near(tmp_path: Path, imported: str) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert("core.reconciled_estimates", ledger("10", imported))
    assert bad_rows(sql) == []


@pytest.mark.parametrize("imported", ["4.999999999", "20.000000001", "0", "-10"])
def test_beyond_that_is_far(tmp_path: Path, imported: str) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert("core.reconciled_estimates", ledger("10", imported))
    assert pick(bad_rows(sql), "report_date", "partner", "estimated_revenue") == [(DAY, "max", 10)]


def test_keys_of_a_partner_day_are_added_up_before_they_are_compared(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert("core.reconciled_estimates", ledger("10", "1"), ledger("10", "19"))
    assert bad_rows(sql) == []


def test_partners_and_days_are_compared_apart(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert("core.reconciled_estimates", ledger("10", "1"), ledger("10", "19", partner="other"))
    sql.insert("core.reconciled_estimates", ledger("10", "19", report_date=NEXT_DAY))
    assert pick(bad_rows(sql), "partner", "report_date") == [("max", DAY)]


def test_only_verified_keys_with_estimates_say_anything(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert(
        "core.reconciled_estimates",
        ledger("0", "100"),
        ledger("0", "100", "unallocated"),
        ledger("100", None, "expired"),
        ledger("100", None, "estimated"),
    )
    assert bad_rows(sql) == []
