"""Which exchange rate serves which day: the latest landed one on or before it, at most seven days old."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from threading import Lock

import duckdb

from revenue_pipeline.partitions import Window
from revenue_pipeline.partners.base import PartnerError
from revenue_pipeline.raw.datasets import FX_RATES
from revenue_pipeline.raw.files import LandingFolder
from revenue_pipeline.raw.landing import Rules, read_landed
from revenue_pipeline.warehouse import quoted

OLDEST_RATE_DAYS = 7
_EXACT = Context(prec=76)


def load_exchange_rates(
    connection: duckdb.DuckDBPyConnection, landing: LandingFolder, days: Window | Collection[date], rules: Rules
) -> None:
    """Make the temporary table `exchange_rates (rate_day, rate_currency, rate_units)` for some days.

    It is read from the landing folders themselves, so that a rate serves whether or not its day was materialised.
    `rate_units` is the rate in units of 10^-12; the reporting currency has no row. Of two rates for one currency in
    one folder the greater serves.
    """
    wanted = days.days if isinstance(days, Window) else days
    folder_days = {day - timedelta(days=age) for day in wanted for age in range(OLDEST_RATE_DAYS + 1)}
    folders = landing.files(FX_RATES.name, sorted(folder_days))
    rows = read_landed(connection, FX_RATES, [path for paths in folders.values() for path in paths], rules)
    served = ", ".join(f"DATE '{day}'" for day in wanted)
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
        FROM unnest(CAST([{served}] AS DATE[])) AS days (day)
        JOIN rates ON rate_date <= day AND rate_date >= day - {OLDEST_RATE_DAYS}
        GROUP BY day, currency
        """
    )


def rate_days(window: Window, late_arrival_days: int) -> Window:
    """Give the days that the rows of the folders of `window` can lie on: a late event has an earlier day's rate."""
    return Window(window.start - timedelta(days=late_arrival_days + 1), window.end + timedelta(days=1))


class ExchangeRates:
    """The rates for what one partner reports. Nothing is read before a rate is asked for; threads may share it."""

    def __init__(self, partner: str, landing: LandingFolder, rules: Rules, window: Window) -> None:
        """Read the rates of `window` at once when the first one is needed, and those of other days one by one."""
        self._partner = partner
        self._landing = landing
        self._rules = rules
        self._window = window
        self._lock = Lock()
        self._rates: dict[date, dict[str, Decimal]] = {}

    def rate(self, currency: str, day: date) -> Decimal:
        """Give how many units of the reporting currency one unit of `currency` is worth on `day`.

        Raises:
            PartnerError: no rate of that day or the seven before was landed.
            LandingError: a file of rates cannot be read.
        """
        if currency == self._rules.currency:
            return Decimal(1)
        with self._lock:
            if day not in self._rates:
                self._read(self._window if day in self._window else Window.of_day(day))
        rate = self._rates[day].get(currency)
        if rate is None:
            raise PartnerError(
                f"{self._partner} {day}: no exchange rate for {currency} on that day or in the 7 days before.",
                f"Land it under fx_rates/date={day} and import the day again.",
            )
        return rate

    def converted(self, amount: Decimal, currency: str, day: date) -> Decimal:
        """Give the amount in the reporting currency, rounded half away from zero to 9 digits."""
        rate = self.rate(currency, day)
        return rounded(amount) if rate == 1 else rounded(_EXACT.multiply(rounded(amount), rate))

    def _read(self, window: Window) -> None:
        with duckdb.connect(":memory:") as connection:
            connection.execute("SET TimeZone = 'UTC'")
            self._landing.register(connection)
            load_exchange_rates(connection, self._landing, window, self._rules)
            rows = connection.execute("SELECT rate_day, rate_currency, rate_units FROM exchange_rates").fetchall()
        self._rates |= {day: {} for day in window.days}
        for day, currency, units in rows:
            self._rates[day][currency] = _EXACT.scaleb(Decimal(units), -12)


def rounded(amount: Decimal, digits: int = 9) -> Decimal:
    """Round half away from zero."""
    return amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, _EXACT)
