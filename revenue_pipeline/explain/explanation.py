"""Takes a cell of a report apart: asks for the parts of each of its numbers, and holds their sum against the cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from revenue_pipeline.partitions import Window
from revenue_pipeline.settings import Settings
from revenue_pipeline.settings_tables import GRAIN_COLUMNS, parameters
from revenue_pipeline.sql import load_sql
from revenue_pipeline.warehouse import identifier

ROOM = Path(__file__).parent
VALUE = "value"


class ExplanationError(ValueError):
    """What was asked for is not one cell; the text says which there are."""


@dataclass(frozen=True)
class Component:
    """One number of a cell, and the `.sql` file of this room that gives its parts.

    The file's columns before `value` are the levels, coarse to fine; those after it are facts of the finest parts. Its
    parameters are the columns of the cell, the settings, and `$column`, so that one file serves several numbers.

    Attributes:
        title: what the number is, for a person.
        file: the name of the file, without its ending.
        column: the report's column that the parts sum to; None for what is shown beside the cell.
        equals: the title of another component that this one must sum to.
    """

    title: str
    file: str
    column: str | None = None
    equals: str | None = None


@dataclass(frozen=True)
class Explanation:
    """How a report's cells are taken apart.

    Attributes:
        formula: how the metric is made of the components.
        components: its numbers.
        selection: the file that gives the money of a cell, a row a share; None where a cell has no ad revenue in it.
        rows_of: the table of facts whose rows with the cell's key add up to it; None where the queries find their own.
        rows_now_of: a report and one of its columns, where a cell is a share of a whole: the rows with the cell's value
            there are computed again from what they read now.
    """

    formula: str
    components: Sequence[Component]
    selection: str | None = None
    rows_of: str | None = None
    rows_now_of: tuple[str, str] | None = None


@dataclass(frozen=True)
class Part:
    """A number and the parts that sum to it. `rows` is how many of the finest parts are in it."""

    label: str
    value: Decimal
    rows: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    parts: Sequence[Part] = ()


@dataclass(frozen=True)
class Explained:
    """One explained number of a cell: the tree of its parts, and what the cell itself says, None beside a cell."""

    component: Component
    levels: Sequence[str]
    total: Part
    reported: Decimal | None

    @property
    def is_exact(self) -> bool:
        """Whether the parts sum to what the cell says; where not, the cell is older than what it is made of."""
        return self.reported is None or self.reported == self.total.value


@dataclass(frozen=True)
class ExplainedCell:
    """A cell with all that is known of it."""

    title: str
    formula: str
    components: Sequence[Explained]

    @property
    def is_exact(self) -> bool:
        """Whether every number of the cell is the sum of its parts."""
        return all(each.is_exact for each in self.components)


def explained_components(
    connection: duckdb.DuckDBPyConnection,
    explanation: Explanation,
    settings: Settings,
    cell: Mapping[str, Any],
    key: Sequence[str] = (),
    most: int | None = None,
) -> list[Explained]:
    """Give each component of a cell with its parts; a number that is NULL in the cell has none and is left out.

    Args:
        connection: reads the warehouse.
        explanation: how cells of this report are taken apart.
        settings: what of them SQL reads.
        cell: the row of the report; its columns are the parameters of the queries.
        key: those of its columns that name it.
        most: how many parts are shown under each, the largest, and the sum of the others; None for all.
    """
    values = {**parameters(settings, Window.of_day(settings.start_date), settings.start_date), **cell}
    connection.execute("ATTACH ':memory:' AS explained")
    connection.execute("USE warehouse")
    if explanation.rows_of:
        same = " AND ".join(f"{identifier(column)} IS NOT DISTINCT FROM ${column}" for column in key)
        connection.execute(
            f"CREATE TABLE explained.rows AS SELECT * FROM {explanation.rows_of} WHERE {same}",
            {column: cell[column] for column in key},
        )
    if explanation.rows_now_of:
        report, column = explanation.rows_now_of
        sql = load_sql(ROOM.parent / (report.replace(".", "/") + ".sql"))
        connection.execute(
            f"CREATE TABLE explained.rows_now AS SELECT * FROM ({sql.select}) WHERE {column} = ${column}",
            {**sql.parameters(values), column: cell[column]},
        )
    if explanation.selection:
        values |= _select_revenue(connection, explanation.selection, values)
    found = []
    totals: dict[str, Decimal] = {}
    for component in explanation.components:
        if component.column and cell[component.column] is None:
            continue
        levels, total = _parts(connection, component, values, most)
        totals[component.title] = total.value
        reported = (
            totals[component.equals] if component.equals else cell[component.column] if component.column else None
        )
        found.append(Explained(component, levels, total, None if reported is None else Decimal(reported)))
    return found


def _select_revenue(
    connection: duckdb.DuckDBPyConnection, selection: str, values: Mapping[str, Any]
) -> dict[str, date | None]:
    """Make the tables that show where money comes from: the shares of a cell, and what was settled and imported.

    Returns:
        The first and the last day of the events that carry the money, as parameters.
    """
    key = _ledger_key()
    sql = load_sql(ROOM / f"{selection}.sql")
    connection.execute(
        f"CREATE TABLE explained.selected_revenue AS SELECT money.*, {key} FROM ({sql.select}) AS money "
        f"LEFT JOIN settings.partners AS partners ON partners.partner = money.partner",
        sql.parameters(values),
    )
    first_event, last_event, first, last = connection.execute(
        "SELECT min(event_date), max(event_date), min(report_date), max(report_date) FROM explained.selected_revenue"
    ).fetchall()[0]
    # Its days, as literals, keep DuckDB from reading those of all history.
    inside = f"report_date BETWEEN DATE '{first}' AND DATE '{last}'" if first else "FALSE"
    for name, table in (("ledger", "core.reconciled_estimates"), ("partner_rows", "raw.partner_revenue")):
        connection.execute(
            f"CREATE TABLE explained.{name} AS SELECT money.*, {key} FROM {table} AS money "
            f"LEFT JOIN settings.partners AS partners ON partners.partner = money.partner WHERE {inside}"
        )
    return {"first_event_date": first_event, "last_event_date": last_event}


def _ledger_key() -> str:
    """Write the key that a partner's money is settled by, as one text: those of its columns that are in the grain."""
    columns = (*GRAIN_COLUMNS, "user_id")
    parts = [f"CASE WHEN partners.has_{name} THEN coalesce(money.{name}, 'no {name}') END" for name in columns]
    key = f"coalesce(nullif(concat_ws(', ', {', '.join(parts)}), ''), 'the whole day')"
    return f"CASE WHEN money.partner IS NOT NULL THEN {key} END AS ledger_key"


