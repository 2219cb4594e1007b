"""Reads landing files: every format into the same typed rows, and for every row that cannot be used, the reason why.

`files` turns files into relations of native columns (Parquet) or of texts (CSV, NDJSON), `values` reads the declared
fields from them; here the rules are put together, and the first one that a row breaks is its reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from zoneinfo import ZoneInfo

import duckdb

from revenue_pipeline.partitions import Window
from revenue_pipeline.raw.datasets import Dataset, Field, Kind
from revenue_pipeline.raw.files import FILE, FOLDER_DATE, Source, sources
from revenue_pipeline.raw.values import (
    converted_amount,
    day_in,
    exchange_rate,
    is_native,
    product_is_too_large,
    read,
    trimmed,
)
from revenue_pipeline.settings import CURRENCY_CODES
from revenue_pipeline.warehouse import Column, identifier, quoted

_FLAG = re.compile(r"\w+_(missing|unreadable|out_of_range)")


@dataclass(frozen=True)
class Rules:
    """What the reading depends on besides the files.

    Attributes:
        timezone: the reporting time zone.
        currency: the reporting currency.
        partner_timezones: for the days that partners book ad revenue on.
        partner_currencies: what a row of a `files` partner is in when it does not say; its keys are the partners
            whose rows may be landed as files.
        late_arrival_days: how many days after its own an event may be received.
    """

    timezone: str = "UTC"
    currency: str = "USD"
    partner_timezones: Mapping[str, str] = field(default_factory=dict)
    partner_currencies: Mapping[str, str] = field(default_factory=dict)
    late_arrival_days: int = 2


@dataclass(frozen=True)
class LandedRows:
    """SQL over the rows of some landing files.

    Attributes:
        usable: those that break no rule, in the raw table's columns.
        rejected: the others, with reasons.
        rate_days: the days whose exchange rates the rows need; reads no rate itself.
    """

    usable: str
    rejected: str
    rate_days: str


def day_start(day: date, zone: str) -> datetime:
    """Give the instant at which `day` begins in the time zone `zone`, as a UTC time without a zone."""
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return local.astimezone(timezone.utc).replace(tzinfo=None)


def read_landed(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    files: Sequence[str],
    rules: Rules,
    within: Window | None = None,
) -> LandedRows:
    """Describe the rows of `files` as SQL; nothing is read yet but headers and schemas.

    Where the dataset has money in it, the SQL reads the temporary table that `load_exchange_rates` makes.

    Args:
        connection: the SQL is valid on it only.
        dataset: what the files hold.
        files: their paths, as `LandingFolder.files` gives them.
        rules: what else decides how a row is read.
        within: skips rows of other days where that is cheap to see; they may still be given.

    Raises:
        LandingError: a file cannot be read; names it.
    """
    readings = [_Reading(dataset, source, rules, within) for source in sources(connection, files)]
    usable = " UNION ALL BY NAME ".join(reading.usable for reading in readings) or _no_rows(dataset)
    rejected = " UNION ALL ".join(part for reading in readings for part in reading.rejected)
    nothing = "SELECT NULL AS folder_date, NULL AS file, NULL AS reason, NULL AS field, NULL AS landed_row WHERE FALSE"
    days = " UNION ".join(reading.rate_days for reading in readings if dataset.needs_rates)
    return LandedRows(usable, rejected or nothing, days or "SELECT CAST(NULL AS DATE) AS rate_day WHERE FALSE")


class _Reading:
    """The SQL that reads one source as rows of one dataset."""

    def __init__(self, dataset: Dataset, source: Source, rules: Rules, within: Window | None) -> None:
        self._dataset = dataset
        self._source = source
        self._rules = rules
        self._within = within
        self._is_ndjson = "line" in source.types and source.types["line"][1] == "NDJSON"

    @property
    def usable(self) -> str:
        """The rows that break no rule, in the columns of the raw table."""
        columns = ", ".join(self._stored(each) for each in self._dataset.table.columns)
        return f"SELECT {columns} FROM ({self._judged}) WHERE reason IS NULL"

    @property
    def rate_days(self) -> str:
        """The days of rows in other currencies; a day at the end of the calendar has no week before it, nor a rate."""
        day = self._dataset.rate_day
        return (
            f"SELECT DISTINCT {day} AS rate_day FROM ({self._days_added}) "
            f"WHERE {day} BETWEEN DATE '0001-01-08' AND DATE '9999-12-31' "
            f"AND {self._row_currency} <> {quoted(self._rules.currency)}"
        )

    @property
    def rejected(self) -> list[str]:
        """The rows that break a rule: folder_date, file, reason, field, landed_row."""
        written = f"{self._broken_field} AS field, {self._source.as_json} AS landed_row"
        parts = [f"SELECT folder_date, file, reason, {written} FROM ({self._judged}) WHERE reason IS NOT NULL"]
        if self._source.broken:
            relation, line = self._source.broken
            parts.append(
                f"SELECT {FOLDER_DATE} AS folder_date, {FILE} AS file, 'unreadable' AS reason, NULL AS field, "
                f"CAST(to_json({line}) AS VARCHAR) AS landed_row FROM {relation}"
            )
        return parts

    def _stored(self, column: Column) -> str:
        """A column of the raw table: as it was read, as it is given for all landed rows, or refused without a rate."""
        dataset, name = self._dataset, column.name
        if name in dataset.given:
            return f"CAST({dataset.given[name]} AS {column.type}) AS {name}"
        if dataset.converted and name == dataset.converted[1]:
            return f"{self._or_no_rate(name, dataset.converted[0])} AS {name}"
        if name == dataset.rate_column:
            return f"{self._or_no_rate(name)} AS {name}"
        return name

    @property
    def _judged(self) -> str:
        """Every row with its values, and with the first rule that it breaks as its reason."""
        return f"SELECT *, {self._reason} AS reason FROM ({self._dated})"

    @property
    def _dated(self) -> str:
        """Every row with the days it belongs to, its exchange rate and its amount in the reporting currency."""
        dataset, rules = self._dataset, self._rules
        if not dataset.needs_rates:
            return self._days_added
        is_ours = f"{self._row_currency} = {quoted(rules.currency)}"
        priced = ""
        if dataset.converted:
            money, converted = dataset.converted
            amount = converted_amount(money, "rate_units")
            kind = dataset.fields_by_name[money].kind.type
            priced += f", TRY_CAST(CASE WHEN {is_ours} THEN {money} ELSE {amount} END AS {kind}) AS {converted}"
        if dataset.rate_column:
            rate = exchange_rate("rate_units")
            priced += f", CASE WHEN {is_ours} THEN CAST(1 AS {Kind.RATE.type}) ELSE {rate} END AS {dataset.rate_column}"
        return (
            f"SELECT *{priced} FROM ({self._days_added}) LEFT JOIN exchange_rates "
            f"ON rate_day = {dataset.rate_day} AND rate_currency = {self._row_currency}"
        )

    @property
    def _days_added(self) -> str:
        """Every row with the days it belongs to."""
        dataset, rules = self._dataset, self._rules
        if dataset.day is None or dataset.day == dataset.day_column:
            return self._typed
        dated = f"SELECT *, {day_in(rules.timezone, dataset.day)} AS {dataset.day_column} FROM ({self._typed})"
        if dataset.name == "events":
            by_partner = " ".join(
                f"WHEN {quoted(partner)} THEN {day_in(zone, 'event_time')}"
                for partner, zone in rules.partner_timezones.items()
                if zone != rules.timezone
            )
            report_date = f"CASE partner {by_partner} ELSE event_date END" if by_partner else "event_date"
            return f"SELECT *, {report_date} AS report_date FROM ({dated})"
        return dated

    @property
    def _row_currency(self) -> str:
        default = quoted(self._rules.currency)
        if self._dataset.name == "partner_revenue" and self._rules.partner_currencies:
            known = " ".join(f"WHEN {quoted(p)} THEN {quoted(c)}" for p, c in self._rules.partner_currencies.items())
            default = f"CASE partner {known} ELSE {default} END"
        return f"coalesce(currency, {default})"

    def _or_no_rate(self, priced: str, money: str | None = None) -> str:
        """The column `priced`, or an error where the row has money and there is no rate."""
        message = (
            f"'no exchange rate for ' || {self._row_currency} || ' on ' || "
            f"CAST({self._dataset.rate_day} AS VARCHAR) || "
            f"' or in the 7 days before: land it under fx_rates and run the day again'"
        )
        has_money = f"{money} IS NOT NULL AND " if money else ""
        return f"CASE WHEN {has_money}{priced} IS NULL THEN error({message}) ELSE {priced} END"

    @property
    def _typed(self) -> str:
        """Every row with its fields read: `name`, and for some fields `name_unreadable`, `name_out_of_range`."""
        columns = [part for each in self._dataset.fields for part in read(each, *self._physical(each))]
        return f"SELECT {', '.join(columns)}, folder_date, file, landed_row FROM ({self._texts})"

    @property
    def _texts(self) -> str:
        """Every row with each field as a trimmed text, or as it is where its native type is the declared one."""
        texts = [f"{self._text(each)} AS {each.name}_text" for each in self._dataset.fields]
        return (
            f"SELECT {', '.join(texts)}, {FOLDER_DATE} AS folder_date, {FILE} AS file, "
            f"{self._source.landed_row} AS landed_row FROM {self._relation}"
        )

    @property
    def _relation(self) -> str:
        column, physical = self._source.types.get("event_time", ("", ""))
        if self._within is None or physical != "TIMESTAMP":
            return self._parsed
        first, end = (day_start(day, self._rules.timezone) for day in (self._within.start, self._within.end))
        return f"{self._parsed} WHERE {column} >= TIMESTAMP '{first}' AND {column} < TIMESTAMP '{end}'"

    @property
    def _parsed(self) -> str:
        if not self._is_ndjson:
            return self._source.relation
        structure = json.dumps({each.name: "VARCHAR" for each in self._dataset.fields if not each.kind.is_json})
        return f"(SELECT *, from_json(exact_line, {quoted(structure)}) AS fields FROM {self._source.relation})"

    def _physical(self, each: Field) -> tuple[str, str]:
        kind = "VARCHAR" if self._is_ndjson else self._source.types.get(each.name, ("", "VARCHAR"))[1]
        return f"{each.name}_text", kind if is_native(each.kind, kind) else "VARCHAR"

    def _json_text(self, each: Field) -> str:
        if not each.kind.is_json:
            # An object or a list stays as it was written, without the quotes around its numbers.
            value = f"fields.{identifier(each.name)}"
            as_written = f"(line ->> {quoted(f'$.{each.name}')})"
            return trimmed(f"CASE WHEN left({value}, 1) IN ('{{', '[') THEN {as_written} ELSE {value} END")
        path = quoted(f"$.{each.name}")
        return f"CASE json_type(line, {path}) WHEN 'NULL' THEN NULL ELSE {trimmed(f'(line ->> {path})')} END"

    def _text(self, each: Field) -> str:
        if self._is_ndjson:
            return self._json_text(each)
        if each.name not in self._source.types:
            return "CAST(NULL AS VARCHAR)"
        column, physical = self._source.types[each.name]
        if is_native(each.kind, physical):
            return column
        if physical == "VARCHAR":
            return trimmed(column)
        if each.kind.is_json and (physical.startswith(("STRUCT", "MAP")) or physical.endswith("]")):
            return f"CAST(to_json({column}) AS VARCHAR)"
        return trimmed(f"CAST({column} AS VARCHAR)")

    @property
    def _reason(self) -> str:
        """The first rule that a row breaks, as SQL."""
        conditions: dict[str, list[str]] = {}
        for reason, _, condition in self._rules_in_order:
            conditions.setdefault(reason, []).append(f"({condition})")
        whens = (f"WHEN {' OR '.join(breaking)} THEN '{reason}'" for reason, breaking in conditions.items())
        return f"CASE {' '.join(whens)} END"

    @property
    def _broken_field(self) -> str:
        """The first field that breaks that rule, as SQL."""
        whens = (f"WHEN {condition} THEN '{name}'" for _, name, condition in self._rules_in_order)
        return f"CASE {' '.join(whens)} END"

    @property
    def _rules_in_order(self) -> list[tuple[str, str, str]]:
        """Every rule as its reason, the field it is about, and the condition under which a row breaks it."""
        dataset, fields = self._dataset, self._dataset.fields
        broken = [("missing_column", each.name, f"{each.name}_missing") for each in fields if each.required]
        broken += [("unreadable", each.name, f"{each.name}_unreadable") for each in fields]
        if dataset.name == "events":
            estimate = "event_name = 'ad_impression' AND (revenue_not_finite OR revenue_negative)"
            broken.append(("bad_estimate", "revenue", estimate))
        if "currency" in dataset.fields_by_name:
            known = ", ".join(map(quoted, sorted(CURRENCY_CODES)))
            broken.append(("unknown_currency", "currency", f"currency NOT IN ({known})"))
        broken += [("out_of_range", each.name, f"{each.name}_out_of_range") for each in fields]
        if dataset.converted:
            money, converted = dataset.converted
            # Without a rate the amount is NULL as well, which is not the row's fault.
            condition = f"{money} IS NOT NULL AND {converted} IS NULL AND rate_units IS NOT NULL"
            broken.append(("out_of_range", money, condition))
        for money, volume in dataset.multiplied:
            broken.append(("out_of_range", money, product_is_too_large(money, volume, "rate_units")))
        if dataset.name == "partner_revenue":
            partners = ", ".join(map(quoted, self._rules.partner_currencies))
            broken.append(("unknown_partner", "partner", f"partner NOT IN ({partners})" if partners else "TRUE"))
        if dataset.name == "events":
            late = self._rules.late_arrival_days
            condition = f"date_diff('day', event_date, folder_date) NOT BETWEEN -1 AND {late + 1}"
            broken.append(("outside_arrival_window", "event_time", condition))
        elif dataset.day:
            broken.append(("wrong_day", dataset.day, f"{dataset.day_column} <> folder_date"))
        flags = {name for part in fields for name in _flags(part, self._physical(part)[1])}
        return [rule for rule in broken if not _is_flag(rule[2]) or rule[2] in flags]


def _is_flag(condition: str) -> bool:
    return _FLAG.fullmatch(condition) is not None


def _flags(each: Field, physical: str) -> list[str]:
    """Name the flags that `_read` gives for a field."""
    return [part.rpartition(" AS ")[2] for part in read(each, f"{each.name}_text", physical)[1:]]


def _no_rows(dataset: Dataset) -> str:
    columns = ", ".join(f"CAST(NULL AS {column.type}) AS {column.name}" for column in dataset.table.columns)
    return f"SELECT {columns} WHERE FALSE"
