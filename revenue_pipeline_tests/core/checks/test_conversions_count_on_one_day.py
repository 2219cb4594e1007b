"""A conversion whose latest state moved to another day is named while its former day still counts it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from revenue_pipeline_tests.message_rows import (
    ATTRIBUTED,
    CLICKS,
    CONVERSIONS,
    MESSAGE_CLICKS,
    REPEATED,
    SENDS,
    at,
    click,
    conversion,
    send,
)
from revenue_pipeline_tests.sql_fixture import DAY, Row, SqlFixture

CHECK = "conversions_count_on_one_day"
LATER = DAY + timedelta(days=5)


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    sql = SqlFixture(tmp_path)
    sql.insert(SENDS, send("m1"))
    sql.insert(CLICKS, click("c1", "m1"))
    sql.insert(CONVERSIONS, conversion("v1", "c1"), conversion("v2", "c1"))
    return sql


def write(sql: SqlFixture, day: date) -> list[Row]:
    sql.write(MESSAGE_CLICKS, REPEATED, ATTRIBUTED, first=day, last=day)
    return sql.bad_rows("core", CHECK, first=day, last=day)


def test_the_former_day_is_named_until_it_is_run_again(sql: SqlFixture) -> None:
    assert write(sql, DAY) == []
    sql.insert(CONVERSIONS, conversion("v1", "c1", at(LATER)))
    assert write(sql, LATER) == [
        {"run_again": DAY, "conversions": 1, "revenue": 10, "for_example": "tune v1"},
    ]
    assert write(sql, DAY) == []
    assert write(sql, LATER) == []


def test_days_run_in_the_other_order_need_nothing_more(sql: SqlFixture) -> None:
    sql.insert(CONVERSIONS, conversion("v1", "c1", at(LATER)))
    assert write(sql, LATER) == []
    assert write(sql, DAY) == []
