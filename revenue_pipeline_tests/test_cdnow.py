"""CDNOW: 69,659 real purchases of 23,570 customers as events through the graph, against published cohort numbers.

A purchase of nothing is no revenue event, and 80 of them are for no dollars; published counts of orders and payers have
them. So each purchase is landed twice, as `purchase` with its dollars and as `cds` with how many it was of: dollars are
counted by the first, orders and payers by the second, and those of the first are the published ones less those 80.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import duckdb
import pytest

from revenue_pipeline.freshness import stale_days
from revenue_pipeline.partitions import Window, contiguous
from revenue_pipeline.run import run_graph
from revenue_pipeline.settings import Settings

# Beside the repository, or further up where this is a worktree.
PLACES = [folder / "shared" / "data" / "cdnow" for folder in Path(__file__).parents[2:]]
DATA = next((place for place in PLACES if place.is_dir()), PLACES[0])
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is not there: the data set is not in the repository")

FIRST, LAST = date(1997, 1, 1), date(1998, 6, 30)
TABLES = ("core.user_revenue_daily", "core.cohort_members", "core.cohort_daily")
# What cohorts stand on: a year and a half of every asset would take minutes.
ASSETS = " or ".join(f'key:"{name}"' for name in ("raw/events", *(table.replace(".", "/") for table in TABLES)))


class Purchase(NamedTuple):
    customer: str
    day: date
    cds: int
    dollars: Decimal


class Month(NamedTuple):
    """What a monthly cohort did in its Nth month."""

    dollars: Decimal
    payers: int
    orders: int


@pytest.fixture(scope="module")
def purchases() -> list[Purchase]:
    lines = (DATA / "CDNOW_master.txt").read_text().splitlines()[1:]
    found = []
    for customer, day, cds, dollars in map(str.split, lines):
        found.append(Purchase(customer, datetime.strptime(day, "%Y%m%d").date(), int(cds), Decimal(dollars)))  # noqa: DTZ007
    return found


@pytest.fixture(scope="module")
def published() -> Mapping[str, Any]:
    golden: Mapping[str, Any] = json.loads((DATA / "goldens.json").read_text())
    return golden


def land(folder: Path, purchases: Sequence[Purchase]) -> None:
    """Land a file a day; a customer signs up with their first purchase."""
    by_day: dict[date, list[list[object]]] = defaultdict(list)
    known = set()
    for number, bought in enumerate(purchases):
        rows = by_day[bought.day]
        rows.append([f"purchase {number}", "purchase", f"{bought.day}T12:00:00Z", bought.customer, bought.dollars])
        rows.append([f"cds {number}", "cds", f"{bought.day}T12:00:00Z", bought.customer, bought.cds])
        if bought.customer not in known:
            known.add(bought.customer)
            rows.append([f"sign-up {number}", "sign_up", f"{bought.day}T11:00:00Z", bought.customer, ""])
    for day, rows in by_day.items():
        path = folder / "events" / f"date={day}" / "purchases.csv"
        path.parent.mkdir(parents=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["event_id", "event_name", "event_time", "user_id", "revenue"], *rows])


def settings_in(folder: Path, landing: Path) -> Settings:
    return Settings.model_validate({
        "start_date": FIRST,
        "storage": {"warehouse": folder / "w.duckdb", "landing": str(landing), "archive": folder / "archive"},
        "cohorts": {"start_events": ["sign_up"], "max_days": 600},
    })  # fmt: skip


def run(settings: Settings, window: Window, selection: str = ASSETS) -> None:
    outcome = run_graph(settings, window, as_of=LAST + timedelta(days=1), selection=selection)
    assert not outcome.failures, outcome.failures


def rows_of(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(settings.storage.warehouse), read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, purchases: list[Purchase]) -> Settings:
    folder = tmp_path_factory.mktemp("cdnow")
    assert all(earlier.day <= later.day for earlier, later in by_customer(purchases))
    land(folder / "landing", purchases)
    settings = settings_in(folder, folder / "landing")
    run(settings, Window.between(FIRST, LAST))
    return settings


def by_customer(purchases: Sequence[Purchase]) -> list[tuple[Purchase, Purchase]]:
    """Give each purchase with the customer's next one of the file, which goes by customer and then by day."""
    return [(one, two) for one, two in pairwise(purchases) if one.customer == two.customer]


def months_of(settings: Settings, revenue_event: str) -> dict[tuple[str, int], Month]:
    """Ask the report for every monthly cohort and month after it."""
    rows = rows_of(settings, f"""
        SELECT strftime(cohort_start, '%Y-%m'), period, revenue, users, events
        FROM reports.revenue_report(
            DATE '1997-01-01', DATE '1997-03-31', 'month', 'non_cumulative', 'sign_up', '{revenue_event}',
            DATE '1998-07-01'
        )
        WHERE row_kind = 'sub'
    """)  # fmt: skip
    return {(cohort, period): Month(*numbers) for cohort, period, *numbers in rows}


