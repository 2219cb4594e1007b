"""Landing files as relations: which there are, and a FROM clause over those that have the same columns.

Nothing is guessed: the columns come from a file's own schema or header, never from sampling.
"""

from __future__ import annotations

import csv
import gzip
import re
import uuid
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath
from typing import IO, Any

import duckdb
import fsspec
import zstandard

from revenue_pipeline.raw.values import WHITESPACE
from revenue_pipeline.warehouse import identifier, quoted

# No byte of a text file is this one, so a line of it is one column; lines may end as they like.
LINE_READER = (
    "auto_detect = false, header = false, delim = '\x01', quote = '', escape = '', strict_mode = false, "
    "columns = {line: 'VARCHAR'}"
)
# The reader must not take the folder's name for a column.
CSV_OPTIONS = "max_line_size = 16777216, hive_partitioning = false"
UNREADABLE_LINES = "store_rejects = true, rejects_table = 'unreadable_lines', rejects_scan = 'unreadable_files'"
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}
FORMATS = {".parquet": "parquet", ".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "ndjson"}
# Every text of a line is consumed as a whole, so that a number is found where a value begins and nowhere else.
JSON_NUMBERS = r'("(?:[^"\\]|\\.)*"\s*:\s*)(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|("(?:[^"\\]|\\.)*")'
PATH_COLUMN = "revenue_pipeline_landed_path"
BYTES_AT_ONCE = 1 << 20


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

    def write(self, dataset: str, day: date, name: str, content: bytes) -> None:
        """Land a file whole or not at all; one that holds the same already is left untouched."""
        filesystem, root = fsspec.core.url_to_fs(self.url)
        folder = f"{root.rstrip('/')}/{dataset}/date={day}"
        path = f"{folder}/{name}"
        if filesystem.exists(path) and filesystem.cat_file(path) == content:
            return
        if "file" not in filesystem.protocol:
            filesystem.pipe_file(path, content)  # an object store shows an object when all of it has come
            return
        filesystem.makedirs(folder, exist_ok=True)
        aside = Path(folder, f".{name}.{uuid.uuid4().hex}")
        aside.write_bytes(content)
        aside.replace(path)

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


FOLDER_DATE = rf"CAST(regexp_extract({PATH_COLUMN}, 'date=(\d{{4}}-\d{{2}}-\d{{2}})/[^/]*$', 1) AS DATE)"
FILE = f"regexp_extract({PATH_COLUMN}, '[^/]*$')"


def sources(connection: duckdb.DuckDBPyConnection, files: Sequence[str]) -> list[Source]:
    """Group files by what must be equal to read them together, and describe each group.

    Raises:
        LandingError: a file cannot be read, or is of no kind we know; names it.
    """
    groups: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for path in files:
        try:
            shape = _shape(connection, path)
        except (duckdb.Error, OSError, EOFError, UnicodeDecodeError, zlib.error, zstandard.ZstdError) as error:
            raise _unreadable(path, error) from error
        if shape is not None:
            groups[shape].append(path)
    makers = {"parquet": _parquet_source, "csv": _csv_source, "ndjson": _ndjson_source}
    return [makers[str(shape[0])](shape, paths) for shape, paths in groups.items()]


def _shape(connection: duckdb.DuckDBPyConnection, path: str) -> tuple[object, ...] | None:
    """Say what must be equal for files to be read together; None for a file without a line in it."""
    kind, compression = _kind(path)
    if kind is None or (kind == "parquet" and compression != "none"):
        raise LandingError(
            f"{path}: what kind of file is this? Land Parquet, or CSV or NDJSON (plain, .gz or .zst), "
            "or begin the name with a dot or underscore to have it left alone."
        )
    if kind == "parquet":
        described = connection.execute(f"DESCRIBE SELECT * FROM {_read_parquet([path])}").fetchall()
        return kind, tuple((row[0], row[1]) for row in described)
    look = _look_at_text(path, compression)
    if look is None:
        return None
    if kind == "ndjson":
        return kind, compression
    header = next(csv.reader([look.first_line.decode("utf-8-sig")]))
    return kind, compression, tuple(header), look.blank_lines, look.has_mixed_ends


@dataclass(frozen=True)
class _Look:
    """What a text file shows before it is read: its first line that is not blank, and the blank ones before it."""

    first_line: bytes
    blank_lines: int
    has_mixed_ends: bool


def _look_at_text(path: str, compression: str) -> _Look | None:
    """Run through a text file to its end, which also finds out whether it was cut off; None when it holds no line.

    DuckDB takes a zstd file that was cut off for a whole one, and refuses lines that end in different ways.
    """
    first_line, blank_lines = b"", 0
    beginning, is_beginning = b"", True
    line_feeds = pairs = 0
    last = b""
    for chunk in _chunks(path, compression):
        line_feeds += chunk.count(b"\n")
        pairs += (last + chunk).count(b"\r\n")
        last = chunk[-1:]
        if is_beginning:
            beginning += chunk
            *whole, rest = beginning.split(b"\n")
            for line in whole:
                if line.strip(b" \t\r\xef\xbb\xbf"):
                    first_line, is_beginning = line, False
                    break
                blank_lines += 1
            beginning = rest
    if is_beginning:
        first_line = beginning
    if not first_line.strip(b" \t\r\xef\xbb\xbf"):
        return None
    return _Look(first_line.rstrip(b"\r"), blank_lines, 0 < pairs < line_feeds)


def text_of(path: str) -> tuple[str, str] | None:
    """Give the format, csv or ndjson, and the whole text of a file; None for a file of another kind."""
    kind, compression = _kind(path)
    if kind not in ("csv", "ndjson"):
        return None
    return kind, b"".join(_chunks(path, compression)).decode("utf-8-sig", errors="replace")


def _kind(path: str) -> tuple[str | None, str]:
    """Give the format and the compression that a file's name tells."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(path).suffixes]
    compression = COMPRESSIONS.get(suffixes[-1], "none") if suffixes else "none"
    suffix = (suffixes[-2:-1] or [""])[0] if compression != "none" else (suffixes[-1:] or [""])[0]
    return FORMATS.get(suffix), compression


def _chunks(path: str, compression: str) -> Iterator[bytes]:
    with fsspec.open(path, "rb") as compressed:
        if compression == "none":
            yield from iter(lambda: compressed.read(BYTES_AT_ONCE), b"")
            return
        if not compressed.read(1):
            raise EOFError("it is empty, which no compressed file is")
        compressed.seek(0)
        if compression == "gzip":
            with gzip.GzipFile(fileobj=compressed) as stream:
                yield from iter(lambda: stream.read(BYTES_AT_ONCE), b"")
        else:
            yield from _zstd_chunks(compressed)


def _zstd_chunks(compressed: IO[bytes]) -> Iterator[bytes]:
    frame = zstandard.ZstdDecompressor().decompressobj()
    while data := compressed.read(BYTES_AT_ONCE):
        while data:
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
            yield frame.decompress(data)
            data = frame.unused_data if frame.eof else b""
    if not frame.eof:
        raise EOFError("it is cut off")


def _unreadable(path: str, error: Exception) -> LandingError:
    reason = str(error).splitlines()[0]
    return LandingError(f"{path}: cannot be read: {reason}. Land it again, or move it away; nothing was changed.")


def _read_parquet(paths: Sequence[str]) -> str:
    # The reader must not take the folder's name for a column, nor bytes without a charset for anything but text.
    return (
        f"read_parquet({_list(paths)}, filename = '{PATH_COLUMN}', hive_partitioning = false, binary_as_string = true)"
    )


def _parquet_source(shape: tuple[Any, ...], paths: Sequence[str]) -> Source:
    columns = [(name, kind) for name, kind in shape[1] if name != PATH_COLUMN]
    types = {_normal_name(name): (identifier(name), kind) for name, kind in reversed(columns)}
    return Source(_read_parquet(paths), types, *_gathered([name for name, _ in columns]))


def _csv_source(shape: tuple[Any, ...], paths: Sequence[str]) -> Source:
    _, compression, header, blank_lines, has_mixed_ends = shape
    names = _distinct_names(header)
    columns = ", ".join(f"{identifier(name)}: 'VARCHAR'" for name in names)
    every = ", ".join(identifier(name) for name in names)
    # Looking at every column keeps DuckDB from skipping one, and with it a line that breaks there.
    relation = (
        f"(SELECT * FROM read_csv({_list(paths)}, auto_detect = false, header = false, skip = {blank_lines + 1}, "
        f"delim = ',', quote = '\"', escape = '\"', nullstr = '', columns = {{{columns}}}, "
        f"filename = '{PATH_COLUMN}', compression = '{compression}', strict_mode = {not has_mixed_ends}, "
        f"{CSV_OPTIONS}, {UNREADABLE_LINES}) WHERE hash({every}) IS NOT NULL)"
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
        f"(SELECT line, {PATH_COLUMN}, "
        f"CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE FALSE END AS is_row "
        f"FROM read_csv({_list(paths)}, {LINE_READER}, {CSV_OPTIONS}, filename = '{PATH_COLUMN}', "
        f"compression = '{shape[1]}', {UNREADABLE_LINES}) WHERE trim(line, {WHITESPACE}) <> '')"
    )
    # DuckDB reads a JSON number as a double: quoted first, it stays the text it was. No line of JSON holds the byte 1,
    # which marks both ends of a number, and stands twice before a text that is followed by none.
    marked = f"regexp_replace(line, {quoted(JSON_NUMBERS)}, '\\1\x01\\2\x01\\3', 'g')"
    exact = f"replace(replace({marked}, '\x01\x01', ''), '\x01', '\"')"
    relation = f"(SELECT line, {exact} AS exact_line, {PATH_COLUMN} FROM {lines} WHERE is_row)"
    return Source(
        relation, {"line": ("line", "NDJSON")}, "line", "landed_row", broken=(f"{lines} WHERE NOT is_row", "line")
    )


def damaged_file(folders: Mapping[date, Sequence[str]]) -> str | None:
    """Find the Parquet file whose rows cannot be read: DuckDB names none for damage inside a file."""
    parquet = (path for paths in folders.values() for path in paths if path.endswith(".parquet"))
    return next((path for path in parquet if _is_damaged(path)), None)


def _is_damaged(path: str) -> bool:
    try:
        duckdb.execute(f"SELECT bit_xor(hash(landed)) FROM {_read_parquet([path])} AS landed").fetchall()
    except duckdb.Error:
        return True
    return False


def _normal_name(name: str) -> str:
    return name.strip().lower()


def _distinct_names(names: Sequence[str]) -> list[str]:
    taken = {_normal_name(name) for name in names}
    seen: set[str] = set()
    distinct = []
    for name in names:
        candidate, repeat = name or "column", 1
        while _normal_name(candidate) in seen or (repeat > 1 and _normal_name(candidate) in taken):
            repeat += 1
            candidate = f"{name or 'column'}_{repeat}"
        seen.add(_normal_name(candidate))
        distinct.append(candidate)
    return distinct


def _list(paths: Sequence[str]) -> str:
    # A name may hold characters that are patterns to DuckDB; in brackets they are themselves.
    literal = (re.sub(r"([*?\[])", r"[\1]", path) for path in paths)
    return "[" + ", ".join(quoted(path) for path in literal) + "]"
