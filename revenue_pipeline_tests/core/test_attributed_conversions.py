"""Conversions matched to click -> message -> creative: each counts once, with its money or the reason why none."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline_tests.message_rows import (
    ATTRIBUTED,
    CLICKS,
    CONVERSIONS,
    MANUAL,
    MESSAGE_CLICKS,
    NOON,
    REPEATED,
    SENDS,
    at,
    click,
    conversion,
    manual,
    send,
)
from revenue_pipeline_tests.sql_fixture import DAY, DAY_BEFORE, NEXT_DAY, Row, SqlFixture, pick

CHAIN = (MESSAGE_CLICKS, REPEATED, ATTRIBUTED)
ATTRIBUTION = {"default_window": "7d", "offers": {"flash-sale": "24h", "sofa": "30d"}}
LONG_AGO = DAY - timedelta(days=200)


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path, attribution=ATTRIBUTION)


def attributed(sql: SqlFixture, first: date = DAY, last: date = DAY) -> list[Row]:
    """Run the days, clicks of all days before them included, and give the conversions of the run's days."""
    sql.write(MESSAGE_CLICKS, first=LONG_AGO - timedelta(days=400), last=last)
    rows = sql.run(*CHAIN, first=first, last=last)
    return [row for row in rows if first <= row["event_date"] <= last]


def statuses(sql: SqlFixture, **days: Any) -> dict[str, str]:
    return {row["conversion_id"]: row["status"] for row in attributed(sql, **days)}


def test_a_conversion_carries_everything_it_is_matched_to(sql: SqlFixture) -> None:
    told = {"creative_id": "flash-50", "offer_id": "sofa", "campaign_id": "weekend", "sending_list": "vip"}
    sql.insert(SENDS, send("m1", at(DAY_BEFORE), contact_id="ann", custom='{"state":"TX"}', **told))
    sql.insert(CLICKS, click("c1", "m1", at(DAY_BEFORE, "18:00")))
    later = at(NEXT_DAY)
    sql.insert(CONVERSIONS, conversion("v1", "c1", at(DAY, "09:00"), payout="24.99", offer_id="17", updated_at=later))
    assert attributed(sql) == [
        {
            "event_date": DAY,
            "partner": "tune",
            "conversion_id": "v1",
            "source": "files",
            "status": "attributed",
            "is_pending": False,
            "reported_status": "approved",
            "revenue": Decimal("24.99"),
            "reporting_payout": Decimal("24.99"),
            "payout": Decimal("24.99"),
            "currency": "USD",
            "converted_at": at(DAY, "09:00"),
            "updated_at": later,
            "click_id": "c1",
            "clicked_at": at(DAY_BEFORE, "18:00"),
            "credited_until": at(DAY_BEFORE, "18:00") + timedelta(days=30),
            "message_id": "m1",
            "sent_at": at(DAY_BEFORE),
            "contact_id": "ann",
            "creative_id": "flash-50",
            "offer_id": "sofa",
            "reported_offer_id": "17",
            "campaign_id": "weekend",
            "sending_list": "vip",
            "custom": '{"state":"TX"}',
        }
    ]


def test_revenue_is_the_payout_in_the_reporting_currency(sql: SqlFixture) -> None:
    sql.insert(SENDS, send("m1"))
    sql.insert(CLICKS, click("c1", "m1"))
    sql.insert(CONVERSIONS, conversion("v1", "c1", currency="EUR") | {"reporting_payout": "11.5"})
    columns = ("revenue", "reporting_payout", "payout", "currency")
    assert pick(attributed(sql), *columns) == [(Decimal("11.5"), Decimal("11.5"), 10, "EUR")]


# Reasons ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def clicked(sql: SqlFixture) -> SqlFixture:
    """A message clicked at noon, and a click on a message that nobody landed."""
    sql.insert(SENDS, send("m1"))
    sql.insert(CLICKS, click("c1", "m1"), click("c-lost", "m-lost"))
    return sql


@pytest.mark.parametrize("status", ["rejected", "reversed", "invalid", "declined"])
def test_what_the_partner_turned_down_earns_nothing(clicked: SqlFixture, status: str) -> None:
    clicked.insert(CONVERSIONS, conversion("v1", "c1", status=status))
    columns = ("status", "revenue", "reporting_payout", "is_pending")
    assert pick(attributed(clicked), *columns) == [("rejected", 0, 10, False)]


