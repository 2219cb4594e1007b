"""The ledger: the status of every situation, how keys match, and when a day is closed."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline_tests.sql_fixture import (
    AGGREGATED,
    DAY,
    DAY_BEFORE,
    FIRST_CLOSED,
    LAST_OPEN,
    NEXT_DAY,
    USER_LEVEL,
    SqlFixture,
    event,
    impression,
    pick,
    reported,
)

LEDGER = "core.reconciled_estimates"
BY_COUNTRY = AGGREGATED | {"grain": ["country"]}
PARTNERS = {
    "max": BY_COUNTRY,
    "users": USER_LEVEL,
    "plain": AGGREGATED,
    "slow": AGGREGATED | {"import_window_days": 5},
    "full": AGGREGATED | {"grain": ["app_id", "platform", "country", "ad_format", "ad_unit_id"]},
}


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path, PARTNERS)


# Status -----------------------------------------------------------------------------------------------------------


def test_a_partner_row_with_an_impression_is_verified_and_the_import_is_what_counts(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", estimate="0.30", country="DE"), impression("e2", country="DE"))
    sql.insert("raw.partner_revenue", reported("0.25", country="DE", impressions=3))
    assert sql.run(LEDGER) == [
        {
            "report_date": DAY,
            "partner": "max",
            "granularity": "aggregated",
            "app_id": None,
            "platform": None,
            "country": "DE",
            "ad_format": None,
            "ad_unit_id": None,
            "user_id": None,
            "sdk_impressions": 2,
            "estimated_impressions": 1,
            "estimated_revenue": Decimal("0.30"),
            "largest_estimate": Decimal("0.30"),
            "partner_impressions": 3,
            "imported_revenue": Decimal("0.25"),
            "status": "verified",
            "settled_revenue": Decimal("0.25"),
            "import_id": "batch-1",
        }
    ]


MONEY = ("status", "sdk_impressions", "estimated_revenue", "imported_revenue", "settled_revenue")


def test_a_partner_row_without_an_impression_is_unallocated_and_still_counts(sql: SqlFixture) -> None:
    sql.insert("raw.partner_revenue", reported("7", country="FR"))
    assert pick(sql.run(LEDGER), *MONEY) == [("unallocated", 0, 0, 7, 7)]


def test_a_user_level_row_without_an_impression_of_that_user_is_dropped(sql: SqlFixture) -> None:
    sql.insert("raw.partner_revenue", reported("7", "users", user_id="u1"))
    assert pick(sql.run(LEDGER), *MONEY) == [("dropped", 0, 0, 7, 0)]


def test_impressions_alone_are_estimated_while_the_day_is_open(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", estimate="0.1"), impression("e2", estimate="0.2"), impression("e3"))
    assert pick(sql.run(LEDGER, as_of=LAST_OPEN), *MONEY) == [("estimated", 3, Decimal("0.3"), None, Decimal("0.3"))]


def test_impressions_alone_expire_when_the_day_closes(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", estimate="0.1"))
    assert pick(sql.run(LEDGER, as_of=FIRST_CLOSED), *MONEY) == [("expired", 1, Decimal("0.1"), None, 0)]


def test_impressions_without_any_estimate_are_estimated_at_nothing(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1"))
    assert pick(sql.run(LEDGER), *MONEY) == [("estimated", 1, 0, None, 0)]


@pytest.mark.parametrize("imported", ["0", "-3.5"])
def test_an_import_of_nothing_or_less_verifies_like_any_other(sql: SqlFixture, imported: str) -> None:
    sql.insert("raw.events", impression("e1", estimate="0.1"))
    sql.insert("raw.partner_revenue", reported(imported))
    assert pick(sql.run(LEDGER), "status", "settled_revenue") == [("verified", Decimal(imported))]


@pytest.mark.parametrize(
    ("partner", "as_of", "status"),
    [
        ("plain", DAY, "estimated"),
        ("plain", date(2026, 10, 3), "estimated"),
        ("plain", date(2026, 10, 4), "expired"),
        ("plain", date(2027, 1, 1), "expired"),
        ("slow", date(2026, 10, 5), "estimated"),
        ("slow", date(2026, 10, 6), "expired"),
    ],
)
def test_a_day_closes_when_the_window_of_its_own_partner_has_passed(
    sql: SqlFixture, partner: str, as_of: date, status: str
) -> None:
    sql.insert("raw.events", impression("e1", partner, estimate="1"))
    assert pick(sql.run(LEDGER, as_of=as_of), "status") == [(status,)]


def test_days_of_one_run_close_each_on_its_own(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", estimate="1"), impression("e2", estimate="1", day=NEXT_DAY))
    rows = sql.run(LEDGER, as_of=FIRST_CLOSED, last=NEXT_DAY)
    assert pick(rows, "report_date", "status") == [(DAY, "expired"), (NEXT_DAY, "estimated")]


def test_an_expired_key_that_the_partner_reports_later_is_verified_by_the_next_run(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", estimate="0.1"))
    assert pick(sql.run(LEDGER, as_of=FIRST_CLOSED), *MONEY) == [("expired", 1, Decimal("0.1"), None, 0)]
    sql.insert("raw.partner_revenue", reported("5"))
    assert pick(sql.run(LEDGER, as_of=FIRST_CLOSED), *MONEY) == [("verified", 1, Decimal("0.1"), 5, 5)]


# Keys -------------------------------------------------------------------------------------------------------------


def test_keys_of_one_partner_are_settled_apart(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", estimate="1", country="DE"), impression("e2", estimate="2", country="FR"))
    sql.insert("raw.partner_revenue", reported("3", country="DE"), reported("4", country="IT"))
    rows = sql.run(LEDGER)
    assert pick(rows, "country", "status", "settled_revenue") == [
        ("DE", "verified", 3),
        ("FR", "estimated", 2),
        ("IT", "unallocated", 4),
    ]


def test_null_matches_null_in_grain_columns(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", estimate="1", country=None))
    sql.insert("raw.partner_revenue", reported("3", country=None))
    assert pick(sql.run(LEDGER), "country", "status", "settled_revenue") == [(None, "verified", 3)]


def test_null_in_a_grain_column_does_not_match_a_value(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", estimate="1", country=None))
    sql.insert("raw.partner_revenue", reported("3", country="DE"))
    assert pick(sql.run(LEDGER), "country", "status") == [("DE", "unallocated"), (None, "estimated")]


FULL_KEY: dict[str, Any] = {
    "app_id": "game",
    "platform": "ios",
    "country": "DE",
    "ad_format": "banner",
    "ad_unit_id": "top",
}


def test_a_full_grain_matches_on_all_of_its_columns(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", "full", **FULL_KEY))
    sql.insert("raw.partner_revenue", reported("3", "full", **FULL_KEY))
    assert pick(sql.run(LEDGER), *FULL_KEY, "status") == [("game", "ios", "DE", "banner", "top", "verified")]


@pytest.mark.parametrize("column", FULL_KEY)
def test_a_difference_in_one_grain_column_keeps_rows_apart(sql: SqlFixture, column: str) -> None:
    sql.insert("raw.events", impression("e1", "full", **FULL_KEY))
    sql.insert("raw.partner_revenue", reported("3", "full", **(FULL_KEY | {column: "other"})))
    assert sorted(pick(sql.run(LEDGER), "status")) == [("estimated",), ("unallocated",)]


def test_columns_outside_the_grain_are_null_and_do_not_split_a_key(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        impression("e1", "plain", estimate="1", user_id="u1", **FULL_KEY),
        impression("e2", "plain", estimate="2", user_id="u2", **(FULL_KEY | {"country": "FR"})),
    )
    sql.insert("raw.partner_revenue", reported("4", "plain", **FULL_KEY))
    columns = (*FULL_KEY, "user_id", "status", "estimated_revenue", "settled_revenue")
    assert pick(sql.run(LEDGER), *columns) == [(None, None, None, None, None, None, "verified", 3, 4)]


def test_several_partner_rows_with_one_key_are_added_up(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1"))
    sql.insert(
        "raw.partner_revenue",
        reported("1.000000001", impressions=10),
        reported("2.000000002", impressions=None),
        reported("-0.5", impressions=5),
    )
    assert pick(sql.run(LEDGER), "imported_revenue", "partner_impressions", "settled_revenue") == [
        (Decimal("2.500000003"), 15, Decimal("2.500000003"))
    ]


def test_a_partner_that_does_not_count_impressions_has_none_rather_than_zero(sql: SqlFixture) -> None:
    sql.insert("raw.partner_revenue", reported("1"))
    assert pick(sql.run(LEDGER), "partner_impressions") == [(None,)]


# Users ------------------------------------------------------------------------------------------------------------


def test_user_level_rows_match_the_user_and_no_other(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        impression("e1", "users", estimate="1", user_id="u1"),
        impression("e2", "users", estimate="2", user_id="u2"),
    )
    sql.insert("raw.partner_revenue", reported("3", "users", user_id="u1"), reported("4", "users", user_id="u3"))
    rows = sql.run(LEDGER)
    assert pick(rows, "granularity", "user_id", "status", "settled_revenue") == [
        ("user_level", "u1", "verified", 3),
        ("user_level", "u2", "estimated", 2),
        ("user_level", "u3", "dropped", 0),
    ]


@pytest.mark.parametrize(("as_of", "status", "settled"), [(LAST_OPEN, "estimated", 1), (FIRST_CLOSED, "expired", 0)])
def test_an_unknown_user_matches_nobody_not_even_another_unknown_one(
    sql: SqlFixture, as_of: date, status: str, settled: int
) -> None:
    sql.insert("raw.events", impression("e1", "users", estimate="1"))
    sql.insert("raw.partner_revenue", reported("3", "users"))
    rows = sql.run(LEDGER, as_of=as_of)
    assert sorted(pick(rows, "status", "user_id", "sdk_impressions", "settled_revenue")) == [
        ("dropped", None, 0, 0),
        (status, None, 1, settled),
    ]


def test_unknown_users_of_one_side_share_a_row(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", "users", estimate="1"), impression("e2", "users", estimate="2"))
    sql.insert("raw.partner_revenue", reported("3", "users"), reported("4", "users"))
    assert sorted(pick(sql.run(LEDGER), "status", "estimated_revenue", "imported_revenue")) == [
        ("dropped", 0, 7),
        ("estimated", 3, None),
    ]


def test_an_aggregated_partner_does_not_look_at_users(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", "plain"), impression("e2", "plain", user_id="u2"))
    sql.insert("raw.partner_revenue", reported("3", "plain", user_id="u1"))
    assert pick(sql.run(LEDGER), "user_id", "status", "sdk_impressions") == [(None, "verified", 2)]


# Partners that the settings do not know ---------------------------------------------------------------------------


@pytest.mark.parametrize(("named", "partner"), [("stranger", "stranger"), (None, "unknown")])
@pytest.mark.parametrize(("as_of", "status"), [(LAST_OPEN, "estimated"), (FIRST_CLOSED, "expired")])
def test_impressions_of_no_configured_partner_expire_visibly_under_one_key(
    sql: SqlFixture, named: str | None, partner: str, as_of: date, status: str
) -> None:
    sql.insert(
        "raw.events",
        impression("e1", named, estimate="1", user_id="u1", **FULL_KEY),
        impression("e2", named, estimate="2", country="FR"),
    )
    rows = sql.run(LEDGER, as_of=as_of)
    columns = ("partner", "granularity", *FULL_KEY, "user_id", "status", "estimated_revenue")
    assert pick(rows, *columns) == [(partner, "aggregated", None, None, None, None, None, None, status, 3)]


def test_money_of_a_partner_that_the_settings_no_longer_name_still_counts(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", "left", country="DE"))
    sql.insert("raw.partner_revenue", reported("3", "left", country="FR"), reported("4", "gone", user_id="u1"))
    rows = sql.run(LEDGER)
    assert pick(rows, "partner", "country", "user_id", "status", "settled_revenue") == [
        ("gone", None, None, "unallocated", 4),
        ("left", None, None, "verified", 3),
    ]


def test_the_default_window_of_the_settings_serves_partners_without_one(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path, {"plain": AGGREGATED}, import_window_days=1)
    sql.insert("raw.events", impression("e1", "plain", estimate="1"), impression("e2", None, estimate="1"))
    assert pick(sql.run(LEDGER, as_of=DAY), "status") == [("estimated",), ("estimated",)]
    assert pick(sql.run(LEDGER, as_of=NEXT_DAY), "status") == [("expired",), ("expired",)]


# Days -------------------------------------------------------------------------------------------------------------


def test_impressions_are_matched_on_the_day_of_the_partner(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        impression("e1", estimate="1", day=DAY_BEFORE, report_date=DAY),
        impression("e2", estimate="2"),
        impression("e3", estimate="4", day=NEXT_DAY, report_date=DAY),
        impression("e4", estimate="8", report_date=NEXT_DAY),
        impression("e5", estimate="16", report_date=DAY_BEFORE),
    )
    sql.insert("raw.partner_revenue", reported("10"))
    rows = sql.run(LEDGER)
    assert pick(rows, "report_date", "sdk_impressions", "estimated_revenue") == [(DAY, 3, 7)]


def test_other_days_of_the_ledger_stay_as_they_are(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        impression("e1", estimate="1"),
        impression("e2", estimate="2", day=NEXT_DAY),
    )
    sql.run(LEDGER, last=NEXT_DAY)
    sql.insert("raw.partner_revenue", reported("3"), reported("4", report_date=NEXT_DAY))
    rows = sql.run(LEDGER)
    assert pick(rows, "report_date", "status") == [(DAY, "verified"), (NEXT_DAY, "estimated")]


def test_a_day_with_nothing_on_it_is_cleared(sql: SqlFixture) -> None:
    sql.insert(LEDGER, {"report_date": DAY, "partner": "max", "status": "estimated"})
    assert sql.run(LEDGER) == []


# What counts ------------------------------------------------------------------------------------------------------


def test_only_ad_impressions_count_and_their_amount_in_the_reporting_currency(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        impression("e1", "plain", estimate="2", revenue="999", currency="JPY"),
        event("e2", "ad_click", partner="plain", reporting_revenue="4"),
        event("e3", "purchase", partner="plain", reporting_revenue="8"),
    )
    sql.insert("raw.partner_revenue", reported("3", "plain", original_revenue="999", original_currency="JPY"))
    rows = sql.run(LEDGER)
    assert pick(rows, "sdk_impressions", "estimated_revenue", "settled_revenue") == [(1, 2, 3)]


def test_amounts_keep_all_nine_digits(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        impression("e1", estimate="999999999.999999999"),
        impression("e2", estimate="0.000000001"),
    )
    sql.insert("raw.partner_revenue", reported("9999999.999999999"))
    assert pick(sql.run(LEDGER), "estimated_revenue", "settled_revenue") == [
        (Decimal("1000000000.000000000"), Decimal("9999999.999999999"))
    ]
