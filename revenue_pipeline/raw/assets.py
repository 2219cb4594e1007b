"""The assets of `raw`: one for each landed dataset, one for each partner, and the rows that could not be used."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg

from revenue_pipeline.partitions import SINGLE_RUN, Window, is_closed, window_of
from revenue_pipeline.partners import connectors
from revenue_pipeline.partners.base import is_reachable
from revenue_pipeline.raw.accounts import landing_rules, open_connector
from revenue_pipeline.raw.datasets import EVENTS, FX_RATES, LANDED, PARTNER_REVENUE_FILES, REJECTED_ROWS, Dataset
from revenue_pipeline.raw.destination import Destination
from revenue_pipeline.raw.exchange_rates import load_exchange_rates
from revenue_pipeline.raw.files import LandingFolder
from revenue_pipeline.raw.imports import Batch, FailedDay, book, destinations, fetch_batches
from revenue_pipeline.raw.land import land, record_rejected
from revenue_pipeline.raw.published_rates import rate_publishers, rates_key
from revenue_pipeline.raw.slices import partner_key
from revenue_pipeline.raw.uploads import refused_rows, upload_check, upload_check_spec
from revenue_pipeline.run_day import RunDay
from revenue_pipeline.settings import FILES, Partner, Settings
from revenue_pipeline.settings_tables import parameters
from revenue_pipeline.sql_asset import (
    FRESHNESS,
    OWNERS,
    asset_key,
    check_file,
    check_specs,
    column_schema,
    run_check,
    run_metadata,
)
from revenue_pipeline.warehouse import Warehouse, quoted

IMPORT_CHECK = "import_succeeded"
EVENT_CHECKS = (check_file("raw", "event_ids_name_one_event"),)
REJECTED_CHECKS = (check_file("raw", "landed_rows_are_usable"),)


def raw_assets(settings: Settings, partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """Make the assets of the room.

    Raises:
        SettingsError: a partner asks for what its connector cannot do.
    """
    return [
        *(landed_asset(dataset, settings, partitions) for dataset in LANDED),
        *(partner_asset(partner, settings, partitions) for partner in settings.partners),
        rejected_rows_asset(settings, partitions),
    ]


def landed_asset(dataset: Dataset, settings: Settings, partitions: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """Make the asset that replaces the run's days of one dataset by what its landing folders hold."""
    table, rules = dataset.table, landing_rules(settings)
    needs = [asset_key(FX_RATES.table.name)] if dataset.needs_rates else []
    if dataset is FX_RATES:
        needs = [rates_key(partner) for partner in rate_publishers(settings)]
    checks = EVENT_CHECKS if dataset is EVENTS else ()
    answers = [upload_check_spec(asset_key(table.name))] if dataset.is_uploaded else []

    @dg.asset(
        key=asset_key(table.name),
        deps=needs,
        description=table.meaning,
        group_name="raw",
        kinds={"duckdb", "python"},
        owners=OWNERS,
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        check_specs=[*check_specs(asset_key(table.name), checks), *answers],
        metadata={"dagster/column_schema": column_schema(table.columns), "dagster/table_name": table.name},
        freshness_policy=FRESHNESS,
    )
    def land_files(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse], run_day: RunDay
    ) -> dg.MaterializeResult:
        window, as_of = window_of(context), run_day.as_of(context)
        landing = LandingFolder(settings.storage.landing)
        if dataset is not EVENTS and not landing.files(dataset.name, window.days):
            # Nothing changes, so nothing is opened: most projects land few of these datasets.
            return dg.MaterializeResult(
                metadata={"dagster/partition_row_count": 0, "window": str(window), "as_of": str(as_of), "folders": 0},
                check_results=[upload_check([]) for _ in answers],
            )
        who = f"run {context.run.run_id[:8]}, {table.name} of {window}"
        with warehouse.writing(context.log, who) as connection:
            landed = land(connection, dataset, landing, window, rules, as_of)
            sums = [dataset.converted[1]] if dataset.converted else []
            only = " AND ".join(f"{column} = {quoted(value)}" for column, value in (dataset.slice or {}).items())
            metadata = run_metadata(connection, table, window, as_of, landed.rows, sums, only or "TRUE")
            metadata |= {"folders": len(landed.days), "newly_rejected_rows": landed.rejected}
            values = parameters(settings, window, as_of)
            return dg.MaterializeResult(
                metadata=metadata,
                check_results=[
                    *(run_check(connection, asset_key(table.name), check, values) for check in checks),
                    *(upload_check(refused_rows(connection, dataset, landing, window, rules)) for _ in answers),
                ],
            )

    return land_files


