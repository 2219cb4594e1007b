"""Where the conversions of affiliate networks go."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from revenue_pipeline.partners.base import ConversionRow
from revenue_pipeline.raw import datasets
from revenue_pipeline.raw.destination import Booking, Destination, Value


def _line(row: ConversionRow, booking: Booking) -> Mapping[str, Value]:
    event_date = row.converted_at.astimezone(ZoneInfo(booking.timezone)).date()
    return {
        "report_date": booking.report_date,
        "event_date": event_date,
        "conversion_id": row.conversion_id,
        "click_id": row.click_id,
        "offer_id": row.offer_id,
        "payout": row.payout,
        "currency": row.currency,
        "converted_at": row.converted_at,
        "status": row.status,
        "updated_at": row.updated_at,
        "landed_rows": 1,  # connectors refuse an answer that says one twice
        "reporting_payout": booking.rates.converted(row.payout, row.currency, event_date),
    }


CONVERSIONS = Destination(ConversionRow, datasets.CONVERSIONS.table, _line, money="reporting_payout")
