"""The read-only copy that people and BI tools open, so that no reader ever meets the writer's lock.

It is a small DuckDB file of macros, and of views over Parquet files, one file for each table and day. Publishing writes
the days that changed since the last time under new names, then replaces the DuckDB file by an atomic rename: a reader
sees the old state or the new one, and publishing costs what changed, not what history holds.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from revenue_pipeline.warehouse import Macro, Table, quoted

# A reader may have opened an older copy and be reading its files: they go when that is long over.
SECONDS_BEFORE_REMOVAL = 2 * 24 * 3600
WHOLE = "whole"
"""Stands for the day of a table that is written whole, in one file."""


@dataclass
class _Manifest:
    """Which files hold which day of which table, up to which write of which warehouse.

    `columns` are those that the files of a table have; `superseded` are files that an older copy may still name, with
    the time since when no newer one does.
    """

    warehouse_id: str
    sequence: int = 0
    files: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    columns: dict[str, list[str]] = field(default_factory=dict)
    superseded: dict[str, float] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path, warehouse_id: str) -> _Manifest:
        if path.is_file():
            stored = cls(**json.loads(path.read_text(encoding="utf-8")))
            if stored.warehouse_id == warehouse_id:
                return stored
            # The warehouse was made anew: start afresh, and let go of what was published of the old one.
            for table in stored.files:
                stored.replace(table, {day: [] for day in stored.files[table]})
            return cls(warehouse_id, superseded=stored.superseded)
        return cls(warehouse_id)

    def replace(self, table: str, days: Mapping[str, list[str]]) -> None:
        """Take note of the files that hold these days of a table from now on."""
        current = self.files.setdefault(table, {})
        for day, files in days.items():
            self.superseded.update(dict.fromkeys(current.get(day, []), time.time()))
            current[day] = files


class PublishedCopy:
    """The published copy of one warehouse: `<name>_reports.duckdb` and the folder `<name>_reports` beside it."""

    def __init__(self, warehouse: Path) -> None:
        """Name the copy after the warehouse's file."""
        self.path = warehouse.with_name(f"{warehouse.stem}_reports.duckdb")
        self._folder = warehouse.with_name(f"{warehouse.stem}_reports")

    def publish(
        self, connection: duckdb.DuckDBPyConnection, tables: Sequence[Table], macros: Sequence[Macro] = ()
    ) -> int:
        """Publish every day of `tables` written since the last time; give how many. Call it while holding the lock.

        Args:
            connection: of the warehouse.
            tables: what the copy holds.
            macros: what it answers from `tables`, each after those it calls.
        """
        warehouse_id = connection.execute("SELECT warehouse_id FROM pipeline.identity").fetchall()[0][0]
        manifest_path = self._folder / "manifest.json"
        manifest = _Manifest.load(manifest_path, warehouse_id)
        changed = connection.execute(
            "SELECT split_part(table_name, '/', 1), day, max(sequence) FROM pipeline.written_days "
            "WHERE sequence > ? GROUP BY ALL",
            [manifest.sequence],
        ).fetchall()
        sequence = max([manifest.sequence, *(row[2] for row in changed)])
        days_of: dict[str, list[str]] = {}
        for table_name, day, _ in changed:
            days_of.setdefault(table_name, []).append(day.isoformat())
        days_of["pipeline.written_days"] = sorted({row[1].isoformat() for row in changed})
        for table in tables:
            columns = [f"{column.name} {column.type}" for column in table.columns]
            if table.is_whole:
                is_new = table.name in days_of or manifest.columns.get(table.name) != columns
                days = [WHOLE] if is_new else []
            elif manifest.columns.get(table.name) == columns:
                days = days_of.get(table.name, [])
            else:
                # Days that went with a dropped table go from the copy too.
                days = sorted({*_every_day(connection, table), *manifest.files.get(table.name, {})})
            manifest.columns[table.name] = columns
            manifest.replace(table.name, self._write_days(connection, table, days))
        manifest.sequence = sequence
        self._replace_catalog(tables, macros, manifest)
        self._remove_old_files(manifest)
        _write_aside(manifest_path, json.dumps(vars(manifest), indent=0))
        return len({(row[0], row[1]) for row in changed})

    def open(self) -> duckdb.DuckDBPyConnection:
        """Open the copy: one state of it, whatever is published meanwhile; FileNotFoundError where nothing ever was."""
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path}: nothing is published yet: run the graph first")
        connection = duckdb.connect(str(self.path), read_only=True)
        connection.execute("SET TimeZone = 'UTC'")
        return connection

    def read(self, query: str, parameters: dict[str, Any] | None = None) -> duckdb.DuckDBPyRelation:
        """Ask the copy one question.

        Raises:
            FileNotFoundError: nothing was published yet, or not what the query reads.
        """
        try:
            return self.open().sql(query, params=parameters or {})
        except duckdb.CatalogException as error:
            missing = str(error).removeprefix("Catalog Error: ").splitlines()[0]
            raise FileNotFoundError(f"{self.path}: {missing} It was never published: run the graph first") from error

    def _write_days(
        self, connection: duckdb.DuckDBPyConnection, table: Table, days: Sequence[str]
    ) -> dict[str, list[str]]:
        """Write the days' rows and give the files of each day: none where it has no rows."""
        if not days:
            return {}
        folder = self._folder / table.name
        folder.mkdir(parents=True, exist_ok=True)
        inside = ", ".join(f"DATE '{day}'" for day in days)
        # A name never used before: what a killed publishing left behind is not ours.
        token = uuid.uuid4().hex
        if table.is_whole:
            path = folder / f"{token}.parquet"
            connection.execute(f"COPY {table.name} TO {quoted(str(path))} (FORMAT parquet)")
            return {WHOLE: [str(path.relative_to(self._folder))]}
        connection.execute(
            f"COPY (SELECT * FROM {table.name} WHERE {table.day_column} IN ({inside})) TO {quoted(str(folder))} "
            f"(FORMAT parquet, PARTITION_BY ({table.day_column}), WRITE_PARTITION_COLUMNS true, "
            f"OVERWRITE_OR_IGNORE true, FILENAME_PATTERN '{token}_{{i}}')"
        )
        written = {day: sorted((folder / f"{table.day_column}={day}").glob(f"{token}_*")) for day in days}
        return {day: [str(path.relative_to(self._folder)) for path in paths] for day, paths in written.items()}

    def _replace_catalog(self, tables: Sequence[Table], macros: Sequence[Macro], manifest: _Manifest) -> None:
        aside = self.path.with_name(self.path.name + ".new")
        aside.unlink(missing_ok=True)
        with duckdb.connect(str(aside), config={"storage_compatibility_version": "v1.5.0"}) as catalog:
            for table in tables:
                catalog.execute(f"CREATE SCHEMA IF NOT EXISTS {table.name.partition('.')[0]}")
                catalog.execute(f"CREATE VIEW {table.name} AS {self._select(table, manifest)}")
                catalog.execute(f"COMMENT ON VIEW {table.name} IS {quoted(table.meaning)}")
            for macro in macros:
                macro.create(catalog)
        aside.replace(self.path)

    def _select(self, table: Table, manifest: _Manifest) -> str:
        # Bare, a column that is called like an argument of a macro could not be told from it.
        columns = ", ".join(f'CAST(files."{each.name}" AS {each.type}) AS "{each.name}"' for each in table.columns)
        files = [file for _, day_files in sorted(manifest.files.get(table.name, {}).items()) for file in day_files]
        if not files:
            nothing = ", ".join(f'CAST(NULL AS {each.type}) AS "{each.name}"' for each in table.columns)
            return f"SELECT {nothing} WHERE FALSE"
        folder = self._folder.resolve()
        paths = ", ".join(quoted(f"{folder}/{file}") for file in files)
        # The folder's name tells the day, so that a query for some days opens those files alone.
        by_day = f", hive_partitioning = true, hive_types = {{'{table.day_column}': DATE}}"
        return f"SELECT {columns} FROM read_parquet([{paths}]{'' if table.is_whole else by_day}) AS files"

    def _remove_old_files(self, manifest: _Manifest) -> None:
        for file, since in list(manifest.superseded.items()):
            if time.time() - since > SECONDS_BEFORE_REMOVAL:
                (self._folder / file).unlink(missing_ok=True)
                del manifest.superseded[file]


def _every_day(connection: duckdb.DuckDBPyConnection, table: Table) -> list[str]:
    rows = connection.execute(f"SELECT DISTINCT {table.day_column} FROM {table.name} ORDER BY ALL").fetchall()
    return [row[0].isoformat() for row in rows]


def _write_aside(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
