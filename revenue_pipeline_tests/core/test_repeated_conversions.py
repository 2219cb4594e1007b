"""Conversions reported more than once: every state there is, and which of them counts on which day."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from revenue_pipeline_tests.message_rows import CONVERSIONS, NOON, REPEATED, at, conversion
from revenue_pipeline_tests.sql_fixture import DAY, DAY_BEFORE, NEXT_DAY, SqlFixture, pick

LATER = DAY + timedelta(days=40)


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def test_what_was_reported_once_is_not_repeated(sql: SqlFixture) -> None:
    sql.insert(CONVERSIONS, conversion("v1", "c1"), conversion("v1", "c1", partner="impact"), conversion("v2", "c1"))
    assert sql.run(REPEATED) == []


def test_a_state_says_everything_of_itself_and_where_the_conversion_counts(sql: SqlFixture) -> None:
    sql.insert(
        CONVERSIONS,
        conversion("v1", "c1", status="pending", payout="9"),
        conversion("v1", "c2", at(NEXT_DAY), report_date=LATER, source="api", updated_at=at(LATER)),
    )
    assert sql.run(REPEATED) == [
        {
            "event_date": DAY,
            "partner": "tune",
            "conversion_id": "v1",
            "position": 2,
            "states": 2,
            "reports": 2,
            "counted_on": NEXT_DAY,
            "report_date": DAY,
            "source": "files",
            "reported_status": "pending",
            "converted_at": NOON + timedelta(hours=1),
            "updated_at": None,
            "click_id": "c1",
            "payout": 9,
            "currency": "USD",
        }
    ]


def test_what_was_landed_several_times_for_one_day_is_repeated_too(sql: SqlFixture) -> None:
    sql.insert(CONVERSIONS, conversion("v1", "c1", landed_rows=3), conversion("v2", "c1"))
    columns = ("conversion_id", "position", "states", "reports", "counted_on")
    assert pick(sql.run(REPEATED), *columns) == [("v1", 1, 1, 3, DAY)]


@pytest.mark.parametrize("other_day", [DAY - timedelta(days=400), DAY_BEFORE, LATER])
def test_states_of_all_days_are_looked_at(sql: SqlFixture, other_day: object) -> None:
    sql.insert(
        CONVERSIONS,
        conversion("v1", "c1", updated_at=at(LATER, "13:00")),
        conversion("v1", "c1", at(other_day), updated_at=at(LATER)),  # type: ignore[arg-type]
    )
    assert pick(sql.run(REPEATED), "event_date", "position", "counted_on") == [(DAY, 1, DAY)]


def test_states_of_one_day_are_all_there(sql: SqlFixture) -> None:
    sql.insert(
        CONVERSIONS,
        conversion("v1", "c1", payout="1", updated_at=at(DAY, "14:00")),
        conversion("v1", "c1", payout="2", updated_at=at(DAY, "16:00"), report_date=NEXT_DAY),
        conversion("v1", "c1", payout="3", updated_at=at(DAY, "15:00"), report_date=DAY_BEFORE),
    )
    assert sorted(pick(sql.run(REPEATED), "position", "payout", "states")) == [(1, 2, 3), (2, 3, 3), (3, 1, 3)]