def published_months(published: Mapping[str, Any]) -> dict[tuple[str, int], Month]:
    return {
        (cohort, period): Month(Decimal(dollars), payers, orders)
        for cohort, period, dollars, payers, orders in published["cohort_month"]
    }


def test_every_purchase_arrives(settings: Settings, published: Mapping[str, Any]) -> None:
    totals = "SELECT CAST(sum(events) AS BIGINT), count(DISTINCT user_id), sum(revenue) FROM core.user_revenue_daily"
    assert rows_of(settings, f"{totals} WHERE revenue_event = 'cds'") == [
        (published["rows"], published["customers"], published["units"])
    ]
    ((orders, _, dollars),) = rows_of(settings, f"{totals} WHERE revenue_event = 'purchase'")
    assert (orders, dollars) == (published["rows"] - 80, Decimal(published["revenue"]))


def test_cohorts_are_as_large_as_published(settings: Settings, published: Mapping[str, Any]) -> None:
    sizes = rows_of(settings, "SELECT strftime(cohort_date, '%Y-%m'), count(*) FROM core.cohort_members GROUP BY ALL")
    assert dict(sizes) == published["cohort_size"]


def test_dollars_payers_and_orders_of_each_month_are_as_published(
    settings: Settings, published: Mapping[str, Any]
) -> None:
    by_dollars, by_cds = months_of(settings, "purchase"), months_of(settings, "cds")
    found = {key: Month(by_dollars[key].dollars, *by_cds[key][1:]) for key in by_cds}
    assert found == published_months(published)


def test_purchases_of_nothing_are_no_revenue_events(
    settings: Settings, published: Mapping[str, Any], purchases: list[Purchase]
) -> None:
    first = {}
    for bought in purchases:
        first[bought.customer] = min(first.get(bought.customer, bought.day), bought.day)
    paid: dict[tuple[str, int], list[str]] = defaultdict(list)
    for bought in purchases:
        began = first[bought.customer]
        months = 12 * (bought.day.year - began.year) + bought.day.month - began.month
        if bought.dollars:
            paid[f"{began:%Y-%m}", months].append(bought.customer)
    found = months_of(settings, "purchase")
    assert {key: (month.payers, month.orders) for key, month in found.items()} == {
        key: (len(set(customers)), len(customers)) for key, customers in paid.items()
    }
    differing = [key for key, month in published_months(published).items() if found[key] != month]
    assert len(differing) == 8


def test_the_days_of_the_cohort_table_add_up_to_the_published_months(
    settings: Settings, published: Mapping[str, Any]
) -> None:
    rows = rows_of(settings, """
        SELECT
            strftime(cohort_date, '%Y-%m') AS cohort,
            date_diff('month', date_trunc('month', cohort_date), date_trunc('month', event_date)) AS months,
            sum(revenue) FILTER (WHERE revenue_event = 'purchase'),
            CAST(sum(events) FILTER (WHERE revenue_event = 'cds') AS BIGINT)
        FROM core.cohort_daily GROUP BY ALL
    """)  # fmt: skip
    assert {(cohort, months): (dollars, orders) for cohort, months, dollars, orders in rows} == {
        key: (month.dollars, month.orders) for key, month in published_months(published).items()
    }
    ((payers, through),) = rows_of(settings, """
        SELECT
            CAST(sum(new_payers) AS BIGINT),
            CAST(sum(paying_users) FILTER (WHERE event_date = DATE '1998-06-30') AS BIGINT)
        FROM core.cohort_daily WHERE revenue_event = 'cds'
    """)  # fmt: skip
    assert payers == through == published["customers"]


def test_days_in_random_order_give_the_same_tables_once_the_stale_ones_are_run_again(
    settings: Settings, tmp_path: Path
) -> None:
    replayed = settings_in(tmp_path, Path(settings.storage.landing))
    rng = Random(1997)  # noqa: S311  an order, not a secret
    borders = [0, *sorted(rng.sample(range(1, 45), 6)), 45]
    chunks = [Window(FIRST + timedelta(days=start), FIRST + timedelta(days=end)) for start, end in pairwise(borders)]
    rng.shuffle(chunks)
    for chunk in chunks:
        run(replayed, chunk)
    whole = Window(FIRST, FIRST + timedelta(days=45))
    assert tables(replayed, whole) != tables(settings, whole)

    run(replayed, Window.of_day(FIRST), 'key:"published/reports"')
    stale = stale_days(replayed)
    assert {each.table for each in stale} == {"core.cohort_daily"}
    for window in contiguous(each.day for each in stale):
        run(replayed, window, 'key:"core/cohort_daily"')

    assert tables(replayed, whole) == tables(settings, whole)


def tables(settings: Settings, window: Window) -> dict[str, list[tuple[Any, ...]]]:
    """Give the rows of the tables in these days, in one order."""
    days = {"core.cohort_members": "cohort_date"}
    return {
        table: rows_of(
            settings,
            f"SELECT * FROM {table} WHERE {days.get(table, 'event_date')} < DATE '{window.end}' ORDER BY ALL",
        )
        for table in TABLES
    }
