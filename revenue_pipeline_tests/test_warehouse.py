"""The one write primitive, and the one-writer rule between real processes."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace as replace_fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from revenue_pipeline import warehouse as warehouse_module
from revenue_pipeline.partitions import Window
from revenue_pipeline.warehouse import (
    WRITTEN_DAYS,
    Column,
    Macro,
    Table,
    Warehouse,
    WarehouseError,
    append,
    append_new,
    quoted,
    replace_window,
)

LOG = logging.getLogger(__name__)
DAY = date(2026, 10, 5)
SALES = Table(
    "core.sales",
    "day",
    (
        Column("day", "DATE", "The day's own meaning."),
        Column("partner", "VARCHAR", "Who."),
        Column("revenue", "DECIMAL(18,9)", "How much."),
    ),
    "It's what was sold.",
)


def day(offset: int) -> date:
    return DAY + timedelta(days=offset)


def rows(*values: tuple[date | None, str, str]) -> str:
    """A SELECT of rows of the table."""
    selects = [
        f"SELECT CAST({quoted(str(when)) if when else 'NULL'} AS DATE) AS day, {quoted(partner)} AS partner, "
        f"CAST({revenue} AS DECIMAL(18,9)) AS revenue"
        for when, partner, revenue in values
    ]
    return " UNION ALL ".join(selects) or rows((DAY, "", "0")) + " WHERE FALSE"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "data" / "warehouse.duckdb", tables=(SALES,))


def replace(warehouse: Warehouse, select: str, window: Window, only: dict[str, str] | None = None) -> int:
    with warehouse.writing(LOG, "a test") as connection:
        return replace_window(connection, SALES, select, {}, window, as_of=DAY, only=only)


def stored(
    warehouse: Warehouse, query: str = "SELECT day, partner, CAST(revenue AS INTEGER) FROM core.sales ORDER BY ALL"
) -> list[Any]:
    with duckdb.connect(str(warehouse.path), read_only=True) as connection:
        return connection.execute(query).fetchall()


# --- replace_window --------------------------------------------------------------------------------------------------


def test_the_days_of_the_window_are_replaced_and_no_others(warehouse: Warehouse) -> None:
    replace(warehouse, rows((day(-1), "a", "1"), (DAY, "a", "2"), (day(1), "a", "3")), Window.between(day(-1), day(1)))

    assert replace(warehouse, rows((DAY, "b", "4"), (DAY, "c", "5")), Window.of_day(DAY)) == 2

    assert stored(warehouse) == [(day(-1), "a", 1), (DAY, "b", 4), (DAY, "c", 5), (day(1), "a", 3)]


def test_an_empty_result_clears_the_days(warehouse: Warehouse) -> None:
    replace(warehouse, rows((DAY, "a", "1"), (day(1), "a", "2"), (day(2), "a", "3")), Window.between(DAY, day(2)))

    assert replace(warehouse, rows(), Window.between(DAY, day(1))) == 0

    assert stored(warehouse) == [(day(2), "a", 3)]


def test_a_table_that_is_whole_is_replaced_whole_and_remembered_by_the_as_of_date(warehouse: Warehouse) -> None:
    whole = replace_fields(SALES, name="core.contracts", is_whole=True)
    warehouse = Warehouse(warehouse.path, tables=[whole])
    for select, as_of in ((rows((day(-400), "a", "1"), (None, "b", "2")), DAY), (rows((day(9), "a", "3")), day(1))):
        with warehouse.writing(LOG, "a test") as connection:
            replace_window(connection, whole, select, {}, Window.of_day(DAY), as_of)

    with warehouse.writing(LOG, "a test") as connection:
        assert connection.execute("FROM core.contracts").fetchall() == [(day(9), "a", 3)]
        assert connection.execute(
            "SELECT table_name, day, as_of FROM pipeline.written_days ORDER BY sequence"
        ).fetchall() == [("core.contracts", DAY, DAY), ("core.contracts", day(1), day(1))]


@pytest.mark.parametrize(
    "select",
    [
        rows((DAY, "a", "9"), (day(1), "a", "9")),
        rows((DAY, "a", "9"), (day(-1), "a", "9")),
        rows((None, "a", "9")),
    ],
    ids=["after", "before", "no day"],
)
def test_a_row_outside_the_window_refuses_the_whole_write(warehouse: Warehouse, select: str) -> None:
    replace(warehouse, rows((DAY, "a", "1")), Window.of_day(DAY))

    with pytest.raises(WarehouseError, match=r"core\.sales: a row lies outside the days 2026-10-05"):
        replace(warehouse, select, Window.of_day(DAY))

    assert stored(warehouse) == [(DAY, "a", 1)]


def test_rows_that_the_select_leaves_out_may_lie_anywhere(warehouse: Warehouse) -> None:
    # Both days are ranked and joined, and only then is one of them left out.
    both = rows((DAY, "a", "1"), (day(1), "a", "2"))
    select = (
        f"WITH ranked AS (SELECT *, row_number() OVER (PARTITION BY partner ORDER BY revenue) AS n FROM ({both})), "
        f"sizes AS (SELECT partner, count(*) AS size FROM ranked GROUP BY partner) "
        f"SELECT day, ranked.partner, revenue FROM ranked JOIN sizes ON sizes.partner = ranked.partner "
        f"WHERE day = DATE '{DAY}'"
    )

    assert replace(warehouse, select, Window.of_day(DAY)) == 1

    assert stored(warehouse) == [(DAY, "a", 1)]


@pytest.mark.parametrize(
    ("select", "odd"),
    [
        ("SELECT DATE '2026-10-05' AS day, 'a' AS partner", "revenue"),
        (f"SELECT *, 1 AS more FROM ({rows((DAY, 'a', '9'))})", "more"),
        ("SELECT DATE '2026-10-05' AS day, 'a' AS partner, 0.5::DOUBLE AS revenue", "DOUBLE"),
        ("SELECT DATE '2026-10-05' AS day, 'a' AS partner, 0.5::DECIMAL(18,3) AS revenue", r"DECIMAL\(18,3\)"),
        ("SELECT TIMESTAMP '2026-10-05' AS day, 'a' AS partner, 0.5::DECIMAL(18,9) AS revenue", "TIMESTAMP"),
    ],
)
def test_other_columns_or_types_are_refused_by_name_and_leave_the_rows(
    warehouse: Warehouse, select: str, odd: str
) -> None:
    replace(warehouse, rows((DAY, "a", "1")), Window.of_day(DAY))

    with pytest.raises(WarehouseError, match=rf"core\.sales.*{odd}"):
        replace(warehouse, select, Window.of_day(DAY))

    assert stored(warehouse) == [(DAY, "a", 1)]


def test_columns_are_matched_by_name_in_any_order(warehouse: Warehouse) -> None:
    replace(warehouse, f"SELECT revenue, day, partner FROM ({rows((DAY, 'a', '7'))})", Window.of_day(DAY))

    assert stored(warehouse) == [(DAY, "a", 7)]


def test_a_stored_table_of_another_shape_is_refused(warehouse: Warehouse) -> None:
    replace(warehouse, rows((DAY, "a", "1")), Window.of_day(DAY))
    with warehouse.writing(LOG, "a test") as connection:
        connection.execute("ALTER TABLE core.sales ADD COLUMN old INTEGER")

    with pytest.raises(WarehouseError, match="stored table"):
        replace(warehouse, rows((DAY, "a", "2")), Window.of_day(DAY))


def test_one_slice_is_replaced_without_touching_the_others(warehouse: Warehouse) -> None:
    replace(warehouse, rows((DAY, "a", "1"), (DAY, "it's", "2")), Window.of_day(DAY))

    replace(warehouse, rows((DAY, "it's", "3")), Window.of_day(DAY), only={"partner": "it's"})
    assert stored(warehouse) == [(DAY, "a", 1), (DAY, "it's", 3)]

    replace(warehouse, rows(), Window.of_day(DAY), only={"partner": "it's"})
    assert stored(warehouse) == [(DAY, "a", 1)]

    with pytest.raises(WarehouseError):
        replace(warehouse, rows((DAY, "b", "9")), Window.of_day(DAY), only={"partner": "a"})
    assert stored(warehouse) == [(DAY, "a", 1)]


def test_parameters_are_bound_not_pasted(warehouse: Warehouse) -> None:
    select = "SELECT $day AS day, $partner AS partner, CAST(1 AS DECIMAL(18,9)) AS revenue"
    values = {"day": DAY, "partner": "'; DROP TABLE core.sales; --"}
    with warehouse.writing(LOG, "a test") as connection:
        replace_window(connection, SALES, select, values, Window.of_day(DAY), as_of=DAY)

    assert stored(warehouse) == [(DAY, "'; DROP TABLE core.sales; --", 1)]


def test_a_select_may_read_the_table_it_replaces(warehouse: Warehouse) -> None:
    """Late events are kept that way: it must see the rows before they are deleted, or say no."""
    replace(warehouse, rows((DAY, "a", "1")), Window.of_day(DAY))
    with warehouse.writing(LOG, "a test") as connection:
        connection.execute("CREATE TEMP TABLE kept AS FROM core.sales")
        replace_window(connection, SALES, "SELECT * FROM kept", {}, Window.of_day(DAY), as_of=DAY)

    assert stored(warehouse) == [(DAY, "a", 1)]


# --- transactions ----------------------------------------------------------------------------------------------------


def test_an_error_after_the_write_rolls_it_back(warehouse: Warehouse) -> None:
    replace(warehouse, rows((DAY, "a", "1")), Window.of_day(DAY))

    with pytest.raises(KeyError), warehouse.writing(LOG, "a test") as connection:
        replace_window(connection, SALES, rows((DAY, "b", "2")), {}, Window.of_day(DAY), as_of=DAY)
        raise KeyError

    assert stored(warehouse) == [(DAY, "a", 1)]
    assert stored(warehouse, "SELECT count(*) FROM pipeline.written_days") == [(1,)]
    replace(warehouse, rows((DAY, "c", "3")), Window.of_day(DAY))  # and the lock is free again


def test_every_table_is_there_from_the_first_write_with_its_comments(warehouse: Warehouse) -> None:
    with warehouse.writing(LOG, "a test"):
        pass

    assert stored(warehouse, "SELECT comment FROM duckdb_tables() WHERE table_name = 'sales'") == [
        ("It's what was sold.",)
    ]
    assert ("day", "The day's own meaning.") in stored(
        warehouse, "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'sales'"
    )


def test_names_of_single_things_are_stored_as_they_are_and_what_repeats_is_compressed(tmp_path: Path) -> None:
    seen = Table("core.seen", "day", (*SALES.columns[:2], Column("event_id", "VARCHAR"), Column("user_id", "VARCHAR")))
    warehouse = Warehouse(tmp_path / "warehouse.duckdb", tables=(seen,))
    with warehouse.writing(LOG, "a test") as connection:
        connection.execute(
            f"INSERT INTO core.seen SELECT DATE '{DAY}', 'acme', 'event ' || range, 'user ' || range FROM range(10000)"
        )

    told = "SELECT column_name, compression FROM pragma_storage_info('core.seen') WHERE segment_type = 'VARCHAR'"
    how = dict(stored(warehouse, told))
    assert how["event_id"] == how["user_id"] == "Uncompressed"
    assert how["partner"] != "Uncompressed"


SOLD = Macro("core.sold", ("least",), "SELECT day, revenue FROM core.sales WHERE revenue >= least", "It's what sold.")


def test_macros_are_there_and_a_changed_one_is_made_anew(warehouse: Warehouse) -> None:
    def ask(macros: tuple[Macro, ...], question: str) -> list[tuple[Any, ...]]:
        opened = Warehouse(warehouse.path, tables=(SALES,), macros=macros)
        with opened.writing(LOG, "a test") as connection:
            return connection.execute(question).fetchall()

    replace(warehouse, rows((DAY, "acme", "1"), (DAY, "acme", "3")), Window.of_day(DAY))
    twice = Macro("core.sold_twice", ("least",), "SELECT revenue * 2 AS twice FROM core.sold(least)")

    assert ask((SOLD, twice), "SELECT twice FROM core.sold_twice(2)") == [(6,)]
    assert ask((), "SELECT comment FROM duckdb_functions() WHERE function_name = 'sold'") == [("It's what sold.",)]
    changed = Macro(SOLD.name, SOLD.arguments, "SELECT day, -revenue AS revenue FROM core.sales WHERE revenue >= least")
    assert ask((changed, twice), "SELECT twice FROM core.sold_twice(2)") == [(-6,)]


def test_a_macro_that_did_not_change_is_not_made_again(warehouse: Warehouse) -> None:
    opened = Warehouse(warehouse.path, tables=(SALES,), macros=(SOLD,))
    with opened.writing(LOG, "a test") as connection:
        connection.execute("CREATE OR REPLACE MACRO core.sold(least) AS TABLE SELECT 'by hand' AS made")
    with opened.writing(LOG, "a test") as connection:
        assert connection.execute("SELECT * FROM core.sold(1)").fetchall() == [("by hand",)]


def test_the_file_can_be_opened_by_older_versions_and_spills_beside_itself(warehouse: Warehouse) -> None:
    with warehouse.writing(LOG, "a test") as connection:
        told = "SELECT current_setting('temp_directory'), current_setting('memory_limit'), current_setting('TimeZone')"
        temp, memory, zone = connection.execute(told).fetchall()[0]

    assert Path(temp).parent == warehouse.path.parent
    assert memory == "3.7 GiB"
    assert zone == "UTC"


def test_a_file_that_is_no_warehouse_is_told_and_frees_the_lock(warehouse: Warehouse) -> None:
    warehouse.path.parent.mkdir(parents=True)
    warehouse.path.write_bytes(b"not a database" * 500)

    for _ in range(2):
        with pytest.raises(duckdb.Error), warehouse.writing(LOG, "a test"):
            pass


# --- written days ----------------------------------------------------------------------------------------------------


def test_written_days_tell_which_write_came_later(warehouse: Warehouse) -> None:
    replace(warehouse, rows(), Window.between(DAY, day(1)))
    replace(warehouse, rows((DAY, "a", "1")), Window.of_day(DAY), only={"partner": "a"})
    replace(warehouse, rows(), Window.of_day(day(1)))

    found = {(name, when): sequence for name, when, sequence in stored(
        warehouse, "SELECT table_name, day, sequence FROM pipeline.written_days"
    )}  # fmt: skip
    assert found["core.sales", DAY] < found["core.sales/a", DAY] < found["core.sales", day(1)]
    assert len(found) == 3


def test_writing_the_newest_days_again_is_a_newer_write(warehouse: Warehouse) -> None:
    sequences = []
    for _ in range(3):
        replace(warehouse, rows(), Window.of_day(DAY))
        sequences += stored(warehouse, "SELECT sequence FROM pipeline.written_days")

    assert sequences[0] < sequences[1] < sequences[2]


# --- appending -------------------------------------------------------------------------------------------------------


def test_append_adds_and_append_new_adds_what_is_not_there_yet(warehouse: Warehouse) -> None:
    window = Window.of_day(DAY)
    with warehouse.writing(LOG, "a test") as connection:
        assert append(connection, SALES, rows((DAY, "a", "1"))) == 1
        assert append(connection, SALES, rows((DAY, "a", "1"))) == 1
        assert append_new(connection, SALES, rows((DAY, "a", "1"), (DAY, "b", "2")), window) == 1
        assert append_new(connection, SALES, rows((DAY, "a", "1"), (DAY, "a", "1"), (DAY, "a", "1")), window) == 1
        assert append_new(connection, SALES, rows((DAY, "b", "2")), window) == 0
        assert append_new(connection, SALES, rows(), window) == 0

    assert stored(warehouse) == [(DAY, "a", 1)] * 3 + [(DAY, "b", 2)]


# --- other processes -------------------------------------------------------------------------------------------------

WRITER = """
import logging, sys, time
from datetime import date
from pathlib import Path
from revenue_pipeline import warehouse
from revenue_pipeline.partitions import Window
warehouse.SECONDS_BETWEEN_NOTICES = 0.1
path, who, day, pause = Path(sys.argv[1]), sys.argv[2], date.fromisoformat(sys.argv[3]), float(sys.argv[4])
logging.basicConfig(level="INFO", stream=sys.stderr)
columns = (warehouse.Column("day", "DATE"), warehouse.Column("partner", "VARCHAR"),
           warehouse.Column("revenue", "DECIMAL(18,9)"))
