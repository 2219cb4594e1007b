"""What placements and containers did: whose opens count, discounts, machines, NULLs, and when money is final."""

from datetime import date, timedelta
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
    Row,
    SqlFixture,
    event,
    impression,
    pick,
)

ENGAGEMENT, ALLOCATION = "core.engagement_daily", "core.allocated_revenue"
PARTNERS = {"max": AGGREGATED, "slow": AGGREGATED | {"import_window_days": 5}}
DISCOUNTS = {"default": "0.5", "containers": {"letter": "0.8", "blog": "0"}}


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path, PARTNERS, mpp_discount=DISCOUNTS)


def events(name: str, count: int, container: str | None = "letter", unit: str | None = None, **more: Any) -> list[Row]:
    label = f"{name} {container} {unit} {more}"
    return [event(f"{label} {n}", name, container_id=container, ad_unit_id=unit, **more) for n in range(count)]


def money(revenue: str, container: str | None = "letter", unit: str | None = None, **columns: Any) -> Row:
    row = {"report_date": DAY, "event_date": DAY, "partner": "max", "status": "verified", "revenue": revenue}
    return row | {"container_id": container, "ad_unit_id": unit} | columns


def level_of(rows: list[Row], *columns: str) -> dict[tuple[str | None, str | None], tuple[Any, ...]]:
    """Give the values of each (container, placement); a container's own row has placement None."""
    assert all((row["ad_unit_id"] is None) == (row["level"] == "container") for row in rows)
    return {(row["container_id"], row["ad_unit_id"]): tuple(row[column] for column in columns) for row in rows}


# Levels -----------------------------------------------------------------------------------------------------------


def test_one_row_for_each_placement_and_one_for_their_container(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        *events("ad_served", 5, unit="top"),
        *events("ad_impression", 4, unit="top"),
        *events("open", 3, unit="top"),
        *events("ad_click", 2, unit="top"),
    )
    sql.insert(ALLOCATION, money("1.5", unit="top"))
    numbers = {
        "served_ads": 5,
        "impressions": 4,
        "opens": 3,
        "automated_opens": 0,
        "adjusted_opens": 3,
        "opens_level": "placement",
        "clicks": 2,
        "automated_clicks": 0,
        "revenue": Decimal("1.5"),
        "estimated_revenue": 0,
        "is_final": False,
    }
    key = {"event_date": DAY, "container_id": "letter"}
    assert sql.run(ENGAGEMENT) == [
        {**key, "level": "container", "ad_unit_id": None, **numbers},
        {**key, "level": "placement", "ad_unit_id": "top", **numbers},
    ]


def test_a_container_sums_its_placements(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        *events("ad_served", 1, unit="top"),
        *events("ad_served", 2, unit="foot"),
        *events("ad_impression", 3, unit="top"),
        *events("ad_impression", 4, unit="foot"),
        *events("ad_click", 5, unit="top"),
        *events("ad_click", 6, unit="foot"),
    )
    sql.insert(ALLOCATION, money("10", unit="top"), money("20", unit="foot"))
    assert level_of(sql.run(ENGAGEMENT), "served_ads", "impressions", "clicks", "revenue") == {
        ("letter", None): (3, 7, 11, 30),
        ("letter", "top"): (1, 3, 5, 10),
        ("letter", "foot"): (2, 4, 6, 20),
    }


def test_a_container_sums_what_machines_did_and_what_is_still_estimated(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        *events("open", 1, unit="top", is_automated=True),
        *events("open", 2, unit="foot", is_automated=True),
        *events("ad_click", 3, unit="top", is_automated=True),
        *events("ad_click", 4, unit="foot", is_automated=True),
    )
    sql.insert(
        ALLOCATION,
        money("1", unit="top", status="estimated"),
        money("2", unit="top", status="estimated"),
        money("4", unit="top", status="estimated", partner="slow"),
        money("8", unit="foot", status="estimated"),
    )
    assert level_of(sql.run(ENGAGEMENT), "automated_opens", "automated_clicks", "estimated_revenue") == {
        ("letter", None): (3, 7, 15),
        ("letter", "top"): (1, 3, 7),
        ("letter", "foot"): (2, 4, 8),
    }


def test_what_names_no_placement_belongs_to_the_container_alone(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        *events("ad_served", 1),
        *events("ad_impression", 2),
        *events("ad_click", 3),
        *events("ad_impression", 4, unit="top"),
    )
    sql.insert(ALLOCATION, money("5"), money("6", unit="top"))
    assert level_of(sql.run(ENGAGEMENT), "served_ads", "impressions", "clicks", "revenue") == {
        ("letter", None): (1, 6, 3, 11),
        ("letter", "top"): (0, 4, 0, 6),
    }


