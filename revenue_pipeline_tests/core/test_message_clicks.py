"""Clicks, each with what is known of its message."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from revenue_pipeline_tests.message_rows import CLICKS, MESSAGE_CLICKS, NOON, SENDS, at, click, send
from revenue_pipeline_tests.sql_fixture import DAY, DAY_BEFORE, NEXT_DAY, SqlFixture, pick


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def test_a_click_carries_its_message(sql: SqlFixture) -> None:
    told = {"creative_id": "flash-50", "offer_id": "sofa", "campaign_id": "weekend", "sending_list": "vip"}
    sql.insert(SENDS, send("m1", at(DAY_BEFORE), contact_id="ann", custom='{"state":"TX"}', **told))
    sql.insert(CLICKS, click("c1", "m1"))
    assert sql.run(MESSAGE_CLICKS) == [
        {
            "click_date": DAY,
            "click_id": "c1",
            "clicked_at": NOON,
            "message_id": "m1",
            "send_date": DAY_BEFORE,
            "sent_at": at(DAY_BEFORE),
            "contact_id": "ann",
            "custom": '{"state":"TX"}',
            **told,
        }
    ]


def test_a_click_on_a_message_that_was_never_landed_is_kept(sql: SqlFixture) -> None:
    sql.insert(CLICKS, click("c1", "m1"))
    assert pick(sql.run(MESSAGE_CLICKS), "click_id", "message_id", "sent_at", "contact_id") == [
        ("c1", "m1", None, None)
    ]


@pytest.mark.parametrize("days", [0, 31, 32, 400])
def test_a_message_of_any_earlier_day_is_found(sql: SqlFixture, days: int) -> None:
    sql.insert(SENDS, send("m1", NOON - timedelta(days=days), creative_id="old"), send("m2", creative_id="new"))
    sql.insert(CLICKS, click("c1", "m1"), click("c2", "m2"), click("c3", "m1"))
    assert pick(sql.run(MESSAGE_CLICKS), "click_id", "creative_id") == [("c1", "old"), ("c2", "new"), ("c3", "old")]


@pytest.mark.parametrize("older", [DAY_BEFORE, DAY - timedelta(days=40)])
@pytest.mark.parametrize("newer", [DAY, DAY + timedelta(days=40)])
def test_of_a_message_landed_on_several_days_the_newest_counts(sql: SqlFixture, older: object, newer: object) -> None:
    sql.insert(SENDS, send("m1", at(older), creative_id="old"), send("m1", at(newer), creative_id="new"))  # type: ignore[arg-type]
    sql.insert(CLICKS, click("c1", "m1"))
    assert pick(sql.run(MESSAGE_CLICKS), "creative_id", "send_date") == [("new", newer)]


@pytest.mark.parametrize("newer", [NEXT_DAY, DAY + timedelta(days=40)])
def test_a_click_landed_on_several_days_is_the_newest_alone(sql: SqlFixture, newer: object) -> None:
    sql.insert(CLICKS, click("c1", "m1"), click("c1", "m2", at(newer)), click("c2", "m1"))  # type: ignore[arg-type]
    assert pick(sql.run(MESSAGE_CLICKS), "click_id", "message_id") == [("c2", "m1")]
    both = sql.run(MESSAGE_CLICKS, last=newer)  # type: ignore[arg-type]
    assert pick(both, "click_id", "message_id", "click_date") == [("c2", "m1", DAY), ("c1", "m2", newer)]
