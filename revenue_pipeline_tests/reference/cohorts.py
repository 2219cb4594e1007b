"""Cohorts: who started when, what they earned since, and the reports over them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from revenue_pipeline_tests.reference.landing import order_of_events
from revenue_pipeline_tests.reference.rules import Rules
from revenue_pipeline_tests.reference.values import ONE_DAY, Row, money, ratio, total, units

ATTRIBUTES = ("app_id", "platform", "country", "channel", "campaign_id")
COHORT = ("cohort_date", "start_event", *ATTRIBUTES)
HORIZONS = (7, 30, 90)
ALL = "all"


@dataclass(frozen=True)
class Earned:
    """Units of money and events."""

    revenue: int = 0
    events: int = 0

    def __add__(self, other: "Earned") -> "Earned":
        return Earned(self.revenue + other.revenue, self.events + other.events)


def sum_of(amounts: Iterable[Earned]) -> Earned:
    return sum(amounts, Earned())


def user_revenue_daily(events: Iterable[Row], allocated: Iterable[Row]) -> list[Row]:
    """
    "(event_date, user_id, app_id, revenue_event) `revenue, events`. Ad money comes from `core.allocated_revenue` under
    `ad_impression`; other event names from `raw.events`. Only revenue events count. Money without a user is kept with
    `user_id` NULL (`events` 0 for `unallocated` rows)." "A revenue event is a row whose revenue is neither NULL nor 0."
    """
    earned: dict[tuple[Any, ...], Earned] = defaultdict(Earned)
    for row in allocated:
        if row["revenue"]:
            key = row["event_date"], row["user_id"], row["app_id"], "ad_impression"
            earned[key] += Earned(units(row["revenue"]), int(row["status"] != "unallocated"))
    for event in events:
        if event["event_name"] != "ad_impression" and event["revenue"]:
            key = event["event_date"], event["user_id"], event["app_id"], event["event_name"]
            earned[key] += Earned(units(event["reporting_revenue"]), 1)
    names = ("event_date", "user_id", "app_id", "revenue_event")
    return [
        {**dict(zip(names, key, strict=True)), "revenue": money(each.revenue), "events": each.events}
        for key, each in earned.items()
    ]


def cohort_members(events: Iterable[Row], rules: Rules) -> list[Row]:
    """
    "(cohort_date, start_event, user_id), with `app_id, platform, country, channel, campaign_id` of the user's first
    such event of that day. A user may be in several cohorts." Of two at one instant the first is the one that comes
    first among repeats of an event.
    """
    starts: dict[tuple[date, str, str], list[Row]] = defaultdict(list)
    for event in events:
        if event["event_name"] in rules.start_events and event["user_id"] is not None:
            starts[event["event_date"], event["event_name"], event["user_id"]].append(event)
    members = []
    for (day, start_event, user), those in starts.items():
        first = min(those, key=order_of_events)
        attributes = {column: first[column] for column in ATTRIBUTES}
        members.append({"cohort_date": day, "start_event": start_event, "user_id": user, **attributes})
    return members


class Purses:
    """What each user earned on which day by which revenue event; "`revenue_event = 'all'` counts any"."""

    def __init__(self, user_revenue: Iterable[Row]) -> None:
        self._of_user: dict[str, dict[date, dict[str, Earned]]] = defaultdict(lambda: defaultdict(dict))
        for row in user_revenue:
            if row["user_id"] is not None:
                of_day = self._of_user[row["user_id"]][row["event_date"]]
                for name in (row["revenue_event"], ALL):
                    earned = Earned(units(row["revenue"]), row["events"])
                    of_day[name] = of_day.get(name, Earned()) + earned

    def by_day(self, user: str, revenue_event: str, first: date, last: date) -> dict[date, Earned]:
        """The days from `first` to `last` on which the user had such an event."""
        days = self._of_user.get(user, {})
        return {day: of[revenue_event] for day, of in days.items() if first <= day <= last and revenue_event in of}

    def names(self, users: Iterable[str], first: date, last: date) -> set[str]:
        """The revenue events that any of them earned by from `first` to `last`."""
        days = [(day, of) for user in users for day, of in self._of_user.get(user, {}).items()]
        return {name for day, of in days if first <= day <= last for name in of}


def costs_of_cohorts(costs: Iterable[Row], start_events: Iterable[str]) -> dict[tuple[Any, ...], Decimal]:
    """ "Cost repeats on every start and revenue event; a total of 0 is a cost, no cost row is NULL." """
    found: dict[tuple[Any, ...], list[Decimal]] = defaultdict(list)
    for row in costs:
        for start_event in start_events:
            key = (row["cost_date"], start_event, *(row[column] for column in ATTRIBUTES))
            found[key].append(row["reporting_cost"])
    return {key: total(amounts) for key, amounts in found.items()}


def cohort_daily(
    members: Iterable[Row], user_revenue: Iterable[Row], costs: Iterable[Row], rules: Rules, days: Sequence[date]
) -> list[Row]:
    """
    "`period` (= event_date - cohort_date, 0 to `max_days`), `users` (members), `revenue, events, active_users` (members
    with a revenue event that day), `new_payers` (those for whom it is the first since their start), `cost`. Rows exist
    for every cohort with members or cost under `'all'`, and for each revenue event that cohort has earned from so far.
    A date with cost and no members is a cohort with 0 users."
    """
    purses, cost = Purses(user_revenue), costs_of_cohorts(costs, rules.start_events)
    users_of: dict[tuple[Any, ...], list[str]] = {key: [] for key in cost}
    for row in members:
        users_of.setdefault(tuple(row[column] for column in COHORT), []).append(row["user_id"])
    return [
        {
            "event_date": day,
            **dict(zip(COHORT, key, strict=True)),
            "revenue_event": revenue_event,
            "period": (day - key[0]).days,
            "users": len(users),
            "cost": cost.get(key),
            **_day_of_cohort([purses.by_day(user, revenue_event, key[0], day) for user in users], day),
        }
        for key, users in users_of.items()
        for day in days
        if 0 <= (day - key[0]).days <= rules.max_days
        for revenue_event in {ALL} | purses.names(users, key[0], day)
    ]


def _day_of_cohort(earned_of_users: Iterable[Mapping[date, Earned]], day: date) -> Row:
    active = [of_user for of_user in earned_of_users if day in of_user]
    earned = sum_of(of_user[day] for of_user in active)
    return {
        "revenue": money(earned.revenue),
        "events": earned.events,
        "active_users": len(active),
        "new_payers": sum(min(of_user) == day for of_user in active),
    }


# The cells ----------------------------------------------------------------------------------------------------------


def cells(daily: Iterable[Row], rules: Rules) -> list[Row]:
    """
    What the five reports share: "the cell of cohort `c` for day N lies in partition `c + N`", "its key is that of
    `core.cohort_daily`; each cell carries `is_partial` (`event_date >= as_of`)", sums through N, and `paying_users`
    "(sum of `new_payers` through that day)".
    """
    of_cohort: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in daily:
        of_cohort[tuple(row[column] for column in (*COHORT, "revenue_event"))].append(row)
    found = []
    for rows in of_cohort.values():
        rows.sort(key=lambda row: row["period"])
        for n, row in enumerate(rows, 1):
            found.append(
                {
                    **row,
                    "cumulative_revenue": total(each["revenue"] for each in rows[:n]),
                    "cumulative_events": sum(each["events"] for each in rows[:n]),
                    "paying_users": sum(each["new_payers"] for each in rows[:n]),
                    "is_partial": row["event_date"] >= rules.as_of,
                }
            )
    return found


def _cell(cell: Row, *columns: str) -> Row:
    key = ("event_date", *COHORT, "revenue_event", "period", "is_partial")
    return {column: cell[column] for column in (*key, *columns)}


def revenue(cells: Iterable[Row]) -> list[Row]:
    """ "`reports.revenue`: `revenue, cumulative_revenue, events, cumulative_events, active_users`." """
    columns = ("revenue", "cumulative_revenue", "events", "cumulative_events", "active_users")
    return [_cell(cell, *columns) for cell in cells]


def roas(cells: Iterable[Row]) -> list[Row]:
    """ "`reports.roas`: `cost, roas = revenue/cost, cumulative_roas`." """
    return [
        {
            **_cell(cell, "cost"),
            "roas": ratio(cell["revenue"], cell["cost"]),
            "cumulative_roas": ratio(cell["cumulative_revenue"], cell["cost"]),
        }
        for cell in cells
    ]


def arpu(cells: Iterable[Row]) -> list[Row]:
    """ "`reports.arpu`: `users, arpu = revenue/users, cumulative_arpu`." """
    return [
        {
            **_cell(cell, "users"),
            "arpu": ratio(cell["revenue"], cell["users"]),
            "cumulative_arpu": ratio(cell["cumulative_revenue"], cell["users"]),
        }
        for cell in cells
    ]


def arppu(cells: Iterable[Row]) -> list[Row]:
    """ "`reports.arppu`: `paying_users` (sum of `new_payers` through that day), `arppu, cumulative_arppu`." """
    return [
        {
            **_cell(cell, "paying_users"),
            "arppu": ratio(cell["revenue"], cell["paying_users"]),
            "cumulative_arppu": ratio(cell["cumulative_revenue"], cell["paying_users"]),
        }
        for cell in cells
    ]


def ltv(cells: Iterable[Row]) -> list[Row]:
    """
    "`reports.ltv`: horizons 7, 30, 90 (days 0 … h-1): `horizon, users, revenue, ltv = revenue / users, is_complete`
    (day h-1 is reached and over); rows for N <= h-1, with the money through N."
    """
    return [
        {
            **_cell(cell, "users"),
            "horizon": horizon,
            "revenue": cell["cumulative_revenue"],
            "ltv": ratio(cell["cumulative_revenue"], cell["users"]),
            "is_complete": cell["period"] == horizon - 1 and not cell["is_partial"],
        }
        for cell in cells
        for horizon in HORIZONS
        if cell["period"] < horizon
    ]


# The reports by range and granularity -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Question:
    """What a person asks the macros; `ltv_report` has no view type."""

    first: date
    last: date
    granularity: str
    view_type: str
    start_event: str
    revenue_event: str
    as_of: date


@dataclass(frozen=True)
class Facts:
    """What both macros answer from; `last_day` is the last materialised day, and no other event starts a cohort."""

    members: Sequence[Row]
    user_revenue: Sequence[Row]
    costs: Sequence[Row]
    last_day: date
    start_events: Sequence[str] = ("install", "sign_up")

    @cached_property
    def purses(self) -> "Purses":
        return Purses(self.user_revenue)


def first_day_of(day: date, granularity: str) -> date:
    """ "`granularity` day | week (ISO) | month: cohorts and N are calendar periods." """
    if granularity == "month":
        return day.replace(day=1)
    return day - ONE_DAY * day.weekday() if granularity == "week" else day


def period_of(day: date, cohort_start: date, granularity: str) -> int:
    """Which N of the cohort a day lies in."""
    if granularity == "month":
        return (day.year - cohort_start.year) * 12 + day.month - cohort_start.month
    return (day - cohort_start).days // (7 if granularity == "week" else 1)


def last_day_of_period(period: int, cohort_start: date, granularity: str) -> date:
    if granularity != "month":
        return cohort_start + ONE_DAY * ((period + 1) * (7 if granularity == "week" else 1) - 1)
    months = cohort_start.year * 12 + cohort_start.month + period  # from 0, so this is the month after
    return date(months // 12, months % 12 + 1, 1) - ONE_DAY


@dataclass(frozen=True)
class Member:
    """A user of a cohort: from the first start day that counts, what was earned by day."""

    user: str
    started: date
    earned: Mapping[date, Earned]


@dataclass(frozen=True)
class Cohort:
    """
    "Cohort dates inside the range count, under their period's first day even where that lies before `start_date`." "A
    user's several starts in one period count once, from the first, and money before that day does not count."
    """

    start: date
    members: Sequence[Member]
    costs: Sequence[tuple[date, Decimal]]

    @property
    def cost(self) -> Decimal | None:
        return total(amount for _, amount in self.costs) if self.costs else None

    @property
    def cost_days(self) -> list[date]:
        return [day for day, _ in self.costs]


def cohorts_of(facts: Facts, question: Question) -> list[Cohort]:
    """Who and what costs there are; nothing after the day that N ends at is known yet."""
    last_known = min(question.as_of, facts.last_day)
    starts: dict[tuple[date, str], date] = {}
    for row in facts.members:
        day = row["cohort_date"]
        if row["start_event"] == question.start_event and question.first <= day <= min(question.last, last_known):
            key = first_day_of(day, question.granularity), row["user_id"]
            starts[key] = min(day, starts.get(key, day))
    costs: dict[date, list[tuple[date, Decimal]]] = defaultdict(list)
    for row in facts.costs if question.start_event in facts.start_events else ():
        if question.first <= row["cost_date"] <= min(question.last, last_known):
            cost = row["cost_date"], row["reporting_cost"]
            costs[first_day_of(row["cost_date"], question.granularity)].append(cost)
    members: dict[date, list[Member]] = defaultdict(list)
    for (start, user), day in starts.items():
        earned = facts.purses.by_day(user, question.revenue_event, day, last_known)
        members[start].append(Member(user, day, earned))
    return [Cohort(start, members[start], costs[start]) for start in sorted({*members, *costs})]


def revenue_report(facts: Facts, question: Question) -> list[Row]:
    """
    "`row_kind` (`top`|`sub`), cohort_start, period, revenue, events, users, cost, roas, cohort_users, arpu,
    paying_users, arppu, is_partial`." "N ends at the earlier of `as_of` and the last materialised day." "A cohort 'has
    N' from the first day of that period on."
    """
    last_known = min(question.as_of, facts.last_day)
    subs: dict[int, list[tuple[Cohort, Row]]] = defaultdict(list)
    for cohort in cohorts_of(facts, question):
        for n in range(period_of(last_known, cohort.start, question.granularity) + 1):
            subs[n].append((cohort, _sub_row(cohort, n, question, facts.last_day)))
    rows = [row for those in subs.values() for _, row in those]
    return [*(_top_row(n, subs, question) for n in subs), *rows]


def _sub_row(cohort: Cohort, n: int, question: Question, last_day: date) -> Row:
    """
    "Revenue, event count: in period N, or through N. User count (non-cumulative only): members with a revenue event in
    period N. ROAS: revenue / the cohort's cost. ARPU: revenue / members. ARPPU: revenue / paying users (members with a
    revenue event from their start through `as_of`)." "Such running cells are `is_partial`."
    """
    is_cumulative = question.view_type == "cumulative"
    earned = sum_of(
        each for member in cohort.members for each in _earned_in(member, cohort, n, question, is_cumulative).values()
    )
    paying = sum(bool(member.earned) for member in cohort.members)
    last_of_period = last_day_of_period(n, cohort.start, question.granularity)
    return {
        "row_kind": "sub",
        "cohort_start": cohort.start,
        "period": n,
        "revenue": money(earned.revenue),
        "events": earned.events,
        "users": None if is_cumulative else len(_active(cohort, n, question)),
        "cost": cohort.cost,
        "roas": ratio(money(earned.revenue), cohort.cost),
        "cohort_users": len(cohort.members),
        "arpu": ratio(money(earned.revenue), len(cohort.members)),
        "paying_users": paying,
        "arppu": ratio(money(earned.revenue), paying),
        "is_partial": last_of_period >= question.as_of or last_of_period > last_day,
    }


def _earned_in(
    member: Member, cohort: Cohort, n: int, question: Question, is_cumulative: bool
) -> Mapping[date, Earned]:
    periods = {day: period_of(day, cohort.start, question.granularity) for day in member.earned}
    return {
        day: each for day, each in member.earned.items() if periods[day] == n or (is_cumulative and periods[day] < n)
    }


def _active(cohort: Cohort, n: int, question: Question) -> set[str]:
    return {member.user for member in cohort.members if _earned_in(member, cohort, n, question, is_cumulative=False)}


def _top_row(n: int, subs: Mapping[int, Sequence[tuple[Cohort, Row]]], question: Question) -> Row:
    """
    "Non-cumulative: sum of the sub-rows that have N. Cumulative: that sum plus, for each cohort too young to have N,
    its latest sub-row. User count: distinct users over the cohorts that have N. ROAS: cost-weighted mean over the
    cohorts that have N and have cost. ARPU: member-weighted mean, likewise. ARPPU: weighted by paying users, likewise."
    "`cost`, `cohort_users`, `paying_users` are sums over the cohorts that have N, and `is_partial` holds when any of
    those cells is."
    """
    have_n = [row for _, row in subs[n]]
    counted = list(have_n)
    if question.view_type == "cumulative":
        counted += [row for younger, row in _latest(subs) if younger not in {cohort.start for cohort, _ in subs[n]}]
    costs = [row["cost"] for row in have_n if row["cost"] is not None]
    active = {user for cohort, _ in subs[n] for user in _active(cohort, n, question)}
    return {
        "row_kind": "top",
        "cohort_start": None,
        "period": n,
        "revenue": total(row["revenue"] for row in counted),
        "events": sum(row["events"] for row in counted),
        "users": None if question.view_type == "cumulative" else len(active),
        "cost": total(costs) if costs else None,
        "roas": weighted_mean(have_n, "cost"),
        "cohort_users": sum(row["cohort_users"] for row in have_n),
        "arpu": weighted_mean(have_n, "cohort_users"),
        "paying_users": sum(row["paying_users"] for row in have_n),
        "arppu": weighted_mean(have_n, "paying_users"),
        "is_partial": any(row["is_partial"] for row in have_n),
    }


def weighted_mean(rows: Sequence[Row], weight: str) -> float | None:
    """
    The mean of `revenue / weight` that is weighted by `weight`: sum over sum, over the rows that have the ratio. A row
    without a weight, or with a weight of 0, has no ratio and no part in the mean.
    """
    weighted = [row for row in rows if row[weight]]
    weights = total(Decimal(row[weight]) for row in weighted)
    return ratio(total(row["revenue"] for row in weighted), weights)


def _latest(subs: Mapping[int, Sequence[tuple[Cohort, Row]]]) -> Iterator[tuple[date, Row]]:
    latest = {cohort.start: row for n in sorted(subs) for cohort, row in subs[n]}
    yield from latest.items()


def ltv_report(facts: Facts, question: Question) -> list[Row]:
    """
    "`row_kind, cohort_start, horizon, users, revenue, ltv, is_complete`, horizons counted from each member's own first
    start day." "`is_complete` (day h-1 is reached and over)": for every member, and where there is none for every day
    that had a cost.
    """
    last_over = min(question.as_of - ONE_DAY, facts.last_day)
    rows = []
    for horizon in HORIZONS:
        subs = []
        for cohort in cohorts_of(facts, question):
            earned = [
                each
                for member in cohort.members
                for day, each in member.earned.items()
                if (day - member.started).days < horizon
            ]
            days = [each.started for each in cohort.members] or cohort.cost_days
            is_complete = all(day + ONE_DAY * (horizon - 1) <= last_over for day in days)
            subs.append(
                _ltv_row("sub", cohort.start, horizon, len(cohort.members), sum_of(earned).revenue, is_complete)
            )
        if subs:
            users, whole = sum(row["users"] for row in subs), total(row["revenue"] for row in subs)
            all_over = all(row["is_complete"] for row in subs)
            rows += [_ltv_row("top", None, horizon, users, units(whole), all_over), *subs]
    return rows


def _ltv_row(kind: str, start: date | None, horizon: int, users: int, revenue: int, is_complete: bool) -> Row:
    return {
        "row_kind": kind,
        "cohort_start": start,
        "horizon": horizon,
        "users": users,
        "revenue": money(revenue),
        "ltv": ratio(money(revenue), users),
        "is_complete": is_complete,
    }
