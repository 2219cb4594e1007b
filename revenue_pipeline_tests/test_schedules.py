from __future__ import annotations

import json
from datetime import date, datetime, timezone

import dagster as dg
import pytest
from pydantic import SecretStr

from revenue_pipeline.definitions import build_defs
from revenue_pipeline.partitions import Window
from revenue_pipeline.raw.imports import restated_days
from revenue_pipeline.run import run_graph
from revenue_pipeline.schedules import affected_days, landed_folders, probe_windows, refresh_windows, unsettled_days
from revenue_pipeline.simulator import Simulator, World
from revenue_pipeline_tests.conftest import ACME, Land, MakeSettings, impression, rows_of

START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def windows(settings: object, as_of: date) -> list[tuple[date, date]]:
    return [(window.start, window.last) for window in refresh_windows(settings, as_of)]  # type: ignore[arg-type]


def test_the_trailing_window_is_three_days_today_included(make_settings: MakeSettings) -> None:
    assert windows(make_settings(), date(2026, 11, 20)) == [(date(2026, 11, 18), date(2026, 11, 20))]


def test_the_longest_window_of_a_partner_counts(make_settings: MakeSettings) -> None:
    settings = make_settings(partners={"acme": {**ACME, "import_window_days": 5}})
    assert windows(settings, date(2026, 11, 20)) == [(date(2026, 11, 16), date(2026, 11, 20))]


def test_another_time_zone_takes_one_more_day(make_settings: MakeSettings) -> None:
    settings = make_settings(partners={"acme": {**ACME, "timezone": "America/Los_Angeles"}})
    assert windows(settings, date(2026, 11, 20)) == [(date(2026, 11, 17), date(2026, 11, 20))]


def test_no_day_lies_before_the_first(make_settings: MakeSettings) -> None:
    assert windows(make_settings(), date(2026, 11, 1)) == [(date(2026, 11, 1), date(2026, 11, 1))]
    assert windows(make_settings(), date(2026, 10, 1)) == []


def test_a_closed_day_is_settled_however_long_the_outage_was(make_settings: MakeSettings, land_csv: Land) -> None:
    settings = make_settings(partners={"acme": ACME})
    land_csv("events", "2026-11-05", [impression("1", "2026-11-05", revenue="0.01")])
    run_graph(settings, Window.of_day(date(2026, 11, 5)), as_of=date(2026, 11, 5))
    assert unsettled_days(settings, date(2026, 11, 7)) == []
    assert unsettled_days(settings, date(2026, 11, 8)) == [date(2026, 11, 5)]

    refreshed = refresh_windows(settings, date(2026, 11, 20))
    assert [(window.start, window.last) for window in refreshed] == [
        (date(2026, 11, 5), date(2026, 11, 5)),
        (date(2026, 11, 18), date(2026, 11, 20)),
    ]
    for window in refreshed:
        assert run_graph(settings, window, as_of=date(2026, 11, 20), only_open_days=True).failures == []

    assert rows_of(settings, "SELECT status FROM core.reconciled_estimates") == [("expired",)]
    assert unsettled_days(settings, date(2026, 11, 20)) == []


def test_a_day_computed_while_it_was_open_becomes_final_once_it_is_closed(
    make_settings: MakeSettings, land_csv: Land
) -> None:
    settings = make_settings(partners={"acme": ACME})
    land_csv("events", "2026-11-05", [impression("1", "2026-11-05", revenue="0.01")])
    land_csv("partner_revenue", "2026-11-05", [
        {"partner": "acme", "report_date": "2026-11-05", "revenue": "0.02", "app_id": "game"},
    ])  # fmt: skip
    run_graph(settings, Window.of_day(date(2026, 11, 5)), as_of=date(2026, 11, 7))
    assert rows_of(settings, "SELECT is_final FROM reports.rpm") == [(False,)]

    for window in refresh_windows(settings, date(2026, 11, 8)):
        run_graph(settings, window, as_of=date(2026, 11, 8), only_open_days=True)

    assert rows_of(settings, "SELECT is_final FROM reports.rpm") == [(True,)]


