"""The settings that SQL reads: values as parameters, and small tables in a schema of their own, `settings`."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb

from revenue_pipeline.partitions import Window
from revenue_pipeline.settings import Settings
from revenue_pipeline.warehouse import Column, Table

GRAIN_COLUMNS = ("app_id", "platform", "country", "ad_format", "ad_unit_id")


PARTNERS = Table(
    "settings.partners",
    "",
    (
        Column("partner", "VARCHAR", "The partner's name."),
        Column("granularity", "VARCHAR", "`aggregated` or `user_level`."),
        Column("import_window_days", "INTEGER", "For how many days a day stays open."),
        *(
            Column(f"has_{column}", "BOOLEAN", f"Whether {column} is in the key.")
            for column in (*GRAIN_COLUMNS, "user_id")
        ),
    ),
    "The partners of the settings that ad revenue comes from.",
)
CONTAINERS = Table(
    "settings.containers",
    "",
    (
        Column("container_id", "VARCHAR", "The container."),
        Column("mpp_discount", "DECIMAL(18,9)", "The share of its automated opens that is taken off."),
    ),
    "The containers that have a discount of their own.",
)


START_EVENTS = Table(
    "settings.start_events",
    "",
    (Column("start_event", "VARCHAR", "An event that starts a cohort."),),
    "The events that start a cohort.",
)
OFFERS = Table(
    "settings.offers",
    "",
    (
        Column("offer_id", "VARCHAR", "The offer."),
        Column("attribution_window", "INTERVAL", "How long after a click a conversion still counts."),
    ),
    "The offers that have an attribution window of their own.",
)
SETTINGS_TABLES = (PARTNERS, CONTAINERS, START_EVENTS, OFFERS)


def attach_settings_tables(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make the tables of the schema `settings`, in memory, for as long as the connection lives."""
    connection.execute("ATTACH ':memory:' AS settings")
    for table in SETTINGS_TABLES:
        columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
        connection.execute(f"CREATE TABLE {table.name} ({columns})")
    for name, partner in settings.revenue_partners.items():
        grain = [column in partner.grain for column in GRAIN_COLUMNS]
        values = [name, partner.granularity, settings.window_days(name)]
        connection.execute(
            "INSERT INTO settings.partners VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [*values, *grain, partner.granularity == "user_level"],
        )
    for container, discount in settings.mpp_discount.containers.items():
        connection.execute("INSERT INTO settings.containers VALUES (?, ?)", [container, discount])
    for start_event in dict.fromkeys(settings.cohorts.start_events):
        connection.execute("INSERT INTO settings.start_events VALUES (?)", [start_event])
    for offer, window in settings.attribution.offers.items():
        connection.execute("INSERT INTO settings.offers VALUES (?, ?)", [offer, window])


def parameters(settings: Settings, window: Window, as_of: date) -> dict[str, Any]:
    """Give the value of every parameter that a `.sql` file may name."""
    return {
        "start_date": window.start,
        "end_date": window.end,
        "as_of": as_of,
        "default_import_window_days": settings.import_window_days,
        "default_mpp_discount": settings.mpp_discount.default,
        "max_days": settings.cohorts.max_days,
        "default_attribution_window": settings.attribution.default_window,
        "cost_per_segment": settings.messages.cost_per_segment,
        "reporting_currency": settings.reporting.currency,
        "reporting_timezone": settings.reporting.timezone,
    }
