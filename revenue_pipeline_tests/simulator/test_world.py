"""The world is the same every time, looks like a publisher's, and its partners pay what its impressions earned."""

from collections import Counter
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from revenue_pipeline.simulator import World
from revenue_pipeline.simulator.behaviour import PAID_PERMILLE
from revenue_pipeline.simulator.world import PARTNERS, UNSEEN_AD_UNIT

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 10)
DAY = date(2026, 10, 5)


def small_world(seed: int = 1, last_day: date = LAST, scale: float = 0.05) -> World:
    return World(seed, first_day=FIRST, last_day=last_day, scale=scale)


@pytest.fixture(scope="module")
def world() -> World:
    return small_world()


def test_one_seed_is_one_world_in_whatever_order_its_days_are_asked_for(world: World) -> None:
    other = small_world()
    backwards = {day: (other.received(day), other.costs(day)) for day in reversed(world.days())}
    for day in world.days():
        assert (world.received(day), world.costs(day)) == backwards[day]
    for partner in PARTNERS:
        for age in (2, 0, 1):
            assert world.reported(partner, DAY, age) == other.reported(partner, DAY, age)


def test_a_longer_world_agrees_with_a_shorter_one_and_another_seed_with_neither(world: World) -> None:
    assert small_world(last_day=date(2026, 10, 20)).events(DAY) == world.events(DAY)
    assert small_world(seed=2).events(DAY) != world.events(DAY)


def test_this_very_world() -> None:
    # Written down so that a different Python or machine that generates a different world does not go unnoticed.
    world = small_world(seed=7)
    event = world.events(DAY)[100]
    assert event.event_id == "20261005-000079"
    assert event.event_time == datetime(2026, 10, 5, 3, 23, 15, 679_000, tzinfo=timezone.utc)
    assert event.revenue == Decimal("0.000608760")
    assert len(world.events(DAY)) == 819
    assert sum(row.revenue for row in world.final_report("applovin_max", DAY)) == Decimal("0.661949")
    assert sum(cost.cost for cost in world.costs(DAY)) == Decimal("31.45")


def test_the_usual_size() -> None:
    events = small_world(scale=1.0).events(DAY)
    assert 15_000 < len(events) < 20_000
    assert len({event.event_id for event in events}) == len(events)


def test_a_world_ends_after_it_begins() -> None:
    with pytest.raises(ValueError, match="ends on 2026-09-30"):
        small_world(last_day=date(2026, 9, 30))


def test_nothing_happens_outside_the_world(world: World) -> None:
    for day in (FIRST - timedelta(days=1), LAST + timedelta(days=1)):
        assert not world.events(day)
        assert not world.costs(day)
        assert not world.final_report("applovin_max", day)


def test_events_happen_on_their_utc_day_and_only_arrive_late(world: World) -> None:
    for day in world.days():
        assert {event.event_time.astimezone(timezone.utc).date() for event in world.events(day)} == {day}
    arrivals = [
        (event, day) for day in [*world.days(), date(2026, 10, 11), date(2026, 10, 12)] for event in world.received(day)
    ]
    delays = Counter((day - event.event_time.date()).days for event, day in arrivals)
    assert set(delays) == {0, 1, 2}
    assert delays[1] + delays[2] < 0.03 * delays[0]
    times = Counter(event.event_id for event, _ in arrivals)
    assert set(times.values()) == {1, 2}  # each event arrives, a few of them twice
    assert len(times) == sum(len(world.events(day)) for day in world.days())


def test_people_start_once_by_channel_and_come_back_less_and_less() -> None:
    world = small_world(scale=0.5)
    starts = [event for event in world.events(FIRST) if event.event_name == "install"]
    assert {event.channel for event in starts} == {"organic", "applovin", "meta", "google"}
    assert all((event.campaign_id is None) == (event.channel == "organic") for event in starts)
    members = {event.user_id for event in starts}
    active = [len(members & {event.user_id for event in world.events(FIRST + timedelta(days=n))}) for n in (0, 1, 4, 9)]
    assert active[0] == len(members) > 60
    assert active[0] > active[1] > active[2] > active[3] > 0
    later = [event.user_id for event in world.events(DAY) if event.event_name == "install"]
    assert not members & set(later)


