"""One generated world: who was there on which day, what it cost to win them, and what each partner pays for their ads.

The same seed gives the same world on any machine, whatever the order in which its days are asked for: each day and
purpose has a random stream of its own, and every amount is integer arithmetic.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from random import Random
from typing import Any, NamedTuple
from zlib import crc32
from zoneinfo import ZoneInfo

from revenue_pipeline.simulator.behaviour import (
    APPS,
    PAID_DIGITS,
    USUAL_PAID_DIGITS,
    DayLog,
    Event,
    Impression,
    User,
    money,
    starter,
)
from revenue_pipeline.simulator.messages import Messages

LIFETIME_DAYS = 60  # nobody comes back later; people from this long before the first day are still around on it
LATEST_ARRIVAL_DAYS = 2
BRAND, TRIAL = "g-brand", "tt-trial"  # campaigns that spend every day and win nobody we could name
FRUITLESS_CAMPAIGNS = {"google": (BRAND,), "tiktok": (TRIAL,)}
CHARGED_PERMILLE = (700, 980)  # of what a channel's day costs in the end, on the day itself and on the next
ONE_DAY = timedelta(days=1)


class Partner(NamedTuple):
    """How a partner reports: the zone of its days, its currency, and which `ReportRow` columns its rows carry."""

    name: str
    timezone: ZoneInfo
    currency: str
    grain: Sequence[str]

    @property
    def digits(self) -> int:
        """How many digits its amounts have."""
        return PAID_DIGITS.get(self.name, USUAL_PAID_DIGITS)


class ReportRow(NamedTuple):
    """What a partner reports for one key of one day; columns outside its grain are None, ids are ours."""

    app_id: str | None = None
    platform: str | None = None
    country: str | None = None
    ad_format: str | None = None
    ad_unit_id: str | None = None
    user_id: str | None = None
    impressions: int = 0
    revenue: Decimal = Decimal(0)


class Cost(NamedTuple):
    """A row of the contract's `costs`; the fields are its columns."""

    cost_date: date
    channel: str
    campaign_id: str | None
    app_id: str
    platform: str
    country: str
    cost: Decimal
    currency: str
    impressions: int
    clicks: int
    installs: int


UTC, PACIFIC = ZoneInfo("UTC"), ZoneInfo("America/Los_Angeles")
BY_UNIT = ("app_id", "platform", "country", "ad_unit_id")
BY_FORMAT = ("app_id", "platform", "country", "ad_format", "ad_unit_id")
PARTNERS = {
    partner.name: partner
    for partner in (
        Partner("applovin_max", UTC, "USD", BY_FORMAT),
        Partner("admob", PACIFIC, "EUR", BY_FORMAT),
        Partner("levelplay", UTC, "USD", BY_FORMAT),
        Partner("unity_ads", UTC, "USD", BY_UNIT),
        Partner("meta_audience_network", PACIFIC, "USD", BY_UNIT),
        Partner("acme", PACIFIC, "EUR", ("app_id", "user_id")),
    )
}
UNSEEN_AD_UNIT = "game-ios-banner-old"  # still in an app version whose SDK sends no events


