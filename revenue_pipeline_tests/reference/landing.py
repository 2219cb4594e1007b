"""Schema `raw`: which rows of the landing folders are usable, what they say, and why the others are not."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from revenue_pipeline_tests.reference.rules import Rates, Rules, converted, rate_on
from revenue_pipeline_tests.reference.values import (
    COUNTS,
    INSTANTS,
    JSON,
    MONEY,
    ONE_DAY,
    READERS,
    Row,
    is_finite,
    is_readable,
    money,
    to_count,
    to_number,
    units,
)

Landed = Mapping[str, str | None]
Texts = dict[str, str | None]

GRAIN = ("app_id", "platform", "country", "ad_format", "ad_unit_id")
CURRENCIES = frozenset({"USD", "EUR", "GBP", "JPY", "CNY", "INR"})  # of ISO 4217, those that the worlds use
LARGEST_COUNT = 2**63 - 1
LARGEST_OF_A_ROW = 10**18 - 1  # units that fit DECIMAL(18,9)
LARGEST_TOTAL = 10**38 - 1  # units that fit DECIMAL(38,9)


@dataclass(frozen=True)
class Dataset:
    """One line of the contract's table of landing files.

    `day` is the column whose day the folder bears, empty where the folder bears the day of delivery; `raw_day` is the
    column of `raw` that holds the folder's day; `id` are the columns of which "once per folder day" holds; `converted`
    is the money that `raw` also has in the reporting currency, where it has to fit `largest`; `rate_day` is the column
    of the day of its exchange rate, where that is another one.
    """

    columns: Sequence[str]
    required: Sequence[str]
    day: str = ""
    raw_day: str = ""
    id: Sequence[str] = ()
    converted: str = ""
    rate_day: str = ""
    largest: int = LARGEST_TOTAL


DATASETS: Mapping[str, Dataset] = {
    "events": Dataset(
        columns=(
            *("event_id", "event_name", "event_time", "user_id", "app_id", "platform", "country", "channel"),
            *("campaign_id", "partner", "ad_format", "ad_unit_id", "container_id", "creative_id", "is_automated"),
            *("revenue", "currency", "properties"),
        ),
        required=("event_id", "event_name", "event_time"),
        converted="revenue",
        largest=LARGEST_OF_A_ROW,
    ),
    "costs": Dataset(
        columns=(
            *("cost_date", "channel", "campaign_id", "app_id", "platform", "country", "cost", "currency"),
            *("impressions", "clicks", "installs"),
        ),
        required=("cost_date", "channel", "cost", "currency"),
        day="cost_date",
        raw_day="cost_date",
        converted="cost",
    ),
    "partner_revenue": Dataset(
        columns=("partner", "report_date", "revenue", "currency", *GRAIN, "user_id", "impressions", "clicks"),
        required=("partner", "report_date", "revenue"),
        day="report_date",
        converted="revenue",
    ),
    "fx_rates": Dataset(
        columns=("rate_date", "currency", "rate"),
        required=("rate_date", "currency", "rate"),
        day="rate_date",
        raw_day="rate_date",
        id=("currency",),
    ),
    "message_sends": Dataset(
        columns=(
            *("message_id", "sent_at", "contact_id", "creative_id", "offer_id", "campaign_id", "sending_list"),
            *("segments", "custom"),
        ),
        required=("message_id", "sent_at", "contact_id", "segments"),
        day="sent_at",
        raw_day="send_date",
        id=("message_id",),
    ),
    "link_clicks": Dataset(
        columns=("click_id", "message_id", "clicked_at"),
        required=("click_id", "message_id", "clicked_at"),
        day="clicked_at",
        raw_day="click_date",
        id=("click_id",),
    ),
    "manual_revenue": Dataset(
        columns=("click_id", "amount", "date", "currency"),
        required=("click_id", "amount", "date"),
        day="date",
        raw_day="date",
        converted="amount",
    ),
    "conversions": Dataset(
        columns=(
            *("partner", "conversion_id", "click_id", "offer_id", "payout", "currency", "converted_at", "status"),
            "updated_at",
        ),
        required=("partner", "conversion_id", "payout", "currency", "converted_at"),
        day="converted_at",
        raw_day="report_date",
        id=("partner", "conversion_id"),
        converted="payout",
    ),
    "line_items": Dataset(
        columns=(
            *("line_item_id", "proposal_id", "proposal_status", "rate_type", "net_rate", "gross_rate", "currency"),
            *("contracted_volume", "start_date", "end_date"),
        ),
        required=("line_item_id", "rate_type", "net_rate", "currency", "contracted_volume", "start_date"),
        raw_day="folder_date",
        id=("line_item_id",),
        rate_day="start_date",
    ),
    "line_item_delivery": Dataset(
        columns=("delivery_date", "line_item_id", "ad_unit_id", "custom_criteria", "impressions", "clicks"),
        required=("delivery_date", "line_item_id", "ad_unit_id", "impressions"),
        day="delivery_date",
        raw_day="delivery_date",
    ),
    "invoices": Dataset(
        columns=("invoice_id", "partner", "period_start", "period_end", "amount", "currency"),
        required=("invoice_id", "partner", "period_start", "period_end", "amount", "currency"),
        raw_day="folder_date",
        id=("invoice_id",),
        converted="amount",
        rate_day="period_end",
    ),
}
FOLDED: Mapping[str, Callable[[str], str]] = {
    "country": str.upper,
    "platform": str.lower,
    "ad_format": str.lower,
    # Words that the contract names, in its writing of them.
    "status": str.lower,
    "proposal_status": str.lower,
    "rate_type": str.upper,
}
COLUMNS = {name: list(dataset.columns) for name, dataset in DATASETS.items()}


@dataclass(frozen=True)
class LandedFile:
    """One file of `<landing>/<dataset>/date=<folder>/<name>`: an empty one is a file that holds no rows."""

    dataset: str
    folder: date
    name: str
    rows: Sequence[Landed] = ()


def trimmed(dataset: str, landed: Landed) -> Texts:
    """
    "Empty text is NULL after trimming, in every format. `country` is upper case, `platform` and `ad_format` lower
    case, on both sides of every match."
    """
    row = {column: (landed.get(column) or "").strip() or None for column in COLUMNS[dataset]}
    for column, folded in FOLDED.items():
        if text := row.get(column):
            row[column] = folded(text)
    return row


# Rejection --------------------------------------------------------------------------------------------------------


def first_true(checks: Mapping[str, Callable[[], bool]]) -> str | None:
    """ "`reason` is the first of: …": each check may rely on those before it having passed."""
    return next((reason for reason, applies in checks.items() if applies()), None)


def why_rejected(dataset: str, row: Landed, folder: date, rules: Rules) -> str | None:
    """
    "`reason` is the first of: `missing_column`, `unreadable` (required or optional), `bad_estimate` (negative or not
    finite), `unknown_currency` (not ISO 4217), `out_of_range` (after conversion, by column type; …), `unknown_partner`
    (in `partner_revenue` only), `wrong_day` (folder and row disagree, in the reporting zone), `outside_arrival_window`.
    Other money that is not finite is `unreadable`." "On `ad_impression` rows `revenue` is … the estimate."
    """
    is_estimate = row.get("event_name") == "ad_impression"
    currency = currency_of(dataset, row, rules)
    return first_true(
        {
            "missing_column": lambda: any(row[column] is None for column in DATASETS[dataset].required),
            "unreadable": lambda: has_unreadable(row) or not (is_estimate or has_finite_money(row)),
            "bad_estimate": lambda: is_estimate and not has_good_estimate(row),
            "unknown_currency": lambda: currency is not None and currency not in CURRENCIES,
            "out_of_range": lambda: is_out_of_range(dataset, row, folder, rules),
            "unknown_partner": lambda: dataset == "partner_revenue" and row["partner"] not in rules.partners,
            "wrong_day": lambda: bool(DATASETS[dataset].day) and own_day(dataset, row, folder, rules) != folder,
            "outside_arrival_window": lambda: dataset == "events" and is_outside_window(row, folder, rules),
        }
    )


def currency_of(dataset: str, row: Landed, rules: Rules) -> str | None:
    """ "A row without a currency is in the reporting currency (partner rows: in the partner's configured one)." """
    if dataset == "partner_revenue" and row["currency"] is None:
        return rules.partner(str(row["partner"])).currency
    return row.get("currency")


def has_unreadable(row: Landed) -> bool:
    return not all(is_readable(column, text) for column, text in row.items())


def has_finite_money(row: Landed) -> bool:
    return all(is_finite(text) for column, text in row.items() if column in (*MONEY, "rate"))


def has_good_estimate(row: Landed) -> bool:
    return is_finite(row["revenue"]) and to_number(row["revenue"] or "0") >= 0


def is_out_of_range(dataset: str, row: Landed, folder: date, rules: Rules) -> bool:
    """
    "`out_of_range` (after conversion, by column type; counts from 0 to 2^63-1; rates above 0)": money as landed fits
    `DECIMAL(38,9)`. A row that no rate converts is not out of range: where it is used the partition fails, where it is
    rejected for another reason nobody needs its rate.
    """
    if row.get("rate") is not None and to_number(str(row["rate"])) <= 0:
        return True
    counts = [to_count(text) for column, text in row.items() if column in COUNTS and text is not None]
    if not all(0 <= count <= LARGEST_COUNT for count in counts):
        return True
    amounts = [to_number(text) for column, text in row.items() if column in MONEY and text is not None]
    if any(abs(units(amount)) > LARGEST_TOTAL for amount in amounts):
        return True
    amount = row.get(DATASETS[dataset].converted)
    if amount is None:
        return False
    day, currency = own_day(dataset, row, folder, rules), currency_of(dataset, row, rules)
    try:
        return abs(converted(to_number(amount), currency, day, rules)) > DATASETS[dataset].largest
    except StopIteration:
        return False


def own_day(dataset: str, row: Landed, folder: date, rules: Rules) -> date:
    """
    "The rate's day is the row's own day (`event_date`, `report_date`, `cost_date`, conversion day, manual `date`,
    invoice `period_end`, line item `start_date`)."
    """
    column = "event_time" if dataset == "events" else DATASETS[dataset].day or DATASETS[dataset].rate_day
    if not column:
        return folder
    value = READERS[column](str(row[column]))
    return rules.day_of(value) if column in INSTANTS else value


def event_day(row: Landed, rules: Rules) -> date:
    """ "`event_date`: calendar day of `event_time` in the reporting time zone." """
    return own_day("events", row, date.min, rules)


def is_outside_window(row: Landed, folder: date, rules: Rules) -> bool:
    """ "Event day `d` is read from folders `d-1 … d+1+late_arrival_days`", seen from the folder."""
    first, last = folder - ONE_DAY * (1 + rules.late_arrival_days), folder + ONE_DAY
    return not first <= event_day(row, rules) <= last


def rejected_rows(landing: Sequence[LandedFile], rules: Rules, days: Iterable[date]) -> list[Row]:
    """
    "A row that cannot be used goes to `raw.rejected_rows`, recorded once, by the partition of its folder's date."
    One row here for each (dataset, folder_date, file, reason), with how many landed rows it stands for.
    """
    days = set(days)
    counts: dict[tuple[str, date, str, str], int] = defaultdict(int)
    for file in landing:
        for landed in file.rows if file.folder in days else ():
            if reason := why_rejected(file.dataset, trimmed(file.dataset, landed), file.folder, rules):
                counts[file.dataset, file.folder, file.name, reason] += 1
    names = ("dataset", "folder_date", "file", "reason")
    return [dict(zip(names, key, strict=True)) | {"rows": count} for key, count in counts.items()]


# Tables -----------------------------------------------------------------------------------------------------------


def usable(landing: Sequence[LandedFile], dataset: str, rules: Rules) -> list[tuple[date, Texts]]:
    """Give the folder and the texts of every row that no reason rejects."""
    rows = [
        (file.folder, trimmed(dataset, landed)) for file in landing if file.dataset == dataset for landed in file.rows
    ]
    return [(folder, row) for folder, row in rows if why_rejected(dataset, row, folder, rules) is None]


def values_of(row: Landed) -> Row:
    """ "`raw` keeps amounts as landed": money with its 9 digits, JSON as text."""
    values: Row = {column: READERS.get(column, str)(text) if text else None for column, text in row.items()}
    for column in MONEY:
        if values.get(column) is not None:
            values[column] = money(units(values[column]))
    return values | {column: to_json(row[column]) for column in JSON if row.get(column) is not None}


def to_json(text: str | None) -> str:
    """JSON that says the same is the same, however it is spaced."""
    return json.dumps(json.loads(str(text)))


def once_a_folder(dataset: str, rows: Iterable[tuple[date, Row]]) -> list[tuple[date, Row]]:
    """
    "Other datasets with an id: once per folder day, the greatest by content (normalised values)": of conversions the
    one that counts, "in its latest state (`updated_at`, else `converted_at`)", and by content where two are as late.
    """
    same: dict[tuple[Any, ...], list[tuple[date, Row]]] = defaultdict(list)
    for number, (folder, row) in enumerate(rows):
        identity = tuple(row[column] for column in DATASETS[dataset].id) or (number,)
        same[folder, identity].append((folder, row))

    def greatness(each: tuple[date, Row]) -> tuple[Any, ...]:
        row = each[1]
        return (lateness(row) if dataset == "conversions" else None, *content(dataset, row))

    return [alike[0] if len(alike) == 1 else max(alike, key=greatness) for alike in same.values()]


def lateness(conversion: Row) -> datetime:
    """How late the state of a conversion is: "`updated_at`, else `converted_at`"."""
    latest: datetime = conversion["updated_at"] or conversion["converted_at"]
    return latest


def content(dataset: str, row: Row) -> tuple[Any, ...]:
    """What tells which of two rows is the greater: their values, column by column, no value below any other."""
    values = [row[column] for column in COLUMNS[dataset]]
    return tuple((value is not None, 0 if value is None else value) for value in values)


def fx_rates(landing: Sequence[LandedFile], rules: Rules) -> Rates:
    """ "It is looked up in the `fx_rates` folders …, whether or not those days were materialised." """
    rows = [(folder, values_of(row)) for folder, row in usable(landing, "fx_rates", rules)]
    return {(row["currency"], folder): row["rate"] for folder, row in once_a_folder("fx_rates", rows)}


def events(landing: Sequence[LandedFile], rules: Rules, days: Iterable[date]) -> list[Row]:
    """
    "Events with one `event_id` on one `event_date` are one event, the earliest `event_time`, then the smallest by its
    declared columns as text, NULLs last; the same id on two days is two events."
    """
    days = set(days)
    same: dict[tuple[date, str], list[Row]] = defaultdict(list)
    for _, row in usable(landing, "events", rules):
        day = event_day(row, rules)
        if day in days:
            same[day, str(row["event_id"])].append(_event(row, day, rules))
    return [min(rows, key=order_of_events) for rows in same.values()]


def _event(row: Texts, day: date, rules: Rules) -> Row:
    """
    "The rate's day is the row's own day." "A partner's impressions are matched on the partner's day, whatever the
    reporting zone is."
    """
    event = values_of(row)
    zone = rules.partner(event["partner"] or "unknown").zone
    amount = None if event["revenue"] is None else money(converted(event["revenue"], event["currency"], day, rules))
    return {
        "event_date": day,
        "report_date": event["event_time"].astimezone(ZoneInfo(zone)).date(),
        **event,
        "reporting_revenue": amount,
    }


def order_of_events(event: Row) -> tuple[Any, ...]:
    """ "The earliest `event_time`, then the smallest by its declared columns as text, NULLs last." """
    values = [event[column] for column in COLUMNS["events"]]
    texts = [f"{value:f}" if isinstance(value, Decimal) else str(value) for value in values]
    return event["event_time"], *((value is None, text) for value, text in zip(values, texts, strict=True))


def partner_revenue(landing: Sequence[LandedFile], rules: Rules, days: Iterable[date]) -> list[Row]:
    """
    "`raw.partner_revenue` also has the converted amount and our ids." "`ids`, a mapping of its app, ad unit or user ids
    to ours."
    """
    days = set(days)
    rows = usable(landing, "partner_revenue", rules)
    return [_partner_row(row, folder, rules) for folder, row in rows if folder in days]


def _partner_row(row: Texts, day: date, rules: Rules) -> Row:
    ids = rules.partner(str(row["partner"])).ids
    amount, currency = to_number(str(row["revenue"])), currency_of("partner_revenue", row, rules)
    ours = {column: ids.get(column, {}).get(row[column] or "", row[column]) for column in (*GRAIN, "user_id")}
    counts = {
        column: None if row[column] is None else to_count(str(row[column])) for column in ("impressions", "clicks")
    }
    return {
        "report_date": day,
        "partner": row["partner"],
        **ours,
        **counts,
        "revenue": money(converted(amount, currency, day, rules)),
        "original_revenue": money(units(amount)),
        "original_currency": currency,
    }


def landed_rows(landing: Sequence[LandedFile], dataset: str, rules: Rules, days: Iterable[date]) -> list[Row]:
    """
    Give the table of a dataset that has no rules of its own: "once per folder day" where it has an id, with
    `reporting_<money>` "converted per row, rounded half away from zero to 9 digits"; a line item, whose "rate x volume
    is computed in the original currency, then converted", with the rate itself.
    """
    days = set(days)
    facts = DATASETS[dataset]
    rows = [(folder, values_of(row)) for folder, row in usable(landing, dataset, rules) if folder in days]
    found = []
    for folder, row in once_a_folder(dataset, rows):
        amounts: Row = {}
        if facts.converted:
            rate_day = row[facts.rate_day] if facts.rate_day else folder
            amount = converted(row[facts.converted], row["currency"], rate_day, rules)
            amounts[f"reporting_{facts.converted}"] = money(amount)
        if dataset == "conversions":
            amounts["event_date"] = folder
        if dataset == "line_items":
            amounts["exchange_rate"] = rate_on(row["start_date"], row["currency"], rules)
        found.append({**row, facts.raw_day: folder, **amounts})
    return found


def newest(dataset: str, rows: Iterable[Row]) -> dict[str, Row]:
    """ "Across days the newest wins where `core` reads them": of each id the row of the latest folder day."""
    facts = DATASETS[dataset]
    found: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: row[facts.raw_day]):
        found[row[facts.id[0]]] = row
    return found
