"""The published examples of cohort reports, from landed events through the whole graph to what a person reads.

Source: "Calculation method applied in the revenue report", whose cohorts begin on 2024-03-31 to 2024-04-04, which is
today; and public examples of LTV, calendar days and currencies. Each example has a start event of its own, so that one
run of the graph holds all of them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline.cohort_report import Answer, Question, ask
from revenue_pipeline.partitions import Window
from revenue_pipeline.publish import PublishedCopy
from revenue_pipeline.run import run_graph
from revenue_pipeline.settings import Settings

FIRST, LAST = date(2024, 3, 30), date(2024, 4, 4)
START = date(2024, 3, 31)
SEK, JPY = Decimal("0.0951"), Decimal("0.00663")

LTV_REVENUE = (150, 80, 60, 50, 40, 30)
COSTS, ROAS = (600_000, 700_000, 550_000), ("0.55", "0.70", "0.45")
USERS, ARPU = (1613, 1394, 1641), ("6269.93", "1684.12", "2486.05")
PAYERS, ARPPU = (140, 70, 100), (160_000, 150_000, 80_000)

AMOUNTS = [
    (cohort, n, Decimal(7 * cohort + 3 * n + 1) / 8, Decimal(5 * cohort + n) / 4)
    for cohort in range(4)
    for n in range(3)
]
"""Cohort, day N, revenue and cost, the same numbers in each of these ways to pay:"""
SCALED = {"in dollars": ("USD",), "in crowns": ("SEK",), "in both": ("USD", "SEK")}

# Everything that the reports of cohorts stand on, and nothing beside it.
ASSETS = '+key:"reports/ltv" or key:"reports/revenue" or key:"published/reports"'

EXAMPLES = (
    *("cumulative_revenue", "revenue_alone", "user_count", "event_count", "roas", "arpu", "arppu"),
    *("ltv", "calendar", "money_of_both_kinds", "crowns", "yen", "scaled"),
)


class Landing:
    """Rows of events and costs, landed a day a file."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, date], list[dict[str, Any]]] = {}
        self._numbers = count()

    def start(self, example: str, user: str, cohort: int, at: time = time(9), **more: str) -> None:
        """A user begins on `START` + `cohort` days."""
        self.event(example, user, cohort, at, **more)

    def purchase(self, user: str, day: int, revenue: object = 1, at: time = time(12), **more: str) -> None:
        """A user buys something on `START` + `day` days."""
        self.event("purchase", user, day, at, revenue=str(revenue), **more)

    def event(self, name: str, user: str, day: int, at: time = time(12), **more: str) -> None:
        instant = datetime.combine(START + timedelta(days=day), at)
        row = {"event_id": str(next(self._numbers)), "event_name": name, "event_time": f"{instant}Z", "user_id": user}
        self.row("events", instant.date(), row | more)

    def cost(self, day: int, amount: object, channel: str, currency: str = "USD") -> None:
        """Something is spent on `START` + `day` days."""
        spent = START + timedelta(days=day)
        row = {"cost_date": str(spent), "channel": channel, "cost": str(amount), "currency": currency}
        self.row("costs", spent, row)

    def row(self, dataset: str, day: date, row: dict[str, Any]) -> None:
        self._rows.setdefault((dataset, day), []).append(row)

    def write(self, folder: Path) -> None:
        for (dataset, day), rows in self._rows.items():
            path = folder / dataset / f"date={day}" / "rows.csv"
            path.parent.mkdir(parents=True)
            columns = list(dict.fromkeys(column for row in rows for column in row))
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(rows)


