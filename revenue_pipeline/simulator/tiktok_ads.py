"""Answers as TikTok's reporting API does: `GET /open_api/v1.3/report/integrated/get/`, by campaign, day and country.

HTTP is 200 whatever happens; `code` in the body says how it went. Metrics are text.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from revenue_pipeline.simulator.advertising import campaign_number, charged
from revenue_pipeline.simulator.counterpart import Answer, Call, Counterpart
from revenue_pipeline.simulator.world import Cost

REPORT = "/open_api/v1.3/report/integrated/get/"
PAGE_SIZE = 10


class TikTokAds:
    """The costs of the channel `tiktok`."""

    name = "tiktok_ads"
    prefix = "/tiktok_ads"
    secrets: frozenset[str] = frozenset()

    def credential(self, query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
        """The access token is a header."""
        return headers.get("access-token")

    def refuse_window(self) -> Answer:
        """Too long a range is a wrong parameter."""
        return _failure(40002, "The time span between start_date and end_date cannot exceed 30 days")

    def failure_in_body(self, code: int) -> Answer:
        """What every failure looks like."""
        texts = {40100: "Too many requests, the QPS limit of the app is reached", 60001: "System maintenance"}
        return _failure(code, texts.get(code, "Internal error, please try again later"))

    def answer(self, call: Call) -> Answer:
        """A page of the report, or why not."""
        if call.path != REPORT:
            return _failure(40001, f"Unknown path {call.path}")
        if not call.headers.get("access-token"):
            return _failure(40105, "Access token is incorrect or has been revoked")
        query = call.query
        if not query.get("advertiser_id") or "campaign_id" not in json.loads(query["dimensions"]):
            return _failure(40002, "advertiser_id and an id dimension are required")
        start, end = date.fromisoformat(query["start_date"]), date.fromisoformat(query["end_date"])
        if (end - start).days > 30:
            return self.refuse_window()
        costs = list(charged(call, "tiktok", start, end))
        rows = _rows(costs, json.loads(query["dimensions"]), json.loads(query["metrics"]))
        number, size = int(query.get("page", "1")), int(query.get("page_size", PAGE_SIZE))
        if cap := call.faults.get("page_cap"):
            size = min(size, int(cap.amount(2)))
        page = call.page(rows, (number - 1) * size, size)
        pages = -(-len(rows) // size)
        page_info = {"total_number": len(rows), "page": number, "page_size": size, "total_page": pages}
        data = {"list": page, "page_info": page_info}
        return Answer.json({"code": 0, "message": "OK", "request_id": "simulated", "data": data})


def _failure(code: int, message: str) -> Answer:
    return Answer.json({"code": code, "message": message, "request_id": "simulated", "data": {}})


def _rows(costs: Sequence[Cost], dimensions: Sequence[str], metrics: Sequence[str]) -> list[dict[str, Any]]:
    grouped: dict[tuple[str, ...], list[Cost]] = defaultdict(list)
    for cost in costs:
        labels = {
            "campaign_id": campaign_number(cost),
            "stat_time_day": f"{cost.cost_date} 00:00:00",
            "country_code": cost.country,
        }
        grouped[tuple(labels[dimension] for dimension in dimensions)].append(cost)
    return [
        {"dimensions": dict(zip(dimensions, key, strict=True)), "metrics": _metrics(group, metrics)}
        for key, group in grouped.items()
    ]


def _metrics(costs: Sequence[Cost], metrics: Sequence[str]) -> dict[str, str]:
    totals = {
        "spend": f"{sum(cost.cost for cost in costs):f}",
        "impressions": str(sum(cost.impressions for cost in costs)),
        "clicks": str(sum(cost.clicks for cost in costs)),
    }
    return {metric: totals[metric] for metric in metrics}


COUNTERPART: Counterpart = TikTokAds()
