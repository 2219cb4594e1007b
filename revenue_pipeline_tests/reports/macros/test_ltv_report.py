"""The LTV report on cases that a person can add up: whose days are counted from when, and when a horizon is over."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from revenue_pipeline_tests.sql_fixture import Row, SqlFixture, pick

MONDAY = date(2026, 11, 2)


def day(offset: int) -> date:
    return MONDAY + timedelta(days=offset)


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def member(user: str, start: int) -> Row:
    return {"cohort_date": day(start), "start_event": "install", "user_id": user}


def earned(user: str, on: int, revenue: str, event: str = "purchase") -> Row:
    return {"event_date": day(on), "user_id": user, "revenue_event": event, "revenue": revenue, "events": 1}


def report(sql: SqlFixture, granularity: str, as_of: int, first: int = 0, last: int = 13) -> list[Row]:
    dates = f"'{day(first)}', '{day(last)}'"
    return sql.ask(f"SELECT * FROM reports.ltv_report({dates}, '{granularity}', 'install', 'all', '{day(as_of)}')")


def test_the_money_of_a_hundred_users_day_by_day(sql: SqlFixture) -> None:
    """100 users bring 150, 80, 60, 50, 40, 30 on days 0 to 5: LTV is 1.5, 2.3, 2.9, 3.4, 3.8, 4.1."""
    sql.insert("core.cohort_members", *(member(f"user {n}", 0) for n in range(100)))
    for number, revenue in enumerate(("150", "80", "60", "50", "40", "30")):
        sql.insert("core.user_revenue_daily", earned(f"user {number}", number, revenue))
    sql.write("core.cohort_daily", first=day(0), last=day(5))
    rows = [report(sql, "day", as_of) for as_of in range(6)]
    assert [row["ltv"] for day_rows in rows for row in day_rows if (row["horizon"], row["row_kind"]) == (7, "sub")] == [
        *(1.5, 2.3, 2.9, 3.4, 3.8, 4.1)
    ]


def test_each_member_is_followed_from_their_own_first_start(sql: SqlFixture) -> None:
    sql.insert("core.cohort_members", member("ann", 0), member("ann", 3), member("bob", 6))
    money = [earned("ann", 6, "1"), earned("ann", 7, "2"), earned("bob", 5, "4"), earned("bob", 12, "8")]
    sql.insert("core.user_revenue_daily", *money, earned("bob", 13, "16"))
    sql.write("core.cohort_daily", first=day(0), last=day(40))
    week = [row for row in report(sql, "week", 41) if row["cohort_start"] == day(0)]
    # Days 0 to 6 are ann's of the week and bob's to the 12th; the 30 days hold everything but what came before bob.
    assert pick(week, "horizon", "users", "revenue", "ltv") == [(7, 2, 9, 4.5), (30, 2, 27, 13.5), (90, 2, 27, 13.5)]


def test_a_horizon_is_complete_when_it_is_over_for_the_last_member(sql: SqlFixture) -> None:
    sql.insert("core.cohort_members", member("ann", 0), member("ann", 4), member("bob", 2))
    sql.write("core.cohort_daily", first=day(0), last=day(12))

    def complete(as_of: int) -> list[int]:
        return [row["horizon"] for row in report(sql, "week", as_of) if row["is_complete"] and row["row_kind"] == "sub"]

    # bob's seventh day is the one of offset 8: over on the day after.
    assert [complete(as_of) for as_of in (7, 8, 9, 12, 99)] == [[], [], [7], [7], [7]]


def test_a_day_that_is_not_materialised_completes_nothing(sql: SqlFixture) -> None:
    sql.insert("core.cohort_members", member("ann", 0))
    sql.write("core.cohort_daily", first=day(0), last=day(5))
    assert {row["is_complete"] for row in report(sql, "day", 60)} == {False}
    sql.write("core.cohort_daily", first=day(6), last=day(6))
    assert [row["horizon"] for row in report(sql, "day", 60) if row["is_complete"]] == [7, 7]


def test_a_top_row_divides_the_sums_and_is_complete_when_all_are(sql: SqlFixture) -> None:
    sql.insert("core.cohort_members", member("ann", 0), member("bob", 0), member("cid", 1), member("ann", 1))
    sql.insert("core.user_revenue_daily", earned("ann", 1, "3"), earned("cid", 2, "6"))
    sql.write("core.cohort_daily", first=day(0), last=day(20))
    rows = [row for row in report(sql, "day", 7) if row["horizon"] == 7]
    assert pick(rows, "row_kind", "users", "revenue", "ltv", "is_complete") == [
        ("top", 4, 12, 3.0, False),
        ("sub", 2, 3, 1.5, True),
        ("sub", 2, 9, 4.5, False),
    ]


def test_cost_without_members_is_a_cohort_of_nobody(sql: SqlFixture) -> None:
    sql.insert("raw.costs", {"cost_date": day(0), "reporting_cost": Decimal(5)})
    sql.write("core.cohort_daily", first=day(0), last=day(8))
    sub = [row for row in report(sql, "day", 9) if row["row_kind"] == "sub"]
    assert pick(sub, "horizon", "users", "revenue", "ltv", "is_complete") == [
        (7, 0, 0, None, True),
        (30, 0, 0, None, False),
        (90, 0, 0, None, False),
    ]


def test_an_unknown_granularity_is_an_error_that_names_those_there_are(sql: SqlFixture) -> None:
    sql.insert("core.cohort_members", member("ann", 0))
    sql.write("core.cohort_daily", first=day(0), last=day(1))
    with pytest.raises(duckdb.Error, match="granularity is day, week or month, not year"):
        report(sql, "year", 1)
