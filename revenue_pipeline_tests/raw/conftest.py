"""Landing folders written by hand, and the tables of `raw` in memory to land them in."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import SecretStr

from revenue_pipeline.catalog import all_tables
from revenue_pipeline.partitions import Window
from revenue_pipeline.raw.datasets import EVENTS, Dataset
from revenue_pipeline.raw.files import LandingFolder
from revenue_pipeline.raw.imports import Batch, FailedDay, book, fetch_batches
from revenue_pipeline.raw.land import Landed, land, record_rejected
from revenue_pipeline.raw.landing import Rules, read_landed
from revenue_pipeline.settings import Settings
from revenue_pipeline.simulator import Simulator, World
from revenue_pipeline.warehouse import WRITTEN_DAYS

DAY = date(2026, 10, 5)
TEN = "2026-10-05T10:00:00Z"
EVENT_HEADER = "event_id,event_name,event_time"
COST_HEADER = "cost_date,channel,cost,currency"
UTC_RULES = Rules()
NO_RATES = (
    "SELECT CAST(NULL AS DATE) AS rate_day, CAST(NULL AS VARCHAR) AS rate_currency, "
    "CAST(NULL AS HUGEINT) AS rate_units WHERE FALSE"
)
TABLES = (*(table for table in all_tables() if table.name.startswith("raw.")), WRITTEN_DAYS)


def csv_of(*rows: Mapping[str, str]) -> str:
    """A CSV file with every value quoted."""
    lines = [list(rows[0]), *(row.values() for row in rows)]
    return "".join(",".join('"' + value.replace('"', '""') + '"' for value in line) + "\n" for line in lines)


class Lake:
    """A landing folder and the raw tables; a landing that fails is rolled back, as in the warehouse."""

    def __init__(self, folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.landing = folder / "landing"
        self.connection = connection

    def put(self, dataset: str, name: str, content: str | bytes, day: date = DAY) -> Path:
        path = self.landing / dataset / f"date={day}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def put_parquet(self, dataset: str, name: str, select: str, day: date = DAY) -> Path:
        """Write the rows of a SELECT with their types as a Parquet file."""
        path = self.put(dataset, name, "", day)
        aside = path.with_name("_written_by_a_test")
        with duckdb.connect(":memory:") as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"COPY ({select}) TO '{str(aside).replace(chr(39), chr(39) * 2)}' (FORMAT parquet)")
        aside.replace(path)
        return path

    def put_lines(self, *lines: dict[str, Any] | str, dataset: str = "events", name: str = "rows.ndjson") -> Path:
        """Write NDJSON; a text is a line as it stands."""
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        return self.put(dataset, name, "".join(f"{text}\n" for text in texts))

    def land(
        self,
        dataset: Dataset = EVENTS,
        first: date = DAY,
        last: date | None = None,
        rules: Rules = UTC_RULES,
        url: str | None = None,
    ) -> Landed:
        folder = LandingFolder(url or str(self.landing))
        self.connection.execute("BEGIN")
        try:
            landed = land(self.connection, dataset, folder, Window.between(first, last or first), rules, as_of=DAY)
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
        return landed

    def read(self, dataset: Dataset = EVENTS) -> None:
        """Read one day without the rest of landing, which takes three times as long, into the same tables."""
        landing, window = LandingFolder(str(self.landing)), Window.of_day(DAY)
        files = landing.files(dataset.name, window.days)[DAY]
        self.connection.execute("CREATE OR REPLACE TEMP TABLE exchange_rates AS " + NO_RATES)
        usable = read_landed(self.connection, dataset, files, UTC_RULES).usable
        self.connection.execute(f"INSERT INTO {dataset.table.name} BY NAME SELECT * FROM ({usable})")
        record_rejected(self.connection, dataset, landing, window, UTC_RULES, as_of=DAY)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query).fetchall()

    def column(self, query: str) -> list[Any]:
        return [row[0] for row in self.ask(query)]

    def event_ids(self) -> list[str]:
        return self.column("SELECT event_id FROM raw.events ORDER BY event_id")

    def reasons(self) -> list[str]:
        return self.column("SELECT reason FROM raw.rejected_rows ORDER BY reason")

    def rejected(self, key: str) -> dict[str, str]:
        """The reason of each rejected row by the landed value of its column `key`."""
        rows = self.ask("SELECT row, reason FROM raw.rejected_rows")
        return {str(json.loads(row)[key]): reason for row, reason in rows}


@pytest.fixture(scope="module")
def raw_tables() -> Iterator[duckdb.DuckDBPyConnection]:
    """Made once for all tests of a file, which get them empty."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for table in TABLES:
            table.create(connection)
        yield connection


@pytest.fixture
def lake(tmp_path: Path, raw_tables: duckdb.DuckDBPyConnection) -> Lake:
    for table in TABLES:
        raw_tables.execute(f"DELETE FROM {table.name}")
    return Lake(tmp_path, raw_tables)


# --- imports ---------------------------------------------------------------------------------------------------------

LOG = logging.getLogger(__name__)
KEY = "a-key-nobody-may-see"


@pytest.fixture(scope="module")
def world() -> World:
    """Nothing to import, unless a test file makes a world of its own."""
    return World(first_day=DAY, last_day=DAY, scale=0.01)


@pytest.fixture
def simulator(world: World) -> Iterator[Simulator]:
    with Simulator(world, today=DAY + timedelta(days=10)) as simulator:
        yield simulator


Import = Callable[..., list[Batch | FailedDay]]


@pytest.fixture
def import_days(lake: Lake, simulator: Simulator, tmp_path: Path) -> Import:
    """Import days of a partner and book them."""

    def run(*days: date, partner: str = "max", as_of: date = DAY, **changes: Any) -> list[Batch | FailedDay]:
        partners: dict[str, dict[str, Any]] = {
            "max": {
                "connector": "applovin_max",
                "granularity": "aggregated",
                "grain": ["app_id"],
                "base_url": f"{simulator.url}/applovin",
                "credentials": {"api_key": {"env": "KEY"}},
            },
            "acme": {"connector": "files", "granularity": "user_level", "grain": ["app_id"], "currency": "EUR"},
            "other": {"connector": "files", "granularity": "aggregated"},
        }
        partners[partner] = {**partners.get(partner, {}), **changes}
        storage = {"landing": str(lake.landing), "archive": tmp_path / "archive"}
        document = {"start_date": "2026-10-01", "storage": storage, "partners": partners}
        settings = Settings.model_validate(document).model_copy(update={"secrets": {"KEY": SecretStr(KEY)}})
        outcomes = fetch_batches(settings, partner, days or [DAY], as_of, LOG)
        book(lake.connection, partner, outcomes, as_of)
        return outcomes

    return run
