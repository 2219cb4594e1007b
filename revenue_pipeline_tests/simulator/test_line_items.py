from __future__ import annotations

from datetime import date, timedelta

from revenue_pipeline.simulator import World
from revenue_pipeline.simulator.line_items import SELLER, delivery, line_items

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 4)
WORLD = World(first_day=FIRST, last_day=LAST, scale=0.5)


def test_delivery_is_what_the_events_of_the_direct_sales_say() -> None:
    for day in WORLD.days():
        rows = delivery(WORLD, day)
        direct = [event for event in WORLD.events(day) if event.partner == SELLER]
        assert sum(row.impressions for row in rows) == sum(event.event_name == "ad_impression" for event in direct)
        assert sum(row.clicks for row in rows) == sum(event.event_name == "ad_click" for event in direct)
        keys = [row[:4] for row in rows]
        assert len(set(keys)) == len(keys)


def test_every_booked_line_item_delivers_but_the_unsold_one() -> None:
    delivered = {row.line_item_id for day in WORLD.days() for row in delivery(WORLD, day)}
    *sold, unsold = line_items(WORLD)
    assert delivered == {item.line_item_id for item in sold}
    assert {item.proposal_status for item in sold} == {"sold"}
    assert (unsold.proposal_status, unsold.start_date) == ("unsold", LAST + timedelta(days=1))
    assert {item.rate_type for item in sold} == {"CPM", "CPC", "CPD"}


def test_some_deliver_by_section_and_some_by_none() -> None:
    sections = {row.custom_criteria for day in WORLD.days() for row in delivery(WORLD, day)}
    assert sections == {None, "section=sport", "section=business", "section=culture"}


def test_nothing_is_delivered_outside_the_world() -> None:
    assert delivery(WORLD, FIRST - timedelta(days=1)) == []
