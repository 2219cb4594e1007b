"""One diagonal a day: which rows there are, members, money, first payers, cost, and what adds up to what."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline_tests.sql_fixture import DAY, Row, SqlFixture, pick

DAILY, MEMBERS, EARNED, COSTS = "core.cohort_daily", "core.cohort_members", "core.user_revenue_daily", "raw.costs"
DIMENSIONS = ("app_id", "platform", "country", "channel", "campaign_id")
MAX_DAYS = 4
LAST = DAY + timedelta(days=MAX_DAYS)


def day(offset: int) -> date:
    return DAY + timedelta(days=offset)


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path, cohorts={"start_events": ["install"], "max_days": MAX_DAYS})


def member(user: str, start: int = 0, start_event: str = "install", **dimensions: str) -> Row:
    return {"cohort_date": day(start), "start_event": start_event, "user_id": user} | dimensions


def earned(user: str | None, offset: int, revenue: str, event: str = "purchase", events: int = 1, **more: str) -> Row:
    row = {"event_date": day(offset), "user_id": user, "revenue_event": event, "revenue": revenue, "events": events}
    return row | more


def cost(amount: str, offset: int = 0, **dimensions: str) -> Row:
    return {"cost_date": day(offset), "reporting_cost": amount} | dimensions


def line(rows: Sequence[Row], *columns: str, event: str = "all", start: int = 0, **where: Any) -> list[tuple[Any, ...]]:
    """Give the columns of one cohort's rows under one revenue event, by period."""
    wanted = {"revenue_event": event, "cohort_date": day(start), **where}
    found = [row for row in rows if wanted.items() <= row.items()]
    assert all(row["event_date"] == row["cohort_date"] + timedelta(days=row["period"]) for row in found)
    return pick(sorted(found, key=lambda row: row["period"]), *columns)


# Which rows there are ---------------------------------------------------------------------------------------------


def test_a_cohort_has_a_row_for_each_period_to_max_days_whether_it_earned_or_not(sql: SqlFixture) -> None:
    sql.insert(MEMBERS, member("ann"))
    rows = sql.run(DAILY, last=day(MAX_DAYS + 2))
    assert line(rows, "period", "users", "revenue", "events", "active_users", "new_payers", "cost") == [
        (period, 1, 0, 0, 0, 0, None) for period in range(MAX_DAYS + 1)
    ]
    assert len(rows) == MAX_DAYS + 1


def test_a_revenue_event_has_rows_from_the_first_day_it_was_earned_on(sql: SqlFixture) -> None:
    sql.insert(MEMBERS, member("ann"))
    sql.insert(EARNED, earned("ann", 1, "5"), earned("ann", 3, "2", "subscription"))
    rows = sql.run(DAILY, last=LAST)
    assert line(rows, "period", "revenue", event="purchase") == [(1, 5), (2, 0), (3, 0), (4, 0)]
    assert line(rows, "period", "revenue", event="subscription") == [(3, 2), (4, 0)]
    assert line(rows, "period", "revenue") == [(0, 0), (1, 5), (2, 0), (3, 2), (4, 0)]


def test_each_run_adds_the_diagonal_of_its_days(sql: SqlFixture) -> None:
    sql.insert(MEMBERS, *(member(f"user {start}", start) for start in range(-MAX_DAYS - 1, 2)))
    rows = sql.run(DAILY, first=DAY, last=DAY)
    assert pick(rows, "event_date", "period") == [(DAY, period) for period in reversed(range(MAX_DAYS + 1))]


