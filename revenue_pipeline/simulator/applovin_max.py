"""Answers as AppLovin MAX's revenue reports do, with any account's key.

`GET /maxReport`: rows are added up over the columns asked for; every JSON value is a string, countries are lower case,
ad formats upper case, days are UTC, and apps go by their package names. Only the columns below are modelled.
`GET /max/userAdRevenueReport`: one app, platform and day, from the next day on, as the address of a CSV file.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from revenue_pipeline.simulator import files
from revenue_pipeline.simulator.counterpart import Answer, Call, Counterpart
from revenue_pipeline.simulator.world import ReportRow

PACKAGES = {"acme_ios": "com.acme.game", "acme_puzzle": "com.acme.puzzle"}
TITLES = {"acme_ios": "Acme Game", "acme_puzzle": "Acme Puzzle"}
DIMENSIONS = (
    *("day", "application", "package_name", "platform", "country", "ad_format"),
    *("max_ad_unit_id", "max_ad_unit"),
)
METRICS = ("impressions", "estimated_revenue", "ecpm")
STORE_IDS = {"acme_ios": "1001001001", "acme_puzzle": "1001001002"}  # on iOS; elsewhere it is the package name
REACH_BACK = timedelta(days=45)
SUMS = ("Ad Unit ID", "Placement", "IDFA", "IDFV", "User Id", "Impressions", "Revenue")
IMPRESSIONS = (
    *("Date", "Ad Unit ID", "Ad Unit Name", "Waterfall", "Ad Format", "Placement", "Country", "Device Type"),
    *("IDFA", "IDFV", "User Id", "Revenue", "Ad Placement", "Network", "Custom Data"),
)


class RefusedError(Exception):
    """The request makes no sense to the partner; the text is its answer."""


class AppLovinMax:
    """The revenue report of AppLovin MAX."""

    name = "applovin_max"
    prefix = "/applovin"
    secrets = frozenset({"api_key", files.SIGNATURE})

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
        """The report, a page of it, a file, or the reason why not."""
        if call.path.startswith("/files/"):
            return files.refusal_of(call) or _file(call)
        reports = {"/maxReport": self._report, "/max/userAdRevenueReport": self._user_report}
        if call.path not in reports:
            return Answer.text(404, f"No such report: {call.path}")
        if not call.query.get("api_key"):
            return Answer.text(401, "Missing api_key")
        try:
            return reports[call.path](call)
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
            rows_of_values = [list(result.values()) for result in results]
            return Answer(200, files.csv_text(columns, rows_of_values).encode(), "text/csv")
        return Answer.json({"code": 200, "count": len(results), "results": results})

    def _user_report(self, call: Call) -> Answer:
        """The addresses of the file, or HTTP 404 with a text where there is none."""
        day, platform = _day(call, "date"), call.query.get("platform", "")
        if platform not in {"android", "fireos", "ios"} or ("application" in call.query) == ("store_id" in call.query):
            raise RefusedError("Give platform android, fireos or ios, and either application or store_id")
        if day < call.today - REACH_BACK:
            return self.refuse_window()
        app_id = _app_of(call, platform)
        if "no_such_app" in call.faults or app_id is None:
            return Answer.text(404, f"No Mediation App Id found for platform: {platform}")
        if (call.today - day).days < 1 or not list(_user_rows(call, app_id, platform, day)):
            return Answer.text(404, "Data does not exist for specified date")
        aggregated = call.query.get("aggregated", "true") == "true"
        kind = "sums" if aggregated else "impressions"
        names = {"ad_revenue_report_url": "full", "url": "basic"} | (
            {"fb_estimated_revenue_url": "fb"} if aggregated else {}
        )
        if "only_basic_file" in call.faults:
            names = {"url": "basic"}
        reply: dict[str, object] = {"status": 200}
        for name, extent in names.items():
            path = f"/files/{day}/{platform}/{app_id}/{kind}-{extent}.csv"
            reply[name] = files.signed_address(call, self.prefix, path)
        return Answer(200, json.dumps(reply).replace("/", "\\/").encode(), "application/json")


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


def _app_of(call: Call, platform: str) -> str | None:
    """Our id of the app asked for; None where AppLovin knows no such app on the platform."""
    application, store_id = call.query.get("application"), call.query.get("store_id")
    for app_id, package in PACKAGES.items():
        known_as = STORE_IDS[app_id] if platform == "ios" else package
        if package == application or (store_id is not None and known_as == store_id):
            return app_id
    return None


def _user_rows(call: Call, app_id: str, platform: str, day: date) -> Iterator[ReportRow]:
    for row in call.reported("applovin_max", day, by_user=True):
        if (row.app_id, row.platform) == (app_id, platform):
            yield row


def _file(call: Call) -> Answer:
    """A file whose address was given before."""
    _, _, day, platform, app_id, name = call.path.split("/")
    rows = list(_user_rows(call, app_id, platform, date.fromisoformat(day)))
    columns: Sequence[str]
    if name.startswith("sums"):
        columns, lines = SUMS, _sums(rows)
    else:
        columns, lines = IMPRESSIONS, _impressions(rows, day)
        if "basic" in name:
            columns = tuple(column for column in IMPRESSIONS if column != "Network")
            lines = [[*line[:-2], line[-1]] for line in lines]
    if "unknown_revenue" in call.faults and lines:
        lines[0][columns.index("Revenue")] = "-1"
    if "repeated_rows" in call.faults:
        lines *= 2
    if "headings_drift" in call.faults:
        columns = tuple(column.upper() for column in columns)
    text = files.csv_text(columns, lines)
    if "cut_file" in call.faults:
        text = text[: len(text) // 2].rpartition(",")[0]
    return Answer(200, text.encode(), "text/csv")


def _sums(rows: Sequence[ReportRow]) -> list[list[object]]:
    totals: dict[tuple[str | None, str | None], tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for row in rows:
        impressions, revenue = totals[row.ad_unit_id, row.user_id]
        totals[row.ad_unit_id, row.user_id] = (impressions + row.impressions, revenue + row.revenue)
    return [
        [unit, "", "", *_user(user_id), impressions, f"{revenue:f}"]
        for (unit, user_id), (impressions, revenue) in totals.items()
    ]


def _impressions(rows: Sequence[ReportRow], day: str) -> list[list[object]]:
    """One line for each impression; those of one user may be equal in all their columns."""
    lines: list[list[object]] = []
    for row in rows:
        micros = int(row.revenue.scaleb(6))
        for nth in range(row.impressions):
            paid = Decimal(micros // row.impressions + (nth < micros % row.impressions)).scaleb(-6)
            unit = [row.ad_unit_id, (row.ad_unit_id or "").title(), "Default", (row.ad_format or "").upper(), ""]
            where = [(row.country or "").lower(), "phone", ""]
            lines.append([f"{day} 12:00:00.00", *unit, *where, *_user(row.user_id), f"{paid:f}", "", "APPLOVIN", ""])
    return lines


def _user(user_id: str | None) -> list[str]:
    """IDFV and user id: of a device whose SDK was never told the user only the first is known."""
    if user_id is None:
        return ["", ""]
    return [user_id, ""] if user_id.startswith("device-") else [f"device-{user_id}", user_id]


COUNTERPART: Counterpart = AppLovinMax()
