"""The data contract once more, in plain Python: slow, exact, and sharing nothing with the product.

What belongs here: one function per table, each following the contract's sentences, over rows as they landed.
What does not: anything of `revenue_pipeline`. The two ways of computing a number must not know each other.

Rows are dicts. Landed values are text or None, whatever the format of their file was; amounts of money are `Decimal`
with 9 digits after the point, and every sum, product and split is done in integers or fractions of such units.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]
Key = tuple[str | None, ...]
Rates = Mapping[tuple[str, date], Decimal]

ONE_DAY = timedelta(days=1)
UNITS = 10**9  # of money in one unit of currency
GRAIN = ("app_id", "platform", "country", "ad_format", "ad_unit_id")
COLUMNS = {
    "events": [
        *("event_id", "event_name", "event_time", "user_id", "app_id", "platform", "country", "channel", "campaign_id"),
        *("partner", "ad_format", "ad_unit_id", "container_id", "creative_id", "is_automated", "revenue", "currency"),
        "properties",
    ],
    "partner_revenue": ["partner", "report_date", "revenue", "currency", *GRAIN, "user_id", "impressions", "clicks"],
    "fx_rates": ["rate_date", "currency", "rate"],
}
REQUIRED = {
    "events": ("event_id", "event_name", "event_time"),
    "partner_revenue": ("partner", "report_date", "revenue"),
    "fx_rates": ("rate_date", "currency", "rate"),
}
CURRENCIES = frozenset({"USD", "EUR", "GBP", "JPY", "CNY", "INR"})  # of ISO 4217, those that the worlds use
LARGEST_COUNT = 2**63 - 1
LARGEST_EVENT_AMOUNT = 10**18 - 1  # units that fit DECIMAL(18,9)
LARGEST_AMOUNT = 10**38 - 1  # units that fit DECIMAL(38,9)


@dataclass(frozen=True)
class LandedFile:
    """One file of `<landing>/<dataset>/date=<folder>/<name>`: an empty one is a file that holds no rows."""

    dataset: str
    folder: date
    name: str
    rows: Sequence[Mapping[str, str | None]] = ()


@dataclass(frozen=True)
class PartnerRules:
    """How one partner's impressions are matched: of the settings, or of a partner that they do not name."""

    granularity: str
    grain: tuple[str, ...]
    zone: str
    currency: str
    window: int
    ids: Mapping[str, Mapping[str, str]]

    @property
    def is_user_level(self) -> bool:
        return self.granularity == "user_level"


class Rules:
    """What the settings say, as people write them, with the rates that landed and the day that a run believes it is."""

    def __init__(self, settings: Mapping[str, Any], rates: Rates, as_of: date) -> None:
        self._settings = settings
        self.rates = rates
        self._as_of = as_of
        reporting = settings.get("reporting", {})
        self.zone: str = reporting.get("timezone", "UTC")
        self.currency: str = reporting.get("currency", "USD")
        self.late_arrival_days: int = settings.get("events", {}).get("late_arrival_days", 2)
        self.partners = {name: self._partner(partner) for name, partner in settings.get("partners", {}).items()}

    def _partner(self, partner: Mapping[str, Any]) -> PartnerRules:
        return PartnerRules(
            partner.get("granularity", "aggregated"),
            tuple(partner.get("grain", ())),
            partner.get("timezone") or self.zone,
            partner.get("currency") or self.currency,
            partner.get("import_window_days") or self._settings.get("import_window_days", 3),
            partner.get("ids", {}),
        )

    def partner(self, name: str) -> PartnerRules:
        """
        "Impressions that name an unconfigured partner, or none, are treated as those of an aggregated partner with an
        empty grain, the reporting zone and the default window."
        """
        return self.partners.get(name) or self._partner({})

    def is_closed(self, partner: str, day: date) -> bool:
        """ "Day `d` is open while `as_of < d + window`, closed from `d + window` on." """
        return self._as_of >= day + ONE_DAY * self.partner(partner).window

    def discount(self, container: str | None) -> Fraction:
        """ "`mpp_discount` is a setting per container (0 to 1, default 1)." """
        discount = self._settings.get("mpp_discount", {})
        own = discount.get("containers", {})
        return Fraction(str(own[container] if container in own else discount.get("default", 1)))


# Values -----------------------------------------------------------------------------------------------------------


