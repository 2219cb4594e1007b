"""AppLovin MAX: the revenue reporting API, one row per day and combination of columns, or the files of its users.

User-level files: https://support.axon.ai/en/max/reporting-apis/user-level-ad-revenue-api. There is one a day, app and
platform, a file of sums for each user, or of single impressions, where alone country and format are told. Impressions
have no id, so equal rows are as many impressions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from revenue_pipeline.partners.applovin_report import (
    REFUSALS_TO_LOOK_AT,
    AppLovinReport,
    or_beyond_reach_back,
    true_status,
)
from revenue_pipeline.partners.base import (
    Account,
    Connector,
    ConnectorOptions,
    Granularity,
    RevenueRow,
    amount,
    count,
    text,
)
from revenue_pipeline.partners.csv_files import CsvFile, read_csv
from revenue_pipeline.partners.http import PartnerHttp

_COLUMNS = {  # ours -> AppLovin's
    "app_id": "package_name",
    "platform": "platform",
    "country": "country",
    "ad_format": "ad_format",
    "ad_unit_id": "max_ad_unit_id",
}
_METRICS = ("impressions", "estimated_revenue")
_ONLY_OF_IMPRESSIONS = frozenset({"country", "ad_format"})
_NO_APP = re.compile(r"no mediation app", re.IGNORECASE)
_NO_DATA = re.compile(r"\bno data\b|\bdata does not exist\b", re.IGNORECASE)
_UNKNOWN_IS_ZERO_FROM = date(2022, 1, 11)  # before, an impression whose revenue Meta would not tell had -1

_Row = Mapping[str, Any]


class App(BaseModel):
    """An app on a platform, as MAX knows it: one of `application` and `store_id`, which then is its app id in rows."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    platform: Literal["android", "fireos", "ios"]
    application: str | None = Field(None, min_length=1)  # package name, or bundle id
    store_id: str | None = Field(None, min_length=1)  # the numeric id on iOS

    @model_validator(mode="after")
    def _named_once(self) -> App:
        if (self.application is None) == (self.store_id is None):
            raise ValueError("give either application or store_id")
        return self

    @property
    def app_id(self) -> str:
        """The id it was named by."""
        return self.application or self.store_id or ""


class AppLovinMaxOptions(ConnectorOptions):
    """Of user-level revenue, which is asked for app by app."""

    apps: Sequence[App] = Field(
        [],
        validate_default=True,
        description="For user-level revenue: the apps, each a `platform` (android, fireos or ios) and either its "
        "`application` (package name or bundle id) or its `store_id`.",
    )
    user: Literal["user_id", "idfv", "idfa"] = Field(
        "user_id", description="For user-level revenue: the column whose values are our user ids."
    )

    @field_validator("apps")
    @classmethod
    def _needed_per_user(cls, apps: Sequence[App], info: ValidationInfo) -> Sequence[App]:
        if not apps and isinstance(info.context, Account) and info.context.granularity == "user_level":
            raise ValueError("missing: user-level revenue is asked for app by app, so name them with their platforms")
        if len({(app.platform, app.app_id) for app in apps}) < len(apps):
            raise ValueError("the same app is named twice, and its revenue would count twice")
        return apps


