"""Tables as they were known on an earlier day, and what moved between two such days.

What partners said by then is in the history of batches, so any table can be computed again from it, in memory: by the
same SQL, as of that day. What users did and what was landed as files is taken as it is now, for of these no history is
kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from revenue_pipeline import core, reports
from revenue_pipeline.catalog import all_tables
from revenue_pipeline.partitions import Window
from revenue_pipeline.raw.imports import PARTNER_IMPORTS
from revenue_pipeline.raw.partner_revenue import PARTNER_REVENUE, PARTNER_REVENUE_HISTORY
from revenue_pipeline.settings import Settings
from revenue_pipeline.settings_tables import parameters
from revenue_pipeline.sql_asset import SqlTable, refuse_unfit
from revenue_pipeline.warehouse import Log, Warehouse

SQL_TABLES = (*core.TABLES, *reports.TABLES)

KNOWN_IMPORTS = f"""
SELECT * FROM warehouse.{PARTNER_IMPORTS.name} WHERE as_of <= $known_on
"""
# A batch that was empty has no rows in the history, so which one was the last is asked of the log of imports.
KNOWN_HISTORY = f"""
SELECT * FROM warehouse.{PARTNER_REVENUE_HISTORY.name} AS history
SEMI JOIN known.imports AS imports
    ON imports.partner = history.partner AND imports.report_date = history.report_date
    AND imports.imported_at = history.imported_at
"""
KNOWN_REVENUE = """
SELECT * FROM known.history AS history
SEMI JOIN (
    SELECT partner, report_date, max(imported_at) AS imported_at
    FROM known.imports WHERE is_changed GROUP BY partner, report_date
) AS newest
    ON newest.partner = history.partner AND newest.report_date = history.report_date
    AND newest.imported_at = history.imported_at
