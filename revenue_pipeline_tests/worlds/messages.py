"""Messages, the clicks on their links, and the conversions that partners and people book on those clicks."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from revenue_pipeline_tests.reference.landing import Texts
from revenue_pipeline_tests.reference.rules import Rules
from revenue_pipeline_tests.reference.values import ONE_DAY
from revenue_pipeline_tests.worlds.builder import Builder

VALUES: Mapping[str, Sequence[str | None]] = {
    "contact_id": ("k1", " k1", "k2", "K2", "007"),
    "creative_id": (None, "flash", "flash ", "calm"),
    "offer_id": (None, "sale", "sale", "flash-sale", "30"),
    "campaign_id": (None, "weekend", "1e5"),
    "sending_list": (None, "all", "vip"),
    "custom": (None, '{"state": "NY"}', '{"state":"NY"}', '{"state": "ny", "source": "web"}', '{"n": 1.50}', "{}"),
}
WINDOWS = ("1h", "24h", "24h", "2d", "7d", "30d")
PAYOUTS = ("0", "24.99", "24.99", "12", "-3.5", "0.000000001", "1e1", "333.333333333")
STATUSES = (
    *(None, None, None, "approved", "approved", "Approved ", "pending", "pending", "PENDING", "hold", ""),
    *("rejected", "Reversed", "invalid", "declined"),
)
PARTNERS = ("tune", "Everflow", "tune ")
NEAR = (timedelta(), timedelta(), timedelta(microseconds=1), timedelta(microseconds=-1), timedelta(minutes=40))


def add(builder: Builder) -> None:
    builder.begin("messages")
    rng, days = builder.rng, len(builder.days_around)
    builder.settings |= {
        "messages": {"cost_per_segment": rng.choice(("0", "0.01", "0.0075", "0.123456789"))},
        "attribution": {
            "default_window": rng.choice(WINDOWS),
            "offers": rng.choice(({}, {"sale": rng.choice(WINDOWS)}, {"sale": "24h", "flash-sale": "1h", "x": "30d"})),
        },
    }
    for number in range(rng.randint(days, 4 * days)):
        _add_send(builder, f"m{number}", builder.instant())
    for number in range(rng.randint(days, 6 * days)):
        _add_click(builder, f"c{number}")
    for number in range(rng.randint(days, 6 * days)):
        _add_conversion(builder, f"v{number}")
    for _ in range(rng.randint(0, 2 * days)):
        _add_manual(builder)
    for dataset in ("message_sends", "link_clicks", "conversions", "manual_revenue"):
        builder.spoil_some(dataset)


def _inside(builder: Builder, instant: datetime) -> bool:
    return builder.day_of(instant) in builder.days_around


def _add_send(builder: Builder, message_id: str, sent_at: datetime) -> None:
    """A message, now and then told twice: in one folder with other values, or as sent on another day."""
    rng = builder.rng
    row: Texts = {column: rng.choice(values) for column, values in VALUES.items()}
    row |= {
        "message_id": rng.choice((message_id, f" {message_id}")),
        "sent_at": builder.written(sent_at),
        "segments": rng.choice(("1", "1", "2", "0", "3000000000")),
    }
    builder.add("message_sends", builder.day_of(sent_at), row)
    if builder.is_so(15):
        _add_send(builder, message_id, rng.choice((sent_at, builder.instant())))


def _add_click(builder: Builder, click_id: str) -> None:
    rng = builder.rng
    _, message = rng.choice(builder.rows["message_sends"])
    clicked_at = builder.instant()
    for _ in range(rng.choice((1, 1, 1, 1, 2))):
        row: Texts = {
            "click_id": click_id,
            "message_id": rng.choice((*[message["message_id"]] * 5, "m-unknown")),
            "clicked_at": builder.written(clicked_at),
        }
        builder.add("link_clicks", builder.day_of(clicked_at), row)
        clicked_at = rng.choice((clicked_at, builder.instant()))


def _clicked(builder: Builder) -> tuple[str, datetime, Rules]:
    """A click that somebody made, and when."""
    _, click = builder.rng.choice(builder.rows["link_clicks"])
    instant = builder.read(str(click["clicked_at"]))
    return str(click["click_id"]), instant, builder.rules


def _add_conversion(builder: Builder, conversion_id: str) -> None:
    """A conversion near one end of some window, or anywhere; now and then in several states."""
    rng = builder.rng
    click_id, clicked_at, rules = _clicked(builder)
    window = rules.attribution_window(rng.choice(("sale", "flash-sale", None)))
    converted_at = clicked_at + rng.choice((timedelta(), window, window, timedelta(hours=5))) + rng.choice(NEAR)
    if not _inside(builder, converted_at):
        converted_at = builder.instant()
    partner, named = rng.choice(PARTNERS), rng.choice((*[click_id] * 6, "c-unknown", None))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        day = builder.day_of(converted_at)
        row: Texts = {
            "partner": partner,
            "conversion_id": conversion_id,
            "click_id": named,
            "offer_id": rng.choice((None, "sale", "flash-sale", "theirs")),
            "payout": rng.choice(PAYOUTS),
            "currency": builder.currency(day, needed=True),
            "converted_at": builder.written(converted_at),
            "status": rng.choice(STATUSES),
            "updated_at": rng.choice((None, builder.written(converted_at), builder.written(builder.instant()))),
        }
        builder.add("conversions", day, row)
        if builder.is_so(30):
            converted_at = builder.instant()


def _add_manual(builder: Builder) -> None:
    """What a person uploads: like a conversion that is there already, or near one end of a window, once or more."""
    rng = builder.rng
    if builder.is_so(40):
        day, like = rng.choice(builder.rows["conversions"])
        row: Texts = {"click_id": like["click_id"] or "c0", "amount": like["payout"], "currency": like["currency"]}
    else:
        click_id, clicked_at, rules = _clicked(builder)
        window = rules.attribution_window(rng.choice(("sale", None)))
        day = builder.day_of(clicked_at + rng.choice((timedelta(), window, -ONE_DAY, window + ONE_DAY)))
        day = _nearest(builder, day)
        row = {"click_id": click_id, "amount": rng.choice(PAYOUTS), "currency": builder.currency(day)}
    row["date"] = day.isoformat()
    builder.add("manual_revenue", day, row)
    if builder.is_so(30):
        builder.add("manual_revenue", day, {**row, "amount": f" {row['amount']}"})


def _nearest(builder: Builder, day: date) -> date:
    return min(max(day, builder.days_around[0]), builder.days_around[-1])
