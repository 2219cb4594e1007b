"""Costs of two sources in one table: what was landed, and what a channel's API reports."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from revenue_pipeline.raw.datasets import COSTS
from revenue_pipeline.raw.imports import FailedDay
from revenue_pipeline.simulator import Simulator, World
from revenue_pipeline.simulator.advertising import campaigns
from revenue_pipeline_tests.raw.conftest import COST_HEADER, DAY, KEY, Import, Lake

NEXT = DAY + timedelta(days=1)
CHANNEL = {
    "connector": "meta_ads",
    "grain": ["country"],
    "credentials": {"access_token": {"env": "KEY"}},
    "options": {"account_id": "1", "campaigns": {number: ours._asdict() for number, ours in campaigns("meta").items()}},
}
TOTALS = "SELECT coalesce(partner, source), sum(cost), count(*) FROM raw.costs GROUP BY ALL ORDER BY 1"


@pytest.fixture(scope="module")
def world() -> World:
    return World(first_day=DAY - timedelta(days=1), last_day=NEXT, scale=0.2)


@pytest.fixture
def import_costs(import_days: Import, simulator: Simulator, lake: Lake) -> Import:
    """Import days of a channel that charges euros; one is worth two dollars."""
    lake.put("fx_rates", "rates.csv", f"rate_date,currency,rate\n{DAY},EUR,2\n", DAY)

    def run(*days: date, as_of: date = DAY) -> list[object]:
        url = f"{simulator.url}/meta_ads"
        return list(import_days(*days, partner="meta", as_of=as_of, base_url=url, **CHANNEL))

    return run  # type: ignore[return-value]


def spent(world: World, day: date = DAY) -> Decimal:
    return sum((cost.cost for cost in world.costs(day) if cost.channel == "meta"), Decimal(0))


def test_a_day_is_booked_with_our_names_and_in_the_reporting_currency(
    lake: Lake, import_costs: Import, world: World
) -> None:
    import_costs(DAY)

    columns = "cost_date, channel, campaign_id, app_id, platform, country, cost, currency, impressions, clicks"
    reported = [cost[:10] for cost in world.costs(DAY) if cost.channel == "meta"]
    assert sorted(lake.ask(f"SELECT {columns} FROM raw.costs")) == sorted(reported)
    assert lake.ask("SELECT DISTINCT source, partner, currency, reporting_cost = 2 * cost FROM raw.costs") == [
        ("api", "meta", "EUR", True)
    ]
    assert lake.ask("SELECT partner, revenue, rows, error FROM raw.partner_imports") == [
        ("meta", None, len(reported), None)
    ]


def test_landed_costs_and_those_of_the_api_leave_each_other_alone(
    lake: Lake, import_costs: Import, world: World
) -> None:
    lake.put("costs", "a.csv", f"{COST_HEADER}\n{DAY},radio,7,USD\n")
    lake.land(COSTS)
    import_costs(DAY)
    api = [each for each in lake.ask(TOTALS) if each[0] == "meta"]
    assert lake.ask(TOTALS) == [("files", 7, 1), *api]
    assert api[0][1] == spent(world)

    lake.put("costs", "a.csv", f"{COST_HEADER}\n{DAY},radio,8,USD\n")
    lake.land(COSTS)
    assert lake.ask(TOTALS) == [("files", 8, 1), *api]
    assert lake.column("SELECT partner FROM raw.costs WHERE source = 'files'") == [None]


def test_a_batch_replaces_the_one_before_and_an_empty_one_clears_the_day(
    lake: Lake, import_costs: Import, simulator: Simulator, world: World
) -> None:
    import_costs(DAY, NEXT)
    simulator.faults.add("vanished_rows")
    import_costs(DAY)
    assert lake.column(f"SELECT sum(cost) < {spent(world)} FROM raw.costs WHERE cost_date = '{DAY}'") == [True]

    simulator.faults.clear()
    simulator.faults.add("empty")
    import_costs(DAY)
    assert lake.column("SELECT DISTINCT cost_date FROM raw.costs") == [NEXT]


def test_a_failed_call_changes_nothing_and_shows_no_secret(
    lake: Lake, import_costs: Import, simulator: Simulator
) -> None:
    import_costs(DAY)
    before = lake.ask(TOTALS)
    simulator.faults.add("unauthorized")

    (failed,) = import_costs(DAY)

    assert isinstance(failed, FailedDay)
    assert "Check the environment variable KEY." in failed.error
    assert KEY not in failed.error
    assert lake.ask(TOTALS) == before


def test_a_day_without_an_exchange_rate_fails_by_name(lake: Lake, import_costs: Import) -> None:
    (failed,) = import_costs(DAY - timedelta(days=1))
    assert isinstance(failed, FailedDay)
    assert "no exchange rate for EUR on that day or in the 7 days before" in failed.error
    assert lake.ask(TOTALS) == []