"""


@dataclass(frozen=True)
class Moved:
    """One row of a report that reads differently on two days.

    `key` names the row; `before` and `after` hold the columns that differ, None where the row is not there.
    """

    key: Mapping[str, Any]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    @property
    def changes(self) -> list[tuple[str, Any, Any]]:
        """Each column that differs, with its value before and after: None where the row is not there."""
        columns = self.before or self.after or {}
        return [(column, (self.before or {}).get(column), (self.after or {}).get(column)) for column in columns]


@dataclass(frozen=True)
class MovingBatch:
    """An import between two days that changed what a partner reports for one of its days: `change` is its effect."""

    partner: str
    report_date: date
    as_of: date
    import_id: str
    revenue: Decimal
    change: Decimal | None


def report_table(name: str) -> SqlTable:
    """Give the table `reports.<name>`.

    Raises:
        ValueError: there is none.
    """
    tables = {table.name.partition(".")[2]: table for table in reports.TABLES}
    if name not in tables:
        raise ValueError(f"there is no report {name!r} as known on a day; there are {', '.join(sorted(tables))}")
    return tables[name]


def windows_needed(table: SqlTable, window: Window, reach: Mapping[str, int]) -> dict[str, Window]:
    """Give the days of each table that `window` of `table` is computed from, the table's own among them.

    `reach` holds the lengths that the settings decide, as `Settings.reach` does.
    """
    needed = {table.name: window}
    for each in reversed(SQL_TABLES):
        if each.name in needed:
            for read in each.reads:
                days = needed[each.name].widened(read.days_before(reach), read.after)
                known = needed.get(read.table, days)
                needed[read.table] = Window(min(days.start, known.start), max(days.end, known.end))
    return needed


def rows_known_on(
    warehouse: Warehouse, settings: Settings, table: SqlTable, window: Window, known_on: date, log: Log
) -> list[dict[str, Any]]:
    """Give the rows of `window` of `table` as they were known on the day `known_on`, in the order of their key."""
    with warehouse.reading(log, f"{table.name} as known on {known_on}") as connection:
        return _computed(connection, settings, table, window, known_on)


def moved_between(
    warehouse: Warehouse, settings: Settings, table: SqlTable, window: Window, first: date, last: date, log: Log
) -> tuple[list[Moved], list[MovingBatch]]:
    """Give the rows of a report that differ between two days, and the batches that came in between."""
    with warehouse.reading(log, f"{table.name} as known on {first} and on {last}") as connection:
        before = _computed(connection, settings, table, window, first)
        after = _computed(connection, settings, table, window, last)
        days = windows_needed(table, window, settings.reach).get(PARTNER_REVENUE.name)
        batches = _batches_between(connection, days, first, last) if days else []
    return list(_differences(table.unique_by, before, after)), batches


def _computed(
    connection: duckdb.DuckDBPyConnection, settings: Settings, table: SqlTable, window: Window, known_on: date
) -> list[dict[str, Any]]:
    needed = windows_needed(table, window, settings.reach)
    computed = [each for each in SQL_TABLES if each.name in needed]
    connection.execute("USE memory")
    for schema in ("known", *{name.partition(".")[0] for name in (each.name for each in all_tables())}):
        connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        connection.execute(f"CREATE SCHEMA {schema}")
    values = {"known_on": known_on}
    connection.execute(f"CREATE TABLE known.imports AS {KNOWN_IMPORTS}", values)
    connection.execute(f"CREATE TABLE known.history AS {KNOWN_HISTORY}")
    views = {
        PARTNER_IMPORTS.name: "SELECT * FROM known.imports",
        PARTNER_REVENUE_HISTORY.name: "SELECT * FROM known.history",
        PARTNER_REVENUE.name: KNOWN_REVENUE,
    }
    for each in all_tables():
        if each.name not in {made.name for made in computed}:
            select = views.get(each.name, f"SELECT * FROM warehouse.{each.name}")
            connection.execute(f"CREATE VIEW {each.name} AS {select}")
    for made in computed:
        named = parameters(settings, needed[made.name], known_on)
        refuse_unfit(connection, made, named)
        connection.execute(f"CREATE TABLE {made.name} AS {made.sql.select}", made.sql.parameters(named))
    key = ", ".join(f"{column} NULLS FIRST" for column in table.unique_by) or "ALL"
    result = connection.execute(f"SELECT * FROM {table.name} WHERE {table.table.inside(window)} ORDER BY {key}")
    columns = [column[0] for column in result.description or []]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


def _differences(
    key: Sequence[str], before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]
) -> Iterable[Moved]:
    old = {tuple(row[column] for column in key): row for row in before}
    new = {tuple(row[column] for column in key): row for row in after}
    for name in dict.fromkeys([*old, *new]):
        was, now = old.get(name), new.get(name)
        if was == now:
            continue
        differing = [
            column for column in (was or now or {}) if was is None or now is None or was[column] != now[column]
        ]
        shown = [column for column in differing if column not in key]
        yield Moved(
            dict(zip(key, name, strict=True)),
            None if was is None else {column: was[column] for column in shown},
            None if now is None else {column: now[column] for column in shown},
        )


def _batches_between(connection: duckdb.DuckDBPyConnection, days: Window, first: date, last: date) -> list[MovingBatch]:
    rows = connection.execute(
        f"""
        WITH batches AS (
            SELECT
                partner, report_date, as_of, import_id, imported_at, revenue,
                revenue - lag(revenue) OVER (PARTITION BY partner, report_date ORDER BY imported_at) AS change
            FROM warehouse.{PARTNER_IMPORTS.name}
            WHERE is_changed AND report_date >= $start AND report_date < $end
        )
        SELECT partner, report_date, as_of, import_id, revenue, change FROM batches
        WHERE as_of > $first AND as_of <= $last
        ORDER BY report_date, partner, imported_at
        """,
        {"start": days.start, "end": days.end, "first": first, "last": last},
    ).fetchall()
    return [MovingBatch(*row) for row in rows]
