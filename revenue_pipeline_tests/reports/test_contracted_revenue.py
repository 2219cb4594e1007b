"""What contracts are worth, and how it is split by delivery: by hand, and against exact fractions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revenue_pipeline.partitions import Window
from revenue_pipeline.publish import PublishedCopy
from revenue_pipeline.raw.datasets import LINE_ITEM_DELIVERY, LINE_ITEMS
from revenue_pipeline.run import run_graph
from revenue_pipeline_tests.conftest import Land, MakeSettings, rows_of
from revenue_pipeline_tests.sql_fixture import DAY, NEXT_DAY, TABLES, Row, SqlFixture, pick

TABLE = "reports.contracted_revenue"
CONTRACTS = '+key:"reports/contracted_revenue" or key:"published/reports"'
MONEY = ("contracted_net_revenue", "contracted_gross_revenue", "contracted_volume")


def line_item(line_item_id: str = "L", **columns: Any) -> Row:
    return {
        "folder_date": DAY,
        "source": "files",
        "line_item_id": line_item_id,
        "rate_type": "CPM",
        "net_rate": "10",
        "currency": "USD",
        "contracted_volume": 1000,
        "start_date": DAY,
        "exchange_rate": "1",
    } | columns


def delivery(ad_unit_id: str, impressions: int, day: date = DAY, **columns: Any) -> Row:
    return {
        "delivery_date": day,
        "source": "files",
        "line_item_id": "L",
        "ad_unit_id": ad_unit_id,
        "impressions": impressions,
    } | columns


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def split(sql: SqlFixture, contract: Row, *deliveries: Row) -> list[Row]:
    sql.insert("raw.line_items", contract)
    if deliveries:
        sql.insert("raw.line_item_delivery", *deliveries)
    return sql.run(TABLE)


def test_ad_units_get_revenue_in_proportion_to_their_impressions(sql: SqlFixture) -> None:
    # The example of the vendor's document: $100,000 over 100,000 + 40,000 + 60,000 impressions.
    contract = line_item(net_rate="100", gross_rate="125", contracted_volume=1_000_000)
    rows = split(sql, contract, delivery("A", 100_000), delivery("B", 40_000), delivery("C", 60_000))

    assert pick(rows, "ad_unit_id", "impressions", *MONEY) == [
        ("A", 100_000, 50_000, 62_500, 500_000),
        ("B", 40_000, 20_000, 25_000, 200_000),
        ("C", 60_000, 30_000, 37_500, 300_000),
    ]


def test_thirds_of_the_volume_are_exact_and_the_first_rows_get_the_last_digit(sql: SqlFixture) -> None:
    days = [DAY + timedelta(days=n) for n in range(3)]
    contract = line_item(net_rate="0.1", contracted_volume=1_000_000)
    rows = split(sql, contract, *(delivery("A", 250_000, day) for day in reversed(days)))

    assert pick(rows, "delivery_date", "contracted_net_revenue", "contracted_volume") == [
        (days[0], Decimal("33.333333334"), Decimal("333333.333333334")),
        (days[1], Decimal("33.333333333"), Decimal("333333.333333333")),
        (days[2], Decimal("33.333333333"), Decimal("333333.333333333")),
    ]


def test_leftover_units_go_by_day_then_ad_unit_then_key_value_with_none_last(sql: SqlFixture) -> None:
    contract = line_item(rate_type="CPD", net_rate="0.000000004", contracted_volume=1)
    keys = [(NEXT_DAY, "A", "x"), (DAY, "B", "x"), (DAY, "A", None), (DAY, "A", "y"), (DAY, "A", "x")]
    rows = split(sql, contract, *(delivery(unit, 1, day, custom_criteria=key) for day, unit, key in keys))

    with_a_unit = {(row["delivery_date"], row["ad_unit_id"], row["custom_criteria"]): row for row in rows}
    assert {key: row["contracted_net_revenue"] * 10**9 for key, row in with_a_unit.items()} == {
        (DAY, "A", "x"): 1,
        (DAY, "A", "y"): 1,
        (DAY, "A", None): 1,
        (DAY, "B", "x"): 1,
        (NEXT_DAY, "A", "x"): 0,
    }


@pytest.mark.parametrize(
    ("rate_type", "volume", "worth"),
    [("CPM", 8_000_000, "20000"), ("CPC", 8_000, "20000"), ("CPD", 30, "75"), ("CPM", 1, "0.0025"), ("CPD", 0, "0")],
)
def test_a_contract_is_worth_its_rate_times_what_the_rate_is_for(
    sql: SqlFixture, rate_type: str, volume: int, worth: str
) -> None:
    contract = line_item(rate_type=rate_type, net_rate="2.5", contracted_volume=volume)
    (row,) = split(sql, contract, delivery("A", 7, clicks=7))

    assert (row["contracted_net_revenue"], row["contracted_volume"]) == (Decimal(worth), volume)


def test_a_rate_per_click_is_split_by_clicks_and_others_by_impressions(sql: SqlFixture) -> None:
    deliveries = [delivery("A", 900, clicks=1), delivery("B", 100, clicks=3), delivery("C", 0, clicks=None)]
    sql.insert("raw.line_items", line_item("L", rate_type="CPC", net_rate="1", contracted_volume=100))
    sql.insert("raw.line_items", line_item("M", rate_type="CPD", net_rate="1", contracted_volume=100))
    sql.insert("raw.line_item_delivery", *deliveries, *({**row, "line_item_id": "M"} for row in deliveries))

    assert pick(sql.run(TABLE), "line_item_id", "ad_unit_id", "clicks", "contracted_net_revenue") == [
        ("L", "A", 1, 25),
        ("L", "B", 3, 75),
        ("L", "C", 0, 0),
        ("M", "A", 1, 90),
        ("M", "B", 3, 10),
        ("M", "C", 0, 0),
    ]


def test_rows_that_count_nothing_get_no_leftover_unit(sql: SqlFixture) -> None:
    contract = line_item(rate_type="CPD", net_rate="0.000000001", contracted_volume=1)
    rows = split(sql, contract, delivery("A", 0), delivery("B", 1), delivery("C", 1))

    assert pick(rows, "ad_unit_id", "contracted_net_revenue") == [("A", 0), ("B", Decimal("0.000000001")), ("C", 0)]


@pytest.mark.parametrize("status", ["sold", "unsold", "retracted", None])
@pytest.mark.parametrize("end_date", [DAY - timedelta(days=1), DAY + timedelta(days=99), None])
def test_contracts_count_alike_whatever_their_proposals_status_and_whether_they_have_ended(
    sql: SqlFixture, status: str | None, end_date: date | None
) -> None:
    contract = line_item(proposal_status=status, end_date=end_date)
    (row,) = split(sql, contract, delivery("A", 5_000))  # five times what was contracted

    assert pick([row], "impressions", *MONEY) == [(5_000, 10, None, 1000)]


def test_a_contract_that_delivered_nothing_keeps_its_revenue_on_one_row(sql: SqlFixture) -> None:
    (row,) = split(sql, line_item(gross_rate="12"))

    assert list(row.values()) == ["L", None, None, None, 0, 0, 10, 12, 1000]


def test_so_does_one_that_delivered_nothing_which_counts_while_its_impressions_stay_where_they_were(
    sql: SqlFixture,
) -> None:
    contract = line_item(rate_type="CPC", net_rate="0.01", gross_rate="0.02")
    rows = split(sql, contract, delivery("A", 70, clicks=0), delivery("B", 30))

    assert pick(rows, "delivery_date", "ad_unit_id", "impressions", "clicks", *MONEY) == [
        (DAY, "A", 70, 0, 0, 0, 0),
        (DAY, "B", 30, 0, 0, 0, 0),
        (None, None, 0, 0, 10, 20, 1000),
    ]


def test_the_newest_delivered_state_counts_whatever_day_it_was_written(sql: SqlFixture) -> None:
    states = [
        line_item(net_rate="10", contracted_volume=1000, gross_rate="20"),
        line_item(net_rate="12", contracted_volume=500, folder_date=NEXT_DAY),
        line_item(net_rate="99", folder_date=DAY - timedelta(days=1)),
    ]
    sql.insert("raw.line_items", *states)
    sql.insert("raw.line_item_delivery", delivery("A", 1))

    assert pick(sql.run(TABLE), *MONEY) == [(6, None, 500)]


def test_deliveries_of_an_api_and_of_files_are_added(sql: SqlFixture) -> None:
    contract = line_item(source="api", partner="gam")
    rows = split(
        sql,
        contract,
        delivery("A", 100, custom_criteria="x"),
        delivery("A", 200, custom_criteria="x", source="api", partner="gam", clicks=1),
        delivery("A", 700, NEXT_DAY, source="api", partner="gam"),
    )

    assert pick(rows, "delivery_date", "custom_criteria", "impressions", "clicks", "contracted_net_revenue") == [
        (DAY, "x", 300, 1, 3),
        (NEXT_DAY, None, 700, 0, 7),
    ]


def test_delivery_without_a_contract_has_no_row(sql: SqlFixture) -> None:
    rows = split(sql, line_item(), delivery("A", 1), delivery("A", 1, line_item_id="unknown"))

    assert pick(rows, "line_item_id") == [("L",)]


@pytest.mark.parametrize(
    ("rate", "volume", "exchange_rate", "worth"),
    [
        ("1", 1, "1.5", "0.0015"),
        ("0.000000001", 500, "1", "0.000000001"),  # half a unit, away from zero
        ("-0.000000001", 500, "1", "-0.000000001"),
        ("0.000000001", 499, "1", "0"),
        ("0.000000001", 999, "0.5", "0"),  # 0.4995 units: rounded once, not 0.999 to 1 and then 0.5 to 1
        ("0.000000001", 1000, "0.5", "0.000000001"),
        ("3", 1000, "0.333333333333", "0.999999999999"),
        ("123456789.123456789", 1_000_000_000, "1.000000000001", "123456789123580.245789123"),
    ],
)
def test_rate_times_volume_is_converted_and_rounded_once(
    sql: SqlFixture, rate: str, volume: int, exchange_rate: str, worth: str
) -> None:
    contract = line_item(net_rate=rate, contracted_volume=volume, exchange_rate=exchange_rate)
    (row,) = split(sql, contract)

    assert row["contracted_net_revenue"] == Decimal(worth).quantize(Decimal("0.000000001"), ROUND_HALF_UP)


def test_negative_rates_split_the_same_way(sql: SqlFixture) -> None:
    contract = line_item(rate_type="CPD", net_rate="-0.00000001", contracted_volume=1)
    rows = split(sql, contract, *(delivery(unit, 1) for unit in "ABC"))

    assert [row["contracted_net_revenue"] * 10**9 for row in rows] == [-4, -3, -3]


def test_what_landing_accepts_at_the_most_does_not_overflow(sql: SqlFixture) -> None:
    largest = 2**63 - 1
    contract = line_item(
        net_rate="1084202172.485", contracted_volume=largest, rate_type="CPD", exchange_rate="0.999999999999"
    )
    rows = split(sql, contract, delivery("A", largest // 2), delivery("B", largest - largest // 2))

    worth = Fraction("1084202172.485") * largest * Fraction("0.999999999999")
    assert sum(Fraction(row["contracted_net_revenue"]) for row in rows) == rounded(worth)
    assert sum(row["contracted_volume"] for row in rows) == largest


def test_a_run_replaces_the_whole_table_whatever_its_days(sql: SqlFixture) -> None:
    sql.insert("raw.line_items", line_item())
    sql.insert("raw.line_item_delivery", delivery("A", 1), delivery("B", 1, DAY - timedelta(days=400)))
    sql.write(TABLE)
    sql.execute("DELETE FROM raw.line_item_delivery WHERE ad_unit_id = 'B'")

    rows = sql.run(TABLE, first=NEXT_DAY, last=NEXT_DAY, as_of=NEXT_DAY)

    assert pick(rows, "ad_unit_id", "contracted_net_revenue") == [("A", 10)]


def rounded(amount: Fraction) -> Fraction:
    """Round half away from zero to 9 digits."""
    units = abs(amount) * 10**9
    whole = (units.numerator * 2 + units.denominator) // (2 * units.denominator)
    return Fraction(whole if amount >= 0 else -whole, 10**9)


COUNTS = st.one_of(st.integers(0, 5), st.integers(0, 10**12))
RATES = st.one_of(st.integers(-50, 50), st.integers(-(10**18), 10**18)).map(lambda units: Fraction(units, 10**9))
DELIVERIES = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from("AB"), st.sampled_from([None, "x", "y"]), COUNTS, COUNTS),
    max_size=8,
    unique_by=lambda row: row[:3],
)
ITEMS = st.lists(
    st.tuples(
        st.sampled_from(["CPM", "CPC", "CPD"]),
        RATES,
        st.none() | RATES,
        COUNTS,
        st.one_of(st.just(1), st.integers(1, 10**15)).map(lambda units: Fraction(units, 10**12)),
        DELIVERIES,
    ),
    min_size=1,
    max_size=4,
)


def as_decimal(amount: Fraction | None) -> Decimal | None:
    if amount is None:
        return None
    with localcontext() as context:
        context.prec = 60
        return Decimal(amount.numerator) / Decimal(amount.denominator)


@pytest.fixture(scope="module")
def tables() -> Iterator[duckdb.DuckDBPyConnection]:
    """What the SQL reads, in memory: a warehouse for each example would take half a second."""
    with duckdb.connect() as connection:
        for dataset in (LINE_ITEMS, LINE_ITEM_DELIVERY):
            dataset.table.create(connection)
        yield connection


def computed(connection: duckdb.DuckDBPyConnection, contracts: list[Row], delivered: list[Row]) -> list[Row]:
    for table, rows in (("raw.line_items", contracts), ("raw.line_item_delivery", delivered)):
        connection.execute(f"DELETE FROM {table}")
        for row in rows:
            places = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", list(row.values()))
    result = connection.execute(TABLES[TABLE].sql.select)
    columns = [column[0] for column in result.description]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


@given(items=ITEMS)
@settings(max_examples=60, deadline=None)
def test_every_part_is_its_exact_share_to_the_last_digit_and_every_roll_up_sums_to_the_contract(
    tables: duckdb.DuckDBPyConnection, items: list[tuple[Any, ...]]
) -> None:
    contracts: list[Row] = []
    delivered: list[Row] = []
    for n, (rate_type, net, gross, volume, exchange_rate, deliveries) in enumerate(items):
        rates = {"net_rate": as_decimal(net), "gross_rate": as_decimal(gross)}
        rest = {"contracted_volume": volume, "exchange_rate": as_decimal(exchange_rate)}
        contracts.append(line_item(str(n), rate_type=rate_type, **rates, **rest))
        for day, unit, key, impressions, clicks in deliveries:
            columns = {"line_item_id": str(n), "custom_criteria": key, "clicks": clicks}
            delivered.append(delivery(unit, impressions, DAY + timedelta(days=day), **columns))

    rows = computed(tables, contracts, delivered)

    for n, (rate_type, net, gross, volume, exchange_rate, _) in enumerate(items):
        mine = [row for row in rows if row["line_item_id"] == str(n)]
        per = 1000 if rate_type == "CPM" else 1
        worth = {
            "contracted_net_revenue": rounded(net * volume * exchange_rate / per),
            "contracted_gross_revenue": None if gross is None else rounded(gross * volume * exchange_rate / per),
            "contracted_volume": Fraction(volume),
        }
        counted = [row["clicks" if rate_type == "CPC" else "impressions"] for row in mine]
        for column, whole in worth.items():
            if whole is None:
                assert {row[column] for row in mine} == {None}
                continue
            parts = [Fraction(row[column]) for row in mine]
            for dimension in ("delivery_date", "ad_unit_id", "custom_criteria"):
                sums: dict[Any, Fraction] = defaultdict(Fraction)
                for row, part in zip(mine, parts, strict=True):
                    sums[row[dimension]] += part
                assert sum(sums.values()) == whole
            for part, units in zip(parts, counted, strict=True):
                if sum(counted):
                    assert abs(part - whole * units / sum(counted)) < Fraction(1, 10**9)


def test_contracts_go_from_files_through_the_graph_to_the_report(make_settings: MakeSettings, land_csv: Land) -> None:
    """$100,000 over three ad units; thirds of a million, in euros; a contract that a later folder restates."""
    day, next_day = "2026-11-05", "2026-11-06"
    contract = {
        "line_item_id": "hundred thousand",
        "proposal_status": "retracted",
        "rate_type": "CPM",
        "net_rate": "100",
        "gross_rate": "",
        "currency": "USD",
        "contracted_volume": "1000000",
        "start_date": "2026-01-01",
    }
    thirds = {**contract, "line_item_id": "thirds", "net_rate": "0.1", "currency": "EUR", "start_date": "2026-09-20"}
    flying = {**contract, "line_item_id": "flying", "rate_type": "CPC", "net_rate": "1", "contracted_volume": "10"}
    land_csv("fx_rates", "2026-09-19", [{"rate_date": "2026-09-19", "currency": "EUR", "rate": "2"}])
    land_csv("line_items", day, [contract, thirds, flying])
    land_csv("line_items", next_day, [{**flying, "net_rate": "3"}])
    by_unit = {"A": 100_000, "B": 40_000, "C": 60_000}
    deliveries: dict[str, list[Row]] = {}
    for delivered in (day, next_day, "2026-11-07"):
        row = {"delivery_date": delivered, "line_item_id": "thirds", "ad_unit_id": "A", "impressions": "5"}
        deliveries[delivered] = [row]
    deliveries[day] += [
        {**deliveries[day][0], "line_item_id": "hundred thousand", "ad_unit_id": unit, "impressions": str(count)}
        for unit, count in by_unit.items()
    ]
    deliveries[next_day].append({**deliveries[next_day][0], "line_item_id": "flying", "clicks": "1"})
    for delivered, rows in deliveries.items():
        land_csv("line_item_delivery", delivered, rows)
    settings = make_settings()

    # The middle day is run last: the table depends on all days, whatever the order of runs.
    for first, last in ((5, 5), (7, 7), (6, 6)):
        window = Window.between(date(2026, 11, first), date(2026, 11, last))
        outcome = run_graph(settings, window, date(2026, 11, 7), CONTRACTS)
        assert outcome.failures == []
        assert outcome.warnings == []

    report = rows_of(
        settings,
        f"SELECT line_item_id, CAST(delivery_date AS VARCHAR), ad_unit_id, contracted_net_revenue, contracted_volume "
        f"FROM {TABLE} ORDER BY ALL",
    )
    assert report == [
        ("flying", next_day, "A", 30, 10),
        ("hundred thousand", day, "A", 50_000, 500_000),
        ("hundred thousand", day, "B", 20_000, 200_000),
        ("hundred thousand", day, "C", 30_000, 300_000),
        ("thirds", day, "A", Decimal("66.666666667"), Decimal("333333.333333334")),
        ("thirds", next_day, "A", Decimal("66.666666667"), Decimal("333333.333333333")),
        ("thirds", "2026-11-07", "A", Decimal("66.666666666"), Decimal("333333.333333333")),
    ]
    published = PublishedCopy(settings.storage.warehouse).read(f"SELECT sum(contracted_net_revenue) FROM {TABLE}")
    assert published.fetchall() == [(100_230,)]
