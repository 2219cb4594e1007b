"""Small adversarial worlds, run through the real graph and compared with `reference.py`, cell by cell.

A seed is a world: settings, landing files in mixed formats, the days to run and the as-of date. `WORLDS=300 pytest …`
tries other seeds than the committed ones, `FIRST_WORLD=1000` from that one on; `KEEP_WORLDS=/tmp/w` leaves the files.
"""

import csv
import gzip
import io
import json
import os
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from revenue_pipeline.partitions import Window
from revenue_pipeline.run import run_graph
from revenue_pipeline.settings import Settings
from revenue_pipeline_tests import reference
from revenue_pipeline_tests.reference import COLUMNS, GRAIN, ONE_DAY, LandedFile, Row

# Few, for each run of the graph takes seconds, but between them they hold every situation: a test below says which.
SEEDS: Sequence[int] = (23, 29, 145)
ORDER_SEED = 158  # of three days and two partners
if "WORLDS" in os.environ:
    FIRST_WORLD = int(os.environ.get("FIRST_WORLD", "0"))
    SEEDS = range(FIRST_WORLD, FIRST_WORLD + int(os.environ["WORLDS"]))

ZONES = ("UTC", "America/Los_Angeles", "Asia/Shanghai", "Asia/Kolkata")
# Around both clock changes of Los Angeles, a leap day and a New Year.
FIRST_DAYS = (date(2025, 10, 31), date(2026, 3, 6), date(2024, 2, 27), date(2025, 12, 30), date(2026, 5, 4))
VALUES: Mapping[str, Sequence[str | None]] = {
    "user_id": (None, "  ", "u1", "u1", " u2", "NULL", "007"),
    "app_id": (None, "", "app-1", " app-1", "007", "1e5"),
    "platform": (None, "ios", "iOS ", "ANDROID", "android"),
    "country": (None, "us", " US", "De", "\tDE"),
    "ad_format": (None, "banner", "BANNER", "Rewarded "),
    "ad_unit_id": (None, "unit-a", "unit-a ", "unit-b", "1.0"),
    "container_id": (None, "news-a", "news-a", "news-b", " "),
    "creative_id": (None, "c1"),
    "channel": (None, "search"),
    "campaign_id": (None, "0012"),
}
ESTIMATES = (
    *(None, None, None, "", "0", "0.0", "-0", "0.01", "0.01", "0.000000001", "0.000000003", "0.123456789", "1"),
    *("3", "7.77", "1000", "999.999999999", "1e-5", "2.5E-3", "+0.5", "0.0333333333333"),
)
AMOUNTS = (None, "0", "-4.99", "9.99", "123456789.123456789", "-0.000000001", "49.9")
TOTALS = (
    *("0", "0.000000001", "-0.000000001", "1", "10", "-3.333333333", "100.01", "0.000000007", "33.333333334", "1e3"),
    *("1234.567890123", "-0.5", "77", "0.1"),
)
LARGE_TOTALS = ("5000000.123456789", "-4999999.999999999", "8388607.000000001")
SPOILED: Mapping[str, Sequence[Mapping[str, str | None]]] = {
    "events": (
        *({"event_id": None}, {"event_id": "  "}, {"event_name": None}, {"event_time": ""}),
        *({"event_time": "yesterday"}, {"event_time": "2026-13-45T00:00:00Z"}, {"revenue": "12,5"}),
        *({"is_automated": "maybe"}, {"properties": '{"broken":'}, {"event_name": "purchase", "revenue": "NaN"}),
        *({"event_name": "ad_impression", "revenue": bad} for bad in ("-0.01", "NaN", "inf", "-Infinity", "-1e-9")),
        *({"currency": "ZZZ"}, {"currency": "US"}, {"revenue": "1000000000", "currency": None}),
        *({"event_name": "purchase", "revenue": "-1000000000", "currency": None}, {"revenue": "1" + "0" * 40}),
        {"revenue": "999999999.9999999999", "currency": None},
    ),
    "partner_revenue": (
        *({"partner": None}, {"revenue": " "}, {"report_date": None}, {"report_date": "2026-02-30"}),
        *({"revenue": "n/a"}, {"revenue": "nan"}, {"impressions": "many"}, {"clicks": "-1"}, {"currency": "ZZZ"}),
        *({"impressions": str(2**63)}, {"revenue": "1" + "0" * 29}, {"partner": "nobody"}),
        *({"partner": "nobody", "report_date": "2020-01-01"}, {"report_date": "2020-01-01"}),
    ),
    "fx_rates": (
        *({"rate": "0"}, {"rate": "-1.5"}, {"rate": "par"}, {"rate": None}, {"currency": None}, {"currency": "ZZZ"}),
        *({"rate_date": "2020-01-01"}, {"rate_date": "soon"}, {"rate": "inf"}),
    ),
}
FORMATS = (
    *(
        "csv",
        "csv.gz",
        "csv.zst",
        "ndjson",
        "typed.ndjson",
        "typed.ndjson.gz",
        "ndjson.zst",
        "parquet",
        "typed.parquet",
    ),
)
THEIR_IDS = {"app_id": "com.acme", "user_id": "their-1", "ad_unit_id": "slot/1"}
PARTNER_NAMES = ("acme", "Beta.Net", "gamma-1", "delta_2")


