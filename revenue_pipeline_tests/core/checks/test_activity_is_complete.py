"""What happened with messages is in the daily facts, each once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline_tests.message_rows import (
    ACTIVITY,
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
from revenue_pipeline_tests.sql_fixture import DAY, NEXT_DAY, Row, SqlFixture

CHECK = "activity_is_complete"


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    sql = SqlFixture(tmp_path)
    sql.insert(SENDS, send("m1"), send("m2"), send("m2", at(DAY + timedelta(days=40))), send("m3", at(NEXT_DAY)))
    sql.insert(CLICKS, click("c1", "m1"), click("c2", "lost"))
    sql.insert(CONVERSIONS, conversion("v1", "c1"), conversion("v2", None))
    sql.write(MESSAGE_CLICKS, REPEATED, ATTRIBUTED)
    return sql


def counted(**columns: Any) -> Row:
    row = {"event_date": DAY, "message_id": "m1", "sends": 1, "clicks": 1, "conversions": 1, "revenue": "10"}
    return row | columns


def test_all_of_it_is_there(sql: SqlFixture) -> None:
    sql.write(MESSAGE_CLICKS, REPEATED, ATTRIBUTED, ACTIVITY, last=NEXT_DAY)
    assert sql.bad_rows("core", CHECK, last=NEXT_DAY) == []


@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        ([], (1, 2, 1, 10)),
        ([counted(clicks=2, sends=0)], (1, 0, 0, 0)),
        ([counted(clicks=2, sends=3)], (-2, 0, 0, 0)),
        ([counted(clicks=1)], (0, 1, 0, 0)),
        ([counted(clicks=2, conversions=2)], (0, 0, -1, 0)),
        ([counted(clicks=2, revenue="10.000000001")], (0, 0, 0, Decimal("-0.000000001"))),
    ],
)
def test_what_is_lost_or_counted_twice_is_found(sql: SqlFixture, rows: list[Row], missing: tuple[Any, ...]) -> None:
    if rows:
        sql.insert(ACTIVITY, *rows)
    names = ("missing_sends", "missing_clicks", "missing_conversions", "missing_revenue")
    assert sql.bad_rows("core", CHECK) == [{"event_date": DAY} | dict(zip(names, missing, strict=True))]
