"""The cohort reports as a person asks for them: a question, its answer from the published copy, and its triangle.

One line a cohort, one column for each N, the top row first, what is still running marked `*`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.table import Table

from revenue_pipeline.printing import GAP, Row, shown, titled
from revenue_pipeline.settings import Settings

if TYPE_CHECKING:  # it brings Dagster, which takes seconds that `--help` does not have
    from revenue_pipeline.publish import PublishedCopy

DIMENSIONS = ("app_id", "platform", "country", "channel", "campaign_id")
GRANULARITIES = ("day", "week", "month")
VIEW_TYPES = ("cumulative", "non_cumulative")
LTV = "ltv"
WHOLE = "none"
ALL_EVENTS = "all"


@dataclass(frozen=True)
class Metric:
    """What a triangle shows: a column of the report in its cells, and one beside each cohort's name."""

    column: str
    beside: str
    is_only_non_cumulative: bool = False


METRICS = {
    "revenue": Metric("revenue", "cohort_users"),
    "events": Metric("events", "cohort_users"),
    "users": Metric("users", "cohort_users", is_only_non_cumulative=True),
    "roas": Metric("roas", "cost"),
    "arpu": Metric("arpu", "cohort_users"),
    "arppu": Metric("arppu", "paying_users"),
    LTV: Metric("ltv", "users"),
}
"""The cohort reports by the name that a person types."""


@dataclass(frozen=True)
class Question:
    """What a person asks of the cohorts.

    Attributes:
        metric: a key of `METRICS`.
        as_of: the day whose knowledge is asked for.
        start: first cohort date; the first there is when None.
        end: last cohort date, included; the last there is when None.
        granularity: day, week or month.
        view_type: cumulative or non_cumulative.
        start_event: what begins a cohort; the first of the settings when None.
        revenue_event: what brings money; `all` counts any.
        dimension: a dimension to break the report down by, or `none`.
    """

    metric: str
    as_of: date
    start: date | None = None
    end: date | None = None
    granularity: str = "day"
    view_type: str = "cumulative"
    start_event: str | None = None
    revenue_event: str = ALL_EVENTS
    dimension: str = WHOLE


@dataclass(frozen=True)
class Answer:
    """The rows of a report, the top rows of each value of the dimension before its sub-rows, and what was asked."""

    question: Question
    columns: Sequence[str]
    rows: Sequence[Row]


def ask(settings: Settings, copy: PublishedCopy, question: Question) -> Answer:
    """Give the answer of the published copy.

    Raises:
        FileNotFoundError: nothing was published yet.
        ValueError: cohorts do not start with that event, or nothing was ever earned from that revenue event.
    """
    question = _completed(settings, copy, question)
    names = ["start_date", "end_date", "granularity", "view_type", "start_event", "revenue_event", "as_of"]
    values: dict[str, Any] = {
        "start_date": question.start,
        "end_date": question.end,
        **{name: getattr(question, name) for name in names if name not in ("start_date", "end_date")},
    }
    macro = "revenue_report"
    if question.metric == LTV:
        macro = "ltv_report"
        del values["view_type"]
    if question.dimension != WHOLE:
        macro += "_by"
        values["dimension"] = question.dimension
    arguments = ", ".join(f"{name} := ${name}" for name in values)
    relation = copy.read(f"SELECT * FROM reports.{macro}({arguments})", values)
    columns = list(relation.columns)
    return Answer(question, columns, [dict(zip(columns, row, strict=True)) for row in relation.fetchall()])


