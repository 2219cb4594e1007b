"""Answers as the Google Ads API does over REST: `googleAds:searchStream`, for the three queries that concern costs.

Metrics are int64, and so text in JSON; an answer is an array of batches. Every account number is ours, spends in USD
and has UTC days. Campaigns for the web have no `appCampaignSetting`.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from revenue_pipeline.simulator.advertising import COUNTRY_NUMBERS, STORES, campaign_number
from revenue_pipeline.simulator.counterpart import Answer, Call, Counterpart
from revenue_pipeline.simulator.google_oauth import TOKEN_PATH, grant, refusal_of, status
from revenue_pipeline.simulator.world import Cost

BATCH = 100  # rows in one element of the array
APP_STORES = {"ios": "APPLE_APP_STORE", "android": "GOOGLE_APP_STORE"}
CRITERIA = {country: 2000 + number for country, number in COUNTRY_NUMBERS.items()}

_Row = dict[str, Any]


class GoogleAds:
    """The costs of the channel `google`."""

    name = "google_ads"
    prefix = "/google_ads"
    secrets: frozenset[str] = frozenset()

    def credential(self, query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
        """The developer token is a header."""
        return headers.get("developer-token")

    def refuse_window(self) -> Answer:
        """It has all days since 2008; what it refuses is a date that is none."""
        return status(400, "INVALID_ARGUMENT", "Request contains an invalid argument: segments.date")

    def failure_in_body(self, code: int) -> Answer:
        """A stream that began well and then failed."""
        return Answer.json([{"error": {"code": code, "message": "Internal error encountered.", "status": "INTERNAL"}}])

    def answer(self, call: Call) -> Answer:
        """A token, the rows of a query, or why not."""
        if call.path == TOKEN_PATH:
            return grant(call)
        if not re.fullmatch(r"/v\d+/customers/\d+/googleAds:searchStream", call.path):
            return status(404, "NOT_FOUND", f"Method not found: {call.path}")
        if not call.headers.get("developer-token"):
            return status(401, "UNAUTHENTICATED", "The developer token is missing.")
        return refusal_of(call) or self._rows_of(call, str(json.loads(call.body or b"{}").get("query", "")))

    def _rows_of(self, call: Call, query: str) -> Answer:
        if "FROM geo_target_constant" in query:
            return _stream(list(_countries()))
        day = re.search(r"segments\.date = '(\d{4}-\d\d-\d\d)'", query)
        if day is None:
            return self.refuse_window()
        costs = call.spent("google", date.fromisoformat(day[1])) if date.fromisoformat(day[1]) <= call.today else []
        return _stream(_rows(costs, by_country="FROM user_location_view" in query))


def _stream(rows: Sequence[_Row]) -> Answer:
    batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    return Answer.json([{"results": batch, "fieldMask": "…", "requestId": "simulated"} for batch in batches])


def _countries() -> Iterator[_Row]:
    for country, number in CRITERIA.items():
        constant = {"resourceName": f"geoTargetConstants/{number}", "id": str(number), "countryCode": country}
        yield {"geoTargetConstant": constant}


def _rows(costs: Sequence[Cost], by_country: bool) -> list[_Row]:
    grouped: dict[tuple[str, str, str], list[Cost]] = defaultdict(list)
    for cost in costs:
        grouped[campaign_number(cost), f"{cost.app_id} {cost.platform}", cost.country if by_country else ""].append(
            cost
        )
    return [_row(number, country, group) for (number, _, country), group in grouped.items()]


def _row(number: str, country: str, costs: Sequence[Cost]) -> _Row:
    first = costs[0]
    campaign: _Row = {"resourceName": f"customers/1/campaigns/{number}", "id": number}
    if store := STORES.get((first.app_id, first.platform)):
        campaign["appCampaignSetting"] = {"appId": store, "appStore": APP_STORES[first.platform]}
    view = {"userLocationView": {"countryCriterionId": str(CRITERIA[country])}} if country else {}
    return {
        "customer": {"resourceName": "customers/1", "currencyCode": first.currency, "timeZone": "Etc/UTC"},
        "campaign": campaign,
        **view,
        "segments": {"date": first.cost_date.isoformat()},
        "metrics": {
            "costMicros": str(sum(int(cost.cost.scaleb(6)) for cost in costs)),
            "impressions": str(sum(cost.impressions for cost in costs)),
            "clicks": str(sum(cost.clicks for cost in costs)),
        },
    }


COUNTERPART: Counterpart = GoogleAds()