@pytest.mark.parametrize(("status", "is_pending"), [("pending", True), ("approved", False), (None, False)])
def test_pending_conversions_count(clicked: SqlFixture, status: str | None, is_pending: bool) -> None:
    clicked.insert(CONVERSIONS, conversion("v1", "c1", status=status))
    assert pick(attributed(clicked), "status", "revenue", "is_pending") == [("attributed", 10, is_pending)]


@pytest.mark.parametrize("click_id", [None, "c-unknown", "C1"])
def test_a_click_that_nobody_made_is_unknown(clicked: SqlFixture, click_id: str | None) -> None:
    clicked.insert(CONVERSIONS, conversion("v1", click_id))
    columns = ("status", "revenue", "click_id", "clicked_at", "message_id")
    assert pick(attributed(clicked), *columns) == [("unknown_click", 0, click_id, None, None)]


def test_a_message_that_was_never_landed_is_unknown(clicked: SqlFixture) -> None:
    clicked.insert(CONVERSIONS, conversion("v1", "c-lost", offer_id="sofa"))
    columns = ("status", "revenue", "message_id", "clicked_at", "offer_id")
    assert pick(attributed(clicked), *columns) == [("unknown_message", 0, "m-lost", NOON, "sofa")]


def test_a_conversion_before_its_click_is_not_the_clicks(clicked: SqlFixture) -> None:
    clicked.insert(
        CONVERSIONS, conversion("early", "c1", NOON - timedelta(microseconds=1)), conversion("at once", "c1", NOON)
    )
    assert statuses(clicked) == {"early": "before_click", "at once": "attributed"}


@pytest.mark.parametrize(
    ("offer", "window"), [("flash-sale", timedelta(hours=24)), ("sofa", timedelta(days=30)), (None, timedelta(days=7))]
)
def test_the_window_of_the_offer_ends_to_the_microsecond(sql: SqlFixture, offer: str | None, window: timedelta) -> None:
    end = NOON + window
    sql.insert(SENDS, send("m1", offer_id=offer))
    sql.insert(CLICKS, click("c1", "m1"))
    sql.insert(
        CONVERSIONS, conversion("in", "c1", end), conversion("out", "c1", end + timedelta(microseconds=1), payout="3")
    )
    assert statuses(sql, first=end.date(), last=end.date()) == {"in": "attributed", "out": "outside_window"}


@pytest.mark.parametrize(
    ("of_message", "of_conversion", "credited", "status"),
    [
        ("sofa", "flash-sale", "sofa", "attributed"),
        (None, "flash-sale", "flash-sale", "outside_window"),
        (None, "unheard of", "unheard of", "attributed"),
        ("flash-sale", "sofa", "flash-sale", "outside_window"),
    ],
)
def test_the_offer_is_the_messages_else_the_conversions(
    sql: SqlFixture, of_message: str | None, of_conversion: str, credited: str, status: str
) -> None:
    sql.insert(SENDS, send("m1", at(DAY - timedelta(days=2)), offer_id=of_message))
    sql.insert(CLICKS, click("c1", "m1", at(DAY - timedelta(days=2))))
    sql.insert(CONVERSIONS, conversion("v1", "c1", offer_id=of_conversion))
    assert pick(attributed(sql), "offer_id", "reported_offer_id", "status") == [(credited, of_conversion, status)]


def test_the_first_reason_that_applies_is_given(sql: SqlFixture) -> None:
    sql.insert(SENDS, send("m1"))
    sql.insert(CLICKS, click("c1", "m1"), click("c-lost", "m-lost"))
    long_before, long_after = NOON - timedelta(days=60), NOON + timedelta(days=60)
    sql.insert(
        CONVERSIONS,
        conversion("rejected, unknown click", None, status="rejected"),
        conversion("rejected, before", "c1", long_before, status="reversed"),
        conversion("unknown message, before", "c-lost", long_before),
        conversion("unknown message, outside", "c-lost", long_after),
    )
    assert statuses(sql, first=long_before.date(), last=long_after.date()) == {
        "rejected, unknown click": "rejected",
        "rejected, before": "rejected",
        "unknown message, before": "unknown_message",
        "unknown message, outside": "unknown_message",
    }


