"""AppLovin MAX, aggregated: the revenue reporting API, one row per day and combination of columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

from revenue_pipeline.partners.base import (
    Connector,
    Granularity,
    IncompleteError,
    PartnerError,
    RevenueRow,
    amount,
    count,
    text,
)
from revenue_pipeline.partners.http import Answer, PartnerHttp

_COLUMNS = {  # ours -> AppLovin's
    "app_id": "package_name",
    "platform": "platform",
    "country": "country",
    "ad_format": "ad_format",
    "ad_unit_id": "max_ad_unit_id",
}
_METRICS = ("impressions", "estimated_revenue")
_WINDOW_REFUSAL = re.compile(r"\b45[\s-]*days?\b", re.IGNORECASE)

_Row = Mapping[str, Any]


class AppLovinMax(Connector):
    """Days are UTC, amounts USD. The report may move while it is read, so pages are checked against each other."""

    name = "applovin_max"
    documentation = "https://support.axon.ai/en/max/reporting-apis/revenue-reporting-api"
    base_url = "https://r.applovin.com"
    credentials = ("api_key",)
    granularities: ClassVar[tuple[Granularity, ...]] = ("aggregated",)
    grain = tuple(_COLUMNS)
    reach_back_days = 45
    concurrent_days = 3  # the vendor publishes no limit: the trailing window at once, and no more
    page_size: ClassVar[int] = 10_000  # rows asked for; the server may send fewer

    def fetch_day(self, day: date, http: PartnerHttp) -> list[RevenueRow]:
        """All pages of the day, read again from the start when they do not fit together."""
        pages = self.whole_report(day, lambda: self._pages(day, http))
        return [self._revenue_row(row, day) for page in pages for row in page]

    def _pages(self, day: date, http: PartnerHttp) -> list[list[_Row]]:
        """The pages up to the first empty one: a short one may not be the last."""
        pages: list[list[_Row]] = []
        counts: list[int] = []
        seen: set[tuple[Any, ...]] = set()
        while True:
            page, said = self._page(day, sum(map(len, pages)), http)
            counts.append(len(page) if said is None else said)
            if not page:
                _check_counts([len(page) for page in pages], counts)
                return pages
            if pages and page == pages[-1]:
                raise IncompleteError("the partner sent the same page twice")
            keys = {tuple(row[column] for column in self._dimensions) for row in page}
            if keys & seen:
                raise IncompleteError("the same row came on two pages")
            seen |= keys
            pages.append(page)

    def _page(self, day: date, offset: int, http: PartnerHttp) -> tuple[list[_Row], int | None]:
        """The rows from `offset` on, checked, and the `count` beside them."""
        params = {
            "api_key": self.account.credentials["api_key"],
            "start": day.isoformat(),
            "end": day.isoformat(),  # inclusive
            "columns": ",".join((*self._dimensions, *_METRICS)),
            "format": "json",
            "limit": self.page_size,
            "offset": offset,
            **{f"sort_{column}": "ASC" for column in self._dimensions},  # else pages may overlap
        }
        answer = http.get("maxReport", params=params, expect=(200, 400, 403, 404, 422))
        try:
            report = self._report(answer, day, http)
        except PartnerError:
            if _WINDOW_REFUSAL.search(answer.excerpt):
                raise self.beyond_reach_back(day) from None
            raise
        for row in report["results"]:
            self._check(row, day)
        return report["results"], count(report.get("count"))

    def _report(self, answer: Answer, day: date, http: PartnerHttp) -> dict[str, Any]:
        """The body of a successful answer: HTTP 200 alone does not make one."""
        if answer.status != 200:
            raise http.refusal(answer)
        report = answer.json()
        if not isinstance(report, dict) or "code" not in report:
            raise self.shape_error(day, f"no `code` in {answer.excerpt!r}")
        code = count(report["code"])
        if code != 200:
            raise http.refusal(answer, code)
        if not isinstance(report.get("results"), list):
            raise self.shape_error(day, f"no list of `results` in {answer.excerpt!r}")
        return report

    @property
    def _dimensions(self) -> tuple[str, ...]:
        return ("day", *(_COLUMNS[column] for column in self.account.grain))

    def _check(self, row: Any, day: date) -> None:
        """Refuse a row that lacks a column asked for, or is of another day."""
        for column in (*self._dimensions, *_METRICS):
            if not isinstance(row, dict) or column not in row:
                raise self.shape_error(day, f"a row without `{column}`")
        if row["day"] != day.isoformat():
            raise self.shape_error(day, f"a row of day {row['day']!r}")

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


def _check_counts(sizes: list[int], counts: list[int]) -> None:
    """Hold `count` against the pages of these sizes and the empty one after them.

    It may mean the rows of its page or those of the whole report. Anything else means that rows are missing.
    """
    total = sum(sizes)
    of_page = counts == [*sizes, 0]
    of_report = all(said == total for said in counts[:-1]) and counts[-1] in (0, total)
    if not (of_page or of_report):
        raise IncompleteError(f"{total} rows came where `count` speaks of {max(counts)}")
