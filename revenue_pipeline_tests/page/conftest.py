"""Two days of one cohort, run once for all tests of the page."""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path

import pytest

from revenue_pipeline.partitions import Window
from revenue_pipeline.run import run_graph
from revenue_pipeline.settings import Settings
from revenue_pipeline_tests.conftest import ACME, impression, land_csv_in, settings_in

FIRST, LAST = date(2026, 11, 5), date(2026, 11, 6)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("page")
    land_csv = partial(land_csv_in, folder)
    settings = settings_in(folder, partners={"acme": ACME})
    for day, bought in (("2026-11-05", "1234.5"), ("2026-11-06", "0.25")):
        land_csv("events", day, [
            {**impression(f"begins {day}", day, user_id="ann", channel="</script>"), "event_name": "install"},
            {**impression(f"buys {day}", day, user_id="ann", revenue=bought), "event_name": "purchase"},
            {**impression(f"opens {day}", day, container_id="news"), "event_name": "open"},
        ])  # fmt: skip
    land_csv("costs", "2026-11-05", [
        {"cost_date": "2026-11-05", "channel": "search", "app_id": "game", "cost": "1000", "currency": "USD"},
    ])  # fmt: skip
    outcome = run_graph(settings, Window.between(FIRST, LAST), as_of=LAST)
    assert outcome.failures == []
    return settings


@pytest.fixture(scope="session")
def page(settings: Settings) -> Path:
    return Path(settings.storage.warehouse).with_name("reports.html")
