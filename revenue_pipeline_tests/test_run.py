from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from revenue_pipeline.partitions import Window
from revenue_pipeline.run import run_graph
from revenue_pipeline_tests.conftest import ACME, Land, MakeSettings, impression, rows_of

DAY = Window.of_day(date(2026, 11, 5))


def test_a_run_takes_money_from_files_to_the_report(make_settings: MakeSettings, land_csv: Land) -> None:
    settings = make_settings(partners={"acme": ACME})
    land_csv("events", "2026-11-05", [
        impression("1", "2026-11-05", revenue="0.01"),
        impression("2", "2026-11-05", revenue="0.03"),
        {**impression("3", "2026-11-05"), "event_name": "open"},
        {**impression("4", "2026-11-05"), "event_name": "open"},
    ])  # fmt: skip
    land_csv("partner_revenue", "2026-11-05", [
        {"partner": "acme", "report_date": "2026-11-05", "revenue": "0.08", "app_id": "game"},
    ])  # fmt: skip

    outcome = run_graph(settings, DAY, as_of=date(2026, 11, 5))

    assert outcome.failures == []
    assert rows_of(settings, "SELECT event_id, revenue FROM core.allocated_revenue ORDER BY event_id") == [
        ("1", Decimal("0.02")),
        ("2", Decimal("0.06")),
    ]
    assert rows_of(settings, "SELECT level, opens, revenue, rpm, is_final FROM reports.rpm") == [
        ("container", 2, Decimal("0.08"), 40.0, False)
    ]


def test_a_selection_runs_only_what_it_names(make_settings: MakeSettings, land_csv: Land) -> None:
    settings = make_settings(partners={"acme": ACME})
    land_csv("events", "2026-11-05", [impression("1", "2026-11-05", revenue="0.01")])

    assert run_graph(settings, DAY, selection='key:"raw/events"').failures == []

    assert rows_of(settings, "SELECT count(*) FROM raw.events") == [(1,)]
    assert rows_of(settings, "SELECT count(*) FROM core.reconciled_estimates") == [(0,)]


def test_days_beyond_the_clock_can_be_replayed(make_settings: MakeSettings, land_csv: Land) -> None:
    settings = make_settings(partners={"acme": ACME})
    land_csv("events", "2090-01-01", [impression("1", "2090-01-01", revenue="0.01")])

    outcome = run_graph(settings, Window.of_day(date(2090, 1, 1)), as_of=date(2090, 1, 1))

    assert outcome.failures == []
    assert rows_of(settings, "SELECT report_date, status FROM core.reconciled_estimates") == [
        (date(2090, 1, 1), "estimated")
    ]


def test_days_before_the_first_one_are_refused(make_settings: MakeSettings) -> None:
    with pytest.raises(ValueError, match="2026-10-31 is before start_date, 2026-11-01"):
        run_graph(make_settings(), Window.of_day(date(2026, 10, 31)))


def test_a_failure_names_the_step_and_the_file(make_settings: MakeSettings, tmp_path: pytest.TempPathFactory) -> None:
    settings = make_settings(partners={"acme": ACME})
    folder = tmp_path / "landing/events/date=2026-11-05"  # type: ignore[operator]
    folder.mkdir(parents=True)
    (folder / "broken.parquet").write_bytes(b"PAR1 but nothing more")

    outcome = run_graph(settings, DAY)

    assert not outcome.succeeded
    assert any("raw__events" in failure and "broken.parquet" in failure for failure in outcome.failures)


def test_every_event_of_the_run_is_told(make_settings: MakeSettings) -> None:
    told = []
    run_graph(make_settings(), DAY, on_event=told.append)
    started = {event.step_key for event in told if event.event_type_value == "STEP_START"}
    assert {"raw__events", "core__reconciled_estimates", "reports__rpm", "published__reports"} <= started
