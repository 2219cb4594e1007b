"""Meta Ads: what campaigns cost, by the Insights API.

Days and currency are the account's. Insights name neither app nor platform of a campaign; the option `campaigns` may.
The address of the next page carries a token, so its cursor alone is used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import Field

from revenue_pipeline.partners import graph_api
from revenue_pipeline.partners.base import CostRow, IncompleteError, amount, count, text
from revenue_pipeline.partners.costs import CostConnector, CostOptions
from revenue_pipeline.partners.http import PartnerHttp

_FIELDS = ("account_currency", "campaign_id", "spend", "impressions", "clicks", "actions")
_INSTALL = "mobile_app_install"
_TOO_LONG_AGO = 3018


class MetaAdsOptions(CostOptions):
    """Which account is asked, and how."""

    account_id: str = Field(pattern=r"^(act_)?[0-9]+$", description="The ad account whose campaigns these are.")
    api_version: str = Field("v25.0", pattern=r"^v[0-9]+\.[0-9]+$", description="A version lives for about two years.")


class MetaAds(CostConnector):
    """Insights may change for 28 days; spend mostly settles within the first ones."""

    name = "meta_ads"
    documentation = "https://developers.facebook.com/docs/marketing-api/insights"
    base_url = "https://graph.facebook.com"
    credentials = ("access_token",)
    grain = ("country",)
    channel = "meta"
    Options = MetaAdsOptions
    options: MetaAdsOptions
    import_window_days = 7
    reach_back_days = 37 * 30  # 37 months
    concurrent_days = 3
    page_size = 500

    def read_day(self, day: date, http: PartnerHttp) -> list[CostRow]:
        """All pages of the day's insights."""
        rows: list[CostRow] = []
        cursors: set[str] = set()
        cursor: str | None = None
        while True:
            page, cursor = self._page(day, cursor, http)
            rows += page
            if cursor is None:
                return rows
            if cursor in cursors:
                raise IncompleteError("the partner sent the same page twice")
            cursors.add(cursor)

    def _page(self, day: date, cursor: str | None, http: PartnerHttp) -> tuple[list[CostRow], str | None]:
        """The rows from `cursor` on, and the cursor of the next page; None where there is none."""
        account_id = self.options.account_id.removeprefix("act_")
        params = {
            "level": "campaign",
            "fields": ",".join(_FIELDS),
            "time_range": json.dumps({"since": day.isoformat(), "until": day.isoformat()}),
            "time_increment": 1,
            "limit": self.page_size,
            **({"breakdowns": "country"} if "country" in self.account.grain else {}),
            **({"after": cursor} if cursor else {}),
        }
        answer = http.get(
            f"{self.options.api_version}/act_{account_id}/insights",
            params=params,
            headers={"Authorization": f"Bearer {self.account.credentials['access_token']}"},
            expect=(200, 400),
            true_status=graph_api.true_status,
        )
        reply = answer.json()
        if graph_api.error_code(reply) == _TOO_LONG_AGO:
            raise self.beyond_reach_back(day)
        if graph_api.error_code(reply) is not None:
            raise http.refusal(answer, 400)
        if not isinstance(reply, dict) or not isinstance(reply.get("data"), list):
            raise self.shape_error(day, f"no list of `data` in {answer.excerpt!r}")
        return [self._cost_row(row, day) for row in reply["data"]], self._next_cursor(reply, day)

    def _next_cursor(self, reply: Mapping[str, Any], day: date) -> str | None:
        paging = reply.get("paging") or {}
        following = paging.get("next") if isinstance(paging, dict) else None
        if following is None:
            return None
        cursor = parse_qs(urlsplit(str(following)).query).get("after", [None])[-1]
        if not cursor:
            raise self.shape_error(day, "a next page without a cursor `after`")
        return cursor

    def _cost_row(self, row: Any, day: date) -> CostRow:
        if not isinstance(row, dict):
            raise self.shape_error(day, f"a row that is {row!r}")
        if {row.get("date_start"), row.get("date_stop")} != {day.isoformat()}:
            raise self.shape_error(day, f"a row of {row.get('date_start')!r} to {row.get('date_stop')!r}")
        by_country = "country" in self.account.grain
        try:
            return CostRow(
                cost_date=day,
                channel=self.channel,
                campaign_id=text(row["campaign_id"]),
                country=text(row["country"]) if by_country else None,
                cost=amount(row["spend"]),
                currency=str(row["account_currency"]),
                impressions=count(row.get("impressions")),
                clicks=count(row.get("clicks")),
                installs=_installs(row.get("actions")),
            )
        except KeyError as missing:
            raise self.shape_error(day, f"a row without {missing}") from None
        except ValueError as error:
            raise self.shape_error(day, f"{error} in the row {row}") from None


def _installs(actions: Any) -> int | None:
    """The installs among the actions; None where none are told, as for a campaign that wins none."""
    if actions is None:
        return None
    if not isinstance(actions, list) or not all(isinstance(action, dict) for action in actions):
        raise ValueError(f"actions are {actions!r}")
    values = [count(action.get("value")) for action in actions if action.get("action_type") == _INSTALL]
    return values[0] if values else None