def test_the_schedule_asks_for_one_run_of_the_window_as_of_its_tick(make_settings: MakeSettings) -> None:
    definitions = build_defs(make_settings())
    schedule = definitions.resolve_schedule_def("refresh_trailing_window")
    context = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 11, 20, 21, 17, tzinfo=timezone.utc))

    (request,) = schedule.evaluate_tick(context).run_requests

    assert (request.tags[START], request.tags[END]) == ("2026-11-18", "2026-11-20")
    day = request.run_config["resources"]["run_day"]["config"]
    assert (day["as_of_date"], day["only_open_days"]) == ("2026-11-20", True)


def test_the_page_has_a_schedule_of_its_own_and_a_refresh_leaves_it(
    make_settings: MakeSettings, land_csv: Land
) -> None:
    settings = make_settings()
    page = settings.storage.warehouse.with_name("reports.html")
    land_csv("events", "2026-11-05", [impression("1", "2026-11-05", revenue="0.01")])
    day = date(2026, 11, 5)
    assert run_graph(settings, Window.of_day(day), as_of=day, only_open_days=True).failures == []
    assert not page.exists()

    definitions = build_defs(settings)
    context = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 11, 5, 5, 47, tzinfo=timezone.utc))
    (request,) = definitions.resolve_schedule_def("write_page").evaluate_tick(context).run_requests
    assert definitions.resolve_job_def("page").execute_in_process(run_config=request.run_config).success

    assert "As of 2026-11-05" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("as_of", "days"),
    [
        (date(2026, 11, 30), ["2026-11-15", "2026-11-22"]),
        (date(2026, 12, 1), ["2026-11-01 to 2026-11-30"]),
        (date(2027, 1, 1), ["2026-12-01 to 2026-12-31"]),
        (date(2026, 11, 10), ["2026-11-02"]),  # before it nothing is there
    ],
)
def test_a_probe_asks_again_for_days_long_closed(make_settings: MakeSettings, as_of: date, days: list[str]) -> None:
    assert list(map(str, probe_windows(make_settings(), as_of))) == days


def test_a_probe_takes_the_days_around_where_zones_differ(make_settings: MakeSettings) -> None:
    settings = make_settings(partners={"acme": {**ACME, "timezone": "America/Los_Angeles"}})
    found = list(map(str, probe_windows(settings, date(2026, 11, 30))))
    assert found == ["2026-11-14 to 2026-11-16", "2026-11-21 to 2026-11-23"]


def test_a_probe_is_off_until_turned_on_and_books_what_changed_as_a_dated_restatement(
    make_settings: MakeSettings,
) -> None:
    closed, ninth = date(2026, 11, 5), date(2026, 11, 13)
    with Simulator(World(first_day=closed, last_day=ninth, scale=0.03), today=ninth) as simulator:
        partner = {
            "connector": "applovin_max",
            "granularity": "aggregated",
            "base_url": f"{simulator.url}/applovin",
            "credentials": {"api_key": {"env": "KEY"}},
        }
        settings = make_settings(partners={"max": partner})
        settings = settings.model_copy(update={"secrets": {"KEY": SecretStr("key")}})
        imported = 'key:"raw/partner_revenue/max" or key:"reports/restatements"'
        run_graph(settings, Window.of_day(closed), closed, imported)
        simulator.faults.add("restated", value=10)

        definitions = build_defs(settings, ninth)
        schedule = definitions.resolve_schedule_def("probe_closed_days")
        assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
        tick = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 11, 13, 6, 47, tzinfo=timezone.utc))
        (request,) = schedule.evaluate_tick(tick).run_requests
        assert (request.tags[START], request.tags[END]) == ("2026-11-05", "2026-11-05")
        result = definitions.resolve_job_def("revenue").execute_in_process(
            run_config=request.run_config,
            tags=request.tags,
            asset_selection=[dg.AssetKey(["raw", "partner_revenue", "max"]), dg.AssetKey(["reports", "restatements"])],
        )

    assert result.success
    (warned,) = [check for check in result.get_asset_check_evaluations() if check.check_name == "closed_days_stand"]
    assert not warned.passed
    assert warned.severity == dg.AssetCheckSeverity.WARN
    first, second = rows_of(settings, "SELECT revenue, change, as_of FROM reports.restatements ORDER BY imported_at")
    assert (first[1], first[2], second[2]) == (None, closed, ninth)
    assert second[1] == second[0] - first[0]
    assert float(second[0] / first[0]) == pytest.approx(1.1, abs=0.001)


