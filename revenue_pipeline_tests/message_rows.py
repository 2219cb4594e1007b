"""Rows of messages, clicks and conversions that tests write by hand, as `raw` keeps them in a warehouse at UTC."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from revenue_pipeline_tests.sql_fixture import DAY, Row

NOON = datetime.combine(DAY, time(12))
"""When things happen where a test does not say."""

SENDS, CLICKS, CONVERSIONS, MANUAL = "raw.message_sends", "raw.link_clicks", "raw.conversions", "raw.manual_revenue"
MESSAGE_CLICKS, REPEATED = "core.message_clicks", "core.repeated_conversions"
ATTRIBUTED, ACTIVITY = "core.attributed_conversions", "core.message_activity_daily"


def at(day: date, clock: str = "12:00") -> datetime:
    return datetime.combine(day, time.fromisoformat(clock))


def send(message_id: str, sent_at: datetime = NOON, **columns: Any) -> Row:
    row = {"message_id": message_id, "sent_at": sent_at, "send_date": sent_at.date(), "contact_id": "ann"}
    return row | {"segments": 1} | columns


def click(click_id: str, message_id: str, clicked_at: datetime = NOON, **columns: Any) -> Row:
    row = {"click_id": click_id, "message_id": message_id, "clicked_at": clicked_at, "click_date": clicked_at.date()}
    return row | columns


def conversion(
    conversion_id: str, click_id: str | None, converted_at: datetime = NOON + timedelta(hours=1), **columns: Any
) -> Row:
    """A conversion that pays 10, of the partner `tune`, landed in a file of its own day."""
    day = converted_at.date()
    row = {"partner": "tune", "conversion_id": conversion_id, "click_id": click_id, "converted_at": converted_at}
    row |= {"report_date": day, "event_date": day, "source": "files", "currency": "USD", "status": "approved"}
    row |= {"landed_rows": 1}
    payout = columns.pop("payout", "10")
    return row | {"payout": payout, "reporting_payout": payout} | columns


def manual(click_id: str, amount: str = "10", day: date = DAY, **columns: Any) -> Row:
    return {"click_id": click_id, "amount": amount, "reporting_amount": amount, "date": day} | columns


def activity(message_id: str = "m1", day: date = DAY, **columns: Any) -> Row:
    """What happened with a message on a day, by default nothing."""
    row = {"event_date": day, "message_id": message_id, "contact_id": "ann"}
    return row | {"sends": 0, "segments": 0, "clicks": 0, "conversions": 0, "revenue": "0"} | columns
