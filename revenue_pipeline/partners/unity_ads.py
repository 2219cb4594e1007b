"""Unity Ads: the monetization statistics of an organization, by the day.

The API answers with the address of the statistics on another host, which gets no key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar, Literal

from pydantic import Field

from revenue_pipeline.partners.base import (
    Connector,
    ConnectorOptions,
    Granularity,
    PartnerError,
    RevenueRow,
    amount,
    count,
    text,
)
from revenue_pipeline.partners.csv_files import read_csv
from revenue_pipeline.partners.http import Answer, PartnerHttp

_GROUPS = {"app_id": "game", "platform": "platform", "country": "country", "ad_unit_id": "placement"}
_COLUMNS = {"app_id": "source_game_id", "platform": "platform", "country": "country", "ad_unit_id": "placement"}
_FIELDS = ("start_count", "revenue_sum")  # an impression is an ad that started
_MEDIA_TYPES = {"csv": "text/csv", "json": "application/json"}
_ABOUT_THE_KEY = re.compile(r"token|\bapi ?key|\bauth|permission", re.IGNORECASE)


class UnityAdsOptions(ConnectorOptions):
    """Which organization is asked, and in which form."""

    organization_id: str = Field(
        pattern=r"^[0-9]+$", description="The organization's core id; it changes when a project moves to another one."
    )
    format: Literal["csv", "json"] = Field("csv", description="The form of the answer.")


class UnityAds(Connector):
    """Days are UTC, amounts USD."""

    name = "unity_ads"
    documentation = "https://docs.unity.com/en-us/grow/ads/optimization/monetization-stats-api"
    base_url = "https://monetization.api.unity.com"
    credentials = ("api_key",)
    granularities: ClassVar[tuple[Granularity, ...]] = ("aggregated",)
    grain = tuple(_GROUPS)
    Options = UnityAdsOptions
    options: UnityAdsOptions
    concurrent_days = 3

    def fetch_day(self, day: date, http: PartnerHttp) -> list[RevenueRow]:
        """The statistics of the day, all in one answer."""
        answer = http.get(
            f"stats/v1/operate/organizations/{self.options.organization_id}",
            params={
                "fields": ",".join(_FIELDS),
                **(
                    {"groupBy": ",".join(_GROUPS[column] for column in self.account.grain)}
                    if self.account.grain
                    else {}
                ),
                "scale": "day",
                "start": f"{day}T00:00:00.000Z",
                "end": f"{day}T23:59:59.999Z",  # so that the next day is outside, whether the end is included or not
            },
            headers={
                "Authorization": f"Token {self.account.credentials['api_key']}",
                "Accept": _MEDIA_TYPES[self.options.format],
            },
            expect=(200,),
            true_status=_true_status,
        )
        return [self._revenue_row(row, day) for row in self._rows(answer, day)]

    def _rows(self, answer: Answer, day: date) -> Sequence[Mapping[str, Any]]:
        """The rows with all their columns."""
        rows: Sequence[Mapping[str, Any]]
        needed = ("timestamp", *_FIELDS, *(_COLUMNS[column] for column in self.account.grain))
        if self.options.format == "json":
            rows = answer.json()
            if not isinstance(rows, list):
                raise self.shape_error(day, f"no list in {answer.excerpt!r}")
            lacking = [name for row in rows for name in needed if not isinstance(row, dict) or name not in row]
        else:
            try:
                file = read_csv(answer.text())
            except ValueError as error:
                raise self.shape_error(day, str(error)) from None
            rows, lacking = file.rows, [name for name in needed if name not in file.columns]
        if lacking:
            raise self.shape_error(day, f"no `{lacking[0]}` in {answer.excerpt!r}")
        return rows

    def _revenue_row(self, row: Mapping[str, Any], day: date) -> RevenueRow:
        if not str(row["timestamp"]).startswith(day.isoformat()):
            raise self.shape_error(day, f"a row of {row['timestamp']!r}")
        try:
            dimensions: dict[str, Any] = {column: text(row[_COLUMNS[column]]) for column in self.account.grain}
            return RevenueRow(
                report_date=day,
                impressions=count(row["start_count"]),
                revenue=amount(row["revenue_sum"]),
                currency=self.account.currency,
                **dimensions,
            )
        except ValueError as error:
            raise self.shape_error(day, f"{error} in the row {dict(row)}") from None


def _true_status(answer: Answer) -> int:
    """What an error in the body amounts to: HTTP 400 is also how a key is refused, and 200 alone proves nothing."""
    if not answer.body.lstrip().startswith(b"{"):
        return answer.status
    try:
        errors = answer.json().get("errors")
    except PartnerError:
        return answer.status
    if errors is None or answer.status not in (200, 400):
        return answer.status
    return 401 if _ABOUT_THE_KEY.search(str(errors)) else 400