def test_newsletters_record_opens_on_the_container_or_on_its_placements(world: World) -> None:
    opens = [event for day in world.days() for event in world.events(day) if event.event_name == "open"]
    on_placement = Counter((event.container_id, event.ad_unit_id is not None) for event in opens)
    assert set(on_placement) == {("newsletter-a", False), ("newsletter-b", True), ("newsletter-c", False)}
    assert 0.2 < sum(event.is_automated or False for event in opens) / len(opens) < 0.6


def test_the_blemishes_of_real_events(world: World) -> None:
    impressions = [impression for day in world.days() for impression in world.impressions(day)]
    total = len(impressions)
    assert 0 < sum(i.event.revenue is None for i in impressions) < 0.08 * total
    assert 0 < sum(i.event.user_id is None for i in impressions) < 0.03 * total
    assert 0 < sum(i.paid_nanos is None for i in impressions) < 0.03 * total
    assert 0 < sum(i.event.partner == "house_ads" for i in impressions) < 0.06 * total
    assert {i.event.currency for i in impressions if i.event.partner in {"acme", "admob"}} == {"EUR", None}
    assert all(i.paid_nanos % 1000 == 0 for i in impressions if i.event.partner != "acme" and i.paid_nanos is not None)


def test_no_amount_is_a_float(world: World) -> None:
    for day in world.days():
        assert {type(event.revenue) for event in world.events(day)} == {Decimal, type(None)}
        assert {type(cost.cost) for cost in world.costs(day)} == {Decimal}
        for partner in PARTNERS:
            assert {type(row.revenue) for age in (0, 1, 2) for row in world.reported(partner, day, age)} == {Decimal}


@pytest.mark.parametrize("partner", PARTNERS)
def test_the_final_report_is_what_the_impressions_of_the_partners_own_day_earned(world: World, partner: str) -> None:
    pacific = partner in {"acme", "admob", "meta_audience_network"}
    zone = ZoneInfo("America/Los_Angeles" if pacific else "UTC")
    counted = [
        (event, paid)
        for day in world.days()
        for event, paid in world.impressions(day)
        if event.partner == partner and paid is not None and event.event_time.astimezone(zone).date() == DAY
    ]
    unseen = world.unseen(partner, DAY)
    report = world.final_report(partner, DAY)
    assert sum(row.revenue for row in report) == Decimal(sum(paid for _, paid in counted)).scaleb(-9) + sum(
        row.revenue for row in unseen
    )
    assert sum(row.impressions for row in report) == len(counted) + sum(row.impressions for row in unseen)
    assert len({row[:6] for row in report}) == len(report)
    by_user = world.final_report(partner, DAY, by_user=True)
    assert sum(row.revenue for row in by_user) == sum(row.revenue for row in report) - sum(r.revenue for r in unseen)
    assert sum(row.impressions for row in by_user) == len(counted)
    assert any(row.user_id for row in by_user)


def test_estimates_are_a_few_percent_off_and_differently_for_each_format() -> None:
    world = small_world(scale=0.2)
    impressions = [impression for day in world.days() for impression in world.impressions(day)]
    for ad_format, permille in PAID_PERMILLE.items():
        pairs = [
            (event.revenue, paid)
            for event, paid in impressions
            if event.ad_format == ad_format and event.revenue is not None and paid is not None
        ]
        assert len(pairs) > 500
        ratio = Decimal(sum(paid for _, paid in pairs)).scaleb(-9) / sum(estimate for estimate, _ in pairs)
        assert abs(ratio * 1000 - permille) < 15


