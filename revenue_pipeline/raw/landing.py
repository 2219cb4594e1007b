"""Reads landing files: every format into the same typed rows, and for every row that cannot be used, the reason why.

A file becomes a relation of native columns (Parquet) or of texts (CSV, NDJSON); the declared fields of the dataset
are read from it; the first rule that a row breaks is its reason. Nothing is guessed: a type comes from the file's own
schema or from the declaration, never from sampling.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from pathlib import PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import fsspec

from revenue_pipeline.partitions import Window
from revenue_pipeline.raw.datasets import Dataset, Field, Kind
from revenue_pipeline.settings import CURRENCY_CODES
from revenue_pipeline.warehouse import quoted

# No byte of a text file is this one, so a line of it is one column.
LINE_READER = (
    "auto_detect = false, header = false, delim = '\x01', quote = '', escape = '', columns = {line: 'VARCHAR'}"
)
LONGEST_LINE = "max_line_size = 16777216"
UNREADABLE_LINES = "store_rejects = true, rejects_table = 'unreadable_lines', rejects_scan = 'unreadable_files'"
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}
FORMATS = {".parquet": "parquet", ".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "ndjson"}
WHITESPACE = "E' \\t\\n\\r\\x0b\\x0c'"
NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
NOT_FINITE = r"[+-]?(nan|inf|infinity)"
BASIC_ISO_FORMATS = "['%Y%m%dT%H%M%S%z', '%Y%m%dT%H%M%SZ', '%Y%m%dT%H%M%S']"
# A number right after a key, which only a key can stand before: nothing inside a text looks like that.
JSON_NUMBER = r'([^\\]"\s*:\s*)(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)'
NANO = 1_000_000_000
LARGEST_COUNT = 2**63 - 1


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


@dataclass(frozen=True)
class Rules:
    """What the reading depends on besides the files.

    Attributes:
        timezone: the reporting time zone.
        currency: the reporting currency.
        partner_timezones: for the days that partners book on.
        partner_currencies: what a row of a `files` partner is in when it does not say; its keys are the partners
            whose rows may be landed as files.
        late_arrival_days: how many days after its own an event may be received.
    """

    timezone: str = "UTC"
    currency: str = "USD"
    partner_timezones: Mapping[str, str] = field(default_factory=dict)
    partner_currencies: Mapping[str, str] = field(default_factory=dict)
    late_arrival_days: int = 2


@dataclass(frozen=True)
class LandedRows:
    """SQL over the rows of some landing files: `usable` in the raw table's columns, `rejected` with reasons."""

    usable: str
    rejected: str


def day_start(day: date, zone: str) -> datetime:
    """Give the instant at which `day` begins in the time zone `zone`, as a UTC time without a zone."""
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return local.astimezone(timezone.utc).replace(tzinfo=None)


def read_landed(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    files: Sequence[str],
    rules: Rules,
    within: Window | None = None,
) -> LandedRows:
    """Describe the rows of `files` as SQL; nothing is read yet but headers and schemas.

    Where the dataset has money in it, the SQL reads the temporary table that `load_exchange_rates` makes.

    Args:
        connection: the SQL is valid on it only.
        dataset: what the files hold.
        files: their paths, as `LandingFolder.files` gives them.
        rules: what else decides how a row is read.
        within: skips rows of other days where that is cheap to see; they may still be given.

    Raises:
        LandingError: a file cannot be read; names it.
    """
    sources = _sources(connection, files)
    read = [_Reading(dataset, source, rules, within) for source in sources]
    usable = " UNION ALL BY NAME ".join(reading.usable for reading in read) or _no_rows(dataset)
    rejected = " UNION ALL ".join(part for reading in read for part in reading.rejected)
    nothing = "SELECT NULL AS folder_date, NULL AS file, NULL AS reason, NULL AS landed_row WHERE FALSE"
    return LandedRows(usable, rejected or nothing)


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


def day_in(zone: str, instant: str) -> str:
    """Write the calendar day of a UTC timestamp expression in the time zone `zone`."""
    if zone == "UTC":
        return f"CAST({instant} AS DATE)"
    return f"CAST(timezone({quoted(zone)}, timezone('UTC', {instant})) AS DATE)"


