"""What AppLovin's reports have in common: rows by day and columns, in pages whose number nobody tells.

The report may move while it is read, so pages are sorted, and checked against each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from revenue_pipeline.partners.base import Connector, IncompleteError, PartnerError, count
from revenue_pipeline.partners.http import Answer, PartnerHttp

WINDOW_REFUSAL = re.compile(r"\b45[\s-]*days?\b", re.IGNORECASE)
"""How AppLovin refuses a day that it no longer reports."""

REFUSALS_TO_LOOK_AT = (400, 403, 404, 422)

_PAGE_SIZE = 10_000  # rows asked for; the server may send fewer

_Row = Mapping[str, Any]


@dataclass(frozen=True)
class AppLovinReport:
    """One report of one day, as a connector asks for it.

    path: of the report. dimensions, metrics: its columns, `day` first. params: what else the report needs to be told.
    """

    connector: Connector
    day: date
    http: PartnerHttp
    path: str
    dimensions: Sequence[str]
    metrics: Sequence[str]
    params: Mapping[str, str]

    def rows(self) -> list[_Row]:
        """Every row. IncompleteError when the pages do not make a whole."""
        return [row for page in self._pages() for row in page]

    def _pages(self) -> list[list[_Row]]:
        """The pages up to the first empty one: a short one may not be the last."""
        pages: list[list[_Row]] = []
        counts: list[int] = []
        seen: set[tuple[Any, ...]] = set()
        while True:
            page, said = self._page(sum(map(len, pages)))
            counts.append(len(page) if said is None else said)
            if not page:
                _check_counts([len(page) for page in pages], counts)
                return pages
            if pages and page == pages[-1]:
                raise IncompleteError("the partner sent the same page twice")
            keys = {tuple(row[column] for column in self.dimensions) for row in page}
            if keys & seen or len(keys) < len(page):
                raise IncompleteError("the same row came twice")
            seen |= keys
            pages.append(page)

    def _page(self, offset: int) -> tuple[list[_Row], int | None]:
        """The rows from `offset` on, checked, and the `count` beside them."""
        params = {
            "api_key": self.connector.account.credentials["api_key"],
            **self.params,
            "start": self.day.isoformat(),
            "end": self.day.isoformat(),  # inclusive
            "columns": ",".join((*self.dimensions, *self.metrics)),
            "format": "json",
            "limit": _PAGE_SIZE,
            "offset": offset,
            **{f"sort_{column}": "ASC" for column in self.dimensions},  # else pages may overlap
        }
        answer = self.http.get(self.path, params=params, expect=(200, *REFUSALS_TO_LOOK_AT), true_status=true_status)
        try:
            report = self._report(answer)
        except PartnerError as error:
            raise or_beyond_reach_back(self.connector, error, answer, self.day) from None
        for row in report["results"]:
            self._check(row)
        return report["results"], count(report.get("count"))

    def _report(self, answer: Answer) -> dict[str, Any]:
        """The body of a successful answer: HTTP 200 alone does not make one."""
        if answer.status != 200:
            raise self.http.refusal(answer)
        report = answer.json()
        if not isinstance(report, dict) or "code" not in report:
            raise self.connector.shape_error(self.day, f"no `code` in {answer.excerpt!r}")
        code = count(report["code"])
        if code != 200:
            raise self.http.refusal(answer, code)
        if report.get("results", ()) is None and count(report.get("count")) == 0:
            return {**report, "results": []}
        if not isinstance(report.get("results"), list):
            raise self.connector.shape_error(self.day, f"no list of `results` in {answer.excerpt!r}")
        return report

    def _check(self, row: Any) -> None:
        """Refuse a row that lacks a column asked for, or is of another day."""
        for column in (*self.dimensions, *self.metrics):
            if not isinstance(row, dict) or column not in row:
                raise self.connector.shape_error(self.day, f"a row without `{column}`")
        if row["day"] != self.day.isoformat():
            raise self.connector.shape_error(self.day, f"a row of day {row['day']!r}")


def true_status(answer: Answer) -> int:
    """The HTTP status that an answer amounts to: what its `status` or `code` says, where HTTP says 200.

    What is no number there is a failure on the partner's side. A body that is not JSON is for its reader to refuse.
    """
    try:
        body = answer.json() if answer.status == 200 else None
    except PartnerError:
        return answer.status
    told = body.get("status", body.get("code")) if isinstance(body, dict) else None
    try:
        return answer.status if told is None else count(told) or 500
    except ValueError:
        return 500


def or_beyond_reach_back(connector: Connector, error: PartnerError, answer: Answer, day: date) -> PartnerError:
    """The error, or where the answer means it, that the day is one which the partner no longer reports."""
    return connector.beyond_reach_back(day) if WINDOW_REFUSAL.search(answer.excerpt) else error


def _check_counts(sizes: list[int], counts: list[int]) -> None:
    """Hold `count` against the pages of these sizes and the empty one after them.

    It may mean the rows of its page or those of the whole report. Anything else means that rows are missing.
    """
    total = sum(sizes)
    of_page = counts == [*sizes, 0]
    of_report = all(said == total for said in counts[:-1]) and counts[-1] in (0, total)
    if not (of_page or of_report):
        raise IncompleteError(f"{total} rows came where `count` speaks of {max(counts)}")