@dataclass(frozen=True)
class World:
    """What a person sets, what landed, and what is asked for."""

    settings: dict[str, Any]
    landing: Sequence[LandedFile]
    first: date
    last: date
    as_of: date

    @property
    def days(self) -> list[date]:
        return days_between(self.first, self.last)


def days_between(first: date, last: date) -> list[date]:
    return [first + ONE_DAY * n for n in range((last - first).days + 1)]


# A world from a seed ----------------------------------------------------------------------------------------------


class Generator:
    """One world; every choice comes from the seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311, the same world every time is the point
        self.first = self.rng.choice(FIRST_DAYS)
        self.last = self.first + ONE_DAY * self.rng.randint(2, 5)
        self.settings = self._settings()
        self.formats = self.rng.sample(FORMATS, 3)
        self.rates: list[tuple[date, dict[str, str | None]]] = []
        self.events: list[tuple[date, dict[str, str | None]]] = []
        self.partner_rows: list[tuple[date, dict[str, str | None]]] = []

    def world(self) -> World:
        self._rates()
        self.rules = reference.Rules(self.settings, reference.fx_rates(self._files("fx_rates", self.rates)), self.first)
        self._events()
        self._partner_rows()
        landing = [
            *self._files("fx_rates", self.rates),
            *self._files("events", self.events),
            *self._files("partner_revenue", self.partner_rows),
            *self._odd_files(),
        ]
        as_of = self.first + ONE_DAY * self.rng.randint(0, 10)
        return World(self.settings, landing, self.first, self.last, as_of)

    def _is(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent

    def _settings(self) -> dict[str, Any]:
        rng = self.rng
        partners = {name: self._partner() for name in rng.sample(PARTNER_NAMES, rng.randint(2, 4))}
        return {
            "reporting": {"timezone": rng.choice(ZONES), "currency": rng.choice(("USD", "USD", "EUR"))},
            "start_date": self.first,
            "events": {"late_arrival_days": rng.choice((0, 1, 2, 2, 3))},
            "import_window_days": rng.choice((1, 3, 3, 5)),
            "mpp_discount": {
                "default": rng.choice(("1", "0", "0.5", "0.333")),
                "containers": rng.choice(({}, {"news-a": "0.8"}, {"news-a": "0", "news-b": "0.123456789"})),
            },
            "partners": partners,
        }

    def _partner(self) -> dict[str, Any]:
        rng = self.rng
        grain = [column for column in GRAIN if self._is(40)]
        partner: dict[str, Any] = {
            "connector": "files",
            "granularity": rng.choice(("aggregated", "user_level")),
            "grain": rng.choice((grain, grain, [], list(GRAIN))),
            "timezone": rng.choice((None, *ZONES)),
            "currency": rng.choice((None, None, "USD", "EUR", "JPY")),
            "import_window_days": rng.choice((None, 1, 2, 4)),
            "ids": rng.choice(
                (
                    {},
                    {"app_id": {"com.acme": "app-1", "1e5": "007"}, "user_id": {"their-1": "u1", "u1": "u2"}},
                    {"ad_unit_id": {"slot/1": "unit-a"}, "app_id": {"com.acme": "app-1", "app-1": "app-1"}},
                )
            ),
        }
        return {key: value for key, value in partner.items() if value is not None}

    def _rates(self) -> None:
        rates = {"USD": "1.0874", "EUR": "0.9187", "JPY": "0.006712345", "GBP": "1.3", "INR": "0.011999999"}
        for day in days_between(self.first - ONE_DAY * 9, self.last + ONE_DAY):
            for currency, rate in rates.items():
                if self._is(30):
                    drift = Decimal(self.rng.randint(-500, 500)) / 10**5
                    row: dict[str, str | None] = {
                        "rate_date": day.isoformat(),
                        "currency": currency,
                        "rate": f"{Decimal(rate) * (1 + drift):.9f}",
                    }
                    self.rates.append((day, row))
        self.rates += [self._spoil("fx_rates", day, row) for day, row in self.rates if self._is(20)]

    def _currency(self, day: date) -> str | None:
        """A currency that can be converted on that day."""
        currency = self.rng.choice((None, None, self.settings["reporting"]["currency"], "EUR", "JPY", "GBP", "INR"))
        return currency if currency and self._has_rate(currency, day) else None

    def _has_rate(self, currency: str, day: date) -> bool:
        try:
            return bool(reference.rate_on(day, currency, self.rules))
        except StopIteration:
            return False

    def _spoil(self, dataset: str, folder: date, row: Mapping[str, str | None]) -> tuple[date, dict[str, str | None]]:
        """A copy that some rule rejects, now and then for two reasons at once."""
        spoiled = dict(row) | dict(self.rng.choice(SPOILED[dataset]))
        if self._is(25):
            spoiled |= self.rng.choice(SPOILED[dataset])
        if dataset == "partner_revenue" and self._is(15):
            folder += ONE_DAY
        return folder, spoiled

    def _events(self) -> None:
        rng = self.rng
        for number in range(rng.randint(25, 90)):
            event = self._event(
                rng.choice((f"e{number}", f"{number:03d}", f"E-{number * 7 % 100}x{number}", f"é{number}"))
            )
            self.events.append((self._folder(event), event))
        for folder, event in list(self.events):
            if self._is(15):
                self.events.append(self._repeat(folder, event))
            if self._is(12):
                spoiled = self._spoil("events", folder, event)
                if self._is(70) and spoiled[1]["event_id"]:
                    spoiled[1]["event_id"] = f"{spoiled[1]['event_id']}-spoiled"
                self.events.append(spoiled)
            if self._is(6):
                self.events.append(self._strayed(folder, event))

    def _event(self, event_id: str) -> dict[str, str | None]:
        rng = self.rng
        name = rng.choice((*["ad_impression"] * 6, "ad_served", "open", "open", "ad_click", "purchase", "level_up "))
        instant = self._instant()
        event = {column: rng.choice(VALUES.get(column, (None,))) for column in COLUMNS["events"]}
        day = instant.astimezone(ZoneInfo(self.rules.zone)).date()
        return event | {
            "event_id": rng.choice((event_id, event_id, f" {event_id} ")),
            "event_name": name,
            "event_time": self._written(instant),
            "partner": rng.choice((*self.settings["partners"], *self.settings["partners"], " acme ", "Nobody", None)),
            "is_automated": rng.choice((None, None, "true", "false", "TRUE", "1", "0")),
            "revenue": rng.choice(ESTIMATES) if name == "ad_impression" else rng.choice(AMOUNTS),
            "currency": self._currency(day),
            "properties": rng.choice((None, None, '{"a": 1}', '{"text": "x, \\"y\\"; z"}', "[1, 2.50]")),
        }

    def _instant(self) -> datetime:
        """On the minute around some zone's midnight, as often as not."""
        day = self.rng.choice(days_between(self.first - ONE_DAY, self.last + ONE_DAY))
        midnight = datetime.combine(day, time(), ZoneInfo(self.rng.choice(ZONES))).astimezone(timezone.utc)
        near = timedelta(seconds=self.rng.choice((-3600, -1, 0, 0, 1, 1800)))
        return midnight + (near if self._is(50) else timedelta(seconds=self.rng.randrange(86400), microseconds=500))

    def _written(self, instant: datetime) -> str:
        zone = timezone(timedelta(minutes=self.rng.choice((0, 330, -420))))
        naive = instant.replace(tzinfo=None)
        return self.rng.choice(
            (
                instant.isoformat().replace("+00:00", "Z"),
                naive.isoformat(),
                naive.isoformat(sep=" "),
                instant.astimezone(zone).isoformat(),
                f" {instant.isoformat(timespec='milliseconds')}",
            )
        )

    def _folder(self, event: Mapping[str, str | None]) -> date:
        """A folder of the event's arrival window: mostly that of its own day, else any, the last ones included."""
        day = reference.event_day(reference.trimmed("events", event), self.rules)
        late = self.rules.late_arrival_days
        return day if self._is(60) else day + ONE_DAY * self.rng.randint(-1, 1 + late)

    def _repeat(self, folder: date, event: Mapping[str, str | None]) -> tuple[date, dict[str, str | None]]:
        """The same id once more: word for word, a little later or earlier, a day later, or with other values."""
        rng = self.rng
        instant = reference.to_instant(str(event["event_time"]).strip())
        moved = rng.choice((0, 0, 1, -60, 86400))
        again = dict(event) | {"event_time": self._written(instant + timedelta(seconds=moved))}
        if self._is(50):
            again |= {column: rng.choice(VALUES[column]) for column in ("user_id", "ad_unit_id", "country")}
        if self._is(40) and event["event_name"] == "ad_impression":
            again["revenue"] = rng.choice(("0.25", "0.5", None, "2"))
        day = reference.event_day(reference.trimmed("events", again), self.rules)
        if again["currency"] and not self._has_rate(str(again["currency"]), day):
            again["currency"] = None
        return (folder if self._is(40) and not moved else self._folder(again)), again

    def _strayed(self, folder: date, event: Mapping[str, str | None]) -> tuple[date, dict[str, str | None]]:
        """A copy outside its arrival window, by a day or by a year for which nobody keeps exchange rates."""
        strayed = dict(event) | {"event_id": f"{event['event_id']}-strayed"}
        if self._is(30):
            return folder, strayed | {"event_time": "2019-01-01T12:00:00Z", "currency": "GBP"}
        day = reference.event_day(reference.trimmed("events", event), self.rules)
        return day + ONE_DAY * self.rng.choice((-2, 2 + self.rules.late_arrival_days)), strayed

    def _partner_rows(self) -> None:
        seen = defaultdict(list)
        for _, event in self.events:
            seen[(event["partner"] or "").strip()].append(event)
        for day in days_between(self.first - ONE_DAY, self.last + ONE_DAY):
            for name in self.settings["partners"] if self._is(85) else ():
                if self._is(80):
                    self._partner_day(name, day, seen[name])
        for folder, row in list(self.partner_rows):
            if self._is(15):
                self.partner_rows.append(self._spoil("partner_revenue", folder, row))

    def _partner_day(self, name: str, day: date, seen: Sequence[Mapping[str, str | None]]) -> None:
        rng = self.rng
        large = [rng.choice(LARGE_TOTALS)] if self._is(10) else []  # one a day: keys stay below 10 million
        like = [*rng.sample(seen, min(len(seen), rng.randint(0, 12))), *[{}] * rng.randint(0, 2)]
        for event in like:
            row = {column: event.get(column, rng.choice(VALUES[column])) for column in (*GRAIN, "user_id")}
            row |= {column: theirs for column, theirs in THEIR_IDS.items() if self._is(10)}
            partner_currency = self.rules.partner(name).currency
            currency = self._currency(day)
            if currency is None and not self._has_rate(partner_currency, day):
                currency = self.rules.currency
            row |= {
                "partner": rng.choice((name, name, f" {name}")),
                "report_date": day.isoformat(),
                "revenue": large.pop() if large else rng.choice((*TOTALS, f"{rng.randint(0, 10**12)}e-9")),
                "currency": currency,
                "impressions": rng.choice((None, "0", "1", "17", "9223372036854775807" if not seen else "3")),
                "clicks": rng.choice((None, "0", "2")),
            }
            self.partner_rows += [(day, row)] * rng.choice((1, 1, 1, 1, 2))

    def _files(self, dataset: str, rows: Iterable[tuple[date, dict[str, str | None]]]) -> list[LandedFile]:
        """The rows of each folder, shuffled over one to three files of different formats."""
        rng = random.Random(repr((self.first, dataset)))  # noqa: S311, the same files when asked for twice
        folders = defaultdict(list)
        for folder, row in rows:
            folders[folder].append(row)
        files = []
        for folder, landed in folders.items():
            rng.shuffle(landed)
            parts = rng.randint(1, 3 if len(landed) > 2 else 1)
            for part in range(parts):
                name = f"{part}.{rng.choice(self.formats)}"
                files.append(LandedFile(dataset, folder, name, landed[part::parts]))
        return files

    def _odd_files(self) -> list[LandedFile]:
        """Files without rows (for a partner: an empty batch) and files that lack a required column altogether."""
        rng, days = self.rng, days_between(self.first - ONE_DAY, self.last + ONE_DAY)
        files = [
            LandedFile(dataset, rng.choice(days), f"empty.{rng.choice(self.formats)}")
            for dataset in COLUMNS
            if self._is(60)
        ]
        if self._is(60):
            folder, event = rng.choice(self.events)
            lacking = {
                column: text for column, text in event.items() if column != rng.choice(("event_id", "event_name"))
            }
            files.append(LandedFile("events", folder, f"lacking.{rng.choice(self.formats)}", [lacking, lacking]))
        if self._is(60) and self.partner_rows:
            folder, row = rng.choice(self.partner_rows)
            lacking = {column: text for column, text in row.items() if column != "revenue"}
            files.append(LandedFile("partner_revenue", folder, f"lacking.{rng.choice(self.formats)}", [lacking]))
        return files