# However long ago -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [30, 31, 32, 33, 200, 500])
def test_a_click_long_ago_is_outside_the_window_and_not_unknown(sql: SqlFixture, days: int) -> None:
    clicked_at = NOON - timedelta(days=days)
    sql.insert(SENDS, send("m1", clicked_at))
    sql.insert(CLICKS, click("c1", "m1", clicked_at), click("c2", "m1", clicked_at))
    sql.insert(CONVERSIONS, conversion("v1", "c1"))
    assert pick(attributed(sql), "status", "clicked_at") == [("outside_window", clicked_at)]


@pytest.mark.parametrize("days", [0, 1, 31, 32, 200])
def test_a_message_sent_long_before_its_click_is_known(sql: SqlFixture, days: int) -> None:
    sql.insert(SENDS, send("m1", NOON - timedelta(days=days), creative_id="evergreen"))
    sql.insert(CLICKS, click("c1", "m1"))
    sql.insert(CONVERSIONS, conversion("v1", "c1"))
    assert pick(attributed(sql), "status", "creative_id") == [("attributed", "evergreen")]


@pytest.mark.parametrize("days", [1, 40])
def test_of_a_click_or_message_landed_on_two_days_the_newest_counts(sql: SqlFixture, days: int) -> None:
    before = NOON - timedelta(days=days)
    sql.insert(SENDS, send("m1", before, creative_id="old"), send("m1", NOON, creative_id="new"), send("m2", before))
    sql.insert(CLICKS, click("c1", "m2", before), click("c1", "m1", NOON))
    sql.insert(CONVERSIONS, conversion("v1", "c1"))
    assert pick(attributed(sql), "message_id", "creative_id", "clicked_at") == [("m1", "new", NOON)]


def test_the_newest_click_may_lie_after_the_conversion(clicked: SqlFixture) -> None:
    clicked.insert(CLICKS, click("c1", "m1", at(NEXT_DAY)))
    clicked.insert(CONVERSIONS, conversion("v1", "c1"))
    assert pick(attributed(clicked, last=NEXT_DAY), "status") == [("before_click",)]


# Once -------------------------------------------------------------------------------------------------------------


def test_a_conversion_counts_once_in_its_latest_state(clicked: SqlFixture) -> None:
    clicked.insert(
        CONVERSIONS,
        conversion("v1", "c1", payout="10", updated_at=at(DAY, "15:00")),
        conversion("v1", "c1", payout="8", updated_at=at(DAY, "17:00"), report_date=DAY_BEFORE),
        conversion("v1", "c1", payout="9", updated_at=at(DAY, "16:00"), report_date=NEXT_DAY),
    )
    assert pick(attributed(clicked), "conversion_id", "revenue") == [("v1", 8)]


def test_a_state_that_tells_no_time_is_of_the_conversion(clicked: SqlFixture) -> None:
    clicked.insert(
        CONVERSIONS,
        conversion("v1", "c1", at(DAY, "13:00"), payout="1", updated_at=at(DAY, "14:00")),
        conversion("v1", "c1", at(DAY, "15:00"), payout="2", report_date=DAY_BEFORE),
    )
    assert pick(attributed(clicked), "revenue") == [(2,)]


def test_ids_are_of_their_partner(clicked: SqlFixture) -> None:
    clicked.insert(
        CONVERSIONS, conversion("v1", "c1", payout="1"), conversion("v1", "c1", payout="2", partner="impact")
    )
    assert pick(attributed(clicked), "partner", "revenue") == [("impact", 2), ("tune", 1)]


def test_files_and_api_may_report_the_same_conversion(clicked: SqlFixture) -> None:
    clicked.insert(CONVERSIONS, conversion("v1", "c1"), conversion("v1", "c1", source="api"))
    assert pick(attributed(clicked), "conversion_id", "revenue") == [("v1", 10)]


