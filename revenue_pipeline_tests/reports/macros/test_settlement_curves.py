"""How soon partners settle, from the log of imports."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from revenue_pipeline_tests.sql_fixture import DAY, Row, SqlFixture, pick

NOW = datetime(2026, 12, 24)  # noqa: DTZ001  every import ran on one day of the clock: a replay


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def imports(known: Mapping[int, str | None], day: date = DAY, partner: str = "max") -> list[Row]:
    """The imports of one report date: its age -> what was reported then, None where the import failed."""
    return [
        {
            "report_date": day,
            "partner": partner,
            "imported_at": NOW + timedelta(seconds=number),
            "as_of": day + timedelta(days=age),
            "revenue": revenue,
        }
        for number, (age, revenue) in enumerate(known.items())
    ]


def curve(sql: SqlFixture) -> dict[int, tuple[object, ...]]:
    rows = sql.ask("SELECT * FROM reports.settlement_curves()")
    shown = pick(rows, "report_dates", "known_revenue", "final_revenue", "settled_share", "unsettled_share")
    return dict(zip([row["age_days"] for row in rows], shown, strict=True))


def test_what_was_known_at_an_age_is_the_last_import_by_then(sql: SqlFixture) -> None:
    sql.insert("raw.partner_imports", *imports({0: "40", 1: "80", 2: "90", 3: None, 8: "100"}))

    found = curve(sql)

    assert found[0] == (1, 40, 100, 0.4, 0.6)
    assert found[1] == (1, 80, 100, 0.8, 0.2)
    assert {age: row[1] for age, row in found.items() if 2 <= age <= 7} == dict.fromkeys(range(2, 8), 90)
    assert found[8] == (1, 100, 100, 1.0, 0.0)
    assert max(found) == 8


def test_days_are_added_up_and_movements_up_and_down_do_not_cancel_out(sql: SqlFixture) -> None:
    sql.insert("raw.partner_imports", *imports({0: "90", 8: "100"}))
    sql.insert("raw.partner_imports", *imports({0: "110", 8: "100"}, DAY + timedelta(days=1)))

    assert curve(sql)[0] == (2, 200, 200, 1.0, 0.1)


def test_a_day_counts_from_its_first_import_to_its_last(sql: SqlFixture) -> None:
    sql.insert("raw.partner_imports", *imports({0: "90", 8: "100"}))
    sql.insert("raw.partner_imports", *imports({2: "190", 15: "200"}, DAY + timedelta(days=1)))

    assert {age: row[0] for age, row in curve(sql).items()} == {
        **dict.fromkeys([0, 1], 1),
        **dict.fromkeys(range(2, 9), 2),
        **dict.fromkeys([14, 15], 1),
    }


@pytest.mark.parametrize("known", [{0: "1", 6: "2"}, {0: "1", 8: None}])
def test_a_day_that_was_not_asked_for_again_a_week_later_tells_nothing(
    sql: SqlFixture, known: Mapping[int, str | None]
) -> None:
    sql.insert("raw.partner_imports", *imports(known))

    assert curve(sql) == {}


def test_a_day_without_revenue_has_no_share(sql: SqlFixture) -> None:
    sql.insert("raw.partner_imports", *imports({0: "0", 8: "0"}))

    assert curve(sql)[0] == (1, 0, 0, None, None)


def test_partners_have_curves_of_their_own(sql: SqlFixture) -> None:
    sql.insert("raw.partner_imports", *imports({0: "1", 8: "2"}), *imports({0: "3", 8: "3"}, partner="acme"))

    rows = sql.ask("SELECT * FROM reports.settlement_curves() WHERE age_days = 0")
    assert pick(rows, "partner", "settled_share") == [("acme", 1.0), ("max", 0.5)]
