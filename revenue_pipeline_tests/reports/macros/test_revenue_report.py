"""The revenue report on cases that a person can add up: who counts where, when a period runs, what it refuses."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from revenue_pipeline_tests.sql_fixture import Row, SqlFixture, pick

# November 2026 begins on a Sunday: its first ISO week of whole days begins on Monday the 2nd.
RANGE = ("2026-11-02", "2026-11-30")


def day(number: int) -> date:
    return date(2026, 11, number)


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def member(user: str, start: int) -> Row:
    return {"cohort_date": day(start), "start_event": "install", "user_id": user}


def earned(user: str, on: int, revenue: str, event: str = "purchase") -> Row:
    return {"event_date": day(on), "user_id": user, "revenue_event": event, "revenue": revenue, "events": 1}


def materialise(sql: SqlFixture, last: int, members: list[Row], money: list[Row], costs: dict[int, str]) -> None:
    """Give a warehouse these rows, with the days from the 1st to `last` materialised."""
    for row in members:
        sql.insert("core.cohort_members", row)
    for row in money:
        sql.insert("core.user_revenue_daily", row)
    for spent, cost in costs.items():
        sql.insert("raw.costs", {"cost_date": day(spent), "reporting_cost": cost})
    sql.write("core.cohort_daily", first=day(1), last=day(last))


def report(
    sql: SqlFixture,
    granularity: str = "day",
    view: str = "non_cumulative",
    as_of: str = "2026-11-30",
    days: tuple[str, str] = RANGE,
    event: str = "all",
) -> list[Row]:
    dates = f"'{days[0]}', '{days[1]}'"
    asked = f"({dates}, '{granularity}', '{view}', 'install', '{event}', '{as_of}')"
    return sql.ask(f"SELECT * FROM reports.revenue_report{asked}")


def of(rows: list[Row], start: int | None, *columns: str) -> list[tuple[Any, ...]]:
    """Give the columns of one cohort's rows, or of the top rows."""
    return pick([row for row in rows if row["cohort_start"] == (start and day(start))], *columns)


def test_the_top_row_comes_first_and_is_told_from_the_others(sql: SqlFixture) -> None:
    materialise(sql, 4, [member("ann", 2), member("bob", 3)], [], {})
    assert pick(report(sql), "row_kind", "cohort_start", "period") == [
        *(("top", None, period) for period in (0, 1, 2)),
        *(("sub", day(2), period) for period in (0, 1, 2)),
        *(("sub", day(3), period) for period in (0, 1)),
    ]


def test_a_user_of_two_cohorts_counts_once_in_the_top_row(sql: SqlFixture) -> None:
    materialise(
        sql,
        5,
        [member("ann", 2), member("ann", 3), member("bob", 3)],
        [earned("ann", 3, "1"), earned("ann", 4, "2"), earned("bob", 4, "4")],
        {},
    )
    rows = report(sql)
    assert of(rows, 2, "revenue", "users") == [(0, 0), (1, 1), (2, 1), (0, 0)]
    assert of(rows, 3, "revenue", "users") == [(1, 1), (6, 2), (0, 0)]
    # Day 1: ann in both cohorts and bob; her money counts in each, she does not.
    assert of(rows, None, "revenue", "users", "cohort_users") == [(1, 1, 3), (7, 2, 3), (2, 1, 3), (0, 0, 1)]


def test_a_cumulative_top_row_adds_what_the_cohorts_too_young_for_it_have_so_far(sql: SqlFixture) -> None:
    materialise(
        sql,
        4,
        [member("ann", 2), member("bob", 4)],
        [earned("ann", 2, "1"), earned("ann", 4, "2"), earned("bob", 4, "8")],
        {},
    )
    rows = report(sql, view="cumulative")
    assert of(rows, 2, "revenue", "events") == [(1, 1), (1, 1), (3, 2)]
    assert of(rows, 4, "revenue", "events") == [(8, 1)]
    assert of(rows, None, "revenue", "events") == [(9, 2), (9, 2), (11, 3)]
    # Ratios leave them out: of the one cohort that has day 1, one member brought 1.
    assert of(rows, None, "cohort_users", "arpu") == [(2, 4.5), (1, 1.0), (1, 3.0)]
    assert {row["users"] for row in rows} == {None}


