"""Where the costs that advertising channels report go: the table that costs are landed in as well."""

from __future__ import annotations

from collections.abc import Mapping

from revenue_pipeline.partners.base import CostRow
from revenue_pipeline.raw.datasets import COSTS
from revenue_pipeline.raw.destination import Booking, Destination, Value


def _line(row: CostRow, booking: Booking) -> Mapping[str, Value]:
    return {
        "cost_date": row.cost_date,
        "channel": row.channel,
        "campaign_id": row.campaign_id,
        "app_id": row.app_id,
        "platform": row.platform,
        "country": row.country,
        "cost": row.cost,
        "currency": row.currency,
        "impressions": row.impressions,
        "clicks": row.clicks,
        "installs": row.installs,
        "reporting_cost": booking.rates.converted(row.cost, row.currency, row.cost_date),
    }


IMPORTED_COSTS = Destination(CostRow, COSTS.table, _line, money="reporting_cost")