def land_examples(landing: Landing) -> None:
    money(landing, "cumulative_revenue", [(0, 0, 38_000), (0, 1, 100_000), (0, 2, 100_000), (1, 0, 3_000)])
    money(landing, "cumulative_revenue", [(1, 2, 200_000), (2, 1, 104_000), (3, 0, 150_000), (3, 1, 50_000)])
    money(landing, "cumulative_revenue", [(4, 0, 98_000), (0, 3, 7), (0, 4, 7), (1, 3, 7)])
    money(landing, "revenue_alone", [(0, 0, 1), (0, 1, 2), (0, 2, 238_000), (1, 2, 203_000), (2, 2, 104_000)])
    for cohort, revenue in enumerate(Decimal(cost) * Decimal(roas) for cost, roas in zip(COSTS, ROAS, strict=True)):
        parts = [(cohort, 0, revenue / 2), (cohort, 1, revenue / 4), (cohort, 2, revenue / 4)]
        money(landing, "roas", parts, channel="search")
        landing.cost(cohort, COSTS[cohort], "search")
    count_users(landing)
    count_events(landing)
    for cohort, (users, arpu) in enumerate(zip(USERS, ARPU, strict=True)):
        for number in range(users):
            landing.start("arpu", f"arpu {cohort} {number}", cohort)
        landing.purchase(f"arpu {cohort} 0", cohort + 1, users * Decimal(arpu))
    for cohort, (payers, arppu) in enumerate(zip(PAYERS, ARPPU, strict=True)):
        for number in range(payers + 50):
            landing.start("arppu", f"arppu {cohort} {number}", cohort)
        for number in range(payers):
            landing.purchase(f"arppu {cohort} {number}", cohort + number % 3, arppu)
    for number in range(100):
        landing.start("ltv", f"ltv {number}", -1)
    for day, revenue in enumerate(LTV_REVENUE):
        landing.purchase(f"ltv {7 * day}", day - 1, revenue)
    landing.start("calendar", "late", 0, time(23, 30))
    landing.purchase("late", 1, at=time(0, 10))
    both_kinds(landing)
    for example, currency, cost, value in (("crowns", "SEK", 1000, 5000), ("yen", "JPY", 26_400, 26_400)):
        landing.start(example, example, 0, channel=example)
        landing.cost(0, cost, example, currency)
        landing.purchase(example, 1, value, currency=currency)
    for channel, currencies in SCALED.items():
        for cohort, n, revenue, cost in AMOUNTS:
            user = f"{channel} {cohort} {n}"
            currency = currencies[(cohort + n) % len(currencies)]
            landing.start("scaled", user, cohort, channel=channel)
            landing.purchase(user, cohort + n, revenue, currency=currency)
            landing.cost(cohort, cost, channel, currency)
    for currency, rate in (("SEK", SEK), ("JPY", JPY)):
        row = {"rate_date": str(FIRST), "currency": currency, "rate": str(rate)}
        landing.row("fx_rates", FIRST, row)


def money(landing: Landing, example: str, cells: Sequence[tuple[int, int, object]], **more: str) -> None:
    """One user in each cohort brings these amounts in day N."""
    for cohort, n, revenue in cells:
        landing.start(example, f"{example} {cohort}", cohort, **more)
        landing.purchase(f"{example} {cohort}", cohort + n, revenue)


def count_users(landing: Landing) -> None:
    """230, 200 and 190 users on day 2; twenty of the first are among the second, having begun on both days."""
    members = ([*range(230)], [*range(20), *range(300, 480)], [*range(500, 690)])
    for cohort, users in enumerate(members):
        for number in users:
            landing.start("user_count", f"counted {number}", cohort)
            landing.purchase(f"counted {number}", cohort + 2)


def count_events(landing: Landing) -> None:
    """Through day 2, 2560, 2420 and 2220 events; the younger cohorts have 1920 by day 1 and 1520 on day 0."""
    through = {0: (1200, 2000, 2560), 1: (1000, 2000, 2420), 2: (700, 2219, 2220), 3: (1900, 1920), 4: (1520,)}
    for cohort, totals in through.items():
        landing.start("event_count", f"busy {cohort}", cohort)
        for n, (before, total) in enumerate(zip((0, *totals), totals, strict=False)):
            for _ in range(total - before):
                landing.purchase(f"busy {cohort}", cohort + n, "0.01")


