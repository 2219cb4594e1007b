"""The certificate: where the imported money of a partner day went, and the two differences that must be 0."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from revenue_pipeline_tests.sql_fixture import (
    AGGREGATED,
    DAY,
    DAY_BEFORE,
    FIRST_CLOSED,
    LAST_OPEN,
    NEXT_DAY,
    USER_LEVEL,
    SqlFixture,
    impression,
    pick,
    reported,
)

LEDGER, ALLOCATION = "core.reconciled_estimates", "core.allocated_revenue"
CERTIFICATE = "core.revenue_conservation"
CHAIN = (LEDGER, ALLOCATION, CERTIFICATE)
PARTNERS = {
    "max": AGGREGATED | {"grain": ["country"]},
    "users": USER_LEVEL,
    "slow": AGGREGATED | {"import_window_days": 5},
}
DIFFERENCES = ("difference", "allocation_difference")


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path, PARTNERS)


def test_every_part_of_an_aggregated_partner_day_is_named(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        impression("e1", estimate="1", country="DE"),
        impression("e2", estimate=None, country="DE"),
        impression("e3", estimate="0.5", country="FR"),
    )
    sql.insert("raw.partner_revenue", reported("3", country="DE"), reported("4", country="IT"))
    assert sql.run(*CHAIN) == [
        {
            "report_date": DAY,
            "partner": "max",
            "imported_revenue": 7,
            "verified_revenue": 3,
            "unallocated_revenue": 4,
            "dropped_revenue": 0,
            "estimated_revenue": Decimal("0.5"),
            "expired_revenue": 0,
            "allocated_revenue": Decimal("7.5"),
            "difference": 0,
            "allocation_difference": 0,
            "estimated_keys": 1,
            "sdk_impressions": 3,
            "estimated_impressions": 2,
            "is_closed": False,
        }
    ]


def test_money_whose_users_do_not_match_is_dropped_by_name(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", "users", user_id="u1"))
    sql.insert("raw.partner_revenue", reported("3", "users", user_id="u1"), reported("4", "users", user_id="u2"))
    columns = ("imported_revenue", "verified_revenue", "dropped_revenue", "allocated_revenue", *DIFFERENCES)
    assert pick(sql.run(*CHAIN), *columns) == [(7, 3, 4, 3, 0, 0)]


def test_estimates_that_expired_are_shown_and_are_no_ones_money(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", estimate="2", country="DE"))
    columns = ("estimated_revenue", "expired_revenue", "allocated_revenue", "estimated_keys", *DIFFERENCES)
    assert pick(sql.run(*CHAIN, as_of=LAST_OPEN), *columns) == [(2, 0, 2, 1, 0, 0)]
    assert pick(sql.run(*CHAIN, as_of=FIRST_CLOSED), *columns) == [(0, 2, 0, 0, 0, 0)]


def test_negative_money_is_conserved_as_well(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", country="DE"), impression("e2", country="DE"))
    sql.insert("raw.partner_revenue", reported("-3.000000001", country="DE"), reported("-1", country="IT"))
    total = Decimal("-4.000000001")
    columns = ("imported_revenue", "allocated_revenue", *DIFFERENCES)
    assert pick(sql.run(*CHAIN), *columns) == [(total, total, 0, 0)]


def test_each_partner_and_each_day_has_its_own_row(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", None, estimate="2"), impression("e2", "slow", estimate="3", day=NEXT_DAY))
    sql.insert("raw.partner_revenue", reported("4"))
    rows = sql.run(*CHAIN, last=NEXT_DAY)
    assert pick(rows, "report_date", "partner", "imported_revenue", "estimated_revenue") == [
        (DAY, "max", 4, 0),
        (DAY, "unknown", 0, 2),
        (NEXT_DAY, "slow", 0, 3),
    ]


def test_a_day_without_anything_has_no_row(sql: SqlFixture) -> None:
    sql.insert("raw.partner_revenue", reported("4", report_date=DAY_BEFORE))
    assert sql.run(*CHAIN) == []


@pytest.mark.parametrize(
    ("partner", "as_of", "is_closed"),
    [
        ("max", LAST_OPEN, False),
        ("max", FIRST_CLOSED, True),
        ("slow", FIRST_CLOSED, False),
        ("slow", date(2026, 10, 6), True),
    ],
)
def test_it_says_whether_the_import_window_had_passed(
    sql: SqlFixture, partner: str, as_of: date, is_closed: bool
) -> None:
    sql.insert("raw.partner_revenue", reported("4", partner))
    assert pick(sql.run(*CHAIN, as_of=as_of), "is_closed") == [(is_closed,)]


# What it is there to find -----------------------------------------------------------------------------------------


def ledger_row(status: str, settled: str, **columns: object) -> dict[str, object]:
    return {"report_date": DAY, "partner": "max", "status": status, "settled_revenue": settled} | columns


def allocated_row(revenue: str, **columns: object) -> dict[str, object]:
    return {"report_date": DAY, "event_date": DAY, "partner": "max", "revenue": revenue} | columns


def test_imported_money_that_the_ledger_lost_is_a_difference(sql: SqlFixture) -> None:
    sql.insert("raw.partner_revenue", reported("1.000000001"))
    sql.insert(LEDGER, ledger_row("verified", "1"))
    sql.insert(ALLOCATION, allocated_row("1"))
    assert pick(sql.run(CERTIFICATE), *DIFFERENCES) == [(Decimal("0.000000001"), 0)]


def test_settled_money_that_no_event_carries_is_a_difference(sql: SqlFixture) -> None:
    sql.insert("raw.partner_revenue", reported("1"))
    sql.insert(LEDGER, ledger_row("verified", "1"))
    sql.insert(ALLOCATION, allocated_row("0.5"), allocated_row("0.499999999"))
    assert pick(sql.run(CERTIFICATE), *DIFFERENCES) == [(0, Decimal("-0.000000001"))]


def test_imported_money_without_a_ledger_is_a_difference(sql: SqlFixture) -> None:
    sql.insert("raw.partner_revenue", reported("2"))
    assert pick(sql.run(CERTIFICATE), *DIFFERENCES) == [(2, 0)]


def test_allocated_money_without_a_ledger_is_a_difference_and_all_else_is_zero(sql: SqlFixture) -> None:
    sql.insert(ALLOCATION, allocated_row("2"))
    (row,) = sql.run(CERTIFICATE)
    assert {column: value for column, value in row.items() if value} == {
        "report_date": DAY,
        "partner": "max",
        "allocated_revenue": 2,
        "allocation_difference": 2,
    }


def test_keys_of_one_status_are_added_up(sql: SqlFixture) -> None:
    for status in ("verified", "unallocated", "dropped", "estimated", "expired"):
        for amount in ("1", "2"):
            sql.insert(LEDGER, ledger_row(status, amount, imported_revenue=amount, estimated_revenue=amount))
    columns = ("verified_revenue", "unallocated_revenue", "dropped_revenue", "estimated_revenue", "expired_revenue")
    assert pick(sql.run(CERTIFICATE), *columns, "estimated_keys") == [(3, 3, 3, 3, 3, 2)]


def test_other_days_are_not_looked_at(sql: SqlFixture) -> None:
    for day in (DAY_BEFORE, NEXT_DAY):
        sql.insert("raw.partner_revenue", reported("1", report_date=day))
        sql.insert(LEDGER, ledger_row("verified", "1", report_date=day))
        sql.insert(ALLOCATION, allocated_row("1", report_date=day))
    assert sql.run(CERTIFICATE) == []


def test_each_status_counts_in_its_own_column_alone(sql: SqlFixture) -> None:
    sql.insert("raw.partner_revenue", reported("111"))
    sql.insert(
        LEDGER,
        ledger_row("verified", "1", imported_revenue="1", estimated_revenue="1000"),
        ledger_row("unallocated", "10", imported_revenue="10", estimated_revenue="0"),
        ledger_row("dropped", "0", imported_revenue="100", estimated_revenue="0"),
        ledger_row("estimated", "2", estimated_revenue="2"),
        ledger_row("expired", "0", estimated_revenue="4"),
    )
    sql.insert(ALLOCATION, allocated_row("13"))
    columns = ("verified_revenue", "unallocated_revenue", "dropped_revenue", "estimated_revenue", "expired_revenue")
    assert pick(sql.run(CERTIFICATE), *columns, *DIFFERENCES) == [(1, 10, 100, 2, 4, 0, 0)]