@dataclass(frozen=True)
class _Source:
    """Some files with the same columns: a FROM clause, its columns' physical types, and how a row was landed.

    `landed_row` gathers a row's columns before they are read; `as_json` writes what it gathered as JSON.
    `broken` is a FROM clause of lines that are no rows at all, and the expression of such a line.
    """

    relation: str
    types: Mapping[str, tuple[str, str]]
    landed_row: str
    as_json: str
    broken: tuple[str, str] | None = None


def _sources(connection: duckdb.DuckDBPyConnection, files: Sequence[str]) -> list[_Source]:
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


def _parquet_source(shape: tuple[Any, ...], paths: Sequence[str]) -> _Source:
    columns = [(name, kind) for name, kind in shape[2] if name != "landed_path"]
    types = {_normal_name(name): (_identifier(name), kind) for name, kind in reversed(columns)}
    return _Source(_read_parquet(paths), types, *_gathered([name for name, _ in columns]))


def _csv_source(shape: tuple[Any, ...], paths: Sequence[str]) -> _Source:
    names = _distinct_names(shape[2])
    columns = ", ".join(f"{_identifier(name)}: 'VARCHAR'" for name in names)
    relation = (
        f"read_csv({_list(paths)}, auto_detect = false, header = false, skip = 1, delim = ',', quote = '\"', "
        f"escape = '\"', nullstr = '', columns = {{{columns or 'nothing: VARCHAR'}}}, filename = 'landed_path', "
        f"compression = '{shape[1]}', {LONGEST_LINE}, {UNREADABLE_LINES})"
    )
    types = {_normal_name(name): (_identifier(name), "VARCHAR") for name in reversed(names)}
    return _Source(relation, types, *_gathered(names))


def _gathered(names: Sequence[str]) -> tuple[str, str]:
    # Gathering costs nothing; writing JSON does, and only rejected rows are written.
    values = ", ".join(f"{_identifier(name)} := {_identifier(name)}" for name in names)
    texts = ", ".join(f"{_identifier(name)} VARCHAR" for name in names)
    return f"struct_pack({values})", f"CAST(to_json(CAST(landed_row AS STRUCT({texts}))) AS VARCHAR)"


def _ndjson_source(shape: tuple[Any, ...], paths: Sequence[str]) -> _Source:
    lines = (
        f"(SELECT line, landed_path, "
        f"CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE FALSE END AS is_row "
        f"FROM read_csv({_list(paths)}, {LINE_READER}, {LONGEST_LINE}, filename = 'landed_path', "
        f"compression = '{shape[1]}', {UNREADABLE_LINES}) WHERE trim(line, {WHITESPACE}) <> '')"
    )
    # DuckDB reads a JSON number as a double: quoted first, it stays the text it was.
    exact = f"regexp_replace(line, {quoted(JSON_NUMBER)}, '\\1\"\\2\"', 'g')"
    relation = f"(SELECT line, {exact} AS exact_line, landed_path FROM {lines} WHERE is_row)"
    return _Source(
        relation, {"line": ("line", "NDJSON")}, "line", "landed_row", broken=(f"{lines} WHERE NOT is_row", "line")
    )


