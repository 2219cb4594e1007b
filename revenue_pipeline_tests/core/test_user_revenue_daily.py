"""What a user brought on a day: bookings from events, ad money from the allocation, and what is no revenue event."""

from decimal import Decimal
from pathlib import Path

import pytest

from revenue_pipeline_tests.sql_fixture import DAY, DAY_BEFORE, NEXT_DAY, Row, SqlFixture, event, impression, pick

USER_REVENUE, ALLOCATION = "core.user_revenue_daily", "core.allocated_revenue"


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def booked(event_id: str, revenue: str | None, user: str | None = "ann", name: str = "purchase", **more: object) -> Row:
    return event(event_id, name, user_id=user, revenue=revenue, reporting_revenue=revenue, **more)


def allocated(event_id: str | None, revenue: str, user: str | None = "ann", **more: object) -> Row:
    row = {"report_date": DAY, "event_date": DAY, "event_id": event_id, "user_id": user, "revenue": revenue}
    return row | {"status": "verified" if event_id else "unallocated"} | more


def test_money_is_kept_by_user_app_and_event(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        booked("1", "5", app_id="game"),
        booked("2", "0.000000001", app_id="game"),
        booked("3", "7", app_id="news"),
        booked("4", "8", app_id="news", name="subscription"),
        booked("5", "9", "bob"),
    )
    assert pick(sql.run(USER_REVENUE), "user_id", "app_id", "revenue_event", "revenue", "events") == [
        ("ann", "game", "purchase", Decimal("5.000000001"), 2),
        ("ann", "news", "purchase", 7, 1),
        ("ann", "news", "subscription", 8, 1),
        ("bob", None, "purchase", 9, 1),
    ]


def test_ad_money_is_what_the_allocation_says_never_the_estimate(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("1", estimate="100", user_id="ann", revenue="100"))
    sql.insert(ALLOCATION, allocated("1", "0.3"), allocated("2", "0.2"), allocated("3", "0.4", status="estimated"))
    assert pick(sql.run(USER_REVENUE), "user_id", "revenue_event", "revenue", "events") == [
        ("ann", "ad_impression", Decimal("0.9"), 3)
    ]


def test_a_revenue_event_is_neither_null_nor_zero(sql: SqlFixture) -> None:
    sql.insert("raw.events", booked("1", None), booked("2", "0"))
    sql.insert(ALLOCATION, allocated("3", "0"), allocated(None, "0", None))
    assert sql.run(USER_REVENUE) == []


def test_an_amount_too_small_for_the_reporting_currency_is_still_a_revenue_event(sql: SqlFixture) -> None:
    sql.insert("raw.events", booked("1", "0.000000001") | {"reporting_revenue": "0"})
    assert pick(sql.run(USER_REVENUE), "revenue", "events") == [(0, 1)]


def test_a_refund_is_negative_and_a_day_may_sum_to_nothing(sql: SqlFixture) -> None:
    sql.insert("raw.events", booked("1", "5"), booked("2", "-5"), booked("3", "-2", "bob"))
    assert pick(sql.run(USER_REVENUE), "user_id", "revenue", "events") == [("ann", 0, 2), ("bob", -2, 1)]


def test_money_without_a_user_is_kept_and_counts_no_event_where_no_impression_carries_it(sql: SqlFixture) -> None:
    sql.insert("raw.events", booked("1", "1", None))
    sql.insert(ALLOCATION, allocated("2", "2", None), allocated(None, "4", None))
    assert pick(sql.run(USER_REVENUE), "user_id", "revenue_event", "revenue", "events") == [
        (None, "ad_impression", 6, 1),
        (None, "purchase", 1, 1),
    ]


def test_money_counts_on_the_day_of_the_event_whatever_day_the_partner_books_it_on(sql: SqlFixture) -> None:
    for number, report_date in enumerate((DAY_BEFORE, DAY, NEXT_DAY)):
        sql.insert(ALLOCATION, allocated(str(number), "1", report_date=report_date))
        sql.insert(ALLOCATION, allocated(f"other {number}", "1", report_date=report_date, event_date=NEXT_DAY))
    sql.insert("raw.events", booked("9", "1", day=DAY_BEFORE), booked("8", "1", day=NEXT_DAY))
    assert pick(sql.run(USER_REVENUE), "event_date", "revenue_event", "revenue") == [(DAY, "ad_impression", 3)]
