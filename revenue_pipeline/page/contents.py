"""What the page shows: the cohort report in all its forms, its charts, and the last days of every other report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import Any

import duckdb

from revenue_pipeline import reports
from revenue_pipeline.page import charts
from revenue_pipeline.publish import PublishedCopy
from revenue_pipeline.settings import Settings
from revenue_pipeline.sql_asset import SqlTable

Row = Mapping[str, Any]

ALL = "all"
GRANULARITIES = {"day": "Day", "week": "Week", "month": "Month"}
VIEW_TYPES = {"cumulative": "Cumulative", "non_cumulative": "In the period"}
BOTH, ONE = list(VIEW_TYPES), ["non_cumulative"]
DAYS, WEEKS, MONTHS = 30, 12, 12
REPORT_DAYS = 14
MOST_ROWS = 400
MONEY, RATIO, COUNT = 2, 4, 0


@dataclass(frozen=True)
class Metric:
    """A number of the cohort report: its digits, the views it has, and the number that it is divided by, if any."""

    name: str
    title: str
    meaning: str
    digits: int
    view_types: Sequence[str]
    beside: tuple[str, str, int] | None = None


METRICS = (
    Metric("revenue", "Revenue", "What the cohort brought, in the reporting currency.", MONEY, BOTH),
    Metric("events", "Events", "Revenue events of the cohort.", COUNT, BOTH),
    Metric("users", "Users", "Members with a revenue event in the period; the top row counts each once.", COUNT, ONE),
    Metric(
        *("roas", "ROAS", "Revenue over the cohort's cost: 1 is money earned back.", RATIO, BOTH),
        beside=("cost", "Cost", MONEY),
    ),
    Metric("arpu", "ARPU", "Revenue per member.", RATIO, BOTH, beside=("cohort_users", "Members", COUNT)),
    Metric("arppu", "ARPPU", "Revenue per paying member.", RATIO, BOTH, beside=("paying_users", "Paying", COUNT)),
)


def page_contents(settings: Settings, as_of: date) -> tuple[dict[str, Any], Mapping[str, str]]:
    """Give what `page.js` reads, and the charts of the first start event by day: title -> SVG.

    Raises:
        FileNotFoundError: nothing was published yet.
    """
    start_events = list(settings.cohorts.start_events)
    with PublishedCopy(settings.storage.warehouse).open() as copy:
        cohort_reports = [
            report
            for granularity in GRANULARITIES
            for start_event in start_events
            for report in _cohort_reports(copy, settings, as_of, granularity, start_event)
        ]
        other_reports = [_report(copy, table, as_of) for table in reports.TABLES if table.headline]
    revenue_events = sorted({each["revenue_event"] for each in cohort_reports}, key=lambda name: (name != ALL, name))
    drawn = [
        chart
        for report in cohort_reports
        if report["revenue_event"] == ALL and report["view_type"] == "cumulative"
        for chart in _curves(report, settings.reporting.currency)
    ]
    contents = {
        "as_of": f"As of {as_of}. Amounts are in {settings.reporting.currency}. Reports of open days are indicative.",
        "cohorts": {
            "metrics": [_metric(metric) for metric in METRICS],
            "granularities": [{"name": name, "title": title} for name, title in GRANULARITIES.items()],
            "view_types": [{"name": name, "title": title} for name, title in VIEW_TYPES.items()],
            "start_events": start_events,
            "revenue_events": revenue_events,
            "reports": [{**each, "rows": [_shown_line(line) for line in each["rows"]]} for each in cohort_reports],
            "charts": drawn,
        },
        "reports": other_reports,
    }
    return contents, _charts_for_the_ui(cohort_reports, drawn, settings)


def _metric(metric: Metric) -> dict[str, Any]:
    beside = [{"name": metric.beside[0], "title": metric.beside[1]}] if metric.beside else []
    shown = {"name": metric.name, "title": metric.title, "meaning": metric.meaning}
    return {**shown, "view_types": metric.view_types, "beside": beside}


def first_cohort_day(granularity: str, as_of: date) -> date:
    """Give the first day of the oldest period that the page shows."""
    if granularity == "day":
        return as_of - timedelta(days=DAYS - 1)
    if granularity == "week":
        return as_of - timedelta(days=as_of.weekday() + 7 * (WEEKS - 1))
    months = as_of.year * 12 + as_of.month - 1 - (MONTHS - 1)
    return date(months // 12, months % 12 + 1, 1)


def _cohort_reports(
    copy: duckdb.DuckDBPyConnection, settings: Settings, as_of: date, granularity: str, start_event: str
) -> Iterator[dict[str, Any]]:
    """Give the report in both views and of each revenue event: asked for at once, so that users are looked at once."""
    start = max(first_cohort_day(granularity, as_of), settings.start_date)
    relation = copy.sql(
        "SELECT * FROM reports.revenue_reports('none', $start, $as_of, $granularity, $start_event, NULL, $as_of)",
        params={"start": start, "as_of": as_of, "granularity": granularity, "start_event": start_event},
    )
    columns = relation.columns
    rows = [dict(zip(columns, row, strict=True)) for row in relation.fetchall()]
    for (revenue_event, view_type), of_one in groupby(rows, key=lambda row: (row["revenue_event"], row["view_type"])):
        lines = groupby(of_one, key=lambda row: (row["row_kind"], row["cohort_start"]))
        yield {
            "granularity": granularity,
            "view_type": view_type,
            "start_event": start_event,
            "revenue_event": revenue_event,
            "rows": [
                {"kind": kind, "cohort": cohort and cohort.isoformat(), "cells": list(cells)}
                for (kind, cohort), cells in lines
            ],
        }


def _shown_line(line: Row) -> dict[str, Any]:
    cells: Sequence[Row] = line["cells"]
    beside = {
        metric.beside[0]: shown_number(cells[0][metric.beside[0]], metric.beside[2])
        for metric in METRICS
        if metric.beside
    }
    return {
        "kind": line["kind"],
        "cohort": line["cohort"],
        **beside,
        "cells": [
            {
                "period": cell["period"],
                "is_partial": cell["is_partial"],
                **{metric.name: shown_number(cell[metric.name], metric.digits) for metric in METRICS},
            }
            for cell in cells
        ],
    }


def _curves(report: Row, currency: str) -> Iterable[dict[str, str]]:
    for metric, y_title, level in (
        ("arpu", f"LTV: revenue per member, {currency}", None),
        ("roas", "ROAS: revenue over cost", 1.0),
    ):
        rows = list(_points(report, metric))
        if any(row["value"] is not None for row in rows):
            title = ("LTV" if metric == "arpu" else "ROAS") + f" by {report['granularity']} cohort, all revenue"
            yield {
                "title": title,
                "granularity": report["granularity"],
                "start_event": report["start_event"],
                "svg": charts.curves(rows, y_title, f"{report['granularity']}s since {report['start_event']}", level),
            }


def _points(report: Row, metric: str) -> Iterable[dict[str, Any]]:
    for line in report["rows"]:
        if line["kind"] == "sub":
            for cell in line["cells"]:
                value = cell[metric]
                shown = (shown_number(value, MONEY) or "") + ("*" if cell["is_partial"] else "")
                # A chart is a picture: this is the one place where an amount becomes a float.
                height = None if value is None else float(value)
                yield {"cohort": line["cohort"], "period": cell["period"], "value": height, "shown": shown}


def _charts_for_the_ui(cohort_reports: Sequence[Row], drawn: Sequence[Row], settings: Settings) -> Mapping[str, str]:
    start_event = settings.cohorts.start_events[0]
    shown = {
        each["title"]: each["svg"]
        for each in drawn
        if (each["granularity"], each["start_event"]) == ("day", start_event)
    }
    for report in cohort_reports:
        is_shown = (report["granularity"], report["start_event"], report["revenue_event"]) == ("day", start_event, ALL)
        if is_shown and report["view_type"] == "cumulative" and report["rows"]:
            points = list(_points(report, "revenue"))
            title = f"Cumulative revenue by day cohort, {settings.reporting.currency}"
            shown[title] = charts.heat_map(points, title, f"days since {start_event}")
    return shown


def _report(copy: duckdb.DuckDBPyConnection, table: SqlTable, as_of: date) -> dict[str, Any]:
    order = ", ".join([f"{table.day} DESC", *(f"{column} NULLS FIRST" for column in table.unique_by)])
    relation = copy.sql(
        f"SELECT {', '.join(table.headline)} FROM {table.name} WHERE $whole OR {table.day} > $since "
        f"ORDER BY {order} LIMIT $most",
        params={"whole": table.is_whole, "since": as_of - timedelta(days=REPORT_DAYS), "most": MOST_ROWS},
    )
    meanings = {column.name: column for column in table.table.columns}
    columns = [
        {
            "name": name,
            "meaning": meanings[name].meaning,
            "is_number": meanings[name].type.startswith(("DECIMAL", "DOUBLE", "BIGINT", "INTEGER")),
        }
        for name in table.headline
    ]
    rows = [[_shown_value(value) for value in row] for row in relation.fetchall()]
    name = table.name.partition(".")[2]
    about = " ".join(table.sql.description.split())
    return {
        "name": name,
        "title": name.upper() if len(name) <= 4 else name.replace("_", " ").capitalize(),
        "about": f"{about} {'The newest rows' if table.is_whole else f'The last {REPORT_DAYS} days'}.",
        "columns": columns,
        "rows": rows,
    }


def _shown_value(value: Any) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return shown_number(value, MONEY)
    if isinstance(value, float):
        return shown_number(value, RATIO)
    if isinstance(value, int):
        return shown_number(value, COUNT)
    return None if value is None else str(value)


def shown_number(value: Decimal | float | None, digits: int) -> str | None:
    """Write a number for a person: rounded half up to so many digits, thousands apart."""
    if value is None:
        return None
    return f"{Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):,f}"