def test_rows_have_the_grain_of_their_partner(world: World) -> None:
    for row in world.final_report("applovin_max", DAY):
        assert row.user_id is None
        assert None not in row[:5]
    acme = world.final_report("acme", DAY)
    assert all(row.app_id and row[1:5] == (None,) * 4 for row in acme)
    known = {event.user_id for day in world.days() for event in world.events(day)}
    strangers = {row.user_id for row in acme} - known
    assert all(user_id and user_id.startswith("device-") for user_id in strangers)


@pytest.mark.parametrize("partner", PARTNERS)
def test_amounts_have_the_digits_of_their_partner(world: World, partner: str) -> None:
    exponents = {
        row.revenue.as_tuple().exponent
        for age in (0, 1, 2)
        for by_user in (False, True)
        for row in world.reported(partner, DAY, age, by_user)
    }
    assert exponents == {-9 if partner == "acme" else -6}


def test_one_ad_unit_earns_although_no_event_was_seen(world: World) -> None:
    assert UNSEEN_AD_UNIT in {row.ad_unit_id for row in world.final_report("applovin_max", DAY)}
    assert UNSEEN_AD_UNIT not in {event.ad_unit_id for day in world.days() for event in world.events(day)}


@pytest.mark.parametrize("partner", PARTNERS)
def test_reports_grow_until_the_third_day(partner: str) -> None:
    world = small_world(scale=0.3)
    ages = [{row[:6]: row for row in world.reported(partner, DAY, age)} for age in range(5)]
    assert ages[2] == ages[3] == ages[4] == {row[:6]: row for row in world.final_report(partner, DAY)}
    assert not world.reported(partner, DAY, -1)
    assert ages[0].keys() < ages[1].keys() < ages[2].keys()
    for young, older in ((0, 1), (1, 2)):
        for key, row in ages[young].items():
            assert row.impressions <= ages[older][key].impressions
            assert row.revenue <= ages[older][key].revenue
    for key, row in ages[0].items():
        assert Decimal("0.59") < row.revenue / ages[2][key].revenue < Decimal("0.71")
    total = [sum(row.revenue for row in rows.values()) for rows in ages]
    assert Decimal("0.35") < total[0] / total[2] < Decimal("0.71")
    assert Decimal("0.85") < total[1] / total[2] < 1


def test_costs_belong_to_the_campaigns_that_people_came_by(world: World) -> None:
    starters = Counter((user.channel.name, user.campaign_id) for user in world.starters(DAY))
    costs = world.costs(DAY)
    installs: Counter[tuple[str, str | None]] = Counter()
    for cost in costs:
        installs[cost.channel, cost.campaign_id] += cost.installs
    for wins_nobody in (("google", "g-brand"), ("tiktok", "tt-trial")):
        assert installs.pop(wins_nobody) == 0
    assert installs == {key: number for key, number in starters.items() if key[0] != "organic"}
    assert all(cost.cost >= 0 and cost.cost_date == DAY for cost in costs)
    assert {cost.currency for cost in costs} == {"USD", "EUR"}


@pytest.mark.parametrize("channel", ["applovin", "meta", "google", "tiktok"])
def test_a_channel_charges_more_as_a_day_ages_and_in_the_end_what_it_cost(world: World, channel: str) -> None:
    ages = [sum(cost.cost for cost in world.charged(channel, DAY, age)) for age in range(-1, 4)]
    assert ages[0] == 0
    assert 0 < ages[1] < ages[2] < ages[3] == ages[4]
    assert world.charged(channel, DAY, 2) == [cost for cost in world.costs(DAY) if cost.channel == channel]


def test_the_exchange_rate_moves_slowly_and_rests_on_sundays(world: World) -> None:
    rates = {day: world.exchange_rate(date(2026, 1, 1) + timedelta(days=day)) for day in range(365)}
    assert [day for day, rate in rates.items() if rate is None] == list(range(3, 365, 7))  # 2026-01-04 was a Sunday
    known = [rate for rate in rates.values() if rate is not None]
    assert all(abs(after - before) < Decimal("0.005") for before, after in pairwise(known))
    assert Decimal("1.05") < min(known) < max(known) < Decimal("1.12")
