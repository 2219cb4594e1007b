"""Lands a window of days: reads the folders, replaces the days in `raw`, and records what could not be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from revenue_pipeline.partitions import Window, contiguous
from revenue_pipeline.raw.datasets import EVENTS, LANDED_ROWS, REJECTED_ROWS, Dataset
from revenue_pipeline.raw.exchange_rates import load_exchange_rates, rate_days
from revenue_pipeline.raw.files import (
    LandingError,
    LandingFolder,
    damaged_file,
    folder_date_of,
    forget_unreadable_lines,
    unreadable_lines,
)
from revenue_pipeline.raw.landing import Rules, read_landed
from revenue_pipeline.warehouse import WarehouseError, append_new, quoted, remember_written, replace_window


@dataclass(frozen=True)
class Landed:
    """What landing a window did: rows written, days whose folder was there, and rows newly rejected."""

    rows: int
    days: Sequence[date]
    rejected: int


def land(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    landing: LandingFolder,
    window: Window,
    rules: Rules,
    as_of: date,
) -> Landed:
    """Replace the days of `window` that have a folder in `raw.<dataset>`; a missing folder changes nothing.

    Raises:
        LandingError: a file cannot be read, or an amount has no exchange rate; nothing was changed.
    """
    landing.register(connection)
    forget_unreadable_lines(connection)
    try:
        if dataset.needs_rates:
            days = _rate_days(connection, dataset, landing, window, rules)
            load_exchange_rates(connection, landing, days, rules)
        if dataset is EVENTS:
            rows, days = _land_events(connection, landing, window, rules, as_of)
        else:
            rows, days = _land_days(connection, dataset, landing, window, rules, as_of)
        rejected = record_rejected(connection, dataset, landing, window, rules, as_of)
    except (duckdb.Error, WarehouseError) as error:
        culprit = damaged_file(landing.files(dataset.name, window.widened(1, 1 + rules.late_arrival_days).days))
        where = f" {culprit}:" if culprit else ""
        raise LandingError(f"{dataset.name} of {window}:{where} {_reason(error)}") from error
    return Landed(rows, days, rejected)


def _rate_days(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, landing: LandingFolder, window: Window, rules: Rules
) -> Window | list[date]:
    if dataset.priced_on is None:
        return rate_days(window, rules.late_arrival_days)
    # What is priced on another day than the folder's, such as the start of a contract, says itself on which.
    files = [path for paths in landing.files(dataset.name, window.days).values() for path in paths]
    rows = connection.execute(read_landed(connection, dataset, files, rules).rate_days).fetchall()
    return [row[0] for row in rows]


def record_rejected(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    landing: LandingFolder,
    window: Window,
    rules: Rules,
    as_of: date,
) -> int:
    """Add the unusable rows of the folders of `window` to `raw.rejected_rows`, each once; give how many were new."""
    folders = landing.files(dataset.name, window.days)
    files = [path for paths in folders.values() for path in paths]
    rejected = read_landed(connection, dataset, files, rules).rejected
    # Counting reads only the columns that rules look at, and mostly there is nothing to write.
    found = connection.execute(f"SELECT count(*) FROM ({rejected})").fetchall()[0][0]
    connection.execute(f"CREATE OR REPLACE TEMP TABLE newly_rejected AS {rejected} {'' if found else 'LIMIT 0'}")
    broken = [
        (folder_date_of(path), path.rpartition("/")[2], line)
        for path, line in unreadable_lines(connection)
        if path in files
    ]
    if broken:
        connection.executemany(
            "INSERT INTO newly_rejected SELECT ?, ?, 'unreadable', NULL, CAST(to_json(?) AS VARCHAR)", broken
        )
    new = append_new(
        connection,
        REJECTED_ROWS,
        f"""
        SELECT
            '{dataset.name}' AS dataset,
            CAST(folder_date AS DATE) AS folder_date,
            CAST(file AS VARCHAR) AS file,
            CAST(reason AS VARCHAR) AS reason,
            CAST(field AS VARCHAR) AS field,
            CAST(landed_row AS VARCHAR) AS row,
            row_number() OVER (PARTITION BY folder_date, file, reason, landed_row) AS occurrence
        FROM newly_rejected
        """,
        window,
    )
    if new:
        remember_written(connection, REJECTED_ROWS.name, window, as_of)
    return new


def _land_days(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    landing: LandingFolder,
    window: Window,
    rules: Rules,
    as_of: date,
) -> tuple[int, list[date]]:
    folders = landing.files(dataset.name, window.days)
    rows = 0
    for present in contiguous(folders):
        files = [path for day in present.days for path in folders[day]]
        usable = read_landed(connection, dataset, files, rules).usable
        written = replace_window(connection, dataset.table, usable, {}, present, as_of, dataset.slice)
        if _holds_an_id_twice(connection, dataset, present):
            once = _once(dataset, usable)
            written = replace_window(connection, dataset.table, once, {}, present, as_of, dataset.slice)
        rows += written
    return rows, list(folders)


def _holds_an_id_twice(connection: duckdb.DuckDBPyConnection, dataset: Dataset, window: Window) -> bool:
    # Nearly every id arrives once: to look at the ids costs a tenth of putting a million rows in order.
    if not dataset.id:
        return False
    day = dataset.day_column
    inside = f"{day} >= DATE '{window.start}' AND {day} < DATE '{window.end}'"
    inside += "".join(f" AND {column} = {quoted(value)}" for column, value in (dataset.slice or {}).items())
    repeated = f"SELECT 1 FROM {dataset.table.name} WHERE {inside} GROUP BY {_key(dataset)} HAVING count(*) > 1 LIMIT 1"
    return bool(connection.execute(repeated).fetchall())


def _once(dataset: Dataset, usable: str) -> str:
    """Keep one of the rows with one id in one folder: the newest, then greatest by content: no order matters."""
    newest = [f"{dataset.newest} DESC"] if dataset.newest else []
    greatest = ", ".join([*newest, *(f"{each.name} DESC NULLS LAST" for each in dataset.fields)])
    counted = f" REPLACE (count(*) OVER alike AS {LANDED_ROWS.name})" if LANDED_ROWS in dataset.trailing else ""
    # Files of different columns are a union of SELECTs, and a bare QUALIFY would be of the last of them alone.
    return (
        f"SELECT *{counted} FROM ({usable}) WINDOW alike AS (PARTITION BY {_key(dataset)}) "
        f"QUALIFY row_number() OVER (alike ORDER BY {greatest}) = 1"
    )


def _key(dataset: Dataset) -> str:
    return ", ".join([dataset.day_column, *dataset.id])


def _land_events(
    connection: duckdb.DuckDBPyConnection, landing: LandingFolder, window: Window, rules: Rules, as_of: date
) -> tuple[int, list[date]]:
    """Replace the events of the days of `window`, which lie in the folders around them."""
    folders = landing.files(EVENTS.name, window.widened(1, 1 + rules.late_arrival_days).days)
    if not folders:
        return 0, []
    rows = _events_of_window(connection, folders, window, rules)
    _keep_rows_of_missing_folders(connection, folders, window)
    columns = ", ".join(column.name for column in EVENTS.table.columns)
    arrived = f"(SELECT {columns} FROM ({rows}) UNION ALL SELECT {columns} FROM kept_events)"
    once = _once_per_day(connection, arrived)
    written = replace_window(connection, EVENTS.table, once, {}, window, as_of)
    return written, [day for day in folders if day in window]


def _events_of_window(
    connection: duckdb.DuckDBPyConnection, folders: dict[date, list[str]], window: Window, rules: Rules
) -> str:
    files = [path for paths in folders.values() for path in paths]
    usable = read_landed(connection, EVENTS, files, rules, within=window).usable
    return f"SELECT * FROM ({usable}) WHERE event_date >= DATE '{window.start}' AND event_date < DATE '{window.end}'"


def _keep_rows_of_missing_folders(
    connection: duckdb.DuckDBPyConnection, folders: dict[date, list[str]], window: Window
) -> None:
    present = ", ".join(f"DATE '{day}'" for day in folders)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE kept_events AS
        SELECT * FROM raw.events
        WHERE event_date >= DATE '{window.start}' AND event_date < DATE '{window.end}'
            AND folder_date NOT IN ({present})
        """
    )


def _once_per_day(connection: duckdb.DuckDBPyConnection, arrived: str) -> str:
    """Of the rows with one id on one day keep the earliest, then the smallest by its declared columns as text.

    Nearly every event arrives once, so only those whose hash is seen again are sorted.
    """
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE repeated_hashes AS SELECT hash(event_id) AS id_hash FROM {arrived} "
        f"GROUP BY hash(event_id) HAVING count(*) > 1"
    )
    if not connection.execute("SELECT count(*) FROM repeated_hashes").fetchall()[0][0]:
        return f"SELECT * FROM {arrived}"
    smallest = ", ".join(f"CAST({each.name} AS VARCHAR) NULLS LAST" for each in EVENTS.fields)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE first_of_repeated AS
        SELECT * FROM {arrived} WHERE hash(event_id) IN (SELECT id_hash FROM repeated_hashes)
        QUALIFY row_number() OVER (PARTITION BY event_date, event_id ORDER BY event_time, {smallest}, folder_date) = 1
        """
    )
    return (
        f"SELECT * FROM {arrived} WHERE hash(event_id) NOT IN (SELECT id_hash FROM repeated_hashes) "
        f"UNION ALL SELECT * FROM first_of_repeated"
    )


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].removeprefix("Invalid Input Error: ")