@pytest.mark.parametrize("other_day", [NEXT_DAY, DAY + timedelta(days=40), DAY - timedelta(days=40)])
def test_a_conversion_that_moved_to_another_day_counts_there_alone(clicked: SqlFixture, other_day: date) -> None:
    moved = at(other_day, "20:00")
    clicked.insert(
        CONVERSIONS,
        conversion("v1", "c1", updated_at=at(DAY, "15:00")),
        conversion("v1", "c1", moved, updated_at=DAY + timedelta(days=50)),
        conversion("v2", "c1"),
    )
    assert pick(attributed(clicked), "conversion_id") == [("v2",)]
    assert pick(attributed(clicked, other_day, other_day), "conversion_id", "event_date") == [("v1", other_day)]
    first, last = sorted((DAY, other_day))
    both = attributed(clicked, first, last)
    assert sorted(pick(both, "conversion_id", "event_date")) == [("v1", other_day), ("v2", DAY)]


def test_equal_states_are_told_apart_by_the_newest_report_date_and_then_by_content(clicked: SqlFixture) -> None:
    changed = at(DAY, "15:00")
    clicked.insert(
        CONVERSIONS,
        conversion("newest", "c1", payout="9", updated_at=changed, report_date=DAY_BEFORE),
        conversion("newest", "c1", payout="1", updated_at=changed, report_date=DAY),
        conversion("content", "c1", payout="9", updated_at=changed, source="api"),
        conversion("content", "c1", payout="1", updated_at=changed),
    )
    assert pick(attributed(clicked), "conversion_id", "revenue") == [("content", 9), ("newest", 1)]


# Rows that people upload ------------------------------------------------------------------------------------------


def test_an_uploaded_row_is_a_conversion_under_a_hash_of_its_content(clicked: SqlFixture) -> None:
    clicked.insert(MANUAL, manual("c1", "24.99"))
    (row,) = attributed(clicked)
    shown = ("partner", "source", "status", "revenue", "payout", "currency", "converted_at", "is_pending")
    assert tuple(row[column] for column in shown) == (
        *("manual", "manual", "attributed", Decimal("24.99"), Decimal("24.99"), "USD", None, False),
    )
    # md5 of 2026-10-01|USD|24.990000000|c1
    assert row["conversion_id"] == "1ef9f65baad4fe99f02944f88eb072df"


def test_uploaded_rows_that_are_alike_count_once(clicked: SqlFixture) -> None:
    clicked.insert(
        MANUAL,
        manual("c1"),
        manual("c1", currency="USD"),
        manual("c1", "10.000000000"),
        manual("c1", "11"),
        manual("c1", currency="EUR", reporting_amount="12"),
    )
    assert sorted(pick(attributed(clicked), "revenue")) == [(10,), (11,), (12,)]


def test_an_uploaded_row_happened_at_some_instant_of_its_day(sql: SqlFixture) -> None:
    # Clicked at noon with a window of 24 hours: it could have happened on that day and on the next.
    sql.insert(SENDS, send("m1", offer_id="flash-sale"))
    sql.insert(CLICKS, click("c1", "m1"))
    days = [DAY + timedelta(days=offset) for offset in (-1, 0, 1, 2)]
    sql.insert(MANUAL, *(manual("c1", day=day) for day in days))
    found = pick(attributed(sql, days[0], days[-1]), "event_date", "status")
    assert sorted(found) == list(zip(days, ["before_click", "attributed", "attributed", "outside_window"], strict=True))


def test_the_last_instant_of_the_window_decides_at_midnight(sql: SqlFixture) -> None:
    sql.insert(SENDS, send("m1", offer_id="flash-sale"))
    midnight = at(DAY, "00:00")
    sql.insert(CLICKS, click("in", "m1", midnight), click("out", "m1", midnight - timedelta(microseconds=1)))
    sql.insert(MANUAL, manual("in", day=NEXT_DAY), manual("out", day=NEXT_DAY))
    found = dict(pick(attributed(sql, NEXT_DAY, NEXT_DAY), "click_id", "status"))
    assert found == {"in": "attributed", "out": "outside_window"}


