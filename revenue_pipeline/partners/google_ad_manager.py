"""Google Ad Manager: what advertisers booked with us directly, and its delivery, by the Ad Manager API v1 (REST).

Line items come from `networks.lineItems`, as they are booked when they are asked for: those that run on the day, or
ended shortly before it. Delivery comes from a report that is run for the day. There is no report of contracted
revenue, so this is derived from what a line item says:

- `net_rate` is its rate. A discount is deducted from it or not, as the option `discounts` says, for the API's
  documentation does not; where one is deducted, `gross_rate` is the rate before. Otherwise there is no gross rate.
- `contracted_volume` is the quantity it was contracted for, else its lifetime goal; of one paid by the day (CPD), the
  days from its first to its last in the network's time zone.
- `proposal_id` is its order, which is what a sold proposal becomes; `proposal_status` is `sold` once inventory is
  reserved for it, else `unsold`. The API does not say what was retracted.
- A key-value is one of the key that the option `custom_targeting_key_id` names. What is under no value of it is the
  rest of the ad unit, so rows are disjoint and add up to the ad server's total.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from revenue_pipeline.partners import google_oauth
from revenue_pipeline.partners.base import (
    Account,
    Connector,
    ConnectorOptions,
    DeliveryRow,
    IncompleteError,
    LineItemRow,
    PartnerError,
    RateLimit,
    Row,
    amount,
    count,
    text,
)
from revenue_pipeline.partners.http import Answer, PartnerHttp

_METRICS = ("AD_SERVER_IMPRESSIONS", "AD_SERVER_CLICKS")
_KEYS = ("LINE_ITEM_ID", "AD_UNIT_ID")
_KEY_VALUE = "CUSTOM_DIMENSION_0_VALUE"
_RATE_TYPES = ("CPM", "CPC", "CPD")
_STATUSES = {"RESERVED": "sold", "UNRESERVED": "unsold"}
_EXACT = Context(prec=60)
_DIGITS = Decimal("0.000000001")
_STILL_CORRECTED = timedelta(days=31)  # after its end

_Object = Mapping[str, Any]
_Key = tuple[str, str, str | None]  # line item, ad unit, key-value
_Counts = tuple[int, int]  # impressions, clicks


class GoogleAdManagerOptions(ConnectorOptions):
    """Which network is asked, and for what."""

    network_code: str = Field(pattern="^[0-9]+$", description="The network.")
    line_item_filter: str = Field(
        default='lineItemType = "SPONSORSHIP" OR lineItemType = "STANDARD" OR lineItemType = "BULK"',
        description="Which line items are contracts, in the API's filter language.",
    )
    discounts: Literal["deduct", "ignore"] | None = Field(
        default=None, description="Whether a line item's rate is before its discount (deduct) or after it (ignore)."
    )
    custom_targeting_key_id: str | None = Field(
        default=None, pattern="^[0-9]+$", description="The key whose values delivery is split by, if by any."
    )
    custom_targeting_key: str | None = Field(
        default=None, min_length=1, description="What that key is called: `section` gives `section=sport`."
    )
    no_value: tuple[str, ...] = Field(
        default=("", "-", "(Not applicable)", "(No value)"), description="How the report writes that there is no value."
    )
    token_url: str = Field(default=google_oauth.TOKEN_URL, description="Where access tokens come from.")


class GoogleAdManager(Connector):
    """Days are the network's. A line item is seen on each day from its first until a month after its last."""

    name = "google_ad_manager"
    documentation = "https://developers.google.com/ad-manager/api/beta/reports"
    base_url = "https://admanager.googleapis.com"
    credentials = google_oauth.CREDENTIALS
    gives = (LineItemRow, DeliveryRow)
    Options = GoogleAdManagerOptions
    options: GoogleAdManagerOptions
    concurrent_days = 2
    # What the older API allows networks with Ad Manager 360; others may be refused at times, which is waited out.
    rate_limit = RateLimit(8, 1)
    page_size = 1000
    poll_seconds: ClassVar[float] = 1.0  # before a report is asked after again; doubles each time
    longest_poll_seconds: ClassVar[float] = 30.0
    polls: ClassVar[int] = 20

    def __init__(self, account: Account) -> None:
        """Raises PartnerError also when a key is given half."""
        super().__init__(account)
        self._authorization = google_oauth.Authorization(account, self.options.token_url)
        if (self.options.custom_targeting_key_id is None) != (self.options.custom_targeting_key is None):
            raise PartnerError(
                f"{account.name}: a custom targeting key needs both its id and its name.",
                "Set the options custom_targeting_key_id and custom_targeting_key, or neither.",
            )

    def fetch_day(self, day: date, http: PartnerHttp) -> Sequence[Row]:
        """The line items as they are booked now, and the day's delivery."""
        session = _Session(self, day, http, self._authorization.header(http))
        network = session.get(f"v1/{self._network}")
        self.refuse_other_days(day, str(session.value(network, "timeZone")))
        return self.whole_report(day, lambda: [*self._line_items(session), *self._delivery(session)])

    @property
    def _network(self) -> str:
        return f"networks/{self.options.network_code}"

    # Line items ---------------------------------------------------------------------------------------------------

    def _line_items(self, session: _Session) -> Iterator[LineItemRow]:
        params = {"pageSize": self.page_size, "filter": self.options.line_item_filter}
        seen: set[str] = set()
        for item in session.pages(f"v1/{self._network}/lineItems", "lineItems", params):
            name = str(session.value(item, "name"))
            if name in seen:
                raise IncompleteError(f"{name} came twice")
            seen.add(name)
            start = self._day_of(session.value(item, "startTime"))
            # `endTime` has the days in it that serving was extended by, which nobody has booked.
            end = item.get("targetEndTime") or item.get("endTime")
            end_date = self._day_of(end) if end and not item.get("endTimeUnlimited") else None
            if start <= session.day <= (end_date or session.day) + _STILL_CORRECTED:
                yield self._line_item(item, start, end_date, session)

    def _line_item(self, item: _Object, start: date, end: date | None, session: _Session) -> LineItemRow:
        rate_type = str(session.value(item, "costType"))
        rate, currency = _money(session.value(item, "rate"))
        try:
            volume = _volume(item, rate_type, start, end)
            net_rate, gross_rate = self._rates(item, rate, rate_type, volume)
        except ValueError as error:
            raise PartnerError(
                f"{session.subject}: {item.get('name')} is no contract that can be counted: {error}.",
                "Complete it in Ad Manager, or leave it out by the option line_item_filter.",
            ) from None
        return LineItemRow(
            line_item_id=_last_part(session.value(item, "name")),
            proposal_id=_last_part(session.value(item, "order")),
            proposal_status=_STATUSES.get(str(item.get("reservationStatus"))),
            rate_type=rate_type,
            net_rate=net_rate,
            gross_rate=gross_rate,
            currency=currency,
            contracted_volume=volume,
            start_date=start,
            end_date=end,
        )

    def _day_of(self, instant: Any) -> date:
        moment = datetime.fromisoformat(re.sub(r"(\.[0-9]+)?Z$", "+00:00", str(instant)))
        return moment.astimezone(ZoneInfo(self.account.timezone)).date()

    def _rates(self, item: _Object, rate: Decimal, rate_type: str, volume: int) -> tuple[Decimal, Decimal | None]:
        """The net and the gross rate."""
        given = item.get("discount") or {}
        discount = amount(given.get("discount", 0))
        if not discount or self.options.discounts == "ignore":
            return rate, None
        if self.options.discounts is None:
            raise ValueError("it has a discount, and the option discounts does not say whether its rate includes it")
        if given.get("discountType", "PERCENTAGE") == "PERCENTAGE":
            net = _EXACT.multiply(rate, 1 - discount / 100)
        else:
            net = rate - _EXACT.divide(discount * (1000 if rate_type == "CPM" else 1), Decimal(volume))
        return net.quantize(_DIGITS, ROUND_HALF_UP), rate

    # Delivery -----------------------------------------------------------------------------------------------------

    def _delivery(self, session: _Session) -> list[DeliveryRow]:
        key_name = self.options.custom_targeting_key
        parts: dict[_Key, _Counts] = {}
        placed: dict[tuple[str, str], _Counts] = {}
        if key_name:  # asked first: totals only grow meanwhile
            for (line_item, ad_unit, value), counts in self._report(session, [_KEY_VALUE]).items():
                if value not in self.options.no_value:
                    parts[line_item, ad_unit, f"{key_name}={value}"] = counts
                    before = placed.get((line_item, ad_unit), (0, 0))
                    placed[line_item, ad_unit] = (before[0] + counts[0], before[1] + counts[1])
        for (line_item, ad_unit, _), total in self._report(session, []).items():
            there = placed.pop((line_item, ad_unit), None)
            rest = (total[0] - there[0], total[1] - there[1]) if there else total
            if min(rest) < 0:
                # Either it was still being computed, or impressions have several values and count under each.
                raise IncompleteError(
                    f"the values of {key_name} have more than line item {line_item} in ad unit {ad_unit} as a whole; "
                    "choose another key where impressions can have several values of this one"
                )
            if any(rest) or there is None:
                parts[line_item, ad_unit, None] = rest
        if placed:
            raise IncompleteError(f"{sorted(placed)} was there by {key_name} and not in whole")
        return [
            DeliveryRow(
                delivery_date=session.day,
                line_item_id=line_item,
                ad_unit_id=ad_unit,
                custom_criteria=key_value,
                impressions=impressions,
                clicks=clicks,
            )
            for (line_item, ad_unit, key_value), (impressions, clicks) in parts.items()
        ]

    def _report(self, session: _Session, further: Sequence[str]) -> dict[_Key, _Counts]:
        """Run a report of the day, and read it."""
        dimensions = ["DATE", *_KEYS, *further]
        edge = {"year": session.day.year, "month": session.day.month, "day": session.day.day}
        definition = {
            "reportType": "HISTORICAL",
            "dimensions": dimensions,
            "metrics": list(_METRICS),
            "dateRange": {"fixed": {"startDate": edge, "endDate": edge}},
            **({"customDimensionKeyIds": [self.options.custom_targeting_key_id]} if further else {}),
        }
        report = session.post(f"v1/{self._network}/reports", {"visibility": "HIDDEN", "reportDefinition": definition})
        operation = session.post(f"v1/{session.value(report, 'name')}:run", {})
        result = self._result(session, str(session.value(operation, "name")))
        counts: dict[_Key, _Counts] = {}
        for row in session.pages(f"v1/{result}:fetchRows", "rows", {"pageSize": self.page_size}, "totalRowCount"):
            key, found = self._read(row, session, len(dimensions))
            if key in counts:
                raise IncompleteError(f"the row of {key} came twice")
            counts[key] = found
        return counts

    def _result(self, session: _Session, operation: str) -> str:
        """Wait until the report is computed; the name of its result."""
        pause = self.poll_seconds
        for _ in range(self.polls):
            state = session.get(f"v1/{operation}")
            if state.get("error"):
                raise PartnerError(
                    f"{session.subject}: the report failed at the partner: {state['error']!r}.",
                    "Run the day again later.",
                )
            if state.get("done"):
                return str(session.value(session.value(state, "response"), "reportResult"))
            time.sleep(pause)
            pause = min(2 * pause, self.longest_poll_seconds)
        raise PartnerError(
            f"{session.subject}: the report was not ready when it had been asked after {self.polls} times.",
            "Run the day again later.",
        )

    def _read(self, row: _Object, session: _Session, width: int) -> tuple[_Key, _Counts]:
        """The key and the counts of a row, whose values have no names: they come in the order of the definition."""
        try:
            labels = [_value(each) for each in row["dimensionValues"]]
            (group,) = row["metricValueGroups"]
            impressions, clicks = (count(_value(each)) or 0 for each in group["primaryValues"])
        except (KeyError, TypeError, ValueError) as error:
            raise self.shape_error(session.day, f"{error!r} in the row {row}") from None
        if len(labels) != width or labels[0].replace("-", "") != f"{session.day:%Y%m%d}":
            raise self.shape_error(session.day, f"{labels} where {width} values of {session.day} were asked for")
        return (labels[1], labels[2], labels[3] if width > 3 else None), (impressions, clicks)