def _completed(settings: Settings, copy: PublishedCopy, question: Question) -> Question:
    starts = settings.cohorts.start_events
    start_event = question.start_event or starts[0]
    if start_event not in starts:
        raise ValueError(
            f"{start_event!r} starts no cohort; cohorts.start_events of the settings are {', '.join(starts)}"
        )
    if question.revenue_event != ALL_EVENTS:
        found = [row[0] for row in copy.read("SELECT DISTINCT revenue_event FROM core.user_revenue_daily").fetchall()]
        if question.revenue_event not in found:
            known = ", ".join(sorted([ALL_EVENTS, *found]))
            raise ValueError(f"nothing was earned from {question.revenue_event!r}; there are {known}")
    first, last = copy.read(
        "SELECT min(cohort_date), max(cohort_date) FROM core.cohort_daily WHERE start_event = $start_event",
        {"start_event": start_event},
    ).fetchall()[0]
    view_type = "non_cumulative" if METRICS[question.metric].is_only_non_cumulative else question.view_type
    return replace(
        question,
        start=question.start or first or question.as_of,
        end=question.end or last or question.as_of,
        start_event=start_event,
        view_type=view_type,
    )


def headline(answer: Answer, currency: str) -> str:
    """Say in one line what was asked, with what stood in for what was left out."""
    question = answer.question
    view = [] if question.metric == LTV else [question.view_type.replace("_", "-")]
    told = [
        f"{question.metric} of {question.start_event} cohorts by {question.granularity}",
        *view,
        f"{question.revenue_event} revenue events",
        f"{question.start} to {question.end}",
        f"as of {question.as_of}",
        currency,
        "* still running",
    ]
    return ", ".join(told)


def triangles(answer: Answer, width: int) -> Iterator[Table]:
    """Draw the answer: as many tables one under the other as its columns need to fit into `width` characters."""
    question, metric = answer.question, METRICS[answer.question.metric]
    age = "horizon" if question.metric == LTV else "period"
    lines = _lines(answer, metric, age)
    ages = sorted({row[age] for row in answer.rows})
    names = ["", *([question.dimension] if question.dimension != WHOLE else []), metric.beside]
    headers = {n: f"{n} days" if question.metric == LTV else f"{question.granularity} {n}" for n in ages}
    fixed = [[header, *(line.names[place] for line in lines)] for place, header in enumerate(names)]
    room = width + 1 - sum(max(map(len, column)) + GAP for column in fixed)  # nothing divides the last from the edge
    widths = {n: max(len(headers[n]) + 1, *(len(line.cells.get(n, "")) for line in lines)) + GAP for n in ages}
    for number, block in enumerate(_blocks(widths, room)):
        table = titled(None)
        for place, header in enumerate(names):
            table.add_column(header, justify="right" if place == len(names) - 1 else "left", no_wrap=True)
        for n in block:
            table.add_column(f"{headers[n]} ", justify="right", no_wrap=True)
        for line in lines:
            if number == 0 or line.cells.keys() & set(block):
                table.add_row(*line.names, *(line.cells.get(n, "") for n in block), end_section=line.is_last)
        yield table


def _blocks(widths: Mapping[int, int], room: int) -> list[list[int]]:
    """Part the columns into as few blocks as fit into `room`, each of one at least."""
    blocks: list[list[int]] = [[]]
    left = room
    for n, width in widths.items():
        if blocks[-1] and width > left:
            blocks.append([])
            left = room
        blocks[-1].append(n)
        left -= width
    return blocks


@dataclass(frozen=True)
class _Line:
    names: Sequence[str]
    cells: dict[int, str]
    is_last: bool


def _lines(answer: Answer, metric: Metric, age: str) -> list[_Line]:
    lines = []

    def cohort(row: Row) -> tuple[Any, ...]:
        return row.get("dimension_value"), row["cohort_start"]

    groups = [(key, list(rows)) for key, rows in groupby(answer.rows, cohort)]
    following = [key[0] for key, _ in groups[1:]]
    for place, ((value, start), rows) in enumerate(groups):
        names = [str(start) if start else "all cohorts"]
        if answer.question.dimension != WHOLE:
            names.append(shown(value))
        names.append(shown(rows[0][metric.beside]))
        cells = {row[age]: shown(row[metric.column]) + (" " if _is_over(row) else "*") for row in rows}
        lines.append(_Line(names, cells, start is None or following[place : place + 1] != [value]))
    return lines


def _is_over(row: Row) -> bool:
    return bool(row["is_complete"]) if "is_complete" in row else not row["is_partial"]
