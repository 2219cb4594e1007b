"""Meta Audience Network: the reporting API, asked at once or by a query whose results are fetched when they are ready.

Every metric comes as a row of its own. Where too few people saw an ad Meta leaves its revenue out: such a day is an
error, since what is left out would read as nothing earned.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field

from revenue_pipeline.partners import graph_api
from revenue_pipeline.partners.base import (
    Connector,
    ConnectorOptions,
    Granularity,
    IncompleteError,
    PartnerError,
    RevenueRow,
    amount,
    count,
    text,
)
from revenue_pipeline.partners.http import PartnerHttp

_BREAKDOWNS = {  # ours -> Meta's
    "app_id": "app",
    "platform": "platform",
    "country": "country",
    "ad_format": "display_format",
    "ad_unit_id": "placement",
}
_REVENUE, _IMPRESSIONS, _CLICKS = "fb_ad_network_revenue", "fb_ad_network_imp", "fb_ad_network_click"
_METRICS = (_REVENUE, _IMPRESSIONS, _CLICKS)
_COMPLETE, _FAILED = "complete", ("failed", "error", "canceled", "cancelled")

_Result = Mapping[str, Any]
_Key = tuple[str | None, ...]


class MetaAudienceNetworkOptions(ConnectorOptions):
    """What is asked, and how."""

    entity_id: str = Field(pattern=r"^[0-9]+$", description="The app, property or business whose revenue it is.")
    mode: Literal["sync", "async"] = Field(
        "sync", description="`async` lets Meta compute first, which large reports need."
    )
    api_version: str = Field("v25.0", pattern=r"^v[0-9]+\.[0-9]+$", description="A version lives for about two years.")


class MetaAudienceNetwork(Connector):
    """Days are Pacific, amounts USD. A day is complete some hours after its end, and changes a little later on."""

    name = "meta_audience_network"
    documentation = "https://developers.facebook.com/documentation/audience-network/optimization/report-api/guide-v2"
    base_url = "https://graph.facebook.com"
    credentials = ("access_token",)
    granularities: ClassVar[tuple[Granularity, ...]] = ("aggregated",)
    grain = tuple(_BREAKDOWNS)
    Options = MetaAudienceNetworkOptions
    options: MetaAudienceNetworkOptions
    timezone = "America/Los_Angeles"
    concurrent_days = 3
    page_size: ClassVar[int] = 2_000  # results asked for of each metric: what Meta gives when it is not asked
    polls: ClassVar[int] = 20  # how often a query's results are asked for
    poll_seconds: ClassVar[float] = 2.0  # before the second time; doubles from there
    longest_poll_seconds: ClassVar[float] = 30.0

    def fetch_day(self, day: date, http: PartnerHttp) -> list[RevenueRow]:
        """The day's results, put together."""
        if self.options.mode == "async":
            results = self._computed(day, http)
        else:
            results = self.whole_report(day, lambda: self._pages(day, http))
        return self._rows(results, day)

    def _pages(self, day: date, http: PartnerHttp) -> list[_Result]:
        """The results of all pages of a report that is asked for at once."""
        results: list[_Result] = []
        cursor: str | None = None
        cursors: set[str] = set()
        while True:
            params = {**self._query(day), **({"after": cursor} if cursor else {})}
            reply = self._reply(
                http.get(self._path(""), params=params, expect=(200,), true_status=graph_api.true_status)
            )
            page = self._results(reply, day)
            results += page
            following = self._next_cursor(reply, day)
            if following is None:
                self._refuse_cut(page, day)
                return results
            if following in cursors:
                raise IncompleteError("the partner sent the same page twice")
            cursors.add(following)
            cursor = following

    def _computed(self, day: date, http: PartnerHttp) -> list[_Result]:
        """The results of a query that Meta computes first."""
        answer = http.post(self._path(""), params=self._query(day), expect=(200,), true_status=graph_api.true_status)
        query_id = self._reply(answer).get("query_id")
        if not isinstance(query_id, str) or not query_id:
            raise self.shape_error(day, f"no `query_id` in {answer.excerpt!r}")
        params = {"query_ids": json.dumps([query_id]), "access_token": self.account.credentials["access_token"]}
        pause, status = self.poll_seconds, ""
        for _ in range(self.polls):
            answer = http.get(self._path("_results"), params=params, expect=(200,), true_status=graph_api.true_status)
            reply = self._reply(answer)
            status = str(self._report(reply, day).get("status")).lower()
            if status == _COMPLETE:
                results = self._results(reply, day)
                self._refuse_cut(results, day)
                return results
            if status in _FAILED:
                raise PartnerError(
                    f"{self.subject(day)}: the query failed at the partner ({answer.excerpt!r}).",
                    "Run the day again later.",
                )
            time.sleep(pause)
            pause = min(2 * pause, self.longest_poll_seconds)
        raise PartnerError(
            f"{self.subject(day)}: the query was still {status} when it had been asked after {self.polls} times.",
            "Run the day again later.",
        )

    def _path(self, suffix: str) -> str:
        return f"{self.options.api_version}/{self.options.entity_id}/adnetworkanalytics{suffix}"

    def _query(self, day: date) -> dict[str, Any]:
        return {
            "access_token": self.account.credentials["access_token"],
            "since": day.isoformat(),
            "until": day.isoformat(),
            "aggregation_period": "day",
            "metrics": json.dumps(_METRICS),
            "breakdowns": json.dumps([_BREAKDOWNS[column] for column in self.account.grain]),
            "limit": self.page_size,
        }

    def _reply(self, answer: Any) -> Mapping[str, Any]:
        reply = answer.json()
        return reply if isinstance(reply, dict) else {}

    def _report(self, reply: Mapping[str, Any], day: date) -> Mapping[str, Any]:
        """The one report of a reply."""
        data = reply.get("data")
        if not isinstance(data, list) or len(data) != 1 or not isinstance(data[0], dict):
            raise self.shape_error(day, f"not one report in `data`: {data!r}"[:300])
        report: Mapping[str, Any] = data[0]
        return report

    def _results(self, reply: Mapping[str, Any], day: date) -> list[_Result]:
        """The results of a report that leaves nothing out."""
        report = self._report(reply, day)
        results, omitted = report.get("results"), report.get("omitted_results") or []
        if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
            raise self.shape_error(day, f"no list of `results` but {sorted(report)}")
        if omitted:
            raise PartnerError(
                f"{self.subject(day)}: Meta leaves out {len(omitted)} values, where too few people saw an ad.",
                "Take columns out of this partner's grain until nothing is left out; country is the first to go.",
            )
        return results

    def _next_cursor(self, reply: Mapping[str, Any], day: date) -> str | None:
        """Where the next page begins; its address itself carries the token and is not used."""
        paging = reply.get("paging")
        following = paging.get("next") if isinstance(paging, dict) else None
        if following is None:
            return None
        cursor = parse_qs(urlsplit(str(following)).query).get("after", [""])[-1]
        if not cursor:
            raise self.shape_error(day, "a next page without a cursor `after`")
        return cursor

    def _refuse_cut(self, page: Sequence[_Result], day: date) -> None:
        """PartnerError for a last page that is as long as pages may be: there may be more that nobody tells of."""
        for metric in _METRICS:
            if sum(str(result.get("metric")).lower() == metric for result in page) >= self.page_size:
                raise PartnerError(
                    f"{self.subject(day)}: the report is as long as a report may be, {self.page_size} results of "
                    f"{metric}, and says nothing of more.",
                    "Set this partner's options.mode to async, or take a column out of its grain.",
                )

    def _rows(self, results: Sequence[_Result], day: date) -> list[RevenueRow]:
        values: dict[_Key, dict[str, Any]] = defaultdict(dict)
        for result in results:
            metric = str(result.get("metric")).lower()
            if metric not in _METRICS or "value" not in result:
                raise self.shape_error(day, f"the result {result}")
            key = self._key(result, day)
            if metric in values[key]:
                raise self.shape_error(day, f"{metric} twice for {key}")
            values[key][metric] = result["value"]
        return [self._revenue_row(key, metrics, day) for key, metrics in values.items()]

    def _key(self, result: _Result, day: date) -> _Key:
        """The values of the grain, of a result that is of the day."""
        try:
            moment = datetime.strptime(str(result.get("time")), "%Y-%m-%dT%H:%M:%S%z")
            told = {each["key"]: text(each["value"]) for each in result.get("breakdowns") or []}
            key = tuple(told[_BREAKDOWNS[column]] for column in self.account.grain)
        except (KeyError, TypeError, ValueError) as error:
            raise self.shape_error(day, f"the result {result} ({type(error).__name__}: {error})") from None
        if moment.astimezone(ZoneInfo(self.account.timezone)).date() != day:
            raise self.shape_error(day, f"a result of another day: {result}")
        return key

    def _revenue_row(self, key: _Key, metrics: Mapping[str, Any], day: date) -> RevenueRow:
        if _REVENUE not in metrics:
            raise self.shape_error(day, f"no {_REVENUE} for {key}")
        dimensions: dict[str, Any] = dict(zip(self.account.grain, key, strict=True))
        try:
            return RevenueRow(
                report_date=day,
                impressions=count(metrics.get(_IMPRESSIONS)),
                clicks=count(metrics.get(_CLICKS)),
                revenue=amount(metrics[_REVENUE]),
                currency=self.account.currency,
                **dimensions,
            )
        except ValueError as error:
            raise self.shape_error(day, f"{error} for {key}") from None
