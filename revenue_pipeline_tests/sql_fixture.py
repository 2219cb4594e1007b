"""Runs one `.sql` table on rows that a test writes by hand, in a real warehouse.

sql = SqlFixture(tmp_path, partners={"max": AGGREGATED})
sql.insert("raw.events", impression("e1", estimate="0.5"))
rows = sql.run("core.reconciled_estimates", as_of=DAY)
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from revenue_pipeline import core, reports
from revenue_pipeline.catalog import all_macros, all_tables
from revenue_pipeline.partitions import Window
from revenue_pipeline.settings import Settings
from revenue_pipeline.settings_tables import attach_settings_tables, parameters
from revenue_pipeline.sql import load_sql
from revenue_pipeline.sql_asset import check_file, write_table
from revenue_pipeline.warehouse import Warehouse

Row = dict[str, Any]

DAY = date(2026, 10, 1)
DAY_BEFORE, NEXT_DAY = DAY - timedelta(days=1), DAY + timedelta(days=1)
LAST_OPEN, FIRST_CLOSED = DAY + timedelta(days=2), DAY + timedelta(days=3)
"""As-of dates around the end of the default import window of DAY."""

AGGREGATED: Row = {"connector": "files", "granularity": "aggregated"}
USER_LEVEL: Row = {"connector": "files", "granularity": "user_level"}

MACRO_ARGUMENTS: Row = {
    "dimension": "none",
    "granularity": "day",
    "view_type": "cumulative",
    "start_event": "install",
    "revenue_event": "all",
}
"""A good value for every argument of the macros that is not a parameter of tables too."""

LOG = logging.getLogger(__name__)
TABLES = {table.name: table for table in (*core.TABLES, *reports.TABLES)}


def event(event_id: str, event_name: str, day: date = DAY, **columns: Any) -> Row:
    at_noon = datetime.combine(day, time(12))
    row = {"event_id": event_id, "event_name": event_name, "event_time": at_noon, "event_date": day, "report_date": day}
    return row | columns


def impression(event_id: str, partner: str | None = "max", estimate: str | None = None, **columns: Any) -> Row:
    return event(event_id, "ad_impression", partner=partner, reporting_revenue=estimate, **columns)


def reported(revenue: str, partner: str = "max", **columns: Any) -> Row:
    return {"report_date": DAY, "partner": partner, "revenue": revenue, "import_id": "batch-1"} | columns


def pick(rows: Iterable[Row], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]


class SqlFixture:
    """A warehouse of its own, with every table in it and these settings beside them."""

    def __init__(self, folder: Path, partners: Mapping[str, Mapping[str, Any]] | None = None, **settings: Any) -> None:
        self.settings = Settings.model_validate({"start_date": DAY, "partners": partners or {}, **settings})
        path = folder / "warehouse.duckdb"
        path.write_bytes(_empty_warehouse())
        self._warehouse = Warehouse(
            path,
            tables=all_tables(),
            prepare=lambda connection: attach_settings_tables(connection, self.settings),
            macros=all_macros(),
        )
        self._pending: list[tuple[str, list[Any]]] = []

    def insert(self, table: str, *rows: Row) -> None:
        """Add rows; columns that a row does not name are NULL."""
        columns = list(dict.fromkeys(column for row in rows for column in row))
        places = ", ".join(["(" + ", ".join("?" * len(columns)) + ")"] * len(rows))
        values = [row.get(column) for row in rows for column in columns]
        self._pending.append((f"INSERT INTO {table} ({', '.join(columns)}) VALUES {places}", values))

    def execute(self, statement: str) -> None:
        """Do what `insert` would be too slow for."""
        self._pending.append((statement, []))

    def write(self, *names: str, as_of: date = DAY, first: date = DAY, last: date = DAY) -> None:
        """Replace the days `first` to `last` of these tables, in this order."""
        with self._writing() as connection:
            self._replace(connection, names, as_of, Window.between(first, last))

    def run(self, *names: str, as_of: date = DAY, first: date = DAY, last: date = DAY) -> list[Row]:
        """The same, and give every row of the last table."""
        with self._writing() as connection:
            self._replace(connection, names, as_of, Window.between(first, last))
            return _rows(connection, f"SELECT * FROM {names[-1]} ORDER BY ALL")

    def bad_rows(
        self, room: str, check: str, first: date = DAY, last: date = DAY, as_of: date | None = None
    ) -> list[Row]:
        """Give what the check `<room>/checks/<check>.sql` finds in the days `first` to `last`, as of the last."""
        query = check_file(room, check)
        values = parameters(self.settings, Window.between(first, last), as_of or last)
        with self._writing() as connection:
            return _rows(connection, query.query, {name: values[name] for name in query.parameter_names})

    def describe(self, path: Path) -> dict[str, str]:
        """Give the columns of a file's SELECT, and the types that the warehouse finds in them."""
        sql = load_sql(path)
        values = sql.parameters({**parameters(self.settings, Window.of_day(DAY), DAY), **MACRO_ARGUMENTS})
        with self._writing() as connection:
            described = _rows(connection, f"DESCRIBE {sql.select}", values)
        return {row["column_name"]: row["column_type"] for row in described}

    def ask(self, query: str) -> list[Row]:
        with self._writing() as connection:
            return _rows(connection, query)

    @contextmanager
    def _writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._warehouse.writing(LOG, "a test") as connection:
            for statement, values in self._pending:
                connection.execute(statement, values)
            self._pending.clear()
            yield connection

    def _replace(
        self, connection: duckdb.DuckDBPyConnection, names: Iterable[str], as_of: date, window: Window
    ) -> None:
        values = parameters(self.settings, window, as_of)
        for name in names:
            write_table(connection, TABLES[name], window, as_of, values)


@cache
def _empty_warehouse() -> bytes:
    # Making every table takes half a second: once is enough.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.duckdb"
        with Warehouse(path, tables=all_tables(), macros=all_macros()).writing(LOG, "a test"):
            pass
        return path.read_bytes()


def _rows(connection: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, Any] | None = None) -> list[Row]:
    result = connection.execute(query, dict(values or {}))
    columns = [column[0] for column in result.description or []]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]
