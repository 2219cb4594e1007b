"""Partners, the ads that users saw of theirs, and what they report."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from revenue_pipeline_tests.reference.landing import COLUMNS, GRAIN, Texts, event_day, trimmed
from revenue_pipeline_tests.reference.values import ONE_DAY, to_instant
from revenue_pipeline_tests.worlds.builder import ZONES, Builder

VALUES: Mapping[str, Sequence[str | None]] = {
    "user_id": (None, "  ", "u1", "u1", " u2", "NULL", "007"),
    "app_id": (None, "", "app-1", " app-1", "007", "1e5"),
    "platform": (None, "ios", "iOS ", "ANDROID", "android"),
    "country": (None, "us", " US", "De", "\tDE"),
    "ad_format": (None, "banner", "BANNER", "Rewarded "),
    "ad_unit_id": (None, "unit-a", "unit-a ", "unit-b", "1.0"),
    "container_id": (None, "news-a", "news-a", "news-b", " "),
    "creative_id": (None, "c1"),
    "channel": (None, "search"),
    "campaign_id": (None, "0012"),
}
ESTIMATES = (
    *(None, None, None, "", "0", "0.0", "-0", "0.01", "0.01", "0.000000001", "0.000000003", "0.123456789", "1"),
    *("3", "7.77", "1000", "999.999999999", "1e-5", "2.5E-3", "+0.5", "0.0333333333333"),
)
AMOUNTS = (None, "0", "-4.99", "9.99", "123456789.123456789", "-0.000000001", "49.9")
TOTALS = (
    *("0", "0.000000001", "-0.000000001", "1", "10", "-3.333333333", "100.01", "0.000000007", "33.333333334", "1e3"),
    *("1234.567890123", "-0.5", "77", "0.1"),
)
LARGE_TOTALS = ("5000000.123456789", "-4999999.999999999", "8388607.000000001")
THEIR_IDS = {"app_id": "com.acme", "user_id": "their-1", "ad_unit_id": "slot/1"}
PARTNER_NAMES = ("acme", "Beta.Net", "gamma-1", "delta_2")


def add(builder: Builder) -> None:
    builder.begin("advertising")
    rng = builder.rng
    names = rng.sample(PARTNER_NAMES, rng.randint(2, 4))
    builder.settings |= {
        "events": {"late_arrival_days": rng.choice((0, 1, 2, 2, 3))},
        "mpp_discount": {
            "default": rng.choice(("1", "0", "0.5", "0.333")),
            "containers": rng.choice(({}, {"news-a": "0.8"}, {"news-a": "0", "news-b": "0.123456789"})),
        },
        "partners": {name: _partner(builder) for name in names},
    }
    _add_events(builder)
    _add_partner_rows(builder)


def _partner(builder: Builder) -> dict[str, Any]:
    rng = builder.rng
    grain = [column for column in GRAIN if builder.is_so(40)]
    partner: dict[str, Any] = {
        "connector": "files",
        "granularity": rng.choice(("aggregated", "user_level")),
        "grain": rng.choice((grain, grain, [], list(GRAIN))),
        "timezone": rng.choice((None, *ZONES)),
        "currency": rng.choice((None, None, "USD", "EUR", "JPY")),
        "import_window_days": rng.choice((None, 1, 2, 4)),
        "ids": rng.choice(
            (
                {},
                {"app_id": {"com.acme": "app-1", "1e5": "007"}, "user_id": {"their-1": "u1", "u1": "u2"}},
                {"ad_unit_id": {"slot/1": "unit-a"}, "app_id": {"com.acme": "app-1", "app-1": "app-1"}},
            )
        ),
    }
    return {key: value for key, value in partner.items() if value is not None}


# Events -----------------------------------------------------------------------------------------------------------


def _add_events(builder: Builder) -> None:
    rng = builder.rng
    for number in range(rng.randint(25, 90)):
        event = _event(
            builder, rng.choice((f"e{number}", f"{number:03d}", f"E-{number * 7 % 100}x{number}", f"é{number}"))
        )
        add_event(builder, event)
    disturb_events(builder)


def add_event(builder: Builder, event: Texts) -> None:
    builder.add("events", folder_of(builder, event), event)


def disturb_events(builder: Builder, since: int = 0) -> None:
    """Repeat some of the events added since, let some stray out of their arrival window, and spoil some."""
    for folder, event in builder.rows["events"][since:]:
        if builder.is_so(15):
            builder.add("events", *_repeat(builder, folder, event))
        if builder.is_so(6):
            builder.add("events", *_strayed(builder, folder, event))
    builder.spoil_some("events", since)


def _event(builder: Builder, event_id: str) -> Texts:
    rng = builder.rng
    name = rng.choice((*["ad_impression"] * 6, "ad_served", "open", "open", "ad_click", "purchase", "level_up "))
    instant = builder.instant()
    partners = builder.settings["partners"]
    event = {column: rng.choice(VALUES.get(column, (None,))) for column in COLUMNS["events"]}
    return event | {
        "event_id": rng.choice((event_id, event_id, f" {event_id} ")),
        "event_name": name,
        "event_time": builder.written(instant),
        "partner": rng.choice((*partners, *partners, " acme ", "Nobody", None)),
        "is_automated": rng.choice((None, None, "true", "false", "TRUE", "1", "0")),
        "revenue": rng.choice(ESTIMATES) if name == "ad_impression" else rng.choice(AMOUNTS),
        "currency": builder.currency(builder.day_of(instant)),
        "properties": rng.choice((None, None, '{"a": 1}', '{"text": "x, \\"y\\"; z"}', "[1, 2.50]")),
    }


def day_of_event(builder: Builder, event: Texts) -> date:
    return event_day(trimmed("events", event), builder.rules)


def folder_of(builder: Builder, event: Texts) -> date:
    """A folder of the event's arrival window: mostly that of its own day, else any, the last ones included."""
    day = day_of_event(builder, event)
    late = builder.settings["events"]["late_arrival_days"]
    return day if builder.is_so(60) else day + ONE_DAY * builder.rng.randint(-1, 1 + late)


