"""What holds for every advertising channel, asked over HTTP in the simulator: it is correct, and it fails well."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline.partners.applovin_ads import AppLovinAds
from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import CostRow, Import, PartnerError, import_day
from revenue_pipeline.partners.costs import CostConnector
from revenue_pipeline.partners.google_ads import GoogleAds
from revenue_pipeline.partners.meta_ads import MetaAds
from revenue_pipeline.partners.tiktok_ads import TikTokAds
from revenue_pipeline.simulator import Simulator, World
from revenue_pipeline.simulator.advertising import campaigns
from revenue_pipeline_tests.partners.conftest import IMPATIENT, QUICK, account

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 6)
DAY = date(2026, 10, 3)
WORLD = World(first_day=FIRST, last_day=LAST, scale=0.3)


@dataclass(frozen=True)
class Channel:
    """How one of them is set up."""

    connector: type[CostConnector]
    credentials: tuple[str, ...]
    options: dict[str, Any]

    @property
    def name(self) -> str:
        return self.connector.channel

    def open(self, simulator: Simulator, **options: Any) -> CostConnector:
        base_url = f"{simulator.url}/{self.connector.name}"
        own = {key: base_url + value if key == "token_url" else value for key, value in self.options.items()}
        ours = {number: advertised._asdict() for number, advertised in campaigns(self.name).items()}
        return self.connector(
            account(
                base_url,
                name=self.name,
                granularity=None,
                grain=self.connector.grain,
                credentials={credential: f"secret-{credential}-0123456789" for credential in self.credentials},
                credential_variables={credential: credential.upper() for credential in self.credentials},
                options={"campaigns": ours, **own, **options},
            )
        )


GOOGLE = ("developer_token", "client_id", "client_secret", "refresh_token")
CHANNELS = [
    Channel(GoogleAds, GOOGLE, {"customer_id": "123-456-7890", "token_url": "/token"}),
    Channel(MetaAds, ("access_token",), {"account_id": "act_1234567890"}),
    Channel(TikTokAds, ("access_token",), {"advertiser_id": "7000000000001"}),
    Channel(AppLovinAds, ("api_key",), {}),
]
PAGED = [channel for channel in CHANNELS if channel.connector is not GoogleAds]
every_channel = pytest.mark.parametrize("channel", CHANNELS, ids=[channel.name for channel in CHANNELS])
every_paged_channel = pytest.mark.parametrize("channel", PAGED, ids=[channel.name for channel in PAGED])


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(WORLD, today=LAST) as simulator:
        yield simulator


def ask(channel: Channel, simulator: Simulator, folder: Path, options: dict[str, Any] | None = None) -> Import:
    return import_day(channel.open(simulator, **(options or {})), DAY, LAST, Archive(folder), QUICK)


def refused(channel: Channel, simulator: Simulator, folder: Path) -> PartnerError:
    with pytest.raises(PartnerError) as caught:
        ask(channel, simulator, folder)
    return caught.value


def expected(channel: Channel) -> list[tuple[Any, ...]]:
    reported = [cost for cost in WORLD.costs(DAY) if cost.channel == channel.name]
    # Only some of them count installs.
    counts = channel.connector in (MetaAds, AppLovinAds)
    return sorted((*cost[:10], cost.installs if counts else 0) for cost in reported)


def as_the_world_says(row: CostRow) -> tuple[Any, ...]:
    numbers = (row.cost, row.currency, row.impressions, row.clicks, row.installs or 0)
    return (row.cost_date, row.channel, row.campaign_id, row.app_id, row.platform, row.country, *numbers)


# --- what they cost --------------------------------------------------------------------------------------------------


@every_channel
def test_costs_are_those_of_the_world_to_the_cent(channel: Channel, simulator: Simulator, tmp_path: Path) -> None:
    rows = ask(channel, simulator, tmp_path).rows
    assert sorted(map(as_the_world_says, rows)) == expected(channel)
    assert rows


@every_channel
def test_without_a_grain_there_is_one_row_for_each_campaign(
    channel: Channel, simulator: Simulator, tmp_path: Path
) -> None:
    whole = channel.connector(replace(channel.open(simulator).account, grain=()))
    rows = import_day(whole, DAY, LAST, Archive(tmp_path), QUICK).rows
    assert {row.country for row in rows} == {None}
    totals: dict[Any, Decimal] = {}
    for cost in expected(channel):
        totals[cost[2:5]] = totals.get(cost[2:5], Decimal(0)) + cost[6]
    assert {(row.campaign_id, row.app_id, row.platform): row.cost for row in rows} == totals


@every_channel
def test_the_channel_is_called_as_the_events_call_it(channel: Channel, simulator: Simulator, tmp_path: Path) -> None:
    assert {row.channel for row in ask(channel, simulator, tmp_path, {"channel": "paid social"}).rows} == {
        "paid social"
    }


@every_channel
def test_a_campaign_that_the_settings_do_not_name_keeps_its_id(
    channel: Channel, simulator: Simulator, tmp_path: Path
) -> None:
    rows = ask(channel, simulator, tmp_path, {"campaigns": {}}).rows
    assert {row.campaign_id for row in rows} <= set(campaigns(channel.name))
    assert sum(row.cost for row in rows) == sum(cost[6] for cost in expected(channel))


@every_channel
def test_a_young_day_grows(channel: Channel, simulator: Simulator, tmp_path: Path) -> None:
    totals = []
    for simulator.today in (DAY, date(2026, 10, 4), date(2026, 10, 5)):
        rows = import_day(channel.open(simulator), DAY, simulator.today, Archive(tmp_path), QUICK).rows
        totals.append(sum(row.cost for row in rows))
    assert 0 < totals[0] < totals[1] < totals[2] == sum(cost[6] for cost in expected(channel))


@every_channel
def test_an_empty_day_is_an_empty_batch(channel: Channel, simulator: Simulator, tmp_path: Path) -> None:
    simulator.faults.add("empty")
    assert ask(channel, simulator, tmp_path).rows == ()


# --- pages -----------------------------------------------------------------------------------------------------------


@every_paged_channel
def test_small_pages_are_put_together(channel: Channel, simulator: Simulator, tmp_path: Path) -> None:
    simulator.faults.add("page_cap", value=1)
    assert sorted(map(as_the_world_says, ask(channel, simulator, tmp_path).rows)) == expected(channel)


@every_paged_channel
@pytest.mark.parametrize("fault", ["offset_ignored", "moving_report"])
def test_pages_that_do_not_fit_together_are_an_error(
    channel: Channel, fault: str, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.faults.add("page_cap", value=1)
    simulator.faults.add(fault)
    assert "could not be read as a whole in 3 attempts" in refused(channel, simulator, tmp_path).cause


# --- what goes wrong -------------------------------------------------------------------------------------------------


@every_channel
@pytest.mark.parametrize(
    ("fault", "value"), [("rate_limited", 0.01), ("server_error", None), ("unavailable", None), ("truncated", None)]
)
def test_a_passing_trouble_is_tried_again(
    channel: Channel, fault: str, value: float | None, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.faults.add(fault, times=1, value=value)
    assert len(ask(channel, simulator, tmp_path).rows) == len(expected(channel))


@every_channel
@pytest.mark.parametrize("fault", ["error_in_body", "not_json", "truncated", "unauthorized", "server_error"])
def test_a_failure_is_an_error_and_never_an_empty_day(
    channel: Channel, fault: str, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.faults.add(fault)
    error = refused(channel, simulator, tmp_path)
    assert error.cause.startswith(f"{channel.name} 2026-10-03: ")
    assert error.remedy


@every_channel
def test_no_secret_is_shown_or_kept(channel: Channel, simulator: Simulator, tmp_path: Path) -> None:
    simulator.faults.add("page_cap", value=1)
    ask(channel, simulator, tmp_path)
    simulator.faults.add("unauthorized")  # echoes what it was given
    error = refused(channel, simulator, tmp_path)
    kept = b"".join(gzip.decompress(path.read_bytes()) for path in tmp_path.rglob("*.gz"))
    kept += b"".join(path.read_bytes() for path in tmp_path.rglob("requests.ndjson"))
    assert b"rows" in kept or b"data" in kept or b"results" in kept
    assert b"secret-" not in kept
    assert "secret-" not in str(error)


@pytest.mark.parametrize("fault", ["slow"])
def test_no_answer_in_time_is_an_error(fault: str, simulator: Simulator, tmp_path: Path) -> None:
    simulator.faults.add(fault, value=2)
    with pytest.raises(PartnerError, match="did not answer in time"):
        import_day(CHANNELS[3].open(simulator), DAY, LAST, Archive(tmp_path), IMPATIENT)
