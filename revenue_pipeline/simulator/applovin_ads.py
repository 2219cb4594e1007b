"""Answers as AppLovin's advertiser report does: `GET /report?report_type=advertiser`, with any account's key.

Every JSON value is a string, countries are lower case, days are UTC, amounts USD. Only the columns below are modelled.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from revenue_pipeline.simulator.advertising import STORES, campaign_number, charged
from revenue_pipeline.simulator.counterpart import Answer, Call, Counterpart
from revenue_pipeline.simulator.world import Cost

DIMENSIONS = ("day", "campaign", "campaign_id_external", "campaign_package_name", "platform", "country")
METRICS = ("impressions", "clicks", "conversions", "cost")
REACH_BACK = timedelta(days=45)


class AppLovinAds:
    """The costs of the channel `applovin`."""

    name = "applovin_ads"
    prefix = "/applovin_ads"
    secrets = frozenset({"api_key"})

    def credential(self, query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
        """The Report Key is a query parameter."""
        return query.get("api_key")

    def refuse_window(self) -> Answer:
        """A text, as for any other bad request."""
        return Answer.text(400, f"Request window must be within the last {REACH_BACK.days} days")

    def failure_in_body(self, code: int) -> Answer:
        """The usual envelope, with another code."""
        return Answer.json({"code": code, "message": "Internal error, please try again later"})

    def answer(self, call: Call) -> Answer:
        """The report, a page of it, or the reason why not."""
        query = call.query
        if call.path != "/report":
            return Answer.text(404, f"No such report: {call.path}")
        if not query.get("api_key"):
            return Answer.text(401, "Missing api_key")
        if query.get("report_type") != "advertiser":
            return Answer.text(400, "Only the report of advertisers is modelled")
        start, end = date.fromisoformat(query["start"]), date.fromisoformat(query["end"])
        if start < call.today - REACH_BACK:
            return self.refuse_window()
        columns = query.get("columns", "").split(",")
        if unknown := sorted(set(columns) - {*DIMENSIONS, *METRICS}):
            return Answer.text(400, f"Unknown column: {', '.join(unknown)}")
        rows = _rows(list(charged(call, "applovin", start, end)), columns)
        sorts = [name.removeprefix("sort_") for name in query if name.startswith("sort_")]
        rows.sort(key=lambda row: [row[column] for column in sorts])
        page = call.page(rows, int(query.get("offset", "0")), int(query["limit"]) if "limit" in query else None)
        return Answer.json({"code": 200, "count": len(page), "results": list(page)})


def _rows(costs: Sequence[Cost], columns: Sequence[str]) -> list[dict[str, str]]:
    grouped: dict[tuple[str, ...], list[Cost]] = defaultdict(list)
    dimensions = [column for column in columns if column in DIMENSIONS]
    for cost in costs:
        labels = {
            "day": cost.cost_date.isoformat(),
            "campaign": f"{cost.campaign_id} {cost.app_id} {cost.platform}",
            "campaign_id_external": campaign_number(cost),
            "campaign_package_name": STORES.get((cost.app_id, cost.platform), ""),
            "platform": cost.platform,
            "country": cost.country.lower(),
        }
        grouped[tuple(labels[dimension] for dimension in dimensions)].append(cost)
    return [
        {column: value for column, value in (_labels(dimensions, key) | _metrics(group)).items() if column in columns}
        for key, group in grouped.items()
    ]


def _labels(dimensions: Sequence[str], key: Sequence[str]) -> dict[str, str]:
    return dict(zip(dimensions, key, strict=True))


def _metrics(costs: Sequence[Cost]) -> dict[str, str]:
    return {
        "impressions": str(sum(cost.impressions for cost in costs)),
        "clicks": str(sum(cost.clicks for cost in costs)),
        "conversions": str(sum(cost.installs for cost in costs)),
        "cost": f"{sum((cost.cost for cost in costs), Decimal(0)):f}",
    }


COUNTERPART: Counterpart = AppLovinAds()