@dataclass(frozen=True)
class _Session:
    """A day's conversation with the API: everything in it is a JSON object."""

    connector: GoogleAdManager
    day: date
    http: PartnerHttp
    headers: Mapping[str, str]

    @property
    def subject(self) -> str:
        return self.http.subject

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> _Object:
        return self._object(self.http.get(path, params=params, headers=self.headers))

    def post(self, path: str, body: _Object) -> _Object:
        return self._object(self.http.post(path, json=body, headers=self.headers))

    def pages(self, path: str, name: str, params: Mapping[str, Any], total: str | None = None) -> Iterator[_Object]:
        """The entries of all pages; where the first page says how many there are, that many have to come."""
        promised, came, token = None, 0, ""
        while True:
            page = self.get(path, {**params, **({"pageToken": token} if token else {})})
            entries = page.get(name, [])  # an empty list is left out, as in all of Google's JSON
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                raise self.connector.shape_error(self.day, f"no list of `{name}`")
            promised = page.get(total) if total and promised is None else promised
            came += len(entries)
            yield from entries
            following = str(page.get("nextPageToken") or "")
            if following and following == token:
                raise IncompleteError(f"the same page of `{name}` came twice")
            if not following:
                break
            token = following
        if promised is not None and promised != came:
            raise IncompleteError(f"{came} of {promised} `{name}` came")

    def value(self, given: Any, field: str) -> Any:
        """What a field holds; an error where it is missing or empty."""
        value = given.get(field) if isinstance(given, dict) else None
        if value in (None, ""):
            raise self.connector.shape_error(self.day, f"`{field}` is missing in {given!r}")
        return value

    def _object(self, answer: Answer) -> _Object:
        reply = answer.json()
        if not isinstance(reply, dict):
            raise self.connector.shape_error(self.day, f"no object but {answer.excerpt!r}")
        return reply


