"""CSV as partners write it: headings in any spelling, every value a text, nothing guessed and nothing left out."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class CsvFile:
    """A CSV file that was read: its headings, each in one spelling (`User ID` is `user_id`), and its rows by them."""

    columns: Sequence[str]
    rows: Sequence[Mapping[str, str]]

    def column(self, *names: str) -> str:
        """The first of these names that the file has as a heading; ValueError when it has none of them."""
        for name in names:
            if name in self.columns:
                return name
        raise ValueError(f"no column {' or '.join(names)} among {', '.join(self.columns)}")


def read_csv(text: str) -> CsvFile:
    """Read a whole file. Empty lines are skipped.

    ValueError for a file without headings or with one heading twice, for a line with more or fewer values than there
    are headings, and for quotes that do not end: a file that was cut off looks so.
    """
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [_spelled(heading) for heading in next(lines, [])]
        if not any(columns) or len(set(columns)) < len(columns):
            raise ValueError(f"no headings, or one of them twice, in {columns}")
        rows = []
        for values in lines:
            if not values:
                continue
            if len(values) != len(columns):
                raise ValueError(f"line {lines.line_num} has {len(values)} values under {len(columns)} headings")
            rows.append(dict(zip(columns, values, strict=True)))
    except csv.Error as error:
        raise ValueError(f"line {lines.line_num}: {error}") from None
    return CsvFile(columns, rows)


def _spelled(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", heading.lower()).strip("_")