def partner_asset(partner: str, settings: Settings, partitions: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """Make the asset that imports one partner: it replaces its slice of the tables that it fills, or lands its rates.

    It never fails for what a partner does: the days that came are booked, the others keep what was there, and a failed
    check names the cause and the remedy, so that everything downstream goes on with what did arrive.
    """
    connector = open_connector(settings, partner)  # a wrong setting is told now, not at the first import
    set_up = settings.partners[partner]
    filled = destinations(settings, partner)
    specs = [_partner_spec(partner, set_up, destination, partitions) for destination in filled]
    if partner in rate_publishers(settings):
        specs.append(_rates_spec(partner, set_up, partitions))
    import_window_days = settings.window_days(partner)

    @dg.multi_asset(
        name=f"import_{_as_name(partner)}",
        specs=specs,
        check_specs=[
            dg.AssetCheckSpec(
                IMPORT_CHECK,
                asset=specs[0].key,
                description="Every day that the partner was asked for came; a day that did not keeps what was there.",
            )
        ],
        can_subset=True,
        backfill_policy=SINGLE_RUN,
    )
    def import_partner(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse], run_day: RunDay
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        window, as_of = window_of(context), run_day.as_of(context)
        # Files cost nothing to read again, and a correction of a closed day may have been landed.
        asked_for_all = set_up.connector == FILES or not run_day.only_open_days
        days = [day for day in window.days if asked_for_all or not is_closed(day, as_of, import_window_days)]
        if run_day.only_reachable_days and connector is not None:
            days = [day for day in days if is_reachable(connector, day, as_of)]
        outcomes = fetch_batches(settings, partner, days, as_of, context.log)
        who = f"run {context.run.run_id[:8]}, {partner} of {window}"
        with warehouse.writing(context.log, who) as connection:
            book(connection, partner, outcomes, as_of)
            metadata = {
                partner_key(each.table, partner): _partner_metadata(connection, partner, each, outcomes, window, as_of)
                for each in filled
            }
        metadata[rates_key(partner)] = _rates_metadata(outcomes)
        for spec in specs:
            # The tables of a batch are written together, whichever of them was chosen.
            if spec.key in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=spec.key, metadata=metadata[spec.key])
        for check_key in context.selected_asset_check_keys:
            yield _import_check(check_key.asset_key, outcomes)

    return import_partner


def _as_name(partner: str) -> str:
    """Spell a partner's name as Dagster's names must be; different ones stay different."""
    return re.sub("[^A-Za-z0-9]", lambda found: "_" if found[0] == "_" else f"_{ord(found[0]):x}_", partner)


def _partner_spec(
    partner: str, set_up: Partner, destination: Destination, partitions: dg.DailyPartitionsDefinition
) -> dg.AssetSpec:
    table = destination.table
    detail = ""
    if set_up.granularity:
        detail = f", {set_up.granularity.replace('_', ' ')}, by {', '.join(set_up.grain) or 'day alone'}"
    return dg.AssetSpec(
        key=partner_key(table, partner),
        deps=[asset_key(FX_RATES.table.name)],
        description=f"What {partner} reports{detail}: its slice of {table.name}.",
        group_name="raw",
        kinds={"duckdb", "python", set_up.connector.replace("_", "")},
        owners=OWNERS,
        partitions_def=partitions,
        metadata={
            "dagster/column_schema": column_schema(table.columns),
            "dagster/table_name": table.name,
            **_documentation(set_up),
        },
        freshness_policy=FRESHNESS,
    )


def _rates_spec(partner: str, set_up: Partner, partitions: dg.DailyPartitionsDefinition) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=rates_key(partner),
        description=f"The exchange rates that {partner} publishes, landed as {FX_RATES.name} files.",
        group_name="raw",
        kinds={"python", set_up.connector.replace("_", "")},
        owners=OWNERS,
        partitions_def=partitions,
        metadata=_documentation(set_up),
        freshness_policy=FRESHNESS,
    )


def _documentation(set_up: Partner) -> dict[str, Any]:
    connector = connectors().get(set_up.connector)
    return {"documentation": dg.MetadataValue.url(connector.documentation)} if connector else {}


