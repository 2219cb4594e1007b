"""Which exchange rate serves which day: the latest landed one on or before it, at most seven days old."""

from __future__ import annotations

from datetime import timedelta

import duckdb

from revenue_pipeline.partitions import Window
from revenue_pipeline.raw.datasets import FX_RATES
from revenue_pipeline.raw.files import LandingFolder
from revenue_pipeline.raw.landing import Rules, read_landed
from revenue_pipeline.warehouse import quoted

OLDEST_RATE_DAYS = 7


def load_exchange_rates(
    connection: duckdb.DuckDBPyConnection, landing: LandingFolder, window: Window, rules: Rules
) -> None:
    """Make the temporary table `exchange_rates (rate_day, rate_currency, rate_units)` for the days of `window`.

    It is read from the landing folders themselves, so that a rate serves whether or not its day was materialised.
    `rate_units` is the rate in units of 10^-12; the reporting currency has no row. Of two rates for one currency in
    one folder the greater serves.
    """
    folders = landing.files(FX_RATES.name, window.widened(OLDEST_RATE_DAYS, 0).days)
    rows = read_landed(connection, FX_RATES, [path for paths in folders.values() for path in paths], rules)
    days = ", ".join(f"DATE '{day}'" for day in window.days)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE exchange_rates AS
        WITH rates AS (
            SELECT rate_date, currency, max(rate) AS rate FROM ({rows.usable})
            WHERE currency <> {quoted(rules.currency)} GROUP BY rate_date, currency
        )
        SELECT
            day AS rate_day,
            currency AS rate_currency,
            CAST(arg_max(rate, rate_date) * 1000000000000 AS HUGEINT) AS rate_units
        FROM unnest([{days}]) AS days (day)
        JOIN rates ON rate_date <= day AND rate_date >= day - {OLDEST_RATE_DAYS}
        GROUP BY day, currency
        """
    )


def rate_days(window: Window, late_arrival_days: int) -> Window:
    """Give the days that the rows of the folders of `window` can lie on: a late event has an earlier day's rate."""
    return Window(window.start - timedelta(days=late_arrival_days + 1), window.end + timedelta(days=1))
