"""AppLovin, advertiser side: what campaigns cost, by the reporting API's advertiser report.

Days are UTC, amounts USD. Installs are what the report calls conversions.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from revenue_pipeline.partners.applovin_report import AppLovinReport
from revenue_pipeline.partners.base import CostRow, amount, count, text
from revenue_pipeline.partners.costs import CostConnector
from revenue_pipeline.partners.http import PartnerHttp

_COLUMNS = {"app_id": "campaign_package_name", "platform": "platform", "country": "country"}  # ours -> AppLovin's
_METRICS = ("impressions", "clicks", "conversions", "cost")


class AppLovinAds(CostConnector):
    """Attribution moves installs for some days; what was spent settles within hours."""

    name = "applovin_ads"
    documentation = "https://support.axon.ai/en/app-discovery/api/reporting-api"
    base_url = "https://r.applovin.com"
    credentials = ("api_key",)
    grain = tuple(_COLUMNS)
    channel = "applovin"
    reach_back_days = 45
    concurrent_days = 3  # the vendor publishes no limit: the trailing window at once, and no more

    def read_day(self, day: date, http: PartnerHttp) -> list[CostRow]:
        """The advertiser report, by campaign and the columns of the account's grain."""
        dimensions = ["day", "campaign_id_external", *(_COLUMNS[column] for column in self.account.grain)]
        report = AppLovinReport(self, day, http, "report", dimensions, _METRICS, params={"report_type": "advertiser"})
        return [self._cost_row(row, day) for row in report.rows()]

    def _cost_row(self, row: Mapping[str, Any], day: date) -> CostRow:
        try:
            dimensions: dict[str, Any] = {column: text(row[_COLUMNS[column]]) for column in self.account.grain}
            return CostRow(
                cost_date=day,
                channel=self.channel,
                campaign_id=text(row["campaign_id_external"]),
                cost=amount(row["cost"]),
                currency=self.account.currency,
                impressions=count(row["impressions"]),
                clicks=count(row["clicks"]),
                installs=count(row["conversions"]),
                **dimensions,
            )
        except ValueError as error:
            raise self.shape_error(day, f"{error} in the row {row}") from None