@pytest.mark.parametrize("chunks", [[(0, 4)], [(n, n) for n in range(5)], [(3, 4), (0, 2)], [(2, 2), (0, 1), (3, 4)]])
def test_the_rows_are_the_same_whatever_days_are_run_together_and_in_whatever_order(
    sql: SqlFixture, chunks: list[tuple[int, int]]
) -> None:
    for start in range(-2, 3):
        sql.insert(MEMBERS, member("ann", start, channel="a"), member("bob", start), member(f"only {start}", start))
        sql.insert(EARNED, earned("ann", start, "1"), earned("ann", start, "2", "sub"), earned("bob", -start, "-4"))
        sql.insert(COSTS, cost("7", start, channel="a"))
    for first, last in chunks:
        sql.write(DAILY, first=day(first), last=day(last))
    together = sql.ask(f"SELECT * FROM {DAILY} ORDER BY ALL")
    sql.write(DAILY, last=day(4))
    assert together == sql.ask(f"SELECT * FROM {DAILY} ORDER BY ALL")
    assert len(together) > 50


# Members and their money ------------------------------------------------------------------------------------------


def test_money_and_events_add_up_by_day_and_since_the_start(sql: SqlFixture) -> None:
    sql.insert(MEMBERS, member("ann"), member("bob"))
    sql.insert(
        EARNED,
        *(earned("ann", 0, "1"), earned("ann", 0, "2", "ad_impression", events=3), earned("bob", 0, "4")),
        *(earned("ann", 2, "8", app_id="game"), earned("ann", 2, "16", app_id="news"), earned("bob", 3, "-32")),
    )
    rows = sql.run(DAILY, last=LAST)
    columns = ("users", "revenue", "cumulative_revenue", "events", "cumulative_events")
    assert line(rows, *columns) == [
        (2, 7, 7, 5, 5),
        (2, 0, 7, 0, 5),
        (2, 24, 31, 2, 7),
        (2, -32, -1, 1, 8),
        (2, 0, -1, 0, 8),
    ]
    assert line(rows, *columns, event="ad_impression")[:2] == [(2, 2, 2, 3, 3), (2, 0, 2, 0, 3)]
    assert line(rows, "active_users") == [(2,), (0,), (1,), (1,), (0,)]


def test_what_was_brought_before_the_start_or_after_max_days_or_by_nobody_or_strangers_does_not_count(
    sql: SqlFixture,
) -> None:
    sql.insert(MEMBERS, member("ann"))
    strange = (earned("ann", -1, "1"), earned("ann", MAX_DAYS + 1, "2"), earned(None, 1, "4"), earned("eve", 1, "8"))
    sql.insert(EARNED, *strange)
    rows = sql.run(DAILY, last=day(MAX_DAYS + 3))
    assert {(row["revenue_event"], row["revenue"], row["paying_users"]) for row in rows} == {("all", 0, 0)}


def test_a_payer_is_new_with_the_first_revenue_event_since_the_start_of_each_kind(sql: SqlFixture) -> None:
    sql.insert(MEMBERS, member("ann"), member("bob"))
    sql.insert(
        EARNED, earned("ann", -1, "9"), earned("ann", 0, "1", "sub"), earned("ann", 2, "1"), earned("ann", 3, "1")
    )
    sql.insert(EARNED, earned("bob", 2, "1"), earned("bob", 2, "1", "sub"))
    rows = sql.run(DAILY, last=LAST)
    assert line(rows, "new_payers", "paying_users") == [(1, 1), (0, 1), (1, 2), (0, 2), (0, 2)]
    assert line(rows, "new_payers", "paying_users", event="purchase") == [(2, 2), (0, 2), (0, 2)]
    assert line(rows, "new_payers", event="sub") == [(1,), (0,), (1,), (0,), (0,)]


def test_a_payer_is_not_new_again_in_a_later_run(sql: SqlFixture) -> None:
    sql.insert(MEMBERS, member("ann"))
    sql.insert(EARNED, earned("ann", 0, "1"), earned("ann", 3, "2"))
    rows = sql.run(DAILY, first=day(3), last=day(3))
    assert line(rows, "new_payers", "paying_users", "cumulative_revenue", "cumulative_events") == [(0, 1, 3, 2)]