def test_roas_weighs_by_cost_and_leaves_out_cohorts_without_one(sql: SqlFixture) -> None:
    materialise(
        sql,
        6,
        [member("ann", 2), member("bob", 3), member("cid", 4), member("dan", 5)],
        [earned("ann", 2, "4"), earned("bob", 3, "3"), earned("cid", 4, "100"), earned("dan", 5, "50")],
        {2: "2", 3: "10", 5: "0", 6: "8"},
    )
    rows = report(sql)
    cells = {start: of(rows, start, "cost", "roas")[0] for start in (2, 3, 4, 5, 6)}
    assert cells == {2: (2, 2.0), 3: (10, 0.3), 4: (None, None), 5: (0, None), 6: (8, 0.0)}
    # (2 x 2.0 + 10 x 0.3 + 8 x 0.0) / 20 = 0.35; the money of the others is in the revenue alone.
    assert of(rows, None, "revenue", "cost", "roas")[0] == (157, 20, 0.35)


def test_paying_users_are_those_through_as_of_on_every_day(sql: SqlFixture) -> None:
    materialise(
        sql,
        5,
        [member("ann", 2), member("bob", 2), member("cid", 2)],
        [earned("ann", 2, "6"), earned("bob", 5, "2")],
        {},
    )
    assert of(report(sql), 2, "revenue", "paying_users", "arppu") == [
        (6, 2, 3.0),
        (0, 2, 0.0),
        (0, 2, 0.0),
        (2, 2, 1.0),
    ]
    earlier = report(sql, as_of="2026-11-04")
    assert of(earlier, 2, "revenue", "paying_users", "arppu") == [(6, 1, 6.0), (0, 1, 0.0), (0, 1, 0.0)]


def test_a_report_as_of_a_day_is_that_of_a_warehouse_that_ends_there(tmp_path: Path) -> None:
    members = [member("ann", 2), member("bob", 9), member("cid", 11)]
    money = [earned("ann", 3, "1"), earned("ann", 9, "2"), earned("bob", 10, "4"), earned("bob", 11, "8")]
    whole, short = tmp_path / "whole", tmp_path / "short"
    for folder in (whole, short):
        folder.mkdir()
    to_the_end, to_the_tenth = SqlFixture(whole), SqlFixture(short)
    materialise(to_the_end, 20, members, money, {2: "5", 12: "7"})
    known = [row for row in money if row["event_date"] <= day(10)]
    materialise(to_the_tenth, 10, members[:2], known, {2: "5"})
    for granularity in ("day", "week", "month"):
        for view in ("cumulative", "non_cumulative"):
            asked = (granularity, view, "2026-11-10")
            assert report(to_the_end, *asked) == report(to_the_tenth, *asked)


@pytest.mark.parametrize(
    ("granularity", "as_of", "partial"),
    [
        ("day", "2026-11-13", [False] * 11),
        ("day", "2026-11-12", [*[False] * 10, True]),
        ("day", "2026-11-11", [*[False] * 9, True]),
        ("week", "2026-11-12", [False, True]),
        ("month", "2026-11-12", [True]),
    ],
)
def test_a_period_is_partial_while_it_runs(sql: SqlFixture, granularity: str, as_of: str, partial: list[bool]) -> None:
    materialise(sql, 12, [member("ann", 2)], [], {})
    rows = report(sql, granularity, as_of=as_of)
    assert [row["is_partial"] for row in rows if row["row_kind"] == "sub"] == partial


def test_a_period_whose_last_days_are_not_materialised_is_partial_however_late_it_is(sql: SqlFixture) -> None:
    materialise(sql, 14, [member("ann", 2)], [], {})
    assert of(report(sql, "week", as_of="2026-12-31"), 2, "period", "is_partial") == [(0, False), (1, True)]
    assert of(report(sql, as_of="2026-12-31"), 2, "is_partial")[-1] == (False,)


def test_a_whole_week_is_not_partial(sql: SqlFixture) -> None:
    materialise(sql, 15, [member("ann", 2)], [], {})
    assert of(report(sql, "week", as_of="2026-11-16"), 2, "is_partial") == [(False,), (False,)]
    assert of(report(sql, "week", as_of="2026-11-15"), 2, "is_partial") == [(False,), (True,)]