def _parts(
    connection: duckdb.DuckDBPyConnection, component: Component, values: Mapping[str, Any], most: int | None
) -> tuple[list[str], Part]:
    sql = load_sql(ROOM / f"{component.file}.sql")
    connection.execute(
        f"CREATE OR REPLACE TABLE explained.parts AS {sql.select}",
        sql.parameters({**values, "column": component.column}),
    )
    described = connection.execute("DESCRIBE explained.parts").fetchall()
    columns = [row[0] for row in described]
    levels, facts = columns[: columns.index(VALUE)], columns[columns.index(VALUE) + 1 :]
    shown: dict[tuple[str, ...], list[Part]] = defaultdict(list)
    # From the finest level up, each part takes those below it that are shown, and the sum of the others.
    for depth in range(len(levels), 0, -1):
        below = {path: parts for path, parts in shown.items() if len(path) == depth}
        for path, value, rows, *own in _level(connection, levels[:depth], facts if depth == len(levels) else [], most):
            own_facts = {name: fact for name, fact in zip(facts, own, strict=False) if fact is not None}
            parts = _with_rest(below.get(path, []), value, rows)
            shown[path[:-1]].append(Part(path[-1], value, rows, own_facts, parts))
    value, rows = connection.execute(f"SELECT coalesce(sum({VALUE}), 0), count(*) FROM explained.parts").fetchall()[0]
    return levels, Part(component.title, Decimal(value), rows, {}, _with_rest(shown[()], Decimal(value), rows))