class _Reading:
    """The SQL that reads one source as rows of one dataset."""

    def __init__(self, dataset: Dataset, source: _Source, rules: Rules, within: Window | None) -> None:
        self._dataset = dataset
        self._source = source
        self._rules = rules
        self._within = within
        self._is_ndjson = "line" in source.types and source.types["line"][1] == "NDJSON"

    @property
    def usable(self) -> str:
        """The rows that break no rule, in the columns of the raw table."""
        columns = ", ".join(f"{each.name}" for each in self._dataset.table.columns if each.name != self._converted_name)
        if self._converted_name:
            columns += f", {self._converted_or_error} AS {self._converted_name}"
        return f"SELECT {columns} FROM ({self._judged}) WHERE reason IS NULL"

    @property
    def rejected(self) -> list[str]:
        """The rows that break a rule: folder_date, file, reason, landed_row."""
        written = f"{self._source.as_json} AS landed_row"
        parts = [f"SELECT folder_date, file, reason, {written} FROM ({self._judged}) WHERE reason IS NOT NULL"]
        if self._source.broken:
            relation, line = self._source.broken
            parts.append(
                f"SELECT {_FOLDER_DATE} AS folder_date, {_FILE} AS file, 'unreadable' AS reason, "
                f"CAST(to_json({line}) AS VARCHAR) AS landed_row FROM {relation}"
            )
        return parts

    @property
    def _converted_name(self) -> str | None:
        return self._dataset.converted[1] if self._dataset.converted else None

    @property
    def _judged(self) -> str:
        """Every row with its values, and with the first rule that it breaks as its reason."""
        return f"SELECT *, {self._reason} AS reason FROM ({self._dated})"

    @property
    def _dated(self) -> str:
        """Every row with the days it belongs to and its amount in the reporting currency."""
        dataset, rules = self._dataset, self._rules
        if dataset.name == "events":
            by_partner = " ".join(
                f"WHEN {quoted(partner)} THEN {day_in(zone, 'event_time')}"
                for partner, zone in rules.partner_timezones.items()
                if zone != rules.timezone
            )
            event_date = day_in(rules.timezone, "event_time")
            report_date = f"CASE partner {by_partner} ELSE event_date END" if by_partner else "event_date"
            dated = f"SELECT *, {event_date} AS event_date FROM ({self._typed})"
            values = f"SELECT *, {report_date} AS report_date FROM ({dated})"
        else:
            values = f"SELECT * FROM ({self._typed})"
        if not dataset.converted:
            return values
        money, converted = dataset.converted
        amount = converted_amount(money, "rate_units")
        kept = f"CASE WHEN {self._row_currency} = {quoted(rules.currency)} THEN {money} ELSE {amount} END"
        limited = f"TRY_CAST({kept} AS {dataset.fields_by_name[money].kind.type})"
        return (
            f"SELECT *, {limited} AS {converted} FROM ({values}) LEFT JOIN exchange_rates "
            f"ON rate_day = {dataset.day_column} AND rate_currency = {self._row_currency}"
        )

    @property
    def _row_currency(self) -> str:
        default = quoted(self._rules.currency)
        if self._dataset.name == "partner_revenue" and self._rules.partner_currencies:
            known = " ".join(f"WHEN {quoted(p)} THEN {quoted(c)}" for p, c in self._rules.partner_currencies.items())
            default = f"CASE partner {known} ELSE {default} END"
        return f"coalesce(currency, {default})"

    @property
    def _converted_or_error(self) -> str:
        money, converted = self._dataset.converted or ("", "")
        message = (
            f"'no exchange rate for ' || {self._row_currency} || ' on ' || "
            f"CAST({self._dataset.day_column} AS VARCHAR) || "
            f"' or in the 7 days before: land it under fx_rates and run the day again'"
        )
        return f"CASE WHEN {money} IS NOT NULL AND {converted} IS NULL THEN error({message}) ELSE {converted} END"

    @property
    def _typed(self) -> str:
        """Every row with its fields read: `name`, and for some fields `name_unreadable`, `name_out_of_range`."""
        read = [part for each in self._dataset.fields for part in _read(each, *self._physical(each))]
        return f"SELECT {', '.join(read)}, folder_date, file, landed_row FROM ({self._texts})"

    @property
    def _texts(self) -> str:
        """Every row with each field as a trimmed text, or as it is where its native type is the declared one."""
        texts = [f"{self._text(each)} AS {each.name}_text" for each in self._dataset.fields]
        return (
            f"SELECT {', '.join(texts)}, {_FOLDER_DATE} AS folder_date, {_FILE} AS file, "
            f"{self._source.landed_row} AS landed_row FROM {self._relation}"
        )

    @property
    def _relation(self) -> str:
        column, physical = self._source.types.get("event_time", ("", ""))
        if self._within is None or physical != "TIMESTAMP":
            return self._parsed
        first, end = (day_start(day, self._rules.timezone) for day in (self._within.start, self._within.end))
        return f"{self._parsed} WHERE {column} >= TIMESTAMP '{first}' AND {column} < TIMESTAMP '{end}'"

    @property
    def _parsed(self) -> str:
        if not self._is_ndjson:
            return self._source.relation
        structure = json.dumps({each.name: "VARCHAR" for each in self._dataset.fields if each.kind is not Kind.JSON})
        return f"(SELECT *, from_json(exact_line, {quoted(structure)}) AS fields FROM {self._source.relation})"

    def _physical(self, each: Field) -> tuple[str, str]:
        kind = "VARCHAR" if self._is_ndjson else self._source.types.get(each.name, ("", "VARCHAR"))[1]
        return f"{each.name}_text", kind if _is_native(each.kind, kind) else "VARCHAR"

    def _json_text(self, each: Field) -> str:
        if each.kind is not Kind.JSON:
            return _trimmed(f"fields.{_identifier(each.name)}")
        path = quoted(f"$.{each.name}")
        return f"CASE json_type(line, {path}) WHEN 'NULL' THEN NULL ELSE {_trimmed(f'line ->> {path}')} END"

    def _text(self, each: Field) -> str:
        if self._is_ndjson:
            return self._json_text(each)
        if each.name not in self._source.types:
            return "CAST(NULL AS VARCHAR)"
        column, physical = self._source.types[each.name]
        if _is_native(each.kind, physical):
            return column
        if physical == "VARCHAR":
            return _trimmed(column)
        if each.kind is Kind.JSON and physical.startswith(("STRUCT", "MAP")):
            return f"CAST(to_json({column}) AS VARCHAR)"
        return _trimmed(f"CAST({column} AS VARCHAR)")

    @property
    def _reason(self) -> str:
        dataset, fields = self._dataset, self._dataset.fields
        broken = {
            "missing_column": [f"{each.name}_missing" for each in fields if each.required],
            "unreadable": [f"{each.name}_unreadable" for each in fields],
            "bad_estimate": ["event_name = 'ad_impression' AND (revenue_not_finite OR revenue_negative)"]
            if dataset.name == "events"
            else [],
            "unknown_currency": [f"currency NOT IN ({', '.join(map(quoted, sorted(CURRENCY_CODES)))})"]
            if "currency" in dataset.fields_by_name
            else [],
            "out_of_range": [f"{each.name}_out_of_range" for each in fields],
        }
        if dataset.converted:
            money, converted = dataset.converted
            # Without a rate the amount is NULL as well, which is not the row's fault.
            broken["out_of_range"].append(f"{money} IS NOT NULL AND {converted} IS NULL AND rate_units IS NOT NULL")
        if dataset.name == "partner_revenue":
            partners = ", ".join(map(quoted, self._rules.partner_currencies))
            broken["unknown_partner"] = [f"partner NOT IN ({partners})" if partners else "TRUE"]
        if dataset.name == "events":
            late = self._rules.late_arrival_days
            broken["outside_arrival_window"] = [
                f"date_diff('day', event_date, folder_date) NOT BETWEEN -1 AND {late + 1}"
            ]
        else:
            broken["wrong_day"] = [f"{dataset.day} <> folder_date"]
        known = {name for part in fields for name in _flags(part, self._physical(part)[1])}
        whens = [
            f"WHEN {' OR '.join(f'({condition})' for condition in applying)} THEN '{reason}'"
            for reason, conditions in broken.items()
            if (applying := [each for each in conditions if not _is_flag(each) or each in known])
        ]
        return f"CASE {' '.join(whens)} END"