class AppLovinMax(Connector):
    """Days are UTC, amounts USD. The report may move while it is read, so pages are checked against each other."""

    name = "applovin_max"
    documentation = "https://support.axon.ai/en/max/reporting-apis/revenue-reporting-api"
    base_url = "https://r.applovin.com"
    credentials = ("api_key",)
    granularities: ClassVar[tuple[Granularity, ...]] = ("aggregated", "user_level")
    grain = tuple(_COLUMNS)
    Options = AppLovinMaxOptions
    options: AppLovinMaxOptions
    reach_back_days = 45
    concurrent_days = 3  # the vendor publishes no limit: the trailing window at once, and no more

    def fetch_day(self, day: date, http: PartnerHttp) -> list[RevenueRow]:
        """The report of the day, or the files of all apps."""
        if self.account.granularity == "user_level":
            return [row for app in self.options.apps for row in self._user_rows(app, day, http)]
        return self._aggregated_rows(day, http)

    # Aggregated ------------------------------------------------------------------------------------------------------

    def _aggregated_rows(self, day: date, http: PartnerHttp) -> list[RevenueRow]:
        dimensions = ["day", *(_COLUMNS[column] for column in self.account.grain)]
        report = AppLovinReport(self, day, http, "maxReport", dimensions, _METRICS, params={})
        return [self._revenue_row(row, day) for row in self.whole_report(day, report.rows)]

    def _revenue_row(self, row: _Row, day: date) -> RevenueRow:
        try:
            dimensions: dict[str, Any] = {column: text(row[_COLUMNS[column]]) for column in self.account.grain}
            return RevenueRow(
                report_date=day,
                impressions=count(row["impressions"]),
                revenue=amount(row["estimated_revenue"]),
                currency=self.account.currency,
                **dimensions,
            )
        except ValueError as error:
            raise self.shape_error(day, f"{error} in the row {row}") from None

    # User-level ------------------------------------------------------------------------------------------------------

    def _user_rows(self, app: App, day: date, http: PartnerHttp) -> list[RevenueRow]:
        """The rows of one app's file; none where AppLovin says that there is none."""
        of_impressions = day < _UNKNOWN_IS_ZERO_FROM or not _ONLY_OF_IMPRESSIONS.isdisjoint(self.account.grain)
        url = self._file_url(app, day, of_impressions, http)
        if url is None:
            return []
        try:
            return self._rows_of_file(read_csv(http.download(url).text()), app, day, of_impressions, http)
        except ValueError as error:
            raise self.shape_error(day, f"{error} in the file of {app.app_id} on {app.platform}") from None

    def _file_url(self, app: App, day: date, of_impressions: bool, http: PartnerHttp) -> str | None:
        """Where the file is; None where there is none, which is told as 404 with a text that says so."""
        params = {
            "api_key": self.account.credentials["api_key"],
            "date": day.isoformat(),
            "platform": app.platform,
            **({"application": app.application} if app.application else {"store_id": app.store_id}),
            "aggregated": "false" if of_impressions else "true",
        }
        expected = (200, *REFUSALS_TO_LOOK_AT)
        answer = http.get("max/userAdRevenueReport", params=params, expect=expected, true_status=true_status)
        status = true_status(answer)
        if status == 404 and _NO_APP.search(answer.excerpt):
            http.warn(f"AppLovin has no app {app.app_id} on {app.platform}: check options.apps if it should have.")
            return None
        if status == 404 and _NO_DATA.search(answer.excerpt):
            return None
        if status != 200:
            raise or_beyond_reach_back(self, http.refusal(answer, status), answer, day)
        return self._url_in(answer.json(), app, day, http)

    def _url_in(self, reply: Any, app: App, day: date, http: PartnerHttp) -> str:
        urls: Mapping[str, Any] = reply if isinstance(reply, dict) else {}
        url = urls.get("ad_revenue_report_url")
        if not url and urls.get("url"):
            url = urls["url"]
            http.warn(f"The file of {app.app_id} on {app.platform} lacks what AppLovin estimates for Meta's ads.")
        if not isinstance(url, str) or not url:
            raise self.shape_error(day, f"no address of a file for {app.app_id} on {app.platform}")
        return url

    def _rows_of_file(
        self, file: CsvFile, app: App, day: date, of_impressions: bool, http: PartnerHttp
    ) -> list[RevenueRow]:
        """ValueError for a file that is not as documented."""
        told = {"app_id": app.app_id, "platform": app.platform}
        asked_for: dict[str, Any] = {column: told[column] for column in self.account.grain if column in told}
        columns = {column: file.column(column) for column in self.account.grain if column not in told}
        columns["user_id"] = file.column(self.options.user)
        revenue = file.column("revenue")
        impressions = None if of_impressions else file.column("impressions")
        if of_impressions and any(row[file.column("date")][:10] != day.isoformat() for row in file.rows):
            raise ValueError("impressions of another day")
        amounts = [amount(row[revenue]) for row in file.rows]
        unknown = day < _UNKNOWN_IS_ZERO_FROM and amounts.count(Decimal(-1))
        if unknown:
            amounts = [Decimal(0) if each == -1 else each for each in amounts]
            http.warn(f"{unknown} impressions of {app.app_id} on {app.platform} have an unknown revenue, counted as 0.")
        return [
            RevenueRow(
                report_date=day,
                impressions=1 if impressions is None else count(row[impressions]),
                revenue=paid,
                currency=self.account.currency,
                **(asked_for | {column: row[name] for column, name in columns.items()}),
            )
            for row, paid in zip(file.rows, amounts, strict=True)
        ]