def _level(
    connection: duckdb.DuckDBPyConnection, levels: Sequence[str], facts: Sequence[str], most: int | None
) -> list[tuple[Any, ...]]:
    """The parts of one level: (path, value, rows, facts …), of each parent the largest ones, largest first."""
    path = [identifier(level) for level in levels]
    parents = f"PARTITION BY {', '.join(path[:-1])}" if path[:-1] else ""
    order = f"abs(sum({VALUE})) DESC, {path[-1]}"
    own = "".join(f", any_value({identifier(fact)})" for fact in facts)
    largest = f"QUALIFY row_number() OVER ({parents} ORDER BY {order}) <= {most}" if most else ""
    rows = connection.execute(
        f"SELECT {', '.join(path)}, sum({VALUE}), count(*){own} FROM explained.parts "
        f"GROUP BY {', '.join(path)} {largest} ORDER BY {order}"
    ).fetchall()
    depth = len(levels)
    return [(row[:depth], Decimal(row[depth]), row[depth + 1], *row[depth + 2 :]) for row in rows]


def _with_rest(parts: Sequence[Part], value: Decimal, rows: int) -> Sequence[Part]:
    shown, shown_rows = sum((part.value for part in parts), Decimal(0)), sum(part.rows for part in parts)
    if not parts or shown_rows == rows:
        return parts
    return [*parts, Part(f"{rows - shown_rows:,} more", value - shown, rows - shown_rows)]


def find_cell(
    connection: duckdb.DuckDBPyConnection, table: str, unique_by: Sequence[str], key: Mapping[str, str]
) -> dict[str, Any]:
    """Give the one row of `table` with these values; where several have them, the one whose other key columns are NULL.

    Raises:
        ExplanationError: there is no such row, or more than one; or a column is not part of the key.
    """
    unknown = [column for column in key if column not in unique_by]
    if unknown:
        raise ExplanationError(f"{table} has no key column {', '.join(unknown)}; there are {', '.join(unique_by)}")
    given = " AND ".join(f"CAST({identifier(column)} AS VARCHAR) = ${column}" for column in key) or "TRUE"
    open_columns = [column for column in unique_by if column not in key]
    # Rows with the most NULLs first: those are the totals, and a report may have a million others.
    named = " + ".join(f"CAST({identifier(column)} IS NOT NULL AS INTEGER)" for column in unique_by)
    result = connection.execute(f"SELECT * FROM warehouse.{table} WHERE {given} ORDER BY {named} LIMIT 1000", dict(key))
    columns = [column[0] for column in result.description or []]
    rows = [dict(zip(columns, row, strict=True)) for row in result.fetchall()]
    totals = [row for row in rows if all(row[column] is None for column in open_columns)]
    best = rows if len(rows) == 1 else totals or _fewest_named(rows, open_columns)
    if len(best) == 1:
        return best[0]
    if not rows:
        raise ExplanationError(f"{table} has no row with {said(key)}; its key is {', '.join(unique_by)}")
    choice = "; ".join(said({column: row[column] for column in open_columns}) for row in rows[:10])
    raise ExplanationError(f"{table} has several rows with {said(key)}; add one of: {choice}")


def _fewest_named(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> Sequence[dict[str, Any]]:
    named = [sum(row[column] is not None for column in columns) for row in rows]
    return [row for row, count in zip(rows, named, strict=True) if count == min(named)]


def said(key: Mapping[str, Any]) -> str:
    """Write a key as people type it."""
    return ", ".join(f"{column}={'NULL' if value is None else value}" for column, value in key.items()) or "no key"
