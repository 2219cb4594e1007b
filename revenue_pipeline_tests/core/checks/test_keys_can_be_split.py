"""What is refused before it is split: keys whose shares could not be computed exactly."""

from decimal import Decimal
from pathlib import Path

import pytest

from revenue_pipeline_tests.sql_fixture import DAY, NEXT_DAY, Row, SqlFixture, pick

LARGEST = "999999999.999999999"
LIMITS = {"settled_revenue": "10000000", "sdk_impressions": 10**6, "largest_estimate": "1000"}


def key(status: str = "verified", **columns: object) -> Row:
    """A ledger row; all but one of its impressions carry an estimate."""
    row = {"report_date": DAY, "partner": "max", "status": status, **LIMITS, **columns}
    return {"estimated_impressions": int(row["sdk_impressions"]) - 1} | row


def refused(tmp_path: Path, *rows: Row) -> list[Row]:
    sql = SqlFixture(tmp_path)
    sql.insert("core.reconciled_estimates", *rows)
    return sql.bad_rows("core", "keys_can_be_split")


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"settled_revenue": "-10000000"},
        {"sdk_impressions": 10**8},
        {"settled_revenue": "0", "sdk_impressions": 10**9, "largest_estimate": LARGEST},
        {"settled_revenue": LARGEST, "sdk_impressions": 10**6, "largest_estimate": "0"},
        {"settled_revenue": LARGEST, "sdk_impressions": 10**6, "largest_estimate": None},
        # Where every impression has an estimate their number takes no digits.
        {
            "settled_revenue": LARGEST,
            "largest_estimate": LARGEST,
            "sdk_impressions": 10**7,
            "estimated_impressions": 10**7,
        },
    ],
)
def test_all_that_the_contract_promises_and_more_can_be_split(tmp_path: Path, columns: Row) -> None:
    assert refused(tmp_path, key(**columns)) == []


@pytest.mark.parametrize("status", ["verified", "unallocated"])
@pytest.mark.parametrize("total", ["1000000000", "-1000000000", "12345678901234567890123456789"])
def test_a_total_of_a_billion_cannot(tmp_path: Path, status: str, total: str) -> None:
    (row,) = refused(tmp_path, key(status, settled_revenue=total))
    assert pick([row], "partner", "report_date", "settled_revenue") == [("max", DAY, Decimal(total))]


@pytest.mark.parametrize(("estimated", "rows"), [(99, 0), (100, 0), (101, 1)])
def test_a_product_of_39_digits_cannot(tmp_path: Path, estimated: int, rows: int) -> None:
    # Nearly 10^18 units times 10^18 units times 100 impressions is the last that fits.
    columns = {"settled_revenue": LARGEST, "largest_estimate": LARGEST, "estimated_impressions": estimated}
    assert len(refused(tmp_path, key(sdk_impressions=1000, **columns))) == rows


@pytest.mark.parametrize("status", ["estimated", "expired", "dropped"])
def test_what_is_not_split_has_no_limits(tmp_path: Path, status: str) -> None:
    assert refused(tmp_path, key(status, settled_revenue="5000000000")) == []


def test_only_days_of_the_run_are_looked_at(tmp_path: Path) -> None:
    assert refused(tmp_path, key(settled_revenue="1000000000", report_date=NEXT_DAY)) == []
