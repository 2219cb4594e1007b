"""Turns the declaration of an SQL table into a partitioned asset with its schema, lineage, checks and metadata."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from revenue_pipeline.partitions import SINGLE_RUN, Reads, Window, window_of
from revenue_pipeline.run_day import RunDay
from revenue_pipeline.settings import Settings
from revenue_pipeline.settings_tables import parameters
from revenue_pipeline.sql import SqlFile, load_sql
from revenue_pipeline.warehouse import Column, Table, Warehouse, WarehouseError, replace_window

PACKAGE = Path(__file__).parent
PREVIEW_ROWS = 10
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
        reads: the tables it reads, and which days of them.
        unique_by: the columns that name a row; empty where another check is stronger.
        sums: columns whose sum over the window is shown with each run.
        headline: the columns that a terminal has room for; empty where no command prints the table.
        ratios: columns that must never be infinite or not a number.
        checks: its own checks.
    """

    name: str
    day: str
    reads: Sequence[Reads]
    unique_by: Sequence[str] = ()
    sums: Sequence[str] = ()
    headline: Sequence[str] = ()
    ratios: Sequence[str] = ()
    checks: Sequence[Check] = ()

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
        return Table(self.name, self.day, self.sql.columns, self.sql.description)

    @cached_property
    def all_checks(self) -> list[Check]:
        """Its own checks, and those that every table of its kind has."""
        inside = f"{self.day} >= $start_date AND {self.day} < $end_date"
        days = frozenset({"start_date", "end_date"})
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
        return checks


def asset_key(table: str) -> dg.AssetKey:
    """Give the asset key of `schema.table`."""
    return dg.AssetKey(table.split("."))


def asset_keys(table: str, settings: Settings) -> list[dg.AssetKey]:
    """Give the keys of the assets that write `table`: one, but for `raw.partner_revenue`, which has one a partner."""
    if table == "raw.partner_revenue":
        return [dg.AssetKey([*table.split("."), partner]) for partner in settings.partners]
    return [asset_key(table)]


def sql_asset(
    table: SqlTable, settings: Settings, partitions: dg.DailyPartitionsDefinition, known: Sequence[Table]
) -> dg.AssetsDefinition:
    """Make the asset that replaces the run's days of `table` by what its SELECT gives.

    Args:
        table: the declaration.
        settings: what of them SQL reads, and which partners there are.
        partitions: the days.
        known: every table that its file may read, for the lineage of columns.
    """

    @dg.asset(
        key=table.key,
        deps=[
            dg.AssetDep(key, partition_mapping=read.mapping())
            for read in table.reads
            for key in asset_keys(read.table, settings)
        ],
        description=table.sql.description,
        group_name=table.name.partition(".")[0],
        kinds={"duckdb", "sql"},
        owners=OWNERS,
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        check_specs=check_specs(table.key, table.all_checks),
        metadata={
            "dagster/column_schema": column_schema(table.table.columns),
            "dagster/table_name": table.name,
            "sql": dg.MetadataValue.md(f"```sql\n{table.sql.select}\n```"),
        },
        freshness_policy=FRESHNESS,
    )
    def materialize(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse], run_day: RunDay
    ) -> dg.MaterializeResult:
        window, as_of = window_of(context), run_day.as_of(context)
        values = parameters(settings, window, as_of)
        who = f"run {context.run.run_id[:8]}, {table.name} of {window}"
        with warehouse.writing(context.log, who) as connection:
            try:
                rows = replace_window(
                    connection, table.table, table.sql.select, table.sql.parameters(values), window, as_of
                )
            except duckdb.CatalogException as error:
                missing = ", ".join(read.table for read in table.reads)
                raise WarehouseError(f"{table.name} reads {missing}: materialize those first. {error}") from error
            return dg.MaterializeResult(
                metadata={
                    **run_metadata(connection, table.table, window, as_of, rows, table.sums),
                    "dagster/column_lineage": column_lineage(table, known, settings),
                },
                check_results=[run_check(connection, check, values) for check in table.all_checks],
            )

    return materialize


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
    inside = f"{table.day_column} >= DATE '{window.start}' AND {table.day_column} < DATE '{window.end}' AND {only}"
    metadata: dict[str, Any] = {
        "dagster/partition_row_count": rows,
        "window": str(window),
        "as_of": str(as_of),
    }
    if sums:
        totals = ", ".join(f"CAST(coalesce(sum({column}), 0) AS VARCHAR)" for column in sums)
        found = connection.execute(f"SELECT {totals} FROM {table.name} WHERE {inside}").fetchall()[0]
        metadata |= {f"sum_of_{column}": total for column, total in zip(sums, found, strict=True)}
    preview = connection.sql(f"SELECT * FROM {table.name} WHERE {inside} LIMIT {PREVIEW_ROWS}").df()
    metadata["preview"] = dg.MetadataValue.md(preview.to_markdown(index=False))
    return metadata


def check_specs(key: dg.AssetKey, checks: Sequence[Check]) -> list[dg.AssetCheckSpec]:
    """Declare checks to Dagster."""
    return [
        dg.AssetCheckSpec(check.name, asset=key, description=check.description, blocking=check.blocking)
        for check in checks
    ]


def run_check(connection: duckdb.DuckDBPyConnection, check: Check, values: Mapping[str, Any]) -> dg.AssetCheckResult:
    """Run a check: it passes when its query gives no row, and shows the first bad rows when it does not."""
    named = {name: values[name] for name in check.parameter_names}
    bad = connection.execute(f"SELECT * FROM ({check.query}) LIMIT {PREVIEW_ROWS}", named).df()
    passed = bad.empty
    shown = {} if passed else {"bad_rows": dg.MetadataValue.md(bad.to_markdown(index=False))}
    return dg.AssetCheckResult(
        check_name=check.name,
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN,
        metadata=shown,
    )


def column_schema(columns: Sequence[Column]) -> dg.TableSchema:
    """Describe columns to Dagster."""
    return dg.TableSchema([dg.TableColumn(each.name, each.type, each.meaning) for each in columns])


def column_lineage(table: SqlTable, known: Sequence[Table], settings: Settings) -> dg.TableColumnLineage:
    """Say which columns of which assets each column of `table` comes from.

    Args:
        table: the table.
        known: every table that its file may read.
        settings: tell which assets write a table.
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
                for key in asset_keys(read, settings)
            ]
            for column, sources in table.sql.column_sources(schema).items()
        }
    )