def make_world(seed: int) -> World:
    return Generator(seed).world()


# Landing files ----------------------------------------------------------------------------------------------------

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
        is_number = column in ("revenue", "impressions", "clicks", "rate") and JSON_NUMBER.fullmatch(text)
        is_object = column == "properties" and reference.is_readable("properties", text)
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
    read: Callable[[str], Any] = reference.READERS.get(column, str)
    if column == "properties" or not all(text and reference.is_readable(column, text) for text in present):
        return "VARCHAR", texts
    values = [None if text is None else read(text.strip()) for text in texts]
    numbers = [value for value in values if isinstance(value, Decimal)]
    if column in ("revenue", "rate"):
        fits = all(n.is_finite() and abs(n) < 10**9 and n == round(n, 9) for n in numbers)
        return ("DECIMAL(18, 9)", values) if fits else ("VARCHAR", texts)
    if column in ("impressions", "clicks"):
        fits = all(value is None or abs(value) < 2**63 for value in values)
        return ("BIGINT", values) if fits else ("VARCHAR", texts)
    if column == "event_time":
        if all(datetime.fromisoformat(text.replace("Z", "+00:00")).tzinfo for text in present):
            return "TIMESTAMPTZ", values
        return "TIMESTAMP", [value and value.replace(tzinfo=None) for value in values]
    return {"report_date": "DATE", "rate_date": "DATE", "is_automated": "BOOLEAN"}.get(column, "VARCHAR"), values