def _repeat(builder: Builder, folder: date, event: Texts) -> tuple[date, Texts]:
    """The same id once more: word for word, a little later or earlier, a day later, or with other values."""
    rng = builder.rng
    instant = to_instant(str(event["event_time"]).strip())
    moved = rng.choice((0, 0, 1, -60, 86400))
    again = event | {"event_time": builder.written(instant + timedelta(seconds=moved))}
    if builder.is_so(50):
        again |= {column: rng.choice(VALUES[column]) for column in ("user_id", "ad_unit_id", "country")}
    if builder.is_so(40) and event["event_name"] == "ad_impression":
        again["revenue"] = rng.choice(("0.25", "0.5", None, "2"))
    if again["currency"] and not builder.has_rate(again["currency"], day_of_event(builder, again)):
        again["currency"] = None
    return (folder if builder.is_so(40) and not moved else folder_of(builder, again)), again


def _strayed(builder: Builder, folder: date, event: Texts) -> tuple[date, Texts]:
    """A copy outside its arrival window, by a day or by a year for which nobody keeps exchange rates."""
    strayed = event | {"event_id": f"{event['event_id']}-strayed"}
    if builder.is_so(30):
        return folder, strayed | {"event_time": "2019-01-01T12:00:00Z", "currency": "GBP"}
    away = builder.rng.choice((-2, 2 + builder.settings["events"]["late_arrival_days"]))
    return day_of_event(builder, event) + ONE_DAY * away, strayed


# Partners ---------------------------------------------------------------------------------------------------------


def _add_partner_rows(builder: Builder) -> None:
    seen: dict[str, list[Texts]] = defaultdict(list)
    for _, event in builder.rows["events"]:
        seen[(event["partner"] or "").strip()].append(event)
    for day in builder.days_around:
        for name in builder.settings["partners"] if builder.is_so(85) else ():
            if builder.is_so(80):
                _add_partner_day(builder, name, day, seen[name])
    builder.spoil_some("partner_revenue")


def _add_partner_day(builder: Builder, name: str, day: date, seen: Sequence[Texts]) -> None:
    rng, rules = builder.rng, builder.rules
    large = [rng.choice(LARGE_TOTALS)] if builder.is_so(10) else []  # one a day: keys stay below 10 million
    like = [*rng.sample(seen, min(len(seen), rng.randint(0, 12))), *[{}] * rng.randint(0, 2)]
    for event in like:
        row = {column: event.get(column, rng.choice(VALUES[column])) for column in (*GRAIN, "user_id")}
        row |= {column: theirs for column, theirs in THEIR_IDS.items() if builder.is_so(10)}
        currency = builder.currency(day)
        if currency is None and not builder.has_rate(rules.partner(name).currency, day):
            currency = rules.currency
        row |= {
            "partner": rng.choice((name, name, f" {name}")),
            "report_date": day.isoformat(),
            "revenue": large.pop() if large else rng.choice((*TOTALS, f"{rng.randint(0, 10**12)}e-9")),
            "currency": currency,
            "impressions": rng.choice((None, "0", "1", "17", "9223372036854775807" if not seen else "3")),
            "clicks": rng.choice((None, "0", "2")),
        }
        for _ in range(rng.choice((1, 1, 1, 1, 2))):
            builder.add("partner_revenue", day, row)