@pytest.mark.parametrize(
    ("clock", "status"),
    [("06:59:59.999999", "outside_window"), ("07:00", "attributed")],  # midnight in Los Angeles, in summer
)
def test_the_day_of_an_uploaded_row_is_one_of_the_reporting_zone(tmp_path: Path, clock: str, status: str) -> None:
    sql = SqlFixture(tmp_path, attribution=ATTRIBUTION, reporting={"timezone": "America/Los_Angeles"})
    sql.insert(SENDS, send("m1", offer_id="flash-sale"))
    local_day = DAY if status == "attributed" else DAY_BEFORE
    sql.insert(CLICKS, click("c1", "m1", at(DAY, clock), click_date=local_day))
    sql.insert(MANUAL, manual("c1", day=NEXT_DAY))
    assert pick(attributed(sql, NEXT_DAY, NEXT_DAY), "status") == [(status,)]


@pytest.mark.parametrize("status", ["approved", "pending", "rejected"])
def test_an_uploaded_row_that_a_platform_reports_too_is_a_duplicate(clicked: SqlFixture, status: str) -> None:
    clicked.insert(CONVERSIONS, conversion("v1", "c1", status=status))
    clicked.insert(MANUAL, manual("c1"))
    found = dict(pick(attributed(clicked), "partner", "status"))
    assert found == {"tune": "rejected" if status == "rejected" else "attributed", "manual": "duplicate"}


def test_amounts_are_compared_in_the_reporting_currency(clicked: SqlFixture) -> None:
    clicked.insert(CONVERSIONS, conversion("v1", "c1", payout="9", currency="EUR") | {"reporting_payout": "10"})
    clicked.insert(MANUAL, manual("c1", "10"), manual("c1", "9"))
    rows = [row for row in attributed(clicked) if row["partner"] == "manual"]
    assert sorted(pick(rows, "reporting_payout", "status")) == [(9, "attributed"), (10, "duplicate")]


@pytest.mark.parametrize(
    "platform",
    [
        conversion("v1", "c2"),
        conversion("v1", "c1", at(NEXT_DAY)),
        conversion("v1", "c1", payout="10.000000001"),
        conversion("v1", None),
    ],
    ids=["another click", "another day", "another amount", "no click"],
)
def test_what_differs_in_click_day_or_amount_is_no_duplicate(clicked: SqlFixture, platform: Row) -> None:
    clicked.insert(CLICKS, click("c2", "m1"))
    clicked.insert(CONVERSIONS, platform)
    clicked.insert(MANUAL, manual("c1"))
    rows = attributed(clicked, last=NEXT_DAY)
    assert [row["status"] for row in rows if row["partner"] == "manual"] == ["attributed"]


def test_only_the_latest_state_of_a_platform_conversion_makes_a_duplicate(clicked: SqlFixture) -> None:
    clicked.insert(
        CONVERSIONS,
        conversion("v1", "c1", payout="10"),
        conversion("v1", "c1", payout="12", updated_at=at(NEXT_DAY), report_date=NEXT_DAY),
    )
    clicked.insert(MANUAL, manual("c1", "10"), manual("c1", "12"))
    rows = [row for row in attributed(clicked) if row["partner"] == "manual"]
    assert sorted(pick(rows, "payout", "status")) == [(10, "attributed"), (12, "duplicate")]


def test_a_duplicate_of_nothing_known_is_still_a_duplicate(sql: SqlFixture) -> None:
    sql.insert(CONVERSIONS, conversion("v1", "c-unknown"))
    sql.insert(MANUAL, manual("c-unknown"), manual("c-other"))
    found = sorted(pick(attributed(sql), "partner", "click_id", "status"))
    assert found == [
        ("manual", "c-other", "unknown_click"),
        ("manual", "c-unknown", "duplicate"),
        ("tune", "c-unknown", "unknown_click"),
    ]


# Days -------------------------------------------------------------------------------------------------------------


def test_the_day_is_the_reporting_zones_whatever_the_partners(clicked: SqlFixture) -> None:
    clicked.insert(
        CONVERSIONS,
        conversion("before", "c1", report_date=DAY_BEFORE),
        conversion("after", "c1", report_date=NEXT_DAY),
        conversion("far", "c1", report_date=DAY + timedelta(days=9)),
        conversion("not ours", "c1", at(NEXT_DAY), report_date=DAY),
    )
    assert pick(attributed(clicked), "conversion_id") == [("after",), ("before",), ("far",)]
