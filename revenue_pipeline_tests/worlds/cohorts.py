"""Users who start, pay and come back, what acquiring them cost, and what a person asks about them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from revenue_pipeline_tests.reference.cohorts import ALL, ATTRIBUTES, Question
from revenue_pipeline_tests.reference.landing import COLUMNS, Texts
from revenue_pipeline_tests.reference.values import ONE_DAY
from revenue_pipeline_tests.worlds.advertising import ESTIMATES, add_event, disturb_events
from revenue_pipeline_tests.worlds.builder import Builder, days_between

USERS = ("u1", " u2", "NULL", "007", "c1", "c2", "C2", "c3", "c4", "ü5", None)
VALUES: Mapping[str, Sequence[str | None]] = {
    "app_id": (None, "app-1", "app-1", "007"),
    "platform": (None, "ios", "iOS "),
    "country": (None, "us", " US"),
    "channel": ("search", "search", "social ", None),
    "campaign_id": (None, "0012", "12"),
}
START_EVENTS = (("install", "sign_up"), ("install",), ("sign_up", "level_up"), ("purchase", "ad_impression"), ("open",))
REVENUE_EVENTS = ("purchase", "purchase", "level_up", "ad_impression", "renew")
AMOUNTS = (None, "0", "-4.99", "9.99", "0.000000001", "-0.000000001", "49.9", "1e2", "123456789.123456789", "12")
COSTS = ("0", "0", "100", "12.345678912", "-3", "0.000000001", "98765432109876.5")


def add(builder: Builder) -> None:
    rng = builder.rng = builder.choices("cohorts")
    builder.settings["cohorts"] = {
        "start_events": list(rng.choice(START_EVENTS)),
        "max_days": rng.choice((1, 2, 3, 90)),
    }
    days, since = len(builder.days_around), len(builder.rows["events"])
    names = (*builder.settings["cohorts"]["start_events"], "install", "sign_up")
    for number in range(rng.randint(2 * days, 6 * days)):
        _add_event(builder, f"s{number}", rng.choice(names))
    for number in range(rng.randint(3 * days, 9 * days)):
        _add_event(builder, f"p{number}", rng.choice(REVENUE_EVENTS))
    disturb_events(builder, since)
    for _ in range(rng.randint(0, 4 * days)):
        _add_cost(builder)
    builder.spoil_some("costs")


def _add_event(builder: Builder, event_id: str, name: str) -> None:
    rng = builder.rng
    instant = builder.instant()
    nobody: Texts = dict.fromkeys(COLUMNS["events"])
    event = {
        **nobody,
        **{column: rng.choice(values) for column, values in VALUES.items()},
        "event_id": event_id,
        "event_name": name,
        "event_time": builder.written(instant),
        "user_id": rng.choice(USERS),
    }
    if name == "ad_impression":
        event |= {"partner": rng.choice((*builder.settings["partners"], None)), "revenue": rng.choice(ESTIMATES)}
    elif name in REVENUE_EVENTS:
        event |= {"revenue": rng.choice(AMOUNTS), "currency": builder.currency(builder.day_of(instant))}
    add_event(builder, event)
    if builder.is_so(10):  # the same user at the same instant, or a little before, with other attributes
        moved = timedelta(seconds=rng.choice((0, 0, -1)))
        again = {**event, "event_id": f"{event_id}-again", "event_time": builder.written(instant + moved)}
        again |= {column: rng.choice(values) for column, values in VALUES.items()}
        if builder.day_of(instant + moved) == builder.day_of(instant):
            add_event(builder, again)


def _add_cost(builder: Builder) -> None:
    rng = builder.rng
    day = rng.choice(builder.days_around)
    row: Texts = {column: rng.choice(VALUES[column]) for column in ATTRIBUTES}
    row |= {
        "channel": rng.choice(("search", " search", "social", "tv")),
        "cost_date": day.isoformat(),
        "cost": rng.choice(COSTS),
        "currency": builder.currency(day, needed=True),
        **{column: rng.choice((None, "0", "12", "9223372036854775807")) for column in ("impressions", "clicks")},
        "installs": rng.choice((None, "3")),
    }
    for _ in range(rng.choice((1, 1, 1, 2))):
        builder.add("costs", day, row)


def questions(builder: Builder, count: int) -> Iterator[Question]:
    """Ranges that begin and end inside and outside the world, and days before, in and after them."""
    rng = builder.choices("questions")
    days = days_between(builder.first - ONE_DAY * 2, builder.last + ONE_DAY * 3)
    names = (*builder.settings["cohorts"]["start_events"], "install")
    for _ in range(count):
        first, last = sorted(rng.choices(days, k=2))
        yield Question(
            first,
            last,
            rng.choice(("day", "day", "week", "month")),
            rng.choice(("cumulative", "non_cumulative")),
            rng.choice(names),
            rng.choice((ALL, ALL, "purchase", "ad_impression", "level_up", "never")),
            rng.choice((first - ONE_DAY, first, last, last + ONE_DAY, last + ONE_DAY * 40, *days)),
        )
