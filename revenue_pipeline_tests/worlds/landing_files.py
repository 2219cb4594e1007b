"""Writes landed rows as files of every format that a landing folder may hold."""

import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from revenue_pipeline_tests.reference.landing import COLUMNS, LandedFile
from revenue_pipeline_tests.reference.values import COUNTS, DAYS, INSTANTS, JSON, MONEY, READERS, is_readable

FORMATS = (
    *("csv", "csv.gz", "csv.zst", "ndjson", "typed.ndjson", "typed.ndjson.gz", "ndjson.zst", "parquet"),
    "typed.parquet",
)

DUCKDB = duckdb.connect(config={"threads": 1})
JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


def land(files: Iterable[LandedFile], landing: Path) -> None:
    for file in files:
        folder = landing / file.dataset / f"date={file.folder}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / file.name
        columns = [
            column for column in COLUMNS[file.dataset] if not file.rows or any(column in row for row in file.rows)
        ]
        if file.name.endswith(".parquet"):
            write_parquet(path, columns, file.rows, is_typed="typed" in file.name)
            continue
        lines = (
            ndjson(file.rows, is_typed="typed" in file.name) if "ndjson" in file.name else as_csv(columns, file.rows)
        )
        if file.name.endswith(".zst"):
            write_zst(path, lines)
        else:
            path.write_bytes(gzip.compress(lines.encode()) if file.name.endswith(".gz") else lines.encode())


def as_csv(columns: Sequence[str], rows: Iterable[Mapping[str, str | None]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def ndjson(rows: Iterable[Mapping[str, str | None]], *, is_typed: bool) -> str:
    """Typed: numbers, booleans and objects as such, and no key where there is no value. Else every value is text."""
    lines = []
    for row in rows:
        values = {column: text for column, text in row.items() if not (is_typed and text is None)}
        pairs = (f"{json.dumps(column)}: {json_value(column, text, is_typed)}" for column, text in values.items())
        lines.append("{" + ", ".join(pairs) + "}\n")
    return "".join(lines)


def json_value(column: str, text: str | None, is_typed: bool) -> str:
    if is_typed and text is not None:
        is_number = column in (*MONEY, *COUNTS, "rate") and JSON_NUMBER.fullmatch(text)
        is_object = column in JSON and is_readable(column, text)
        if is_number or is_object or (column == "is_automated" and text in ("true", "false")):
            return text
    return json.dumps(text, ensure_ascii=False)


def write_zst(path: Path, text: str) -> None:
    """Python has no zstandard of its own: DuckDB writes the lines as a CSV file of one column that needs no quotes."""
    lines = [(n, line) for n, line in enumerate(text.splitlines())]
    DUCKDB.execute("CREATE OR REPLACE TABLE lines (n INTEGER, line VARCHAR)")
    if lines:
        DUCKDB.executemany("INSERT INTO lines VALUES (?, ?)", lines)
    options = "FORMAT csv, HEADER false, DELIMITER e'\\x01', QUOTE e'\\x02', ESCAPE e'\\x02', COMPRESSION zstd"
    DUCKDB.execute(f"COPY (SELECT line FROM lines ORDER BY n) TO '{path}' ({options})")


def write_parquet(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], *, is_typed: bool) -> None:
    """Typed: instants, days, booleans, counts and decimals as such, in columns where every value is one."""
    values = {column: [row.get(column) for row in rows] for column in columns}
    types = dict.fromkeys(columns, "VARCHAR")
    for column in columns if is_typed else ():
        types[column], values[column] = typed(column, values[column])
    definitions = ", ".join(f"{column} {types[column]}" for column in columns)
    DUCKDB.execute(f"CREATE OR REPLACE TABLE landed ({definitions})")
    if rows:
        places = ", ".join("?" * len(columns))
        by_row = [list(row) for row in zip(*values.values(), strict=True)]
        DUCKDB.executemany(f"INSERT INTO landed VALUES ({places})", by_row)
    DUCKDB.execute(f"COPY landed TO '{path}' (FORMAT parquet)")


def typed(column: str, texts: list[str | None]) -> tuple[str, list[Any]]:
    present = [text.strip() for text in texts if text is not None]
    read: Callable[[str], Any] = READERS.get(column, str)
    if column in JSON or not all(text and is_readable(column, text) for text in present):
        return "VARCHAR", texts
    values = [None if text is None else read(text.strip()) for text in texts]
    numbers = [value for value in values if isinstance(value, Decimal)]
    if column in (*MONEY, "rate"):
        fits = all(n.is_finite() and abs(n) < 10**9 and n == round(n, 9) for n in numbers)
        return ("DECIMAL(18, 9)", values) if fits else ("VARCHAR", texts)
    if column in COUNTS:
        fits = all(value is None or abs(value) < 2**63 for value in values)
        return ("BIGINT", values) if fits else ("VARCHAR", texts)
    if column in INSTANTS:
        if all(datetime.fromisoformat(text.replace("Z", "+00:00")).tzinfo for text in present):
            return "TIMESTAMPTZ", values
        return "TIMESTAMP", [value and value.replace(tzinfo=None) for value in values]
    return "DATE" if column in DAYS else "BOOLEAN" if column == "is_automated" else "VARCHAR", values