def _volume(item: _Object, rate_type: str, start: date, end: date | None) -> int:
    """What a line item was contracted to deliver; ValueError where it does not say, or is paid by something else."""
    if rate_type not in _RATE_TYPES:
        raise ValueError(f"it is paid by {rate_type}, and not by {', '.join(_RATE_TYPES)}")
    if rate_type == "CPD":
        if end is None:
            raise ValueError("it is paid by the day, and has no last one")
        return (end - start).days + 1
    goal = item.get("goal") or {}
    is_lifetime = goal.get("goalType") == "LIFETIME"
    volume = count(item.get("contractedUnitsBought")) or (count(goal.get("units")) if is_lifetime else None)
    if not volume or volume < 0:
        raise ValueError("it has neither a contracted quantity nor a lifetime goal")
    return volume


def _money(value: Any) -> tuple[Decimal, str]:
    """An amount of the common type Money: whole units, and 1e-9 units beside them."""
    units, nanos = count(value.get("units")) or 0, count(value.get("nanos")) or 0
    return Decimal(units) + Decimal(nanos).scaleb(-9), str(value["currencyCode"])


def _value(cell: _Object) -> str:
    """The one value of a report's cell, as text; an empty cell is an empty text."""
    if len(cell) > 1 or not cell.keys() <= {"intValue", "stringValue", "doubleValue"}:
        raise ValueError(f"a cell that holds {sorted(cell)}")
    return text(next(iter(cell.values()), "")) or ""


def _last_part(name: Any) -> str:
    """The id at the end of a resource name."""
    return str(name).rpartition("/")[2]
