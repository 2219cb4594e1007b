from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from revenue_pipeline import core, reports
from revenue_pipeline.catalog import all_tables
from revenue_pipeline.definitions import JOB, build_defs
from revenue_pipeline.raw.slices import writers
from revenue_pipeline.settings_tables import SETTINGS_TABLES
from revenue_pipeline.sql_asset import Check, SqlTable, column_lineage, run_check
from revenue_pipeline_tests.conftest import ACME, Land, MakeSettings, impression
from revenue_pipeline_tests.message_rows import ACTIVITY, activity
from revenue_pipeline_tests.sql_fixture import DAY, NEXT_DAY, TABLES, SqlFixture

RPM = next(table for table in reports.TABLES if table.name == "reports.rpm")


def metadata_of(result: dg.ExecuteInProcessResult, key: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(key)[:1]
    return {name: value.value for name, value in event.metadata.items()}


def test_a_run_shows_its_days_rows_sums_and_a_preview(make_settings: MakeSettings, land_csv: Land) -> None:
    settings = make_settings(partners={"acme": ACME})
    land_csv("events", "2026-11-05", [impression("1", "2026-11-05", revenue="0.25")])
    job = build_defs(settings).resolve_job_def(JOB)

    result = job.execute_in_process(partition_key="2026-11-05", run_config={
        "resources": {"run_day": {"config": {"as_of_date": "2026-11-05"}}}
    })  # fmt: skip

    shown = metadata_of(result, "core__reconciled_estimates")
    assert shown["window"] == "2026-11-05"
    assert shown["as_of"] == "2026-11-05"
    assert shown["dagster/partition_row_count"] == 1
    assert shown["sum_of_settled_revenue"] == "0.250000000"
    assert "estimated" in shown["preview"]
    assert "0.250000000" in shown["preview"]  # in full, through no float


def test_the_ui_shows_the_sql_and_what_each_column_means(make_settings: MakeSettings) -> None:
    node = build_defs(make_settings()).resolve_asset_graph().get(RPM.key)
    assert "FROM core.engagement_daily" in node.metadata["sql"].value
    schema = node.metadata["dagster/column_schema"]
    assert [(column.name, column.description) for column in schema.columns][-2] == (
        "rpm",
        "Revenue per 1,000 adjusted opens.",
    )


def test_columns_know_the_assets_they_come_from(make_settings: MakeSettings) -> None:
    settings = make_settings(partners={"acme": ACME, "other": ACME})
    known = (*all_tables(), *SETTINGS_TABLES)
    lineage = column_lineage(RPM, known, writers(settings)).deps_by_column
    assert {(dep.asset_key.to_user_string(), dep.column_name) for dep in lineage["rpm"]} == {
        ("core/engagement_daily", "revenue"),
        ("core/engagement_daily", "adjusted_opens"),
    }
    ledger = next(table for table in core.TABLES if table.name == "core.reconciled_estimates")
    lineage = column_lineage(ledger, known, writers(settings)).deps_by_column
    sources = {dep.asset_key.to_user_string() for dep in lineage["import_id"]}
    assert sources == {"raw/partner_revenue/acme", "raw/partner_revenue/other"}


@pytest.mark.parametrize("table", [*core.TABLES, *reports.TABLES], ids=lambda table: table.name)
def test_generated_checks_stop_what_is_downstream(table: SqlTable) -> None:
    generated = {check.name: check for check in table.all_checks}
    assert ("rows_are_unique" in generated) == bool(table.unique_by)
    assert ("ratios_are_finite" in generated) == bool(table.ratios)
    assert ("sums_are_conserved" in generated) == bool(table.conserves)
    names = {"rows_are_unique", "ratios_are_finite", "sums_are_conserved"}
    assert all(generated[name].blocking for name in names & set(generated))


def test_sums_that_are_not_those_of_the_facts_are_found(tmp_path: Path) -> None:
    sql, report = SqlFixture(tmp_path), TABLES["reports.offer_performance"]
    (check,) = [check for check in report.all_checks if check.name == "sums_are_conserved"]
    query = check.query.replace("$start_date", f"DATE '{DAY}'").replace("$end_date", f"DATE '{NEXT_DAY}'")
    sql.insert(ACTIVITY, activity("m1", offer_id="sofa", sends=2, revenue="0.000000001"), activity("m2", NEXT_DAY))

    lost = {"missing_segments": 0, "missing_clicks": 0, "missing_conversions": 0}
    assert sql.ask(query) == [
        {"event_date": DAY, "missing_sends": 2, **lost, "missing_revenue": Decimal("0.000000001")}
    ]
    sql.write(report.name)
    assert sql.ask(query) == []


def test_tables_written_together_can_be_selected_alone(make_settings: MakeSettings, land_csv: Land) -> None:
    settings = make_settings(partners={"acme": ACME})
    land_csv("events", "2026-11-05", [impression("1", "2026-11-05", revenue="0.25")])
    job = build_defs(settings).resolve_job_def(JOB)
    chosen = [dg.AssetKey(["raw", "events"]), dg.AssetKey(["core", "reconciled_estimates"])]

    result = job.execute_in_process(partition_key="2026-11-05", asset_selection=chosen)

    materialized = {event.asset_key for event in result.get_asset_materialization_events()}
    assert materialized == set(chosen)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (0, None),
        (1, "partner p0, impressions 0"),
        (3, "partner p0, impressions 0; and 2 more like it"),
        (99, "partner p0, impressions 0; and 9 or more like it"),
    ],
)
def test_a_check_that_fails_tells_its_first_row(bad: int, told: str | None) -> None:
    query = "SELECT 'p' || n AS partner, n AS impressions FROM range($bad) AS numbers (n)"
    check = Check("partners_are_known", "Partners should be known.", query, frozenset({"bad"}), blocking=False)
    with duckdb.connect() as connection:
        result = run_check(connection, dg.AssetKey(["core", "ledger"]), check, {"bad": bad})
    assert (result.passed, result.description) == (bad == 0, told)
