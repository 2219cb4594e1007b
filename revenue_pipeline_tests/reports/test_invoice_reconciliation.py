"""Invoices against what was imported."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline_tests.sql_fixture import DAY, NEXT_DAY, Row, SqlFixture, pick

TABLE = "reports.invoice_reconciliation"
SHOWN = ("partner", "period_start", "period_end", "reported_revenue", "invoiced_revenue", "difference")
NOVEMBER = (date(2026, 11, 1), date(2026, 11, 30))


def invoice(invoice_id: str, amount: str, start: date = NOVEMBER[0], end: date = NOVEMBER[1], **columns: Any) -> Row:
    return {
        "folder_date": DAY,
        "invoice_id": invoice_id,
        "partner": "max",
        "period_start": start,
        "period_end": end,
        "reporting_amount": amount,
    } | columns


def earned(day: date, revenue: str, partner: str = "max") -> Row:
    return {"report_date": day, "partner": partner, "revenue": revenue}


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def test_a_period_with_invoices_is_final_and_they_are_added_up(sql: SqlFixture) -> None:
    sql.insert("raw.partner_revenue", earned(date(2026, 11, 1), "60"), earned(date(2026, 11, 30), "40"))
    sql.insert("raw.partner_revenue", earned(date(2026, 11, 30), "7", "acme"))
    sql.insert("raw.invoices", invoice("1", "100"), invoice("2", "-5"))

    rows = sql.run(TABLE)

    assert pick(rows, *SHOWN, "difference_ratio", "status") == [
        ("acme", *NOVEMBER, 7, None, None, None, "indicative"),
        ("max", *NOVEMBER, 100, 95, -5, -0.05, "final"),
    ]


def test_both_ends_of_a_period_count_and_nothing_beyond(sql: SqlFixture) -> None:
    sql.insert("raw.partner_revenue", *(earned(date(2026, 11, day), "1") for day in (9, 10, 15, 20, 21)))
    sql.insert("raw.invoices", invoice("1", "3", date(2026, 11, 10), date(2026, 11, 20)))

    assert pick(sql.run(TABLE), "reported_revenue", "difference") == [(3, 0)]


def test_the_newest_state_of_an_invoice_counts(sql: SqlFixture) -> None:
    sql.insert("raw.invoices", invoice("1", "10", folder_date=NEXT_DAY), invoice("1", "99"))
    sql.insert("raw.invoices", invoice("2", "5", end=date(2026, 11, 15)), invoice("2", "5", folder_date=NEXT_DAY))

    assert pick(sql.run(TABLE), "period_end", "invoiced_revenue") == [(date(2026, 11, 30), 15)]


def test_an_invoice_for_what_was_never_imported_shows_its_whole_amount(sql: SqlFixture) -> None:
    sql.insert("raw.invoices", invoice("1", "10"))

    (row,) = sql.run(TABLE)

    assert pick([row], "reported_revenue", "difference", "difference_ratio", "status") == [(0, 10, None, "final")]


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        (date(2026, 11, 30), date(2026, 11, 30), [10, 12]),
        (date(2026, 10, 1), date(2026, 12, 31), []),
        (date(2026, 10, 31), date(2026, 11, 1), [12]),
        (date(2026, 9, 1), date(2026, 9, 30), [10, 11, 12]),
    ],
)
def test_every_month_with_revenue_that_no_invoice_overlaps_is_indicative(
    sql: SqlFixture, start: date, end: date, months: list[int]
) -> None:
    sql.insert("raw.partner_revenue", *(earned(date(2026, month, 15), "1") for month in (10, 11, 12)))
    sql.insert("raw.invoices", invoice("1", "1", start, end), invoice("2", "1", partner="acme"))

    indicative = [row for row in sql.run(TABLE) if row["status"] == "indicative"]

    assert [row["period_start"] for row in indicative] == [date(2026, month, 1) for month in months]
    assert all(row["reported_revenue"] == 1 for row in indicative)
    last_days = {10: 31, 11: 30, 12: 31}
    assert [row["period_end"].day for row in indicative] == [last_days[month] for month in months]


def test_a_leap_february_ends_when_it_does(sql: SqlFixture) -> None:
    sql.insert("raw.partner_revenue", earned(date(2028, 2, 29), "1"))

    assert pick(sql.run(TABLE), "period_start", "period_end") == [(date(2028, 2, 1), date(2028, 2, 29))]
