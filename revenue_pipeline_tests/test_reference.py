"""The reference on examples that a person has worked out: of the published documents, and by hand."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from revenue_pipeline_tests.reference import contracts, messages
from revenue_pipeline_tests.reference.ad_revenue import split
from revenue_pipeline_tests.reference.cohorts import ATTRIBUTES, Facts, Question, ltv_report, revenue_report
from revenue_pipeline_tests.reference.engagement import Opens, container_opens, placement_opens
from revenue_pipeline_tests.reference.rules import Rules
from revenue_pipeline_tests.reference.values import UNITS, Row, money


def test_a_split_worked_by_hand() -> None:
    # The second weighs the mean of the others, 0.375: 1 x 0.5/1.125, 1 x 0.375/1.125, 1 x 0.25/1.125, one unit is left.
    parts = split(Decimal(1), [Decimal("0.5"), None, Decimal("0.25")])
    assert parts == [Decimal("0.444444445"), Decimal("0.333333333"), Decimal("0.222222222")]
    assert split(Decimal(-1), [None, None, None]) == [
        Decimal("-0.333333334"),
        *[Decimal("-0.333333333")] * 2,
    ]
    assert split(Decimal("0.000000005"), [Decimal(0), Decimal(1)]) == [Decimal(0), Decimal("0.000000005")]


def test_opens_worked_by_hand() -> None:
    def opened(unit: str | None, *automated: bool | None) -> list[Row]:
        return [{"event_name": "open", "ad_unit_id": unit, "is_automated": machine} for machine in automated]

    own, of_a, of_b = opened(None, True, None), opened("a", False, True, True), opened("b", None)
    assert container_opens(own + of_a + of_b) == Opens("container", 2, 1)
    assert container_opens(of_a + of_b) == Opens("placement", 4, 2)
    assert placement_opens(of_b, own + of_a + of_b) == Opens("placement", 1, 0)
    assert placement_opens([], own + of_a + of_b) == Opens("container", 2, 1)
    assert placement_opens([], of_a + of_b) == Opens("container", 4, 2)


# Cohorts: the published examples are of the days 2024-03-31 to 2024-04-04, seen on the last of them.

FIRST, TODAY = date(2024, 3, 31), date(2024, 4, 4)
NO_ATTRIBUTES: Row = dict.fromkeys(ATTRIBUTES)


def started(day: date, *users: str) -> list[Row]:
    return [{"cohort_date": day, "start_event": "install", "user_id": user, **NO_ATTRIBUTES} for user in users]


def paid(day: date, user: str, revenue: Decimal | int, events: int = 1) -> Row:
    order = {"app_id": None, "revenue_event": "order", "revenue": Decimal(revenue), "events": events}
    return {"event_date": day, "user_id": user, **order}


def spent(day: date, cost: int) -> Row:
    return {"cost_date": day, **NO_ATTRIBUTES, "reporting_cost": Decimal(cost)}


def day_n(n: int) -> date:
    return FIRST + timedelta(days=n)


def asked(view_type: str, granularity: str = "day", first: date = FIRST, as_of: date = TODAY) -> Question:
    return Question(first, TODAY, granularity, view_type, "install", "order", as_of)


def top(facts: Facts, period: int, view_type: str) -> Row:
    rows = revenue_report(facts, asked(view_type))
    return next(row for row in rows if row["row_kind"] == "top" and row["period"] == period)


def one_user_a_cohort(through_day_2: Sequence[int], latest: Sequence[int], *, are_events: bool = False) -> Facts:
    """Five cohorts of one user: three have day 2, one has day 1 and one day 0, `latest`; what is told is through it."""
    sums = dict(enumerate([*through_day_2, *latest]))
    members = [row for n in sums for row in started(day_n(n), f"u{n}")]
    paid_on = {n: day_n(min(n + 2, 4)) for n in sums}
    orders = [paid(paid_on[n], f"u{n}", 1 if are_events else value, value) for n, value in sums.items()]
    return Facts(members, orders, [], TODAY)


def test_the_published_cumulative_revenue_of_day_2() -> None:
    facts = one_user_a_cohort([238_000, 203_000, 104_000], [98_000, 200_000])
    row = top(facts, 2, "cumulative")
    assert (row["revenue"], row["users"], row["is_partial"]) == (843_000, None, True)


def test_the_published_revenue_of_day_2() -> None:
    facts = one_user_a_cohort([238_000, 203_000, 104_000], [98_000, 200_000])
    assert top(facts, 2, "non_cumulative")["revenue"] == 545_000


def test_the_published_cumulative_event_count_of_day_2() -> None:
    facts = one_user_a_cohort([2_560, 2_420, 2_220], [1_520, 1_920], are_events=True)
    assert top(facts, 2, "cumulative")["events"] == 10_640


def test_the_published_user_count_of_day_2_counts_a_user_once() -> None:
    # 230, 200 and 190 paying users: ten are in the first and the second cohort, ten in the second and the third.
    users = [[f"u{n}" for n in numbers] for numbers in (range(230), range(220, 420), range(410, 600))]
    members = [row for n, those in enumerate(users) for row in started(day_n(n), *those)]
    orders = {(day_n(n + 2), user): paid(day_n(n + 2), user, 1) for n, those in enumerate(users) for user in those}
    facts = Facts(members, list(orders.values()), [], TODAY)
    rows = revenue_report(facts, asked("non_cumulative"))
    of_day_2 = [row["users"] for row in rows if row["period"] == 2]
    assert of_day_2 == [600, 230, 200, 190]


@pytest.mark.parametrize(
    ("column", "members", "payers", "costs", "revenues", "expected"),
    [
        ("roas", [1, 1, 1], [1, 1, 1], [600_000, 700_000, 550_000], ["330000", "490000", "247500"], 1067.5 / 1850),
        (
            *("arpu", [1_613, 1_394, 1_641], [1, 1, 1], []),
            [Decimal("6269.93") * 1_613, Decimal("1684.12") * 1_394, Decimal("2486.05") * 1_641],
            3558.663601549,
        ),
        (
            *("arppu", [150, 80, 100], [140, 70, 100], []),
            [160_000 * 140, 150_000 * 70, 80_000 * 100],
            131_935.483870967,
        ),
    ],
)
def test_the_published_weighted_means_of_day_2(
    column: str,
    members: Sequence[int],
    payers: Sequence[int],
    costs: Sequence[int],
    revenues: Sequence[Decimal | int | str],
    expected: float,
) -> None:
    users = [[f"{n}-{number}" for number in range(count)] for n, count in enumerate(members)]
    starts = [row for n, those in enumerate(users) for row in started(day_n(n), *those)]
    orders = [
        paid(day_n(n + 2), user, Decimal(revenues[n]) / payers[n])
        for n, those in enumerate(users)
        for user in those[: payers[n]]
    ]
    facts = Facts(starts, orders, [spent(day_n(n), cost) for n, cost in enumerate(costs)], TODAY)
    for view_type in ("cumulative", "non_cumulative"):
        assert top(facts, 2, view_type)[column] == pytest.approx(expected, abs=1e-8)


def test_a_published_table_of_lifetime_value() -> None:
    # 100 users who earn 150, 80, 60, 50, 40 and 30 on their days 0 to 5.
    users = [f"u{n}" for n in range(100)]
    orders = [paid(day_n(n), "u0", revenue) for n, revenue in enumerate([150, 80, 60, 50, 40, 30])]
    facts = Facts(started(FIRST, *users), orders, [], day_n(5))
    ltv = []
    for n in range(6):
        rows = ltv_report(facts, Question(FIRST, FIRST, "day", "", "install", "order", day_n(n)))
        ltv += [row["ltv"] for row in rows if row["row_kind"] == "sub" and row["horizon"] == 7]
    assert ltv == [1.5, 2.3, 2.9, 3.4, 3.8, 4.1]


def test_weeks_and_months_are_those_of_the_calendar_and_a_user_counts_from_the_first_start() -> None:
    # Sunday 2024-03-31 is in the week of 03-25 and in March; Monday 04-01 begins a week and a month.
    members = [*started(day_n(0), "a"), *started(day_n(2), "b"), *started(day_n(3), "b")]
    orders = [paid(day_n(1), user, 1) for user in "ab"] + [paid(day_n(2), user, 10) for user in "ab"]
    facts = Facts(members, orders, [], TODAY)

    def subs(granularity: str) -> list[tuple[object, ...]]:
        rows = revenue_report(facts, asked("non_cumulative", granularity))
        columns = ("cohort_start", "period", "revenue", "cohort_users", "users", "is_partial")
        return [tuple(row[column] for column in columns) for row in rows if row["row_kind"] == "sub"]

    week, april = date(2024, 3, 25), date(2024, 4, 1)
    assert subs("week") == [(week, 0, 0, 1, 0, False), (april, 0, 10, 1, 1, True), (week, 1, 11, 1, 1, True)]
    assert subs("month") == [
        (date(2024, 3, 1), 0, 0, 1, 0, False),
        (april, 0, 10, 1, 1, True),
        (date(2024, 3, 1), 1, 11, 1, 1, True),
    ]


# Messages ---------------------------------------------------------------------------------------------------------

NOON = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)
THAT_DAY = NOON.date()
HOUR = timedelta(hours=1)


def rules_with(**settings: object) -> Rules:
    return Rules(settings, {}, THAT_DAY)


def sent(message_id: str, segments: int = 1, **columns: str) -> Row:
    row: Row = {"message_id": message_id, "sent_at": NOON, "send_date": THAT_DAY, "segments": segments}
    return row | dict.fromkeys(messages.DIMENSIONS) | {"message_id": message_id} | columns


def clicked(click_id: str, message_id: str, clicked_at: datetime = NOON) -> Row:
    return {
        "click_id": click_id,
        "message_id": message_id,
        "clicked_at": clicked_at,
        "click_date": clicked_at.date(),
    }


def reported(conversion_id: str, click_id: str, payout: str, after: timedelta = HOUR, **columns: object) -> Row:
    named = {"partner": "tune", "conversion_id": conversion_id, "click_id": click_id, "offer_id": None}
    paid_out = {"payout": Decimal(payout), "currency": "USD", "reporting_payout": Decimal(payout)}
    when = {"converted_at": NOON + after, "report_date": (NOON + after).date(), "updated_at": None, "status": None}
    return {**named, **paid_out, **when, **columns}


def uploaded(click_id: str, amount: str, day: date = THAT_DAY) -> Row:
    paid_out = {"amount": Decimal(amount), "currency": None, "reporting_amount": Decimal(amount)}
    return {"click_id": click_id, "date": day, **paid_out}


def statuses(conversions: list[Row], manual: list[Row], **settings: object) -> list[str]:
    sends, clicks = [sent("m1", offer_id="sale")], [clicked("c1", "m1"), clicked("c2", "m2")]
    rows = messages.attributed_conversions(conversions, manual, clicks, sends, rules_with(**settings))
    return [row["status"] for row in rows]


@pytest.mark.parametrize(
    ("dimension", "sends", "segments", "clicks", "conversions", "revenue", "expected"),
    [
        ("creative_id", 10_000, 10_000, 1_200, 48, "1152", {"revenue_per_send": 0.1152, "epc": 0.96}),
        ("creative_id", 10_000, 10_000, 1_200, 48, "1152", {"conversion_rate": 0.04}),
        ("offer_id", 1, 1, 15_000, 600, "14400", {"epc": 0.96, "conversion_rate": 0.04}),
        ("campaign_id", 25_000, 35_000, 1, 1, "2100", {"cost": Decimal(350), "roi": 5.0, "roas": 6.0}),
    ],
)
def test_the_published_performance_of_messages(
    dimension: str, sends: int, segments: int, clicks: int, conversions: int, revenue: str, expected: Row
) -> None:
    rules = rules_with(messages={"cost_per_segment": "0.01"})
    doubles = segments - sends
    sent_rows = [sent(f"m{n}", 2 if n < doubles else 1, **{dimension: "x"}) for n in range(sends)]
    click_rows = [clicked(f"c{n}", f"m{n % sends}") for n in range(clicks)]
    each = str(Decimal(revenue) / conversions)
    paid_out = [reported(f"v{n}", f"c{n}", each) for n in range(conversions)]
    attributed = messages.attributed_conversions(paid_out, [], click_rows, sent_rows, rules)
    (row,) = messages.performance(messages.activity(sent_rows, click_rows, attributed), [dimension], rules)
    assert {column: row[column] for column in expected} == pytest.approx(expected)


def test_the_first_reason_that_applies_is_the_status() -> None:
    assert statuses([reported("v", "c1", "1", status="reversed", after=-HOUR)], []) == ["rejected"]
    assert statuses([reported("v", "c9", "1")], []) == ["unknown_click"]
    assert statuses([reported("v", "c2", "1")], []) == ["unknown_message"]
    assert statuses([reported("v", "c1", "1", after=-timedelta(microseconds=1))], []) == ["before_click"]
    assert statuses([reported("v", "c1", "1", after=timedelta())], []) == ["attributed"]


def test_a_conversion_counts_through_the_end_of_the_window_of_its_offer() -> None:
    attribution = {"default_window": "7d", "offers": {"sale": "24h"}}
    one_day, more = timedelta(days=1), timedelta(days=1, microseconds=1)
    assert statuses([reported("v", "c1", "1", after=one_day)], [], attribution=attribution) == ["attributed"]
    assert statuses([reported("v", "c1", "1", after=more)], [], attribution=attribution) == ["outside_window"]
    assert statuses([reported("v", "c1", "1", after=more, offer_id="other")], [], attribution=attribution) == [
        "outside_window"  # the offer is the message's
    ]


def test_a_conversion_counts_in_its_latest_state() -> None:
    earlier = reported("v", "c1", "1", status="rejected", updated_at=NOON + 2 * HOUR)
    later = reported("v", "c1", "1", status="pending", updated_at=NOON + 3 * HOUR)
    assert statuses([later, earlier], []) == ["attributed"]


def test_an_uploaded_row_counts_once_and_not_beside_a_platform_s() -> None:
    tomorrow = THAT_DAY + timedelta(days=1)
    window = {"default_window": "12h"}  # until midnight, and the first instant of tomorrow is one that fits
    assert statuses([], [uploaded("c1", "5"), uploaded("c1", "5.00")]) == ["attributed"]
    assert statuses([reported("v", "c1", "5", status="declined")], [uploaded("c1", "5")]) == ["rejected", "duplicate"]
    assert statuses([], [uploaded("c1", "5", tomorrow)], attribution=window) == ["attributed"]
    assert statuses([], [uploaded("c1", "5", tomorrow)], attribution={"default_window": "11h"}) == ["outside_window"]
    assert statuses([], [uploaded("c1", "5", THAT_DAY - timedelta(days=1))]) == ["before_click"]


# Contracts --------------------------------------------------------------------------------------------------------


def line_item(rate_type: str, net_rate: str, volume: int) -> Row:
    named = {"line_item_id": "l1", "rate_type": rate_type, "gross_rate": None, "currency": "USD"}
    dated = {"folder_date": THAT_DAY, "start_date": THAT_DAY}
    return {**named, **dated, "net_rate": Decimal(net_rate), "contracted_volume": volume}


def delivered(impressions: int, day: int = 0, ad_unit_id: str = "a", clicks: int | None = None) -> Row:
    delivery_date = THAT_DAY + timedelta(days=day)
    where = {"line_item_id": "l1", "delivery_date": delivery_date, "ad_unit_id": ad_unit_id, "custom_criteria": None}
    return {**where, "impressions": impressions, "clicks": clicks}


def test_the_published_split_of_contracted_revenue() -> None:
    delivery = [
        delivered(100_000, ad_unit_id="A"),
        delivered(40_000, ad_unit_id="B"),
        delivered(60_000, ad_unit_id="C"),
    ]
    rows = contracts.contracted_revenue([line_item("CPM", "100", 1_000_000)], delivery, rules_with())
    assert [row["contracted_net_revenue"] / UNITS for row in rows] == [50_000, 20_000, 30_000]


def test_the_published_volume_of_three_days_is_shown_rounded_and_its_total_is_not() -> None:
    delivery = [delivered(5, day) for day in range(3)]
    rows = contracts.contracted_revenue([line_item("CPM", "1", 1_000_000)], delivery, rules_with())
    split = [
        {**row, **{column: row[column] and money(round(row[column])) for column in contracts.SPLIT}} for row in rows
    ]
    report = contracts.contracted_report(split, "date")
    assert [row["displayed_contracted_volume"] for row in report] == [1_000_000, 333_333, 333_333, 333_333]


def test_a_line_item_that_delivered_nothing_it_counts_keeps_its_revenue_on_a_row_of_its_own() -> None:
    rows = contracts.contracted_revenue([line_item("CPC", "2", 10)], [delivered(7, clicks=0)], rules_with())
    told = [(row["delivery_date"], row["impressions"], row["contracted_net_revenue"] / UNITS) for row in rows]
    assert told == [(THAT_DAY, 7, 0), (None, 0, 20)]


def test_a_month_that_an_invoice_overlaps_is_not_indicative() -> None:
    def day(text: str) -> date:
        return date.fromisoformat(text)

    imported = [
        {"partner": "acme", "report_date": day(text), "revenue": Decimal(10)}
        for text in ("2026-01-31", "2026-02-01", "2026-03-01")
    ]
    period = {"partner": "acme", "period_start": day("2026-01-15"), "period_end": day("2026-02-01")}
    invoices = [
        {"invoice_id": f"i{n}", "folder_date": day("2026-03-02"), "reporting_amount": Decimal(amount), **period}
        for n, amount in enumerate([12, 3])
    ]
    rows = contracts.invoice_reconciliation(imported, invoices)
    columns = ("period_start", "period_end", "reported_revenue", "invoiced_revenue", "difference_ratio", "status")
    assert [tuple(row[column] for column in columns) for row in rows] == [
        (day("2026-01-15"), day("2026-02-01"), 20, 15, -0.25, "final"),
        (day("2026-03-01"), day("2026-03-31"), 10, None, None, "indicative"),
    ]


def test_a_restatement_is_a_batch_that_differs() -> None:
    first, other = [{"app_id": "a", "revenue": Decimal(5)}], [{"app_id": "a", "revenue": Decimal(7)}]
    rows = contracts.restatements([("acme", FIRST, rows) for rows in (first, first, other, [], first)])
    assert [(row["revenue"], row["change"]) for row in rows] == [(5, None), (7, 2), (0, -7), (5, 5)]
