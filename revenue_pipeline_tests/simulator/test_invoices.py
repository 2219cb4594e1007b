from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from revenue_pipeline.simulator import World
from revenue_pipeline.simulator.invoices import invoices

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 14)
WORLD = World(first_day=FIRST, last_day=LAST, scale=0.03)
WEEK = [FIRST + timedelta(days=n) for n in range(7)]


def test_each_week_is_invoiced_once_its_days_are_final() -> None:
    delivered = {day: invoices(WORLD, day) for n in range(25) if (day := FIRST + timedelta(days=n))}
    assert [day for day, found in delivered.items() if found] == [date(2026, 10, 10), date(2026, 10, 17)]
    first = delivered[date(2026, 10, 10)]
    assert [invoice[:4] for invoice in first] == [
        ("applovin_max-2026-10-07", "applovin_max", WEEK[0], WEEK[-1]),
        ("acme-2026-10-07", "acme", WEEK[0], WEEK[-1]),
    ]
    assert [invoice.currency for invoice in first] == ["USD", "EUR"]


def test_an_invoice_is_what_was_reported_but_for_what_acme_keeps() -> None:
    for invoice, share in zip(invoices(WORLD, date(2026, 10, 10)), ("1", "0.995"), strict=True):
        reported = sum(row.revenue for day in WEEK for row in WORLD.final_report(invoice.partner, day))
        assert abs(invoice.amount - reported * Decimal(share)) <= Decimal("0.005")
        assert invoice.amount > 0
