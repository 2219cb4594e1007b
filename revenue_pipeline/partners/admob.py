"""Google AdMob: the network report, or the mediation report with what all its ad sources earned.

A report comes as one stream: a header, the rows, a footer. There are no pages, so a report that is as long as a report
may be is asked for again in parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Literal

from pydantic import Field

from revenue_pipeline.partners import google_oauth, google_stream
from revenue_pipeline.partners.base import (
    Account,
    Connector,
    ConnectorOptions,
    Granularity,
    IncompleteError,
    PartnerError,
    RateLimit,
    RevenueRow,
    amount,
    count,
    text,
)
from revenue_pipeline.partners.http import PartnerHttp

_DIMENSIONS = {  # ours -> AdMob's
    "app_id": "APP",
    "platform": "PLATFORM",
    "country": "COUNTRY",
    "ad_format": "FORMAT",
    "ad_unit_id": "AD_UNIT",
}
_METRICS = {"ESTIMATED_EARNINGS": "microsValue", "IMPRESSIONS": "integerValue", "CLICKS": "integerValue"}
_SPLIT_BY = ("APP", "COUNTRY")  # what a report that is too long is divided by, one after the other
_PACIFIC = "America/Los_Angeles"  # the one zone that can be asked for whatever the account's is
_MOST_DIGITS = 30  # of a metric in its smallest unit; an `int64` has 19
_PARTS = ("header", "row", "footer")  # of the stream, each an object with one of these, whatever else is in it

_Object = Mapping[str, Any]


class AdMobOptions(ConnectorOptions):
    """Which account is asked, and for what."""

    publisher_id: str = Field(pattern=r"^pub-[0-9]+$", description="The AdMob account, such as pub-9876543210987654.")
    report: Literal["network", "mediation"] = Field(
        "network",
        description="`network`: what AdMob's own demand earned; `mediation`: what all ad sources of its mediation did, "
        "those included that other partners here may report as well.",
    )
    token_url: str = Field(google_oauth.TOKEN_URL, description="Where access tokens come from.")


@dataclass(frozen=True)
class _Report:
    """The rows of a report as they came, and the currency of all of them."""

    currency: str
    rows: Sequence[_Object]

    def total(self, metric: str) -> int:
        """The sum of a metric, in its smallest unit."""
        return sum(_metric(row, metric) or 0 for row in self.rows)


class AdMob(Connector):
    """Days are the account's, or Pacific ones, which every account can be asked for; the currency is the account's.

    Amounts are estimates until the month is over. What is then taken off for invalid traffic is never told by day.
    """

    name = "admob"
    documentation = "https://developers.google.com/admob/api"
    base_url = "https://admob.googleapis.com"
    credentials = google_oauth.CREDENTIALS
    granularities: ClassVar[tuple[Granularity, ...]] = ("aggregated",)
    grain = tuple(_DIMENSIONS)
    Options = AdMobOptions
    options: AdMobOptions
    timezone = _PACIFIC
    concurrent_days = 4
    rate_limit = RateLimit(900, 60)  # of reports, for a project
    row_limit: ClassVar[int] = 100_000  # no report has more

    def __init__(self, account: Account) -> None:
        """As every connector."""
        super().__init__(account)
        self._authorization = google_oauth.Authorization(account, self.options.token_url)

    def fetch_day(self, day: date, http: PartnerHttp) -> list[RevenueRow]:
        """The report of the day, in parts if it would be too long."""
        asked = _Asked(self, day, http, self._authorization.header(http))
        return self.whole_report(day, lambda: self._rows(asked, {}, _SPLIT_BY))

    def _rows(self, asked: _Asked, filters: Mapping[str, str], split_by: Sequence[str]) -> list[RevenueRow]:
        """The rows that pass the filters (dimension -> its value)."""
        dimensions = [_DIMENSIONS[column] for column in self.account.grain]
        report = asked.report(dimensions, filters)
        if len(report.rows) < self.row_limit:
            return [self._revenue_row(row, report.currency, asked.day) for row in report.rows]
        if not split_by:
            raise self._too_long(asked, filters)
        return self._in_parts(asked, filters, split_by[0], split_by[1:])

    def _too_long(self, asked: _Asked, filters: Mapping[str, str]) -> PartnerError:
        part = " and ".join(f"{name} {value!r}" for name, value in filters.items())
        return PartnerError(
            f"{asked.http.subject}: the report is longer than AdMob gives, {self.row_limit} rows, even for {part}.",
            "Take a column out of this partner's grain.",
        )

    def _in_parts(
        self, asked: _Asked, filters: Mapping[str, str], dimension: str, split_by: Sequence[str]
    ) -> list[RevenueRow]:
        """The same rows, asked for by the values of a dimension; IncompleteError when they are not as much together."""
        whole = asked.report([dimension], filters)
        if len(whole.rows) >= self.row_limit:
            raise self._too_long(asked, {**filters, dimension: "of any kind"})
        rows: list[RevenueRow] = []
        for row in whole.rows:
            rows += self._rows(asked, {**filters, dimension: _label(row, dimension) or ""}, split_by)
        micros = sum(int(row.revenue.scaleb(6)) for row in rows)
        impressions = sum(row.impressions or 0 for row in rows)
        if (micros, impressions) != (whole.total("ESTIMATED_EARNINGS"), whole.total("IMPRESSIONS")):
            raise IncompleteError(f"the parts by {dimension} do not add up to the whole")
        return rows

    def _revenue_row(self, row: _Object, currency: str, day: date) -> RevenueRow:
        try:
            dimensions: dict[str, Any] = {column: _label(row, _DIMENSIONS[column]) for column in self.account.grain}
            return RevenueRow(
                report_date=day,
                impressions=_metric(row, "IMPRESSIONS"),
                clicks=_metric(row, "CLICKS"),
                revenue=Decimal(_metric(row, "ESTIMATED_EARNINGS") or 0).scaleb(-6),
                currency=currency,
                **dimensions,
            )
        except ValueError as error:
            raise self.shape_error(day, f"{error} in the row {row}") from None


@dataclass(frozen=True)
class _Asked:
    """One day of one account, and how to ask for it."""

    connector: AdMob
    day: date
    http: PartnerHttp
    headers: Mapping[str, str]

    def report(self, dimensions: Sequence[str], filters: Mapping[str, str]) -> _Report:
        """A report of the day by these dimensions, of the rows that pass the filters."""
        options = self.connector.options
        edge = {"year": self.day.year, "month": self.day.month, "day": self.day.day}
        matching = [{"dimension": name, "matchesAny": {"values": [value]}} for name, value in filters.items()]
        spec = {
            "dateRange": {"startDate": edge, "endDate": edge},
            "dimensions": ["DATE", *dimensions],
            "metrics": list(_METRICS),
            **({"dimensionFilters": matching} if matching else {}),
            "maxReportRows": self.connector.row_limit,
            **({"timeZone": _PACIFIC} if self.connector.account.timezone == _PACIFIC else {}),
        }
        path = f"v1/accounts/{options.publisher_id}/{options.report}Report:generate"
        answer = self.http.post(
            path, json={"reportSpec": spec}, headers=self.headers, true_status=google_stream.true_status
        )
        stream = answer.json()
        parts = stream if isinstance(stream, list) else [stream]
        kinds = [[kind for kind in _PARTS if isinstance(part, dict) and kind in part] for part in parts]
        if kinds[:1] != [["header"]] or not all(len(kind) == 1 for kind in kinds):
            raise self._shape_error(f"no header, rows and footer in {answer.excerpt!r}")
        if kinds[-1] != ["footer"]:
            raise IncompleteError("the stream ended without a footer")
        if any(kind != ["row"] for kind in kinds[1:-1]):
            raise self._shape_error(f"something else than rows in {answer.excerpt!r}")
        header, *rows, footer = parts
        report = _Report(self._currency(header["header"]), [self._row(row["row"], dimensions) for row in rows])
        if len({tuple(_label(row, name) for name in dimensions) for row in report.rows}) < len(report.rows):
            raise IncompleteError("the same row came twice")
        self._tell_warnings(footer["footer"], len(report.rows))
        self._tell_missing_earnings(report, is_whole=not filters)
        return report

    def _currency(self, header: Any) -> str:
        """What the amounts are in, in a report that is of the day and of its zone."""
        try:
            self._refuse_other_days(header)
            told = (header.get("localizationSettings") or {}).get("currencyCode")
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise self._shape_error(f"the header {header!r} ({type(error).__name__}: {error})") from None
        if not told:  # the header repeats the settings that were asked for, and none were
            account = self.connector.account
            self.http.warn(
                f"AdMob does not say what its amounts are in: taken as {account.currency}. "
                f"Set partners.{account.name}.currency if the account has another one."
            )
        return str(told or self.connector.account.currency)

    def _refuse_other_days(self, header: _Object) -> None:
        for edge in header["dateRange"].values():
            if date(int(edge["year"]), int(edge["month"]), int(edge["day"])) != self.day:
                raise ValueError(f"it is of {edge}")
        if zone := header.get("reportingTimeZone"):
            self.connector.refuse_other_days(self.day, zone)

    def _tell_warnings(self, footer: Any, rows: int) -> None:
        try:
            warnings = footer.get("warnings") or []
            told = [f"AdMob says {each.get('type') or 'OTHER'}: {each.get('description') or ''}" for each in warnings]
            matching = count(footer.get("matchingRowCount")) or 0
        except (KeyError, TypeError, AttributeError, ValueError):
            raise self._shape_error(f"the footer {footer!r}") from None
        if rows < min(matching, self.connector.row_limit):  # no error: AdMob warns that the two may differ
            told.append(f"AdMob sent {rows} rows where its footer speaks of {matching}.")
        for warning in told:
            self.http.warn(warning)

    def _tell_missing_earnings(self, report: _Report, is_whole: bool) -> None:
        """Metrics without a value are left out of a row; where all earnings of a day are, something else is wrong."""
        missing = [row for row in report.rows if _metric(row, "ESTIMATED_EARNINGS") is None]
        if is_whole and len(missing) == len(report.rows) and report.total("IMPRESSIONS"):
            raise self._shape_error("impressions, and no ESTIMATED_EARNINGS in any row")
        if missing:
            self.http.warn(f"{len(missing)} rows came without ESTIMATED_EARNINGS, which count as 0.")

    def _row(self, row: Any, dimensions: Sequence[str]) -> _Object:
        """The row, with every dimension asked for, and of the day."""
        checked: _Object = row if isinstance(row, dict) else {}
        labels = checked.get("dimensionValues")
        # What has no value is left out, all metrics included; under another name they would count as nothing.
        if not isinstance(labels, dict) or ("metricValues" not in checked and len(checked) > 1):
            raise self._shape_error(f"the row {row!r}")
        for dimension in ("DATE", *dimensions):
            if not isinstance(labels.get(dimension), dict):
                raise self._shape_error(f"no {dimension} in the row {row!r}")
        if labels["DATE"].get("value") != f"{self.day:%Y%m%d}":
            raise self._shape_error(f"a row of another day: {row!r}")
        try:
            for metric in _METRICS:
                _metric(checked, metric)
        except ValueError as error:
            raise self._shape_error(f"{error} in the row {row!r}") from None
        return checked

    def _shape_error(self, what: str) -> PartnerError:
        return self.connector.shape_error(self.day, what)


def _label(row: _Object, dimension: str) -> str | None:
    return text(row["dimensionValues"][dimension].get("value"))


def _metric(row: _Object, name: str) -> int | None:
    """A metric in its smallest unit, which is text or a number; None where the row has no value for it."""
    values = row.get("metricValues", {})
    value = values.get(name) if isinstance(values, dict) else values
    if value is None:
        return None
    if not isinstance(value, dict) or value.keys() != {_METRICS[name]}:
        raise ValueError(f"{name} is {value!r}")
    number = amount(value[_METRICS[name]])
    if number.adjusted() > _MOST_DIGITS or number != number.to_integral_value():
        raise ValueError(f"{name} is {number}")
    return int(number)
