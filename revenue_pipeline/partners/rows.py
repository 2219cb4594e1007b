"""The kinds of rows that connectors give. A kind is one dataclass here and one destination in `raw`.

What a field may hold follows from its type: text is trimmed (empty: None), a `Decimal` is exact and finite, an `int`
is a count, a `datetime` has a time zone and becomes UTC. A field without `None` in its type must hold something.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, timezone
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from functools import lru_cache
from types import NoneType
from typing import Any, ClassVar, TypeVar, get_args, get_type_hints
from zoneinfo import ZoneInfo

_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)  # never rounds
_LARGEST_COUNT = 2**63 - 1
_LARGEST_EXPONENT = 28  # 29 digits before the point: what DECIMAL(38,9) holds
_MOST_DECIMALS = 1_000  # 1e-999999999 is a few bytes in an answer, and a gigabyte written out


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(ABC):
    """One row of a partner's day. None where the partner does not say.

    dataset: the landing dataset that holds the same kind of rows, and the table of `raw` they go to.
    lower_case, upper_case: the text fields that are kept so.
    """

    dataset: ClassVar[str]
    lower_case: ClassVar[frozenset[str]] = frozenset()
    upper_case: ClassVar[frozenset[str]] = frozenset({"currency"})

    @abstractmethod
    def day_in(self, zone: ZoneInfo) -> date | None:
        """The day it belongs to where days are those of `zone`; None for a row that belongs to whatever day it is of.

        A batch of one day holds no row of another one.
        """


R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueRow(Row):
    """What a partner reports for one combination of its columns on one of its days.

    `revenue` is exact, in `currency` (ISO 4217), as the partner wrote it: negative for a correction, never rounded.
    """

    dataset: ClassVar[str] = "partner_revenue"
    lower_case: ClassVar[frozenset[str]] = frozenset({"platform", "ad_format"})
    upper_case: ClassVar[frozenset[str]] = frozenset({"country", "currency"})

    report_date: date
    app_id: str | None = None
    platform: str | None = None
    country: str | None = None
    ad_format: str | None = None
    ad_unit_id: str | None = None
    user_id: str | None = None
    impressions: int | None = None
    clicks: int | None = None
    revenue: Decimal
    currency: str

    def day_in(self, zone: ZoneInfo) -> date:
        """The day the partner books it on."""
        return self.report_date


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionRow(Row):
    """One conversion of an affiliate network in its present state.

    conversion_id: names it within the partner, and stays the same while its state changes.
    click_id: our click, as it was handed to the network. payout: what we earn by it, in `currency`, whatever its state.
    converted_at, updated_at: instants. status: the network's own word.
    """

    dataset: ClassVar[str] = "conversions"
    lower_case: ClassVar[frozenset[str]] = frozenset({"status"})

    conversion_id: str
    click_id: str | None = None
    offer_id: str | None = None
    payout: Decimal
    currency: str
    converted_at: datetime
    status: str | None = None
    updated_at: datetime | None = None

    def day_in(self, zone: ZoneInfo) -> date:
        """The partner's day of `converted_at`."""
        return self.converted_at.astimezone(zone).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow(Row):
    """What an advertising channel charges for one campaign on one of its days, by what else its rows are split.

    `cost` is exact, in `currency`, as the channel wrote it. channel: as in the events of the users it won.
    """

    dataset: ClassVar[str] = "costs"
    lower_case: ClassVar[frozenset[str]] = frozenset({"platform"})
    upper_case: ClassVar[frozenset[str]] = frozenset({"country", "currency"})

    cost_date: date
    channel: str
    campaign_id: str | None = None
    app_id: str | None = None
    platform: str | None = None
    country: str | None = None
    cost: Decimal
    currency: str
    impressions: int | None = None
    clicks: int | None = None
    installs: int | None = None

    def day_in(self, zone: ZoneInfo) -> date:
        """The day the channel books it on."""
        return self.cost_date


