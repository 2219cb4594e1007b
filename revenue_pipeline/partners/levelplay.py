"""Unity LevelPlay (ironSource): the reporting API, or the files of its users.

User-level files, of the devices of an app or of its single impressions:
https://docs.unity.com/en-us/grow/levelplay/platform/api/impression-level-revenue-server-side. A day's files come on the
next one after 10:00 UTC, are written again on the one after that, and are kept for 14 days, the day itself included.
There may be several, and neither the day nor the app is in them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from threading import Lock
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from revenue_pipeline.partners.base import (
    Account,
    Connector,
    ConnectorOptions,
    Granularity,
    IncompleteError,
    RateLimit,
    RevenueRow,
    amount,
    count,
    text,
)
from revenue_pipeline.partners.csv_files import CsvFile, read_csv
from revenue_pipeline.partners.http import Answer, PartnerHttp

_BREAKDOWNS = {"app_id": "app", "platform": "platform", "country": "country", "ad_format": "adFormat"}
_KEYS = {  # of a row, where one of these holds a breakdown; the vendor does not say which
    "app": ("appKey", "app"),
    "platform": ("platform",),
    "country": ("country", "countryCode"),
    "adFormat": ("adFormat",),
    "mediationAdUnit": ("mediationAdUnitId", "mediationAdUnit"),
    "placement": ("placement",),
    "instance": ("instanceId", "instance"),
}
_COLUMNS = {  # of a file, likewise
    "country": ("country", "country_code"),
    "ad_format": ("ad_unit", "ad_format"),
    "mediationAdUnit": ("mediation_ad_unit_id", "mediation_ad_unit"),
    "placement": ("placement",),
    "instance": ("instance_id", "instance_name", "instance"),
}
_METRICS = ("revenue", "impressions", "clicks")
_ROWS = "data"  # the one key that rows are known to come under
_FILES = {"user": "partners/userAdRevenue/v3", "impression": "partners/adRevenueMeasurements/v4"}

_Row = Mapping[str, Any]


class App(BaseModel):
    """An app as LevelPlay knows it, which is an app on one platform."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    app_key: str = Field(min_length=1)
    platform: str | None = None


class LevelPlayOptions(ConnectorOptions):
    """What our ad unit is at LevelPlay, and of user-level revenue, which is asked for app by app."""

    ad_unit: Literal["mediationAdUnit", "placement", "instance"] = Field(
        "mediationAdUnit", description="What `ad_unit_id` is at LevelPlay."
    )
    apps: Sequence[App] = Field(
        [],
        validate_default=True,
        description="For user-level revenue: the apps, each an `app_key`, and a `platform` where that is in the grain.",
    )
    files: Literal["user", "impression"] = Field(
        "user", description="For user-level revenue: the files to read, of sums for each device or of impressions."
    )
    user: Literal["user_id", "advertising_id"] = Field(
        "user_id", description="For user-level revenue: the column whose values are our user ids."
    )

    @field_validator("apps")
    @classmethod
    def _needed_per_user(cls, apps: Sequence[App], info: ValidationInfo) -> Sequence[App]:
        account = info.context
        if not isinstance(account, Account) or account.granularity != "user_level":
            return apps
        if not apps:
            raise ValueError("missing: user-level revenue is asked for app by app, so name them by their app_key")
        if len({app.app_key for app in apps}) < len(apps):
            raise ValueError("the same app is named twice, and its revenue would count twice")
        if "platform" in account.grain and not all(app.platform for app in apps):
            raise ValueError("the grain has platform, which no file tells: give each app its platform")
        return apps


