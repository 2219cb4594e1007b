"""AppLovin, advertiser side: what campaigns cost, by the reporting API's advertiser report.

Days are UTC, amounts USD. Installs are what the report calls conversions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from revenue_pipeline.partners.base import CostRow, IncompleteError, PartnerError, amount, count, text
from revenue_pipeline.partners.costs import CostConnector
from revenue_pipeline.partners.http import Answer, PartnerHttp

_COLUMNS = {"app_id": "campaign_package_name", "platform": "platform", "country": "country"}  # ours -> AppLovin's
_METRICS = ("impressions", "clicks", "conversions", "cost")
_WINDOW_REFUSAL = re.compile(r"\b(45|90)[\s-]*days?\b", re.IGNORECASE)


class AppLovinAds(CostConnector):
    """The report may move while it is read: it is sorted, and pages that overlap start the day again."""

    name = "applovin_ads"
    documentation = "https://support.axon.ai/en/app-discovery/api/reporting-api"
    base_url = "https://r.applovin.com"
    credentials = ("api_key",)
    grain = tuple(_COLUMNS)
    channel = "applovin"
    reach_back_days = 45
    concurrent_days = 3  # the vendor publishes no limit: the trailing window at once, and no more
    page_size = 10_000  # rows asked for; the server may send fewer

    def read_day(self, day: date, http: PartnerHttp) -> list[CostRow]:
        """The pages up to the first empty one: a short one may not be the last."""
        rows: list[CostRow] = []
        while page := self._page(day, len(rows), http):
            if rows[-len(page) :] == page:
                raise IncompleteError("the partner sent the same page twice")
            rows += page
        return rows

    def _page(self, day: date, offset: int, http: PartnerHttp) -> list[CostRow]:
        params = {
            "api_key": self.account.credentials["api_key"],
            "report_type": "advertiser",
            "start": day.isoformat(),
            "end": day.isoformat(),  # inclusive
            "columns": ",".join((*self._dimensions, *_METRICS)),
            "format": "json",
            "limit": self.page_size,
            "offset": offset,
            **{f"sort_{column}": "ASC" for column in self._dimensions},  # else pages may overlap
        }
        answer = http.get("report", params=params, expect=(200, 400), true_status=_true_status)
        if _true_status(answer) != 200:
            raise self.beyond_reach_back(day) if _WINDOW_REFUSAL.search(answer.excerpt) else http.refusal(answer, 400)
        report = answer.json()
        if not isinstance(report, dict) or str(report.get("code")) != "200":
            raise self.shape_error(day, f"no `code` 200 in {answer.excerpt!r}")
        if not isinstance(report.get("results"), list):
            raise self.shape_error(day, f"no list of `results` in {answer.excerpt!r}")
        return [self._cost_row(row, day) for row in report["results"]]

    @property
    def _dimensions(self) -> tuple[str, ...]:
        return ("day", "campaign_id_external", *(_COLUMNS[column] for column in self.account.grain))

    def _cost_row(self, row: Mapping[str, Any], day: date) -> CostRow:
        try:
            if row["day"] != day.isoformat():
                raise self.shape_error(day, f"a row of day {row['day']!r}")
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
        except (KeyError, TypeError) as missing:
            raise self.shape_error(day, f"a row without {missing}: {row}") from None
        except ValueError as error:
            raise self.shape_error(day, f"{error} in the row {row}") from None


def _true_status(answer: Answer) -> int:
    """What the `code` of the body says, in an answer that has one."""
    try:
        report = answer.json()
        code = count(report.get("code")) if isinstance(report, dict) else None
    except (PartnerError, ValueError):
        return answer.status
    return answer.status if code is None else code
