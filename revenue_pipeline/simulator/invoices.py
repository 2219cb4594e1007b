"""What partners invoice: each week of the world, once its days are final; `acme` keeps half a percent of it."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from revenue_pipeline.simulator.world import PARTNERS, World

PERIOD = timedelta(days=7)
DELIVERED_AFTER = timedelta(days=3)  # the last day of the period
PAID_PERMILLE = {"applovin_max": 1000, "acme": 995}  # of what the partner reported in the end
CENT = Decimal("0.01")


class Invoice(NamedTuple):
    """A row of the contract's `invoices`; the fields are its columns."""

    invoice_id: str
    partner: str
    period_start: date
    period_end: date
    amount: Decimal
    currency: str


def invoices(world: World, day: date) -> Sequence[Invoice]:
    """The invoices that arrive on the day, none on most."""
    end = day - DELIVERED_AFTER
    start = end - PERIOD + timedelta(days=1)
    if start < world.first_day or end > world.last_day or (start - world.first_day) % PERIOD:
        return []
    return [
        Invoice(f"{partner}-{end}", partner, start, end, _amount(world, partner, start), PARTNERS[partner].currency)
        for partner in PAID_PERMILLE
    ]


def _amount(world: World, partner: str, start: date) -> Decimal:
    days = [start + timedelta(days=n) for n in range(PERIOD.days)]
    reported = sum((row.revenue for day in days for row in world.final_report(partner, day)), Decimal(0))
    return (reported * PAID_PERMILLE[partner] / 1000).quantize(CENT, ROUND_HALF_UP)
