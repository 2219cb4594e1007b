"""The troubleshooting list of the message tracking document, answered from the data."""

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
from revenue_pipeline_tests.sql_fixture import DAY, DAY_BEFORE, NEXT_DAY, SqlFixture

LONG_AGO = DAY - timedelta(days=60)
Finding = tuple[Any, ...]


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    """A message with the offer `sofa`, sent and clicked at noon."""
    sql = SqlFixture(tmp_path, attribution={"default_window": "7d", "offers": {"lamp": "24h"}})
    sql.insert(SENDS, send("m1", offer_id="sofa"), send("m2", offer_id="lamp"))
    sql.insert(CLICKS, click("c1", "m1"))
    return sql


def findings(sql: SqlFixture) -> dict[str, list[Finding]]:
    """Give (partner, offer, found, out of, revenue, example) of what was found."""
    sql.write(MESSAGE_CLICKS, REPEATED, ATTRIBUTED, first=LONG_AGO, last=NEXT_DAY)
    rows = sql.ask(f"SELECT * FROM reports.troubleshoot(DATE '{DAY}', DATE '{NEXT_DAY}')")
    found: dict[str, list[Finding]] = {}
    for row in rows:
        if row["found"]:
            _, finding, *told = row.values()
            found.setdefault(finding, []).append(tuple(told))
    return found


def test_every_question_is_answered_where_nothing_is_wrong(sql: SqlFixture) -> None:
    sql.insert(CONVERSIONS, conversion("v1", "c1"))
    assert findings(sql) == {}
    rows = sql.ask(f"SELECT * FROM reports.troubleshoot(DATE '{DAY}', DATE '{NEXT_DAY}')")
    assert [(row["question"], row["finding"], row["found"]) for row in rows] == [
        ("Are postbacks configured correctly?", "clicks_without_conversions", 0),
        ("Are postbacks configured correctly?", "unknown_click", 0),
        ("Is the click_id being passed?", "missing_click_id", 0),
        ("Is the conversion within the attribution window?", "outside_window", 0),
        ("Is the conversion within the attribution window?", "before_click", 0),
        ("Are payout amounts current?", "payout_changed", 0),
        ("Are all conversions being captured?", "unknown_message", 0),
        ("Are all conversions being captured?", "rejected", 0),
        ("Is the attribution window appropriate?", "credited_with_30_days", 0),
        ("Are postbacks firing multiple times?", "repeated_conversion", 0),
        ("Are postbacks firing multiple times?", "same_click_and_payout", 0),
        ("Do manual imports duplicate platform data?", "manual_duplicate", 0),
    ]


def test_clicks_without_conversions_are_counted_by_offer(sql: SqlFixture) -> None:
    sql.insert(
        CLICKS,
        click("c2", "m1"),
        click("c3", "m2"),
        click("c4", "lost"),
        click("c5", "m1", at(DAY_BEFORE)),
        click("c6", "m1", at(NEXT_DAY)),
    )
    sql.insert(CONVERSIONS, conversion("v1", "c1", status="rejected"), conversion("v2", "c6", at(NEXT_DAY, "13:00")))
    assert findings(sql)["clicks_without_conversions"] == [
        (None, None, 1, 1, None, "click c4"),
        (None, "lamp", 1, 1, None, "click c3"),
        (None, "sofa", 1, 3, None, "click c2"),
    ]


def test_postbacks_with_unknown_or_missing_clicks_are_counted_by_partner(sql: SqlFixture) -> None:
    sql.insert(
        CONVERSIONS,
        conversion("v1", "c1"),
        conversion("v2", "stranger", payout="2"),
        conversion("v3", "stranger", payout="3"),
        conversion("v4", None, payout="4"),
        conversion("v1", None, payout="5", partner="impact", offer_id="17"),
    )
    found = findings(sql)
    assert found["unknown_click"] == [("tune", None, 2, 4, 5, "tune v2 names the click stranger")]
    assert found["missing_click_id"] == [
        ("impact", "17", 1, 1, 5, "impact v1"),
        ("tune", None, 1, 4, 4, "tune v4"),
    ]


