"""Answers as Unity's Monetization Stats API does: `GET /stats/v1/operate/organizations/{id}`, by a redirect.

The statistics lie on another host, under a signed address, as CSV or, where that is asked for, as JSON.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

from revenue_pipeline.simulator import files
from revenue_pipeline.simulator.behaviour import GAME_UNITS
from revenue_pipeline.simulator.counterpart import Answer, Call, Counterpart
from revenue_pipeline.simulator.world import ReportRow

ORGANIZATION = "2475593"
GAMES = {app: f"{5_000_001 + number}" for number, app in enumerate(GAME_UNITS)}
GROUPS = {"game": ("source_game_id", "source_name"), "placement": ("placement",), "country": ("country",)}
GROUPS |= {"platform": ("platform",)}
FIELDS = ("adrequest_count", "start_count", "view_count", "available_sum", "revenue_sum")


class UnityAds:
    """The statistics of one organization."""

    name = "unity_ads"
    prefix = "/unity_ads"
    secrets = frozenset({"apikey", files.SIGNATURE})

    def credential(self, query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
        """The key, in the header or in the query."""
        return headers.get("authorization", "").removeprefix("Token ") or query.get("apikey")

    def refuse_window(self) -> Answer:
        """An error as all of them are."""
        return _error("start is too long ago")

    def failure_in_body(self, code: int) -> Answer:
        """HTTP 200 around an error."""
        return Answer.json({"errors": [{"msg": f"internal error {code}"}]})

    def answer(self, call: Call) -> Answer:
        """Where the statistics are, the statistics, or why not."""
        if call.path.startswith("/files/"):
            return files.refusal_of(call) or _statistics(call)
        if not self.credential(call.query, call.headers):
            return _error("access token required")
        if call.path != f"/stats/v1/operate/organizations/{ORGANIZATION}":
            return Answer.text(404, "Not found")
        try:
            return self._redirect(call)
        except (KeyError, ValueError) as error:
            return _error(f"bad parameter {error}")

    def _redirect(self, call: Call) -> Answer:
        query = call.query
        groups, fields = query.get("groupBy", ""), query["fields"]
        if query["scale"] != "day" or not {*fields.split(",")} <= {*FIELDS}:
            raise ValueError("scale or fields")
        if groups and not {*groups.split(",")} <= {*GROUPS}:
            raise ValueError("groupBy")
        first, last = _first_midnight(query["start"]), _day(query["end"])
        path = f"/files/{first}/{last}/{groups or '-'}/{fields}"
        return Answer(302, b"", headers={"Location": files.signed_address(call, self.prefix, path)})


def _error(message: str) -> Answer:
    return Answer.json({"errors": [{"msg": message}]}, 400)


def _day(moment: str) -> date:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).astimezone(timezone.utc).date()


def _first_midnight(moment: str) -> date:
    """Days split at midnight UTC: the first that begins at the moment or later."""
    instant = datetime.fromisoformat(moment.replace("Z", "+00:00")).astimezone(timezone.utc)
    return instant.date() if instant.time() == time() else instant.date() + timedelta(days=1)


def _statistics(call: Call) -> Answer:
    _, _, first, last, groups, fields = call.path.split("/")
    names = [name for group in groups.split(",") if group != "-" for name in GROUPS[group]]
    totals: dict[tuple[str, ...], tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    day = date.fromisoformat(first)
    while day <= date.fromisoformat(last):
        for row in call.reported("unity_ads", day):
            labels = _labels(row)
            key = (f"{day}T00:00:00.000Z", *(labels[name] for name in names))
            impressions, revenue = totals[key]
            totals[key] = (impressions + row.impressions, revenue + row.revenue)
        day += timedelta(days=1)
    columns = ["timestamp", *names, *fields.split(",")]
    rows = [[*key, *(_value(field, *total) for field in fields.split(","))] for key, total in totals.items()]
    if "application/json" in call.headers.get("accept", ""):
        return Answer.json([dict(zip(columns, row, strict=True)) for row in rows])
    text = files.csv_text(columns, rows)
    return Answer(
        200, (text[: len(text) // 2].rpartition(",")[0] if "cut_file" in call.faults else text).encode(), "text/csv"
    )


def _labels(row: ReportRow) -> Mapping[str, str]:
    return {
        "source_game_id": GAMES[row.app_id or "", row.platform or ""],
        "source_name": f"Acme, {row.app_id}",
        "platform": row.platform or "",
        "country": row.country or "",
        "placement": row.ad_unit_id or "",
    }


def _value(field: str, impressions: int, revenue: Decimal) -> Any:
    counts = {"adrequest_count": impressions * 3, "available_sum": impressions * 2, "view_count": impressions * 9 // 10}
    return revenue if field == "revenue_sum" else counts.get(field, impressions)


COUNTERPART: Counterpart = UnityAds()