@dataclass(frozen=True, slots=True, kw_only=True)
class LineItemRow(Row):
    """A line item as it is booked on the day that it was asked for.

    proposal_status: sold, unsold or retracted. rate_type: CPM, CPC or CPD. net_rate, gross_rate: in `currency`, for a
    thousand impressions, a click or a day. contracted_volume: impressions, clicks or days.
    """

    dataset: ClassVar[str] = "line_items"
    lower_case: ClassVar[frozenset[str]] = frozenset({"proposal_status"})
    upper_case: ClassVar[frozenset[str]] = frozenset({"rate_type", "currency"})

    line_item_id: str
    proposal_id: str | None = None
    proposal_status: str | None = None
    rate_type: str
    net_rate: Decimal
    gross_rate: Decimal | None = None
    currency: str
    contracted_volume: int
    start_date: date
    end_date: date | None = None

    def day_in(self, zone: ZoneInfo) -> None:
        """None: it is booked for many days, and may be asked for on any of them and after."""
        return


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow(Row):
    """What a line item delivered on one day in one ad unit, under one key-value or under none. Rows are disjoint."""

    dataset: ClassVar[str] = "line_item_delivery"

    delivery_date: date
    line_item_id: str
    ad_unit_id: str
    custom_criteria: str | None = None
    impressions: int
    clicks: int | None = None

    def day_in(self, zone: ZoneInfo) -> date:
        """The day the ad server counts it on."""
        return self.delivery_date


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRateRow(Row):
    """How many units of the reporting currency one unit of `currency` is worth, as published for `rate_date`."""

    dataset: ClassVar[str] = "fx_rates"

    rate_date: date
    currency: str
    rate: Decimal

    def day_in(self, zone: ZoneInfo) -> None:
        """None: asked for a day without rates, a publisher gives those of the last day before it."""
        return


def normalised(row: R, day: date, zone: ZoneInfo) -> R:
    """The row as it is stored; ValueError for one that cannot be true, or is not of that day in `zone`."""
    read = {name: _read(row, name, *kind) for name, kind in _kinds(type(row)).items()}
    row = type(row)(**read)  # every field is in it, and `replace` takes twice as long
    own_day = row.day_in(zone)
    if own_day not in (None, day):
        raise ValueError(f"a row of {own_day} where {day} was asked for")
    return row


def canonical(row: Row) -> str:
    """A text that is equal for rows that say the same; the zeros at the end of an amount do not matter."""
    return json.dumps([row.dataset, *(_plain(getattr(row, name)) for name in _kinds(type(row)))])


@lru_cache
def _kinds(kind: type[Row]) -> Mapping[str, tuple[type, bool]]:
    """Field -> its type without None, and whether it must hold something."""
    hints = get_type_hints(kind)
    types = {field.name: set(get_args(hints[field.name])) or {hints[field.name]} for field in fields(kind)}
    return {name: (next(iter(choice - {NoneType})), NoneType not in choice) for name, choice in types.items()}


def _read(row: Row, name: str, kind: type, is_required: bool) -> Any:
    value = getattr(row, name)
    read = None if value is None else _text(row, name) if kind is str else _READERS[kind](value)
    if read is None and is_required:
        raise ValueError(f"a row without {name}")
    return read


def _text(row: Row, name: str) -> str | None:
    given: str = getattr(row, name)
    given.encode()  # refuses the half characters that a broken JSON escape leaves and that no file can hold
    value = given.strip()
    value = value.lower() if name in row.lower_case else value.upper() if name in row.upper_case else value
    if name == "currency" and not re.fullmatch("[A-Z]{3}", value):
        raise ValueError(f"{given!r} is not a currency")
    return value or None


def _money(value: Any) -> Decimal:
    if not (isinstance(value, Decimal) and value.is_finite() and value.adjusted() <= _LARGEST_EXPONENT):
        raise ValueError(f"{value!r} is not an amount of money")
    if value.as_tuple().exponent < -_MOST_DECIMALS:  # type: ignore[operator]  # a finite one has a number for it
        raise ValueError(f"{value!r} has more than {_MOST_DECIMALS} decimals")
    return value


def _count(value: Any) -> int:
    if not 0 <= value <= _LARGEST_COUNT:
        raise ValueError(f"{value!r} is not a count")
    return int(value)


def _day(value: Any) -> date:
    if type(value) is not date:
        raise ValueError(f"{value!r} is not a day")
    return value


def _instant(value: Any) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError(f"{value!r} is not an instant")
    return value.astimezone(timezone.utc)


_READERS: Mapping[type, Callable[[Any], Any]] = {Decimal: _money, int: _count, date: _day, datetime: _instant}


def _plain(value: Any) -> str | int | None:
    if isinstance(value, Decimal):
        return str(_EXACT.normalize(value)) if value else "0"
    return value.isoformat() if isinstance(value, date) else value
