"""Everflow: conversions and the events after them, as the affiliate or as the network sees them.

There is no filter by time of change: a day is read again to learn what became of its conversions. The partner's own
aggregates may differ from the sum of its conversions, since adjustments have none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timezone
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from revenue_pipeline.partners.base import (
    Account,
    Connector,
    ConnectorOptions,
    ConversionRow,
    IncompleteError,
    PartnerError,
    RateLimit,
    amount,
    count,
    text,
)
from revenue_pipeline.partners.http import Answer, PartnerHttp, Throttle

_TIMEZONES = {  # of the partner's list, the common ones; others are looked up
    "UTC": 67,
    "America/New_York": 80,
    "America/Chicago": 85,
    "America/Denver": 87,
    "America/Phoenix": 89,
    "America/Los_Angeles": 90,
}
_IDS = ("conversion_id", "network_conversion_id")  # of a conversion: the documentation has known it by both
_RATE_LIMITS = {"affiliate": RateLimit(5, 1), "network": RateLimit(30, 1)}
_WINDOW_REFUSAL = re.compile(r"\b365\b|prior year", re.IGNORECASE)

_Record = Mapping[str, Any]


class EverflowOptions(ConnectorOptions):
    """What differs from one Everflow account to the next."""

    side: Annotated[
        Literal["affiliate", "network"],
        Field(description="Whose account the key belongs to, and so which report is read."),
    ] = "affiliate"
    click_id: Annotated[
        str,
        Field(
            pattern=r"^(sub([1-9]|10)|source_id|transaction_id|order_id)$",
            description="The field that carries our click id: sub1 to sub10, source_id, transaction_id or order_id.",
        ),
    ] = "sub1"
    payout: Annotated[
        Literal["payout", "revenue"] | None,
        Field(
            description="The field that holds what a conversion earns us. By default what the affiliate gets: "
            "`revenue` in an affiliate's report, `payout` in a network's, whose own share is `revenue`."
        ),
    ] = None
    events: Annotated[bool, Field(description="Whether events after a conversion are conversions too.")] = True
    timezone_id: Annotated[
        int | None, Field(description="The partner's number of `timezone`; looked up by its name where it is not set.")
    ] = None


class Everflow(Connector):
    """Days are those of the account's `timezone`, whatever the network's is. Amounts are in the offer's currency."""

    name = "everflow"
    documentation = "https://developers.everflow.io/docs/affiliate/reporting/affiliate_raw_conversions/"
    base_url = "https://api.eflow.team/v1"
    credentials = ("api_key",)
    gives = (ConversionRow,)
    Options = EverflowOptions
    options: EverflowOptions
    import_window_days = 30
    reach_back_days = 365
    concurrent_days = 4
    rate_limit = _RATE_LIMITS["affiliate"]
    page_size: ClassVar[int] = 2_000  # the most that the partner documents; it may send fewer

    def __init__(self, account: Account) -> None:
        """As every connector; a network may call more often than an affiliate."""
        super().__init__(account)
        self.throttle = Throttle(_RATE_LIMITS[self.options.side])
        self._timezone_id = self.options.timezone_id or _TIMEZONES.get(account.timezone)

    def fetch_day(self, day: date, http: PartnerHttp) -> list[ConversionRow]:
        """All pages of the day, read again from the start when they do not fit together."""
        records = self.whole_report(day, lambda: self._records(day, http))
        return [self._conversion(record, day) for record in records]

    def _records(self, day: date, http: PartnerHttp) -> list[_Record]:
        records: list[_Record] = []
        ids: set[str] = set()
        number, total = 0, None
        while total is None or len(records) < total:
            number += 1
            page, said = self._page(day, number, http)
            if total is not None and said != total:
                raise IncompleteError(f"the report had {total} conversions, and then {said}")
            total = said
            if not page and len(records) < total:
                raise IncompleteError(f"{len(records)} conversions came where `total_count` speaks of {total}")
            records += page
            ids |= {self._id(record, day) for record in page}
        if len(records) != total or len(ids) != total:
            raise IncompleteError(f"{len(ids)} different conversions came where `total_count` speaks of {total}")
        return records

    def _page(self, day: date, number: int, http: PartnerHttp) -> tuple[list[_Record], int]:
        """The conversions of one page, and how many the report has in all."""
        answer = http.post(
            f"{self.options.side}s/reporting/conversions",
            params={"page": number, "page_size": self.page_size},  # in the body nobody looks at them
            headers=self._headers,
            json={
                "from": f"{day} 00:00:00",
                "to": f"{day} 23:59:59",
                "timezone_id": self._timezone(day, http),
                "show_conversions": True,
                "show_events": self.options.events,
                "query": {"filters": [], "search_terms": []},
            },
            expect=(200, 400),
        )
        if answer.status == 400:
            raise self.beyond_reach_back(day) if _WINDOW_REFUSAL.search(answer.excerpt) else http.refusal(answer)
        return self._contents(answer, number, day)

    def _contents(self, answer: Answer, number: int, day: date) -> tuple[list[_Record], int]:
        body = answer.json()
        records, paging = (body.get("conversions"), body.get("paging")) if isinstance(body, dict) else (None, None)
        if not isinstance(paging, dict) or not isinstance(records or [], list):
            raise self.shape_error(day, f"no `conversions` with their `paging` in {answer.excerpt!r}")
        found = records or []  # null where there is none
        if not all(isinstance(record, dict) for record in found):
            raise self.shape_error(day, f"a conversion that is none in {answer.excerpt!r}")
        try:
            total, page = count(paging.get("total_count")), count(paging.get("page"))
        except ValueError as error:
            raise self.shape_error(day, f"{error} in `paging`") from None
        if total is None:
            raise self.shape_error(day, f"no `total_count` in {answer.excerpt!r}")
        if body.get("incomplete_results"):
            raise PartnerError(
                f"{self.subject(day)}: the partner has more conversions than it gives, and says so.",
                f"Export the day at the partner and land it as files: <landing>/conversions/date={day}/.",
            )
        if page not in (None, number):
            raise IncompleteError(f"page {page} came where page {number} was asked for")
        return found, total

    @property
    def _headers(self) -> dict[str, str]:
        return {"X-Eflow-API-Key": self.account.credentials["api_key"]}

    def _timezone(self, day: date, http: PartnerHttp) -> int:
        if self._timezone_id is None:
            body = http.get("meta/timezones", headers=self._headers).json()
            found = [
                entry.get("timezone_id")
                for entry in (body.get("timezones") if isinstance(body, dict) else None) or []
                if isinstance(entry, dict) and entry.get("timezone") == self.account.timezone
            ]
            if not found or not isinstance(found[0], int):
                raise PartnerError(
                    f"{self.subject(day)}: the partner knows no time zone {self.account.timezone}.",
                    f"Set options.timezone_id from {self.address}/meta/timezones, or another timezone.",
                )
            self._timezone_id = found[0]
        return self._timezone_id

    def _id(self, record: _Record, day: date) -> str:
        for field in _IDS:
            if given := self._text(record, field, day):
                return given
        raise self.shape_error(day, f"a conversion without {' or '.join(_IDS)}")

    def _text(self, record: _Record, field: str, day: date) -> str | None:
        try:
            return text(record.get(field))
        except ValueError as error:
            raise self.shape_error(day, f"{error} in `{field}`") from None

    def _conversion(self, record: _Record, day: date) -> ConversionRow:
        by_side = "revenue" if self.options.side == "affiliate" else "payout"
        offer: Any = record
        for step in ("relationship", "offer", "network_offer_id"):
            offer = offer.get(step) if isinstance(offer, dict) else None
        try:
            return ConversionRow(
                conversion_id=self._id(record, day),
                click_id=self._text(record, self.options.click_id, day),
                offer_id=text(offer),
                payout=amount(record.get(self.options.payout or by_side)),
                currency=self._text(record, "currency_id", day) or self.account.currency,
                converted_at=_instant(record.get("conversion_unix_timestamp")),
                status=self._text(record, "status", day) or self._text(record, "conversion_status", day),
            )
        except ValueError as error:
            raise self.shape_error(day, f"{error} in the conversion {self._id(record, day)}") from None


def _instant(seconds: object) -> datetime:
    whole = count(seconds)
    if not whole:
        raise ValueError(f"{seconds!r} is not a time")
    return datetime.fromtimestamp(whole, timezone.utc)
