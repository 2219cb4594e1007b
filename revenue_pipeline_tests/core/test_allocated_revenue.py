"""The split of settled revenue over impressions: by hand, at its limits, and against fractions of any size."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from revenue_pipeline.warehouse import WarehouseError
from revenue_pipeline_tests.sql_fixture import (
    AGGREGATED,
    DAY,
    DAY_BEFORE,
    FIRST_CLOSED,
    NEXT_DAY,
    USER_LEVEL,
    SqlFixture,
    event,
    impression,
    pick,
    reported,
)

LEDGER, ALLOCATION = "core.reconciled_estimates", "core.allocated_revenue"
PARTNERS = {"max": AGGREGATED, "users": USER_LEVEL, "countries": AGGREGATED | {"grain": ["country"]}}
UNITS = 10**9


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path, PARTNERS)


def shares(sql: SqlFixture, as_of: date = DAY) -> dict[str, Decimal]:
    """Give each event its share."""
    return {row["event_id"]: row["revenue"] for row in sql.run(LEDGER, ALLOCATION, as_of=as_of)}


# Verified keys ----------------------------------------------------------------------------------------------------


def test_a_verified_key_is_split_by_its_estimates(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", estimate="0.1"), impression("e2", estimate="0.3"))
    sql.insert("raw.partner_revenue", reported("8"))
    rows = sql.run(LEDGER, ALLOCATION)
    assert pick(rows, "event_id", "revenue", "status", "allocation") == [
        ("e1", 2, "verified", "estimate_weighted"),
        ("e2", 6, "verified", "estimate_weighted"),
    ]


def test_an_impression_without_an_estimate_weighs_the_mean_of_those_that_have_one(sql: SqlFixture) -> None:
    # The mean of 1 and 3 is 2: weights 1, 3, 2 and 2 of 8.
    sql.insert(
        "raw.events",
        impression("e1", estimate="1"),
        impression("e2", estimate="3"),
        impression("e3"),
        impression("e4"),
    )
    sql.insert("raw.partner_revenue", reported("16"))
    assert shares(sql) == {"e1": 2, "e2": 6, "e3": 4, "e4": 4}


def test_the_mean_is_exact_where_it_has_no_last_digit(sql: SqlFixture) -> None:
    # The mean of 1, 0 and 0 is 1/3: weights 1, 0, 0 and 1/3 of 4/3.
    sql.insert(
        "raw.events",
        impression("e1", estimate="1"),
        impression("e2", estimate="0"),
        impression("e3", estimate="0"),
        impression("e4"),
    )
    sql.insert("raw.partner_revenue", reported("4"))
    assert shares(sql) == {"e1": 3, "e2": 0, "e3": 0, "e4": 1}


@pytest.mark.parametrize("estimate", [None, "0"])
def test_without_any_estimate_above_zero_all_impressions_weigh_the_same(sql: SqlFixture, estimate: str | None) -> None:
    sql.insert("raw.events", *(impression(f"e{n}", estimate=estimate) for n in range(4)))
    sql.insert("raw.partner_revenue", reported("1"))
    rows = sql.run(LEDGER, ALLOCATION)
    assert pick(rows, "revenue", "allocation") == [(Decimal("0.25"), "impression_weighted")] * 4


def test_a_share_of_zero_is_a_row_too(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", estimate="0"), impression("e2", estimate="1"))
    sql.insert("raw.partner_revenue", reported("8"))
    assert shares(sql) == {"e1": 0, "e2": 8}


def test_a_total_of_zero_is_a_row_for_each_impression(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", estimate="1"), impression("e2", estimate="2"))
    sql.insert("raw.partner_revenue", reported("0"))
    assert shares(sql) == {"e1": 0, "e2": 0}


def test_leftover_units_go_to_the_first_impressions_by_day_and_id(sql: SqlFixture) -> None:
    # Five units over three impressions: one each, and two left over.
    sql.insert(
        "raw.events",
        impression("b", day=NEXT_DAY, report_date=DAY),
        impression("a", day=NEXT_DAY, report_date=DAY),
        impression("z", day=DAY_BEFORE, report_date=DAY),
    )
    sql.insert("raw.partner_revenue", reported("0.000000005"))
    assert shares(sql) == {"z": Decimal("0.000000002"), "a": Decimal("0.000000002"), "b": Decimal("0.000000001")}


def test_a_negative_total_is_split_as_its_opposite_is(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1"), impression("e2"), impression("e3"))
    sql.insert("raw.partner_revenue", reported("-1"))
    third = Decimal("-0.333333333")
    assert shares(sql) == {"e1": Decimal("-0.333333334"), "e2": third, "e3": third}


def test_a_negative_total_is_weighted_by_estimates_too(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", estimate="1"), impression("e2", estimate="3"))
    sql.insert("raw.partner_revenue", reported("-8"))
    assert shares(sql) == {"e1": -2, "e2": -6}


def test_keys_are_split_apart(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        impression("e1", "countries", country="DE"),
        impression("e2", "countries", country="DE"),
        impression("e3", "countries", country="FR"),
        impression("e4", "countries"),
    )
    sql.insert(
        "raw.partner_revenue",
        reported("2", "countries", country="DE"),
        reported("5", "countries", country="FR"),
        reported("7", "countries"),
    )
    assert shares(sql) == {"e1": 1, "e2": 1, "e3": 5, "e4": 7}


def test_days_of_one_run_are_split_apart(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1"), impression("e1", day=NEXT_DAY))
    sql.insert("raw.partner_revenue", reported("2"), reported("3", report_date=NEXT_DAY))
    rows = sql.run(LEDGER, ALLOCATION, last=NEXT_DAY)
    assert pick(rows, "report_date", "event_date", "revenue") == [(DAY, DAY, 2), (NEXT_DAY, NEXT_DAY, 3)]


def test_other_days_are_not_looked_at(sql: SqlFixture) -> None:
    days = (DAY_BEFORE, DAY, NEXT_DAY)
    sql.insert("raw.events", *(impression(f"e{n}", estimate="0.5", day=day) for n, day in enumerate(days)))
    for day in days:
        sql.insert("raw.partner_revenue", reported("3", report_date=day), reported("4", "countries", report_date=day))
    sql.write(LEDGER, first=DAY_BEFORE, last=NEXT_DAY)
    rows = sql.run(ALLOCATION)
    assert sorted(pick(rows, "report_date", "partner", "revenue")) == [(DAY, "countries", 4), (DAY, "max", 3)]


def test_money_of_a_user_goes_to_that_user_alone(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        impression("e1", "users", estimate="9", user_id="u1"),
        impression("e2", "users", estimate="1", user_id="u2"),
        impression("e3", "users", estimate="3", user_id="u2"),
    )
    sql.insert("raw.partner_revenue", reported("1", "users", user_id="u1"), reported("8", "users", user_id="u2"))
    assert shares(sql) == {"e1": 1, "e2": 2, "e3": 6}


def test_each_row_says_where_and_to_whom_the_ad_was_shown_whatever_the_grain(sql: SqlFixture) -> None:
    seen = {
        "user_id": "u1",
        "app_id": "game",
        "platform": "ios",
        "country": "DE",
        "ad_format": "banner",
        "ad_unit_id": "top",
        "container_id": "letter",
        "creative_id": "cat",
    }
    shown = impression("e1", estimate="1", **seen)
    sql.insert("raw.events", shown)
    sql.insert("raw.partner_revenue", reported("3"))
    assert sql.run(LEDGER, ALLOCATION) == [
        {
            "report_date": DAY,
            "event_date": DAY,
            "event_id": "e1",
            "event_time": shown["event_time"],
            "partner": "max",
            **seen,
            "revenue": 3,
            "status": "verified",
            "allocation": "estimate_weighted",
        }
    ]


def test_only_ad_impressions_carry_money(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        impression("e1"),
        event("e2", "ad_click", partner="max"),
        event("e3", "open", partner="max"),
    )
    sql.insert("raw.partner_revenue", reported("3"))
    assert shares(sql) == {"e1": 3}


# Other keys -------------------------------------------------------------------------------------------------------


def test_an_estimated_key_gives_each_impression_its_own_estimate(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        impression("e1", estimate="0.1"),
        impression("e2", estimate="0"),
        impression("e3", estimate=None),
    )
    rows = sql.run(LEDGER, ALLOCATION)
    assert pick(rows, "event_id", "revenue", "status", "allocation") == [
        ("e1", Decimal("0.1"), "estimated", "sdk_estimate"),
        ("e2", 0, "estimated", "sdk_estimate"),
    ]


def test_estimates_of_impressions_that_name_no_partner_are_kept_as_unknown(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", None, estimate="0.1"), impression("e2", "stranger", estimate="0.2"))
    assert sorted(pick(sql.run(LEDGER, ALLOCATION), "partner", "event_id", "revenue")) == [
        ("stranger", "e2", Decimal("0.2")),
        ("unknown", "e1", Decimal("0.1")),
    ]


def test_money_without_an_impression_is_one_row_without_a_user(sql: SqlFixture) -> None:
    sql.insert("raw.partner_revenue", reported("3", "countries", country="DE", user_id="u1"))
    assert sql.run(LEDGER, ALLOCATION) == [
        {
            "report_date": DAY,
            "event_date": DAY,
            "event_id": None,
            "event_time": None,
            "user_id": None,
            "partner": "countries",
            "app_id": None,
            "platform": None,
            "country": "DE",
            "ad_format": None,
            "ad_unit_id": None,
            "container_id": None,
            "creative_id": None,
            "revenue": 3,
            "status": "unallocated",
            "allocation": "unallocated",
        }
    ]


def test_expired_and_dropped_keys_have_no_rows(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", estimate="1"), impression("e2", "users", estimate="2", user_id="u1"))
    sql.insert("raw.partner_revenue", reported("5", "users", user_id="u2"))
    assert sql.run(LEDGER, ALLOCATION, as_of=FIRST_CLOSED) == []


def test_unknown_users_keep_their_estimates_and_get_nothing_of_dropped_money(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", "users", estimate="2"))
    sql.insert("raw.partner_revenue", reported("5", "users"))
    assert pick(sql.run(LEDGER, ALLOCATION), "event_id", "revenue", "allocation") == [("e1", 2, "sdk_estimate")]


# Published examples and hard numbers ------------------------------------------------------------------------------


def test_the_published_admob_example_by_impressions(sql: SqlFixture) -> None:
    # 2000 of network earnings over 100 and 900 impressions: support.google.com/admob/answer/3544759
    sql.execute(_many_impressions(1000, app_id="CASE WHEN n < 100 THEN 'small' ELSE 'large' END"))
    sql.insert("raw.partner_revenue", reported("2000"))
    sql.write(LEDGER, ALLOCATION)
    by_app = sql.ask(f"SELECT app_id, sum(revenue) AS revenue FROM {ALLOCATION} GROUP BY app_id ORDER BY app_id")
    assert pick(by_app, "app_id", "revenue") == [("large", 1800), ("small", 200)]


def test_the_published_admob_example_by_weights(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("small", estimate="100"), impression("large", estimate="900"))
    sql.insert("raw.partner_revenue", reported("2000"))
    assert shares(sql) == {"small": 200, "large": 1800}


def test_a_share_just_below_a_whole_unit_is_rounded_down(sql: SqlFixture) -> None:
    # 10^12 * 408142860 = -1 modulo 1000000007: doubles and six-digit decimals give ...143. The leftover goes to "a".
    sql.insert("raw.events", impression("a", estimate="0.591857147"), impression("b", estimate="0.408142860"))
    sql.insert("raw.partner_revenue", reported("1000"))
    assert shares(sql) == {"a": Decimal("591.857142858"), "b": Decimal("408.142857142")}


# Limits -----------------------------------------------------------------------------------------------------------

MILLION = 10**6


def _many_impressions(count: int, **columns: str) -> str:
    named = {
        "event_id": "'e' || n",
        "event_name": "'ad_impression'",
        "event_date": f"DATE '{DAY}'",
        "report_date": f"DATE '{DAY}'",
        "partner": "'max'",
        **columns,
    }
    selected = ", ".join(f"{expression} AS {name}" for name, expression in named.items())
    return f"INSERT INTO raw.events BY NAME SELECT {selected} FROM range({count}) AS numbers (n)"


def test_ten_million_over_a_million_impressions_with_estimates_of_a_thousand(sql: SqlFixture) -> None:
    estimates = ["1000", "0.000000001", "999.999999999", None]
    sql.execute(
        _many_impressions(
            MILLION,
            reporting_revenue="CASE n % 4 WHEN 0 THEN 1000 WHEN 1 THEN 0.000000001 WHEN 2 THEN 999.999999999 END",
            user_id="CAST(n % 4 AS VARCHAR)",
        )
    )
    sql.insert("raw.partner_revenue", reported("10000000"))
    sql.write(LEDGER, ALLOCATION)
    found = sql.ask(
        f"SELECT min(revenue) AS least, max(revenue) AS most, sum(revenue) AS revenue, count(*) AS rows "
        f"FROM {ALLOCATION} GROUP BY user_id ORDER BY user_id"
    )
    assert [row["rows"] for row in found] == [MILLION // 4] * 4
    assert sum(row["revenue"] for row in found) == Decimal(10_000_000)
    # A quarter of the impressions each: T * k * e / (n * E), or T / n without an estimate.
    total = sum(Fraction(estimate) for estimate in estimates if estimate) * MILLION / 4
    for row, estimate in zip(found, estimates, strict=True):
        exact = Fraction(10_000_000) * Fraction(3, 4) * Fraction(estimate) / total if estimate else Fraction(10)
        assert exact - Fraction(1, UNITS) <= Fraction(row["least"]) <= Fraction(row["most"])
        assert Fraction(row["most"]) <= exact + Fraction(1, UNITS)


def test_one_key_may_have_far_more_impressions_than_is_promised(sql: SqlFixture) -> None:
    # Three million in one key, a third without an estimate: 10^16 units * 2 * 10^6 * 10^12 is still within 38 digits.
    sql.execute(_many_impressions(3 * MILLION, reporting_revenue="CASE WHEN n % 3 > 0 THEN 1000 END"))
    sql.insert("raw.partner_revenue", reported("10000000"))
    sql.write(LEDGER, ALLOCATION)
    (found,) = sql.ask(f"SELECT min(revenue) AS least, max(revenue) AS most, sum(revenue) AS revenue FROM {ALLOCATION}")
    assert found == {"least": Decimal("3.333333333"), "most": Decimal("3.333333334"), "revenue": 10_000_000}


@pytest.mark.parametrize("total", ["0.000000007", "9.223372036", "9999999.999999999"])
def test_short_and_long_division_give_the_same(sql: SqlFixture, total: str) -> None:
    # With estimates a millionth as large the same key fits 64 bits; the shares are those of the ratios alone.
    large = [Decimal(n * n + 1) for n in range(30)]
    sql.insert(
        "raw.events",
        *(impression(f"e{n:02}", estimate=f"{estimate:f}") for n, estimate in enumerate(large)),
        *(impression(f"e{n:02}", "other", estimate=f"{estimate / MILLION:f}") for n, estimate in enumerate(large)),
    )
    sql.insert("raw.partner_revenue", reported(total), reported(total, "other"))
    rows = sql.run(LEDGER, ALLOCATION)
    by_partner = [[row["revenue"] for row in rows if row["partner"] == partner] for partner in ("max", "other")]
    assert by_partner[0] == by_partner[1]
    assert sum(by_partner[0]) == Decimal(total)


@pytest.mark.parametrize(
    ("impressions", "estimate", "total"),
    [(3000, "999999999.999999999", "999999999.999999999"), (2, "1", "2000000000"), (0, None, "1000000000")],
    ids=["product beyond 38 digits", "total beyond an event's amount", "row beyond an event's amount"],
)
def test_beyond_the_limits_is_an_error_that_names_the_key_and_the_old_rows_stay(
    sql: SqlFixture, impressions: int, estimate: str | None, total: str
) -> None:
    sql.insert(ALLOCATION, {"report_date": DAY, "partner": "countries", "revenue": "1"})
    if impressions:
        estimates = f"CASE WHEN n > 0 THEN CAST('{estimate}' AS DECIMAL(18, 9)) END"
        columns = {"partner": "'countries'", "country": "'DE'", "reporting_revenue": estimates}
        sql.execute(_many_impressions(impressions, **columns))
    sql.insert("raw.partner_revenue", reported(total, "countries", country="DE"))
    sql.write(LEDGER)
    with pytest.raises(WarehouseError) as refused:
        sql.write(ALLOCATION)
    told = str(refused.value)
    assert told.startswith(
        f"core.allocated_revenue: nothing was written, because of partner countries, report_date {DAY}, country DE, "
        f"settled_revenue {Decimal(total):.9f}, sdk_impressions {impressions}"
    )
    assert "run the day again" in told
    assert pick(sql.ask(f"SELECT revenue FROM {ALLOCATION}"), "revenue") == [(1,)]


def test_estimates_of_an_open_day_are_not_split_and_have_no_limit(sql: SqlFixture) -> None:
    sql.execute(_many_impressions(20, reporting_revenue="999999999.999999999"))
    assert set(shares(sql).values()) == {Decimal("999999999.999999999")}


# Properties -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """One impression: its day counted from DAY, its id, and its estimate in units."""

    day: int
    id: str
    estimate: int | None


@dataclass(frozen=True)
class Key:
    """One key of the ledger: its imported total in units, and its impressions."""

    total: int
    impressions: Sequence[Shown]

    @property
    def exact_shares(self) -> list[Fraction]:
        """The share of each impression, as the last bracket of the contract's allocation rules says it."""
        estimates = [each.estimate for each in self.impressions if each.estimate is not None]
        count, estimated, whole = len(self.impressions), len(estimates), sum(estimates)
        return [
            Fraction(self.total, count)
            if each.estimate is None or not whole
            else Fraction(self.total * estimated * each.estimate, count * whole)
            for each in self.impressions
        ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("properties")


def split(folder: Path, keys: Sequence[Key]) -> list[list[int]]:
    """Let the warehouse split the keys, a country each, and give the units of their impressions."""
    sql = SqlFixture(folder, PARTNERS)
    days = {-1: DAY_BEFORE, 0: DAY, 1: NEXT_DAY}
    shown, totals = [], []
    for number, key in enumerate(keys):
        at = {"partner": "countries", "country": str(number)}
        for each in key.impressions:
            estimate = None if each.estimate is None else _money(each.estimate)
            # Ids name an event on its day, whatever its key.
            name = f"{each.id}/{number}"
            shown.append(impression(name, estimate=estimate, day=days[each.day], report_date=DAY, **at))
        totals.append(reported(_money(key.total), **at))
    sql.insert("raw.events", *shown)
    sql.insert("raw.partner_revenue", *totals)
    rows = sql.run(LEDGER, ALLOCATION)
    units = {(row["event_date"], row["event_id"]): int(row["revenue"] * UNITS) for row in rows}
    assert len(units) == len(rows) == sum(len(key.impressions) for key in keys)
    return [
        [units[days[each.day], f"{each.id}/{number}"] for each in key.impressions] for number, key in enumerate(keys)
    ]


def assert_exact(parts: Sequence[int], key: Key) -> None:
    assert sum(parts) == key.total
    for part, exact in zip(parts, key.exact_shares, strict=True):
        assert abs(part - exact) <= 1


def _money(units: int) -> str:
    sign = "-" if units < 0 else ""
    return f"{sign}{abs(units) // UNITS}.{abs(units) % UNITS:09d}"


TOTALS = st.integers(-(10**16), 10**16) | st.integers(-20, 20)
ESTIMATES = st.none() | st.just(0) | st.integers(0, 20) | st.integers(0, 10**12)
IMPRESSIONS = st.lists(
    st.builds(Shown, st.sampled_from([-1, 0, 1]), st.text("ab1", min_size=1, max_size=3), ESTIMATES),
    min_size=1,
    max_size=9,
    unique_by=lambda each: (each.day, each.id),
)
KEYS = st.lists(st.builds(Key, TOTALS, IMPRESSIONS), min_size=1, max_size=10)
# A run costs as much for ten keys as for one.
few_runs = settings(max_examples=8, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])