class LevelPlay(Connector):
    """Days are UTC, amounts USD: estimates from the prices of each network, country and instance."""

    name = "levelplay"
    documentation = "https://docs.unity.com/en-us/grow/levelplay/platform/api/reporting"
    base_url = "https://platform.ironsrc.com"
    credentials = ("secret_key", "refresh_token")
    granularities: ClassVar[tuple[Granularity, ...]] = ("aggregated", "user_level")
    grain = (*_BREAKDOWNS, "ad_unit_id")
    Options = LevelPlayOptions
    options: LevelPlayOptions
    user_level_reach_back_days = 13  # kept 14 days, the day itself the first: 1 January's until the 14th
    concurrent_days = 3
    rate_limit = RateLimit(8000, 3600)
    page_size: ClassVar[int] = 5_000  # rows asked for; the server may send fewer

    def __init__(self, account: Account) -> None:
        """As every connector."""
        super().__init__(account)
        self._token = ""  # the latest, which the days of one import share
        self._one_at_a_time = Lock()

    def fetch_day(self, day: date, http: PartnerHttp) -> list[RevenueRow]:
        """The report of the day, or the files of all apps."""
        session = _Session(self, day, http)
        if self.account.granularity == "user_level":
            return [row for app in self.options.apps for row in self._user_rows(app, session)]
        rows = self.whole_report(day, lambda: self._pages(session))
        return [self._revenue_row(row, day) for row in rows]

    def token(self, day: date, http: PartnerHttp, refused: str = "") -> str:
        """The token that days share, another one than `refused`. Nobody says whether a new one ends those before it."""
        with self._one_at_a_time:
            if self._token == refused:
                self._token = self._granted(day, http)
        http.hide(self._token)
        return self._token

    def _granted(self, day: date, http: PartnerHttp) -> str:
        secrets = self.account.credentials
        answer = http.get(
            "partners/publisher/auth",
            headers={"secretkey": secrets["secret_key"], "refreshToken": secrets["refresh_token"]},
            true_status=lambda answer: 401 if answer.status == 400 else answer.status,
            private=True,
        )
        token = answer.text().strip()
        if token.startswith('"'):  # it comes in quotes, as JSON
            token = answer.json()
        if not re.fullmatch(r"[\w.~+/=-]+", token):
            raise self.shape_error(day, "something else than a token from partners/publisher/auth")
        return token

    # Aggregated ------------------------------------------------------------------------------------------------------

    def _pages(self, session: _Session) -> list[_Row]:
        """The rows of all pages: as many as the report says there are, else all up to an empty page."""
        rows: list[_Row] = []
        seen: set[tuple[str, ...]] = set()
        total: int | None = None
        number = 0
        while total is None or len(rows) < total:
            number += 1
            page, said = self._page(session, number)
            if number > 1 and said != total:
                raise IncompleteError(f"`totalResults` was {total}, and then {said}")
            total = said
            if total is None and number == 2 and page == rows and len(page) < self.page_size:
                return rows  # a report without pages, which has just been sent again
            if not page:
                break
            seen |= {tuple(repr(row[self._key(row, name, session.day)]) for name in self._breakdowns) for row in page}
            rows += page
            if len(seen) < len(rows):
                raise IncompleteError("the same row came twice")
        if total not in (None, len(rows)):
            raise IncompleteError(f"{len(rows)} rows came where `totalResults` speaks of {total}")
        return rows

    def _page(self, session: _Session, number: int) -> tuple[list[_Row], int | None]:
        """The rows of one page, and how many the report has in all; None where it does not say."""
        day = session.day.isoformat()
        params = {
            "startDate": day,
            "endDate": day,
            "metrics": ",".join(_METRICS),
            "breakdowns": ",".join(("date", *self._breakdowns)),
            "page": number,
            "resultsPerPage": self.page_size,
        }
        answer = session.get("levelPlay/reporting/v1", params)
        if answer.status == 204:
            return [], None
        reply = answer.json()
        rows = reply.get(_ROWS, ()) if isinstance(reply, dict) else reply
        try:
            total = count(reply.get("totalResults")) if isinstance(reply, dict) else None
        except ValueError as error:
            raise self.shape_error(session.day, f"{error} in `totalResults`") from None
        if rows is None and total == 0:
            rows = []
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self.shape_error(session.day, f"neither a list of rows nor one under `{_ROWS}` in {answer.excerpt!r}")
        return rows, total

    @property
    def _breakdowns(self) -> tuple[str, ...]:
        names = {**_BREAKDOWNS, "ad_unit_id": self.options.ad_unit}
        return tuple(names[column] for column in self.account.grain)

    def _key(self, row: _Row, breakdown: str, day: date) -> str:
        """Where the row has the value of a breakdown."""
        for name in _KEYS[breakdown]:
            if name in row:
                return name
        raise self.shape_error(day, f"a row without `{breakdown}`: {row}")

    def _revenue_row(self, row: _Row, day: date) -> RevenueRow:
        for name in ("date", "revenue", "impressions"):
            if name not in row:
                raise self.shape_error(day, f"a row without `{name}`: {row}")
        if str(row["date"])[:10] != day.isoformat():
            raise self.shape_error(day, f"a row of day {row['date']!r}")
        values = zip(self.account.grain, self._breakdowns, strict=True)
        try:
            dimensions: dict[str, Any] = {column: text(row[self._key(row, name, day)]) for column, name in values}
            return RevenueRow(
                report_date=day,
                impressions=count(row["impressions"]),
                clicks=count(row.get("clicks")),
                revenue=amount(row["revenue"]),
                currency=self.account.currency,
                **dimensions,
            )
        except ValueError as error:
            raise self.shape_error(day, f"{error} in the row {row}") from None

    # User-level ------------------------------------------------------------------------------------------------------

    def _user_rows(self, app: App, session: _Session) -> list[RevenueRow]:
        """The rows of all files of one app."""
        params = {"appKey": app.app_key, "date": session.day.isoformat()}
        params |= {"reportType": "1"} if self.options.files == "user" else {}
        answer = session.get(_FILES[self.options.files], params)
        urls = [] if answer.status == 204 else self._urls(answer, session.day)
        rows: list[RevenueRow] = []
        for number, url in enumerate(urls, 1):
            file = session.http.download(url).text()
            try:
                rows += self._rows_of_file(read_csv(file), app, session.day)
            except ValueError as error:
                which = f"file {number} of {len(urls)} of the app {app.app_key}"
                raise self.shape_error(session.day, f"{error} in {which}") from None
        return rows

    def _urls(self, answer: Answer, day: date) -> list[str]:
        reply = answer.json()
        urls = reply.get("urls") if isinstance(reply, dict) else None
        if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
            raise self.shape_error(day, f"no list of `urls` in {answer.excerpt!r}")
        if len(set(urls)) < len(urls):
            raise self.shape_error(day, "the same file twice among the `urls`")
        return urls

    def _rows_of_file(self, file: CsvFile, app: App, day: date) -> list[RevenueRow]:
        """ValueError for a file without a column that is needed."""
        told = {"app_id": app.app_key, "platform": app.platform}
        asked_for: dict[str, Any] = {column: told[column] for column in self.account.grain if column in told}
        columns = {
            column: file.column(*_COLUMNS[self.options.ad_unit if column == "ad_unit_id" else column])
            for column in self.account.grain
            if column not in told
        }
        columns["user_id"] = file.column(self.options.user)
        revenue = file.column("revenue")
        has_sums = self.options.files == "user" or "impressions" in file.columns
        impressions = file.column("impressions") if has_sums else None
        return [
            RevenueRow(
                report_date=day,
                impressions=1 if impressions is None else count(row[impressions]),
                revenue=amount(row[revenue]),
                currency=self.account.currency,
                **(asked_for | {column: row[name] for column, name in columns.items()}),
            )
            for row in file.rows
        ]


class _Session:
    """A day's conversation: with the token that days share, and with another one where that is refused.

    How long tokens live, an hour or a day, is told in both ways.
    """

    def __init__(self, connector: LevelPlay, day: date, http: PartnerHttp) -> None:
        self.day, self.http, self._connector = day, http, connector
        self._token = connector.token(day, http)

    def get(self, path: str, params: Mapping[str, Any]) -> Answer:
        """An answer with a body, or one without, which is HTTP 204."""
        answer = self._ask(path, params)
        if answer.status == 401:
            self._token = self._connector.token(self.day, self.http, refused=self._token)
            answer = self._ask(path, params)
        if answer.status == 401:
            raise self.http.refusal(answer)
        return answer

    def _ask(self, path: str, params: Mapping[str, Any]) -> Answer:
        headers = {"Authorization": f"Bearer {self._token}"}
        return self.http.get(path, params=params, headers=headers, expect=(200, 204, 401))
