"""Rates that an API publishes: landed as files, and used by whatever else the same run imports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from revenue_pipeline.partitions import Window
from revenue_pipeline.raw.accounts import open_connector
from revenue_pipeline.raw.published_rates import rate_publishers
from revenue_pipeline.run import run_graph
from revenue_pipeline.schedules import landed_folders
from revenue_pipeline.settings import Settings, SettingsError
from revenue_pipeline.simulator import Simulator, World
from revenue_pipeline_tests.conftest import MakeSettings, rows_of

SUNDAY = date(2026, 11, 8)
SATURDAY, MONDAY = SUNDAY - timedelta(days=1), SUNDAY + timedelta(days=1)
WORLD = World(first_day=SATURDAY, last_day=MONDAY, scale=0.05)
RAW = 'key:"raw/*" or key:"landing/*"'


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(WORLD, today=MONDAY) as simulator:
        yield simulator


@pytest.fixture
def settings(make_settings: MakeSettings, simulator: Simulator) -> Settings:
    """Meta charges euros, and the rates come from an API alone."""
    partners = {
        "ecb": {
            "connector": "frankfurter",
            "base_url": f"{simulator.url}/frankfurter",
            "options": {"currencies": ["EUR"]},
        },
        "meta": {
            "connector": "meta_ads",
            "base_url": f"{simulator.url}/meta_ads",
            "credentials": {"access_token": {"env": "KEY"}},
            "options": {"account_id": "1"},
        },
    }
    return make_settings(partners=partners).model_copy(update={"secrets": {"KEY": SecretStr("a-secret-key")}})


def landed(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    files = sorted(Path(settings.storage.landing, "fx_rates").rglob("*"))
    return {
        str(file.relative_to(settings.storage.landing)): [json.loads(line) for line in file.read_text().splitlines()]
        for file in files
        if file.is_file()
    }


def test_rates_are_there_before_anything_that_needs_them(settings: Settings, simulator: Simulator) -> None:
    outcome = run_graph(settings, Window.between(SUNDAY, MONDAY), MONDAY, RAW)

    assert outcome.failures == []
    rates = {day: WORLD.exchange_rate(day) for day in (SATURDAY, MONDAY)}
    assert landed(settings) == {  # Sunday has no rates: asked for it, the publisher gave Saturday's
        f"fx_rates/date={day}/ecb.ndjson": [{"rate_date": str(day), "currency": "EUR", "rate": f"{rate:.12f}"}]
        for day, rate in rates.items()
    }
    assert rows_of(settings, "SELECT rate_date, rate FROM raw.fx_rates") == [(MONDAY, rates[MONDAY])]
    costs = rows_of(settings, "SELECT cost_date, sum(cost), sum(reporting_cost) FROM raw.costs GROUP BY ALL ORDER BY 1")
    assert [day for day, _, _ in costs] == [SUNDAY, MONDAY]
    for (_, cost, converted), rate in zip(costs, (rates[SATURDAY], rates[MONDAY]), strict=True):
        assert abs(converted - cost * (rate or 0)) < Decimal("0.0000001")
    imports = "SELECT report_date, rows, error FROM raw.partner_imports WHERE partner = 'ecb' ORDER BY 1"
    assert rows_of(settings, imports) == [(SUNDAY, 1, None), (MONDAY, 1, None)]


def test_a_failure_keeps_the_rates_that_were_landed_and_fails_a_check(settings: Settings, simulator: Simulator) -> None:
    run_graph(settings, Window.of_day(MONDAY), MONDAY, RAW)
    before = landed(settings)
    simulator.faults.add("not_json", "frankfurter")

    outcome = run_graph(settings, Window.of_day(MONDAY), MONDAY, RAW)

    (failure,) = outcome.failures
    assert failure.startswith("landing/fx_rates/ecb import_succeeded: ")
    assert landed(settings) == before
    assert rows_of(settings, "SELECT count(*) > 0 FROM raw.costs") == [(True,)]


def test_a_file_that_says_the_same_is_left_alone_and_starts_no_run(settings: Settings) -> None:
    run_graph(settings, Window.of_day(MONDAY), MONDAY, 'key:"landing/fx_rates/ecb"')
    (file,) = Path(settings.storage.landing, "fx_rates").rglob("ecb.ndjson")
    written, folders = file.stat().st_mtime_ns, landed_folders(settings, MONDAY)
    run_graph(settings, Window.of_day(MONDAY), MONDAY, 'key:"landing/fx_rates/ecb"')
    assert file.stat().st_mtime_ns == written

    file.write_text("")
    assert landed_folders(settings, MONDAY) == folders
    file.with_name("by_hand.csv").write_text("rate_date,currency,rate\n")
    assert landed_folders(settings, MONDAY) != folders


def test_rates_into_another_currency_are_a_mistake_in_the_settings(settings: Settings) -> None:
    assert rate_publishers(settings) == ["ecb"]
    euro = settings.partners["ecb"].model_copy(update={"currency": "EUR"})
    wrong = settings.model_copy(update={"partners": {"ecb": euro}})
    with pytest.raises(SettingsError, match=r"partners\.ecb\.currency: its rates are into USD"):
        open_connector(wrong, "ecb")
