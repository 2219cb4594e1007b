"""Answers as Meta's Insights API does: `GET /{version}/act_{id}/insights`, by campaign and day, by country if asked.

Numbers are text, the account spends in EUR, and pages are linked by addresses that carry the token.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from revenue_pipeline.simulator.advertising import campaign_number, charged
from revenue_pipeline.simulator.counterpart import Answer, Call, Counterpart
from revenue_pipeline.simulator.world import Cost

PAGE_SIZE = 25
INSTALL = "mobile_app_install"


class MetaAds:
    """The costs of the channel `meta`."""

    name = "meta_ads"
    prefix = "/meta_ads"
    secrets = frozenset({"access_token"})

    def credential(self, query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
        """The access token, in the query or in the header."""
        return query.get("access_token") or headers.get("authorization", "").removeprefix("Bearer ") or None

    def refuse_window(self) -> Answer:
        """Days of more than 37 months ago."""
        message = "(#3018) The start date of the time range cannot be beyond 37 months from the current date"
        return _error(3018, message, "OAuthException")

    def failure_in_body(self, code: int) -> Answer:
        """HTTP 200 around a Graph error."""
        return _error(code, "An unknown error occurred", "OAuthException", http_status=200)

    def answer(self, call: Call) -> Answer:
        """A page of the insights, or why not."""
        token = self.credential(call.query, call.headers)
        if not token:
            return _error(2500, "An active access token must be used to query information", "OAuthException")
        if not re.fullmatch(r"/v\d+\.\d/act_\d+/insights", call.path):
            return _error(2500, f"Unknown path components: {call.path}", "OAuthException")
        period = json.loads(call.query["time_range"])
        costs = list(charged(call, "meta", date.fromisoformat(period["since"]), date.fromisoformat(period["until"])))
        rows = _rows(costs, by_country=call.query.get("breakdowns") == "country")
        offset, limit = int(call.query.get("after", "0")), int(call.query.get("limit", PAGE_SIZE))
        page = call.page(rows, offset, limit)
        paging: dict[str, Any] = {"cursors": {"before": str(offset), "after": str(offset + len(page))}}
        if offset + len(page) < len(rows):
            query = {**call.query, "after": str(offset + len(page)), "access_token": token}
            paging["next"] = f"https://graph.facebook.com{call.path}?{urlencode(query)}"
        return Answer.json({"data": page, "paging": paging} if page else {"data": []})


def _error(code: int, message: str, kind: str, http_status: int = 400) -> Answer:
    error = {"message": message, "type": kind, "code": code, "fbtrace_id": "simulated"}
    return Answer.json({"error": error}, http_status)


def _rows(costs: Sequence[Cost], by_country: bool) -> list[dict[str, Any]]:
    grouped: dict[tuple[str, str, str], list[Cost]] = defaultdict(list)
    for cost in costs:
        day, country = cost.cost_date.isoformat(), cost.country if by_country else ""
        grouped[day, campaign_number(cost), country].append(cost)
    return [_row(*key, group) for key, group in grouped.items()]


def _row(day: str, number: str, country: str, costs: Sequence[Cost]) -> dict[str, Any]:
    installs = sum(cost.installs for cost in costs)
    return {
        "account_currency": costs[0].currency,
        "campaign_id": number,
        "spend": f"{sum(cost.cost for cost in costs):f}",
        "impressions": str(sum(cost.impressions for cost in costs)),
        "clicks": str(sum(cost.clicks for cost in costs)),
        **({"actions": [{"action_type": INSTALL, "value": str(installs)}]} if installs else {}),
        "date_start": day,
        "date_stop": day,
        **({"country": country} if country else {}),
    }


COUNTERPART: Counterpart = MetaAds()
