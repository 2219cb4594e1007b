"""Conversions in = attributed + coded reasons, and what is attributed is what it pays."""

from __future__ import annotations

from datetime import timedelta
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
    REPEATED,
    SENDS,
    at,
    click,
    conversion,
    manual,
    send,
)
from revenue_pipeline_tests.sql_fixture import DAY, NEXT_DAY, Row, SqlFixture

CHECK = "conversions_are_conserved"


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    sql = SqlFixture(tmp_path)
    sql.insert(SENDS, send("m1"))
    sql.insert(CLICKS, click("c1", "m1"))
    return sql


def booked(conversion_id: str, status: str = "attributed", **columns: Any) -> Row:
    paid = {"revenue": "10" if status == "attributed" else "0", "reporting_payout": "10"}
    return {"event_date": DAY, "partner": "tune", "conversion_id": conversion_id, "status": status} | paid | columns


def test_every_conversion_has_its_row(sql: SqlFixture) -> None:
    sql.insert(
        CONVERSIONS,
        conversion("v1", "c1"),
        conversion("v1", "c1", report_date=NEXT_DAY),
        conversion("v2", None),
        conversion("moved", "c1"),
        conversion("moved", "c1", at(NEXT_DAY), updated_at=at(NEXT_DAY)),
        conversion("moved away", "c1"),
        conversion("moved away", "c1", at(DAY + timedelta(days=40))),
    )
    sql.insert(MANUAL, manual("c1"), manual("c1", currency="USD"), manual("c1", "3"))
    sql.write(MESSAGE_CLICKS, REPEATED, ATTRIBUTED, last=NEXT_DAY)
    assert sql.bad_rows("core", CHECK, last=NEXT_DAY) == []
    assert sql.ask(f"SELECT count(*) AS found FROM {ATTRIBUTED}") == [{"found": 5}]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([booked("v1")], {"landed": 2, "booked": 1, "unexplained_revenue": 0}),
        ([booked("v1"), booked("v2"), booked("v3")], {"landed": 2, "booked": 3, "unexplained_revenue": 0}),
        (
            [booked("v1"), booked("v2", revenue="9.999999999")],
            {"landed": 2, "booked": 2, "unexplained_revenue": Decimal("-0.000000001")},
        ),
        ([booked("v1"), booked("v2", "rejected", revenue="1")], {"landed": 2, "booked": 2, "unexplained_revenue": 1}),
    ],
    ids=["one is lost", "one too many", "a digit is lost", "what earns nothing earns"],
)
def test_what_is_lost_or_too_much_is_found(sql: SqlFixture, rows: list[Row], expected: Row) -> None:
    sql.insert(CONVERSIONS, conversion("v1", "c1"), conversion("v2", "c1"))
    sql.insert(ATTRIBUTED, *rows)
    assert sql.bad_rows("core", CHECK) == [{"event_date": DAY} | expected]


def test_a_lost_upload_is_found(sql: SqlFixture) -> None:
    sql.insert(MANUAL, manual("c1"))
    assert sql.bad_rows("core", CHECK) == [{"event_date": DAY, "landed": 1, "booked": 0, "unexplained_revenue": 0}]
    assert sql.bad_rows("core", CHECK, first=NEXT_DAY, last=NEXT_DAY) == []
