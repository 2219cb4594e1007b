"""A question about cohorts, its answer, and the triangle that a terminal shows."""

from __future__ import annotations

import io
import logging
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from revenue_pipeline.catalog import all_macros, all_tables, published_tables
from revenue_pipeline.cohort_report import Answer, Question, ask, headline, triangles
from revenue_pipeline.partitions import Window
from revenue_pipeline.publish import PublishedCopy
from revenue_pipeline.settings import Settings
from revenue_pipeline.warehouse import Warehouse, remember_written

START = date(2026, 11, 2)
TODAY = START + timedelta(days=2)


def cell(start: int | None, period: int, revenue: str, *, partial: bool = False, **more: Any) -> dict[str, Any]:
    row = {
        "row_kind": "top" if start is None else "sub",
        "cohort_start": None if start is None else START + timedelta(days=start),
        "period": period,
        "revenue": Decimal(revenue).quantize(Decimal("1e-9")),  # as the macro gives it
        "cohort_users": 1500,
        "is_partial": partial,
    }
    return row | more


TRIANGLE = [
    cell(None, 0, "7.005", partial=True),
    cell(None, 1, "9", partial=True),
    cell(0, 0, "3"),
    cell(0, 1, "9", partial=True),
    cell(1, 0, "4.005", partial=True),
]


