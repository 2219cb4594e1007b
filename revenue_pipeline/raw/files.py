"""Landing files as relations: which there are, and a FROM clause over those that have the same columns.

Nothing is guessed: the columns come from a file's own schema or header, never from sampling.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath
from typing import Any

import duckdb
import fsspec

from revenue_pipeline.raw.values import WHITESPACE
from revenue_pipeline.warehouse import quoted

# No byte of a text file is this one, so a line of it is one column.
LINE_READER = (
    "auto_detect = false, header = false, delim = '\x01', quote = '', escape = '', columns = {line: 'VARCHAR'}"
)
LONGEST_LINE = "max_line_size = 16777216"
UNREADABLE_LINES = "store_rejects = true, rejects_table = 'unreadable_lines', rejects_scan = 'unreadable_files'"
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}
FORMATS = {".parquet": "parquet", ".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "ndjson"}
# A number right after a key, which only a key can stand before: nothing inside a text looks like that.
JSON_NUMBER = r'([^\\]"\s*:\s*)(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)'


class LandingError(Exception):
    """A file that cannot be read at all; the text names it and says what to do."""


@dataclass(frozen=True)
class LandingFolder:
    """The folder, on disk or on an object store, that holds `<dataset>/date=YYYY-MM-DD/*`."""

    url: str

    def files(self, dataset: str, days: Iterable[date]) -> dict[date, list[str]]:
        """Give the files of each day's folder, in order; a day without a folder, or without a file in it, is missing.

        Names that begin with a dot or an underscore are not data: writers use them for files they have not finished.
        """
        filesystem, root = fsspec.core.url_to_fs(self.url)
        found = {}
        for day in days:
            folder = f"{root.rstrip('/')}/{dataset}/date={day}"
            try:
                entries = filesystem.ls(folder, detail=True)
            except (FileNotFoundError, NotADirectoryError):
                continue
            paths = sorted(entry["name"] for entry in entries if entry["type"] != "directory")
            data = [path for path in paths if PurePosixPath(path).name[0] not in "._"]
            if data:
                found[day] = [filesystem.unstrip_protocol(path).removeprefix("file://") for path in data]
        return found

    def register(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let DuckDB read the folder's files, where they are not on this machine."""
        filesystem, _ = fsspec.core.url_to_fs(self.url)
        if "file" not in filesystem.protocol:
            connection.register_filesystem(filesystem)