table = warehouse.Table("core.sales", "day", columns)
with warehouse.Warehouse(path, tables=(table,)).writing(logging.getLogger(), who) as connection:
    select = f"SELECT DATE '{day}' AS day, '{who}' AS partner, CAST(2 AS DECIMAL(18,9)) AS revenue"
    warehouse.replace_window(connection, table, select, {}, Window.of_day(day), as_of=day)
    print("written", flush=True)
    time.sleep(pause)
"""


@contextmanager
def writer(path: Path, who: str, when: date, pause: float) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes one row of a day and holds on before it commits."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), who, str(when), str(pause)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_process_killed_in_the_middle_of_a_write_leaves_the_old_rows(warehouse: Warehouse) -> None:
    replace(warehouse, rows((DAY, "old", "1")), Window.of_day(DAY))

    with writer(warehouse.path, "killed", DAY, pause=60) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    assert stored(warehouse) == [(DAY, "old", 1)]
    replace(warehouse, rows((DAY, "next", "2")), Window.of_day(DAY))  # the next writer waits for nobody
    assert stored(warehouse) == [(DAY, "next", 2)]


def test_two_processes_writing_at_once_both_succeed_and_one_says_whom_it_waits_for(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(warehouse_module, "SECONDS_BETWEEN_NOTICES", 0.1)
    with writer(warehouse.path, "the other process", day(1), pause=0.7) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        with caplog.at_level(logging.INFO):
            replace(warehouse, rows((DAY, "this", "1")), Window.of_day(DAY))
        assert process.wait(timeout=20) == 0

    assert "warehouse.duckdb: the other process is writing" in caplog.text
    assert stored(warehouse) == [(DAY, "this", 1), (day(1), "the other process", 2)]


def test_threads_of_one_process_wait_for_each_other_too(warehouse: Warehouse) -> None:
    def write(offset: int) -> None:
        replace(warehouse, rows((day(offset), "t", str(offset))), Window.of_day(day(offset)))

    threads = [threading.Thread(target=write, args=(offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert [revenue for _, _, revenue in stored(warehouse)] == [0, 1, 2, 3]
    assert len(stored(warehouse, f"SELECT DISTINCT sequence FROM {WRITTEN_DAYS.name}")) == 4