def test_what_names_no_container_is_kept_under_null(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        *events("ad_impression", 1, container=None, unit="top"),
        *events("ad_impression", 2, container=None),
        *events("open", 3, container=None, unit="top"),
        *events("ad_impression", 4, container="letter", unit="top"),
    )
    sql.insert(ALLOCATION, money("5", container=None, unit="top"), money("6", container=None))
    assert level_of(sql.run(ENGAGEMENT), "impressions", "opens", "revenue") == {
        (None, None): (3, 3, 11),
        (None, "top"): (1, 3, 5),
        ("letter", None): (4, 0, 0),
        ("letter", "top"): (4, 0, 0),
    }


# Opens ------------------------------------------------------------------------------------------------------------


def test_opens_of_the_container_itself_are_used_where_there_are_any(sql: SqlFixture) -> None:
    sql.insert("raw.events", *events("open", 7), *events("open", 2, unit="top"), *events("open", 3, unit="foot"))
    assert level_of(sql.run(ENGAGEMENT), "opens", "opens_level") == {
        ("letter", None): (7, "container"),
        ("letter", "top"): (2, "placement"),
        ("letter", "foot"): (3, "placement"),
    }


def test_a_container_without_opens_of_its_own_sums_those_of_its_placements(sql: SqlFixture) -> None:
    sql.insert("raw.events", *events("open", 2, unit="top"), *events("open", 3, unit="foot"))
    assert level_of(sql.run(ENGAGEMENT), "opens", "opens_level")["letter", None] == (5, "placement")


def test_a_placement_without_opens_of_its_own_uses_those_of_its_container(sql: SqlFixture) -> None:
    sql.insert("raw.events", *events("open", 7), *events("ad_impression", 1, unit="top"))
    assert level_of(sql.run(ENGAGEMENT), "opens", "opens_level")["letter", "top"] == (7, "container")


def test_a_placement_without_opens_uses_the_sum_where_the_container_has_none_either(sql: SqlFixture) -> None:
    sql.insert("raw.events", *events("open", 3, unit="foot"), *events("ad_impression", 1, unit="top"))
    assert level_of(sql.run(ENGAGEMENT), "opens", "opens_level") == {
        ("letter", None): (3, "placement"),
        ("letter", "foot"): (3, "placement"),
        ("letter", "top"): (3, "container"),
    }


def test_automated_opens_come_from_the_same_level_as_the_opens(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        *events("open", 4),
        *events("open", 3, is_automated=True),
        *events("open", 2, unit="top", is_automated=True),
        *events("ad_impression", 1, unit="foot"),
    )
    assert level_of(sql.run(ENGAGEMENT), "opens", "automated_opens") == {
        ("letter", None): (7, 3),
        ("letter", "top"): (2, 2),
        ("letter", "foot"): (7, 3),
    }


# Machines ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("container", "adjusted"),
    [("letter", "5.2"), ("blog", "10"), ("other", "7"), (None, "7")],
    ids=["its own 0.8", "its own 0", "the default 0.5", "the default where there is no container"],
)
def test_automated_opens_are_taken_off_by_the_discount_of_the_container(
    sql: SqlFixture, container: str | None, adjusted: str
) -> None:
    sql.insert(
        "raw.events",
        *events("open", 4, container=container, unit="top"),
        *events("open", 6, container=container, unit="top", is_automated=True),
    )
    rows = sql.run(ENGAGEMENT)
    assert pick(rows, "opens", "automated_opens", "adjusted_opens") == [(10, 6, Decimal(adjusted))] * 2