@given(keys=KEYS)
@example(keys=[Key(-1, [Shown(0, "a", None), Shown(0, "b", 0)])])
@few_runs
def test_parts_sum_to_the_whole_and_each_is_within_a_unit(folder: Path, keys: list[Key]) -> None:
    for parts, key in zip(split(folder, keys), keys, strict=True):
        assert_exact(parts, key)


def just_below_a_whole_unit(total: int, whole: int, without_estimate: int) -> Key:
    """With T * w = -1 modulo W the exact share of w lies 1 / W below a whole unit, where any rounding shows."""
    total += total % whole == 0
    weight = -pow(total, -1, whole) % whole
    rest = [Shown(0, f"c{n}", None) for n in range(without_estimate)]
    return Key(total, [Shown(0, "a", whole - weight), Shown(0, "b", weight), *rest])


PRIMES = st.sampled_from([1_000_003, 1_000_000_007, 999_999_999_989])
HARD_KEYS = st.builds(just_below_a_whole_unit, st.integers(10**11, 10**16), PRIMES, st.integers(0, 3))


@given(keys=st.lists(HARD_KEYS, min_size=10, max_size=20))
@few_runs
def test_shares_just_below_a_whole_unit_are_exact(folder: Path, keys: list[Key]) -> None:
    for parts, key in zip(split(folder, keys), keys, strict=True):
        assert_exact(parts, key)
        if len(parts) == 2:
            assert parts[1] == key.exact_shares[1].__floor__()


@given(keys=KEYS)
@settings(few_runs, max_examples=3)
def test_the_order_of_rows_changes_nothing(folder: Path, keys: list[Key]) -> None:
    backwards = [Key(key.total, key.impressions[::-1]) for key in keys]
    assert split(folder, backwards) == [parts[::-1] for parts in split(folder, keys)]
