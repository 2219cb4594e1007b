"""What people in the world are like and what one of them does on one day.

Amounts are whole numbers of 1e-9 currency units until they become an exact `Decimal`; floats only ever decide *whether*
something happens. The tables are the world's character: edit them, not the code, to make it a different one.
"""

from bisect import bisect
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import accumulate
from random import Random
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Weighted(Generic[T]):
    """Things to choose from, each as likely as its weight says."""

    def __init__(self, *weights: tuple[int, T]) -> None:
        """Pairs of weight and thing."""
        self._bounds = list(accumulate(weight for weight, _ in weights))
        self.things = [thing for _, thing in weights]

    def pick(self, rng: Random) -> T:
        """Choose one thing."""
        return self.things[bisect(self._bounds, rng.random() * self._bounds[-1])]


class Country(NamedTuple):
    """`worth_percent`: ad prices and costs against the most expensive country; `utc_offset` in hours."""

    code: str
    worth_percent: int
    utc_offset: int
    currency: str


class AdUnit(NamedTuple):
    """A placement, or with no id a container as a whole.

    `nanos` is what one impression is worth on an average user in the most expensive country, at most, in 1e-9 units.
    """

    ad_unit_id: str | None
    ad_format: str | None
    nanos: int
    click_rate: float  # of the impressions
    container_id: str | None = None


class App(NamedTuple):
    """One of the publisher's apps; `starts_per_day` people begin with it on an ordinary day at scale 1."""

    app_id: str
    name: str
    platforms: Sequence[str]
    start_event: str
    starts_per_day: int
    weekdays: Sequence[float]  # Monday first
    comes_back: tuple[float, float]  # the share that is back on the next day, and how fast that share decays

    def returning(self, age: int, weekday: int) -> float:
        """The share of a day's starters who are here `age` days later, on this day of the week."""
        first, decay = self.comes_back
        return min(1.0, self.weekdays[weekday]) * first / (1 + decay * (age - 1)) if age else 1.0


class Channel(NamedTuple):
    """Where people come from; `cents` is the price of one start in the most expensive country (0: nobody is paid)."""

    name: str
    campaigns: Sequence[str | None]
    cents: int = 0
    currency: str = "USD"


class User(NamedTuple):
    """A person, on the day they start and ever after."""

    user_id: str
    app: App
    platform: str
    country: Country
    channel: Channel
    campaign_id: str | None
    worth_percent: int
    pays: bool
    apple_mail: bool
    container_id: str | None


class Event(NamedTuple):
    """A row of the contract's `events`; the fields are its columns."""

    event_id: str
    event_name: str
    event_time: datetime
    user_id: str | None
    app_id: str
    platform: str
    country: str
    channel: str | None = None
    campaign_id: str | None = None
    partner: str | None = None
    ad_format: str | None = None
    ad_unit_id: str | None = None
    container_id: str | None = None
    creative_id: str | None = None
    is_automated: bool | None = None
    revenue: Decimal | None = None
    currency: str | None = None
    properties: dict[str, str] | None = None


class Impression(NamedTuple):
    """An `ad_impression` and what the partner pays for it, in 1e-9 units of its currency (None: not counted)."""

    event: Event
    paid_nanos: int | None


