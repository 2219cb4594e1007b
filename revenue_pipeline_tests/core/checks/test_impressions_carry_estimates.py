"""The warning of partner days where the SDK estimates only some impressions."""

from pathlib import Path

import pytest

from revenue_pipeline_tests.sql_fixture import DAY, NEXT_DAY, Row, SqlFixture, pick


def ledger(impressions: int, estimated: int, **columns: object) -> Row:
    row = {"report_date": DAY, "partner": "max", "sdk_impressions": impressions, "estimated_impressions": estimated}
    return row | columns


def bad_rows(sql: SqlFixture) -> list[Row]:
    return sql.bad_rows("core", "impressions_carry_estimates")


@pytest.mark.parametrize(("impressions", "estimated"), [(10, 10), (10, 5), (10, 0), (0, 0)])
def test_half_of_the_impressions_is_enough_and_none_at_all_is_another_matter(
    tmp_path: Path, impressions: int, estimated: int
) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert("core.reconciled_estimates", ledger(impressions, estimated))
    assert bad_rows(sql) == []


def test_less_than_half_is_found(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert("core.reconciled_estimates", ledger(11, 5))
    assert pick(bad_rows(sql), "report_date", "partner", "impressions", "estimated_impressions") == [
        (DAY, "max", 11, 5)
    ]


def test_keys_of_a_partner_day_are_added_up_and_others_kept_apart(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert("core.reconciled_estimates", ledger(10, 1), ledger(10, 9), ledger(10, 1, partner="other"))
    sql.insert("core.reconciled_estimates", ledger(10, 1, report_date=NEXT_DAY))
    assert pick(bad_rows(sql), "report_date", "partner") == [(DAY, "other")]