def both_kinds(landing: Landing) -> None:
    """A user buys for 3, and the partner pays 1 for the one ad that they saw, which the SDK thought worth 2."""
    landing.start("money_of_both_kinds", "both", 0)
    landing.purchase("both", 1, 3)
    landing.event("ad_impression", "both", 1, partner="acme", app_id="game", revenue="2")
    paid = {"partner": "acme", "report_date": str(START + timedelta(days=1)), "revenue": "1", "app_id": "game"}
    landing.row("partner_revenue", START + timedelta(days=1), paid)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("examples")
    landing = Landing()
    land_examples(landing)
    landing.write(folder / "landing")
    settings = Settings.model_validate({
        "start_date": FIRST,
        "storage": {"warehouse": folder / "w.duckdb", "landing": str(folder / "landing"), "archive": folder / "a"},
        "cohorts": {"start_events": EXAMPLES},
        "partners": {"acme": {"connector": "files", "granularity": "aggregated", "grain": ["app_id"]}},
    })  # fmt: skip
    outcome = run_graph(settings, Window.between(FIRST, LAST), as_of=LAST, selection=ASSETS)
    assert not outcome.failures, outcome.failures
    return settings


def answer(settings: Settings, metric: str, example: str, **asked: Any) -> Answer:
    question = Question(metric, LAST, **{"start": START, "end": LAST, "start_event": example, **asked})
    return ask(settings, PublishedCopy(settings.storage.warehouse), question)


def day(found: Answer, period: int, column: str) -> list[Any]:
    """Give the top row's value of a day, and those of the sub-rows that have it."""
    return [row[column] for row in found.rows if row["period"] == period]


def test_revenue_of_day_2_cumulative(settings: Settings) -> None:
    found = answer(settings, "revenue", "cumulative_revenue")
    # (238,000 + 203,000 + 104,000) + (98,000 + 200,000)
    assert day(found, 2, "revenue") == [843_000, 238_000, 203_000, 104_000]
    last_of_the_younger = [row["revenue"] for row in found.rows if row["cohort_start"] in (date(2024, 4, 3), LAST)]
    assert last_of_the_younger == [150_000, 200_000, 98_000]


def test_revenue_of_day_2_alone(settings: Settings) -> None:
    found = answer(settings, "revenue", "revenue_alone", view_type="non_cumulative")
    assert day(found, 2, "revenue") == [545_000, 238_000, 203_000, 104_000]


def test_cells_with_todays_data_are_running(settings: Settings) -> None:
    found = answer(settings, "revenue", "cumulative_revenue")
    running = {(row["cohort_start"], row["period"]) for row in found.rows if row["is_partial"]}
    assert running == {
        *((START + timedelta(days=cohort), 4 - cohort) for cohort in range(5)),
        *((None, period) for period in range(5)),
    }


def test_users_of_day_2_count_once_in_the_top_row(settings: Settings) -> None:
    found = answer(settings, "users", "user_count")
    assert day(found, 2, "users") == [600, 230, 200, 190]


def test_events_of_day_2_cumulative(settings: Settings) -> None:
    found = answer(settings, "events", "event_count")
    # (2,560 + 2,420 + 2,220) + (1,520 + 1,920)
    assert day(found, 2, "events") == [10_640, 2560, 2420, 2220]
    assert day(found, 1, "events") == [2000 + 2000 + 2219 + 1920 + 1520, 2000, 2000, 2219, 1920]


def test_roas_of_day_2_is_weighted_by_cost(settings: Settings) -> None:
    whole = answer(settings, "roas", "roas", dimension="channel")
    found = Answer(whole.question, whole.columns, [row for row in whole.rows if row["dimension_value"] == "search"])
    assert day(found, 2, "cost") == [sum(COSTS), *COSTS]
    assert day(found, 2, "roas") == pytest.approx([0.577027027027, *map(float, ROAS)], abs=1e-12)


def test_arpu_of_day_2_is_weighted_by_members(settings: Settings) -> None:
    found = answer(settings, "arpu", "arpu")
    assert day(found, 2, "cohort_users") == [sum(USERS), *USERS]
    assert day(found, 2, "arpu")[1:] == pytest.approx([float(each) for each in ARPU], rel=1e-12)
    assert day(found, 2, "arpu")[0] == pytest.approx(3558.663601549, abs=1e-9)


