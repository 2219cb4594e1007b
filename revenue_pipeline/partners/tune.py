"""TUNE (formerly HasOffers): conversions, as the affiliate or as the network sees them.

Every answer is HTTP 200; whether it is an error, the body says. There is no filter by time of change: a day is read
again to learn what became of its conversions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

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
from revenue_pipeline.partners.http import Answer, PartnerHttp

_RATE_LIMIT = re.compile(r"rate[\s-]*limit", re.IGNORECASE)  # the wording differs between the documentation and the API
_CREDENTIALS = re.compile(r"authenticat|api[\s_-]*key|token|not permitted|permission", re.IGNORECASE)
_TARGETS = {"affiliate": ("Affiliate_Report", "api_key"), "network": ("Report", "NetworkToken")}

FieldName = Annotated[str, Field(pattern=r"^[A-Za-z]\w*\.\w+$")]
_Row = Mapping[str, Any]


class TuneOptions(ConnectorOptions):
    """What differs from one TUNE account to the next. A field is named `Model.field`, as in TUNE's documentation."""

    network_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]*$", description="The network's id.")] = ""
    side: Annotated[
        Literal["affiliate", "network"],
        Field(description="Whose account the key belongs to, and so which report is read."),
    ] = "affiliate"
    click_id: Annotated[FieldName, Field(description="The field that carries our click id.")] = "Stat.affiliate_info1"
    conversion_id: Annotated[
        tuple[FieldName, ...],
        Field(
            min_length=1,
            description="The fields that name a conversion together, the first of which it always has; where the event "
            "id may not be selected, Stat.ad_id, Goal.name and Stat.datetime.",
        ),
    ] = ("Stat.tune_event_id",)
    payout: Annotated[
        FieldName,
        Field(description="The field that holds what a conversion earns us; a network's own is Stat.revenue."),
    ] = "Stat.payout"
    hour_offset: Annotated[
        int, Field(ge=-23, le=23, description="Hours from the network's time zone to this partner's `timezone`.")
    ] = 0


