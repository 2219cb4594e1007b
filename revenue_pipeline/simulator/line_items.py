"""What advertisers have booked with us directly, and how it was delivered: the impressions that `house_ads` shows.

Days are UTC. Each such impression belongs to one line item, and to one section of a page or none.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple
from zlib import crc32

from revenue_pipeline.simulator.world import World

SECTIONS = (None, "sport", "business", "culture")
SELLER = "house_ads"


class LineItem(NamedTuple):
    """A row of the contract's `line_items`; the fields are its columns."""

    line_item_id: str
    proposal_id: str
    proposal_status: str
    rate_type: str
    net_rate: Decimal
    gross_rate: Decimal | None
    currency: str
    contracted_volume: int
    start_date: date
    end_date: date | None


class Delivery(NamedTuple):
    """A row of the contract's `line_item_delivery`; the fields are its columns."""

    delivery_date: date
    line_item_id: str
    ad_unit_id: str
    custom_criteria: str | None
    impressions: int
    clicks: int


def line_items(world: World) -> list[LineItem]:
    """Everything booked; the last one is not sold and delivers nothing."""
    first, last = world.first_day, world.last_day
    days = (last - first).days + 1

    def item(number: int, rate_type: str, net: str, gross: str | None, currency: str, volume: int) -> LineItem:
        ids = (f"61{number:08d}", f"31{number:08d}", "sold")
        rates = Decimal(net), Decimal(gross) if gross else None
        return LineItem(*ids, rate_type, *rates, currency, volume, first, last)

    return [
        item(1, "CPM", "12.50", "14.75", "USD", 1_500),
        item(2, "CPM", "9.80", None, "EUR", 800),
        item(3, "CPC", "0.65", "0.80", "USD", 40),
        item(4, "CPD", "85", "100", "USD", days),
        item(5, "CPM", "11", "13", "USD", 5_000)._replace(
            proposal_status="unsold", start_date=last + timedelta(days=1), end_date=last + timedelta(days=30)
        ),
    ]


def delivery(world: World, day: date) -> list[Delivery]:
    """What each line item delivered on the day, by ad unit and section; rows are disjoint."""
    booked = line_items(world)[:-1]
    impressions: Counter[tuple[str, str, str | None]] = Counter()
    clicks: Counter[tuple[str, str, str | None]] = Counter()
    for event in world.events(day):
        if event.partner != SELLER:
            continue
        luck = crc32(f"{event.user_id} {event.ad_unit_id} {day}".encode())  # an ad and its click share their fate
        key = (_pick(booked, luck).line_item_id, event.ad_unit_id or "", _criteria(luck // 7))
        if event.event_name == "ad_impression":
            impressions[key] += 1
        elif event.event_name == "ad_click":
            clicks[key] += 1
    seen = sorted(impressions.keys() | clicks.keys(), key=lambda key: [text or "" for text in key])
    return [Delivery(day, *key, impressions[key], clicks[key]) for key in seen]


def _pick(booked: Sequence[LineItem], luck: int) -> LineItem:
    return booked[luck % len(booked)]


def _criteria(luck: int) -> str | None:
    section = SECTIONS[luck % len(SECTIONS)]
    return f"section={section}" if section else None