def test_machines_do_not_count_at_all_unless_the_settings_say_so(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert("raw.events", *events("open", 4), *events("open", 6, is_automated=True))
    assert pick(sql.run(ENGAGEMENT), "opens", "adjusted_opens") == [(10, 4)]


def test_a_discount_keeps_all_nine_digits(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path, mpp_discount={"default": "0.123456789"})
    sql.insert("raw.events", *events("open", 3, is_automated=True))
    assert pick(sql.run(ENGAGEMENT), "adjusted_opens") == [(Decimal("2.629629633"),)]


def test_clicks_leave_automated_ones_out(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        *events("ad_click", 1, is_automated=False),
        *events("ad_click", 2, is_automated=None),
        *events("ad_click", 4, is_automated=True),
    )
    assert pick(sql.run(ENGAGEMENT), "clicks", "automated_clicks") == [(3, 4)]


# Money ------------------------------------------------------------------------------------------------------------


def test_money_comes_from_the_allocation_and_not_from_estimates(sql: SqlFixture) -> None:
    sql.insert("raw.events", impression("e1", estimate="100", container_id="letter", ad_unit_id="top"))
    sql.insert(ALLOCATION, money("2", unit="top"), money("0.5", unit="top", status="estimated"))
    rows = sql.run(ENGAGEMENT)
    assert pick(rows, "revenue", "estimated_revenue") == [(Decimal("2.5"), Decimal("0.5"))] * 2


def test_unallocated_money_is_kept_without_a_container(sql: SqlFixture) -> None:
    sql.insert(ALLOCATION, money("3", container=None, unit="top", status="unallocated"))
    assert level_of(sql.run(ENGAGEMENT), "impressions", "revenue") == {(None, None): (0, 3), (None, "top"): (0, 3)}


def test_money_is_booked_on_the_day_of_the_event(sql: SqlFixture) -> None:
    sql.insert(
        ALLOCATION,
        money("1", report_date=DAY_BEFORE),
        money("2", report_date=NEXT_DAY),
        money("4", event_date=NEXT_DAY),
        money("8", event_date=DAY_BEFORE),
    )
    assert pick(sql.run(ENGAGEMENT), "event_date", "revenue") == [(DAY, 3)]


def test_money_and_actions_of_a_placement_share_its_row(sql: SqlFixture) -> None:
    sql.insert("raw.events", *events("ad_impression", 2, unit="top"))
    sql.insert(ALLOCATION, money("1", unit="top"), money("2", unit="top", partner="slow"))
    assert level_of(sql.run(ENGAGEMENT), "impressions", "revenue")["letter", "top"] == (2, 3)


@pytest.mark.parametrize(
    ("partner", "report_date", "as_of", "is_final"),
    [
        ("max", DAY, LAST_OPEN, False),
        ("max", DAY, FIRST_CLOSED, True),
        ("max", NEXT_DAY, FIRST_CLOSED, False),
        ("max", DAY_BEFORE, LAST_OPEN, True),
        ("slow", DAY, FIRST_CLOSED, False),
        ("slow", DAY, DAY + timedelta(days=5), True),
        ("unknown", DAY, LAST_OPEN, False),
        ("unknown", DAY, FIRST_CLOSED, True),
    ],
)
def test_money_is_final_when_its_partner_day_is_closed(
    sql: SqlFixture, partner: str, report_date: date, as_of: date, is_final: bool
) -> None:
    sql.insert(ALLOCATION, money("1", partner=partner, report_date=report_date))
    assert pick(sql.run(ENGAGEMENT, as_of=as_of), "is_final") == [(is_final,)]


def test_one_open_partner_day_keeps_a_row_and_its_container_from_being_final(sql: SqlFixture) -> None:
    sql.insert(ALLOCATION, money("1", unit="top"), money("1", unit="foot"), money("1", unit="foot", partner="slow"))
    assert level_of(sql.run(ENGAGEMENT, as_of=FIRST_CLOSED), "is_final") == {
        ("letter", None): (False,),
        ("letter", "top"): (True,),
        ("letter", "foot"): (False,),
    }


def test_a_row_without_money_is_final(sql: SqlFixture) -> None:
    sql.insert("raw.events", *events("open", 1))
    assert pick(sql.run(ENGAGEMENT), "revenue", "is_final") == [(0, True)]


# Days and names ---------------------------------------------------------------------------------------------------


def test_only_the_days_of_the_run_and_events_with_a_meaning_here_count(sql: SqlFixture) -> None:
    sql.insert(
        "raw.events",
        *events("open", 1),
        *events("open", 2, day=NEXT_DAY),
        *events("purchase", 4),
        *events("install", 8, container="blog"),
    )
    assert pick(sql.run(ENGAGEMENT), "event_date", "container_id", "opens") == [(DAY, "letter", 1)]


def test_days_of_one_run_are_counted_apart(sql: SqlFixture) -> None:
    sql.insert("raw.events", *events("open", 1), *events("ad_impression", 1, unit="top", day=NEXT_DAY))
    rows = sql.run(ENGAGEMENT, last=NEXT_DAY)
    assert pick(rows, "event_date", "ad_unit_id", "opens") == [
        (DAY, None, 1),
        (NEXT_DAY, None, 0),
        (NEXT_DAY, "top", 0),
    ]