def test_a_probe_asks_also_for_the_days_that_a_partner_says_it_changed(make_settings: MakeSettings) -> None:
    first, today = date(2026, 11, 1), date(2026, 11, 27)
    with Simulator(World(first_day=first, last_day=today, scale=0.3), today=today) as simulator:
        partner = {
            "connector": "impact",
            "timezone": "UTC",
            "base_url": f"{simulator.url}/impact",
            "credentials": {"account_sid": {"env": "SID"}, "auth_token": {"env": "TOKEN"}},
        }
        settings = make_settings(partners={"impact": partner})
        settings = settings.model_copy(update={"secrets": {"SID": SecretStr("account"), "TOKEN": SecretStr("token")}})
        told = restated_days(settings, "impact", date(2026, 11, 25), today)
        schedule = build_defs(settings, today).resolve_schedule_def("probe_closed_days")

        def probed() -> list[str]:
            at = datetime(2026, 11, 27, 6, 47, tzinfo=timezone.utc)
            requests = schedule.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=at)).run_requests
            windows = [
                Window.between(*map(date.fromisoformat, (each.tags[START], each.tags[END]))) for each in requests
            ]
            return [str(day) for window in windows for day in window.days]

        assert told
        open_days = {date(2026, 11, day) for day in (25, 26, 27)}
        assert told & open_days  # else this proves nothing, nor without the next line
        assert not told <= {date(2026, 11, 12), date(2026, 11, 19), *open_days}
        assert probed() == sorted({"2026-11-12", "2026-11-19", *map(str, told - open_days)})
        simulator.faults.add("unauthorized", "impact")
        assert probed() == ["2026-11-12", "2026-11-19"]


def test_a_landed_folder_of_events_concerns_the_days_whose_events_it_may_hold(make_settings: MakeSettings) -> None:
    settings = make_settings()
    assert affected_days(settings, ["events/date=2026-11-10"], date(2026, 11, 20)) == {
        date(2026, 11, day) for day in (7, 8, 9, 10, 11)
    }
    assert affected_days(settings, ["costs/date=2026-11-10"], date(2026, 11, 20)) == {date(2026, 11, 10)}
    assert affected_days(settings, ["costs/date=2026-11-21"], date(2026, 11, 20)) == set()


def test_a_landed_folder_of_rates_concerns_the_days_that_its_rates_may_serve(make_settings: MakeSettings) -> None:
    settings = make_settings()
    assert affected_days(settings, ["fx_rates/date=2026-11-10"], date(2026, 11, 30)) == {
        date(2026, 11, day) for day in range(10, 18)
    }
    assert affected_days(settings, ["fx_rates/date=2026-11-20"], date(2026, 11, 20)) == {date(2026, 11, 20)}


def test_the_sensor_runs_new_files_once_and_changed_ones_again(make_settings: MakeSettings, land_csv: Land) -> None:
    settings = make_settings(start_date=date(2026, 1, 1))
    today = settings.today().isoformat()
    definitions = build_defs(settings)
    sensor = definitions.resolve_sensor_def("newly_landed_files")

    def look(cursor: str | None) -> tuple[list[dict[str, str]], str | None]:
        with dg.instance_for_test() as instance:
            tick = sensor.evaluate_tick(dg.build_sensor_context(instance, cursor=cursor, definitions=definitions))
        return [request.tags for request in tick.run_requests], tick.cursor

    assert look(None)[0] == []
    path = land_csv("costs", today, [{"cost_date": today, "channel": "meta", "cost": "1", "currency": "USD"}])
    requests, cursor = look(None)
    assert [(tags[START], tags[END]) for tags in requests] == [(today, today)]
    assert look(cursor)[0] == []
    path.write_text(path.read_text() + f"{today},google,2,USD\n")
    assert len(look(cursor)[0]) == 1
    assert list(json.loads(cursor or "")) == list(landed_folders(settings, settings.today()))
