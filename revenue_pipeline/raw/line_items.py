"""Where the line items of an ad server and their delivery go: the tables that both are landed in as well."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context

from revenue_pipeline.partners.base import DeliveryRow, LineItemRow, PartnerError
from revenue_pipeline.raw.datasets import LINE_ITEM_DELIVERY, LINE_ITEMS
from revenue_pipeline.raw.destination import LARGEST_TOTAL, Booking, Destination, Value

_EXACT = Context(prec=100)


def _line_item(row: LineItemRow, booking: Booking) -> Mapping[str, Value]:
    """The row with the rate of the day it starts on; PartnerError for a contract that no total can hold."""
    exchange_rate = booking.rates.rate(row.currency, row.start_date)
    for rate in (row.net_rate, row.gross_rate or row.net_rate):
        worth = _EXACT.multiply(rate.copy_abs(), row.contracted_volume)
        if max(worth, _EXACT.multiply(worth, exchange_rate)) >= LARGEST_TOTAL:
            raise PartnerError(
                f"line item {row.line_item_id}: {rate} x {row.contracted_volume} is more than a total can hold.",
                "Check its rate and its contracted volume at the partner.",
            )
    return {
        "folder_date": booking.report_date,
        "line_item_id": row.line_item_id,
        "proposal_id": row.proposal_id,
        "proposal_status": row.proposal_status,
        "rate_type": row.rate_type,
        "net_rate": row.net_rate,
        "gross_rate": row.gross_rate,
        "currency": row.currency,
        "contracted_volume": row.contracted_volume,
        "start_date": row.start_date,
        "end_date": row.end_date,
        "exchange_rate": exchange_rate,
    }


def _delivery(row: DeliveryRow, booking: Booking) -> Mapping[str, Value]:
    return {
        "delivery_date": row.delivery_date,
        "line_item_id": row.line_item_id,
        "ad_unit_id": row.ad_unit_id,
        "custom_criteria": row.custom_criteria,
        "impressions": row.impressions,
        "clicks": row.clicks,
    }


IMPORTED_LINE_ITEMS = Destination(LineItemRow, LINE_ITEMS.table, _line_item)
IMPORTED_DELIVERY = Destination(DeliveryRow, LINE_ITEM_DELIVERY.table, _delivery)
