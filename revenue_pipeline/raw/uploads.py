"""The answer to people who land files by hand: which of their rows were refused, where they are, and what is wrong.

`raw.rejected_rows` keeps every row that was ever refused; this says what is refused of the files as they are now.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dagster as dg
import duckdb

from revenue_pipeline.partitions import Window
from revenue_pipeline.raw.datasets import Dataset
from revenue_pipeline.raw.files import LandingFolder, folder_date_of, text_of, unreadable_lines
from revenue_pipeline.raw.landing import Rules, read_landed

UPLOAD_CHECK = "uploaded_rows_are_usable"
SHOWN_IN_A_LINE = 3
SHOWN_IN_A_TABLE = 200
WORDS = {
    "missing_column": "is empty or not there",
    "unreadable": "cannot be read",
    "unknown_currency": "is no currency code of ISO 4217, in capitals",
    "out_of_range": "is more than the column can hold",
    "wrong_day": "is another day than the folder's",
}


@dataclass(frozen=True)
class RefusedRow:
    """A row that was refused: `line` is where it begins in its file, None in one that has no lines.

    `value` is what the file has in the column `field`; both are None for a line that is no row at all.
    """

    path: str
    line: int | None
    reason: str
    field: str | None
    value: str | None

    def __str__(self) -> str:
        """Say it to the person who landed the file."""
        file = f"date={folder_date_of(self.path)}/{self.path.rpartition('/')[2]}"
        where = f"{file} line {self.line}" if self.line else file
        if self.field is None:
            return f"{where}: no row of as many columns as the first line names"
        value = f" '{self.value}'" if self.value else ""
        return f"{where}: {self.field}{value} {WORDS.get(self.reason, self.reason)}"


def refused_rows(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, landing: LandingFolder, window: Window, rules: Rules
) -> list[RefusedRow]:
    """Give the refused rows of the files of `window`, in the order of the files; call it after `land`."""
    files = [path for paths in landing.files(dataset.name, window.days).values() for path in paths]
    rejected = connection.execute(
        f"SELECT CAST(folder_date AS VARCHAR), file, reason, field, landed_row "
        f"FROM ({read_landed(connection, dataset, files, rules).rejected}) ORDER BY ALL"
    ).fetchall()
    of_file = defaultdict(list)
    for day, file, reason, field, row in rejected:
        of_file[day, file].append((reason, field, row))
    for path, line in unreadable_lines(connection):
        of_file[str(folder_date_of(path)), path.rpartition("/")[2]].append(("unreadable", None, json.dumps(line)))
    return [
        refused
        for path in files
        for refused in _located(path, of_file[str(folder_date_of(path)), path.rpartition("/")[2]])
    ]


def upload_check_spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """Declare the check that answers the people who landed the files."""
    return dg.AssetCheckSpec(
        UPLOAD_CHECK, asset=key, description="Every row of the landed files is used; names each one that is not."
    )


def upload_check(refused: Sequence[RefusedRow]) -> dg.AssetCheckResult:
    """Give the answer: a warning that names the first refused rows, with a table of all of them."""
    told = "; ".join(map(str, refused[:SHOWN_IN_A_LINE]))
    more = f"; and {len(refused) - SHOWN_IN_A_LINE} more" if len(refused) > SHOWN_IN_A_LINE else ""
    rows = "\n".join(f"- {row}" for row in refused[:SHOWN_IN_A_TABLE])
    return dg.AssetCheckResult(
        check_name=UPLOAD_CHECK,
        passed=not refused,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{told}{more}" if refused else "every row is used",
        metadata={"refused_rows": len(refused), **({"answer": dg.MetadataValue.md(rows)} if refused else {})},
    )


def _located(path: str, refused: Sequence[tuple[str, str | None, str]]) -> list[RefusedRow]:
    """Find where rows of one file are; of rows alike the first comes first."""
    places = _places(path) if refused else {}
    rows = []
    for reason, field, landed_row in refused:
        row = json.loads(landed_row)
        values = {name.strip().lower(): value for name, value in row.items()} if isinstance(row, dict) else {}
        value = values.get(field)
        # A row of CSV is found by its values, a line of JSON, or what is no row at all, by its text.
        contents = [_texts(values.values()), landed_row if values else row]
        found = next((places[each] for each in contents if each in places), [])
        line = found.pop(0) if found else None
        rows.append(RefusedRow(path, line, reason, field, None if value is None else str(value)))
    return sorted(rows, key=lambda row: row.line or 0)


def _places(path: str) -> dict[object, list[int]]:
    """Give the numbers of the lines with the same text, and of those at which CSV rows with the same values begin."""
    kind, text = text_of(path) or ("", "")
    places: dict[object, list[int]] = defaultdict(list)
    for number, line in enumerate(text.split("\n"), start=1):
        places[line.rstrip("\r")].append(number)
    if kind == "csv":
        reader, begins = csv.reader(io.StringIO(text, newline="")), 1
        for record in reader:
            places[_texts(record)].append(begins)
            begins = reader.line_num + 1
    return places


def _texts(values: Iterable[object]) -> tuple[str, ...]:
    return tuple("" if value is None else str(value) for value in values)
