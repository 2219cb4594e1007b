"""Messages: which conversion goes back to which click and message, and what messages earned and cost."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timezone
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from revenue_pipeline_tests.reference.landing import content, lateness, newest
from revenue_pipeline_tests.reference.rules import Rules
from revenue_pipeline_tests.reference.values import ONE_DAY, Row, money, ratio, total, units

MANUAL = "manual"
REJECTED = ("rejected", "reversed", "invalid", "declined")
DIMENSIONS = ("message_id", "contact_id", "creative_id", "offer_id", "campaign_id", "sending_list", "custom")
COUNTED = ("sends", "segments", "clicks", "conversions")


def latest_states(conversions: Iterable[Row]) -> list[Row]:
    """ "(partner, conversion_id) counts once, in its latest state (`updated_at`, else `converted_at`)." """

    def age(row: Row) -> tuple[Any, ...]:
        return lateness(row), row["report_date"], content("conversions", row)

    states: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in conversions:
        states[row["partner"], row["conversion_id"]].append(row)
    return [max(rows, key=age) for rows in states.values()]


def manual_conversions(manual: Iterable[Row], rules: Rules) -> list[Row]:
    """
    "Identical manual rows count once", whatever folder or file they lie in. "A row without a currency is in the
    reporting currency": it says the same as one that names it.
    """
    found = {(row["click_id"], row["amount"], row["date"], row["currency"] or rules.currency): row for row in manual}
    return list(found.values())


def attributed_conversions(
    conversions: Iterable[Row], manual: Iterable[Row], clicks: Iterable[Row], sends: Iterable[Row], rules: Rules
) -> list[Row]:
    """
    "One row per conversion with click, message, creative, offer, campaign, contact, `revenue` (0 unless attributed),
    `is_pending`, `status`." "Manual rows get `partner = 'manual'`." "A manual row is a `duplicate` when a platform
    conversion, in whatever state, has the same click, day and amount in the reporting currency."
    """
    of_click, of_message = newest("link_clicks", clicks), newest("message_sends", sends)
    rows, seen = [], set()
    for row in latest_states(conversions):
        moment = row["converted_at"], row["converted_at"]
        day, amount = rules.day_of(row["converted_at"]), row["reporting_payout"]
        seen.add((row["click_id"], day, units(amount)))
        named = (row["partner"], row["conversion_id"])
        rows.append((named, day, amount, moment, row["offer_id"], row["status"], row["click_id"]))
    for row in manual_conversions(manual, rules):
        day, amount = row["date"], row["reporting_amount"]
        state = "duplicate" if (row["click_id"], day, units(amount)) in seen else None
        rows.append(((MANUAL, None), day, amount, _whole_day(day, rules), None, state, row["click_id"]))
    found = []
    for named, day, amount, moment, named_offer, state, click_id in rows:
        click = of_click.get(click_id)
        message = of_message.get(click["message_id"]) if click else None
        offer = (message and message["offer_id"]) or named_offer
        status = _status(state, click, message, moment, offer, rules)
        found.append(
            {
                "event_date": day,
                **dict(zip(("partner", "conversion_id"), named, strict=True)),
                "click_id": click_id,
                "message_id": click and click["message_id"],
                **{column: message and message[column] for column in ("creative_id", "campaign_id", "contact_id")},
                "sending_list": message and message["sending_list"],
                "custom": message and message["custom"],
                "offer_id": offer,
                "revenue": amount if status == "attributed" else money(0),
                "reporting_payout": amount,
                "is_pending": state == "pending",
                "status": status,
            }
        )
    return found


def _whole_day(day: date, rules: Rules) -> tuple[datetime, datetime]:
    """ "They happened at some instant of their day": its first instant, and the one at which it is over."""
    zone = ZoneInfo(rules.zone)
    first, over = (datetime.combine(each, time(), zone).astimezone(timezone.utc) for each in (day, day + ONE_DAY))
    return first, over


def _status(
    state: str | None,
    click: Row | None,
    message: Row | None,
    moment: tuple[datetime, datetime],
    offer: str | None,
    rules: Rules,
) -> str:
    """
    "The first that applies of `rejected` (rejected, reversed, invalid, declined at the partner), `duplicate`,
    `unknown_click`, `unknown_message`, `before_click`, `outside_window`, `attributed`." "Inside the window when
    `0 <= converted_at - clicked_at <= window(offer)`": for a manual row "if any instant fits".
    """
    if state in REJECTED:
        return "rejected"
    if state == "duplicate":
        return "duplicate"
    if click is None:
        return "unknown_click"
    if message is None:
        return "unknown_message"
    first, over = moment
    clicked_at = click["clicked_at"]
    if (over <= clicked_at) if over > first else (first < clicked_at):
        return "before_click"
    return "outside_window" if first - clicked_at > rules.attribution_window(offer) else "attributed"


# What messages earned -------------------------------------------------------------------------------------------------


def activity(sends: Iterable[Row], clicks: Iterable[Row], attributed: Iterable[Row]) -> list[Row]:
    """
    "Everything is booked on its own day: sends and cost on the sent day, clicks on the click day, conversions and
    revenue on the conversion day." A click of a message that nobody sent is one of that message, of which no more is
    known.
    """
    of_message = newest("message_sends", sends)
    rows = []
    for message in of_message.values():
        of_it = {column: message[column] for column in DIMENSIONS}
        rows.append({**of_it, "event_date": message["send_date"], "sends": 1, "segments": message["segments"]})
    for click in newest("link_clicks", clicks).values():
        message = of_message.get(click["message_id"], {})
        of_it = {column: message.get(column) for column in DIMENSIONS} | {"message_id": click["message_id"]}
        rows.append({**of_it, "event_date": click["click_date"], "clicks": 1})
    for each in attributed:
        if each["status"] == "attributed":
            of_it = {column: each[column] for column in DIMENSIONS}
            rows.append(
                {**of_it, "event_date": each["event_date"], "conversions": 1, "revenue": each["revenue"]},
            )
    return rows


def performance(rows: Iterable[Row], dimensions: Sequence[str], rules: Rules) -> list[Row]:
    """
    "Each keyed by `event_date` and its ids and additive over days, each with `sends, segments, clicks, conversions,
    revenue, cost = segments x cost_per_segment, revenue_per_send, epc = revenue/clicks, conversion_rate =
    conversions/clicks, roas = revenue/cost, roi = (revenue-cost)/cost`."
    """
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        key = (row["event_date"], *_key(row, dimensions))
        groups[key].append(row)
    names = ("event_date", *dimensions)
    return [dict(zip(names, key, strict=True)) | measures(those, rules) for key, those in groups.items()]


def _key(row: Row, dimensions: Sequence[str]) -> list[Any]:
    """Custom dimensions are the same when they say the same, in whatever order."""
    values = {column: row[column] for column in dimensions}
    if values.get("custom") is not None:
        values["custom"] = json.dumps(json.loads(values["custom"]), sort_keys=True)
    return list(values.values())


def measures(rows: Sequence[Row], rules: Rules) -> Row:
    counts = {column: sum(row.get(column, 0) for row in rows) for column in COUNTED}
    revenue = total(row["revenue"] for row in rows if "revenue" in row)
    cost = money(units(Fraction(counts["segments"]) * rules.cost_per_segment))
    return {
        **counts,
        "revenue": revenue,
        "cost": cost,
        "revenue_per_send": ratio(revenue, counts["sends"]),
        "epc": ratio(revenue, counts["clicks"]),
        "conversion_rate": ratio(counts["conversions"], counts["clicks"]),
        "roas": ratio(revenue, cost),
        "roi": ratio(revenue - cost, cost),
    }


REPORTS: Mapping[str, Sequence[str]] = {
    "reports.message_performance": ("message_id",),
    "reports.creative_performance": ("creative_id",),
    "reports.offer_performance": ("offer_id",),
    "reports.campaign_performance": ("campaign_id",),
    "reports.contact_value": ("contact_id",),
    "reports.performance": ("creative_id", "offer_id", "campaign_id", "sending_list", "custom"),
}
"""What each report is keyed by, beside the day."""
