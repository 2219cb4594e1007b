"""impact.com: the actions of a media partner, each in its present state.

Actions change until their locking date: modified, reversed, restored. Their list (Actions) shows the present state, so
a day read again is a day brought up to date. The log of changes (ActionUpdates) says which days those are, and gives no
rows: its amounts are already in the present state. Corrections after the locking date are funds transfers, outside of
actions.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta, timezone
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field

from revenue_pipeline.partners.base import (
    Connector,
    ConnectorOptions,
    ConversionRow,
    IncompleteError,
    RateLimit,
    amount,
    count,
    text,
)
from revenue_pipeline.partners.http import Answer, PartnerHttp

_ONE_DAY = timedelta(days=1)
_LONGEST_WINDOW = timedelta(days=45)  # of a question for updates or locking dates
_FIELDS = {"Actions": ("Id", "State", "Payout", "EventDate"), "ActionUpdates": ("Id", "ActionDate")}
_CHANGES = (  # the questions for what changed: of what, from and to, and the field with the day of the action
    ("Actions", "StartDate", "EndDate", "EventDate"),
    ("Actions", "LockingDateStart", "LockingDateEnd", "EventDate"),
    ("ActionUpdates", "StartDate", "EndDate", "ActionDate"),
)

_Record = Mapping[str, Any]  # an action or an update of one


class ImpactOptions(ConnectorOptions):
    """What differs from one impact.com account to the next."""

    click_id: Annotated[
        Literal["SubId1", "SubId2", "SubId3", "SharedId"], Field(description="The field that carries our click id.")
    ] = "SubId1"
    page_size: Annotated[
        int, Field(ge=2_000, description="Actions on a page; the partner sends no more than ten pages.")
    ] = 20_000
    version: Annotated[str, Field(pattern=r"^\d+$", description="Version of the API.")] = "16"


class Impact(Connector):
    """Times carry their offset, so days may be those of any `timezone`; with the account's own, totals agree."""

    name = "impact"
    documentation = "https://integrations.impact.com/impact-publisher/reference/list-actions-1"
    base_url = "https://api.impact.com"
    credentials = ("account_sid", "auth_token")
    gives = (ConversionRow,)
    Options = ImpactOptions
    options: ImpactOptions
    import_window_days = 30
    reach_back_days = 3 * 365
    concurrent_days = 3
    rate_limit = RateLimit(1_000, 3_600)
    tells_restated_days = True

    def fetch_day(self, day: date, http: PartnerHttp) -> list[ConversionRow]:
        """All pages of the day, read again from the start when they do not fit together."""
        actions = self.whole_report(day, lambda: self._actions(day, http))
        rows = [self._conversion(action, day) for action in actions]
        zone = ZoneInfo(self.account.timezone)
        return [row for row in rows if row.day_in(zone) == day]

    def restated_days(self, since: date, until: date, http: PartnerHttp) -> set[date]:
        """The days with an action that was updated, by its own word or by the log, or reached its locking date.

        An approval is no update to the partner: it shows at the locking date at the latest, which ends all changes.
        """
        return self.whole_report(until, lambda: self._restated_days(since, until, http))

    def _restated_days(self, since: date, until: date, http: PartnerHttp) -> set[date]:
        zone = ZoneInfo(self.account.timezone)
        found: set[date] = set()
        first = since
        while first <= until:
            last = min(until, first + _LONGEST_WINDOW - _ONE_DAY)
            bounds = [_written(datetime.combine(day, time(), zone)) for day in (first, last + _ONE_DAY)]
            for resource, start, end, happened in _CHANGES:
                for page in self._pages(resource, until, dict(zip((start, end), bounds, strict=True)), http):
                    found |= {_instant(record[happened]).astimezone(zone).date() for record in page}
            first = last + _ONE_DAY
        return found

    def _actions(self, day: date, http: PartnerHttp) -> list[_Record]:
        """The actions around the day: how exactly the bounds are read is not documented, so a day more on each side."""
        zone = ZoneInfo(self.account.timezone)
        bounds = [datetime.combine(each, time(), zone) for each in (day - _ONE_DAY, day + 2 * _ONE_DAY)]
        params = {"ActionDateStart": _written(bounds[0]), "ActionDateEnd": _written(bounds[1])}
        actions: list[_Record] = []
        for page in self._pages("Actions", day, params, http):
            actions += page
        if len({action["Id"] for action in actions}) != len(actions):
            raise IncompleteError("the same action came twice")
        return actions

    def _pages(self, resource: str, day: date, params: Mapping[str, str], http: PartnerHttp) -> Iterator[list[_Record]]:
        """The pages up to the one without a next, held against what the first one says there are."""
        params = {**params, "PageSize": str(self.options.page_size)}
        answer = http.get(f"Mediapartners/{self._sid}/{resource}", params=params, headers=self._headers)
        asked: set[str] = set()
        found, total = 0, self._number(answer, "@total", day)
        pages = self._number(answer, "@numpages", day) or 0
        while True:
            page, following = self._page(resource, answer, day)
            found += len(page)
            yield page
            if not following:
                break
            if following in asked:
                raise IncompleteError("the pages go round in a circle")
            asked.add(following)
            pages -= 1
            answer = http.get(self._absolute(following, day), headers=self._headers)
        if total is not None and found != total:
            raise IncompleteError(f"{found} {resource} came where `@total` speaks of {total}")
        if total is None and pages > 1:
            raise IncompleteError(f"there was no next page, and `@numpages` speaks of {pages - 1} more")

    def _body(self, answer: Answer, day: date) -> _Record:
        body = answer.json()
        if not isinstance(body, dict) or not any(name.startswith("@") for name in body):
            raise self.shape_error(day, f"no page of actions in {answer.excerpt!r}")
        return body

    def _number(self, answer: Answer, name: str, day: date) -> int | None:
        try:
            return count(self._body(answer, day).get(name))
        except ValueError as error:
            raise self.shape_error(day, f"{error} in `{name}`") from None

    def _page(self, resource: str, answer: Answer, day: date) -> tuple[list[_Record], str]:
        """The records of a page, and the address of the next one; an empty page may have no list of them."""
        body = self._body(answer, day)
        records = body.get(resource) or []
        if not isinstance(records, list):
            raise self.shape_error(day, f"no list of `{resource}` in {answer.excerpt!r}")
        for record in records:
            for field in _FIELDS[resource]:
                if not isinstance(record, dict) or field not in record:
                    raise self.shape_error(day, f"one of `{resource}` without `{field}`")
        following = body.get("@nextpageuri") or ""
        if not isinstance(following, str):
            raise self.shape_error(day, f"a `@nextpageuri` of {following!r}")
        return records, following

    def _absolute(self, uri: str, day: date) -> str:
        """The whole address of a next page, which is given without its host; never that of another host."""
        named, ours = urlsplit(uri)[:2], urlsplit(self.address)[:2]  # scheme and host
        if named not in (("", ""), ours):
            raise self.shape_error(day, "a `@nextpageuri` at another host")
        return uri if named == ours else f"{self.address.rstrip('/')}/{uri.lstrip('/')}"

    @property
    def _sid(self) -> str:
        return self.account.credentials["account_sid"]

    @property
    def _headers(self) -> dict[str, str]:
        pair = f"{self._sid}:{self.account.credentials['auth_token']}"
        token = base64.b64encode(pair.encode()).decode()
        return {"Authorization": f"Basic {token}", "Accept": "application/json", "IR-Version": self.options.version}

    def _conversion(self, action: _Record, day: date) -> ConversionRow:
        try:
            return ConversionRow(
                conversion_id=text(action["Id"]) or "",
                click_id=text(action.get(self.options.click_id)),
                offer_id=text(action.get("CampaignId")),
                payout=amount(action["Payout"]),
                currency=text(action.get("Currency")) or self.account.currency,
                converted_at=_instant(action["EventDate"]),
                status=text(action["State"]),
            )
        except ValueError as error:
            raise self.shape_error(day, f"{error} in the action {action['Id']}") from None


def _instant(written: object) -> datetime:
    if not isinstance(written, str) or not written.strip():
        raise ValueError(f"{written!r} is not a time")
    instant = datetime.fromisoformat(re.sub(r"([+-]\d\d):?(\d\d)$", r"\1:\2", written.strip().replace("Z", "+00:00")))
    if instant.tzinfo is None:
        raise ValueError(f"{written!r} has no time zone")
    return instant


def _written(instant: datetime) -> str:
    return instant.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
