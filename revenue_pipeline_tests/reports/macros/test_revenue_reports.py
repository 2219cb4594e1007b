"""All forms of the revenue report at once, against each form asked for by itself: those are held to the documents."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from revenue_pipeline_tests.reports.macros.cohort_worlds import (
    Question,
    make_world,
    question_sql,
    warehouse_of,
)

FIRST = date(2025, 12, 8)


@pytest.mark.parametrize("granularity", ["day", "week", "month"])
@pytest.mark.parametrize("dimension", ["none", "channel"])
def test_each_form_is_what_it_is_when_asked_for_alone(tmp_path: Path, granularity: str, dimension: str) -> None:
    world = make_world(24, FIRST)
    sql = warehouse_of(world, tmp_path)
    rows = sql.ask(
        f"SELECT * FROM reports.revenue_reports('{dimension}', DATE '{world.first}', DATE '{world.last}', "
        f"'{granularity}', 'install', NULL, DATE '{world.last}')"
    )
    forms = {(row["view_type"], row["revenue_event"]) for row in rows}
    assert {view for view, _ in forms} == {"cumulative", "non_cumulative"}
    assert {event for _, event in forms} == {"all", "ad_impression", "purchase", "subscription"}
    for view_type, event in forms:
        of_form = [
            {name: value for name, value in row.items() if name not in ("view_type", "revenue_event")}
            for row in rows
            if (row["view_type"], row["revenue_event"]) == (view_type, event)
        ]
        asked = Question(world.first, world.last, granularity, view_type, "install", event, world.last, dimension)
        assert of_form == sql.ask(question_sql("revenue_report_by", asked))
