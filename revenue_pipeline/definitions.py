"""Assembly only: everything that Dagster is to know of, put together from the settings."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg

from revenue_pipeline import core, reports
from revenue_pipeline.catalog import all_macros, all_tables, published_tables
from revenue_pipeline.page import build_page
from revenue_pipeline.partitions import SINGLE_RUN, daily_partitions
from revenue_pipeline.publish import PublishedCopy
from revenue_pipeline.raw.assets import raw_assets
from revenue_pipeline.raw.slices import writers
from revenue_pipeline.run_day import RunDay
from revenue_pipeline.schedules import landing_sensor, page_schedule, probe_schedule, refresh_schedule, zones_differ
from revenue_pipeline.settings import Settings, load_settings
from revenue_pipeline.settings_tables import SETTINGS_TABLES, attach_settings_tables
from revenue_pipeline.sql_asset import OWNERS, sql_assets
from revenue_pipeline.warehouse import WRITTEN_DAYS, Warehouse

JOB = "revenue"
REFRESH_JOB = "refresh"
PAGE_JOB = "page"
PAGE = dg.AssetKey(["published", "page"])


def open_warehouse(settings: Settings) -> Warehouse:
    """Give the warehouse that the settings name."""
    return Warehouse(
        settings.storage.warehouse,
        settings.storage.memory_limit,
        all_tables(),
        lambda connection: attach_settings_tables(connection, settings),
        all_macros(),
    )


def build_defs(
    settings: Settings | None = None, last_day: date | None = None, resources: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """Put the project together.

    Args:
        settings: what to build from; `None` loads them.
        last_day: the last partition where it is not today, for replays of days the clock has not reached.
        resources: replace those of the same name, `warehouse` and `run_day`: for tests.
    """
    settings = settings or load_settings()
    partitions = daily_partitions(settings.start_date, settings.reporting.timezone, last_day)
    known = (*all_tables(), *SETTINGS_TABLES)
    assets = [
        *raw_assets(settings, partitions),
        *(
            sql_assets(tables, settings, partitions, known, writers(settings), zones_differ(settings))
            for tables in (*core.GROUPS, *reports.GROUPS)
        ),
        published_asset(settings, partitions),
        page_asset(settings),
    ]
    # One process a run: the writer's lock lets one step write at a time anyway, and a process costs seconds.
    executor = dg.in_process_executor
    everything, page = dg.AssetSelection.all(), dg.AssetSelection.assets(PAGE)
    jobs = [
        dg.define_asset_job(JOB, everything, description="The whole graph over the days of the run."),
        # What looks at all users of a year has no place in what runs three times a day.
        dg.define_asset_job(
            REFRESH_JOB, everything - page, description="The graph over the days of the run, without the page."
        ),
        dg.define_asset_job(PAGE_JOB, page, description="The page of reports alone."),
    ]
    return dg.Definitions(
        assets=assets,
        jobs=jobs,
        schedules=[
            refresh_schedule(REFRESH_JOB, settings),
            page_schedule(PAGE_JOB, settings),
            probe_schedule(REFRESH_JOB, settings),
        ],
        sensors=[landing_sensor(REFRESH_JOB, settings)],
        resources={
            "warehouse": open_warehouse(settings),
            "run_day": RunDay(timezone=settings.reporting.timezone),
            **(resources or {}),
        },
        executor=executor,
    )


def published_asset(settings: Settings, partitions: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """Make the asset that ends a run: the read-only copy for people and BI tools."""
    copy = PublishedCopy(settings.storage.warehouse)

    @dg.asset(
        key=["published", "reports"],
        deps=[table.key for table in (*core.TABLES, *reports.TABLES) if table.name in _published_names()],
        description=(
            "The copy that people and BI tools open, `" + copy.path.name + "`: the reports, the macros that answer "
            "questions and what they read, the certificate of conservation and the log of imports, replaced in one "
            "step at the end of a run."
        ),
        group_name="reports",
        kinds={"duckdb", "parquet"},
        owners=OWNERS,
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
    )
    def publish(context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult:
        with warehouse.writing(context.log, f"run {context.run.run_id[:8]}, publishing") as connection:
            days = copy.publish(connection, published_tables(), all_macros())
        return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path(copy.path), "published_days": days})

    return publish


def page_asset(settings: Settings) -> dg.AssetsDefinition:
    """Make the asset that writes the page of reports, `reports.html`, from the published copy.

    It has no days of its own: there is one page, and its pictures would be stored again for every day of a run.
    """
    path = PublishedCopy(settings.storage.warehouse).path.with_name("reports.html")

    @dg.asset(
        key=PAGE,
        deps=[dg.AssetKey(["published", "reports"])],
        description=f"The page that people open in a browser, `{path.name}`: cohorts, charts and the last days.",
        group_name="reports",
        kinds={"html"},
        owners=OWNERS,
    )
    def write_page(context: dg.AssetExecutionContext, run_day: RunDay) -> dg.MaterializeResult:
        page = build_page(settings, run_day.as_of(context))
        page.write(path)
        pictures = {title: dg.MetadataValue.md(picture) for title, picture in page.pictures.items()}
        return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path(path), **pictures})

    return write_page


def _published_names() -> set[str]:
    return {table.name for table in published_tables()} - {WRITTEN_DAYS.name}


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads; not built before it asks, so that importing this module needs no settings."""
    return build_defs()