def unreadable_lines(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Give (path, line) of every CSV line that could not be split into columns since `forget_unreadable_lines`."""
    tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE table_name = 'unreadable_lines'")
    if not tables.fetchall():
        return []
    return connection.execute(
        "SELECT file_path, min(trim(csv_line, E'\\r\\n')) FROM unreadable_lines "
        "JOIN unreadable_files USING (scan_id, file_id) GROUP BY file_path, line ORDER BY ALL"
    ).fetchall()


def forget_unreadable_lines(connection: duckdb.DuckDBPyConnection) -> None:
    """Begin a new list of unreadable CSV lines."""
    connection.execute("DROP TABLE IF EXISTS unreadable_lines")
    connection.execute("DROP TABLE IF EXISTS unreadable_files")


def folder_date_of(path: str) -> date:
    """Give the day in the name of the folder that holds the file."""
    return date.fromisoformat(PurePosixPath(path).parent.name.removeprefix("date="))


@dataclass(frozen=True)
class Source:
    """Some files with the same columns: a FROM clause, its columns' physical types, and how a row was landed.

    `landed_row` gathers a row's columns before they are read; `as_json` writes what it gathered as JSON.
    `broken` is a FROM clause of lines that are no rows at all, and the expression of such a line.
    """

    relation: str
    types: Mapping[str, tuple[str, str]]
    landed_row: str
    as_json: str
    broken: tuple[str, str] | None = None


FOLDER_DATE = r"CAST(regexp_extract(landed_path, 'date=(\d{4}-\d{2}-\d{2})/[^/]*$', 1) AS DATE)"
FILE = "regexp_extract(landed_path, '[^/]*$')"


def sources(connection: duckdb.DuckDBPyConnection, files: Sequence[str]) -> list[Source]:
    """Group files by what must be equal to read them together, and describe each group.

    Raises:
        LandingError: a file cannot be read, or is of no kind we know; names it.
    """
    groups: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for path in files:
        try:
            groups[_shape(connection, path)].append(path)
        except duckdb.Error as error:  # noqa: PERF203  which file it is must be told
            raise _unreadable(path, error) from error
    makers = {"parquet": _parquet_source, "csv": _csv_source, "ndjson": _ndjson_source}
    return [makers[str(shape[0])](shape, paths) for shape, paths in groups.items()]


def _shape(connection: duckdb.DuckDBPyConnection, path: str) -> tuple[object, ...]:
    """Say what must be equal for files to be read together: format, compression, columns and their types."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(path).suffixes]
    compression = COMPRESSIONS.get(suffixes[-1], "none") if suffixes else "none"
    suffix = (suffixes[-2:-1] or [""])[0] if compression != "none" else (suffixes[-1:] or [""])[0]
    kind = FORMATS.get(suffix)
    if kind is None or (kind == "parquet" and compression != "none"):
        raise LandingError(
            f"{path}: what kind of file is this? Land Parquet, or CSV or NDJSON (plain, .gz or .zst), "
            "or begin the name with a dot or underscore to have it left alone."
        )
    if kind == "parquet":
        described = connection.execute(f"DESCRIBE SELECT * FROM {_read_parquet([path])}").fetchall()
        return kind, compression, tuple((row[0], row[1]) for row in described)
    header = connection.execute(
        f"SELECT line FROM read_csv([{quoted(path)}], {LINE_READER}, {LONGEST_LINE}, ignore_errors = true, "
        f"compression = '{compression}') LIMIT 1"
    ).fetchall()
    if kind == "ndjson":
        return kind, compression
    return kind, compression, tuple(next(csv.reader(io.StringIO(header[0][0].lstrip("\ufeff")))) if header else ())


def _unreadable(path: str, error: Exception) -> LandingError:
    reason = str(error).splitlines()[0]
    return LandingError(f"{path}: cannot be read: {reason}. Land it again, or move it away; nothing was changed.")


def _read_parquet(paths: Sequence[str]) -> str:
    # The reader must not take the folder's name for a column, nor bytes without a charset for anything but text.
    return f"read_parquet({_list(paths)}, filename = 'landed_path', hive_partitioning = false, binary_as_string = true)"


def _parquet_source(shape: tuple[Any, ...], paths: Sequence[str]) -> Source:
    columns = [(name, kind) for name, kind in shape[2] if name != "landed_path"]
    types = {_normal_name(name): (identifier(name), kind) for name, kind in reversed(columns)}
    return Source(_read_parquet(paths), types, *_gathered([name for name, _ in columns]))


def _csv_source(shape: tuple[Any, ...], paths: Sequence[str]) -> Source:
    names = _distinct_names(shape[2])
    columns = ", ".join(f"{identifier(name)}: 'VARCHAR'" for name in names)
    relation = (
        f"read_csv({_list(paths)}, auto_detect = false, header = false, skip = 1, delim = ',', quote = '\"', "
        f"escape = '\"', nullstr = '', columns = {{{columns or 'nothing: VARCHAR'}}}, filename = 'landed_path', "
        f"compression = '{shape[1]}', {LONGEST_LINE}, {UNREADABLE_LINES})"
    )
    types = {_normal_name(name): (identifier(name), "VARCHAR") for name in reversed(names)}
    return Source(relation, types, *_gathered(names))


def _gathered(names: Sequence[str]) -> tuple[str, str]:
    # Gathering costs nothing; writing JSON does, and only rejected rows are written.
    values = ", ".join(f"{identifier(name)} := {identifier(name)}" for name in names)
    texts = ", ".join(f"{identifier(name)} VARCHAR" for name in names)
    return f"struct_pack({values})", f"CAST(to_json(CAST(landed_row AS STRUCT({texts}))) AS VARCHAR)"


def _ndjson_source(shape: tuple[Any, ...], paths: Sequence[str]) -> Source:
    lines = (
        f"(SELECT line, landed_path, "
        f"CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE FALSE END AS is_row "
        f"FROM read_csv({_list(paths)}, {LINE_READER}, {LONGEST_LINE}, filename = 'landed_path', "
        f"compression = '{shape[1]}', {UNREADABLE_LINES}) WHERE trim(line, {WHITESPACE}) <> '')"
    )
    # DuckDB reads a JSON number as a double: quoted first, it stays the text it was.
    exact = f"regexp_replace(line, {quoted(JSON_NUMBER)}, '\\1\"\\2\"', 'g')"
    relation = f"(SELECT line, {exact} AS exact_line, landed_path FROM {lines} WHERE is_row)"
    return Source(
        relation, {"line": ("line", "NDJSON")}, "line", "landed_row", broken=(f"{lines} WHERE NOT is_row", "line")
    )


def identifier(name: str) -> str:
    """Write a column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def _normal_name(name: str) -> str:
    return name.strip().lower()


def _distinct_names(names: Sequence[str]) -> list[str]:
    seen: dict[str, int] = defaultdict(int)
    distinct = []
    for name in names:
        seen[_normal_name(name)] += 1
        repeat = seen[_normal_name(name)]
        distinct.append(name if repeat == 1 and name else f"{name or 'column'}_{repeat}")
    return distinct


def _list(paths: Sequence[str]) -> str:
    return "[" + ", ".join(quoted(path) for path in paths) + "]"