def _partner_metadata(
    connection: Any,
    partner: str,
    destination: Destination,
    outcomes: Sequence[Batch | FailedDay],
    window: Window,
    as_of: date,
) -> dict[str, Any]:
    rows = sum(len(outcome.lines[destination]) for outcome in outcomes if isinstance(outcome, Batch))
    sums = [destination.money] if destination.money else []
    only = " AND ".join(f"{column} = {quoted(value)}" for column, value in destination.slice_of(partner).items())
    return run_metadata(connection, destination.table, window, as_of, rows, sums, only) | _warnings(outcomes)


def _rates_metadata(outcomes: Sequence[Batch | FailedDay]) -> dict[str, Any]:
    rows = sum(outcome.landed for outcome in outcomes if isinstance(outcome, Batch))
    return {"dagster/partition_row_count": rows, **_warnings(outcomes)}


def _warnings(outcomes: Sequence[Batch | FailedDay]) -> dict[str, dg.MetadataValue]:
    """What a person should know of the days that came; nothing where there is nothing to say."""
    batches = [outcome for outcome in outcomes if isinstance(outcome, Batch)]
    lines = [f"**{batch.report_date}**: {warning}" for batch in batches for warning in batch.warnings]
    return {"warnings": dg.MetadataValue.md("\n\n".join(lines))} if lines else {}


def rejected_rows_asset(settings: Settings, partitions: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """Make the asset that shows what could not be used, and that reads the partner files which nobody else does."""
    files_partners = [name for name, partner in settings.partners.items() if partner.connector == FILES]
    landed = [asset_key(dataset.table.name) for dataset in LANDED]
    key = asset_key(REJECTED_ROWS.name)

    @dg.asset(
        key=key,
        deps=[*landed, *(dg.AssetKey(["raw", "partner_revenue", partner]) for partner in files_partners)],
        description=REJECTED_ROWS.meaning,
        group_name="raw",
        kinds={"duckdb", "python"},
        owners=OWNERS,
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        check_specs=check_specs(key, REJECTED_CHECKS),
        metadata={
            "dagster/column_schema": column_schema(REJECTED_ROWS.columns),
            "dagster/table_name": REJECTED_ROWS.name,
        },
        freshness_policy=FRESHNESS,
    )
    def gather_rejected_rows(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse], run_day: RunDay
    ) -> dg.MaterializeResult:
        window, as_of = window_of(context), run_day.as_of(context)
        with warehouse.writing(context.log, f"run {context.run.run_id[:8]}, rejected rows of {window}") as connection:
            _record_rejected_partner_files(connection, settings, window, as_of)
            values = parameters(settings, window, as_of)
            counted = connection.execute(
                f"SELECT count(*) FROM {REJECTED_ROWS.name} WHERE folder_date >= $start AND folder_date < $end",
                {"start": window.start, "end": window.end},
            ).fetchall()[0][0]
            return dg.MaterializeResult(
                metadata=run_metadata(connection, REJECTED_ROWS, window, as_of, counted),
                check_results=[run_check(connection, key, check, values) for check in REJECTED_CHECKS],
            )

    return gather_rejected_rows


def _record_rejected_partner_files(connection: Any, settings: Settings, window: Window, as_of: date) -> None:
    landing = LandingFolder(settings.storage.landing)
    landing.register(connection)
    rules = landing_rules(settings)
    load_exchange_rates(connection, landing, window, rules)
    record_rejected(connection, PARTNER_REVENUE_FILES, landing, window, rules, as_of)


def _import_check(key: dg.AssetKey, outcomes: Sequence[Batch | FailedDay]) -> dg.AssetCheckResult:
    failed = {outcome.report_date: outcome.error for outcome in outcomes if isinstance(outcome, FailedDay)}
    warned = {each.report_date: each.warnings[0] for each in outcomes if isinstance(each, Batch) and each.warnings}
    imported = Counter(isinstance(outcome, Batch) for outcome in outcomes)[True]
    told = f"{imported} days imported" + (f"; of {_summary(warned)}" if warned else "")
    errors = "\n\n".join(f"**{day}**: {error}" for day, error in failed.items())
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=IMPORT_CHECK,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=_summary(failed) if failed else told,
        metadata={
            "imported_days": imported,
            "failed_days": len(failed),
            **({"errors": dg.MetadataValue.md(errors)} if failed else {}),
            **_warnings(outcomes),
        },
    )


def _summary(told: dict[date, str]) -> str:
    """The first day and what is told of it, and how many more there are."""
    day, text = next(iter(told.items()))
    others = f" (and {len(told) - 1} more days)" if len(told) > 1 else ""
    return f"{day}: {text}{others}"