def test_arppu_of_day_2_is_weighted_by_paying_users(settings: Settings) -> None:
    found = answer(settings, "arppu", "arppu")
    assert day(found, 2, "paying_users") == [sum(PAYERS), *PAYERS]
    assert day(found, 2, "arppu")[1:] == list(ARPPU)
    assert day(found, 2, "arppu")[0] == pytest.approx(131935.483870967, abs=1e-9)


def test_ltv_of_a_hundred_users(settings: Settings) -> None:
    cells = PublishedCopy(settings.storage.warehouse).read(
        "SELECT revenue, ltv FROM reports.ltv "
        "WHERE start_event = 'ltv' AND revenue_event = 'all' AND horizon = 7 AND users = 100 ORDER BY period"
    )
    assert cells.fetchall() == [(150, 1.5), (230, 2.3), (290, 2.9), (340, 3.4), (380, 3.8), (410, 4.1)]
    found = answer(settings, "ltv", "ltv", start=FIRST)
    assert [(row["users"], row["ltv"]) for row in found.rows if row["row_kind"] == "top"] == [(100, 4.1)] * 3


def test_a_day_is_a_calendar_day_whatever_the_hour(settings: Settings) -> None:
    found = answer(settings, "revenue", "calendar", view_type="non_cumulative", end=START)
    assert [row["revenue"] for row in found.rows if row["row_kind"] == "sub"] == [0, 1, 0, 0, 0]


def test_purchases_and_ad_money_are_together_under_all(settings: Settings) -> None:
    def total(event: str) -> Decimal:
        found = answer(settings, "revenue", "money_of_both_kinds", revenue_event=event, end=START)
        last: Decimal = found.rows[-1]["revenue"]
        return last

    assert [total(event) for event in ("all", "purchase", "ad_impression")] == [4, 3, 1]


def test_roas_is_the_same_in_whatever_currency_and_yen_are_no_dollars(settings: Settings) -> None:
    def of(channel: str) -> Iterator[tuple[Any, ...]]:
        found = answer(settings, "roas", channel, dimension="channel", end=START)
        for row in found.rows:
            if (row["dimension_value"], row["row_kind"], row["period"]) == (channel, "sub", 1):
                yield row["cost"], row["revenue"], row["roas"]

    assert list(of("crowns")) == [(1000 * SEK, 5000 * SEK, 5.0)]
    assert list(of("yen")) == [(Decimal("175.032"), Decimal("175.032"), 1.0)]


@pytest.mark.parametrize("view_type", ["cumulative", "non_cumulative"])
def test_roas_does_not_change_when_every_amount_is_of_another_currency(settings: Settings, view_type: str) -> None:
    found = answer(settings, "roas", "scaled", dimension="channel", view_type=view_type)

    def cells(channel: str, column: str) -> list[Any]:
        return [row[column] for row in found.rows if row["dimension_value"] == channel]

    assert cells("in crowns", "roas") == pytest.approx(cells("in dollars", "roas"), rel=1e-12)
    assert cells("in crowns", "revenue") == [SEK * revenue for revenue in cells("in dollars", "revenue")]
    assert cells("in crowns", "cost") == [SEK * cost for cost in cells("in dollars", "cost")]
    assert len(cells("in crowns", "roas")) == 5 + 5 + 4 + 3 + 2


def test_amounts_of_several_currencies_add_up(settings: Settings) -> None:
    found = answer(settings, "roas", "scaled", dimension="channel")
    rates = [Decimal(1), SEK]
    for cohort in range(4):
        mine = [(rates[(cohort + n) % 2], revenue, cost) for c, n, revenue, cost in AMOUNTS if c == cohort]
        (row,) = [
            row
            for row in found.rows
            if (row["dimension_value"], row["cohort_start"], row["period"])
            == ("in both", START + timedelta(days=cohort), min(2, 4 - cohort))
        ]
        known = mine[: min(2, 4 - cohort) + 1]
        assert row["revenue"] == sum(rate * revenue for rate, revenue, _ in known)
        assert row["cost"] == sum(rate * cost for rate, _, cost in mine)
