"""How messages did over a range of days, by one dimension: sums over sums."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from revenue_pipeline_tests.message_rows import ACTIVITY, activity
from revenue_pipeline_tests.sql_fixture import DAY, DAY_BEFORE, NEXT_DAY, Row, SqlFixture, pick

REPORTS = ("reports.performance", "reports.message_performance", "reports.contact_value")


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    """Two creatives over two days, and a day before them."""
    sql = SqlFixture(tmp_path, messages={"cost_per_segment": "0.5"})
    flash = {"creative_id": "flash", "offer_id": "sofa", "campaign_id": "weekend", "sending_list": "vip"}
    texas, california = '{"source":"web","state":"TX"}', '{"state":"CA"}'
    sql.insert(
        ACTIVITY,
        activity("m1", DAY_BEFORE, sends=100, segments=100, **flash),
        activity("m2", DAY, sends=1, segments=2, custom=texas, **flash),
        activity("m2", NEXT_DAY, clicks=4, conversions=1, revenue="3", custom=texas, **flash),
        activity("m3", NEXT_DAY, sends=3, segments=4, clicks=1, custom=california, contact_id="bob", **flash),
        activity("m4", NEXT_DAY, sends=1, segments=1, creative_id="plain", contact_id="bob"),
        activity("lost", NEXT_DAY, clicks=1, contact_id=None),
    )
    sql.write(*REPORTS, first=DAY_BEFORE, last=NEXT_DAY)
    return sql


def report(sql: SqlFixture, dimension: str, first: date = DAY, last: date = NEXT_DAY) -> list[Row]:
    return sql.ask(f"SELECT * FROM reports.performance_report(DATE '{first}', DATE '{last}', '{dimension}')")


def test_a_range_is_the_sum_over_its_days_and_ratios_are_sums_over_sums(sql: SqlFixture) -> None:
    flash, plain, nobody = report(sql, "creative")
    assert flash == {
        "dimension_value": "flash",
        "sends": 4,
        "segments": 6,
        "clicks": 5,
        "conversions": 1,
        "revenue": 3,
        "cost": 3,
        "revenue_per_send": 0.75,
        "epc": 0.6,
        "conversion_rate": 0.2,
        "roas": 1.0,
        "roi": 0.0,
    }
    assert pick([plain, nobody], "dimension_value", "sends", "clicks", "epc", "roi") == [
        ("plain", 1, 0, None, -1.0),
        (None, 0, 1, 0.0, None),
    ]


@pytest.mark.parametrize(
    ("dimension", "sends"),
    [
        ("creative", {"flash": 4, "plain": 1, None: 0}),
        ("creative_id", {"flash": 4, "plain": 1, None: 0}),
        ("offer", {"sofa": 4, None: 1}),
        ("campaign", {"weekend": 4, None: 1}),
        ("sending_list", {"vip": 4, None: 1}),
        ("message", {"m2": 1, "m3": 3, "m4": 1, "lost": 0}),
        ("contact", {"ann": 1, "bob": 4, None: 0}),
        ("date", {str(DAY): 1, str(NEXT_DAY): 4}),
        ("custom.state", {"TX": 1, "CA": 3, None: 1}),
        ("custom.source", {"web": 1, None: 4}),
        ("custom.nothing", {None: 5}),
    ],
)
def test_every_dimension_adds_up_to_the_same(sql: SqlFixture, dimension: str, sends: dict[str | None, int]) -> None:
    rows = report(sql, dimension)
    assert {row["dimension_value"]: row["sends"] for row in rows} == sends
    assert [sum(row[column] for row in rows) for column in ("sends", "clicks", "revenue", "cost")] == [5, 6, 3, 3.5]


def test_the_first_rows_earn_most(sql: SqlFixture) -> None:
    assert [row["dimension_value"] for row in report(sql, "message")] == ["m2", "lost", "m3", "m4"]


def test_a_range_of_one_day(sql: SqlFixture) -> None:
    assert pick(report(sql, "offer", DAY, DAY), "dimension_value", "sends", "clicks") == [("sofa", 1, 0)]


def test_an_unheard_of_dimension_is_refused_by_name(sql: SqlFixture) -> None:
    with pytest.raises(duckdb.InvalidInputException, match="there is no dimension colour; there are creative, "):
        report(sql, "colour")
