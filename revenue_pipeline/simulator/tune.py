"""Answers as TUNE does: `GET /Apiv3/json?Target=…&Method=getConversions`, for an affiliate's key or a network's.

HTTP is 200 whatever happens; `response.status` says how it went. Every value is a text, times are those of the network.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from revenue_pipeline.simulator.conversions import told
from revenue_pipeline.simulator.counterpart import Answer, Call, Counterpart
from revenue_pipeline.simulator.messages import Conversion

ZONE = ZoneInfo("America/New_York")
REACH_BACK = timedelta(days=762)
KEYS = {"Affiliate_Report": "api_key", "Report": "NetworkToken"}
FIELDS = (
    *("Stat.tune_event_id", "Stat.ad_id", "Stat.datetime", "Stat.date", "Stat.offer_id", "Stat.conversion_status"),
    *("Stat.payout", "Stat.revenue", "Stat.currency", "Stat.is_adjustment", "Stat.affiliate_info1"),
    *("Offer.name", "Goal.name", "ConversionMeta.note", "ConversionsMobile.affiliate_click_id"),
)


class Tune:
    """The conversions of the offers that are on TUNE."""

    name = "tune"
    prefix = "/tune"
    secrets = frozenset(KEYS.values())

    def credential(self, query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
        """The key is a query parameter, whose name says whose it is."""
        return query.get("NetworkToken") or query.get("api_key")

    def refuse_window(self) -> Answer:
        """A text in the usual envelope."""
        return _failure([{"publicMessage": f"Data is available for the last {REACH_BACK.days} days only"}])

    def failure_in_body(self, code: int) -> Answer:
        """As a list for a rate limit, as an object for refused credentials, else as a text alone."""
        if code == 429:
            return _failure([{"publicMessage": "API usage exceeded rate limit. Configured: 50/10s window"}])
        if code == 401:
            return _failure({"err_msg": "Token not authenticated"})
        return _failure([], "The system is temporarily unavailable")

    def answer(self, call: Call) -> Answer:
        """A page of conversions, or why not."""
        query, target = call.query, call.query.get("Target", "")
        if call.path != "/Apiv3/json" or query.get("Method") != "getConversions" or target not in KEYS:
            return _failure([{"publicMessage": f"Unknown method {target}::{query.get('Method')}"}])
        key = query.get(KEYS[target])
        if not key or "token_echoed" in call.faults:
            return _failure([{"publicMessage": f"API key {key} is not authenticated"}])
        fields = [value for name, value in call.parameters if name == "fields[]"]
        if unknown := [field for field in fields if field not in FIELDS]:
            return _failure([{"publicMessage": f"Field {unknown[0]} is not a field of this report"}])
        offset = timedelta(hours=int(query.get("hour_offset", "0")))
        first, last = date.fromisoformat(query["data_start"]), date.fromisoformat(query["data_end"])
        if first < call.today - REACH_BACK:
            return self.refuse_window()
        start, end = (
            datetime.combine(day, datetime.min.time(), ZONE) - offset for day in (first, last + timedelta(days=1))
        )
        found = told(call, self.name, start, end)
        if adjusted := call.faults.get("adjusted"):
            percent = Decimal(str(adjusted.amount(-100)))
            found += [_adjustment(each, percent) for each in found if each.history[-1].status == "approved"]
        return _page(call, [_row(each, fields, offset) for each in found])


def _adjustment(conversion: Conversion, percent: Decimal) -> Conversion:
    """A row of the network's own beside a conversion, for a part of what that one pays."""
    state = conversion.history[-1]
    return conversion._replace(
        conversion_id=f"{conversion.conversion_id}-adjustment",
        number=conversion.number + 1 - conversion.is_adjustment,
        is_adjustment=True,
        history=[state._replace(payout=state.payout * percent / 100)],
    )


def _row(conversion: Conversion, fields: Sequence[str], offset: timedelta) -> dict[str, dict[str, str | None]]:
    state = conversion.history[-1]
    local = conversion.converted_at.astimezone(ZONE) + offset
    values: dict[str, str | None] = {
        "Stat.tune_event_id": conversion.conversion_id,
        "Stat.ad_id": str(conversion.number - conversion.is_adjustment),
        "Stat.datetime": f"{local:%Y-%m-%d %H:%M:%S}",
        "Stat.date": f"{local:%Y-%m-%d}",
        "Stat.offer_id": str(conversion.offer.number),
        "Stat.conversion_status": state.status,
        "Stat.payout": f"{state.payout:.5f}",
        "Stat.revenue": f"{state.payout * 5 / 4:.5f}",
        "Stat.currency": conversion.offer.currency,
        "Stat.is_adjustment": str(int(conversion.is_adjustment)),
        "Stat.affiliate_info1": conversion.click_id,
        "Offer.name": conversion.offer.offer_id,
        "Goal.name": "Default",
        "ConversionMeta.note": None,
        "ConversionsMobile.affiliate_click_id": conversion.click_id,
    }
    row: dict[str, dict[str, str | None]] = {}
    for field in fields:
        model, _, name = field.partition(".")
        row.setdefault(model, {})[name] = values[field]
    return row


def _page(call: Call, rows: Sequence[Any]) -> Answer:
    number = int(call.query.get("page", "1"))
    limit = int(call.query.get("limit", "0")) or max(len(rows), 1)
    if cap := call.faults.get("page_cap"):
        limit = min(limit, int(cap.amount(2)))
    page = call.page(rows, (number - 1) * limit, limit)
    data: dict[str, Any] = {"page": str(number), "current": 0, "count": len(rows), "data": list(page)}
    if "rows_by_id" in call.faults:
        data["data"] = {str(limit * (number - 1) + n): row for n, row in enumerate(page)} or []
    pages = -(-len(rows) // limit)
    unsaid = call.faults.get("page_count_unsaid")
    if unsaid is None:
        data["pageCount"] = pages
    elif (way := int(unsaid.amount(0))) < 2:
        data["pageCount"] = (None, "null")[way]
    return _envelope({"status": 1, "httpStatus": 200, "data": data, "errors": [], "errorMessage": None})


def _failure(errors: Any, message: str | None = None) -> Answer:
    return _envelope({"status": -1, "httpStatus": 200, "data": "", "errors": errors, "errorMessage": message})


def _envelope(response: Mapping[str, Any]) -> Answer:
    return Answer.json({"request": {"Format": "json", "Version": "3"}, "response": response})


COUNTERPART: Counterpart = Tune()