class Tune(Connector):
    """Days and times are those of the network's time zone, shifted by `hour_offset`: set `timezone` accordingly."""

    name = "tune"
    documentation = "https://developers.tune.com/affiliate/affiliate_report-getconversions/"
    base_url = "https://{network_id}.api.hasoffers.com/Apiv3/json"
    credentials = ("api_key",)
    gives = (ConversionRow,)
    Options = TuneOptions
    options: TuneOptions
    import_window_days = 30
    reach_back_days = 762
    concurrent_days = 4
    rate_limit = RateLimit(50, 10)
    page_size: ClassVar[int] = 1_000

    def __init__(self, account: Account) -> None:
        """As every connector; also raises PartnerError when neither network_id nor base_url is set."""
        super().__init__(account)
        if not (self.options.network_id or account.base_url):
            raise PartnerError(
                f"{account.name}: options.network_id is missing.",
                "Set it to the network's id, the first part of its host.",
            )

    @property
    def address(self) -> str:
        """The network's own host."""
        return super().address.replace("{network_id}", self.options.network_id)

    def fetch_day(self, day: date, http: PartnerHttp) -> list[ConversionRow]:
        """All pages of the day, read again from the start when they do not fit together."""
        rows = self.whole_report(day, lambda: self._rows(day, http))
        return [self._conversion(row, day) for row in rows]

    def _rows(self, day: date, http: PartnerHttp) -> list[_Row]:
        rows: list[_Row] = []
        seen: set[str] = set()
        sizes: list[int] = []
        counts: list[int] = []
        for page in self._pages(day, http):
            found = self._page_rows(page, day)
            ids = {self._id(row, day) for row in found}
            if ids & seen or len(ids) < len(found):
                raise IncompleteError("the same conversion came twice")
            seen |= ids
            rows += found
            sizes.append(len(found))
            said = self._number(page, "count", day)
            counts += [] if said is None else [said]
        total = len(rows)
        if counts and counts != sizes and any(said != total for said in counts):  # of the page, or of the whole report
            raise IncompleteError(f"{total} conversions came where `count` speaks of {max(counts)}")
        return rows

    def _pages(self, day: date, http: PartnerHttp) -> Iterator[_Row]:
        """The pages up to the last one that `pageCount` speaks of; without it, up to the first empty one."""
        number, page_count = 0, None
        while page_count is None or number < page_count:
            number += 1
            page = self._page(day, number, http)
            yield page
            said = self._number(page, "pageCount", day)
            if page_count is not None and said != page_count:
                raise IncompleteError(f"the report had {page_count} pages, and then {said}")
            page_count = said
            if not self._page_rows(page, day):
                if number < (page_count or 0):
                    raise IncompleteError(f"page {number} of {page_count} was empty")
                return

    def _page(self, day: date, number: int, http: PartnerHttp) -> _Row:
        target, key = _TARGETS[self.options.side]
        options = self.options
        fields = dict.fromkeys(
            (*options.conversion_id, "Stat.datetime", "Stat.conversion_status", options.payout, "Stat.currency",
             "Stat.offer_id", options.click_id)
        )  # fmt: skip
        params: dict[str, Any] = {
            key: self.account.credentials["api_key"],
            "Target": target,
            "Method": "getConversions",
            "fields[]": list(fields),
            "filters[Stat.datetime][conditional]": "BETWEEN",
            "filters[Stat.datetime][values][]": [f"{day} 00:00:00", f"{day} 23:59:59"],
            "data_start": day.isoformat(),
            "data_end": day.isoformat(),
            "sort[Stat.datetime]": "asc",
            "limit": self.page_size,
            "page": number,
        }
        if options.network_id:
            params["NetworkId"] = options.network_id
        if options.hour_offset:
            params["hour_offset"] = options.hour_offset
        answer = http.get(self.address, params=params, true_status=_true_status)
        data = _response(answer).get("data", False)
        if isinstance(data, dict):
            return data
        if data not in ([], "", None):  # PHP writes an empty map as an empty list
            raise self.shape_error(day, f"no `data` in {answer.excerpt!r}")
        return {"data": []}

    def _page_rows(self, page: _Row, day: date) -> list[_Row]:
        """The rows of a page, which are a list, or a map by id; what is empty is a list in any case."""
        rows = page.get("data", page)
        found = list(rows.values()) if isinstance(rows, dict) else rows
        if found is None and self._number(page, "count", day) == 0:
            return []
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise self.shape_error(day, f"no conversions in a page with {', '.join(map(str, page)) or 'nothing'} in it")
        return found

    def _number(self, page: _Row, name: str, day: date) -> int | None:
        """A number beside the rows, which may be missing, null, or a text that says so."""
        value = page.get(name) if "data" in page else None
        try:
            return None if value == "null" else count(value)
        except ValueError as error:
            raise self.shape_error(day, f"{error} in `{name}`") from None

    def _id(self, row: _Row, day: date) -> str:
        parts = [self._value(row, field, day) or "" for field in self.options.conversion_id]
        if not parts[0].strip():  # the others may be untold: an offer without goals has no name of one
            raise self.shape_error(day, f"no {self.options.conversion_id[0]} in the conversion {row}")
        return ":".join(parts)

    def _value(self, row: _Row, field: str, day: date, is_optional: bool = False) -> str | None:
        model, _, name = field.partition(".")
        fields = row.get(model)
        if not isinstance(fields, dict) or name not in fields:
            if is_optional:
                return None
            raise PartnerError(
                f"{self.subject(day)}: the partner sent a conversion without `{field}`.",
                "Set options.conversion_id, click_id and payout to fields that this account may select.",
            )
        try:
            return text(fields[name])
        except ValueError as error:
            raise self.shape_error(day, f"{error} in `{field}`") from None

    def _conversion(self, row: _Row, day: date) -> ConversionRow:
        try:
            return ConversionRow(
                conversion_id=self._id(row, day),
                click_id=self._value(row, self.options.click_id, day),
                offer_id=self._value(row, "Stat.offer_id", day, is_optional=True),
                payout=amount(self._value(row, self.options.payout, day)),
                currency=self._value(row, "Stat.currency", day, is_optional=True) or self.account.currency,
                converted_at=self._instant(self._value(row, "Stat.datetime", day)),
                status=self._value(row, "Stat.conversion_status", day),
            )
        except ValueError as error:
            raise self.shape_error(day, f"{error} in the conversion {row}") from None

    def _instant(self, written: str | None) -> datetime:
        # In the hour that comes twice in autumn the first is meant: TUNE does not say which.
        return datetime.strptime(written or "", "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZoneInfo(self.account.timezone))


def _true_status(answer: Answer) -> int:
    """The HTTP status that an answer amounts to."""
    if answer.status != 200:
        return answer.status
    try:
        response = _response(answer)
    except PartnerError:
        return 502  # an overloaded server sends a page of HTML
    if response.get("status") in (1, "1"):
        return 200
    told = " ".join(_texts([response.get("errorMessage"), response.get("errors")]))
    if _RATE_LIMIT.search(told):
        return 429
    return 401 if _CREDENTIALS.search(told) else 400


def _response(answer: Answer) -> _Row:
    body = answer.json()
    response = body.get("response") if isinstance(body, dict) else None
    return response if isinstance(response, dict) else {}


def _texts(value: object) -> Iterator[str]:
    """The texts of an error, which is a text, an object or a list of them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(list(value.values()))
    elif isinstance(value, Sequence):
        for each in value:
            yield from _texts(each)
