"""TikTok Ads: what campaigns cost, by the integrated report of the Marketing API.

HTTP is 200 whatever happens; `code` in the body says how it went. Amounts are in the advertiser's currency, which the
settings must name, and days are the advertiser's. The report names neither app nor platform of a campaign; the option
`campaigns` may.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from pydantic import Field

from revenue_pipeline.partners.base import CostRow, IncompleteError, PartnerError, RateLimit, amount, count, text
from revenue_pipeline.partners.costs import CostConnector, CostOptions
from revenue_pipeline.partners.http import Answer, PartnerHttp

_METRICS = ("spend", "impressions", "clicks")
_PAGE_NUMBERS = ("total_number", "total_page")
_TOO_FAST = re.compile(r"\bqps\b|too many requests|rate limit", re.IGNORECASE)
_TOKEN_REFUSED = frozenset({40001, 40102, 40104, 40105})
_FIRST_FAILURE_OF_THEIRS = 50000  # 60001, for example, is maintenance


class TikTokAdsOptions(CostOptions):
    """Which account is asked, and how."""

    advertiser_id: str = Field(pattern=r"^[0-9]+$", description="The advertiser whose campaigns these are.")
    report_type: Literal["BASIC", "AUDIENCE"] = Field(
        "BASIC", description="AUDIENCE where the account is refused countries in a BASIC report."
    )


class TikTokAds(CostConnector):
    """Numbers come with up to half a day's delay, and attribution changes for three days and more."""

    name = "tiktok_ads"
    documentation = "https://business-api.tiktok.com/portal/docs?id=1740302848100353"
    base_url = "https://business-api.tiktok.com"
    credentials = ("access_token",)
    grain = ("country",)
    channel = "tiktok"
    Options = TikTokAdsOptions
    options: TikTokAdsOptions
    import_window_days = 7
    concurrent_days = 3
    rate_limit = RateLimit(10, 1)  # what the first level of its API access allows
    page_size = 1000  # the most it gives

    def read_day(self, day: date, http: PartnerHttp) -> list[CostRow]:
        """All pages of the day's report, whose numbers of rows and pages must agree."""
        rows, number = [], 1
        while True:
            page, info = self._page(day, number, http)
            rows += page
            if number >= info["total_page"] or not page:
                break
            number += 1
        if len(rows) != info["total_number"]:
            raise IncompleteError(f"{len(rows)} rows came where it speaks of {info['total_number']}")
        return rows

    def _page(self, day: date, number: int, http: PartnerHttp) -> tuple[list[CostRow], Mapping[str, int]]:
        params = {
            "advertiser_id": self.options.advertiser_id,
            "report_type": self.options.report_type,
            "data_level": "AUCTION_CAMPAIGN",
            "dimensions": json.dumps(self._dimensions),
            "metrics": json.dumps(_METRICS),
            "start_date": day.isoformat(),
            "end_date": day.isoformat(),
            "page": number,
            "page_size": self.page_size,
        }
        answer = http.get(
            "open_api/v1.3/report/integrated/get/",
            params=params,
            headers={"Access-Token": self.account.credentials["access_token"]},
            true_status=_true_status,
        )
        reply = answer.json()
        data = reply.get("data") if isinstance(reply, dict) and str(reply.get("code")) == "0" else None
        if not isinstance(data, dict) or not isinstance(data.get("list"), list):
            raise self.shape_error(day, f"no `code` 0 and `data.list` in {answer.excerpt!r}")
        try:
            numbers = {name: count(data["page_info"][name]) for name in _PAGE_NUMBERS}
        except (KeyError, TypeError, ValueError):
            numbers = {}
        info = {name: number for name, number in numbers.items() if number is not None}
        if len(info) < len(_PAGE_NUMBERS):
            raise self.shape_error(day, f"no {' and '.join(_PAGE_NUMBERS)} in {answer.excerpt!r}")
        return [self._cost_row(row, day) for row in data["list"]], info

    @property
    def _dimensions(self) -> list[str]:
        return ["campaign_id", "stat_time_day", *(["country_code"] if "country" in self.account.grain else [])]

    def _cost_row(self, row: Any, day: date) -> CostRow:
        try:
            dimensions, metrics = row["dimensions"], row["metrics"]
            if str(dimensions["stat_time_day"])[:10] != day.isoformat():
                raise self.shape_error(day, f"a row of day {dimensions['stat_time_day']!r}")
            return CostRow(
                cost_date=day,
                channel=self.channel,
                campaign_id=text(dimensions["campaign_id"]),
                country=text(dimensions["country_code"]) if "country" in self.account.grain else None,
                cost=amount(metrics["spend"]),
                currency=self.account.currency,
                impressions=count(metrics["impressions"]),
                clicks=count(metrics["clicks"]),
            )
        except (KeyError, TypeError) as missing:
            raise self.shape_error(day, f"a row without {missing}: {row}") from None
        except ValueError as error:
            raise self.shape_error(day, f"{error} in the row {row}") from None


def _true_status(answer: Answer) -> int:
    """What the code of the body amounts to; an answer without one is judged by its status."""
    try:
        reply = answer.json()
        code = count(reply.get("code")) if isinstance(reply, dict) else None
    except (PartnerError, ValueError):
        return answer.status
    if not code:
        return answer.status
    if _TOO_FAST.search(str(reply.get("message"))):
        return 429
    if code in _TOKEN_REFUSED:
        return 401
    return 503 if code >= _FIRST_FAILURE_OF_THEIRS else 400