# The product's tables ---------------------------------------------------------------------------------------------


def settings_of(world: World, home: Path) -> Settings:
    storage = {"warehouse": home / "warehouse.duckdb", "landing": str(home / "landing"), "archive": home / "archive"}
    return Settings.model_validate({**world.settings, "storage": storage})


def run(settings: Settings, first: date, last: date, as_of: date) -> None:
    outcome = run_graph(settings, Window.between(first, last), as_of=as_of)
    assert not outcome.failures, outcome.failures


def read_tables(settings: Settings) -> dict[str, list[Row]]:
    with duckdb.connect(str(settings.storage.warehouse), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return {name: read(connection, name) for name in TABLES}


def read(connection: duckdb.DuckDBPyConnection, name: str) -> list[Row]:
    result = connection.execute(f"SELECT * FROM {name}")
    columns = [column[0] for column in result.description or []]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


TABLES: Mapping[str, Sequence[str]] = {  # and the columns that tell their rows apart when they are shown side by side
    "raw.events": ("event_date", "event_id"),
    "raw.rejected_rows": ("dataset", "folder_date", "file", "reason"),
    "raw.partner_revenue": ("report_date", "partner", *GRAIN, "user_id", "original_revenue"),
    "core.reconciled_estimates": ("report_date", "partner", *GRAIN, "user_id", "status"),
    "core.allocated_revenue": ("report_date", "partner", "event_date", "event_id", *GRAIN),
    "core.revenue_conservation": ("report_date", "partner"),
    "reports.rpm": ("event_date", "level", "container_id", "ad_unit_id"),
    "reports.ctr": ("event_date", "level", "container_id", "ad_unit_id"),
}


def comparable(name: str, rows: Iterable[Row]) -> list[Row]:
    if name != "raw.rejected_rows":
        return [{column: cell(column, value) for column, value in row.items()} for row in rows]
    columns = TABLES[name]
    counted: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        key = {**row, "file": str(row["file"]).rpartition("/")[2]}
        counted[tuple(key[column] for column in columns)] += row.get("rows", 1)
    return [dict(zip((*columns, "rows"), (*key, count), strict=True)) for key, count in counted.items()]


def cell(column: str, value: Any) -> Any:
    """Numbers as exact fractions but for the ratios, instants as UTC, JSON by what it says."""
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).replace(tzinfo=None) if value.tzinfo else value
    if column == "properties" and isinstance(value, str):
        return json.dumps(json.loads(value), sort_keys=True)
    if column == "adjusted_opens" or (isinstance(value, Decimal | int) and not isinstance(value, bool)):
        return Fraction(value)
    return value


