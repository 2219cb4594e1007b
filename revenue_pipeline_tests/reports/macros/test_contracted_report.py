"""Contracts rolled up by each dimension, exact and as displayed."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from revenue_pipeline_tests.reports.test_contracted_revenue import TABLE, delivery, line_item
from revenue_pipeline_tests.sql_fixture import Row, SqlFixture, pick

SUNDAY, MONDAY = date(2026, 11, 1), date(2026, 11, 2)
EXACT = ("contracted_net_revenue", "contracted_gross_revenue", "contracted_volume")
DISPLAYED = tuple(f"displayed_{column}" for column in EXACT)


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def report(sql: SqlFixture, dimension: str, *contracts: Row, delivered: list[Row]) -> list[Row]:
    sql.insert("raw.line_items", *contracts)
    if delivered:
        sql.insert("raw.line_item_delivery", *delivered)
    sql.write(TABLE)
    return sql.ask(f"SELECT * FROM reports.contracted_report('{dimension}')")


def test_the_documents_example_by_ad_unit(sql: SqlFixture) -> None:
    contract = line_item(net_rate="100", contracted_volume=1_000_000)
    delivered = [delivery("A", 100_000), delivery("B", 40_000, clicks=3), delivery("C", 60_000)]

    rows = report(sql, "ad_unit", contract, delivered=delivered)

    assert pick(rows, "row_kind", "dimension_value", "impressions", "clicks", *EXACT) == [
        ("total", None, 200_000, 3, 100_000, None, 1_000_000),
        ("sub", "A", 100_000, 0, 50_000, None, 500_000),
        ("sub", "B", 40_000, 3, 20_000, None, 200_000),
        ("sub", "C", 60_000, 0, 30_000, None, 300_000),
    ]


def test_thirds_of_a_million_display_as_333_333_three_times_beside_their_total(sql: SqlFixture) -> None:
    days = [SUNDAY + timedelta(days=n) for n in range(3)]
    contract = line_item(net_rate="0.1", gross_rate="0.2", contracted_volume=1_000_000)

    rows = report(sql, "date", contract, delivered=[delivery("A", 7, day) for day in days])

    assert pick(rows, "dimension_value", "contracted_volume", *DISPLAYED) == [
        (None, 1_000_000, 100, 200, 1_000_000),
        ("2026-11-01", Decimal("333333.333333334"), Decimal("33.33"), Decimal("66.67"), 333_333),
        ("2026-11-02", Decimal("333333.333333333"), Decimal("33.33"), Decimal("66.67"), 333_333),
        ("2026-11-03", Decimal("333333.333333333"), Decimal("33.33"), Decimal("66.67"), 333_333),
    ]
    assert str(rows[1]["displayed_contracted_volume"]) == "333333"
    assert str(rows[0]["displayed_contracted_net_revenue"]) == "100.00"


def test_key_values_leave_what_belongs_to_none_on_a_row_of_its_own(sql: SqlFixture) -> None:
    delivered = [
        delivery("A", 30, custom_criteria="section=sport"),
        delivery("B", 20, custom_criteria="section=sport"),
        delivery("A", 10, custom_criteria="section=news"),
        delivery("A", 40),
    ]

    rows = report(sql, "custom_criteria", line_item(), delivered=delivered)

    assert pick(rows, "row_kind", "dimension_value", "contracted_net_revenue") == [
        ("total", None, 10),
        ("sub", "section=news", 1),
        ("sub", "section=sport", 5),
        ("sub", None, 4),
    ]


@pytest.mark.parametrize(
    ("dimension", "values"),
    [
        ("date", ["1999-12-31", "2026-11-01", "2026-11-02", "2026-11-08", "2026-12-01", None]),
        ("week", ["1999-12-27", "2026-10-26", "2026-11-02", "2026-11-30", None]),
        ("month", ["1999-12-01", "2026-11-01", "2026-12-01", None]),
        ("day_of_week", ["Monday", "Tuesday", "Friday", "Sunday", None]),
    ],
)
def test_days_roll_up_to_periods_and_days_of_the_week_in_the_order_of_the_calendar(
    sql: SqlFixture, dimension: str, values: list[str | None]
) -> None:
    days = [SUNDAY, MONDAY, date(2026, 11, 8), date(2026, 12, 1), date(1999, 12, 31)]
    delivered = [delivery("A", 1, day) for day in days]

    rows = report(sql, dimension, line_item(), line_item("never delivered"), delivered=delivered)

    assert [row["dimension_value"] for row in rows] == [None, *values]
    total, *subs = rows
    assert sum(row["contracted_net_revenue"] for row in subs) == total["contracted_net_revenue"] == 20


@pytest.mark.parametrize("number", range(7))
def test_each_day_of_the_week_has_its_name(sql: SqlFixture, number: int) -> None:
    day = MONDAY + timedelta(days=number - 7 * 2000)  # long before the Monday that the SQL counts from
    (_, sub) = report(sql, "day_of_week", line_item(), delivered=[delivery("A", 1, day)])

    assert sub["dimension_value"] == day.strftime("%A")


def test_contracts_without_a_gross_rate_add_nothing_to_it(sql: SqlFixture) -> None:
    contracts = [line_item("L", gross_rate="12"), line_item("M")]

    rows = report(sql, "ad_unit", *contracts, delivered=[delivery("A", 1), delivery("B", 1, line_item_id="M")])

    assert pick(rows, "dimension_value", "contracted_gross_revenue") == [(None, 12), ("A", 12), ("B", None)]


@pytest.mark.parametrize(("rate", "displayed"), [("0.005", "0.01"), ("0.0049", "0.00"), ("-0.005", "-0.01")])
def test_halves_are_displayed_away_from_zero(sql: SqlFixture, rate: str, displayed: str) -> None:
    contract = line_item(rate_type="CPD", net_rate=rate, contracted_volume=1)

    (total, _) = report(sql, "date", contract, delivered=[delivery("A", 1)])

    assert total["displayed_contracted_net_revenue"] == Decimal(displayed)


def test_no_contract_is_a_total_of_nothing(sql: SqlFixture) -> None:
    (total,) = report(sql, "date", line_item(), delivered=[])[:1]
    assert total["impressions"] == 0
    sql.execute(f"DELETE FROM {TABLE}")

    (total,) = sql.ask("SELECT * FROM reports.contracted_report('date')")
    assert pick([total], "impressions", "clicks", *EXACT) == [(0, 0, None, None, None)]


def test_an_unknown_dimension_is_told(sql: SqlFixture) -> None:
    with pytest.raises(duckdb.Error, match=r"dimension is date, week, month, .* not advertiser"):
        report(sql, "advertiser", line_item(), delivered=[])