_FOLDER_DATE = r"CAST(regexp_extract(landed_path, 'date=(\d{4}-\d{2}-\d{2})/[^/]*$', 1) AS DATE)"
_FILE = "regexp_extract(landed_path, '[^/]*$')"
_FLAG = re.compile(r"\w+_(missing|unreadable|out_of_range)")


def _is_flag(condition: str) -> bool:
    return _FLAG.fullmatch(condition) is not None


def _flags(each: Field, physical: str) -> list[str]:
    """Name the flags that `_read` gives for a field."""
    return [part.rpartition(" AS ")[2] for part in _read(each, f"{each.name}_text", physical)[1:]]


def _is_native(kind: Kind, physical: str) -> bool:
    """Whether a Parquet column can be taken as it is, without going through text."""
    if kind in (Kind.AMOUNT, Kind.TOTAL):
        decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", physical)
        return decimal is not None and int(decimal[2]) <= 9 and int(decimal[1]) - int(decimal[2]) <= 9
    natives = {
        Kind.INSTANT: ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S", "DATE"),
        Kind.DAY: ("DATE",),
        Kind.FLAG: ("BOOLEAN",),
    }
    return physical in natives.get(kind, ())


def _read(each: Field, text: str, physical: str) -> list[str]:
    """Write how a field is read from its text (or native value): the value first, then its flags."""
    name, kind = each.name, each.kind
    parts = _READERS.get(kind, _read_text)(name, text, physical, kind)
    if each.required:
        parts.append(f"{text} IS NULL AS {name}_missing")
    return parts