def test_weeks_begin_on_monday_and_their_cohorts_go_by_that_day_even_before_the_range(sql: SqlFixture) -> None:
    members = [member("ann", 1), member("bob", 2), member("cid", 4), member("dan", 8), member("eve", 9)]
    materialise(sql, 15, members, [earned("cid", 9, "1")], {3: "2", 4: "4", 9: "8"})
    rows = report(sql, "week", days=("2026-11-04", "2026-11-09"))
    # Only starts from the 4th on count: cid and dan in the week of the 2nd, eve in that of the 9th.
    assert of(rows, 2, "period", "revenue", "cohort_users", "cost") == [(0, 0, 2, 4), (1, 1, 2, 4)]
    assert of(rows, 9, "period", "revenue", "cohort_users", "cost") == [(0, 0, 1, 8)]


def test_several_starts_in_a_period_count_once_from_the_first(sql: SqlFixture) -> None:
    money = [earned("ann", 3, "1"), earned("ann", 4, "2"), earned("ann", 6, "4"), earned("ann", 9, "8")]
    materialise(sql, 15, [member("ann", 4), member("ann", 6), member("ann", 10)], money, {})
    rows = report(sql, "week")
    assert of(rows, 2, "cohort_users", "revenue", "events") == [(1, 6, 2), (1, 8, 1)]
    assert of(rows, 9, "cohort_users", "revenue", "paying_users") == [(1, 0, 0)]


def test_months_are_calendar_months_whatever_their_length(sql: SqlFixture) -> None:
    sql.insert("core.cohort_members", {"cohort_date": date(2027, 1, 31), "start_event": "install", "user_id": "ann"})
    for month, on in enumerate((date(2027, 1, 31), date(2027, 2, 1), date(2027, 2, 28), date(2027, 3, 1))):
        row = {"event_date": on, "user_id": "ann", "revenue_event": "purchase", "events": 1}
        sql.insert("core.user_revenue_daily", row | {"revenue": 10**month})
    sql.write("core.cohort_daily", first=date(2027, 1, 1), last=date(2027, 3, 31))
    rows = report(sql, "month", as_of="2027-04-01", days=("2027-01-01", "2027-01-31"))
    assert pick(rows, "row_kind", "period", "revenue", "is_partial") == [
        *(("top", 0, 1, False), ("top", 1, 110, False), ("top", 2, 1000, False)),
        *(("sub", 0, 1, False), ("sub", 1, 110, False), ("sub", 2, 1000, False)),
    ]


def test_n_goes_on_after_max_days_to_the_last_materialised_day(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path, cohorts={"max_days": 2})
    materialise(sql, 7, [member("ann", 2)], [earned("ann", 6, "1")], {})
    assert of(report(sql), 2, "revenue") == [(0,), (0,), (0,), (0,), (1,), (0,)]


def test_one_revenue_event_counts_alone(sql: SqlFixture) -> None:
    materialise(sql, 2, [member("ann", 2), member("bob", 2)], [earned("ann", 2, "1"), earned("bob", 2, "2", "sub")], {})
    columns = ("revenue", "events", "users", "cohort_users", "paying_users")
    assert of(report(sql, event="sub"), 2, *columns) == [(2, 1, 1, 2, 1)]
    assert of(report(sql), 2, *columns) == [(3, 2, 2, 2, 2)]


def test_arguments_may_be_named_and_given_in_any_order(sql: SqlFixture) -> None:
    materialise(sql, 3, [member("ann", 2)], [earned("ann", 2, "1")], {})
    named = sql.ask(
        "SELECT * FROM reports.revenue_report(as_of := DATE '2026-11-30', start_event := 'install', "
        "granularity := 'day', revenue_event := 'all', view_type := 'non_cumulative', end_date := '2026-11-30', "
        "start_date := '2026-11-02')"
    )
    assert named == report(sql)
    assert len(named) == 4


def test_a_range_without_cohorts_is_an_empty_report(sql: SqlFixture) -> None:
    materialise(sql, 3, [member("ann", 2)], [], {})
    assert report(sql, days=("2026-10-01", "2026-11-01")) == []
    assert report(sql, as_of="2026-11-01") == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"granularity": "quarter"}, "granularity is day, week or month, not quarter"),
        ({"view": "total"}, "view_type is cumulative or non_cumulative, not total"),
    ],
)
def test_an_unknown_word_is_an_error_that_names_those_there_are(
    sql: SqlFixture, arguments: dict[str, str], told: str
) -> None:
    materialise(sql, 3, [member("ann", 2)], [], {})
    with pytest.raises(duckdb.Error, match=told):
        report(sql, **arguments)
