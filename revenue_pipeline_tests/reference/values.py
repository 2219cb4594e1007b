"""How a value is read, rounded, added and divided: in whole units of the ninth digit, or in fractions."""

import json
import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

Row = dict[str, Any]

ONE_DAY = timedelta(days=1)
UNITS = 10**9  # of money in one unit of currency


def to_instant(text: str) -> datetime:
    """ "ISO 8601 or timestamp; no zone means UTC." """
    instant = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return instant.astimezone(timezone.utc) if instant.tzinfo else instant.replace(tzinfo=timezone.utc)


def to_number(text: str) -> Decimal:
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)", text, re.IGNORECASE):
        raise ValueError(text)
    return Decimal(text)


def to_count(text: str) -> int:
    """A number without a fraction, however it is written: spreadsheets write a million as 1E+06."""
    number = to_number(text)
    if not number.is_finite() or number != int(number):
        raise ValueError(text)
    return int(number)


def to_boolean(text: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[text.lower()]


INSTANTS = ("event_time", "sent_at", "clicked_at", "converted_at", "updated_at")
DAYS = (
    *("report_date", "rate_date", "cost_date", "date", "start_date", "end_date", "delivery_date"),
    *("period_start", "period_end"),
)
MONEY = ("revenue", "cost", "amount", "payout", "net_rate", "gross_rate")
COUNTS = ("impressions", "clicks", "installs", "segments", "contracted_volume")
JSON = ("properties", "custom")
READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(INSTANTS, to_instant),
    **dict.fromkeys(DAYS, date.fromisoformat),
    **dict.fromkeys((*MONEY, "rate"), to_number),
    **dict.fromkeys(COUNTS, to_count),
    **dict.fromkeys(JSON, json.loads),
    "is_automated": to_boolean,
    "proposal_status": {"sold": "sold", "unsold": "unsold", "retracted": "retracted"}.__getitem__,
    "rate_type": {"CPM": "CPM", "CPC": "CPC", "CPD": "CPD"}.__getitem__,
}
"""How the text of a column is read, by its name; every other column is text."""


def is_readable(column: str, text: str | None) -> bool:
    try:
        READERS.get(column, str)(text or "")
    except (ValueError, KeyError):
        return text is None
    return True


def is_finite(text: str | None) -> bool:
    return text is None or to_number(text).is_finite()


def units(exact: Fraction | Decimal) -> int:
    """ "Rounded half away from zero to 9 digits", as a number of units of the ninth digit."""
    above, below = exact.as_integer_ratio()
    size = (2 * abs(above) * UNITS + below) // (2 * below)
    return size if above >= 0 else -size


def money(amount: int) -> Decimal:
    return Decimal(f"{amount}E-9")


def total(amounts: Iterable[Decimal]) -> Decimal:
    return money(sum(units(amount) for amount in amounts))


def ratio(
    above: Fraction | Decimal | int | None, below: Fraction | Decimal | int | None, times: int = 1
) -> float | None:
    """ "Sum over sum, NULL when the denominator is 0 or missing." """
    return float(Fraction(above) / Fraction(below) * times) if below and above is not None else None


def proportional(whole: int, weights: Iterable[Fraction | Decimal | int]) -> list[Fraction]:
    """Give each weight its exact share of a number of units; the weights sum to more than 0."""
    exact = [Fraction(weight) for weight in weights]
    for_each_weight = whole / sum(exact, Fraction(0))
    return [for_each_weight * weight for weight in exact]
