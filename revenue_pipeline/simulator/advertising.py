"""How advertising channels name our campaigns, apps and countries, and what their cost reports share.

A channel runs one campaign for each app and platform, so several of its campaigns are one of ours.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from hashlib import md5
from typing import NamedTuple

from revenue_pipeline.simulator.behaviour import APPS, CHANNELS
from revenue_pipeline.simulator.counterpart import Call
from revenue_pipeline.simulator.world import FRUITLESS_CAMPAIGNS, Cost

STORES = {  # an app on a platform, as its store names it
    ("acme_ios", "ios"): "1500000001",
    ("acme_puzzle", "ios"): "1500000002",
    ("acme_puzzle", "android"): "com.acme.puzzle",
}
COUNTRY_NUMBERS = {  # ISO 3166-1 numeric
    "US": 840,
    "GB": 826,
    "DE": 276,
    "FR": 250,
    "JP": 392,
    "BR": 76,
    "IN": 356,
    "MX": 484,
}
_FIRST_NUMBERS = {"google": 21_450_000_000, "meta": 120_210_000_000_000, "tiktok": 1_780_000_000_000_000}


class Advertised(NamedTuple):
    """What one campaign of a channel is to us."""

    campaign_id: str
    app_id: str
    platform: str


def campaigns(channel: str) -> Mapping[str, Advertised]:
    """The channel's campaign ids, and what each is to us."""
    return {_number(channel, advertised): advertised for advertised in _advertised(channel)}


def campaign_number(cost: Cost) -> str:
    """The channel's own id of the campaign that a cost belongs to."""
    return _number(cost.channel, Advertised(cost.campaign_id or "", cost.app_id, cost.platform))


def charged(call: Call, channel: str, start: date, end: date) -> Iterator[Cost]:
    """What the channel charges for the days from `start` to `end`, both included."""
    for n in range((min(end, call.today) - start).days + 1):
        yield from call.spent(channel, start + timedelta(days=n))


def _advertised(channel: str) -> Iterator[Advertised]:
    regular: Sequence[str | None] = next((each.campaigns for each in CHANNELS.things if each.name == channel), ())
    for campaign_id in (*regular, *FRUITLESS_CAMPAIGNS.get(channel, ())):
        for app in APPS:
            for platform in app.platforms:
                yield Advertised(campaign_id or "", app.app_id, platform)


def _number(channel: str, advertised: Advertised) -> str:
    digest = md5(":".join(advertised).encode(), usedforsecurity=False).hexdigest()
    first = _FIRST_NUMBERS.get(channel)
    return digest if first is None else str(first + int(digest[:7], 16))
