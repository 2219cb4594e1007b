from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from revenue_pipeline.partitions import Window
from revenue_pipeline.partners.base import ConversionRow
from revenue_pipeline.raw.conversions import CONVERSIONS
from revenue_pipeline.raw.destination import Booking
from revenue_pipeline.raw.exchange_rates import ExchangeRates
from revenue_pipeline.raw.files import LandingFolder
from revenue_pipeline.raw.landing import Rules
from revenue_pipeline_tests.raw.conftest import DAY, Lake


def test_a_conversion_has_the_partners_day_and_ours_and_is_converted_at_the_rate_of_ours(lake: Lake) -> None:
    lake.put("fx_rates", "a.csv", "rate_date,currency,rate\n2026-10-05,EUR,2\n", DAY)
    lake.put("fx_rates", "a.csv", "rate_date,currency,rate\n2026-10-06,EUR,3\n", date(2026, 10, 6))
    rates = ExchangeRates("net", LandingFolder(str(lake.landing)), Rules(), Window.of_day(DAY).widened(1, 1))
    row = ConversionRow(
        conversion_id="c-1",
        payout=Decimal("1.5"),
        currency="EUR",
        converted_at=datetime.fromisoformat("2026-10-05T22:00:00-04:00"),
    )

    line = CONVERSIONS.line(row, Booking(DAY, "UTC", rates))

    assert (line["report_date"], line["event_date"]) == (DAY, date(2026, 10, 6))
    assert (line["payout"], line["reporting_payout"]) == (Decimal("1.5"), Decimal("4.5"))
