"""The only place that opens DuckDB: the write lock, transactions, and the one write primitive.

DuckDB lets one process write a file. Runs of Dagster are processes, so every write step holds an inter-process file
lock around open, transaction and close, waits as long as it takes, and says whom it waits for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import duckdb
from filelock import FileLock, Timeout
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from revenue_pipeline.partitions import Window

SECONDS_BETWEEN_NOTICES = 15
_NAMES_OF_SINGLE_THINGS = {"event_id", "user_id"}


class WarehouseError(Exception):
    """A write that was refused; the text says which table and what to do. The table is as it was."""


class Log(Protocol):
    """What is needed of a logger: both Dagster's and the standard library's serve."""

    def info(self, msg: str) -> None:
        """Write one line."""

    def warning(self, msg: str) -> None:
        """Write one line that a person should look at."""


@dataclass(frozen=True)
class Column:
    """One column of a table: its name, its DuckDB type as `DESCRIBE` says it, and its meaning."""

    name: str
    type: str
    meaning: str = ""

    @property
    def storage(self) -> str:
        """How DuckDB is to store it, as SQL: names of single things as they are, all others as it finds best.

        Trying to compress what hardly repeats takes a third of a write, and saves half of its bytes at best.
        """
        return " USING COMPRESSION uncompressed" if self.name in _NAMES_OF_SINGLE_THINGS else ""


@dataclass(frozen=True)
class Table:
    """What a write needs to know of a table: its name, its columns, and which of them holds the partition's day.

    One that `is_whole` is replaced whole by every run, whatever its days: its rows depend on those of all days.
    """

    name: str
    day_column: str
    columns: Sequence[Column]
    meaning: str = ""
    is_whole: bool = False

    def inside(self, window: Window) -> str:
        """Write which rows a run over `window` replaces, as SQL."""
        if self.is_whole:
            return "TRUE"
        return f"{self.day_column} >= DATE '{window.start}' AND {self.day_column} < DATE '{window.end}'"

    def create(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the table, empty and with its comments."""
        schema = self.name.partition(".")[0]
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        columns = ", ".join(f'"{column.name}" {column.type}{column.storage}' for column in self.columns)
        connection.execute(f"CREATE TABLE {self.name} ({columns})")
        connection.execute(f"COMMENT ON TABLE {self.name} IS {quoted(self.meaning)}")
        for column in self.columns:
            connection.execute(f'COMMENT ON COLUMN {self.name}."{column.name}" IS {quoted(column.meaning)}')

    def refuse_other_columns(self, connection: duckdb.DuckDBPyConnection, found: Sequence[tuple[str, str]]) -> None:
        """Raise WarehouseError where the rows to write, or the stored table, have other columns or types than these."""
        wanted = {column.name: column.type for column in self.columns}
        stored = self._stored(connection)
        for what, columns in (("rows to be written", dict(found)), ("stored table", stored)):
            if columns != wanted:
                odd = sorted(set(columns.items()) ^ set(wanted.items()))
                raise WarehouseError(
                    f"{self.name}: its {what} and its declaration differ in {odd}. Nothing was written. "
                    f"If the declaration is right, drop the table and materialise its days again."
                )

    def _stored(self, connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
        schema, _, table = self.name.partition(".")
        rows = connection.execute(
            "SELECT column_name, data_type FROM duckdb_columns() "
            "WHERE schema_name = ? AND table_name = ? AND database_name = current_database()",
            [schema, table],
        ).fetchall()
        return dict(rows)


@dataclass(frozen=True)
class Macro:
    """A question with arguments that the database answers: `SELECT * FROM name(…)`; `select` names them bare."""

    name: str
    arguments: Sequence[str]
    select: str
    meaning: str = ""

    @property
    def definition(self) -> str:
        """The statement that makes it."""
        return f"CREATE OR REPLACE MACRO {self.name}({', '.join(self.arguments)}) AS TABLE {self.select}"

    def create(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the macro, or make it anew, with its comment; what it reads has to be there."""
        connection.execute(self.definition)
        connection.execute(f"COMMENT ON MACRO TABLE {self.name} IS {quoted(self.meaning)}")


WRITTEN_DAYS = Table(
    "pipeline.written_days",
    "day",
    (
        Column("table_name", "VARCHAR", "The table, and the slice of it where it is written in slices."),
        Column("day", "DATE", "The day that was replaced; of a table that is replaced whole, the as-of date."),
        Column("sequence", "BIGINT", "Which write it was last replaced by: a growing number."),
        Column("as_of", "DATE", "The as-of date of the run that did."),
    ),
    "Which day of which table was last written by which write: what tells stale days from fresh ones.",
)


class Warehouse:
    """One DuckDB file, one writer at a time."""

    def __init__(
        self,
        path: Path,
        memory_limit: str = "4GB",
        tables: Sequence[Table] = (),
        prepare: Callable[[duckdb.DuckDBPyConnection], None] = lambda connection: None,
        macros: Sequence[Macro] = (),
    ) -> None:
        """Name the file, which is made on the first write.

        Args:
            path: of the DuckDB file.
            memory_limit: what DuckDB may use before it spills to disk.
            tables: are made, empty, where they are not there yet, so that any part of the graph can run alone.
            prepare: is given every connection before anything else, such as to attach the settings.
            macros: are made where they are not there yet or are not as stored, each after those it calls.
        """
        self.path = path
        self._memory_limit = memory_limit
        self._tables = tables
        self._prepare = prepare
        self._macros = macros

    @contextmanager
    def writing(self, log: Log, who: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection in a transaction, committed when the body ends and rolled back when it raises.

        Args:
            log: is told whom this waits for, every few seconds.
            who: how others are told of this writer while they wait.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked(log, who):
            connection = self._connect()
            try:
                # Made in one transaction: each statement by itself would wait for the disk.
                connection.execute("BEGIN")
                self._make_tables(connection)
                self._make_macros(connection)
                connection.execute("COMMIT")
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise
            finally:
                connection.close()

    @contextmanager
    def reading(self, log: Log, who: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection that reads the warehouse, as `warehouse.schema.table`, and cannot change it.

        What it makes itself is in memory and goes with it. It holds the lock like a writer, because DuckDB lets nobody
        read a file that another process writes: for questions that the published copy cannot answer.

        Raises:
            FileNotFoundError: nothing was ever written.
        """
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path}: there is no warehouse yet: run the graph first")
        with self._locked(log, who):
            connection = duckdb.connect(":memory:", config={"memory_limit": self._memory_limit})
            try:
                connection.execute("SET TimeZone = 'UTC'")
                _attach_patiently(connection, self.path)
                self._prepare(connection)
                yield connection
            finally:
                connection.close()

    def _make_tables(self, connection: duckdb.DuckDBPyConnection) -> None:
        found = connection.execute("SELECT schema_name || '.' || table_name FROM duckdb_tables()").fetchall()
        there = {row[0] for row in found}
        for table in (WRITTEN_DAYS, *self._tables):
            if table.name not in there:
                table.create(connection)
        # Tells the published copy when the file is not the one it was made from.
        connection.execute(
            "CREATE TABLE IF NOT EXISTS pipeline.identity AS SELECT CAST(uuid() AS VARCHAR) AS warehouse_id"
        )

    def _make_macros(self, connection: duckdb.DuckDBPyConnection) -> None:
        # Making one takes longer than a small write, and listing DuckDB's functions longer still.
        connection.execute("CREATE TABLE IF NOT EXISTS pipeline.macros (name VARCHAR, definition VARCHAR)")
        stored = dict(connection.execute("SELECT name, definition FROM pipeline.macros").fetchall())
        for macro in self._macros:
            if stored.get(macro.name) != macro.definition:
                macro.create(connection)
                connection.execute("DELETE FROM pipeline.macros WHERE name = ?", [macro.name])
                connection.execute("INSERT INTO pipeline.macros VALUES (?, ?)", [macro.name, macro.definition])

    @contextmanager
    def _locked(self, log: Log, who: str) -> Iterator[None]:
        lock = FileLock(self.path.with_name(self.path.name + ".lock"))
        holder = self.path.with_name(self.path.name + ".holder")
        while True:
            try:
                lock.acquire(timeout=SECONDS_BETWEEN_NOTICES)
                break
            except Timeout:
                log.info(f"waiting to write {self.path.name}: {_text_of(holder) or 'another process'} is writing")
        try:
            holder.write_text(who, encoding="utf-8")
            yield
        finally:
            lock.release()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(
            str(self.path),
            config={
                # A file that DuckDB 1.5 can still open: the way back from a young 2.0.
                "storage_compatibility_version": "v1.5.0",
                "memory_limit": self._memory_limit,
                "temp_directory": str(self.path.with_name(self.path.name + ".tmp")),
                "preserve_insertion_order": False,
            },
        )
        connection.execute("SET TimeZone = 'UTC'")
        self._prepare(connection)
        return connection


def replace_window(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    select: str,
    parameters: Mapping[str, Any],
    window: Window,
    as_of: date,
    only: Mapping[str, str] | None = None,
) -> int:
    """Replace the days of `window` in `table` by what `select` gives, inside the caller's transaction.

    The days are deleted by the window, never by the days that the new rows hold: an empty result clears them. A table
    that is whole is replaced whole.

    Args:
        connection: from `Warehouse.writing`.
        table: where to write.
        select: one SELECT; a row outside the window or a difference in columns or types refuses the whole write.
        parameters: the values of the named parameters, `$name`, of the SELECT.
        window: the days to replace.
        as_of: the day the run believes it is, remembered with the written days.
        only: replaces only the rows with these column values: one partner's slice.

    Returns:
        The number of rows written.

    Raises:
        WarehouseError: the rows do not fit the table.
    """
    described = connection.execute(f"DESCRIBE {select}", dict(parameters)).fetchall()
    table.refuse_other_columns(connection, [(row[0], row[1]) for row in described])
    slice_sql = "".join(f" AND {column} = {quoted(value)}" for column, value in (only or {}).items())
    inside = table.inside(window) + slice_sql
    connection.execute(f"DELETE FROM {table.name} WHERE {inside}")
    try:
        written = connection.execute(
            f"INSERT INTO {table.name} BY NAME SELECT * FROM ({select})", dict(parameters)
        ).fetchall()
    except duckdb.InvalidInputException as error:
        raise WarehouseError(str(error).removeprefix("Invalid Input Error: ")) from error
    # Counted after the fact: a condition on the SELECT itself would be moved into it, to rows that it leaves out.
    landed = connection.execute(f"SELECT count(*) FROM {table.name} WHERE {inside}").fetchall()
    if landed != written:
        day = f"coalesce(CAST({table.day_column} AS VARCHAR), 'NULL')"
        found = connection.execute(
            f"SELECT min({day}) FROM ({select}) WHERE ({inside}) IS NOT TRUE",
            dict(parameters),
        ).fetchall()
        raise WarehouseError(
            f"{table.name}: a row lies outside the days {window} that this run replaces: {found[0][0]}"
        )
    days = Window.of_day(as_of) if table.is_whole else window
    remember_written(connection, written_name(table.name, only), days, as_of)
    return int(written[0][0])


def append(
    connection: duckdb.DuckDBPyConnection, table: Table, select: str, parameters: Mapping[str, Any] | None = None
) -> int:
    """Add the rows of `select` to `table`, for records of what happened, which never go; give how many."""
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    written = connection.execute(
        f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM ({select})", dict(parameters or {})
    ).fetchall()
    return int(written[0][0])


def append_new(connection: duckdb.DuckDBPyConnection, table: Table, select: str, window: Window) -> int:
    """Add those rows of `select`, all of them of days in `window`, that `table` does not hold yet; give how many."""
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    new = f"SELECT {columns} FROM ({select}) EXCEPT ALL SELECT {columns} FROM {table.name} WHERE {table.inside(window)}"
    return append(connection, table, new)


def written_name(table: str, only: Mapping[str, str] | None = None) -> str:
    """Give the name under which a table, or one slice of it, stands in `pipeline.written_days`."""
    return "/".join([table, *(only or {}).values()])


def remember_written(connection: duckdb.DuckDBPyConnection, name: str, window: Window, as_of: date) -> None:
    """Note that the days of `window` were written now: what tells which days of other tables are stale."""
    connection.execute("CREATE SEQUENCE IF NOT EXISTS pipeline.write_number")
    number = connection.execute("SELECT nextval('pipeline.write_number')").fetchall()[0][0]
    connection.execute(
        "DELETE FROM pipeline.written_days WHERE table_name = ? AND day >= ? AND day < ?",
        [name, window.start, window.end],
    )
    connection.execute(
        "INSERT INTO pipeline.written_days SELECT $name, day, $number, $as_of FROM unnest($days) AS days (day)",
        {"name": name, "number": number, "as_of": as_of, "days": window.days},
    )


def identifier(name: str) -> str:
    """Write a column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def quoted(text: str) -> str:
    """Write `text` as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _attach_patiently(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    # DuckDB's threads may let go of a file a moment after this process has closed its connection to it.
    for attempt in Retrying(
        retry=retry_if_exception_type(duckdb.Error), wait=wait_fixed(0.1), stop=stop_after_delay(10), reraise=True
    ):
        with attempt:
            connection.execute(f"ATTACH {quoted(str(path))} AS warehouse (READ_ONLY)")


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error as error:  # DuckDB has rolled back by itself already, after a fatal error for one
        logging.getLogger(__name__).debug("nothing to roll back: %s", error)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