def _read_text(name: str, text: str, _physical: str, kind: Kind) -> list[str]:
    change = {Kind.UPPER_TEXT: f"upper({text})", Kind.LOWER_TEXT: f"lower({text})"}
    return [f"{change.get(kind, text)} AS {name}"]


def _read_json(name: str, text: str, _physical: str, _kind: Kind) -> list[str]:
    return [f"{text} AS {name}", f"NOT coalesce(json_valid({text}), TRUE) AS {name}_unreadable"]


def _read_flag(name: str, text: str, physical: str, kind: Kind) -> list[str]:
    if physical != "VARCHAR":
        return [f"{text} AS {name}"]
    value = f"TRY_CAST(lower({text}) AS {kind.type})"
    return [f"{value} AS {name}", f"{text} IS NOT NULL AND {value} IS NULL AS {name}_unreadable"]


def _read_instant(name: str, text: str, physical: str, _kind: Kind) -> list[str]:
    if physical == "VARCHAR":
        # Words such as `infinity` and `epoch` are instants to DuckDB, not to us.
        looks_right = f"regexp_matches({text}, '^[0-9]{{4}}')"
        parsed = (
            f"coalesce(TRY_CAST({text} AS TIMESTAMPTZ), CAST(try_strptime({text}, {BASIC_ISO_FORMATS}) AS TIMESTAMPTZ))"
        )
        value = f"CASE WHEN {looks_right} THEN timezone('UTC', {parsed}) END"
    elif physical == "TIMESTAMP WITH TIME ZONE":
        value = f"timezone('UTC', {text})"
    else:
        value = text if physical == "TIMESTAMP" else f"CAST({text} AS TIMESTAMP)"
    # The years a calendar has on every engine, with a day to spare for time zones.
    usable = f"CASE WHEN {value} BETWEEN TIMESTAMP '0001-01-03' AND TIMESTAMP '9999-12-29' THEN {value} END"
    return [f"{usable} AS {name}", f"{text} IS NOT NULL AND {usable} IS NULL AS {name}_unreadable"]


def _read_day(name: str, text: str, physical: str, _kind: Kind) -> list[str]:
    if physical == "DATE":
        return [f"{text} AS {name}"]
    value = f"CASE WHEN regexp_matches({text}, '^[0-9]{{4}}-') THEN TRY_CAST({text} AS DATE) END"
    return [f"{value} AS {name}", f"{text} IS NOT NULL AND {value} IS NULL AS {name}_unreadable"]


def _read_count(name: str, text: str, _physical: str, _kind: Kind) -> list[str]:
    number = f"TRY_CAST({text} AS DECIMAL(38,6))"
    is_whole = f"coalesce({number} = floor({number}), regexp_full_match({text}, {quoted(NUMBER)}))"
    return [
        f"CASE WHEN {number} BETWEEN 0 AND {LARGEST_COUNT} AND {is_whole} THEN CAST({number} AS BIGINT) END AS {name}",
        f"{text} IS NOT NULL AND NOT {is_whole} AS {name}_unreadable",
        f"{text} IS NOT NULL AND coalesce({number} NOT BETWEEN 0 AND {LARGEST_COUNT}, TRUE) AS {name}_out_of_range",
    ]


