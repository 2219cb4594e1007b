"""A creative over all the messages that carried it. The numbers are those of the message tracking document."""

from __future__ import annotations

from pathlib import Path

import pytest

from revenue_pipeline_tests.message_rows import ACTIVITY, activity
from revenue_pipeline_tests.sql_fixture import DAY, DAY_BEFORE, NEXT_DAY, SqlFixture, pick

REPORT = "reports.creative_performance"


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path, messages={"cost_per_segment": "0.01"})


def test_the_worked_example_of_a_creative(sql: SqlFixture) -> None:
    sql.insert(
        ACTIVITY,
        activity("m1", creative_id="Flash Sale 50%", sends=9_999, segments=9_999, clicks=1_199, conversions=47),
        activity("m2", creative_id="Flash Sale 50%", sends=1, segments=1, clicks=1, conversions=1, revenue="1152"),
    )
    assert sql.run(REPORT) == [
        {
            "event_date": DAY,
            "creative_id": "Flash Sale 50%",
            "sends": 10_000,
            "segments": 10_000,
            "clicks": 1_200,
            "conversions": 48,
            "revenue": 1152,
            "cost": 100,
            "revenue_per_send": 0.1152,
            "epc": 0.96,
            "conversion_rate": 0.04,
            "roas": 11.52,
            "roi": 10.52,
        }
    ]


def test_ratios_without_a_denominator_are_null(sql: SqlFixture) -> None:
    sql.insert(ACTIVITY, activity(creative_id="c", conversions=1, revenue="5"))
    ratios = ("revenue_per_send", "epc", "conversion_rate", "roas", "roi")
    assert pick(sql.run(REPORT), *ratios) == [(None,) * 5]


def test_days_and_creatives_are_rows_of_their_own_and_none_is_one_too(sql: SqlFixture) -> None:
    sql.insert(
        ACTIVITY,
        *(activity("m1", day, creative_id="a", sends=1) for day in (DAY_BEFORE, DAY, NEXT_DAY)),
        activity("m2", creative_id="b", sends=1),
        activity("lost", clicks=1),
        activity("lost too", clicks=1),
    )
    rows = pick(sql.run(REPORT, last=NEXT_DAY), "event_date", "creative_id", "sends", "clicks")
    assert sorted(rows, key=str) == [
        (DAY, "a", 1, 0),
        (DAY, "b", 1, 0),
        (DAY, None, 0, 2),
        (NEXT_DAY, "a", 1, 0),
    ]
