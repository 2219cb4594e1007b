"""Which rate serves, and how amounts are converted with it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revenue_pipeline.partitions import Window
from revenue_pipeline.raw.datasets import COSTS, FX_RATES
from revenue_pipeline.raw.exchange_rates import load_exchange_rates, rate_days
from revenue_pipeline.raw.files import LandingError, LandingFolder
from revenue_pipeline.raw.values import converted_amount
from revenue_pipeline.warehouse import WarehouseError
from revenue_pipeline_tests.raw.conftest import COST_HEADER, DAY, UTC_RULES, Lake

NINE_DIGITS = Decimal("0.000000001")


def put_rate(lake: Lake, day: date, rate: str, currency: str = "EUR", name: str = "rates.csv") -> None:
    lake.put("fx_rates", name, f"rate_date,currency,rate\n{day},{currency},{rate}\n", day)


def rates(lake: Lake, window: Window) -> dict[tuple[date, str], Decimal]:
    load_exchange_rates(lake.connection, LandingFolder(str(lake.landing)), window, UTC_RULES)
    found = lake.ask("SELECT rate_day, rate_currency, rate_units FROM exchange_rates")
    return {(day, currency): Decimal(units).scaleb(-12) for day, currency, units in found}


def test_the_latest_rate_on_or_before_the_day_serves_for_seven_days_and_no_longer(lake: Lake) -> None:
    put_rate(lake, DAY, "1.1")
    put_rate(lake, DAY + timedelta(days=3), "1.2")

    found = rates(lake, Window.between(DAY - timedelta(days=1), DAY + timedelta(days=11)))

    assert {(day - DAY).days: rate for (day, _), rate in found.items()} == {
        **dict.fromkeys([0, 1, 2], Decimal("1.1")),
        **dict.fromkeys(range(3, 11), Decimal("1.2")),
    }


def test_rates_serve_from_their_folders_though_no_day_of_them_was_materialised(lake: Lake) -> None:
    put_rate(lake, DAY - timedelta(days=7), "2")
    lake.put("costs", "a.csv", f"{COST_HEADER}\n2026-10-05,ads,3,EUR\n")

    lake.land(COSTS)

    assert lake.ask("SELECT cost, currency, reporting_cost FROM raw.costs") == [(Decimal(3), "EUR", Decimal(6))]
    assert lake.ask("SELECT count(*) FROM raw.fx_rates") == [(0,)]


def test_a_rate_of_eight_days_ago_is_too_old_and_the_error_names_currency_and_day(lake: Lake) -> None:
    put_rate(lake, DAY - timedelta(days=8), "2")
    lake.put("costs", "a.csv", f"{COST_HEADER}\n2026-10-05,ads,3,EUR\n")

    with pytest.raises((LandingError, WarehouseError), match="EUR on 2026-10-05"):
        lake.land(COSTS)

    assert lake.ask("SELECT count(*) FROM raw.costs") == [(0,)]


def test_the_greatest_of_two_rates_of_one_day_serves_and_is_kept(lake: Lake) -> None:
    put_rate(lake, DAY, "1.1", name="a.csv")
    put_rate(lake, DAY, "1.3", name="b.csv")
    put_rate(lake, DAY, "1.2", name="c.csv")

    assert rates(lake, Window.of_day(DAY)) == {(DAY, "EUR"): Decimal("1.3")}
    lake.land(FX_RATES)
    assert lake.ask("FROM raw.fx_rates") == [(DAY, "EUR", Decimal("1.3"))]


def test_rates_that_cannot_be_used_do_not_serve(lake: Lake) -> None:
    put_rate(lake, DAY, "0", name="a.csv")
    put_rate(lake, DAY, "2", currency="XXY", name="b.csv")
    lake.put("fx_rates", "c.csv", "rate_date,currency,rate\n2026-10-04,EUR,9\n")  # of another day than its folder

    assert rates(lake, Window.of_day(DAY)) == {}


def test_the_reporting_currency_needs_no_rate_and_has_none(lake: Lake) -> None:
    put_rate(lake, DAY, "7", currency="USD")
    lake.put("costs", "a.csv", f"{COST_HEADER}\n2026-10-05,ads,3,USD\n")

    lake.land(COSTS)

    assert lake.column("SELECT reporting_cost FROM raw.costs") == [Decimal(3)]


@pytest.mark.parametrize(
    ("amount", "rate", "converted"),
    [
        ("0.000000001", "0.5", "0.000000001"),
        ("-0.000000001", "0.5", "-0.000000001"),
        ("0.000000001", "0.499999999999", "0"),
        ("0.000000003", "1.5", "0.000000005"),  # 4.5 units: away from zero, never to the even 4
        ("-0.000000003", "1.5", "-0.000000005"),
        ("123456789.123456789", "1", "123456789.123456789"),
        ("0.1", "3", "0.3"),
    ],
)
def test_conversion_rounds_half_away_from_zero_at_the_ninth_digit(
    lake: Lake, amount: str, rate: str, converted: str
) -> None:
    put_rate(lake, DAY, rate)
    lake.put("costs", "a.csv", f"{COST_HEADER}\n2026-10-05,ads,{amount},EUR\n")

    lake.land(COSTS)

    assert lake.column("SELECT reporting_cost FROM raw.costs") == [Decimal(converted)]


def test_a_large_total_is_converted_as_long_as_the_result_fits_its_column(lake: Lake) -> None:
    put_rate(lake, DAY, "2")
    lake.put("costs", "a.csv", f"{COST_HEADER}\n2026-10-05,ads,{10**28},EUR\n")  # the column holds 29 digits

    lake.land(COSTS)

    assert lake.column("SELECT reporting_cost FROM raw.costs") == [Decimal(2 * 10**28)]


@given(
    amount=st.integers(-(10**17), 10**17).map(lambda units: Decimal(units).scaleb(-9)),
    rate=st.integers(1, 10**15).map(lambda units: Decimal(units).scaleb(-12)),
)
@settings(max_examples=25, deadline=None)
def test_sql_converts_as_decimal_arithmetic_does(amount: Decimal, rate: Decimal) -> None:
    exact = Context(prec=60)
    expected = exact.multiply(amount, rate).quantize(NINE_DIGITS, ROUND_HALF_UP, exact)
    assert converted_by_sql(amount, int(rate.scaleb(12))) == expected


def converted_by_sql(amount: Decimal, rate_units: int) -> Decimal:
    sql = converted_amount("amount", "rate_units")
    literals = f"CAST('{amount:f}' AS DECIMAL(18,9)) AS amount, CAST({rate_units} AS HUGEINT) AS rate_units"
    found: Decimal = duckdb.execute(f"SELECT {sql} FROM (SELECT {literals})").fetchall()[0][0]
    return found


def test_a_late_events_rate_is_that_of_its_own_day() -> None:
    assert rate_days(Window.of_day(DAY), late_arrival_days=2) == Window.between(
        DAY - timedelta(days=3), DAY + timedelta(days=1)
    )


def test_a_partners_rates_do_not_depend_on_the_machines_time_zone(lake: Lake) -> None:
    row = "SELECT TIMESTAMPTZ '2026-10-05 00:00:00+00' AS rate_date, 'EUR' AS currency, 1.5::DECIMAL(18,9) AS rate"
    lake.put_parquet("fx_rates", "a.parquet", row)
    code = (
        "import logging, sys\n"
        "from datetime import date\n"
        "from revenue_pipeline.settings import Settings\n"
        "from revenue_pipeline.raw.imports import fetch_batches\n"
        "partner = {'connector': 'files', 'granularity': 'aggregated', 'currency': 'EUR'}\n"
        "s = Settings.model_validate({'start_date': '2026-10-01', 'storage': {'landing': sys.argv[1]}, "
        "'partners': {'acme': partner}})\n"
        "print(fetch_batches(s, 'acme', [date(2026, 10, 5)], date(2026, 10, 5), logging.getLogger())[0].revenue)\n"
    )
    lake.put("partner_revenue", "a.csv", "partner,report_date,revenue\nacme,2026-10-05,2\n")

    told = subprocess.run(
        [sys.executable, "-c", code, str(lake.landing)],
        env={**os.environ, "TZ": "America/New_York"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.stdout.strip() == "3.000000000", told.stderr[-500:]
