"""The assets of `raw` as a run of the graph shows them: what fails, what goes on, and what a person is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from revenue_pipeline.definitions import JOB, build_defs
from revenue_pipeline.partitions import Window
from revenue_pipeline.run import run_graph
from revenue_pipeline.schedules import run_config, run_tags
from revenue_pipeline.settings import Settings
from revenue_pipeline.simulator import Simulator, World
from revenue_pipeline_tests.conftest import ACME, Land, MakeSettings, impression, rows_of

DAY, TEXT = date(2026, 11, 5), "2026-11-05"
CHECKED = dg.DagsterEventType.ASSET_CHECK_EVALUATION.value
RAW = 'key:"raw/*"'
REPORTED = "SELECT partner, sum(revenue) FROM raw.partner_revenue GROUP BY partner ORDER BY partner"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(World(first_day=DAY, last_day=DAY, scale=0.03), today=DAY) as simulator:
        yield simulator


def with_key(settings: Settings) -> Settings:
    return settings.model_copy(update={"secrets": {"KEY": SecretStr("secret-key")}})


def api(simulator: Simulator) -> dict[str, Any]:
    return {
        "connector": "applovin_max",
        "granularity": "aggregated",
        "base_url": f"{simulator.url}/applovin",
        "credentials": {"api_key": {"env": "KEY"}},
    }


def total(day: str, revenue: str, partner: str = "acme") -> dict[str, Any]:
    return {"partner": partner, "report_date": day, "revenue": revenue, "app_id": "game"}


def test_one_partners_failure_leaves_its_batch_the_other_partner_and_everything_downstream(
    make_settings: MakeSettings, land_csv: Land, simulator: Simulator
) -> None:
    settings = with_key(make_settings(partners={"max": api(simulator), "acme": ACME}))
    land_csv("events", TEXT, [impression("1", TEXT, revenue="0.5")])
    land_csv("partner_revenue", TEXT, [total(TEXT, "1")])
    assert run_graph(settings, Window.of_day(DAY), DAY, RAW).failures == []
    before = dict(rows_of(settings, REPORTED))
    assert before["acme"] == 1
    assert before["max"] > 0

    simulator.faults.add("unauthorized")
    land_csv("partner_revenue", TEXT, [total(TEXT, "2")])
    outcome = run_graph(settings, Window.of_day(DAY), DAY)

    assert outcome.succeeded
    (failure,) = outcome.failures
    assert failure.startswith("raw/partner_revenue/max import_succeeded: 2026-11-05: max 2026-11-05: ")
    assert "the partner refused the credentials" in failure
    assert "Check the environment variable KEY." in failure
    assert "secret-key" not in failure
    assert dict(rows_of(settings, REPORTED)) == {"acme": Decimal(2), "max": before["max"]}
    assert rows_of(settings, "SELECT sum(revenue) FROM core.allocated_revenue WHERE partner = 'acme'") == [(2,)]


def test_what_a_partner_says_of_a_day_is_shown_on_its_asset_and_its_check(
    make_settings: MakeSettings, simulator: Simulator
) -> None:
    apps = [{"platform": "ios", "application": "com.acme.other"}]
    partners = {"max": {**api(simulator), "granularity": "user_level", "options": {"apps": apps}}}
    settings = with_key(make_settings(partners=partners))
    events: list[dg.DagsterEvent] = []

    window = Window.between(date(2026, 11, 4), DAY)
    run_graph(settings, window, DAY, 'key:"raw/partner_revenue/max"', on_event=events.append)

    (check,) = [event.asset_check_evaluation_data for event in events if event.event_type_value == CHECKED]
    told = "AppLovin has no app com.acme.other on ios: check options.apps if it should have."
    assert check.passed
    assert check.description == f"2 days imported; of 2026-11-04: {told} (and 1 more days)"
    materialized = [
        event.step_materialization_data.materialization for event in events if event.is_step_materialization
    ]
    for metadata in (check.metadata, *(each.metadata for each in materialized)):
        assert metadata["warnings"].value == f"**2026-11-04**: {told}\n\n**2026-11-05**: {told}"


def test_a_refresh_asks_a_partner_for_its_open_days_only_and_reads_files_of_all(
    make_settings: MakeSettings, land_csv: Land, simulator: Simulator
) -> None:
    partners = {"max": {**api(simulator), "import_window_days": 2}, "acme": ACME}
    settings = with_key(make_settings(partners=partners))
    land_csv("partner_revenue", "2026-11-03", [total("2026-11-03", "1")])

    window = Window.between(date(2026, 11, 3), DAY)
    run_graph(settings, window, DAY, 'key:"raw/partner_revenue/max" or key:"raw/partner_revenue/acme"', True)

    asked = sorted({request.partition("start=")[2][:10] for request in simulator.requests})
    assert asked == ["2026-11-04", "2026-11-05"]
    assert rows_of(settings, REPORTED)[0] == ("acme", Decimal(1))


def test_a_probe_leaves_out_days_that_a_partner_reports_no_longer(make_settings: MakeSettings) -> None:
    last = DAY - timedelta(days=45)  # the oldest day that MAX still reports
    window = Window.between(last - timedelta(days=1), last)
    with Simulator(World(first_day=window.start, last_day=DAY, scale=0.03), today=DAY) as simulator:
        settings = with_key(make_settings(start_date=window.start, partners={"max": api(simulator)}))
        result = (
            build_defs(settings)
            .resolve_job_def(JOB)
            .execute_in_process(
                run_config=run_config(settings, DAY, only_open_days=False, only_reachable_days=True),
                tags=run_tags(window),
                asset_selection=[dg.AssetKey(["raw", "partner_revenue", "max"])],
            )
        )
        asked = {request.partition("start=")[2][:10] for request in simulator.requests}

    assert asked == {str(last)}
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True]


def test_rows_of_unknown_partners_are_recorded_even_where_no_partner_lands_files(
    make_settings: MakeSettings, land_csv: Land
) -> None:
    settings = make_settings()
    land_csv("partner_revenue", TEXT, [total(TEXT, "1", "stranger")])

    outcome = run_graph(settings, Window.of_day(DAY), DAY, 'key:"raw/rejected_rows"')

    assert outcome.failures == []
    assert any("landed_rows_are_usable" in warning for warning in outcome.warnings)
    assert rows_of(settings, "SELECT dataset, folder_date, file, reason, row->>'partner' FROM raw.rejected_rows") == [
        ("partner_revenue", DAY, "rows.csv", "unknown_partner", "stranger")
    ]


def test_an_event_id_seen_on_two_days_is_a_warning_and_two_events(make_settings: MakeSettings, land_csv: Land) -> None:
    settings = make_settings()
    land_csv("events", TEXT, [impression("twice", TEXT), impression("twice", "2026-11-06")])

    window = Window.between(DAY, date(2026, 11, 6))
    outcome = run_graph(settings, window, date(2026, 11, 6), 'key:"raw/events"')

    assert outcome.failures == []
    assert any("event_ids_name_one_event" in warning for warning in outcome.warnings)
    assert rows_of(settings, "SELECT count(*) FROM raw.events") == [(2,)]


def test_a_corrupt_partner_file_fails_its_partners_day_by_name_and_no_other_asset_of_a_partner(
    make_settings: MakeSettings, land_csv: Land
) -> None:
    settings = make_settings(partners={"acme": ACME})
    land_csv("partner_revenue", TEXT, [total(TEXT, "1")])
    bad = land_csv("partner_revenue", "2026-11-06", [total("2026-11-06", "1")], name="bad.parquet")

    window = Window.between(DAY, date(2026, 11, 6))
    outcome = run_graph(settings, window, date(2026, 11, 6), 'key:"raw/partner_revenue/acme"')

    (failure,) = outcome.failures
    assert str(bad) in failure
    assert rows_of(settings, "SELECT report_date, revenue FROM raw.partner_revenue") == [(DAY, Decimal(1))]
