"""Daily facts of messages: sends, clicks and conversions, each on its own day."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

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
from revenue_pipeline_tests.sql_fixture import DAY, DAY_BEFORE, NEXT_DAY, Row, SqlFixture, pick

CHAIN = (MESSAGE_CLICKS, REPEATED, ATTRIBUTED, ACTIVITY)
COUNTS = ("sends", "segments", "clicks", "conversions", "revenue")
THIRD_DAY = NEXT_DAY + timedelta(days=1)


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def activity(sql: SqlFixture, first: date = DAY, last: date = DAY) -> list[Row]:
    return sql.run(*CHAIN, first=first, last=last)


def test_everything_lies_on_its_own_day(sql: SqlFixture) -> None:
    sql.insert(SENDS, send("m1", at(DAY), segments=3))
    sql.insert(CLICKS, click("c1", "m1", at(NEXT_DAY)), click("c2", "m1", at(NEXT_DAY)))
    sql.insert(CONVERSIONS, conversion("v1", "c1", at(THIRD_DAY), payout="1.5"))
    assert pick(activity(sql, last=THIRD_DAY), "event_date", "message_id", *COUNTS) == [
        (DAY, "m1", 1, 3, 0, 0, 0),
        (NEXT_DAY, "m1", 0, 0, 2, 0, 0),
        (THIRD_DAY, "m1", 0, 0, 0, 1, Decimal("1.5")),
    ]


def test_what_happens_on_one_day_is_one_row(sql: SqlFixture) -> None:
    told = {"creative_id": "flash-50", "offer_id": "sofa", "campaign_id": "weekend", "sending_list": "vip"}
    sql.insert(SENDS, send("m1", custom='{"state":"TX"}', **told), send("m2", segments=2))
    sql.insert(CLICKS, click("c1", "m1"), click("c2", "m1"))
    sql.insert(CONVERSIONS, conversion("v1", "c1"), conversion("v2", "c1"), conversion("v3", "c2", status="rejected"))
    first, second = activity(sql)
    assert first == {
        "event_date": DAY,
        "message_id": "m1",
        "contact_id": "ann",
        "custom": '{"state":"TX"}',
        **told,
        **dict(zip(COUNTS, (1, 1, 2, 2, 20), strict=True)),
    }
    assert pick([second], "message_id", "offer_id", *COUNTS) == [("m2", None, 1, 2, 0, 0, 0)]


def test_only_attributed_conversions_count(sql: SqlFixture) -> None:
    sql.insert(SENDS, send("m1"))
    sql.insert(CLICKS, click("c1", "m1"), click("c2", "lost"))
    sql.insert(
        CONVERSIONS,
        conversion("v1", "c1", at(DAY, "11:00")),
        conversion("v2", "c2"),
        conversion("v3", None),
        conversion("v4", "c1", status="pending"),
    )
    found = sorted(pick(activity(sql), "message_id", *COUNTS))
    assert found == [("lost", 0, 0, 1, 0, 0), ("m1", 1, 1, 1, 1, 10)]


def test_a_message_without_an_offer_earns_under_those_of_its_conversions(sql: SqlFixture) -> None:
    sql.insert(SENDS, send("m1"))
    sql.insert(CLICKS, click("c1", "m1"))
    sql.insert(CONVERSIONS, conversion("v1", "c1", offer_id="sofa"), conversion("v2", "c1", offer_id="lamp"))
    found = sorted(pick(activity(sql), "offer_id", *COUNTS), key=str)
    assert found == [("lamp", 0, 0, 0, 1, 10), ("sofa", 0, 0, 0, 1, 10), (None, 1, 1, 1, 0, 0)]


def test_a_message_landed_again_was_sent_on_the_newest_day(sql: SqlFixture) -> None:
    far = DAY + timedelta(days=40)
    sql.insert(SENDS, *(send("m1", at(day)) for day in (DAY_BEFORE, DAY, far)), send("m2", at(DAY)))
    assert pick(activity(sql), "message_id", "sends") == [("m2", 1)]
    sql.execute(f"DELETE FROM {ACTIVITY}")
    assert pick(activity(sql, DAY_BEFORE, far), "event_date", "message_id") == [(DAY, "m2"), (far, "m1")]


def test_a_click_on_a_message_of_another_day_knows_it(sql: SqlFixture) -> None:
    sql.insert(SENDS, send("m1", at(DAY_BEFORE), campaign_id="weekend"))
    sql.insert(CLICKS, click("c1", "m1"))
    assert pick(activity(sql), "event_date", "campaign_id", "clicks", "sends") == [(DAY, "weekend", 1, 0)]
