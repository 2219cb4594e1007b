from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from revenue_pipeline_tests.reports.macros.test_settlement_curves import imports
from revenue_pipeline_tests.sql_fixture import DAY, Row, SqlFixture, pick


def ask(sql: SqlFixture) -> list[tuple[object, ...]]:
    rows: list[Row] = sql.ask("SELECT * FROM reports.recommended_import_windows()")
    return pick(rows, "partner", "report_dates", "recommended_import_window_days")


@pytest.mark.parametrize(
    ("known", "window"),
    [
        ({0: "100", 1: "100", 2: "100", 8: "100"}, 1),
        (
            {0: "50", 1: "99", 2: "100", 8: "100"},
            2,
        ),  # a hundredth still moved after the second day, which is as good as none
        ({0: "50", 1: "98", 2: "100", 8: "100"}, 3),
        ({0: "50", 1: "101.5", 2: "100", 8: "100"}, 3),
        ({0: "100", 1: "100", 2: "90", 8: "100"}, 9),  # moved between the imports of days 2 and 8
        ({0: "50", 1: "60", 2: "70", 3: "100", 8: "100", 15: "100"}, 4),
        ({0: "100", 8: "100", 15: "80"}, 16),
        ({0: "100", 8: "100", 20: "80"}, None),  # at no known age it had settled
        ({0: "0", 8: "0"}, 1),
    ],
)
def test_the_shortest_window_after_which_no_more_than_a_hundredth_moves(
    tmp_path: Path, known: Mapping[int, str], window: int | None
) -> None:
    sql = SqlFixture(tmp_path)
    for number in range(7):
        sql.insert("raw.partner_imports", *imports(known, DAY + timedelta(days=number)))

    assert ask(sql) == [("max", 7, window)]


def test_fewer_than_seven_days_tell_nothing_neither_of_a_partner_nor_of_an_age(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path)
    for number in range(6):
        sql.insert("raw.partner_imports", *imports({0: "1", 8: "1"}, DAY + timedelta(days=number)))
    assert ask(sql) == []

    # One day that moved much later does not speak for all.
    sql.insert("raw.partner_imports", *imports({0: "1", 8: "1", 15: "9"}, DAY + timedelta(days=6)))
    sql.insert("raw.partner_imports", *imports({0: "1", 8: "1"}, DAY + timedelta(days=7)))
    sql.execute("DELETE FROM raw.partner_imports WHERE revenue = 9")
    assert ask(sql) == [("max", 8, 1)]
