"""The LTV report against one worked out by hand for each cohort, in random worlds; and what adds up to what."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from revenue_pipeline_tests.reports.macros.cohort_worlds import (
    DIMENSIONS,
    Question,
    assert_same,
    ltv_report,
    question_sql,
    warehouse_of,
)
from revenue_pipeline_tests.reports.macros.test_revenue_report_by import SEEDS, questions, replaced, world_of
from revenue_pipeline_tests.sql_fixture import Row


@pytest.mark.parametrize("seed", SEEDS)
def test_every_cell_of_random_worlds_is_what_the_contract_says(tmp_path: Path, seed: int) -> None:
    sql = warehouse_of(world_of(seed), tmp_path)
    for asked in questions(seed):
        assert_same(sql.ask(question_sql("ltv_report_by", asked)), ltv_report(world_of(seed), asked))


def test_the_random_worlds_hold_every_situation() -> None:
    rows = [row for seed in SEEDS for asked in questions(seed) for row in ltv_report(world_of(seed), asked)]
    assert {(row["horizon"], row["row_kind"], row["is_complete"]) for row in rows} >= {
        (horizon, kind, complete) for horizon in (7, 30) for kind in ("top", "sub") for complete in (False, True)
    }
    assert any(row["ltv"] is None for row in rows)
    assert any(row["ltv"] for row in rows)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_the_rows_of_all_values_add_up_to_the_whole(tmp_path: Path, dimension: str) -> None:
    world = world_of(24)
    sql = warehouse_of(world, tmp_path)
    whole = Question(world.first, world.last, "week", "", "install", "all", world.last)
    parts: dict[tuple[object, ...], Row] = defaultdict(lambda: defaultdict(Decimal))
    for row in sql.ask(question_sql("ltv_report_by", replaced(whole, dimension))):
        for column in ("users", "revenue"):
            parts[row["row_kind"], row["cohort_start"], row["horizon"]][column] += row[column]
    rows = sql.ask(question_sql("ltv_report", whole))
    assert {
        (row["row_kind"], row["cohort_start"], row["horizon"]): {"users": row["users"], "revenue": row["revenue"]}
        for row in rows
    } == parts
    assert any(row["revenue"] for row in rows)


def test_an_unknown_dimension_is_an_error_that_names_those_there_are(tmp_path: Path) -> None:
    world = world_of(24)
    asked = Question(world.first, world.last, "day", "", "install", "all", world.last, "browser")
    with pytest.raises(duckdb.Error, match="campaign_id or none, not browser"):
        warehouse_of(world, tmp_path).ask(question_sql("ltv_report_by", asked))