def test_conversions_outside_the_window_say_how_late_they_came_and_what_a_longer_one_would_credit(
    sql: SqlFixture,
) -> None:
    sql.insert(SENDS, send("old", at(LONG_AGO), offer_id="sofa"))
    sql.insert(
        CLICKS,
        click("c-old", "old", at(LONG_AGO)),
        click("c-lamp", "m2", at(DAY_BEFORE)),
        click("c-late", "m1", at(NEXT_DAY)),
    )
    sql.insert(
        CONVERSIONS,
        conversion("v1", "c-old"),
        conversion("v2", "c-lamp", at(DAY, "13:00"), payout="3"),
        conversion("v3", "c-late", at(DAY)),
    )
    sql.insert(MANUAL, manual("c-lamp", "1", NEXT_DAY))
    found = findings(sql)
    assert found["outside_window"] == [
        ("manual", "lamp", 1, 1, 1, f"{manual_told(sql)} came 2 days after its click"),
        ("tune", "lamp", 1, 3, 3, "tune v2 came 1 days after its click"),
        ("tune", "sofa", 1, 3, 10, "tune v1 came 60 days after its click"),
    ]
    assert found["before_click"] == [("tune", "sofa", 1, 3, 10, "tune v3")]
    assert [finding[:3] for finding in found["credited_with_30_days"]] == [
        ("manual", "lamp", 1),
        ("tune", "lamp", 1),
    ]


def manual_told(sql: SqlFixture) -> str:
    (row,) = sql.ask(f"SELECT conversion_id FROM {ATTRIBUTED} WHERE partner = 'manual'")
    return f"manual {row['conversion_id']}"


def test_offers_whose_payout_changed_show_the_last_change(sql: SqlFixture) -> None:
    payouts = ("12.5", "12.5", "10", "10", "11")
    sql.insert(
        CONVERSIONS,
        *(conversion(f"v{n}", "c1", at(DAY, f"{13 + n}:00"), payout=payout) for n, payout in enumerate(payouts)),
        conversion("w1", "c1", at(DAY, "13:30"), payout="7", partner="impact"),
    )
    assert findings(sql)["payout_changed"] == [
        ("tune", "sofa", 2, None, None, "2026-10-01: 10.00 became 11.00 USD"),
    ]


def test_what_partners_turned_down_and_what_is_of_no_message_is_told(sql: SqlFixture) -> None:
    sql.insert(CLICKS, click("c-lost", "lost"))
    sql.insert(CONVERSIONS, conversion("v1", "c1", status="reversed", payout="3"), conversion("v2", "c-lost"))
    found = findings(sql)
    assert found["rejected"] == [("tune", "sofa", 1, 2, 3, "tune v1")]
    assert found["unknown_message"] == [("tune", None, 1, 2, 10, "tune v2 is of the message lost")]


def test_postbacks_that_fired_several_times_are_told_apart_by_whether_they_count(sql: SqlFixture) -> None:
    sql.insert(
        CONVERSIONS,
        conversion("once", "c1", payout="1"),
        conversion("again", "c1", payout="2", landed_rows=3),
        conversion("moved", "c1", payout="3"),
        conversion("moved", "c1", at(NEXT_DAY), payout="3", updated_at=at(NEXT_DAY)),
        conversion("twin 1", "c1", payout="4.25"),
        conversion("twin 2", "c1", payout="4.25"),
        conversion("twin 3", "c1", payout="4.25"),
    )
    found = findings(sql)
    assert found["repeated_conversion"] == [("tune", None, 2, None, None, "tune again, 3 times")]
    assert found["same_click_and_payout"] == [
        ("tune", "sofa", 2, None, Decimal("8.5"), "tune twin 1 and twin 3 of the click c1"),
    ]


def test_uploads_that_repeat_what_a_platform_reports_are_told(sql: SqlFixture) -> None:
    sql.insert(CONVERSIONS, conversion("v1", "c1"))
    sql.insert(MANUAL, manual("c1"), manual("c1", "11"))
    ((partner, offer, found, out_of, revenue, _),) = findings(sql)["manual_duplicate"]
    assert (partner, offer, found, out_of, revenue) == ("manual", "sofa", 1, 2, 10)