def same(expected: Any, got: Any) -> bool:
    if isinstance(expected, float) and isinstance(got, float):
        return expected == pytest.approx(got, rel=1e-12, abs=0)
    return bool(expected == got) and (expected is None) == (got is None)


def differences(name: str, expected: Iterable[Row], got: Iterable[Row]) -> list[str]:
    """Say which cells differ, row by row: rows are paired by the table's key, several with one key in any order."""
    pairs: dict[tuple[str, ...], tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for side, rows in enumerate((comparable(name, expected), comparable(name, got))):
        for row in rows:
            pairs[tuple(str(row[column]) for column in TABLES[name])][side].append(row)
    found = []
    for key, sides in pairs.items():
        columns = sorted({column for row in sides[0] or sides[1] for column in row})
        order = partial(in_order, columns=columns)
        wanted, present = sorted(sides[0], key=order), sorted(sides[1], key=order)
        if len(wanted) != len(present):
            found.append(f"{name} {key}: expected {len(wanted)} rows, got {len(present)}: {wanted} {present}")
            continue
        for a, b in zip(wanted, present, strict=True):
            cells = [
                f"{column}: expected {a[column]}, got {b[column]}"
                for column in columns
                if not same(a[column], b[column])
            ]
            if cells:
                found.append(f"{name} {key}: " + "; ".join(cells))
    return found


def in_order(row: Row, columns: Sequence[str]) -> list[str]:
    return [str(row[column]) for column in columns]


def assert_same(expected: Mapping[str, list[Row]], got: Mapping[str, list[Row]]) -> None:
    found = [line for name in TABLES for line in differences(name, expected[name], got[name])]
    assert not found, "\n".join(found[:40])


def with_keys(got: Mapping[str, list[Row]], world: World) -> dict[str, list[Row]]:
    """Add to the rows of the ledger and of the allocation the ledger key that they belong to."""
    rules = reference.Rules(world.settings, {}, world.as_of)

    def keyed(row: Row) -> Row:
        key = reference.key_of(row, rules.partner(row["partner"]))
        return {**row, "key": (row["report_date"], row["partner"], key)}

    tables = ("core.reconciled_estimates", "core.allocated_revenue")
    return {**got, **{name: [keyed(row) for row in got[name]] for name in tables}}


def assert_exact(got: Mapping[str, list[Row]]) -> None:
    """No digit is lost, and each share is within one unit of the exact one, whoever carries the leftover units."""
    for certificate in got["core.revenue_conservation"]:
        assert certificate["difference"] == certificate["allocation_difference"] == 0, certificate
    estimates = {(event["event_date"], event["event_id"]): event["reporting_revenue"] for event in got["raw.events"]}
    verified = [entry for entry in got["core.reconciled_estimates"] if entry["status"] == "verified"]
    parts = [row for row in got["core.allocated_revenue"] if row["status"] == "verified"]
    for entry in verified:
        mine = [row for row in parts if row["key"] == entry["key"]]
        exact = reference.exact_shares(
            entry["settled_revenue"], [estimates[row["event_date"], row["event_id"]] for row in mine]
        )
        shares = [reference.units(row["revenue"]) for row in mine]
        assert sum(shares) == reference.units(entry["settled_revenue"]), entry
        assert all(abs(share - part) <= 1 for share, part in zip(shares, exact, strict=True)), entry


@pytest.fixture
def home(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    kept = os.environ.get("KEEP_WORLDS")
    return Path(kept) / request.node.name if kept else tmp_path


@pytest.mark.parametrize("seed", SEEDS)
def test_every_cell_is_what_the_contract_says(seed: int, home: Path) -> None:
    world = make_world(seed)
    settings = settings_of(world, home)
    land(world.landing, home / "landing")
    run(settings, world.first, world.last, world.as_of)
    got = read_tables(settings)
    assert_same(reference.tables(world.landing, world.settings, world.days, world.as_of), got)
    assert_exact(with_keys(got, world))


def test_the_order_of_runs_does_not_matter_once_every_day_was_run_after_what_it_reads(home: Path) -> None:
    world = make_world(ORDER_SEED)
    settings = settings_of(world, home)
    land(world.landing, home / "landing")
    half = world.first + ONE_DAY
    late, early = (half + ONE_DAY, world.last), (world.first, half)
    # The ledger of a day reads the events of its neighbours, and a report the allocations of its own.
    for first, last in (late, early, late, early):
        run(settings, first, last, world.as_of)
    assert_same(reference.tables(world.landing, world.settings, world.days, world.as_of), read_tables(settings))


@pytest.mark.skipif("WORLDS" in os.environ, reason="other seeds than the committed ones")
def test_the_worlds_hold_every_situation() -> None:
    found: set[object] = set()
    for world in map(make_world, (*SEEDS, ORDER_SEED)):
        expected = reference.tables(world.landing, world.settings, world.days, world.as_of)
        found |= {(row["dataset"], row["reason"]) for row in expected["raw.rejected_rows"]}
        found |= {(row["granularity"], row["status"]) for row in expected["core.reconciled_estimates"]}
        found |= {(row["allocation"], row["revenue"] < 0) for row in expected["core.allocated_revenue"]}
        found |= {(row["level"], row["opens_level"], row["is_final"]) for row in expected["reports.rpm"]}
        found |= {file.name.partition(".")[2] for file in world.landing if file.rows}
    reasons = ("missing_column", "unreadable", "unknown_currency", "out_of_range")
    assert found >= {
        *(("events", reason) for reason in (*reasons, "bad_estimate", "outside_arrival_window")),
        *(("partner_revenue", reason) for reason in (*reasons, "unknown_partner", "wrong_day")),
        *(("fx_rates", reason) for reason in (*reasons, "wrong_day")),
        *(("aggregated", status) for status in ("verified", "unallocated", "estimated", "expired")),
        *(("user_level", status) for status in ("verified", "dropped", "estimated", "expired")),
        *((how, less) for how in ("estimate_weighted", "impression_weighted", "unallocated") for less in (False, True)),
        ("sdk_estimate", False),
        *(("container", level, final) for level in ("container", "placement") for final in (False, True)),
        *(("placement", level, final) for level in ("container", "placement") for final in (False, True)),
        *FORMATS,
    }


def test_a_split_worked_by_hand() -> None:
    # The second weighs the mean of the others, 0.375: 1 x 0.5/1.125, 1 x 0.375/1.125, 1 x 0.25/1.125, one unit is left.
    parts = reference.split(Decimal(1), [Decimal("0.5"), None, Decimal("0.25")])
    assert parts == [Decimal("0.444444445"), Decimal("0.333333333"), Decimal("0.222222222")]
    assert reference.split(Decimal(-1), [None, None, None]) == [
        Decimal("-0.333333334"),
        *[Decimal("-0.333333333")] * 2,
    ]
    assert reference.split(Decimal("0.000000005"), [Decimal(0), Decimal(1)]) == [Decimal(0), Decimal("0.000000005")]


def test_opens_worked_by_hand() -> None:
    def opened(unit: str | None, *automated: bool | None) -> list[Row]:
        return [{"event_name": "open", "ad_unit_id": unit, "is_automated": machine} for machine in automated]

    own, of_a, of_b = opened(None, True, None), opened("a", False, True, True), opened("b", None)
    assert reference.container_opens(own + of_a + of_b) == reference.Opens("container", 2, 1)
    assert reference.container_opens(of_a + of_b) == reference.Opens("placement", 4, 2)
    assert reference.placement_opens(of_b, own + of_a + of_b) == reference.Opens("placement", 1, 0)
    assert reference.placement_opens([], own + of_a + of_b) == reference.Opens("container", 2, 1)
    assert reference.placement_opens([], of_a + of_b) == reference.Opens("container", 4, 2)
