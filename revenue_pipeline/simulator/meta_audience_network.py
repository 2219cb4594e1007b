"""Answers as Meta's Audience Network does: `/{version}/{id}/adnetworkanalytics`, by GET, or by POST and later.

Days are Pacific, every metric is a result of its own, and every value is a text. A query's id holds what was asked.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from revenue_pipeline.simulator.behaviour import GAME_UNITS
from revenue_pipeline.simulator.counterpart import Answer, Call, Counterpart
from revenue_pipeline.simulator.world import PACIFIC, ReportRow

PROPERTY = "700000000000001"
APPS = {app: f"{800_000_000_000_001 + number}" for number, app in enumerate(GAME_UNITS)}
BREAKDOWNS = ("app", "platform", "country", "placement")
METRICS = ("fb_ad_network_revenue", "fb_ad_network_imp", "fb_ad_network_click")
USUAL_LIMIT = 2000


class MetaAudienceNetwork:
    """The reports of one property."""

    name = "meta_audience_network"
    prefix = "/meta_audience_network"
    secrets = frozenset({"access_token"})

    def credential(self, query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
        """The access token, in the query or in the header."""
        return query.get("access_token") or headers.get("authorization", "").removeprefix("Bearer ") or None

    def refuse_window(self) -> Answer:
        """An invalid parameter."""
        return _error(100, "(#100) The time range is not supported")

    def failure_in_body(self, code: int) -> Answer:
        """HTTP 200 around a Graph error."""
        return _error(code, "An unknown error occurred", http_status=200)

    def answer(self, call: Call) -> Answer:
        """A report, a query's id, its results, or why not."""
        found = re.fullmatch(rf"/v\d+\.\d/{PROPERTY}/adnetworkanalytics(_results)?", call.path)
        if not self.credential(call.query, call.headers):
            return _error(2500, "An active access token must be used to query information")
        if not found:
            return _error(2500, f"Unknown path components: {call.path}")
        try:
            if found[1]:
                return _results(call)
            if call.method == "POST":
                return self._query(call)
            return self._report(call)
        except (KeyError, ValueError) as error:
            return _error(100, f"(#100) Invalid parameter: {error}")

    def _report(self, call: Call) -> Answer:
        results = _computed(call, call.query)
        offset, limit = int(call.query.get("after", "0")), int(call.query.get("limit", USUAL_LIMIT))
        keys = call.page(results, offset, limit)
        paging: dict[str, Any] = {"cursors": {"before": str(offset), "after": str(offset + len(keys))}}
        if offset + len(keys) < len(results) and "no_next_page" not in call.faults:
            query = {**call.query, "after": str(offset + len(keys))}
            paging["next"] = f"https://graph.facebook.com{call.path}?{urlencode(query)}"
        return Answer.json({"data": [{"query_id": "b1", **_shown(call, keys)}], "paging": paging})

    def _query(self, call: Call) -> Answer:
        _computed(call, call.query)
        asked = {name: value for name, value in call.query.items() if name != "access_token"}
        query_id = json.dumps(asked).encode().hex()
        query = urlencode({"query_ids": json.dumps([query_id]), "access_token": call.query.get("access_token", "")})
        link = f"https://graph.facebook.com{call.path}_results?{query}"
        return Answer.json({"query_id": query_id, "async_result_link": link})


def _error(code: int, message: str, http_status: int = 400) -> Answer:
    error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "simulated"}
    return Answer.json({"error": error}, http_status)


def _results(call: Call) -> Answer:
    (query_id,) = json.loads(call.query["query_ids"])
    if "report_pending" in call.faults or "report_failed" in call.faults:
        status = "running" if "report_pending" in call.faults else "failed"
        return Answer.json({"data": [{"query_id": query_id, "status": status}]})
    results = _computed(call, json.loads(bytes.fromhex(query_id)))
    return Answer.json({"data": [{"query_id": query_id, "status": "complete", **_shown(call, results)}]})


_Result = tuple[Mapping[str, Any], Mapping[str, str]]


def _computed(call: Call, query: Mapping[str, str]) -> Sequence[_Result]:
    """For each key its time and breakdowns, and the value of each metric."""
    breakdowns, metrics = json.loads(query.get("breakdowns", "[]")), json.loads(query["metrics"])
    if not {*breakdowns} <= {*BREAKDOWNS} or not {*metrics} <= {*METRICS} or query["aggregation_period"] != "day":
        raise ValueError("breakdowns, metrics or aggregation_period")
    day, last = date.fromisoformat(query["since"]), date.fromisoformat(query["until"])
    totals: dict[tuple[date, tuple[str, ...]], tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    while day <= last:
        for row in call.reported("meta_audience_network", day):
            labels = _labels(row)
            key = day, tuple(labels[name] for name in breakdowns)
            impressions, revenue = totals[key]
            totals[key] = (impressions + row.impressions, revenue + row.revenue)
        day += timedelta(days=1)
    return [
        (
            {
                "time": f"{datetime.combine(day, time(), PACIFIC).astimezone(timezone.utc):%Y-%m-%dT%H:%M:%S}+0000",
                "breakdowns": [{"key": name, "value": value} for name, value in zip(breakdowns, key, strict=True)],
            },
            {metric: _value(metric, *total) for metric in metrics},
        )
        for (day, key), total in totals.items()
    ]


def _shown(call: Call, results: Sequence[_Result]) -> Mapping[str, Any]:
    """A result for each metric; the fault leaves the revenue of the first key out."""
    shown = [{**key, "metric": metric, "value": value} for key, values in results for metric, value in values.items()]
    omitted = shown[:1] if "omitted_results" in call.faults else []
    without_value = [{name: value for name, value in each.items() if name != "value"} for each in omitted]
    return {"results": shown[len(omitted) :], "omitted_results": without_value}


def _labels(row: ReportRow) -> Mapping[str, str]:
    return {
        "app": APPS[row.app_id or "", row.platform or ""],
        "platform": (row.platform or "").upper(),
        "country": row.country or "",
        "placement": row.ad_unit_id or "",
    }


def _value(metric: str, impressions: int, revenue: Decimal) -> str:
    if metric == "fb_ad_network_revenue":
        return f"{revenue:f}"
    return str(impressions if metric == "fb_ad_network_imp" else impressions // 60)


COUNTERPART: Counterpart = MetaAudienceNetwork()
