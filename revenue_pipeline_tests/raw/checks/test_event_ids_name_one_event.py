"""The warning of one event id on several days."""

from datetime import timedelta
from pathlib import Path

import pytest

from revenue_pipeline_tests.sql_fixture import DAY, DAY_BEFORE, NEXT_DAY, SqlFixture, event, pick


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def test_ids_of_one_day_are_fine(sql: SqlFixture) -> None:
    sql.insert("raw.events", event("a", "open"), event("b", "open"), event("c", "open", day=NEXT_DAY))
    assert sql.bad_rows("raw", "event_ids_name_one_event") == []


def test_an_id_on_the_day_before_or_after_is_found_once(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        *(event("a", "open", day=day) for day in (DAY_BEFORE, DAY)),
        *(event("b", "open", day=day) for day in (DAY, NEXT_DAY)),
        *(event("c", "open", day=day) for day in (DAY_BEFORE, DAY, NEXT_DAY)),
    )
    bad = sql.bad_rows("raw", "event_ids_name_one_event")
    assert pick(bad, "event_id", "first_date", "last_date") == [
        ("a", DAY_BEFORE, DAY),
        ("b", DAY, NEXT_DAY),
        ("c", DAY_BEFORE, NEXT_DAY),
    ]


def test_days_further_away_are_not_searched(sql: SqlFixture) -> None:
    sql.insert("raw.events", event("a", "open"), event("a", "open", day=DAY + timedelta(days=2)))
    assert sql.bad_rows("raw", "event_ids_name_one_event") == []
    assert len(sql.bad_rows("raw", "event_ids_name_one_event", last=NEXT_DAY)) == 1