GAME_WEEKDAYS = (0.94, 0.92, 0.94, 0.97, 1.05, 1.12, 1.08)
APPS = (
    App("acme_ios", "game", ("ios",), "install", 95, GAME_WEEKDAYS, (0.42, 0.35)),
    App("acme_puzzle", "puzzle", ("ios", "android"), "install", 120, GAME_WEEKDAYS, (0.38, 0.30)),
    App("acme_news", "news", ("web",), "sign_up", 34, (1.1, 1.05, 1.0, 1.0, 1.0, 0.6, 0.4), (0.70, 0.02)),
)
COUNTRIES = Weighted(
    (30, Country("US", 100, -6, "USD")),
    (10, Country("GB", 80, 0, "USD")),
    (12, Country("DE", 75, 1, "EUR")),
    (8, Country("FR", 60, 1, "EUR")),
    (7, Country("JP", 90, 9, "USD")),
    (14, Country("BR", 25, -3, "USD")),
    (14, Country("IN", 15, 5, "USD")),
    (5, Country("MX", 30, -6, "USD")),
)
CHANNELS = Weighted(
    (42, Channel("organic", (None,))),
    (25, Channel("applovin", ("al-101", "al-102", "al-103"), 45)),
    (18, Channel("meta", ("meta-201", "meta-202"), 60, "EUR")),
    (15, Channel("google", ("g-301", "g-302"), 50)),
)
GAME_SELLERS: Weighted[str | None] = Weighted(
    *((84, "applovin_max"), (40, "admob"), (28, "levelplay"), (18, "unity_ads"), (10, "meta_audience_network")),
    *((14, "acme"), (4, "house_ads"), (2, None)),
)
NEWS_SELLERS: Weighted[str | None] = Weighted((97, "acme"), (3, "house_ads"))
ESTIMATE_CURRENCIES: dict[str | None, str] = {"acme": "EUR", "admob": "EUR"}  # the others estimate in USD
PAID_DIGITS = {"acme": 9}  # what a partner pays is exact to so many digits, for the others to
USUAL_PAID_DIGITS = 6
PAID_PERMILLE: dict[str | None, int] = {
    "banner": 970,
    "inter": 1040,
    "reward": 1025,
    "native": 950,
}  # of the estimate, on average
PRODUCTS = Weighted((60, ("coins_small", 199)), (25, ("no_ads", 499)), (12, ("coins_large", 999)), (3, ("vault", 4999)))
PLACEMENTS = {
    "newsletter-a": ("top", "middle", "footer"),
    "newsletter-b": ("top", "footer"),
    "newsletter-c": ("top", "middle"),
}
CONTAINERS = Weighted((50, "newsletter-a"), (30, "newsletter-b"), (20, "newsletter-c"))
OPENS_ON_PLACEMENTS = {"newsletter-b"}  # the other containers record an open once, on the container
PLAYING_HOURS = Weighted(
    *zip((2, 1, 1, 1, 1, 2, 4, 6, 7, 6, 6, 6, 7, 7, 6, 6, 7, 8, 10, 12, 13, 12, 8, 4), range(24), strict=True)
)
READING_HOURS = Weighted((4, 6), (9, 7), (8, 8), (5, 9), (3, 10), (3, 12), (2, 13), (2, 17), (3, 19), (2, 21))

MINUTE = 60_000  # milliseconds
LAST_START = 23 * 60 * MINUTE + 20 * MINUTE  # the longest visit still ends on its own day


def game_units(app: App, platform: str) -> Weighted[AdUnit]:
    """The ad units of a game on a platform."""
    prefix = f"{app.name}-{platform}"
    return Weighted(
        (55, AdUnit(f"{prefix}-banner", "banner", 1_200_000, 0.008)),
        (20, AdUnit(f"{prefix}-inter-level", "inter", 18_000_000, 0.03)),
        (7, AdUnit(f"{prefix}-inter-start", "inter", 12_000_000, 0.03)),
        (18, AdUnit(f"{prefix}-reward", "reward", 28_000_000, 0.02)),
    )


GAME_UNITS = {(app.app_id, platform): game_units(app, platform) for app in APPS for platform in app.platforms}
NEWS_UNITS = {
    container: [
        AdUnit(f"{container}-{place}", "native", 10_000_000 - 2_400_000 * n, 0.02, container)
        for n, place in enumerate(places)
    ]
    for container, places in PLACEMENTS.items()
}


NOWHERE = AdUnit(None, None, 0, 0)


def money(units: int, digits: int = 9) -> Decimal:
    """An exact amount from a whole number of its smallest units."""
    return Decimal(units).scaleb(-digits)


def starter(app: App, user_id: str, rng: Random) -> User:
    """Somebody who begins with the app."""
    channel = CHANNELS.pick(rng)
    return User(
        user_id=user_id,
        app=app,
        platform=rng.choice(app.platforms),
        country=COUNTRIES.pick(rng),
        channel=channel,
        campaign_id=rng.choice(channel.campaigns),
        worth_percent=rng.randrange(40, 161),
        pays=rng.random() < 0.05,
        apple_mail=rng.random() < 0.4,
        container_id=CONTAINERS.pick(rng) if app.start_event == "sign_up" else None,
    )


