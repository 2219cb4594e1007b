"""Each message on each day: sent, clicked, converted, earned."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from revenue_pipeline_tests.message_rows import ACTIVITY, activity
from revenue_pipeline_tests.sql_fixture import DAY, NEXT_DAY, SqlFixture, pick

REPORT = "reports.message_performance"


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path, messages={"cost_per_segment": "0.01"})


def test_a_message_on_the_day_it_was_sent_and_on_the_day_it_earned(sql: SqlFixture) -> None:
    told = {"creative_id": "flash-50", "offer_id": "sofa", "campaign_id": "weekend", "sending_list": "vip"}
    sql.insert(
        ACTIVITY,
        activity("m1", DAY, sends=1, segments=2, clicks=1, **told),
        activity("m1", NEXT_DAY, conversions=1, revenue="24.99", **told),
        activity("m2", NEXT_DAY, sends=1, segments=1, contact_id="bob"),
    )
    rows = sql.run(REPORT, last=NEXT_DAY)
    known = {"message_id": "m1", "contact_id": "ann", **told}
    assert rows[0] == known | {
        "event_date": DAY,
        "sends": 1,
        "segments": 2,
        "clicks": 1,
        "conversions": 0,
        "revenue": 0,
        "cost": Decimal("0.02"),
        "revenue_per_send": 0.0,
        "epc": 0.0,
        "conversion_rate": 0.0,
        "roas": 0.0,
        "roi": -1.0,
    }
    assert rows[1] == known | {
        "event_date": NEXT_DAY,
        "sends": 0,
        "segments": 0,
        "clicks": 0,
        "conversions": 1,
        "revenue": Decimal("24.99"),
        "cost": 0,
        **dict.fromkeys(("revenue_per_send", "epc", "conversion_rate", "roas", "roi")),
    }
    assert pick(rows[2:], "message_id", "contact_id", "offer_id", "sends") == [("m2", "bob", None, 1)]


def test_what_a_message_earned_under_several_offers_is_one_row(sql: SqlFixture) -> None:
    sql.insert(
        ACTIVITY,
        activity(sends=1, segments=1, clicks=2),
        activity(offer_id="lamp", conversions=1, revenue="3"),
        activity(offer_id="sofa", conversions=1, revenue="4"),
    )
    columns = ("message_id", "offer_id", "sends", "clicks", "conversions", "revenue", "epc")
    assert pick(sql.run(REPORT), *columns) == [("m1", "sofa", 1, 2, 2, 7, 3.5)]
