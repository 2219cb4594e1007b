"""The published copy: what readers see while it changes under them, and what each publishing costs."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from revenue_pipeline.partitions import Window
from revenue_pipeline.publish import SECONDS_BEFORE_REMOVAL, PublishedCopy
from revenue_pipeline.warehouse import WRITTEN_DAYS, Column, Macro, Table, Warehouse, replace_window

LOG = logging.getLogger(__name__)
DAY = date(2026, 10, 5)
COLUMNS = (Column("day", "DATE", "The day."), Column("revenue", "DECIMAL(18,9)", "It's money."))
SALES = Table("reports.sales", "day", COLUMNS, "What was sold.")
OTHER = Table("reports.other", "day", COLUMNS)
TABLES = (SALES, OTHER, WRITTEN_DAYS)


def day(offset: int) -> date:
    return DAY + timedelta(days=offset)


class Deployment:
    """A warehouse and its published copy."""

    def __init__(self, folder: Path, tables: tuple[Table, ...] = TABLES) -> None:
        self.folder = folder
        self.tables = tables
        self.macros: tuple[Macro, ...] = ()
        self.warehouse = Warehouse(folder / "w.duckdb", tables=[each for each in tables if each != WRITTEN_DAYS])
        self.copy = PublishedCopy(self.warehouse.path)

    def write(self, window: Window, revenue: int | None, table: Table = SALES) -> None:
        """Write one row a day, or none."""
        days = ", ".join(f"DATE '{each}'" for each in window.days)
        others = ", ".join(f"CAST(NULL AS {c.type}) AS {c.name}" for c in table.columns[2:])
        select = (
            f"SELECT day, CAST({revenue or 0} AS DECIMAL(18,9)) AS revenue{', ' * bool(others)}{others} "
            f"FROM unnest([{days}]) AS days (day) WHERE {revenue is not None}"
        )
        with self.warehouse.writing(LOG, "a test") as connection:
            replace_window(connection, table, select, {}, window, as_of=DAY)

    def publish(self) -> int:
        with self.warehouse.writing(LOG, "a test") as connection:
            return self.copy.publish(connection, self.tables, self.macros)

    def rows(self, table: Table = SALES) -> list[tuple[date, int]]:
        found: list[tuple[Any, ...]] = self.copy.read(
            f"SELECT day, CAST(revenue AS INTEGER) FROM {table.name}"
        ).fetchall()
        return sorted((when, revenue) for when, revenue in found)

    def files(self, table: Table = SALES) -> dict[str, int]:
        """Each Parquet file and when it was written."""
        found = (self.folder / "w_reports" / table.name).rglob("*.parquet")
        return {str(path.relative_to(self.folder)): path.stat().st_mtime_ns for path in found}


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


WEEK = Window.between(DAY, day(6))


def test_the_copy_holds_the_rows_types_and_comments_of_the_tables(deployment: Deployment) -> None:
    deployment.write(WEEK, 1)
    deployment.publish()

    assert deployment.rows() == [(each, 1) for each in WEEK.days]
    assert deployment.rows(OTHER) == []
    assert deployment.copy.read("SELECT typeof(day), typeof(revenue) FROM reports.sales LIMIT 1").fetchall() == [
        ("DATE", "DECIMAL(18,9)")
    ]
    assert deployment.copy.read("SELECT comment FROM duckdb_views() WHERE view_name = 'sales'").fetchall() == [
        ("What was sold.",)
    ]


def test_the_copy_answers_macros_from_what_it_holds(deployment: Deployment) -> None:
    since = Macro("reports.sold", ("since",), "SELECT sum(revenue) AS revenue FROM reports.sales WHERE day >= since")
    deployment.macros = (since,)
    deployment.write(WEEK, 1)
    deployment.publish()
    asked = f"SELECT CAST(revenue AS INTEGER) FROM reports.sold(DATE '{day(5)}')"
    assert deployment.copy.read(asked).fetchall() == [(2,)]

    deployment.write(Window.of_day(day(6)), 4)
    deployment.publish()
    assert deployment.copy.read(asked).fetchall() == [(5,)]


def test_an_argument_may_be_called_like_a_column(deployment: Deployment) -> None:
    deployment.macros = (Macro("reports.sold_on", ("day",), "SELECT revenue FROM reports.sales WHERE sales.day = day"),)
    deployment.write(WEEK, 1)
    deployment.publish()
    assert len(deployment.copy.read(f"SELECT * FROM reports.sold_on(DATE '{day(3)}')").fetchall()) == 1


def test_nothing_published_is_told(deployment: Deployment) -> None:
    with pytest.raises(FileNotFoundError, match="run the graph first"):
        deployment.copy.read("SELECT 1")


def test_the_copy_is_read_only(deployment: Deployment) -> None:
    deployment.publish()

    with pytest.raises(duckdb.Error):
        deployment.copy.read("CREATE TABLE x (y INTEGER)")


def test_only_the_days_that_changed_are_written_again(deployment: Deployment) -> None:
    deployment.write(WEEK, 1)
    deployment.write(WEEK, 1, OTHER)
    deployment.publish()
    before = deployment.files() | deployment.files(OTHER)

    deployment.write(Window.of_day(day(2)), 2)
    assert deployment.publish() == 1

    after = deployment.files() | deployment.files(OTHER)
    assert {name: after[name] for name in before} == before
    assert {Path(name).parent.name for name in after.keys() - before.keys()} == {"day=2026-10-07"}
    assert deployment.rows() == [(each, 2 if each == day(2) else 1) for each in WEEK.days]


def test_a_table_that_is_replaced_whole_is_one_file_and_a_new_one_after_each_write(tmp_path: Path) -> None:
    whole = Table("reports.contracts", "day", COLUMNS, is_whole=True)
    deployment = Deployment(tmp_path, (SALES, whole, WRITTEN_DAYS))
    deployment.write(WEEK, 1, whole)
    deployment.publish()
    assert deployment.rows(whole) == [(each, 1) for each in WEEK.days]
    (before,) = deployment.files(whole)

    deployment.write(Window.of_day(day(-9)), 2, whole)
    deployment.publish()
    assert deployment.rows(whole) == [(day(-9), 2)]
    (after,) = set(deployment.files(whole)) - {before}

    deployment.write(Window.of_day(DAY), 3)
    deployment.publish()
    assert set(deployment.files(whole)) == {before, after}

    deployment.write(Window.of_day(DAY), None, whole)
    deployment.publish()
    assert deployment.rows(whole) == []


def test_publishing_again_without_a_change_writes_nothing(deployment: Deployment) -> None:
    deployment.write(WEEK, 1)
    deployment.publish()
    before = deployment.files()

    assert deployment.publish() == 0

    assert deployment.files() == before


def test_a_day_that_was_written_last_and_is_written_again_is_published_again(deployment: Deployment) -> None:
    for revenue in (1, 2, 3):
        deployment.write(Window.of_day(DAY), revenue)
        deployment.publish()
        assert deployment.rows() == [(DAY, revenue)]


def test_a_cleared_day_vanishes(deployment: Deployment) -> None:
    deployment.write(WEEK, 1)
    deployment.write(WEEK, 1, OTHER)
    deployment.publish()
    deployment.write(Window.of_day(DAY), None)
    deployment.publish()

    assert deployment.rows() == [(each, 1) for each in WEEK.days[1:]]


def test_a_warehouse_that_was_deleted_and_made_anew_is_published_afresh(deployment: Deployment) -> None:
    deployment.write(WEEK, 1)
    deployment.publish()
    deployment.warehouse.path.unlink()
    deployment.write(Window.of_day(day(1)), 2)
    deployment.publish()

    assert deployment.rows() == [(day(1), 2)]


@pytest.mark.parametrize("lost", ["w_reports.duckdb", "w_reports"])
def test_a_copy_that_was_deleted_comes_back_whole(deployment: Deployment, lost: str) -> None:
    deployment.write(WEEK, 1)
    deployment.publish()
    path = deployment.folder / lost
    path.rename(deployment.folder / "gone")
    deployment.write(Window.of_day(DAY), 2, OTHER)
    deployment.publish()

    assert deployment.rows() == [(each, 1) for each in WEEK.days]


def test_what_a_killed_publishing_left_behind_is_not_read(deployment: Deployment) -> None:
    deployment.write(WEEK, 1)
    deployment.publish()
    (left,) = [name for name in deployment.files() if "day=2026-10-05" in name]
    orphan = (deployment.folder / left).with_name("left_behind_0.parquet")
    orphan.write_bytes((deployment.folder / left).read_bytes())
    (deployment.folder / "w_reports.duckdb.new").write_bytes(b"half a file")

    deployment.write(Window.of_day(day(1)), 2)
    deployment.publish()

    assert deployment.rows()[:2] == [(DAY, 1), (day(1), 2)]


def test_a_column_that_was_added_leaves_the_copy_readable(deployment: Deployment) -> None:
    """The warehouse says how: drop the table and materialise its days again."""
    deployment.write(WEEK, 1)
    deployment.publish()
    with deployment.warehouse.writing(LOG, "a test") as connection:
        connection.execute("DROP TABLE reports.sales")
    wider = Table(SALES.name, "day", (*COLUMNS, Column("more", "VARCHAR")), SALES.meaning)
    newer = Deployment(deployment.folder, (wider, OTHER, WRITTEN_DAYS))
    newer.write(Window.of_day(day(1)), 2, wider)
    newer.publish()

    assert newer.copy.read("SELECT revenue, more FROM reports.sales WHERE day = DATE '2026-10-06'").fetchall() == [
        (2, None)
    ]


def test_a_folder_with_quotes_and_pattern_characters_is_no_trouble(tmp_path: Path) -> None:
    folder = tmp_path / "it's [a] *{x}=1"
    folder.mkdir()
    deployment = Deployment(folder)
    deployment.write(WEEK, 1)
    deployment.publish()

    assert deployment.rows() == [(each, 1) for each in WEEK.days]


# --- readers ---------------------------------------------------------------------------------------------------------


def age(deployment: Deployment, seconds: float, chosen: Callable[[str], bool] = lambda name: True) -> None:
    """Make files look as if they had been written so long ago."""
    for name in filter(chosen, deployment.files()):
        os.utime(deployment.folder / name, (time.time() - seconds,) * 2)


def test_a_reader_that_opened_an_older_copy_reads_on_whatever_the_age_of_its_files(deployment: Deployment) -> None:
    deployment.write(WEEK, 1)
    deployment.write(WEEK, 1, OTHER)
    deployment.publish()
    age(deployment, 10 * SECONDS_BEFORE_REMOVAL)  # it was published days ago, and is opened now
    with duckdb.connect(str(deployment.copy.path), read_only=True) as reader:
        assert reader.execute("SELECT sum(revenue) FROM reports.sales").fetchall() == [(7,)]
        deployment.write(WEEK, 2)
        deployment.publish()

        assert reader.execute("SELECT sum(revenue) FROM reports.sales").fetchall() == [(7,)]


def test_files_that_no_reader_can_need_any_more_are_removed_on_whatever_day_they_are(deployment: Deployment) -> None:
    deployment.write(WEEK, 1)
    deployment.write(WEEK, 1, OTHER)
    deployment.publish()
    first = set(deployment.files())
    deployment.write(WEEK, 2)
    deployment.publish()
    assert first <= set(deployment.files())  # kept: somebody may be reading them

    manifest = deployment.folder / "w_reports" / "manifest.json"
    stored = json.loads(manifest.read_text())
    stored["superseded"] = {file: since - 2 * SECONDS_BEFORE_REMOVAL for file, since in stored["superseded"].items()}
    manifest.write_text(json.dumps(stored))
    deployment.write(Window.of_day(day(21)), 3)
    deployment.publish()

    assert deployment.rows()[-1] == (day(21), 3)
    assert not first & set(deployment.files())


READER = """
import sys, time
from pathlib import Path
import duckdb
path, stop, end = sys.argv[1], Path(sys.argv[2]), time.monotonic() + 30
seen, reads = set(), 0
while not stop.exists() and time.monotonic() < end:
    with duckdb.connect(path, read_only=True) as connection:
        for _ in range(3):
            rows = connection.execute("SELECT count(*), min(revenue), max(revenue) FROM reports.sales").fetchall()
            assert rows[0][0] == 7 and rows[0][1] == rows[0][2], rows
            seen.add(int(rows[0][1]))
            reads += 1
    time.sleep(0.02)
    if reads == 3:
        print("reading", flush=True)
print(reads, len(seen))
"""


def test_readers_in_other_processes_see_the_old_state_or_the_new_one_and_never_wait(deployment: Deployment) -> None:
    deployment.write(WEEK, 1)
    deployment.publish()
    stop = deployment.folder / "stop"
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(deployment.copy.path), str(stop)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"

    for revenue in range(2, 6):
        deployment.write(WEEK, revenue)
        deployment.write(WEEK, revenue, OTHER)
        deployment.publish()
    stop.touch()

    for reader in readers:
        told, errors = reader.communicate(timeout=30)
        assert reader.returncode == 0, errors
        reads, states = map(int, told.split())
        assert reads > 3
        assert states > 1


def test_what_was_never_published_is_named(deployment: Deployment) -> None:
    with pytest.raises(FileNotFoundError, match="nothing is published yet"):
        deployment.copy.read("SELECT * FROM reports.sales")
    deployment.write(Window.of_day(day(0)), 5)
    deployment.publish()
    with pytest.raises(FileNotFoundError, match=r"gone does not exist.*run the graph first"):
        deployment.copy.read("SELECT * FROM reports.gone")
