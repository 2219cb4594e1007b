"""How values and rows look in a terminal, and how they are written for a machine."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

CENT = Decimal("0.01")

# A file or a pipe has no width to fit into.
screen = Console(width=None if sys.stdout.isatty() else 160)
notices = Console(stderr=True)

Row = Mapping[str, Any]


def print_rows(title: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Print rows as a table of these columns: numbers to the right, rounded half up for the eye."""
    table = titled(title)
    for column in columns:
        numeric = any(isinstance(row[column], int | float | Decimal) for row in rows)
        # On a narrow screen names give way, numbers and days do not.
        least = 0 if column.endswith("_id") else max([len(column), *(len(shown(row[column])) for row in rows)])
        table.add_column(column, justify="right" if numeric else "left", no_wrap=True, min_width=least)
    for row in rows:
        table.add_row(*(shown(row[column]) for column in columns))
    screen.print(table)


def titled(title: str | None) -> Table:
    """Give an empty table in the style of all of them."""
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)


def write_rows(style: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Write rows in full to standard output, as `csv` or `json`."""
    if style == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows([written(value) for value in row.values()] for row in rows)
    else:
        json.dump(rows, sys.stdout, default=written, indent=2)
        sys.stdout.write("\n")


def shown(value: Any) -> str:
    """Write a value for the eye: money to the cent, ratios to four digits."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        # What has no digits after the point is no money.
        return f"{value:,}" if value.as_tuple().exponent == 0 else f"{value.quantize(CENT, ROUND_HALF_UP):,}"
    if isinstance(value, float):
        return f"{Decimal(value).quantize(Decimal('0.0001'), ROUND_HALF_UP):,}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def written(value: Any) -> Any:
    """Write a value for a machine: money in full and never in powers of ten, days as ISO 8601, truth as JSON does."""
    if isinstance(value, bool):
        return str(value).lower()
    return (
        f"{value:f}"
        if isinstance(value, Decimal)
        else value
        if isinstance(value, float | int)
        else value and str(value)
    )