def test_a_refund_makes_a_payer_and_a_day_that_sums_to_nothing_has_an_active_user(sql: SqlFixture) -> None:
    sql.insert(MEMBERS, member("ann"), member("bob"))
    sql.insert(EARNED, earned("ann", 0, "-5"), earned("bob", 0, "0", events=2))
    assert line(sql.run(DAILY), "revenue", "events", "active_users", "new_payers") == [(-5, 3, 2, 2)]


def test_a_user_in_several_cohorts_counts_in_each_from_its_own_start(sql: SqlFixture) -> None:
    sql.insert(MEMBERS, member("ann"), member("ann", 2), member("ann", 1, "sign_up"))
    sql.insert(EARNED, earned("ann", 0, "1"), earned("ann", 2, "2"))
    rows = sql.run(DAILY, last=LAST)
    assert line(rows, "cumulative_revenue", "new_payers") == [(1, 1), (1, 0), (3, 0), (3, 0), (3, 0)]
    assert line(rows, "cumulative_revenue", "new_payers", start=2) == [(2, 1), (2, 0), (2, 0)]
    assert line(rows, "cumulative_revenue", "new_payers", start=1) == [(0, 0), (2, 1), (2, 0), (2, 0)]


def test_an_event_named_all_counts_among_all_and_has_no_rows_of_its_own(sql: SqlFixture) -> None:
    sql.insert(MEMBERS, member("ann"))
    sql.insert(EARNED, earned("ann", 0, "1", "all"), earned("ann", 0, "2"))
    rows = sql.run(DAILY)
    assert pick(rows, "revenue_event", "revenue", "events") == [("all", 3, 2), ("purchase", 2, 1)]


# Dimensions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_each_dimension_has_rows_of_its_own_and_none_is_lost(sql: SqlFixture, dimension: str) -> None:
    sql.insert(MEMBERS, member("ann", **{dimension: "x"}), member("bob", **{dimension: "y"}), member("cid"))
    sql.insert(EARNED, *(earned(user, 0, revenue) for user, revenue in (("ann", "1"), ("bob", "2"), ("cid", "4"))))
    sql.insert(COSTS, cost("10", **{dimension: "x"}), cost("20", **{dimension: "z"}), cost("40"))
    columns = (dimension, "users", "revenue", "new_payers", "cost")
    assert sorted(line(sql.run(DAILY), *columns), key=str) == [
        ("x", 1, 1, 1, 10),
        ("y", 1, 2, 1, None),
        ("z", 0, 0, 0, 20),
        (None, 1, 4, 1, 40),
    ]


# Cost -------------------------------------------------------------------------------------------------------------


def test_cost_of_a_day_without_members_is_a_cohort_of_nobody(sql: SqlFixture) -> None:
    sql.insert(COSTS, cost("3", channel="a"), cost("0.5", channel="a"))
    rows = sql.run(DAILY, last=day(1))
    assert line(rows, "channel", "users", "revenue", "paying_users", "cost") == [("a", 0, 0, 0, Decimal("3.5"))] * 2


def test_no_cost_is_null_and_a_cost_of_nothing_is_0(sql: SqlFixture) -> None:
    sql.insert(MEMBERS, member("ann", channel="a"), member("bob", channel="b"))
    sql.insert(COSTS, cost("0", channel="a"))
    assert sorted(line(sql.run(DAILY), "channel", "cost")) == [("a", 0), ("b", None)]


def test_cost_is_repeated_on_every_start_and_revenue_event_and_period(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path, cohorts={"start_events": ["install", "sign_up", "install"], "max_days": MAX_DAYS})
    sql.insert(MEMBERS, member("ann"))
    sql.insert(EARNED, earned("ann", 0, "1"))
    sql.insert(COSTS, cost("3"), cost("99", -MAX_DAYS - 1))
    rows = sql.run(DAILY, last=day(1))
    assert {row["cost"] for row in rows} == {3}
    assert {(row["start_event"], row["revenue_event"], row["period"]) for row in rows} == {
        *(("install", event, period) for event in ("all", "purchase") for period in (0, 1)),
        *(("sign_up", "all", period) for period in (0, 1)),
    }