def drawn(answer: Answer, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    for table in triangles(answer, width):
        console.print(table)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def test_a_triangle_has_its_top_row_first_and_marks_what_is_running() -> None:
    answer = Answer(Question("revenue", TODAY, START, TODAY, start_event="install"), [], TRIANGLE)
    assert drawn(answer).splitlines() == [
        "               cohort_users    day 0    day 1",
        "──────────────────────────────────────────────",
        " all cohorts          1,500    7.01*    9.00*",
        " 2026-11-02           1,500     3.00    9.00*",
        " 2026-11-03           1,500    4.01*",
    ]


def test_what_was_asked_is_told_in_one_line() -> None:
    question = Question("roas", TODAY, START, TODAY, "week", "non_cumulative", "install", "purchase")
    assert headline(Answer(question, [], []), "EUR") == (
        "roas of install cohorts by week, non-cumulative, purchase revenue events, 2026-11-02 to 2026-11-04, "
        "as of 2026-11-04, EUR, * still running"
    )


def test_columns_that_do_not_fit_go_below_with_the_cohorts_that_have_them() -> None:
    rows = [cell(start, period, "1") for start, ages in ((None, 6), (0, 6), (3, 3)) for period in range(ages)]
    lines = drawn(Answer(Question("revenue", TODAY, START, TODAY), [], rows), width=64).splitlines()
    assert max(map(len, lines)) <= 64
    assert not any("…" in line for line in lines)
    assert [line.split() for line in lines if "day" in line] == [
        ["cohort_users", "day", "0", "day", "1", "day", "2", "day", "3"],
        ["cohort_users", "day", "4", "day", "5"],
    ]
    assert [line.split()[0] for line in lines if "2026" in line] == ["2026-11-02", "2026-11-05", "2026-11-02"]


def test_each_value_of_a_dimension_has_a_triangle_of_its_own() -> None:
    rows = [cell(start, 0, "1", dimension_value=value) for value in (None, "search") for start in (None, 0)]
    lines = drawn(Answer(Question("revenue", TODAY, START, TODAY, dimension="channel"), [], rows)).splitlines()
    assert [line.split()[:3] for line in lines[2:]] == [
        ["all", "cohorts", "-"],
        ["2026-11-02", "-", "1,500"],
        ["all", "cohorts", "search"],
        ["2026-11-02", "search", "1,500"],
    ]


def test_the_ltv_report_marks_horizons_that_are_not_over() -> None:
    rows = [
        {"cohort_start": START, "horizon": horizon, "users": 4, "ltv": 1.5, "is_complete": horizon == 7}
        for horizon in (7, 30)
    ]
    assert drawn(Answer(Question("ltv", TODAY, START, TODAY), [], rows)).splitlines()[0::2] == [
        "              users    7 days    30 days",
        " 2026-11-02       4    1.5000    1.5000*",
    ]


# Asking the published copy ----------------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two days of cohorts, published."""
    settings = Settings.model_validate({"start_date": START, "storage": {"warehouse": tmp_path / "w.duckdb"}})
    copy = PublishedCopy(settings.storage.warehouse)
    window = Window.between(START, TODAY)
    warehouse = Warehouse(settings.storage.warehouse, tables=all_tables(), macros=all_macros())
    with warehouse.writing(logging.getLogger(__name__), "a test") as connection:
        for table, columns, rows in (
            ("core.cohort_members", "cohort_date, start_event, user_id, channel", [
                f"('{START}', 'install', 'ann', 'search')", f"('{TODAY}', 'install', 'bob', 'brand')",
                f"('{TODAY}', 'sign_up', 'bob', 'brand')",
            ]),
            ("core.user_revenue_daily", "event_date, user_id, revenue_event, revenue, events", [
                f"('{START}', 'ann', 'purchase', 2, 1)", f"('{TODAY}', 'ann', 'ad_impression', 3, 1)",
            ]),
            ("core.cohort_daily", "event_date, cohort_date, start_event, revenue_event, channel, period", [
                f"('{START}', '{START}', 'install', 'all', 'search', 0)",
                f"('{TODAY}', '{TODAY}', 'install', 'all', 'brand', 0)",
            ]),
        ):  # fmt: skip
            connection.execute(f"INSERT INTO {table} ({columns}) VALUES {', '.join(rows)}")
            remember_written(connection, table, window, TODAY)
        copy.publish(connection, published_tables(), all_macros())
    return settings


def answer_of(settings: Settings, metric: str, **asked: Any) -> Answer:
    return ask(settings, PublishedCopy(settings.storage.warehouse), Question(metric, **{"as_of": TODAY, **asked}))


def revenue_of(answer: Answer) -> list[Decimal]:
    return [row["revenue"] for row in answer.rows]


def test_what_is_left_out_is_every_cohort_of_the_first_start_event(settings: Settings) -> None:
    answer = answer_of(settings, "revenue")
    question = answer.question
    assert (question.start, question.end, question.start_event) == (START, TODAY, "install")
    assert revenue_of(answer) == [2, 2, 5, 2, 2, 5, 0]
    assert answer.columns[:3] == ["row_kind", "cohort_start", "period"]


def test_every_part_of_the_question_is_asked(settings: Settings) -> None:
    assert revenue_of(answer_of(settings, "revenue", view_type="non_cumulative")) == [2, 0, 3, 2, 0, 3, 0]
    assert revenue_of(answer_of(settings, "revenue", revenue_event="purchase")) == [2, 2, 2, 2, 2, 2, 0]
    assert revenue_of(answer_of(settings, "revenue", start_event="sign_up")) == [0, 0]
    assert revenue_of(answer_of(settings, "revenue", start=TODAY)) == [0, 0]
    assert revenue_of(answer_of(settings, "revenue", end=START)) == [2, 2, 5, 2, 2, 5]
    assert revenue_of(answer_of(settings, "revenue", as_of=START)) == [2, 2]
    assert revenue_of(answer_of(settings, "revenue", granularity="month")) == [5, 5]
    by_channel = answer_of(settings, "revenue", granularity="month", dimension="channel")
    assert [(row["dimension_value"], row["revenue"]) for row in by_channel.rows] == [
        *(("brand", 0), ("brand", 0)),
        *(("search", 5), ("search", 5)),
    ]


def test_users_are_counted_in_each_period_alone(settings: Settings) -> None:
    answer = answer_of(settings, "users", view_type="cumulative")
    assert answer.question.view_type == "non_cumulative"
    assert [row["users"] for row in answer.rows] == [1, 0, 1, 1, 0, 1, 0]


def test_the_ltv_report_is_asked_for_by_horizon(settings: Settings) -> None:
    answer = answer_of(settings, "ltv", granularity="month")
    assert [(row["horizon"], row["users"], row["revenue"]) for row in answer.rows] == [
        (horizon, 2, 5) for _ in ("top", "sub") for horizon in (7, 30, 90)
    ]
    by_channel = answer_of(settings, "ltv", granularity="month", dimension="channel")
    assert len(by_channel.rows) == 2 * len(answer.rows)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            {"start_event": "trial"},
            "'trial' starts no cohort; cohorts.start_events of the settings are install, sign_up",
        ),
        ({"revenue_event": "tip"}, "nothing was earned from 'tip'; there are ad_impression, all, purchase"),
    ],
)
def test_a_mistyped_event_is_told_with_those_there_are(settings: Settings, asked: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        answer_of(settings, "revenue", **asked)
