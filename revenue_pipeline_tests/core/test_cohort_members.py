"""Who is in which cohort, and with which dimensions."""

from datetime import datetime, time, timedelta
from pathlib import Path

import pytest

from revenue_pipeline_tests.sql_fixture import DAY, NEXT_DAY, SqlFixture, event, pick

MEMBERS = "core.cohort_members"
NOON = datetime.combine(DAY, time(12))
DIMENSIONS = ("app_id", "platform", "country", "channel", "campaign_id")


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path, cohorts={"start_events": ["install", "install", "trial"]})


def test_only_the_start_events_of_the_settings_start_cohorts(sql: SqlFixture) -> None:
    for name in ("install", "trial", "sign_up", "purchase"):
        sql.insert("raw.events", event(name, name, user_id="ann"))
    assert pick(sql.run(MEMBERS), "cohort_date", "start_event", "user_id") == [
        (DAY, "install", "ann"),
        (DAY, "trial", "ann"),
    ]


def test_a_user_is_in_a_cohort_once_a_day_and_in_one_for_each_day(sql: SqlFixture) -> None:
    days = (DAY, DAY, NEXT_DAY)
    sql.insert("raw.events", *(event(str(n), "install", day, user_id="ann") for n, day in enumerate(days)))
    assert pick(sql.run(MEMBERS, last=NEXT_DAY), "cohort_date", "user_id") == [(DAY, "ann"), (NEXT_DAY, "ann")]


def test_an_event_without_a_user_starts_nothing(sql: SqlFixture) -> None:
    sql.insert("raw.events", event("1", "install", user_id=None))
    assert sql.run(MEMBERS) == []


def test_the_dimensions_are_those_of_the_first_start_of_the_day_together(sql: SqlFixture) -> None:
    later = dict.fromkeys(DIMENSIONS, "later")
    sql.insert(
        "raw.events",
        event("1", "install", user_id="ann", event_time=NOON + timedelta(microseconds=1), **later),
        event("2", "install", user_id="ann", event_time=NOON, app_id="game", country="DE"),
        event("0", "trial", user_id="ann", event_time=NOON - timedelta(hours=1), **later),
    )
    assert pick(sql.run(MEMBERS), "start_event", *DIMENSIONS) == [
        ("install", "game", None, "DE", None, None),
        ("trial", *["later"] * 5),
    ]


def test_at_the_same_instant_the_smaller_event_id_is_first(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        event("b", "install", user_id="ann", event_time=NOON, channel="second"),
        event("a", "install", user_id="ann", event_time=NOON, channel="first"),
    )
    assert pick(sql.run(MEMBERS), "channel") == [("first",)]
