"""Imports what a partner reports, day by day, and books each day as one batch that replaces the one before.

Fetching needs no warehouse and happens outside its lock. A day that cannot be had keeps what was there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache

import duckdb

from revenue_pipeline.partitions import Window
from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import Connector, PartnerError, RevenueRow, content_id, import_day
from revenue_pipeline.raw.accounts import landing_rules, open_connector
from revenue_pipeline.raw.datasets import PARTNER_REVENUE_FILES
from revenue_pipeline.raw.exchange_rates import load_exchange_rates
from revenue_pipeline.raw.files import LandingError, LandingFolder
from revenue_pipeline.raw.landing import read_landed
from revenue_pipeline.settings import MappedColumn, Settings
from revenue_pipeline.warehouse import Column, Log, Table, append, quoted, remember_written, replace_window

_COLUMNS = (
    Column("report_date", "DATE", "Day the partner books the revenue on, in the partner's time zone."),
    Column("partner", "VARCHAR", "The partner, as in the settings."),
    Column("app_id", "VARCHAR", "Our app id; the partner's own where the settings map none."),
    Column("platform", "VARCHAR", "Operating system, in lower case."),
    Column("country", "VARCHAR", "Country code, in upper case."),
    Column("ad_format", "VARCHAR", "Format of the ad, in lower case."),
    Column("ad_unit_id", "VARCHAR", "Our placement id; the partner's own where the settings map none."),
    Column("user_id", "VARCHAR", "Our user id, for user-level partners."),
    Column("impressions", "BIGINT", "Ads shown, as the partner counts; NULL if it does not say."),
    Column("clicks", "BIGINT", "Ads clicked, as the partner counts; NULL if it does not say."),
    Column("revenue", "DECIMAL(38,9)", "What the partner reports, in the reporting currency."),
    Column("original_revenue", "DECIMAL(38,9)", "What the partner reports, in `original_currency`."),
    Column("original_currency", "VARCHAR", "ISO 4217 code."),
    Column("import_id", "VARCHAR", "Names the batch by its content: equal content, equal id."),
    Column("imported_at", "TIMESTAMP", "When the batch was imported, in UTC."),
)
PARTNER_REVENUE = Table(
    "raw.partner_revenue", "report_date", _COLUMNS, "What partners report, as last imported: one batch a partner day."
)
PARTNER_REVENUE_HISTORY = Table(
    "raw.partner_revenue_history",
    "report_date",
    _COLUMNS,
    "Every batch of partner revenue whose content differed from the one before it.",
)
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
        Column("revenue", "DECIMAL(38,9)", "Its revenue in the reporting currency."),
        Column("is_changed", "BOOLEAN", "Whether its content differed from the batch before; NULL when it failed."),
        Column("error", "VARCHAR", "Why the import failed, and what to do; NULL when it did not."),
    ),
    "The log of imports: one row for each time a partner was asked for a day, whatever came of it.",
)

MONEY_DIGITS = Decimal("0.000000001")
LARGEST_TOTAL = Decimal(10) ** 29
_EXACT = Context(prec=76)


@dataclass(frozen=True)
class Batch:
    """One imported partner day: its rows with our ids, their amounts in the reporting currency, and its id."""

    report_date: date
    import_id: str
    rows: Sequence[tuple[RevenueRow, Decimal]]

    @property
    def revenue(self) -> Decimal:
        """The sum of its rows, in the reporting currency."""
        total = Decimal(0)
        for _, converted in self.rows:
            total = _EXACT.add(total, converted)
        return total


@dataclass(frozen=True)
class FailedDay:
    """A day that could not be imported, and why."""

    report_date: date
    error: str


def fetch_batches(
    settings: Settings, partner: str, days: Sequence[date], as_of: date, log: Log
) -> list[Batch | FailedDay]:
    """Ask a partner, or read its landed files, for `days`; a day without a landed folder gives nothing at all."""
    if not days:
        return []
    connector = open_connector(settings, partner)
    window = Window.between(min(days), max(days))
    rates = cache(lambda: _exchange_rates(settings, window))  # read only when a row is in another currency
    archive = Archive(settings.storage.archive)

    def fetch(day: date) -> Batch | FailedDay | None:
        try:
            rows = _landed_rows(settings, partner, day) if connector is None else _asked(connector, day, as_of, archive)
            if rows is None:
                return None
            batch = _batch(settings, partner, day, rows, rates)
        except (PartnerError, LandingError) as error:
            log.info(f"{partner} {day}: failed: {error}")
            return FailedDay(day, str(error))
        log.info(f"{partner} {day}: {len(batch.rows)} rows, {batch.revenue} {settings.reporting.currency}")
        return batch

    with ThreadPoolExecutor(connector.concurrent_days if connector else 1) as pool:
        return [outcome for outcome in pool.map(fetch, days) if outcome is not None]


def book(
    connection: duckdb.DuckDBPyConnection, partner: str, outcomes: Iterable[Batch | FailedDay], as_of: date
) -> int:
    """Replace each imported day of the partner, keep what differs as history, and log every outcome; give the rows."""
    # To the instant of the import, not of the day it is for: the one value that a repeated run changes.
    imported_at = datetime.now(timezone.utc).replace(tzinfo=None)
    written = 0
    for outcome in outcomes:
        if isinstance(outcome, Batch):
            written += _book_batch(connection, partner, outcome, as_of, imported_at)
        else:
            _log_import(connection, partner, outcome.report_date, as_of, imported_at, error=outcome.error)
    return written


def _asked(connector: Connector, day: date, as_of: date, archive: Archive) -> Sequence[RevenueRow]:
    return import_day(connector, day, as_of, archive).rows


def _landed_rows(settings: Settings, partner: str, day: date) -> list[RevenueRow] | None:
    landing, rules = LandingFolder(settings.storage.landing), landing_rules(settings)
    files = landing.files(PARTNER_REVENUE_FILES.name, [day]).get(day)
    if files is None:
        return None
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        landing.register(connection)
        load_exchange_rates(connection, landing, Window.of_day(day), rules)
        usable = read_landed(connection, PARTNER_REVENUE_FILES, files, rules).usable
        columns = [column for column in PARTNER_REVENUE_FILES.fields_by_name if column != "partner"]
        try:
            rows = connection.execute(
                f"SELECT {', '.join(columns)} FROM ({usable}) WHERE partner = {quoted(partner)}"
            ).fetchall()
        except duckdb.Error as error:
            raise LandingError(f"{partner} {day}: {str(error).splitlines()[0]}") from error
    default = rules.partner_currencies[partner]
    landed = (dict(zip(columns, row, strict=True)) for row in rows)
    return [RevenueRow(**{**row, "currency": row["currency"] or default}) for row in landed]


def _batch(
    settings: Settings,
    partner: str,
    day: date,
    rows: Sequence[RevenueRow],
    rates: Callable[[], Mapping[tuple[date, str], Decimal]],
) -> Batch:
    ours = [_with_our_ids(row, settings.partners[partner].ids) for row in rows]
    converted = [(row, _converted(row, partner, settings.reporting.currency, rates)) for row in ours]
    batch = Batch(day, content_id(partner, day, rows), converted)
    if abs(batch.revenue) >= LARGEST_TOTAL or any(abs(amount) >= LARGEST_TOTAL for _, amount in converted):
        raise PartnerError(
            f"{partner} {day}: {batch.revenue} is more than a total can hold, 29 digits before the point.",
            "Check the unit and the currency that the partner reports in.",
        )
    return batch


def _with_our_ids(row: RevenueRow, ids: Mapping[MappedColumn, Mapping[str, str]]) -> RevenueRow:
    return replace(
        row,
        app_id=ids.get("app_id", {}).get(row.app_id or "", row.app_id),
        ad_unit_id=ids.get("ad_unit_id", {}).get(row.ad_unit_id or "", row.ad_unit_id),
        user_id=ids.get("user_id", {}).get(row.user_id or "", row.user_id),
    )


def _converted(
    row: RevenueRow, partner: str, reporting_currency: str, rates: Callable[[], Mapping[tuple[date, str], Decimal]]
) -> Decimal:
    amount = row.revenue.quantize(MONEY_DIGITS, ROUND_HALF_UP, _EXACT)
    if row.currency == reporting_currency:
        return amount
    rate = rates().get((row.report_date, row.currency))
    if rate is None:
        raise PartnerError(
            f"{partner} {row.report_date}: no exchange rate for {row.currency} on that day or in the 7 days before.",
            f"Land it under fx_rates/date={row.report_date} and import the day again.",
        )
    return (_EXACT.multiply(amount, rate)).quantize(MONEY_DIGITS, ROUND_HALF_UP, _EXACT)


def _exchange_rates(settings: Settings, window: Window) -> dict[tuple[date, str], Decimal]:
    landing = LandingFolder(settings.storage.landing)
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        landing.register(connection)
        load_exchange_rates(connection, landing, window, landing_rules(settings))
        rows = connection.execute("SELECT rate_day, rate_currency, rate_units FROM exchange_rates").fetchall()
    return {(day, currency): _EXACT.scaleb(Decimal(units), -12) for day, currency, units in rows}


def _book_batch(
    connection: duckdb.DuckDBPyConnection, partner: str, batch: Batch, as_of: date, imported_at: datetime
) -> int:
    names = [column.name for column in _COLUMNS]
    columns = ", ".join(f"CAST(row.{column.name} AS {column.type}) AS {column.name}" for column in _COLUMNS)
    structure = json.dumps([dict.fromkeys(names, "VARCHAR")])
    rows = json.dumps([_as_text(partner, batch, row, converted, imported_at) for row, converted in batch.rows])
    # As text, so that no reader makes a float of it.
    select = f"SELECT {columns} FROM (SELECT unnest(from_json($rows, {quoted(structure)})) AS row)"
    values = {"rows": rows}
    window = Window.of_day(batch.report_date)
    is_changed = _last_import_id(connection, partner, batch.report_date) != batch.import_id
    written = replace_window(connection, PARTNER_REVENUE, select, values, window, as_of, only={"partner": partner})
    if is_changed:
        append(connection, PARTNER_REVENUE_HISTORY, select, values)
    _log_import(
        connection,
        partner,
        batch.report_date,
        as_of,
        imported_at,
        import_id=batch.import_id,
        rows=written,
        revenue=batch.revenue,
        is_changed=is_changed,
    )
    return written


def _as_text(
    partner: str, batch: Batch, row: RevenueRow, converted: Decimal, imported_at: datetime
) -> dict[str, str | int | None]:
    return {
        "report_date": row.report_date.isoformat(),
        "partner": partner,
        "app_id": row.app_id,
        "platform": row.platform,
        "country": row.country,
        "ad_format": row.ad_format,
        "ad_unit_id": row.ad_unit_id,
        "user_id": row.user_id,
        "impressions": row.impressions,
        "clicks": row.clicks,
        "revenue": f"{converted:f}",
        "original_revenue": f"{row.revenue:f}",
        "original_currency": row.currency,
        "import_id": batch.import_id,
        "imported_at": imported_at.isoformat(),
    }


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