class DayLog:
    """Collects the events of one UTC day while its visitors act."""

    def __init__(self, day: date, rng: Random) -> None:
        """Nothing has happened yet; every decision of the day draws from `rng`."""
        self.events: list[Event] = []
        self.impressions: list[Impression] = []
        self._rng = rng
        self._midnight = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
        self._prefix = f"{day:%Y%m%d}"

    def visit(self, user: User, *, starts: bool) -> None:
        """Everything the user does on this day; `starts` on their first one."""
        if user.app.start_event == "sign_up":
            self._read(user, starts)
        else:
            self._play(user, starts)

    def _play(self, user: User, starts: bool) -> None:
        rng, moment = self._rng, self._moment(user, PLAYING_HOURS)
        if starts:
            self._start("install", moment, user)
            if rng.random() < 0.25:
                self._start("sign_up", moment + MINUTE // 2, user)
        luck = rng.random()
        units = GAME_UNITS[user.app.app_id, user.platform]
        for _ in range(2 + int(luck * luck * 15)):
            moment += 20_000 + int(rng.random() * MINUTE)
            self._show_ad(units.pick(rng), moment, user, GAME_SELLERS, seen=0.96)
        if user.pays and rng.random() < 0.2:
            product, cents = PRODUCTS.pick(rng)
            price: dict[str, Any] = {"revenue": money(cents, 2), "currency": user.country.currency}
            self._add("purchase", moment + MINUTE // 2, user, properties={"product": product}, **price)

    def _read(self, user: User, starts: bool) -> None:
        rng, moment = self._rng, self._moment(user, READING_HOURS)
        units = NEWS_UNITS[user.container_id or ""]
        if starts:
            self._start("sign_up", moment, user)
        if user.apple_mail:  # Mail Privacy Protection loads the images, and so serves the ads, before anybody looks
            self._open(units, moment, user, automated=True)
            for unit in units:
                self._add("ad_served", moment, user, unit, partner="acme")
            if rng.random() < 0.01:
                self._add("ad_click", moment + 100, user, units[0], partner="acme", is_automated=True)
        if rng.random() < 0.5:
            moment += MINUTE + int(rng.random() * 10 * MINUTE)
            self._open(units, moment, user, automated=False)
            for unit in units:
                self._show_ad(unit, moment, user, NEWS_SELLERS, seen=0.8)

    def _start(self, name: str, moment: int, user: User) -> None:
        """Where the user came from is known on the events they start with."""
        self._add(name, moment, user, channel=user.channel.name, campaign_id=user.campaign_id)

    def _open(self, units: Sequence[AdUnit], moment: int, user: User, *, automated: bool) -> None:
        whole = [AdUnit(None, None, 0, 0, user.container_id)]
        for unit in units if user.container_id in OPENS_ON_PLACEMENTS else whole:
            self._add("open", moment, user, unit, is_automated=automated)

    def _show_ad(self, unit: AdUnit, moment: int, user: User, sellers: Weighted[str | None], *, seen: float) -> None:
        """An ad is served, mostly seen, now and then clicked."""
        rng = self._rng
        ad: dict[str, Any] = {"partner": sellers.pick(rng), "creative_id": f"creative-{int(rng.random() * 12)}"}
        self._add("ad_served", moment, user, unit, **ad)
        if rng.random() >= seen:
            return
        percents = user.country.worth_percent * user.worth_percent * (40 + int(rng.random() * 61))
        nanos = unit.nanos * percents // 1_000_000
        estimate: dict[str, Any] = {"revenue": money(nanos), "currency": ESTIMATE_CURRENCIES.get(ad["partner"], "USD")}
        if rng.random() < 0.04:
            estimate.clear()  # some SDKs say nothing
        known = rng.random() >= 0.01
        event = self._add("ad_impression", moment + 800, user, unit, known=known, **ad, **estimate)
        paid = nanos * PAID_PERMILLE[unit.ad_format] * (850 + int(rng.random() * 301)) // 1_000_000
        paid -= paid % 10 ** (9 - PAID_DIGITS.get(ad["partner"], USUAL_PAID_DIGITS))
        self.impressions.append(Impression(event, paid if rng.random() >= 0.01 else None))
        if rng.random() < unit.click_rate:
            self._add("ad_click", moment + 3_000, user, unit, is_automated=False, **ad)

    def _moment(self, user: User, hours: Weighted[int]) -> int:
        """Milliseconds since UTC midnight, at an hour that suits the user's own clock."""
        hour = (hours.pick(self._rng) - user.country.utc_offset) % 24
        return min(hour * 60 * MINUTE + int(self._rng.random() * 60 * MINUTE), LAST_START)

    def _add(
        self, name: str, moment: int, user: User, unit: AdUnit = NOWHERE, *, known: bool = True, **columns: Any
    ) -> Event:
        """Record an event with these further columns; `known`: whether the SDK knew the user."""
        event = Event(
            f"{self._prefix}-{len(self.events):06d}",
            name,
            self._midnight + timedelta(0, 0, moment * 1000),
            user.user_id if known else None,
            user.app.app_id,
            user.platform,
            user.country.code,
            ad_format=unit.ad_format,
            ad_unit_id=unit.ad_unit_id,
            container_id=unit.container_id,
            **columns,
        )
        self.events.append(event)
        return event
