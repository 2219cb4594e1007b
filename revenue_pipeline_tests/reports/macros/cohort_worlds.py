"""Small random worlds of cohorts, and the cohort reports of them worked out row by row, as the documents say.

Members and money are Python lists here, periods are counted by going from one to the next, and nothing is summed that
could be counted again for each cell: slow, plain, and unlike the SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import product, zip_longest
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from revenue_pipeline.warehouse import quoted
from revenue_pipeline_tests.sql_fixture import Row, SqlFixture

ONE_DAY = timedelta(days=1)
DIMENSIONS = ("app_id", "platform", "country", "channel", "campaign_id")
STARTS, EVENTS = ("install", "sign_up"), ("ad_impression", "purchase", "subscription")
HORIZONS = (7, 30, 90)


class Member(NamedTuple):
    """One row of `core.cohort_members`."""

    day: date
    start_event: str
    user: str
    dimensions: Sequence[str | None]


class Earned(NamedTuple):
    """One row of `core.user_revenue_daily`."""

    day: date
    user: str | None
    event: str
    revenue: Decimal
    events: int


class Cost(NamedTuple):
    """One row of `raw.costs`."""

    day: date
    dimensions: Sequence[str | None]
    cost: Decimal


@dataclass(frozen=True)
class World:
    """What there is, and from which day to which it was materialised."""

    members: Sequence[Member]
    earned: Sequence[Earned]
    costs: Sequence[Cost]
    first: date
    last: date


@dataclass(frozen=True)
class Question:
    """The arguments of the macros."""

    start: date
    end: date
    granularity: str
    view_type: str
    start_event: str
    revenue_event: str
    as_of: date
    dimension: str = "none"


def make_world(seed: int, first: date) -> World:
    """Make some weeks of few users, so that they meet in many ways: the same user, day, campaign, event, or none."""
    rng = Random(seed)  # noqa: S311  nothing to keep secret
    days = [first + ONE_DAY * n for n in range(rng.randrange(3, 75))]
    users = [f"user {n}" for n in range(rng.randrange(2, 9))]

    def dimensions() -> Sequence[str | None]:
        return [rng.choice((None, "a", "a", "b")) for _ in DIMENSIONS]

    starts = {(rng.choice(days), rng.choice(STARTS), user) for user in users for _ in range(rng.randrange(0, 4))}
    spent = [day for day in days if rng.random() < 0.3 for _ in range(2)]
    earned = {(rng.choice(days), rng.choice([*users, None]), rng.choice(EVENTS)) for _ in range(rng.randrange(0, 60))}
    return World(
        [Member(*start, dimensions()) for start in sorted(starts)],
        [Earned(*key, Decimal(rng.randrange(-20, 100)) / 8, rng.randrange(1, 4)) for key in sorted(earned, key=str)],
        [Cost(day, dimensions(), Decimal(rng.choice((0, 1, 8, 25))) / 4) for day in spent],
        days[0],
        days[-1],
    )


def make_question(seed: int, world: World) -> Question:
    """Ask anything of the world: a range that may stick out of it, an as-of date before, in or after it."""
    rng = Random(seed)  # noqa: S311  nothing to keep secret
    length = (world.last - world.first).days

    def day() -> date:
        return world.first + ONE_DAY * rng.randrange(-3, length + 4)

    start, end = sorted((day(), day()))
    return Question(
        start,
        end,
        rng.choice(("day", "week", "month")),
        rng.choice(("cumulative", "non_cumulative")),
        rng.choice(STARTS),
        rng.choice(("all", *EVENTS)),
        rng.choice((day(), world.last, world.last + ONE_DAY)),
        rng.choice(("none", *DIMENSIONS)),
    )


def warehouse_of(world: World, folder: Path) -> SqlFixture:
    """Give a warehouse that holds the world, its days materialised."""
    sql = SqlFixture(folder, cohorts={"start_events": STARTS})

    def dimensions(values: Sequence[str | None]) -> Row:
        return dict(zip(DIMENSIONS, values, strict=True))

    for member in world.members:
        row = {"cohort_date": member.day, "start_event": member.start_event, "user_id": member.user}
        sql.insert("core.cohort_members", row | dimensions(member.dimensions))
    for earned in world.earned:
        row = {"event_date": earned.day, "user_id": earned.user, "revenue_event": earned.event}
        sql.insert("core.user_revenue_daily", row | {"revenue": earned.revenue, "events": earned.events})
    for spent in world.costs:
        sql.insert("raw.costs", {"cost_date": spent.day, "reporting_cost": spent.cost} | dimensions(spent.dimensions))
    sql.write("core.cohort_daily", first=world.first, last=world.last)
    return sql


def question_sql(macro: str, asked: Question) -> str:
    """Write a question as SQL, to one of the four macros."""
    dates = [f"DATE '{day}'" for day in (asked.start, asked.end, asked.as_of)]
    texts = {
        name: quoted(getattr(asked, name)) for name in ("granularity", "view_type", "start_event", "revenue_event")
    }
    dimension = [quoted(asked.dimension)] if macro.endswith("_by") else []
    view = [texts["view_type"]] if macro.startswith("revenue") else []
    events = [texts["start_event"], texts["revenue_event"]]
    arguments = [*dimension, *dates[:2], texts["granularity"], *view, *events, dates[2]]
    return f"SELECT * FROM reports.{macro}({', '.join(arguments)})"


def assert_same(got: Sequence[Row], expected: Sequence[Row]) -> None:
    """Compare two reports row by row, whatever their order; ratios may differ in their last bits."""
    for mine, theirs in zip_longest(sorted(got, key=_place), sorted(expected, key=_place), fillvalue={}):
        near = {name: value for name, value in theirs.items() if isinstance(value, float)}
        assert {name: mine.get(name) for name in near} == pytest.approx(near, rel=1e-12, abs=1e-15)
        assert {**mine, **near} == theirs


def _place(row: Row) -> tuple[str, ...]:
    names = ("dimension_value", "row_kind", "cohort_start", "period", "horizon")
    return tuple(str(row.get(name)).zfill(10) for name in names)


# The reports ------------------------------------------------------------------------------------------------------


class Key(NamedTuple):
    """One sub-row's cohort: its period's first day, and the value of the dimension that was asked for."""

    start: date
    value: str | None


def period_of(day: date, granularity: str) -> date:
    """Give the first day of the calendar day, ISO week or month that `day` lies in."""
    if granularity == "month":
        return day.replace(day=1)
    return day - ONE_DAY * day.weekday() if granularity == "week" else day


def nth_period(start: date, n: int, granularity: str) -> date:
    """Give the first day of the nth period after the one that begins on `start`."""
    day = start
    for _ in range(n):
        previous = day
        while period_of(day, granularity) == previous:
            day += ONE_DAY
    return day


def value_of(dimensions: Sequence[str | None], dimension: str) -> str | None:
    """Give the value of one dimension, or None where none is asked for."""
    return None if dimension == "none" else dimensions[DIMENSIONS.index(dimension)]


def members_of(world: World, asked: Question) -> dict[Key, dict[str, date]]:
    """Give the members of each cohort, each with their first start day in it; cohorts that only cost are there too."""
    through = min(asked.end, asked.as_of, world.last)
    first: dict[tuple[date, str], Member] = {}
    for member in sorted(world.members):
        if member.start_event == asked.start_event and asked.start <= member.day <= through:
            first.setdefault((period_of(member.day, asked.granularity), member.user), member)
    cohorts: dict[Key, dict[str, date]] = {key: {} for key in costs_of(world, asked)}
    for (start, user), member in first.items():
        cohorts.setdefault(Key(start, value_of(member.dimensions, asked.dimension)), {})[user] = member.day
    return cohorts


def costs_of(world: World, asked: Question) -> dict[Key, Decimal]:
    """Give what each cohort cost; those without a cost row are missing."""
    costs: dict[Key, Decimal] = {}
    for spent in world.costs:
        if asked.start <= spent.day <= min(asked.end, asked.as_of, world.last):
            key = Key(period_of(spent.day, asked.granularity), value_of(spent.dimensions, asked.dimension))
            costs[key] = costs.get(key, Decimal(0)) + spent.cost
    return costs


def earned_by(world: World, asked: Question, members: dict[str, date]) -> list[Earned]:
    """Give what members brought from their first start on, as far as it is known."""
    known = min(asked.as_of, world.last)
    return [
        each
        for each in world.earned
        if each.user in members
        and members[each.user] <= each.day <= known
        and asked.revenue_event in ("all", each.event)
    ]


def ratio(numerator: Decimal, denominator: Decimal | int | None) -> float | None:
    """Divide, or give None where there is nothing to divide by."""
    return float(numerator / denominator) if denominator else None


def revenue_report(world: World, asked: Question) -> list[Row]:
    """Give the rows of `reports.revenue_report_by`."""
    cohorts, costs, known = members_of(world, asked), costs_of(world, asked), min(asked.as_of, world.last)
    subs: list[Row] = []
    active: dict[tuple[Key, int], set[str]] = {}
    for key, members in cohorts.items():
        money = earned_by(world, asked, members)
        payers = {each.user for each in money}
        n = 0
        while (begins := nth_period(key.start, n, asked.granularity)) <= known:
            ends = nth_period(begins, 1, asked.granularity) - ONE_DAY
            inside = [each for each in money if begins <= each.day <= ends]
            counted = [each for each in money if each.day <= ends] if asked.view_type == "cumulative" else inside
            active[key, n] = {each.user for each in inside if each.user}
            revenue = sum((each.revenue for each in counted), Decimal(0))
            subs.append({
                "dimension_value": key.value, "row_kind": "sub", "cohort_start": key.start, "period": n,
                "revenue": revenue, "events": sum(each.events for each in counted),
                "users": len(active[key, n]) if asked.view_type == "non_cumulative" else None,
                "cost": costs.get(key), "roas": ratio(revenue, costs.get(key)),
                "cohort_users": len(members), "arpu": ratio(revenue, len(members)),
                "paying_users": len(payers), "arppu": ratio(revenue, len(payers)),
                "is_partial": ends >= asked.as_of or ends > known,
            })  # fmt: skip
            n += 1
    return [*subs, *tops(subs, active, asked)]


def tops(subs: Sequence[Row], active: dict[tuple[Key, int], set[str]], asked: Question) -> Iterable[Row]:
    """Give a top row for each value and N."""
    values, ages = {row["dimension_value"] for row in subs}, {row["period"] for row in subs}
    for value, n in product(values, ages):
        mine = [row for row in subs if row["dimension_value"] == value]
        rows = [row for row in mine if row["period"] == n]
        if not rows and asked.view_type == "non_cumulative":
            continue
        latest = {row["cohort_start"]: row for row in mine}  # the last of each: sub-rows are in the order of N
        younger = [row for row in latest.values() if row["period"] < n] if asked.view_type == "cumulative" else []
        # A user counts once over all values, in the earliest cohort that they brought something to in its nth period.
        earlier = {key.start: set[str]() for key, _ in active}
        for (key, period), users in active.items():
            for start in earlier:
                if period == n and key.start < start:
                    earlier[start] |= users
        users = {
            user
            for (key, period), found in active.items()
            if period == n and key.value == value
            for user in found - earlier[key.start]
        }
        cost = [row["cost"] for row in rows if row["cost"] is not None]
        yield {
            "dimension_value": value, "row_kind": "top", "cohort_start": None, "period": n,
            "revenue": sum((row["revenue"] for row in [*rows, *younger]), Decimal(0)),
            "events": sum(row["events"] for row in [*rows, *younger]),
            "users": len(users) if asked.view_type == "non_cumulative" else None,
            "cost": sum(cost, Decimal(0)) if cost else None,
            "roas": mean(rows, "roas", "cost"),
            "cohort_users": sum(row["cohort_users"] for row in rows),
            "arpu": mean(rows, "arpu", "cohort_users"),
            "paying_users": sum(row["paying_users"] for row in rows),
            "arppu": mean(rows, "arppu", "paying_users"),
            "is_partial": any(row["is_partial"] for row in rows),
        }  # fmt: skip


def mean(rows: Sequence[Row], ratio_column: str, weight: str) -> float | None:
    """Give the weighted mean of a ratio over the rows that have one."""
    having = [row for row in rows if row[ratio_column] is not None]
    total = sum(row[weight] for row in having)
    return sum(row[ratio_column] * float(row[weight] / Decimal(total)) for row in having) if total else None


def ltv_report(world: World, asked: Question) -> list[Row]:
    """Give the rows of `reports.ltv_report_by`."""
    cohorts, known = members_of(world, asked), min(asked.as_of, world.last)
    rows: list[Row] = []
    for horizon in HORIZONS:
        for key, members in cohorts.items():
            spent = [
                each.day
                for each in world.costs
                if Key(period_of(each.day, asked.granularity), value_of(each.dimensions, asked.dimension)) == key
                and asked.start <= each.day <= min(asked.end, known)
            ]
            ends = [start + ONE_DAY * (horizon - 1) for start in members.values() or [max(spent, default=known)]]
            money = [
                each.revenue
                for each in earned_by(world, asked, members)
                if each.user and (each.day - members[each.user]).days < horizon
            ]
            rows.append(
                ltv_row("sub", key.value, key.start, horizon, len(members), money)
                | {"is_complete": all(end <= known and end < asked.as_of for end in ends)}
            )
    for value, horizon in {(row["dimension_value"], row["horizon"]) for row in rows}:
        mine = [row for row in rows if (row["dimension_value"], row["horizon"]) == (value, horizon)]
        users, money = sum(row["users"] for row in mine), [row["revenue"] for row in mine]
        complete = all(row["is_complete"] for row in mine)
        rows.append(ltv_row("top", value, None, horizon, users, money) | {"is_complete": complete})
    return rows


def ltv_row(kind: str, value: str | None, start: date | None, horizon: int, users: int, money: list[Any]) -> Row:
    """Give a row of the LTV report, but for whether it is complete."""
    revenue = sum(money, Decimal(0))
    row = {"dimension_value": value, "row_kind": kind, "cohort_start": start, "horizon": horizon}
    return row | {"users": users, "revenue": revenue, "ltv": ratio(revenue, users)}
