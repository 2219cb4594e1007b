"""Exchange rates that a partner publishes: landed as files, so that rates have one reader wherever they come from."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import date

import dagster as dg

from revenue_pipeline.partners.base import ExchangeRateRow
from revenue_pipeline.raw.accounts import kinds_of
from revenue_pipeline.raw.datasets import FX_RATES
from revenue_pipeline.raw.files import LandingFolder
from revenue_pipeline.settings import Settings


def rate_publishers(settings: Settings) -> list[str]:
    """Give the partners that publish exchange rates."""
    return [partner for partner in settings.partners if ExchangeRateRow in kinds_of(settings, partner)]


def rates_key(partner: str) -> dg.AssetKey:
    """Give the key of the asset that lands a publisher's rates."""
    return dg.AssetKey(["landing", FX_RATES.name, partner])


def rates_file(partner: str) -> str:
    """Give the name of the file that a publisher's rates of a day are landed in."""
    return f"{partner}.ndjson"


def land_rates(settings: Settings, partner: str, rates: Iterable[ExchangeRateRow]) -> None:
    """Write each rate into the folder of the day it was published for, one file a publisher and day."""
    by_day: dict[date, list[ExchangeRateRow]] = defaultdict(list)
    for rate in rates:
        by_day[rate.rate_date].append(rate)
    landing = LandingFolder(settings.storage.landing)
    for day, published in by_day.items():
        lines = [
            json.dumps({"rate_date": day.isoformat(), "currency": rate.currency, "rate": f"{rate.rate:f}"}) + "\n"
            for rate in sorted(published, key=lambda rate: rate.currency)
        ]
        landing.write(FX_RATES.name, day, rates_file(partner), "".join(lines).encode())
