"""Answers as the AdMob API does: `POST /v1/accounts/{pub}/networkReport:generate`, or `mediationReport:generate`.

A report is one JSON array of a header, rows and a footer; whole numbers are texts, amounts are millionths of the
account's currency, EUR. The account's days are Pacific ones. All impressions of its mediation are AdMob's own.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from revenue_pipeline.simulator import google_oauth
from revenue_pipeline.simulator.behaviour import GAME_UNITS
from revenue_pipeline.simulator.counterpart import Answer, Call, Counterpart
from revenue_pipeline.simulator.world import ReportRow

PUBLISHER = "pub-9876543210987654"
ZONE = "America/Los_Angeles"
APPS = {  # AdMob has an app for each platform
    (app_id, platform): f"ca-app-{PUBLISHER}~{1_000_000_001 + number}"
    for number, (app_id, platform) in enumerate(GAME_UNITS)
}
UNITS = {
    unit.ad_unit_id or "": f"ca-app-{PUBLISHER}/{2_000_000_001 + number}"
    for number, unit in enumerate(unit for units in GAME_UNITS.values() for unit in units.things)
}
FORMATS = {"banner": "banner", "inter": "interstitial", "reward": "rewarded"}
DIMENSIONS = ("DATE", "APP", "PLATFORM", "COUNTRY", "FORMAT", "AD_UNIT")
MOST_ROWS = 100_000


class AdMob:
    """The reports of one AdMob account."""

    name = "admob"
    prefix = "/admob"
    secrets: frozenset[str] = frozenset()

    def credential(self, query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
        """The access token."""
        return headers.get("authorization", "").removeprefix("Bearer ") or None

    def refuse_window(self) -> Answer:
        """A day that no report has."""
        return google_oauth.status(400, "INVALID_ARGUMENT", "The date range is not supported.")

    def failure_in_body(self, code: int) -> Answer:
        """HTTP 200, and an error in the stream."""
        return Answer.json([{"error": {"code": code, "message": "Internal error encountered.", "status": "INTERNAL"}}])

    def answer(self, call: Call) -> Answer:
        """An access token, a report, or why not."""
        if call.path == google_oauth.TOKEN_PATH:
            return google_oauth.grant(call)
        if refusal := google_oauth.refusal_of(call):
            return refusal
        if not re.fullmatch(rf"/v1/accounts/{PUBLISHER}/(network|mediation)Report:generate", call.path):
            return google_oauth.status(404, "NOT_FOUND", "Requested entity was not found.")
        try:
            return _report(call, json.loads(call.body)["reportSpec"])
        except (KeyError, ValueError) as error:
            return google_oauth.status(400, "INVALID_ARGUMENT", f"Invalid report specification: {error}")


def _report(call: Call, spec: Mapping[str, Any]) -> Answer:
    dimensions = spec["dimensions"]
    if unknown := [name for name in dimensions if name not in DIMENSIONS]:
        raise ValueError(f"dimension {unknown[0]}")
    if spec.get("timeZone") not in {None, "", ZONE}:
        raise ValueError(f"time zone {spec['timeZone']}")
    first, last = (date(**spec["dateRange"][edge]) for edge in ("startDate", "endDate"))
    filters = {each["dimension"]: each["matchesAny"]["values"] for each in spec.get("dimensionFilters", [])}
    totals: dict[tuple[str, ...], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        for row in call.reported("admob", day):
            labels = _labels(row, day)
            if all(labels[name] in values for name, values in filters.items()):
                key = tuple(labels[name] for name in dimensions)
                impressions, micros = totals[key]
                totals[key] = (impressions + row.impressions, micros + int(row.revenue.scaleb(6)))
    rows = [_row(call, dimensions, key, *total) for key, total in totals.items()]
    shown = call.page(rows, 0, min(spec.get("maxReportRows", MOST_ROWS), MOST_ROWS))
    header = {
        "dateRange": spec["dateRange"],
        "localizationSettings": {"currencyCode": "EUR", "languageCode": "en-US"},
        "reportingTimeZone": ZONE,
    }
    footer: dict[str, Any] = {"matchingRowCount": str(len(rows))}
    if "delayed_data" in call.faults:
        footer["warnings"] = [{"type": "DATA_DELAYED", "description": "Some ad sources have not reported yet."}]
    parts = [{"header": header}, *({"row": row} for row in shown), {"footer": footer}]
    return Answer.json(parts[:-1] if "no_footer" in call.faults else parts)


def _labels(row: ReportRow, day: date) -> Mapping[str, str]:
    return {
        "DATE": f"{day:%Y%m%d}",
        "APP": APPS[row.app_id or "", row.platform or ""],
        "PLATFORM": {"ios": "iOS", "android": "Android"}[row.platform or ""],
        "COUNTRY": row.country or "",
        "FORMAT": FORMATS[row.ad_format or ""],
        "AD_UNIT": UNITS[row.ad_unit_id or ""],
    }


def _row(call: Call, dimensions: Sequence[str], key: Sequence[str], impressions: int, micros: int) -> Mapping[str, Any]:
    written = int if "numbers" in call.faults else str
    metrics = {
        "ESTIMATED_EARNINGS": {"microsValue": written(micros)},
        "IMPRESSIONS": {"integerValue": written(impressions)},
        "CLICKS": {"integerValue": written(impressions // 50)},
    }
    if "missing_metrics" in call.faults:
        del metrics["CLICKS"]
        if not impressions % 2:
            del metrics["ESTIMATED_EARNINGS"]
    labels = {name: {"value": value} for name, value in zip(dimensions, key, strict=True)}
    if "APP" in labels:
        labels["APP"]["displayLabel"] = "Acme"
    return {"dimensionValues": labels, "metricValues": metrics}


COUNTERPART: Counterpart = AdMob()