class World:
    """People, ads and money from `first_day` to `last_day` (UTC days, both included).

    `scale` 1.0 is about 17,000 events a day.
    """

    def __init__(self, seed: int = 1, *, first_day: date, last_day: date, scale: float = 1.0) -> None:
        """No day is generated before it is asked for."""
        if last_day < first_day:
            raise ValueError(f"the world ends on {last_day}, before it begins on {first_day}")
        self.seed, self.first_day, self.last_day, self.scale = seed, first_day, last_day, scale
        self.messages = Messages(seed, first_day, last_day, self.starters)
        self._starters = lru_cache(maxsize=2 * LIFETIME_DAYS)(self._make_starters)
        self._happened = lru_cache(maxsize=4)(self._let_happen)  # a day of events is large: keep what neighbours need
        self._earned = lru_cache(maxsize=64)(self._earn)
        self._settled = lru_cache(maxsize=None)(self._settle)

    def days(self) -> list[date]:
        """Every day of the world."""
        return [self.first_day + ONE_DAY * n for n in range((self.last_day - self.first_day).days + 1)]

    def starters(self, day: date) -> Sequence[User]:
        """The people who begin with an app on the day; also for days before the world's first."""
        return self._starters(day)

    def events(self, day: date) -> Sequence[Event]:
        """What happened on the UTC day, each event once, by time."""
        return self._happened(day).events

    def impressions(self, day: date) -> Sequence[Impression]:
        """The day's impressions with what the partner pays for each; impressions nobody reports are among them."""
        return self._happened(day).impressions

    def received(self, day: date) -> list[Event]:
        """What arrives on the day: its own events, late ones of the two days before, and a few exact repeats."""
        return [
            event
            for age in range(LATEST_ARRIVAL_DAYS + 1)
            for event, delays in self._deliveries(day - ONE_DAY * age)
            for delay in delays
            if delay == age
        ]

    def costs(self, day: date) -> list[Cost]:
        """What winning the day's starters cost, one row per campaign, app, platform and country."""
        if not self.first_day <= day <= self.last_day:
            return []
        rng, rows = self._stream(day, "costs"), []
        won = Counter((u.channel, u.campaign_id or "", u.app.app_id, u.platform, u.country) for u in self.starters(day))
        for (channel, campaign_id, app_id, platform, country), installs in sorted(won.items()):
            if channel.cents:
                cents = channel.cents * country.worth_percent * installs * rng.randrange(80, 121) // 10_000
                clicks = installs * rng.randrange(6, 14)
                key = (day, channel.name, campaign_id, app_id, platform, country.code)
                volume = (clicks * rng.randrange(30, 60), clicks, installs)
                rows.append(Cost(*key, money(cents, 2), channel.currency, *volume))
        brand = (day, "google", BRAND, "acme_ios", "ios", "US")
        rows.append(Cost(*brand, money(rng.randrange(500, 1500), 2), "USD", rng.randrange(9_000, 20_000), 40, 0))
        trial = self._stream(day, "costs of a trial")
        for tried in ("US", "DE"):
            key = (day, "tiktok", TRIAL, "acme_puzzle", "android", tried)
            spent = money(trial.randrange(200, 900), 2)
            rows.append(Cost(*key, spent, "USD", trial.randrange(2_000, 9_000), trial.randrange(5, 40), 0))
        return rows

    def charged(self, channel: str, day: date, age_days: int) -> list[Cost]:
        """What a channel says of a day that is `age_days` old: a part on the day and the next, then all of `costs`."""
        rows = [cost for cost in self.costs(day) if cost.channel == channel] if age_days >= 0 else []
        if age_days >= len(CHARGED_PERMILLE):
            return rows
        share = CHARGED_PERMILLE[age_days]
        return [
            row._replace(
                cost=money(int(row.cost.scaleb(2)) * share // 1000, 2),
                impressions=row.impressions * share // 1000,
                clicks=row.clicks * share // 1000,
                installs=row.installs * share // 1000,
            )
            for row in rows
        ]

    def exchange_rate(self, day: date) -> Decimal | None:
        """US dollars for one euro, six digits; None on Sundays, when no rate is published."""
        if day.weekday() == 6:
            return None
        swing = abs(day.toordinal() % 120 - 60)  # up for two months, down for two
        return money(1_060_000 + 800 * swing + self._stream(day, "exchange rate").randrange(-900, 901), 6)

    def final_report(self, partner: str, report_date: date, by_user: bool = False) -> list[ReportRow]:
        """What the partner says in the end about its own calendar day, in its currency, by key, or by key and user."""
        return list(self._settled(partner, report_date, by_user))

    def reported(self, partner: str, report_date: date, age_days: int, by_user: bool = False) -> list[ReportRow]:
        """What the partner says when the day is `age_days` old: a part on the day and the next, then the final report.

        A key never shrinks or disappears as the day ages.
        """
        if age_days < 0:
            return []
        final = self.final_report(partner, report_date, by_user)
        if age_days >= 2:
            return final
        digits = PARTNERS[partner].digits
        rng, rows = self._stream(report_date, f"{partner} while young"), []
        for row in final:
            rank, shares = rng.random(), (rng.randrange(600, 701), rng.randrange(960, 991))  # per mille
            impressions = (row.impressions * shares[age_days] + 500) // 1000
            if impressions and rank >= (0.15, 0.02)[age_days]:
                revenue = money(int(row.revenue.scaleb(digits)) * shares[age_days] // 1000, digits)
                rows.append(row._replace(impressions=impressions, revenue=revenue))
        return rows

    def unseen(self, partner: str, report_date: date) -> list[ReportRow]:
        """The part of the final report that no event of ours stands behind."""
        if partner != "applovin_max" or not self.first_day <= report_date <= self.last_day:
            return []
        impressions = self._stream(report_date, "unseen").randrange(20, 60)
        key = ("acme_ios", "ios", "US", "banner", UNSEEN_AD_UNIT, None)
        return [ReportRow(*key, impressions, money(impressions * 410, 6))]

    def _stream(self, day: date, purpose: str) -> Random:
        return Random(f"{self.seed}:{day}:{purpose}")  # noqa: S311  a world to try things in, nothing secret

    def _make_starters(self, day: date) -> Sequence[User]:
        rng, people = self._stream(day, "starters"), []
        for app in APPS:
            expected = app.starts_per_day * app.weekdays[day.weekday()] * self.scale
            for number in range(int(expected + rng.random())):
                people.append(starter(app, f"{app.name}-{day:%Y%m%d}-{number:04d}", rng))  # noqa: PERF401
        return people

    def _let_happen(self, day: date) -> DayLog:
        rng = self._stream(day, "events")
        log = DayLog(day, rng)
        if self.first_day <= day <= self.last_day:
            for age in range(LIFETIME_DAYS):
                shares = {app.app_id: app.returning(age, day.weekday()) for app in APPS}
                for user in self.starters(day - ONE_DAY * age):
                    if rng.random() < shares[user.app.app_id]:
                        log.visit(user, starts=not age)
        log.events.sort(key=attrgetter("event_time"))
        return log

    def _deliveries(self, day: date) -> Iterator[tuple[Event, Sequence[int]]]:
        """The day's events, each with the delays in days after which it arrives: mostly once, at once."""
        rng = self._stream(day, "arrival")
        for event in self.events(day):
            luck = rng.random()
            if luck >= 0.02:
                yield event, (0,)
            else:
                yield event, (1,) if luck < 0.01 else (2,) if luck < 0.015 else (0, 0) if luck < 0.018 else (0, 1)

    def _earn(self, day: date) -> Mapping[tuple[str | None, date], Mapping[ReportRow, Sequence[int]]]:
        """What was counted and paid on a UTC day, by partner and its own day: in full detail, with all ids ours."""
        totals: dict[tuple[str | None, date], dict[ReportRow, list[int]]] = defaultdict(
            lambda: defaultdict(lambda: [0, 0])
        )
        for event, paid_nanos in self.impressions(day):
            if event.partner in PARTNERS and paid_nanos is not None:
                own_day = event.event_time.astimezone(PARTNERS[event.partner].timezone).date()
                key = ReportRow(*(getattr(event, column) for column in ReportRow._fields[:6]))
                total = totals[event.partner, own_day][key]
                total[0] += 1
                total[1] += paid_nanos
        return totals

    def _settle(self, name: str, report_date: date, by_user: bool) -> Sequence[ReportRow]:
        partner = PARTNERS[name]
        start, end = (
            datetime.combine(day, time(), partner.timezone).astimezone(timezone.utc)
            for day in (report_date, report_date + ONE_DAY)
        )
        columns = {*partner.grain, "user_id"} if by_user else set(partner.grain)
        outside: dict[str, Any] = {column: None for column in ReportRow._fields[:6] if column not in columns}
        totals: dict[ReportRow, list[int]] = defaultdict(lambda: [0, 0])  # keyed by rows without numbers
        for day in sorted({start.date(), (end - timedelta(microseconds=1)).date()}):
            for key, (impressions, nanos) in self._earned(day).get((name, report_date), {}).items():
                total = totals[key._replace(**outside)]
                total[0] += impressions
                total[1] += nanos
        rows = [
            key._replace(
                user_id=_partner_user_id(key.user_id),
                impressions=impressions,
                revenue=money(nanos // 10 ** (9 - partner.digits), partner.digits),
            )
            for key, (impressions, nanos) in totals.items()
        ]
        unseen = [] if by_user else self.unseen(name, report_date)
        return sorted([*rows, *unseen], key=lambda row: [text or "" for text in row[:6]])


def _partner_user_id(user_id: str | None) -> str | None:
    """Ours, but for the few devices on which the partner's SDK was never told it."""
    unknown = user_id is not None and crc32(user_id.encode()) % 40 == 0
    return f"device-{user_id}" if unknown else user_id
