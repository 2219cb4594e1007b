"""The revenue report against one worked out by hand for each cell, in random worlds; and what adds up to what."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

import duckdb
import pytest

from revenue_pipeline_tests.reports.macros.cohort_worlds import (
    DIMENSIONS,
    Question,
    World,
    assert_same,
    make_question,
    make_world,
    question_sql,
    revenue_report,
    warehouse_of,
)
from revenue_pipeline_tests.sql_fixture import Row

SEEDS = (10, 11, 24, 54)
QUESTIONS = 16
FIRST = date(2025, 12, 8)  # a Monday, with the end of a month and of a year of 53 weeks to come


@cache
def world_of(seed: int) -> World:
    return make_world(seed, FIRST)


def questions(seed: int) -> list[Question]:
    return [make_question(100 * seed + number, world_of(seed)) for number in range(QUESTIONS)]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_cell_of_random_worlds_is_what_the_documents_say(tmp_path: Path, seed: int) -> None:
    sql = warehouse_of(world_of(seed), tmp_path)
    for asked in questions(seed):
        assert_same(sql.ask(question_sql("revenue_report_by", asked)), revenue_report(world_of(seed), asked))


def test_the_random_worlds_hold_every_situation() -> None:
    found: set[str] = set()
    for seed in SEEDS:
        for asked in questions(seed):
            rows = revenue_report(world_of(seed), asked)
            found |= {asked.granularity, asked.view_type, asked.dimension, asked.revenue_event}
            found |= situations(rows)
            if asked.as_of < world_of(seed).last:
                found.add("asked as of a day before the last")
    assert found >= {
        *("day", "week", "month", "cumulative", "non_cumulative", "none", *DIMENSIONS),
        *("all", "ad_impression", "purchase", "subscription"),
        *("a refund", "no cost", "a cost of nothing", "cost without members", "members without a payer"),
        *("a user in several cohorts", "a user under several values", "younger cohorts", "a running period"),
        "asked as of a day before the last",
    }


def situations(rows: list[Row]) -> set[str]:
    subs = [row for row in rows if row["row_kind"] == "sub"]
    tops = [row for row in rows if row["row_kind"] == "top"]

    def of(top: Row, rows: list[Row]) -> list[Row]:
        return [row for row in rows if row["period"] == top["period"]]

    def counted(rows: list[Row]) -> int:
        return sum(row["users"] or 0 for row in rows)

    held = {
        "a refund": any(row["revenue"] < 0 for row in subs),
        "no cost": any(row["cost"] is None for row in subs),
        "a cost of nothing": any(row["cost"] == 0 for row in subs),
        "cost without members": any(row["cost"] and not row["cohort_users"] for row in subs),
        "members without a payer": any(row["cohort_users"] and not row["paying_users"] for row in subs),
        "a running period": any(row["is_partial"] and not other["is_partial"] for row in subs for other in subs),
        "younger cohorts": any(top["revenue"] != sum(row["revenue"] for row in of(top, subs)) for top in tops),
        "a user in several cohorts": any(
            counted([top]) < counted(of(top, subs)) for top in tops if top["dimension_value"] is None
        ),
        "a user under several values": any(
            counted(of(top, tops)) < counted(of(top, subs)) for top in tops if top["dimension_value"]
        ),
    }
    return {name for name, holds in held.items() if holds}


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("view_type", ["cumulative", "non_cumulative"])
def test_the_rows_of_all_values_add_up_to_the_whole_users_included(
    tmp_path: Path, dimension: str, view_type: str
) -> None:
    world = world_of(24)
    sql = warehouse_of(world, tmp_path)
    for granularity in ("day", "week", "month"):
        whole = Question(world.first, world.last, granularity, view_type, "install", "all", world.last)
        parts: dict[tuple[object, ...], Row] = defaultdict(lambda: defaultdict(Decimal))
        values = set()
        for row in sql.ask(question_sql("revenue_report_by", replaced(whole, dimension))):
            values.add(row["dimension_value"])
            for column in ("revenue", "events", "users", "cost", "cohort_users", "paying_users"):
                parts[row["row_kind"], row["cohort_start"], row["period"]][column] += row[column] or 0
        assert len(values) == 3
        for row in sql.ask(question_sql("revenue_report", whole)):
            added = parts.pop((row["row_kind"], row["cohort_start"], row["period"]))
            assert added == {column: row[column] or 0 for column in added}
        assert not parts


def replaced(asked: Question, dimension: str) -> Question:
    return Question(**(vars(asked) | {"dimension": dimension}))


def test_an_unknown_dimension_is_an_error_that_names_those_there_are(tmp_path: Path) -> None:
    world = world_of(24)
    asked = Question(world.first, world.last, "day", "cumulative", "install", "all", world.last, "browser")
    with pytest.raises(duckdb.Error, match="campaign_id or none, not browser"):
        warehouse_of(world, tmp_path).ask(question_sql("revenue_report_by", asked))
