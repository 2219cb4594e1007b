"""Turns the declaration of an SQL table into a partitioned assets with their schema, lineage, checks and metadata."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from revenue_pipeline.partitions import SINGLE_RUN, Reads, Window, window_of
from revenue_pipeline.preview import PREVIEW_ROWS, as_markdown, as_text, first_rows
from revenue_pipeline.run_day import RunDay
from revenue_pipeline.settings import Settings
from revenue_pipeline.settings_tables import parameters
from revenue_pipeline.sql import SqlFile, load_sql
from revenue_pipeline.warehouse import Column, Table, Warehouse, WarehouseError, replace_window

PACKAGE = Path(__file__).parent
OWNERS = ["team:data"]
# The schedule refreshes three times a day; half a day without it is worth a look.
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=24), warn_window=timedelta(hours=12))


@dataclass(frozen=True)
class Check:
    """A query of the rows that are wrong: it passes when there is none. A blocking one stops what is downstream."""

    name: str
    description: str
    query: str
    parameter_names: frozenset[str]
    blocking: bool


def check_file(room: str, name: str, blocking: bool = False) -> Check:
    """Give the check that the file `<room>/checks/<name>.sql` holds."""
    sql = load_sql(PACKAGE / room / "checks" / f"{name}.sql")
    return Check(name, sql.description, sql.select, sql.parameter_names, blocking)


@dataclass(frozen=True)
class SqlTable:
    """One table that a `.sql` file defines.

    Attributes:
        name: `schema.table`; the file is `<schema>/<table>.sql`, the asset key the same.
        day: the column that holds the partition's day.
        is_whole: whether every run replaces it whole, since its rows depend on those of all days.
        reads: the tables it reads, and which days of them.
        unique_by: the columns that name a row; empty where another check is stronger.
        sums: columns whose sum over the window is shown with each run.
        headline: the columns that a terminal has room for; empty where no command prints the table.
        explained_by: each run shows how to explain the row with the most of this; empty where rows cannot be explained.
        ratios: columns that must never be infinite or not a number.
        conserves: a table with the same day column, and the sums that each day of both must have in common.
        checks: its own checks.
        requires: checks of what it reads; one that fails is an error before anything is written.
    """

    name: str
    day: str
    reads: Sequence[Reads]
    unique_by: Sequence[str] = ()
    sums: Sequence[str] = ()
    headline: Sequence[str] = ()
    explained_by: str = ""
    ratios: Sequence[str] = ()
    conserves: tuple[str, Sequence[str]] | None = None
    checks: Sequence[Check] = ()
    requires: Sequence[Check] = ()
    is_whole: bool = False

    @property
    def key(self) -> dg.AssetKey:
        """The asset key."""
        return asset_key(self.name)

    @property
    def sql(self) -> SqlFile:
        """The file that defines it."""
        return load_sql(PACKAGE / (self.name.replace(".", "/") + ".sql"))

    @cached_property
    def table(self) -> Table:
        """What the warehouse needs to know of it."""
        return Table(self.name, self.day, self.sql.columns, self.sql.description, self.is_whole)

    @cached_property
    def all_checks(self) -> list[Check]:
        """Its own checks, and those that every table of its kind has."""
        inside = "TRUE" if self.is_whole else f"{self.day} >= $start_date AND {self.day} < $end_date"
        days = frozenset() if self.is_whole else frozenset({"start_date", "end_date"})
        checks = list(self.checks)
        if self.unique_by:
            key = ", ".join(self.unique_by)
            query = (
                f"SELECT {key}, count(*) AS repeats FROM {self.name} WHERE {inside} GROUP BY {key} HAVING count(*) > 1"
            )
            checks.append(Check("rows_are_unique", f"One row for each {key}.", query, days, blocking=True))
        if self.ratios:
            odd = " OR ".join(f"NOT isfinite({ratio})" for ratio in self.ratios)
            query = f"SELECT * FROM {self.name} WHERE {inside} AND ({odd})"
            told = f"{', '.join(self.ratios)} are numbers or NULL, never infinite."
            checks.append(Check("ratios_are_finite", told, query, days, blocking=True))
        if self.conserves:
            source, sums = self.conserves
            sides = (
                f"SELECT {self.day}, {', '.join(sums)} FROM {source} WHERE {inside} UNION ALL "
                f"SELECT {self.day}, {', '.join(f'-{each} AS {each}' for each in sums)} FROM {self.name} WHERE {inside}"
            )
            missing = ", ".join(f"CAST(sum({each}) AS DECIMAL(38, 9)) AS missing_{each}" for each in sums)
            differs = " OR ".join(f"sum({each}) <> 0" for each in sums)
            query = f"SELECT {self.day}, {missing} FROM ({sides}) GROUP BY {self.day} HAVING {differs}"
            told = f"Each day's {', '.join(sums)} add up to those of {source}."
            checks.append(Check("sums_are_conserved", told, query, days, blocking=True))
        return checks


def asset_key(table: str) -> dg.AssetKey:
    """Give the asset key of `schema.table`."""
    return dg.AssetKey(table.split("."))


Writers = Mapping[str, Sequence[dg.AssetKey]]
"""Table -> the assets that write it, where they are others than the one of its own name: a partner writes a slice."""


def sql_assets(
    tables: Sequence[SqlTable],
    settings: Settings,
    partitions: dg.DailyPartitionsDefinition,
    known: Sequence[Table],
    writers: Writers,
    zones_differ: bool,
) -> dg.AssetsDefinition:
    """Make the assets that replace the run's days of `tables` by what their SELECTs give.

    They are written in one transaction, so that all of them are computed from the same state of what they read,
    whatever other runs write at the same time.

    Args:
        tables: the declarations, each after those it reads.
        settings: what of them SQL reads.
        partitions: the days.
        known: every table that their files may read, for the lineage of columns.
        writers: which assets write the tables that they read.
        zones_differ: whether days of different time zones meet in them.
    """

    @dg.multi_asset(
        name=tables[0].name.replace(".", "__"),
        specs=[_spec(table, partitions, writers, zones_differ) for table in tables],
        check_specs=[spec for table in tables for spec in check_specs(table.key, table.all_checks)],
        can_subset=True,
        backfill_policy=SINGLE_RUN,
    )
    def materialize(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse], run_day: RunDay
    ) -> Iterator[dg.MaterializeResult]:
        window, as_of = window_of(context), run_day.as_of(context)
        values = parameters(settings, window, as_of)
        chosen = [table for table in tables if table.key in context.selected_asset_keys]
        who = f"run {context.run.run_id[:8]}, {', '.join(table.name for table in chosen)} of {window}"
        with warehouse.writing(context.log, who) as connection:
            results = [_materialized(connection, table, window, as_of, values) for table in chosen]
        if context.instance.is_ephemeral:  # nobody can look at it, and finding it takes longer than a small day
            yield from results
            return
        for table, result in zip(chosen, results, strict=True):
            lineage = {"dagster/column_lineage": column_lineage(table, known, writers)}
            yield result._replace(metadata={**(result.metadata or {}), **lineage})

    return materialize


def _spec(
    table: SqlTable, partitions: dg.DailyPartitionsDefinition, writers: Writers, zones_differ: bool
) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=table.key,
        deps=[
            dg.AssetDep(key, partition_mapping=read.mapping(zones_differ))
            for read in table.reads
            for key in writers.get(read.table, [asset_key(read.table)])
        ],
        description=table.sql.description,
        group_name=table.name.partition(".")[0],
        kinds={"duckdb", "sql"},
        owners=OWNERS,
        partitions_def=partitions,
        metadata={
            "dagster/column_schema": column_schema(table.table.columns),
            "dagster/table_name": table.name,
            "sql": dg.MetadataValue.md(f"```sql\n{table.sql.select}\n```"),
        },
        freshness_policy=FRESHNESS,
    )


def _materialized(
    connection: duckdb.DuckDBPyConnection, table: SqlTable, window: Window, as_of: date, values: Mapping[str, Any]
) -> dg.MaterializeResult:
    rows = write_table(connection, table, window, as_of, values)
    metadata = run_metadata(connection, table.table, window, as_of, rows, table.sums)
    if command := explain_command(connection, table, window):
        metadata["explain"] = command
    return dg.MaterializeResult(
        asset_key=table.key,
        metadata=metadata,
        check_results=[run_check(connection, table.key, check, values) for check in table.all_checks],
    )


def write_table(
    connection: duckdb.DuckDBPyConnection, table: SqlTable, window: Window, as_of: date, values: Mapping[str, Any]
) -> int:
    """Replace the days of `window` in `table` by what its SELECT gives, and give the number of rows.

    Raises:
        WarehouseError: what the table requires does not hold, or its rows do not fit it.
    """
    refuse_unfit(connection, table, values)
    return replace_window(connection, table.table, table.sql.select, table.sql.parameters(values), window, as_of)


def refuse_unfit(connection: duckdb.DuckDBPyConnection, table: SqlTable, values: Mapping[str, Any]) -> None:
    """Raise WarehouseError, which names the first rows that are wrong, where what `table` requires does not hold."""
    for check in table.requires:
        names, bad = _bad_rows(connection, check, values)
        if bad:
            named = [zip(names, row, strict=True) for row in bad]
            rows = [", ".join(f"{name} {as_text(value)}" for name, value in row if value is not None) for row in named]
            told = " ".join(check.description.split())
            raise WarehouseError(f"{table.name}: nothing was written, because of {'; '.join(rows)}. {told}")


def run_metadata(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    window: Window,
    as_of: date,
    rows: int,
    sums: Sequence[str] = (),
    only: str = "TRUE",
) -> dict[str, Any]:
    """Give what the UI shows of a write: its days, rows and sums of money, and the first rows for a person to read."""
    inside = f"{table.inside(window)} AND {only}"
    metadata: dict[str, Any] = {
        "dagster/row_count" if table.is_whole else "dagster/partition_row_count": rows,
        "window": str(window),
        "as_of": str(as_of),
    }
    if sums:
        totals = ", ".join(f"CAST(coalesce(sum({column}), 0) AS VARCHAR)" for column in sums)
        found = connection.execute(f"SELECT {totals} FROM {table.name} WHERE {inside}").fetchall()[0]
        metadata |= {f"sum_of_{column}": total for column, total in zip(sums, found, strict=True)}
    preview = connection.execute(f"SELECT * FROM {table.name} WHERE {inside} LIMIT {PREVIEW_ROWS}")
    metadata["preview"] = dg.MetadataValue.md(as_markdown(*first_rows(preview)))
    return metadata


def explain_command(connection: duckdb.DuckDBPyConnection, table: SqlTable, window: Window) -> str | None:
    """Write the command that takes the largest row of `window` apart, for a person to copy from the UI.

    Gives None where rows of the table cannot be explained, or there is none.
    """
    if not table.explained_by:
        return None
    values = ", ".join(f"CAST({column} AS VARCHAR)" for column in table.unique_by)
    rows = connection.execute(
        f"SELECT {values} FROM {table.name} WHERE {table.table.inside(window)} "
        f"ORDER BY abs({table.explained_by}) DESC NULLS LAST, {', '.join(table.unique_by)} LIMIT 1"
    ).fetchall()
    if not rows:
        return None
    named = zip(table.unique_by, rows[0], strict=True)
    key = ",".join(f"{column}={value}" for column, value in named if value is not None)
    return f"revenue-pipeline explain --report {table.name.partition('.')[2]} --key {shlex.quote(key)}"


def check_specs(key: dg.AssetKey, checks: Sequence[Check]) -> list[dg.AssetCheckSpec]:
    """Declare checks to Dagster."""
    return [
        dg.AssetCheckSpec(check.name, asset=key, description=check.description, blocking=check.blocking)
        for check in checks
    ]


def run_check(
    connection: duckdb.DuckDBPyConnection, key: dg.AssetKey, check: Check, values: Mapping[str, Any]
) -> dg.AssetCheckResult:
    """Run a check: it passes when its query gives no row; else it tells the first bad row and shows the first ones."""
    names, bad = _bad_rows(connection, check, values)
    told = None
    if bad:
        told = ", ".join(f"{name} {as_text(value)}" for name, value in zip(names, bad[0], strict=True))
        if len(bad) > 1:
            told += f"; and {len(bad) - 1} {'or ' if len(bad) == PREVIEW_ROWS else ''}more like it"
    shown = {"bad_rows": dg.MetadataValue.md(as_markdown(names, bad))} if bad else {}
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=check.name,
        passed=not bad,
        severity=dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN,
        description=told,
        metadata=shown,
    )


def _bad_rows(
    connection: duckdb.DuckDBPyConnection, check: Check, values: Mapping[str, Any]
) -> tuple[list[str], list[tuple[Any, ...]]]:
    named = {name: values[name] for name in check.parameter_names}
    return first_rows(connection.execute(f"SELECT * FROM ({check.query}) LIMIT {PREVIEW_ROWS}", named))


def column_schema(columns: Sequence[Column]) -> dg.TableSchema:
    """Describe columns to Dagster."""
    return dg.TableSchema([dg.TableColumn(each.name, each.type, each.meaning) for each in columns])


def column_lineage(table: SqlTable, known: Sequence[Table], writers: Writers) -> dg.TableColumnLineage:
    """Say which columns of which assets each column of `table` comes from.

    Args:
        table: the table.
        known: every table that its file may read.
        writers: which assets write the tables that it reads.
    """
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for each in known:
        room, _, name = each.name.partition(".")
        schema.setdefault(room, {})[name] = {column.name: column.type for column in each.columns}
    return dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(key, source)
                for read, source in sources
                if not read.startswith("settings.")
                for key in writers.get(read, [asset_key(read)])
            ]
            for column, sources in table.sql.column_sources(schema).items()
        }
    )
