"""How values and rows look in a terminal, and how they are written for a machine."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table

CENT = Decimal("0.01")
GAP = 3  # between the columns of a table: a space on each side, and where the box has its divider
LEAST_NAME = 8
MOST_ROWS = 500

# A file or a pipe has no width to fit into.
screen = Console(width=None if sys.stdout.isatty() else 160)
notices = Console(stderr=True)

Row = Mapping[str, Any]


def print_rows(title: str, columns: Sequence[str], rows: Sequence[Row], by_day: bool = False) -> None:
    """Print rows as a table of these columns: numbers to the right, rounded half up for the eye.

    Where the screen is narrow, headings are broken and texts are cut, numbers and days never. Of more rows than a
    person reads the first are shown, or the last where days are their order, and how many there are is told.
    """
    chosen = rows[-MOST_ROWS:] if by_day else rows[:MOST_ROWS]
    cells = {column: [shown(row[column]) for row in chosen] for column in columns}
    headings = {column: column for column in columns}
    table = titled(title)
    widths, gap = _widths(headings, cells), GAP
    if _taken(widths, gap) > screen.width:
        gap, table.padding, table.pad_edge = 1, (0, 0, 0, 0), False
        headings = {column: column.replace("_", "_\n").replace(" ", "\n") for column in columns}
        texts = {column for column in columns if any(isinstance(row[column], str) for row in chosen)}
        widths = _narrowed(_widths(headings, cells), texts, gap, screen.width)
    for column in columns:
        justify: Literal["left", "right"] = (
            "right" if any(isinstance(row[column], int | float | Decimal) for row in chosen) else "left"
        )
        table.add_column(headings[column], justify=justify, no_wrap=True, width=widths[column], vertical="bottom")
    for line in zip(*cells.values(), strict=True):
        table.add_row(*line)
    # A line that is longer than the screen goes on below; cut off, its numbers would be lost.
    needed = _taken(widths, gap)
    (screen if needed <= screen.width else Console(width=needed)).print(table)
    if not rows:
        notices.print("no rows")
    elif len(chosen) < len(rows):
        which = "last" if by_day else "first"
        notices.print(
            f"the {which} {len(chosen)} of {len(rows):,} rows; --format csv or json gives all", highlight=False
        )


def _widths(headings: Mapping[str, str], cells: Mapping[str, Sequence[str]]) -> dict[str, int]:
    return {
        column: max(map(len, [*heading.split("\n"), *cells[column]]), default=0) for column, heading in headings.items()
    }


def _narrowed(widths: Mapping[str, int], texts: Collection[str], gap: int, room: int) -> dict[str, int]:
    """Take from the widest texts until all fits into `room` characters, or no text is wider than a name needs."""
    narrowed = dict(widths)
    while _taken(narrowed, gap) > room:
        widest = max(texts, key=lambda column: narrowed[column], default=None)
        if widest is None or narrowed[widest] <= LEAST_NAME:
            break
        narrowed[widest] -= 1
    return narrowed


def _taken(widths: Mapping[str, int], gap: int) -> int:
    return sum(width + gap for width in widths.values()) - 1  # nothing divides the last from the edge


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
    """Write a value for the eye: money to the cent, ratios to four digits, times to the second."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        # What has no digits after the point is no money.
        return f"{value:,}" if value.as_tuple().exponent == 0 else f"{value.quantize(CENT, ROUND_HALF_UP):,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
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
