"""Imports what a partner reports, day by day, and books each day as one batch that replaces the one before.

Fetching needs no warehouse and happens outside its lock. A day that cannot be had keeps what was there. What is fetched
is the same for all kinds of rows; where they go is said by the `DESTINATIONS`, and a batch may fill several tables.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone
from decimal import Context, Decimal
from typing import Any

import duckdb

from revenue_pipeline.partitions import Window, is_closed
from revenue_pipeline.partners import base
from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import ExchangeRateRow, PartnerError, Row, content_id, import_day
from revenue_pipeline.partners.http import HttpOptions
from revenue_pipeline.raw.accounts import kinds_of, landing_rules, open_connector
from revenue_pipeline.raw.conversions import CONVERSIONS
from revenue_pipeline.raw.costs import IMPORTED_COSTS
from revenue_pipeline.raw.destination import LARGEST_TOTAL, Booking, Destination, Value
from revenue_pipeline.raw.exchange_rates import ExchangeRates
from revenue_pipeline.raw.files import LandingError, LandingFolder
from revenue_pipeline.raw.line_items import IMPORTED_DELIVERY, IMPORTED_LINE_ITEMS
from revenue_pipeline.raw.partner_revenue import REVENUE, landed_rows
from revenue_pipeline.raw.published_rates import land_rates
from revenue_pipeline.settings import MappedColumn, Settings
from revenue_pipeline.warehouse import Column, Log, Table, append, quoted, remember_written, replace_window

DESTINATIONS: Mapping[type[Row], Destination] = {
    each.row: each for each in (REVENUE, CONVERSIONS, IMPORTED_COSTS, IMPORTED_LINE_ITEMS, IMPORTED_DELIVERY)
}
"""Kind of row -> where it goes. A new kind of row is one more of them."""

PARTNER_IMPORTS = Table(
    "raw.partner_imports",
    "report_date",
    (
        Column("report_date", "DATE", "The day that was asked for."),
        Column("partner", "VARCHAR", "The partner that was asked."),
        Column("imported_at", "TIMESTAMP", "When, in UTC."),
        Column("as_of", "DATE", "The day the run believed it was."),
        Column("import_id", "VARCHAR", "The batch that came; NULL when the import failed."),
        Column("rows", "BIGINT", "Its rows."),
        Column("revenue", "DECIMAL(38,9)", "Its ad revenue in the reporting currency; NULL where partners give none."),
        Column("is_changed", "BOOLEAN", "Whether its content differed from the batch before; NULL when it failed."),
        Column("error", "VARCHAR", "Why the import failed, and what to do; NULL when it did not."),
    ),
    "The log of imports: one row for each time a partner was asked for a day, whatever came of it.",
)

_EXACT = Context(prec=76)
_SHORT_PATIENCE = HttpOptions(attempts=2, read_timeout=30, longest_answer=30, patience=30)  # a schedule's tick waits
_WIDEST_ZONES_APART = 1  # days: the partner's day and the reporting zone's day of one instant

Line = Mapping[str, Value]


@dataclass(frozen=True)
class Batch:
    """One imported partner day: the lines for each table that its partner fills, those without any included.

    `warnings` are what a person should know of the day although it came; `landed` counts what was written as a file.
    """

    report_date: date
    import_id: str
    lines: Mapping[Destination, Sequence[Line]]
    warnings: Sequence[str] = ()
    landed: int = 0

    @property
    def rows(self) -> int:
        """How many rows came in all."""
        return self.landed + sum(map(len, self.lines.values()))

    @property
    def revenue(self) -> Decimal | None:
        """The sum of its ad revenue, in the reporting currency; None for a partner that gives none."""
        return self.sum_of(REVENUE) if REVENUE in self.lines else None

    def sum_of(self, destination: Destination) -> Decimal:
        """Add up the money of one table."""
        total = Decimal(0)
        for line in self.lines[destination]:
            total = _EXACT.add(total, line[destination.money])  # type: ignore[arg-type]  # money columns hold decimals
        return total


@dataclass(frozen=True)
class FailedDay:
    """A day that could not be imported, and why."""

    report_date: date
    error: str


def destinations(settings: Settings, partner: str) -> list[Destination]:
    """Give the tables that a partner fills, the one that its import is told by first; rates are landed instead."""
    return [DESTINATIONS[kind] for kind in kinds_of(settings, partner) if kind is not ExchangeRateRow]


def fetch_batches(
    settings: Settings, partner: str, days: Sequence[date], as_of: date, log: Log
) -> list[Batch | FailedDay]:
    """Ask a partner, or read its landed files, for `days`; a day without a landed folder gives nothing at all."""
    if not days:
        return []
    connector = open_connector(settings, partner)
    archive, rules = Archive(settings.storage.archive), landing_rules(settings)
    window = Window.between(min(days), max(days)).widened(_WIDEST_ZONES_APART, _WIDEST_ZONES_APART)
    rates = ExchangeRates(partner, LandingFolder(settings.storage.landing), rules, window)

    finished = itertools.count(1)

    def progress(day: date) -> str:
        return f"{partner} {day} ({next(finished)} of {len(days)})"

    def fetch(day: date) -> Batch | FailedDay | None:
        try:
            booking = Booking(day, settings.reporting.timezone, rates)
            if connector is None:
                landed = landed_rows(settings, partner, day)
                if landed is None:
                    next(finished)
                    return None
                batch = _batch(settings, partner, landed, content_id(partner, day, landed), booking)
            else:
                came = import_day(connector, day, as_of, archive)
                rates_published = [row for row in came.rows if isinstance(row, ExchangeRateRow)]
                land_rates(settings, partner, rates_published)
                batch = _batch(settings, partner, came.rows, came.import_id, booking)
                batch = replace(batch, warnings=came.warnings, landed=len(rates_published))
        except (PartnerError, LandingError) as error:
            log.info(f"{progress(day)}: failed: {error}")
            return FailedDay(day, str(error))
        log.info(f"{progress(day)}: {_told(batch, settings.reporting.currency)}")
        for warning in batch.warnings:
            log.warning(f"{partner} {day}: {warning}")
        return batch

    with ThreadPoolExecutor(connector.concurrent_days if connector else 1) as pool:
        return [outcome for outcome in pool.map(fetch, days) if outcome is not None]


def restated_days(settings: Settings, partner: str, since: date, until: date) -> set[date] | None:
    """Ask a partner which of its days changed from `since` to `until`, both included; None where it cannot say.

    Raises:
        PartnerError: it did not answer.
    """
    connector = open_connector(settings, partner)
    if connector is None:
        return None
    return base.restated_days(connector, since, until, Archive(settings.storage.archive), _SHORT_PATIENCE)


def told_days(settings: Settings, since: date, until: date, log: Log) -> set[date]:
    """Give the `restated_days` of all partners that can say, without those still open: refreshes ask for these anyway.

    `log` is told of a partner that did not answer.
    """
    days: set[date] = set()
    for partner in settings.partners:
        try:
            told = restated_days(settings, partner, since, until) or set()
            days |= {day for day in told if is_closed(day, until, settings.window_days(partner))}
        except PartnerError as error:  # noqa: PERF203  a few partners, each of several calls
            log.warning(f"which days changed is not known: {error}")
    return days


def book(
    connection: duckdb.DuckDBPyConnection, partner: str, outcomes: Iterable[Batch | FailedDay], as_of: date
) -> None:
    """Replace each imported day of the partner, keep what differs as history, and log every outcome."""
    # To the instant of the import, not of the day it is for: the one value that a repeated run changes.
    imported_at = datetime.now(timezone.utc).replace(tzinfo=None)
    for outcome in outcomes:
        if isinstance(outcome, Batch):
            _book_batch(connection, partner, outcome, as_of, imported_at)
        else:
            _log_import(connection, partner, outcome.report_date, as_of, imported_at, error=outcome.error)


def _batch(settings: Settings, partner: str, rows: Sequence[Row], import_id: str, booking: Booking) -> Batch:
    ids = settings.partners[partner].ids
    lines: dict[Destination, list[Line]] = {each: [] for each in destinations(settings, partner)}
    for row in rows:
        if destination := DESTINATIONS.get(type(row)):
            lines[destination].append(destination.line(_with_our_ids(row, ids), booking))
    batch = Batch(booking.report_date, import_id, lines)
    if large := _too_large(batch):
        raise PartnerError(
            f"{partner} {booking.report_date}: {large} is more than its column can hold.",
            "Check the unit and the currency that the partner reports in.",
        )
    return batch


def _too_large(batch: Batch) -> str | None:
    for destination, lines in batch.lines.items():
        for line in lines:
            if large := destination.too_large(line):
                return large
        if destination.money and (total := batch.sum_of(destination)).copy_abs() >= LARGEST_TOTAL:
            return f"the sum of {destination.money}, {total:f},"
    return None


def _with_our_ids(row: Row, ids: Mapping[MappedColumn, Mapping[str, str]]) -> Row:
    ours: dict[str, Any] = {
        column: mapping.get(getattr(row, column) or "", getattr(row, column))
        for column, mapping in ids.items()
        if hasattr(row, column)
    }
    return replace(row, **ours) if ours else row


def _told(batch: Batch, currency: str) -> str:
    parts = [f"{batch.landed} rows landed"] if batch.landed else []
    for destination, lines in batch.lines.items():
        money = f", {batch.sum_of(destination)} {currency}" if destination.money else ""
        parts.append(f"{len(lines)} rows of {destination.row.dataset}{money}")
    return "; ".join(parts) or "nothing"


def _book_batch(
    connection: duckdb.DuckDBPyConnection, partner: str, batch: Batch, as_of: date, imported_at: datetime
) -> None:
    is_changed = _last_import_id(connection, partner, batch.report_date) != batch.import_id
    window = Window.of_day(batch.report_date)
    for destination, lines in batch.lines.items():
        names = [column.name for column in destination.table.columns]
        types = [column.type for column in destination.table.columns]
        columns = ", ".join(f"CAST(row.{name} AS {kind}) AS {name}" for name, kind in zip(names, types, strict=True))
        structure = json.dumps([dict.fromkeys(names, "VARCHAR")])
        whole = [destination.whole_line(line, partner, batch.import_id, imported_at) for line in lines]
        # As text, so that no reader makes a float of it.
        select = f"SELECT {columns} FROM (SELECT unnest(from_json($rows, {quoted(structure)})) AS row)"
        values = {"rows": json.dumps(whole)}
        only = destination.slice_of(partner)
        replace_window(connection, destination.table, select, values, window, as_of, only=only)
        if is_changed and destination.history:
            append(connection, destination.history, select, values)
    _log_import(
        connection,
        partner,
        batch.report_date,
        as_of,
        imported_at,
        import_id=batch.import_id,
        rows=batch.rows,
        revenue=batch.revenue,
        is_changed=is_changed,
    )


def _last_import_id(connection: duckdb.DuckDBPyConnection, partner: str, day: date) -> str | None:
    found = connection.execute(
        "SELECT arg_max(import_id, imported_at) FROM raw.partner_imports "
        "WHERE partner = ? AND report_date = ? AND import_id IS NOT NULL",
        [partner, day],
    ).fetchall()
    return str(found[0][0]) if found[0][0] is not None else None


def _log_import(
    connection: duckdb.DuckDBPyConnection,
    partner: str,
    day: date,
    as_of: date,
    imported_at: datetime,
    **outcome: str | int | Decimal | bool | None,
) -> None:
    values = {
        "report_date": day,
        "partner": partner,
        "imported_at": imported_at,
        "as_of": as_of,
        **dict.fromkeys(("import_id", "rows", "revenue", "is_changed", "error")),
        **outcome,
    }
    columns = ", ".join(f"CAST(${column.name} AS {column.type}) AS {column.name}" for column in PARTNER_IMPORTS.columns)
    append(connection, PARTNER_IMPORTS, f"SELECT {columns}", values)
    remember_written(connection, PARTNER_IMPORTS.name, Window.of_day(day), as_of)