def trimmed(dataset: str, landed: Mapping[str, str | None]) -> dict[str, str | None]:
    """
    "Empty text is NULL after trimming, in every format. `country` is upper case, `platform` and `ad_format` lower
    case, on both sides of every match."
    """
    row = {column: (landed.get(column) or "").strip() or None for column in COLUMNS[dataset]}
    for column, folded in (("country", str.upper), ("platform", str.lower), ("ad_format", str.lower)):
        if text := row.get(column):
            row[column] = folded(text)
    return row


def to_instant(text: str) -> datetime:
    """ "ISO 8601 or timestamp; no zone means UTC." """
    instant = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return instant.astimezone(timezone.utc) if instant.tzinfo else instant.replace(tzinfo=timezone.utc)


def to_number(text: str) -> Decimal:
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)", text, re.IGNORECASE):
        raise ValueError(text)
    return Decimal(text)


def to_count(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", text):
        raise ValueError(text)
    return int(text)


def to_boolean(text: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[text.lower()]


READERS: dict[str, Callable[[str], Any]] = {
    "event_time": to_instant,
    "report_date": date.fromisoformat,
    "rate_date": date.fromisoformat,
    "is_automated": to_boolean,
    "revenue": to_number,
    "rate": to_number,
    "impressions": to_count,
    "clicks": to_count,
    "properties": json.loads,
}


def is_readable(column: str, text: str | None) -> bool:
    try:
        READERS.get(column, str)(text or "")
    except (ValueError, KeyError):
        return text is None
    return True


def units(exact: Fraction | Decimal) -> int:
    """ "Rounded half away from zero to 9 digits", as a number of units of the ninth digit."""
    scaled = Fraction(exact) * UNITS
    size = (2 * abs(scaled.numerator) + scaled.denominator) // (2 * scaled.denominator)
    return size if scaled >= 0 else -size


def money(amount: int) -> Decimal:
    return Decimal(f"{amount}E-9")


def total(amounts: Iterable[Decimal]) -> Decimal:
    return money(sum(units(amount) for amount in amounts))


def ratio(above: Fraction | Decimal | int, below: Fraction | Decimal | int, times: int = 1) -> float | None:
    """ "Sum over sum, NULL when the denominator is 0 or missing." """
    return float(Fraction(above) / Fraction(below) * times) if below else None


# Currency ---------------------------------------------------------------------------------------------------------


def rate_on(day: date, currency: str, rules: Rules) -> Decimal:
    """ "The latest rate on or before that day serves, if at most 7 days old; otherwise the partition fails." """
    if currency == rules.currency:
        return Decimal(1)
    days = [day - ONE_DAY * n for n in range(8)]
    return next(rules.rates[currency, day] for day in days if (currency, day) in rules.rates)


def converted(amount: Decimal, currency: str | None, day: date, rules: Rules) -> int:
    """
    "Converted per row, rounded half away from zero to 9 digits, then summed." "A row without a currency is in the
    reporting currency."
    """
    if currency in (None, rules.currency):
        return units(amount)
    return units(Fraction(amount) * Fraction(rate_on(day, str(currency), rules)))


def exceeds(largest: int, amount: str | None, currency: str | None, day: date, rules: Rules) -> bool:
    """
    "`out_of_range` (after conversion, by column type)": `DECIMAL(38,9)` for the amount as landed, `largest` for what it
    is in the reporting currency. A row that no rate converts is not out of range: where it is used the partition fails,
    where it is rejected for another reason nobody needs its rate.
    """
    if amount is None or abs(units(to_number(amount))) > LARGEST_AMOUNT:
        return amount is not None
    try:
        return abs(converted(to_number(amount), currency, day, rules)) > largest
    except StopIteration:
        return False


# Rejection --------------------------------------------------------------------------------------------------------


def first_true(checks: Mapping[str, Callable[[], bool]]) -> str | None:
    """ "`reason` is the first of: …": each check may rely on those before it having passed."""
    return next((reason for reason, applies in checks.items() if applies()), None)


def is_missing(dataset: str, row: Mapping[str, str | None]) -> bool:
    return any(row[column] is None for column in REQUIRED[dataset])


def has_unreadable(row: Mapping[str, str | None]) -> bool:
    return not all(is_readable(column, text) for column, text in row.items())


def is_finite(text: str | None) -> bool:
    return text is None or to_number(text).is_finite()


def event_day(row: Mapping[str, str | None], rules: Rules) -> date:
    """ "`event_date`: calendar day of `event_time` in the reporting time zone." """
    return to_instant(str(row["event_time"])).astimezone(ZoneInfo(rules.zone)).date()


def event_days_of_folder(folder: date, rules: Rules) -> tuple[date, date]:
    """ "Event day `d` is read from folders `d-1 … d+1+late_arrival_days`", seen from the folder."""
    return folder - ONE_DAY * (1 + rules.late_arrival_days), folder + ONE_DAY


def why_event_is_rejected(row: Mapping[str, str | None], folder: date, rules: Rules) -> str | None:
    """
    "`missing_column`, `unreadable` (required or optional), `bad_estimate` (negative or not finite),
    `unknown_currency` (not ISO 4217), `out_of_range` (after conversion, by column type) …, `outside_arrival_window`.
    Other money that is not finite is `unreadable`." "On `ad_impression` rows `revenue` is … the estimate."
    """
    is_estimate = row["event_name"] == "ad_impression"
    revenue, currency = row["revenue"], row["currency"]

    def is_outside() -> bool:
        first, last = event_days_of_folder(folder, rules)
        return not first <= event_day(row, rules) <= last

    return first_true(
        {
            "missing_column": lambda: is_missing("events", row),
            "unreadable": lambda: has_unreadable(row) or not (is_estimate or is_finite(revenue)),
            "bad_estimate": lambda: is_estimate and not (is_finite(revenue) and to_number(revenue or "0") >= 0),
            "unknown_currency": lambda: currency is not None and currency not in CURRENCIES,
            "out_of_range": lambda: exceeds(LARGEST_EVENT_AMOUNT, revenue, currency, event_day(row, rules), rules),
            "outside_arrival_window": is_outside,
        }
    )


def why_partner_row_is_rejected(row: Mapping[str, str | None], folder: date, rules: Rules) -> str | None:
    """ "`out_of_range` (… counts from 0 to 2^63-1), `unknown_partner`, `wrong_day` (folder and row disagree)." """

    def day() -> date:
        return date.fromisoformat(str(row["report_date"]))

    currency = row["currency"] or rules.partner(str(row["partner"])).currency
    counts = [to_count(text) for text in (row["impressions"], row["clicks"]) if text and is_readable("clicks", text)]
    return first_true(
        {
            "missing_column": lambda: is_missing("partner_revenue", row),
            "unreadable": lambda: has_unreadable(row) or not is_finite(row["revenue"]),
            "unknown_currency": lambda: currency not in CURRENCIES,
            "out_of_range": lambda: (
                exceeds(LARGEST_AMOUNT, row["revenue"], currency, day(), rules)
                or not all(0 <= count <= LARGEST_COUNT for count in counts)
            ),
            "unknown_partner": lambda: row["partner"] not in rules.partners,
            "wrong_day": lambda: day() != folder,
        }
    )


def why_rate_is_rejected(row: Mapping[str, str | None], folder: date) -> str | None:
    """ "`out_of_range` (… rates above 0), … `wrong_day`." """
    return first_true(
        {
            "missing_column": lambda: is_missing("fx_rates", row),
            "unreadable": lambda: has_unreadable(row) or not is_finite(row["rate"]),
            "unknown_currency": lambda: row["currency"] not in CURRENCIES,
            "out_of_range": lambda: to_number(str(row["rate"])) <= 0,
            "wrong_day": lambda: date.fromisoformat(str(row["rate_date"])) != folder,
        }
    )


def why_rejected(file: LandedFile, row: Mapping[str, str | None], rules: Rules) -> str | None:
    if file.dataset == "events":
        return why_event_is_rejected(row, file.folder, rules)
    if file.dataset == "partner_revenue":
        return why_partner_row_is_rejected(row, file.folder, rules)
    return why_rate_is_rejected(row, file.folder)


# raw --------------------------------------------------------------------------------------------------------------


def fx_rates(landing: Sequence[LandedFile]) -> Rates:
    """ "It is looked up in the `fx_rates` folders …, whether or not those days were materialised." """
    rates: dict[tuple[str, date], Decimal] = {}
    for file in landing:
        for row in (trimmed("fx_rates", landed) for landed in file.rows if file.dataset == "fx_rates"):
            if why_rate_is_rejected(row, file.folder) is None:
                key = str(row["currency"]), file.folder
                rates[key] = max(to_number(str(row["rate"])), rates.get(key, Decimal(0)))
    return rates


def rejected_rows(landing: Sequence[LandedFile], rules: Rules, days: Iterable[date]) -> list[Row]:
    """
    "A row that cannot be used goes to `raw.rejected_rows`, recorded once, by the partition of its folder's date."
    One row here for each (dataset, folder_date, file, reason), with how many landed rows it stands for.
    """
    days = set(days)
    counts: dict[tuple[str, date, str, str], int] = defaultdict(int)
    for file in landing:
        for landed in file.rows if file.folder in days else ():
            if reason := why_rejected(file, trimmed(file.dataset, landed), rules):
                counts[file.dataset, file.folder, file.name, reason] += 1
    names = ("dataset", "folder_date", "file", "reason")
    return [dict(zip(names, key, strict=True)) | {"rows": count} for key, count in counts.items()]


def events(landing: Sequence[LandedFile], rules: Rules, days: Iterable[date]) -> list[Row]:
    """
    "Events with one `event_id` on one `event_date` are one event, the earliest `event_time`, then the smallest by its
    declared columns as text, NULLs last; the same id on two days is two events." "`raw` keeps amounts as landed."
    """
    days = set(days)
    same: dict[tuple[date, str], list[Row]] = defaultdict(list)
    for file in (file for file in landing if file.dataset == "events"):
        for row in (trimmed("events", landed) for landed in file.rows):
            if why_event_is_rejected(row, file.folder, rules) is None and event_day(row, rules) in days:
                same[event_day(row, rules), str(row["event_id"])].append(_event(row, rules))
    return [min(rows, key=_order_of_repeats) for rows in same.values()]


def _event(row: Mapping[str, str | None], rules: Rules) -> Row:
    values: Row = {column: READERS.get(column, str)(text) if text else None for column, text in row.items()}
    if values["revenue"] is not None:
        values["revenue"] = money(units(values["revenue"]))
    return {"event_date": event_day(row, rules), **values, "properties": row["properties"]}


def _order_of_repeats(event: Row) -> tuple[Any, ...]:
    values = [event[column] for column in COLUMNS["events"]]
    texts = [f"{value:f}" if isinstance(value, Decimal) else str(value) for value in values]
    return event["event_time"], *((value is None, text) for value, text in zip(values, texts, strict=True))


def partner_revenue(landing: Sequence[LandedFile], rules: Rules, days: Iterable[date]) -> list[Row]:
    """
    "`raw.partner_revenue` also has the converted amount and our ids." "A row without a currency is in … (partner rows:
    in the partner's configured one)." "`ids`, a mapping of its app, ad unit or user ids to ours."
    """
    days = set(days)
    files = (file for file in landing if file.dataset == "partner_revenue" and file.folder in days)
    rows = ((file.folder, trimmed("partner_revenue", landed)) for file in files for landed in file.rows)
    return [
        _partner_row(row, folder, rules)
        for folder, row in rows
        if why_partner_row_is_rejected(row, folder, rules) is None
    ]


def _partner_row(row: Mapping[str, str | None], day: date, rules: Rules) -> Row:
    partner = rules.partner(str(row["partner"]))
    amount, currency = to_number(str(row["revenue"])), row["currency"] or partner.currency
    ours = {column: partner.ids.get(column, {}).get(row[column] or "", row[column]) for column in (*GRAIN, "user_id")}
    counts = {column: None if row[column] is None else int(str(row[column])) for column in ("impressions", "clicks")}
    return {
        "report_date": day,
        "partner": row["partner"],
        **ours,
        **counts,
        "revenue": money(converted(amount, currency, day, rules)),
        "original_revenue": money(units(amount)),
        "original_currency": currency,
    }


# core -------------------------------------------------------------------------------------------------------------


def key_of(row: Row, partner: PartnerRules) -> Key:
    """ "`key` = the partner's grain columns, plus `user_id` for user-level partners; columns outside it are NULL." """
    grain = [row[column] if column in partner.grain else None for column in GRAIN]
    return *grain, row["user_id"] if partner.is_user_level else None


def impressions_by_key(events: Iterable[Row], rules: Rules) -> dict[tuple[date, str, Key], list[Row]]:
    """
    "A partner's impressions are matched on the partner's day, whatever the reporting zone is." "Where none is named,
    the partner is the text `unknown`." "The ledger of day `d` reads the `raw.events` days `d-1 … d+1` that are loaded."
    The estimate is converted at the rate of "the row's own day (`event_date`)".
    """
    found: dict[tuple[date, str, Key], list[Row]] = defaultdict(list)
    for event in (event for event in events if event["event_name"] == "ad_impression"):
        name = event["partner"] or "unknown"
        partner = rules.partner(name)
        day = event["event_time"].astimezone(ZoneInfo(partner.zone)).date()
        if abs(event["event_date"] - day) > ONE_DAY:
            continue
        estimate = event["revenue"]
        if estimate is not None:
            estimate = money(converted(estimate, event["currency"], event["event_date"], rules))
        found[day, name, key_of(event, partner)].append({**event, "partner": name, "estimate": estimate})
    return found


def reconciled_estimates(
    impressions: Mapping[tuple[date, str, Key], list[Row]],
    imported: Iterable[Row],
    rules: Rules,
    days: Iterable[date],
) -> list[Row]:
    """
    "The verification ledger, one row per (report_date, partner, key)." "NULL matches NULL in grain columns; a NULL
    `user_id` matches nothing (impressions and partner rows without one stay two rows)." "Several partner rows with one
    key are added up first."
    """
    partner_rows: dict[tuple[date, str, Key], list[Row]] = defaultdict(list)
    for row in imported:
        partner_rows[row["report_date"], row["partner"], key_of(row, rules.partner(row["partner"]))].append(row)
    ledger, days = [], set(days)
    for day, name, key in [*impressions, *(key for key in partner_rows if key not in impressions)]:
        sides = [(impressions.get((day, name, key), []), partner_rows.get((day, name, key), []))]
        if rules.partner(name).is_user_level and key[-1] is None:
            sides = [(sides[0][0], []), ([], sides[0][1])]
        for seen, reported in sides:
            if day in days and (seen or reported):
                ledger.append(_ledger_row((day, name, key), seen, reported, rules))
    return ledger


def _ledger_row(where: tuple[date, str, Key], seen: list[Row], reported: list[Row], rules: Rules) -> Row:
    """The five situations of the contract's table, in its order."""
    day, name, key = where
    partner = rules.partner(name)
    estimates = [row["estimate"] for row in seen if row["estimate"] is not None]
    imported = total(row["revenue"] for row in reported) if reported else None
    counted = [row["impressions"] for row in reported if row["impressions"] is not None]
    if reported and seen:
        status, settled = "verified", imported
    elif reported and not partner.is_user_level:
        status, settled = "unallocated", imported
    elif reported:
        status, settled = "dropped", money(0)
    elif not rules.is_closed(name, day):
        status, settled = "estimated", total(estimates)
    else:
        status, settled = "expired", money(0)
    return {
        "report_date": day,
        "partner": name,
        "granularity": partner.granularity,
        **dict(zip((*GRAIN, "user_id"), key, strict=True)),
        "sdk_impressions": len(seen),
        "estimated_impressions": len(estimates),
        "estimated_revenue": total(estimates),
        "partner_impressions": sum(counted) if counted else None,
        "imported_revenue": imported,
        "status": status,
        "settled_revenue": settled,
    }


def exact_shares(whole: Decimal, estimates: Sequence[Decimal | None]) -> list[Fraction]:
    """
    "The weight is the estimate, and an impression without one weighs the exact mean of those that have one. Otherwise
    equal weights." "With n impressions, k of them estimated, summing to E: one without an estimate gets T/n, the
    others T*k*e/(n*E)." In units of the ninth digit.
    """
    given = [Fraction(estimate) for estimate in estimates if estimate is not None]
    if not any(given):
        return [Fraction(units(whole), len(estimates)) for _ in estimates]
    mean = sum(given, Fraction(0)) / len(given)
    weights = [mean if estimate is None else Fraction(estimate) for estimate in estimates]
    for_each_weight = units(whole) / sum(weights, Fraction(0))
    return [for_each_weight * weight for weight in weights]


def split(whole: Decimal, estimates: Sequence[Decimal | None]) -> list[Decimal]:
    """
    "The parts sum to the whole to the last of the 9 digits; each part is within one unit of the last digit of its exact
    share; which rows carry the leftover units depends on `(event_date, event_id)` alone. Negative totals split the same
    way." Here the first rows in that order carry one unit each; the caller gives the rows in that order.
    """
    shares = exact_shares(whole, estimates)
    parts = [int(share) for share in shares]  # int() goes towards zero, for negative shares too
    left = units(whole) - sum(parts)
    unit = 1 if left > 0 else -1
    return [money(part + (unit if n < abs(left) else 0)) for n, part in enumerate(parts)]


def allocated_revenue(
    ledger: Iterable[Row], impressions: Mapping[tuple[date, str, Key], list[Row]], rules: Rules
) -> list[Row]:
    """
    "`verified` keys: one row per matching impression, zero shares included. `estimated` keys: one row per impression
    that has an estimate, with it. `unallocated` keys: one row with `event_id`, `user_id`, `event_time` NULL and
    `event_date = report_date`. `expired` and `dropped` keys: no rows."
    """
    rows = []
    for entry in ledger:
        day, name, status = entry["report_date"], entry["partner"], entry["status"]
        if status == "unallocated":
            rows.append({**_allocated(entry, entry), "event_date": day, "allocation": status, "user_id": None})
        if status not in ("verified", "estimated"):
            continue
        seen = impressions[day, name, key_of(entry, rules.partner(name))]
        seen = sorted(seen, key=lambda event: (event["event_date"], event["event_id"]))
        estimates = [event["estimate"] for event in seen]
        if status == "estimated":
            how, amounts = "sdk_estimate", estimates
        else:
            how = "estimate_weighted" if entry["estimated_revenue"] > 0 else "impression_weighted"
            amounts = split(entry["settled_revenue"], estimates)
        rows += [
            {**_allocated(entry, event), "revenue": amount, "allocation": how}
            for event, amount in zip(seen, amounts, strict=True)
            if amount is not None
        ]
    return rows


def _allocated(entry: Row, source: Row) -> Row:
    of_the_row = ("event_date", "event_id", "event_time", "user_id", *GRAIN, "container_id", "creative_id")
    return {
        "report_date": entry["report_date"],
        "partner": entry["partner"],
        **{column: source.get(column) for column in of_the_row},
        "revenue": entry["settled_revenue"],
        "status": entry["status"],
    }


def revenue_conservation(ledger: Iterable[Row], imported: Iterable[Row], allocated: Iterable[Row]) -> list[Row]:
    """
    "The certificate, one row per (report_date, partner) with anything on it": `difference = imported - verified -
    unallocated - dropped`, `allocation_difference = allocated - verified - unallocated - estimated`.
    """
    sums: dict[tuple[date, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in imported:
        sums[row["report_date"], row["partner"]]["imported"] += units(row["revenue"])
    for row in allocated:
        sums[row["report_date"], row["partner"]]["allocated"] += units(row["revenue"])
    for row in ledger:
        column = {"dropped": "imported_revenue", "expired": "estimated_revenue"}.get(row["status"], "settled_revenue")
        sums[row["report_date"], row["partner"]][row["status"]] += units(row[column])
    names = ("imported", "verified", "unallocated", "dropped", "estimated", "expired", "allocated")
    return [
        {
            "report_date": day,
            "partner": name,
            **{f"{column}_revenue": money(of[column]) for column in names},
            "difference": money(of["imported"] - of["verified"] - of["unallocated"] - of["dropped"]),
            "allocation_difference": money(of["allocated"] - of["verified"] - of["unallocated"] - of["estimated"]),
        }
        for (day, name), of in sums.items()
    ]


# reports ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Opens:
    """Whose opens were used, how many there were and how many of them machines made."""

    level: str
    opens: int
    automated: int


def count(rows: Iterable[Row], name: str, is_automated: bool | None = None) -> int:
    return sum(row["event_name"] == name and is_automated in (None, bool(row["is_automated"])) for row in rows)


def opens_of(rows: Iterable[Row], level: str) -> Opens:
    rows = list(rows)
    return Opens(level, count(rows, "open"), count(rows, "open", is_automated=True))


def container_opens(rows: Iterable[Row]) -> Opens:
    """
    "Its opens are the opens recorded on the container itself, or the sum over its placements where there are none."
    """
    rows = list(rows)
    own = opens_of((row for row in rows if row["ad_unit_id"] is None), "container")
    return own if own.opens else opens_of((row for row in rows if row["ad_unit_id"] is not None), "placement")


def placement_opens(rows: Iterable[Row], of_container: Iterable[Row]) -> Opens:
    """ "A placement without opens of its own uses its container's." """
    own = opens_of(rows, "placement")
    if own.opens:
        return own
    containers = container_opens(of_container)
    return Opens("container", containers.opens, containers.automated)


def engagement(events: Iterable[Row], allocated: Iterable[Row], rules: Rules) -> list[Row]:
    """
    What `reports.rpm` and `reports.ctr` share: "(event_date, level, container_id, ad_unit_id), `level` = `placement` |
    `container` (`ad_unit_id` NULL)". "A container's ads, clicks and revenue are the sums over its placements. Rows
    without a container are kept under NULL; ads, clicks and money without an ad unit belong to the container row only."
    """
    names = ("ad_served", "ad_impression", "open", "ad_click")
    of_container: dict[tuple[date, str | None], tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    of_placement: dict[tuple[date, str | None, str], tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    told = [(0, row) for row in events if row["event_name"] in names]
    for kind, row in [*told, *((1, row) for row in allocated)]:
        of_container[row["event_date"], row["container_id"]][kind].append(row)
        if row["ad_unit_id"] is not None:
            of_placement[row["event_date"], row["container_id"], row["ad_unit_id"]][kind].append(row)
    rows = []
    for (day, container), (seen, paid) in of_container.items():
        key = {"event_date": day, "level": "container", "container_id": container, "ad_unit_id": None}
        rows.append(key | _metrics(container, container_opens(seen), seen, paid, rules))
    for (day, container, unit), (seen, paid) in of_placement.items():
        key = {"event_date": day, "level": "placement", "container_id": container, "ad_unit_id": unit}
        opens = placement_opens(seen, of_container[day, container][0])
        rows.append(key | _metrics(container, opens, seen, paid, rules))
    return rows


def _metrics(container: str | None, opens: Opens, seen: list[Row], paid: list[Row], rules: Rules) -> Row:
    """
    "`adjusted_opens = opens - automated_opens * mpp_discount`; `clicks` leaves automated ones out." "`is_final` is true
    when every (partner, report_date) of the row's money is closed, and when it has none."
    """
    return {
        "served_ads": count(seen, "ad_served"),
        "impressions": count(seen, "ad_impression"),
        "opens": opens.opens,
        "automated_opens": opens.automated,
        "adjusted_opens": opens.opens - opens.automated * rules.discount(container),
        "clicks": count(seen, "ad_click", is_automated=False),
        "automated_clicks": count(seen, "ad_click", is_automated=True),
        "revenue": total(row["revenue"] for row in paid),
        "estimated_revenue": total(row["revenue"] for row in paid if row["status"] == "estimated"),
        "is_final": all(rules.is_closed(row["partner"], row["report_date"]) for row in paid),
        "opens_level": opens.level,
    }


def rpm(cells: Iterable[Row]) -> list[Row]:
    """ "`rpm = revenue / adjusted_opens * 1000`", "`ecpm = revenue / impressions * 1000`." """
    return [
        {
            **cell,
            "rpm": ratio(cell["revenue"], cell["adjusted_opens"], 1000),
            "ecpm": ratio(cell["revenue"], cell["impressions"], 1000),
        }
        for cell in cells
    ]


def ctr(cells: Iterable[Row]) -> list[Row]:
    """ "`ctr = clicks / adjusted_opens`." """
    return [{**cell, "ctr": ratio(cell["clicks"], cell["adjusted_opens"])} for cell in cells]


def tables(
    landing: Sequence[LandedFile], settings: Mapping[str, Any], days: Iterable[date], as_of: date
) -> dict[str, list[Row]]:
    """Give every table as it is once each of `days` has been run again after everything it reads."""
    rules, days = Rules(settings, fx_rates(landing), as_of), sorted(set(days))
    raw_events = events(landing, rules, days)
    imported = partner_revenue(landing, rules, days)
    impressions = impressions_by_key(raw_events, rules)
    ledger = reconciled_estimates(impressions, imported, rules, days)
    allocated = allocated_revenue(ledger, impressions, rules)
    cells = engagement(raw_events, allocated, rules)
    return {
        "raw.events": raw_events,
        "raw.rejected_rows": rejected_rows(landing, rules, days),
        "raw.partner_revenue": imported,
        "core.reconciled_estimates": ledger,
        "core.allocated_revenue": allocated,
        "core.revenue_conservation": revenue_conservation(ledger, imported, allocated),
        "reports.rpm": rpm(cells),
        "reports.ctr": ctr(cells),
    }
