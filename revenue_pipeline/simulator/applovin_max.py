"""Answers as AppLovin MAX's revenue report does: `GET /maxReport`, with any account's key.

Rows are added up over the columns asked for; every JSON value is a string, countries are lower case, ad formats upper
case, days are UTC, and apps go by their package names. Only the columns below are modelled.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from revenue_pipeline.simulator.counterpart import Answer, Call, Counterpart
from revenue_pipeline.simulator.world import ReportRow

PACKAGES = {"acme_ios": "com.acme.game", "acme_puzzle": "com.acme.puzzle"}
TITLES = {"acme_ios": "Acme Game", "acme_puzzle": "Acme Puzzle"}
DIMENSIONS = (
    *("day", "application", "package_name", "platform", "country", "ad_format"),
    *("max_ad_unit_id", "max_ad_unit"),
)
METRICS = ("impressions", "estimated_revenue", "ecpm")
REACH_BACK = timedelta(days=45)


class RefusedError(Exception):
    """The request makes no sense to the partner; the text is its answer."""


class AppLovinMax:
    """The revenue report of AppLovin MAX."""

    name = "applovin_max"
    prefix = "/applovin"
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
        if call.path != "/maxReport":
            return Answer.text(404, f"No such report: {call.path}")
        if not call.query.get("api_key"):
            return Answer.text(401, "Missing api_key")
        try:
            return self._report(call)
        except RefusedError as refusal:
            return Answer.text(400, str(refusal))

    def _report(self, call: Call) -> Answer:
        start, end = _day(call, "start"), _day(call, "end")
        if start < call.today - REACH_BACK or end < call.today - REACH_BACK:
            return self.refuse_window()
        if end < start:
            raise RefusedError("Parameter end must not be before start")
        columns = _columns(call)
        rows = _in_order(_added_up(call, start, min(end, call.today), columns), call)
        limit = _whole_number(call, "limit") if "limit" in call.query else None
        page = call.page(rows, _whole_number(call, "offset"), limit)
        results = [{column: row[column] for column in columns} for row in page]
        if call.query.get("format", "json") == "csv":
            return _csv(columns, results)
        return Answer.json({"code": 200, "count": len(results), "results": results})


def _day(call: Call, parameter: str) -> date:
    try:
        return date.fromisoformat(call.query[parameter])
    except (KeyError, ValueError):
        raise RefusedError(f"Parameter {parameter} must be a day like 2026-01-31") from None


def _whole_number(call: Call, parameter: str) -> int:
    text = call.query.get(parameter, "0")
    if not text.isdecimal():
        raise RefusedError(f"Parameter {parameter} must be a whole number, not {text}")
    return int(text)


def _columns(call: Call) -> Sequence[str]:
    columns = [column for column in call.query.get("columns", "").split(",") if column]
    named = {name.partition("_")[2] for name in call.query if name.startswith(("filter_", "sort_"))}
    if unknown := sorted({*columns, *named} - {*DIMENSIONS, *METRICS}):
        raise RefusedError(f"Unknown column: {', '.join(unknown)}")
    if not columns:
        raise RefusedError("Parameter columns is required")
    return columns


def _added_up(call: Call, start: date, end: date, columns: Sequence[str]) -> list[dict[str, str]]:
    """The report's rows over the dimensions asked for, filtered, every value a string."""
    dimensions = [column for column in columns if column in DIMENSIONS]
    filters = {name.removeprefix("filter_"): value for name, value in call.query.items() if name.startswith("filter_")}
    totals: dict[tuple[str, ...], tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for n in range((end - start).days + 1):
        day = start + timedelta(days=n)
        for row in call.reported("applovin_max", day):
            labels = _labels(row, day)
            if all(labels.get(column, value).lower() == value.lower() for column, value in filters.items()):
                key = tuple(labels[column] for column in dimensions)
                impressions, revenue = totals[key]
                totals[key] = (impressions + row.impressions, revenue + row.revenue)
    rows = [dict(zip(dimensions, key, strict=True)) | _metrics(*total) for key, total in totals.items()]
    return [row for row in rows if call.query.get("not_zero") != "1" or row["impressions"] != "0"]


def _labels(row: ReportRow, day: date) -> Mapping[str, str]:
    app_id, ad_unit_id = row.app_id or "", row.ad_unit_id or ""
    return {
        "day": day.isoformat(),
        "application": TITLES[app_id],
        "package_name": PACKAGES[app_id],
        "platform": row.platform or "",
        "country": (row.country or "").lower(),
        "ad_format": (row.ad_format or "").upper(),
        "max_ad_unit_id": ad_unit_id,
        "max_ad_unit": ad_unit_id.replace("-", " ").title(),
    }


def _metrics(impressions: int, revenue: Decimal) -> dict[str, str]:
    ecpm = revenue * 1000 / impressions if impressions else Decimal(0)
    return {"impressions": str(impressions), "estimated_revenue": f"{revenue:f}", "ecpm": f"{ecpm:.6f}"}


def _in_order(rows: list[dict[str, str]], call: Call) -> list[dict[str, str]]:
    """Sorted as asked; the order without a request is stable, so that pages fit together."""
    sorts = [(name.removeprefix("sort_"), value) for name, value in call.query.items() if name.startswith("sort_")]
    for column, direction in reversed(sorts):  # the first one asked for decides most, so it sorts last
        value = Decimal if column in METRICS else str
        rows.sort(key=lambda row: value(row.get(column, "0")), reverse=direction.upper() == "DESC")
    return rows


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> Answer:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return Answer(200, text.getvalue().encode(), "text/csv")


COUNTERPART: Counterpart = AppLovinMax()