def _read_money(name: str, text: str, physical: str, kind: Kind) -> list[str]:
    not_finite = f"{name}_not_finite"
    if physical != "VARCHAR":
        return [f"CAST({text} AS {kind.type}) AS {name}", f"{text} < 0 AS {name}_negative", f"FALSE AS {not_finite}"]
    number = f"TRY_CAST({text} AS DECIMAL(38,9))"
    is_number = f"({number} IS NOT NULL OR regexp_full_match({text}, {quoted(NUMBER)}))"
    is_not_finite = f"coalesce(regexp_full_match(lower({text}), {quoted(NOT_FINITE)}), FALSE)"
    # Only an estimate says `bad_estimate` to what is not finite; elsewhere it is no number.
    is_estimate = "coalesce(event_name_text = 'ad_impression', FALSE)" if kind is Kind.AMOUNT else "FALSE"
    return [
        f"TRY_CAST({number} AS {kind.type}) AS {name}",
        f"{is_number} AND coalesce({number} < 0, starts_with({text}, '-')) AS {name}_negative",
        f"{is_not_finite} AS {not_finite}",
        f"{text} IS NOT NULL AND NOT {is_number} AND NOT ({is_not_finite} AND {is_estimate}) AS {name}_unreadable",
        f"{text} IS NOT NULL AND TRY_CAST({number} AS {kind.type}) IS NULL AND {is_number} AS {name}_out_of_range",
    ]


def _read_rate(name: str, text: str, physical: str, kind: Kind) -> list[str]:
    number = f"TRY_CAST({text} AS {kind.type})"
    is_number = f"({number} IS NOT NULL OR regexp_full_match({text}, {quoted(NUMBER)}))"
    return [
        f"{number} AS {name}",
        f"{text} IS NOT NULL AND NOT {is_number} AS {name}_unreadable",
        f"{text} IS NOT NULL AND coalesce({number} <= 0, TRUE) AS {name}_out_of_range",
    ]


_READERS = {
    Kind.JSON: _read_json,
    Kind.FLAG: _read_flag,
    Kind.INSTANT: _read_instant,
    Kind.DAY: _read_day,
    Kind.COUNT: _read_count,
    Kind.AMOUNT: _read_money,
    Kind.TOTAL: _read_money,
    Kind.RATE: _read_rate,
}


def converted_amount(amount: str, rate_units: str) -> str:
    """Write amount x rate, rounded half away from zero to 9 digits, from exact integer units; NULL on overflow.

    The rate is in units of 10^-12, the amount in units of 10^-9; the product is divided by 10^12 with rounding.
    """
    units = f"CAST(abs({amount}) * {NANO} AS HUGEINT)"
    rounded = f"(({units} * {rate_units} * 2 + 1000000000000) // 2000000000000)"
    whole = f"CAST({rounded} // {NANO} AS DECIMAL(38,9))"
    part = f"CAST({rounded} % {NANO} AS DECIMAL(18,0)) * CAST(0.000000001 AS DECIMAL(10,9))"
    value = f"TRY({whole} + {part})"
    return f"CASE WHEN {amount} < 0 THEN -{value} ELSE {value} END"


def _trimmed(text: str) -> str:
    # Trimming every text of ten million rows takes longer than reading them: look at the two ends first.
    return (
        f"CASE WHEN {text} < '!' OR right({text}, 1) < '!' THEN nullif(trim({text}, {WHITESPACE}), '') ELSE {text} END"
    )


def _identifier(name: str) -> str:
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


def _no_rows(dataset: Dataset) -> str:
    columns = ", ".join(f"CAST(NULL AS {column.type}) AS {column.name}" for column in dataset.table.columns)
    return f"SELECT {columns} WHERE FALSE"
