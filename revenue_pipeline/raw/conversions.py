"""Where the conversions of affiliate networks go."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from revenue_pipeline.partners.base import ConversionRow
from revenue_pipeline.raw.destination import Booking, Destination, Value
from revenue_pipeline.warehouse import Column, Table

CONVERSIONS_TABLE = Table(
    "raw.conversions",
    "report_date",
    (
        Column(
            "report_date", "DATE", "Day of `converted_at` in the partner's time zone; for files in the reporting one."
        ),
        Column("event_date", "DATE", "Day of `converted_at` in the reporting time zone."),
        Column("source", "VARCHAR", "`api` or `files`."),
        Column("partner", "VARCHAR", "The affiliate network, as in the settings."),
        Column("conversion_id", "VARCHAR", "Names the conversion within its partner, whatever its state."),
        Column("click_id", "VARCHAR", "Our click that led to it, as it was handed to the partner."),
        Column("offer_id", "VARCHAR", "The partner's offer."),
        Column("payout", "DECIMAL(38,9)", "What we earn by it, in `currency`, whatever its state."),
        Column("currency", "VARCHAR", "ISO 4217 code."),
        Column("converted_at", "TIMESTAMP", "When it happened, in UTC."),
        Column("status", "VARCHAR", "The partner's word for its state, in lower case."),
        Column("updated_at", "TIMESTAMP", "When its state last changed, in UTC; NULL where the partner does not say."),
        Column("reporting_payout", "DECIMAL(38,9)", "`payout` in the reporting currency, at the rate of `event_date`."),
        Column("import_id", "VARCHAR", "Names the batch by its content: equal content, equal id."),
        Column("imported_at", "TIMESTAMP", "When the batch was imported, in UTC."),
    ),
    "What affiliate networks report as converted: one row a conversion, as last imported or landed.",
)


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
        "reporting_payout": booking.rates.converted(row.payout, row.currency, event_date),
    }


CONVERSIONS = Destination(ConversionRow, CONVERSIONS_TABLE, _line, money="reporting_payout")
