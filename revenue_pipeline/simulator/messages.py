"""The messages that a world's people get: who was sent what, who clicked, and what affiliate networks say of it.

Everything follows from the day a message was sent on, which has a random stream of its own. What became of a conversion
is told by its `history`: networks change their minds for weeks. The tables are the character of it all: edit them, not
the code.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import NamedTuple

from revenue_pipeline.simulator.behaviour import User, Weighted, money

ONE_DAY = timedelta(days=1)
MEMORY_DAYS = 60  # how long ago somebody began who is still written to
LONGEST_CLICK_DAYS = 3  # from the message
LONGEST_CONVERSION_DAYS = 10  # from the click


class Offer(NamedTuple):
    """Something to sell for others. `network`: who pays (None: a shop that is no network's); `number`: its id there.

    `cents`: the least and the most that a conversion pays, in `currency`.
    """

    offer_id: str
    network: str | None
    number: int
    cents: tuple[int, int]
    currency: str = "USD"


class SendingList(NamedTuple):
    """People who are written to together: those of some apps, a share of them each day, at an hour of the day (UTC)."""

    name: str
    apps: frozenset[str]
    share: float
    hour: int
    segments: Weighted[int]


class Send(NamedTuple):
    """A row of the contract's `message_sends`; the fields are its columns."""

    message_id: str
    sent_at: datetime
    contact_id: str
    creative_id: str
    offer_id: str
    campaign_id: str
    sending_list: str
    segments: int
    custom: dict[str, str]


class Click(NamedTuple):
    """A row of the contract's `link_clicks`; the fields are its columns."""

    click_id: str
    message_id: str
    clicked_at: datetime


class ManualRevenue(NamedTuple):
    """A row of the contract's `manual_revenue` as people write it; the fields are its columns."""

    click_id: str | None
    amount: str
    date: date
    currency: str | None


class State(NamedTuple):
    """What a network says of a conversion from a day on: `pending`, `approved` or `rejected`."""

    since: date
    status: str
    payout: Decimal


class Conversion(NamedTuple):
    """A sale that a network counts for us; `history` has its states, the earliest first."""

    conversion_id: str
    number: int
    offer: Offer
    click_id: str | None
    clicked_at: datetime
    converted_at: datetime
    is_adjustment: bool
    history: Sequence[State]

    def state(self, today: date) -> State | None:
        """What the network says of it today; None while it does not know of it."""
        known = [state for state in self.history if state.since <= today]
        return known[-1] if known else None


class _Mail(NamedTuple):
    """All that comes of the messages of one day."""

    sends: Sequence[Send]
    clicks: Sequence[Click]
    conversions: Sequence[Conversion]


OFFERS = Weighted(
    (30, Offer("summer-shoes", "tune", 12, (180, 900))),
    (20, Offer("meal-box", "tune", 15, (1200, 1800))),
    (25, Offer("flash-sale", "everflow", 31, (250, 2600))),
    (15, Offer("city-hotel", "everflow", 34, (800, 4000), "EUR")),
    (25, Offer("savings-account", "impact", 4636, (2000, 6500))),
    (15, Offer("local-books", None, 0, (100, 700))),
)
LISTS = (
    SendingList("readers", frozenset({"acme_news"}), 0.15, 7, Weighted((1, 1))),
    SendingList("players", frozenset({"acme_ios", "acme_puzzle"}), 0.03, 16, Weighted((70, 1), (25, 2), (5, 3))),
)
CREATIVES = ("plain", "picture", "question")
CLICK_RATE = 0.18
CLICKS_AGAIN = 0.1
CLICK_DELAY = Weighted((60, 2 * 60), (30, 24 * 60), (10, LONGEST_CLICK_DAYS * 24 * 60))  # minutes at most
CONVERSION_RATE = 0.3
CONVERSION_DELAY = Weighted((50, 60), (30, 24 * 60), (14, 6 * 24 * 60), (6, LONGEST_CONVERSION_DAYS * 24 * 60))
# Ages in days at which a network says something else; a payout in percent of the first one.
HISTORIES: Weighted[Sequence[tuple[int, str, int]]] = Weighted(
    (45, ((0, "pending", 100), (2, "approved", 100))),
    (15, ((0, "approved", 100),)),
    (12, ((0, "pending", 100), (3, "rejected", 100))),
    (8, ((0, "approved", 100), (2, "rejected", 100), (5, "approved", 100))),  # and back
    (8, ((2, "pending", 100), (6, "approved", 100))),  # is told of late
    (6, ((0, "approved", 100), (8, "rejected", 100))),  # reversed, long after
    (6, ((0, "pending", 100), (4, "approved", 80))),  # a part of the order came back
)
STRANGERS = Weighted((93, "ours"), (4, "unknown"), (3, "none"))  # whose click a conversion names
FIRES_TWICE = 0.03
ADJUSTED = 0.05


class Messages:
    """The messages of a world, from its first day to its last."""

    def __init__(self, seed: int, first_day: date, last_day: date, starters: Callable[[date], Sequence[User]]) -> None:
        """`starters`: the people who begin with an app on a day; they are written to from the next day on."""
        self._seed, self._first_day, self._last_day, self._starters = seed, first_day, last_day, starters
        self._mail = lru_cache(maxsize=MEMORY_DAYS)(self._write)

    def sends(self, day: date) -> Sequence[Send]:
        """The messages of a UTC day, by time."""
        return self._mail(day).sends

    def clicks(self, day: date) -> list[Click]:
        """The clicks of a UTC day, by time."""
        earlier = (self._mail(day - ONE_DAY * age).clicks for age in range(LONGEST_CLICK_DAYS + 1, -1, -1))
        found = [click for clicks in earlier for click in clicks if click.clicked_at.date() == day]
        return sorted(found, key=lambda click: (click.clicked_at, click.click_id))

    def conversions(self, network: str | None, start: datetime, end: datetime) -> list[Conversion]:
        """What happened from `start` to before `end` for offers of the network, in whatever state, by time."""
        found = [
            conversion
            for day in _days(start.date() - ONE_DAY * (LONGEST_CLICK_DAYS + LONGEST_CONVERSION_DAYS + 1), end.date())
            for conversion in self._mail(day).conversions
            if conversion.offer.network == network and start <= conversion.converted_at < end
        ]
        return sorted(found, key=lambda conversion: (conversion.converted_at, conversion.conversion_id))

    def manual_revenue(self, day: date) -> list[ManualRevenue]:
        """What somebody uploads for the day: sales of shops without a network, some of it twice, and mistakes."""
        start = datetime.combine(day, time(), timezone.utc)
        sales = self.conversions(None, start, start + ONE_DAY)
        rows = [
            ManualRevenue(sale.click_id, str(sale.history[0].payout), day, "USD") for sale in sales if sale.click_id
        ]
        rows += rows[: len(rows) // 4]
        if day.weekday() == 2 and rows:
            rows.append(rows[0]._replace(amount="12,50"))
            rows.append(rows[0]._replace(click_id=None))
        synced = [sale for sale in self.conversions("tune", start, start + ONE_DAY) if sale.click_id]
        return rows + [ManualRevenue(sale.click_id, str(sale.history[0].payout), day, None) for sale in synced[:1]]

    def _stream(self, day: date, purpose: str) -> Random:
        return Random(f"{self._seed}:{day}:{purpose}")  # noqa: S311  a world to try things in, nothing secret

    def _write(self, day: date) -> _Mail:
        if not self._first_day <= day <= self._last_day:
            return _Mail((), (), ())
        rng = self._stream(day, "messages")
        sends: list[Send] = []
        offers: dict[str, Offer] = {}
        for sending_list in LISTS:
            campaign = f"{sending_list.name}-{day.isocalendar().year}-{day.isocalendar().week:02d}"
            for user in self._contacts(sending_list, day, rng):
                message_id = f"m-{day:%Y%m%d}-{len(sends):05d}"
                offer = offers[message_id] = OFFERS.pick(rng)
                sends.append(
                    Send(
                        message_id=message_id,
                        sent_at=_at(day, sending_list.hour * 60 * 60_000 + rng.randrange(40 * 60_000)),
                        contact_id=user.user_id,
                        creative_id=f"{offer.offer_id}-{rng.choice(CREATIVES)}",
                        offer_id=offer.offer_id,
                        campaign_id=campaign,
                        sending_list=sending_list.name,
                        segments=sending_list.segments.pick(rng),
                        custom={"country": user.country.code, "source": user.channel.name},
                    )
                )
        clicks = [click for send in sends for click in self._clicks(send, rng)]
        conversions = self._conversions(day, clicks, offers)
        return _Mail(sorted(sends, key=lambda send: (send.sent_at, send.message_id)), clicks, conversions)

    def _contacts(self, sending_list: SendingList, day: date, rng: Random) -> Iterator[User]:
        for age in range(1, MEMORY_DAYS):
            for user in self._starters(day - ONE_DAY * age):
                if user.app.app_id in sending_list.apps and rng.random() < sending_list.share:
                    yield user

    def _clicks(self, send: Send, rng: Random) -> Iterator[Click]:
        if rng.random() < CLICK_RATE:
            for again in range(2 if rng.random() < CLICKS_AGAIN else 1):
                delay = timedelta(milliseconds=rng.randrange(20_000, CLICK_DELAY.pick(rng) * 60_000))
                yield Click(f"c{send.message_id[1:]}-{again}", send.message_id, send.sent_at + delay)

    def _conversions(self, day: date, clicks: Sequence[Click], offers: dict[str, Offer]) -> list[Conversion]:
        rng = self._stream(day, "conversions")
        found: list[Conversion] = []
        for click in clicks:
            if rng.random() < CONVERSION_RATE:
                offer = offers[click.message_id]
                for conversion in self._conversion(click, offer, rng):
                    number = day.toordinal() * 10_000 + len(found)
                    found.append(conversion._replace(number=number, conversion_id=f"{rng.getrandbits(128):032x}"))
        return found

    def _conversion(self, click: Click, offer: Offer, rng: Random) -> Iterator[Conversion]:
        """One, seldom two of a pixel that fired twice, or one and what was taken back of it; without numbers yet."""
        delay = timedelta(seconds=rng.randrange(30, CONVERSION_DELAY.pick(rng) * 60))
        converted_at = (click.clicked_at + delay).replace(microsecond=0)
        # Times of networks are whole seconds, and an amount has the digits that the network writes.
        payout = money(rng.randrange(*offer.cents) * 10 + (rng.randrange(10) if offer.network == "everflow" else 0), 3)
        history = [
            State(converted_at.date() + ONE_DAY * age, status, payout * percent / 100)
            for age, status, percent in HISTORIES.pick(rng)
        ]
        whose = STRANGERS.pick(rng)
        click_id = {"ours": click.click_id, "unknown": f"x{click.click_id}", "none": None}[whose]
        one = Conversion("", 0, offer, click_id, click.clicked_at, converted_at, False, history)
        yield one
        if rng.random() < FIRES_TWICE:
            yield one._replace(converted_at=converted_at + timedelta(seconds=1))
        if rng.random() < ADJUSTED and offer.network == "tune":
            taken = State(converted_at.date() + ONE_DAY * 3, "approved", -payout / 2)
            yield one._replace(is_adjustment=True, history=[taken])


def _at(day: date, milliseconds: int) -> datetime:
    return datetime.combine(day, time(), timezone.utc) + timedelta(milliseconds=milliseconds)


def _days(first: date, last: date) -> Iterator[date]:
    return (first + ONE_DAY * n for n in range((last - first).days + 1))
