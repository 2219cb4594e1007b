"""A few rows of a table as a person reads them in the UI: Markdown, with every digit of every amount."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import duckdb
from tabulate import tabulate

PREVIEW_ROWS = 10


def first_rows(result: duckdb.DuckDBPyConnection) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Give the names of the columns and the first rows of what was executed."""
    names = [column[0] for column in result.description or []]
    return names, result.fetchall()[:PREVIEW_ROWS]


def as_markdown(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Write rows as a Markdown table: amounts in full, never through a float, and NULL by name."""
    sides = ["right" if any(_is_number(row[place]) for row in rows) else "left" for place in range(len(names))]
    texts = [[as_text(value) for value in row] for row in rows]
    align = sides if rows else None
    return str(tabulate(texts, headers=list(names), tablefmt="pipe", disable_numparse=True, colalign=align))


def as_text(value: Any) -> str:
    """Write one value on one line of a Markdown table."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"  # str() writes 0.000000000 as 0E-9
    return " ".join(str(value).replace("|", "\\|").splitlines())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
