"""Answers as Everflow does: `POST /affiliates/reporting/conversions` and the network's, `GET /meta/timezones`.

Pages are asked for in the query; what the body says of them is ignored, and 50 rows come. Amounts are JSON numbers.
"""

import json
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from revenue_pipeline.simulator.conversions import told
from revenue_pipeline.simulator.counterpart import Answer, Call, Counterpart
from revenue_pipeline.simulator.messages import Conversion

REACH_BACK = timedelta(days=365)
TIMEZONES = {67: "UTC", 80: "America/New_York", 85: "America/Chicago", 90: "America/Los_Angeles", 41: "Europe/Berlin"}
SIDES = {f"/{side}/reporting/conversions": side for side in ("affiliates", "networks")}
DEFAULT_PAGE, LARGEST_PAGE = 50, 2_000


class Everflow:
    """The conversions of the offers that are on Everflow."""

    name = "everflow"
    prefix = "/everflow"
    secrets: frozenset[str] = frozenset()

    def credential(self, query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
        """The key is a header."""
        return headers.get("x-eflow-api-key")

    def refuse_window(self) -> Answer:
        """An error like any other."""
        return _failure(400, f"The date range is limited to the prior {REACH_BACK.days} days")

    def failure_in_body(self, code: int) -> Answer:
        """The partner has errors with their own status only; this is the nearest to one without."""
        return Answer.json({"error": f"Internal error {code}"})

    def answer(self, call: Call) -> Answer:
        """A page of conversions, the time zones, or why not."""
        if not call.headers.get("x-eflow-api-key"):
            return _failure(401, "Missing API key")
        if call.path == "/meta/timezones":
            return Answer.json({"timezones": [{"timezone_id": n, "timezone": name} for n, name in TIMEZONES.items()]})
        if call.path not in SIDES or call.method != "POST":
            return Answer.json({"Error": "Out of realm"}, 403)  # with a capital, unlike the others
        asked = json.loads(call.body)
        if asked.get("timezone_id") not in TIMEZONES:
            return _failure(400, "timezone_id is required")
        zone = ZoneInfo(TIMEZONES[asked["timezone_id"]])
        start, end = _moment(asked["from"], zone, time()), _moment(asked["to"], zone, time(23, 59, 59))
        if start.date() < call.today - REACH_BACK:
            return self.refuse_window()
        found = told(call, self.name, start, end + timedelta(seconds=1)) if asked.get("show_conversions") else []
        number, size = int(call.query.get("page", "1")), int(call.query.get("page_size", DEFAULT_PAGE))
        size = min(size, LARGEST_PAGE)
        if cap := call.faults.get("page_cap"):
            size = min(size, int(cap.amount(2)))
        records = [_record(each, SIDES[call.path], "status_told" in call.faults) for each in found]
        page = call.page(records, (number - 1) * size, size)
        paging = {"page": number, "page_size": size, "total_count": len(records)}
        return Answer.json({"conversions": list(page), "paging": paging})


def _moment(written: str, zone: ZoneInfo, default: time) -> datetime:
    if len(written) == len("2026-01-31"):
        return datetime.combine(date.fromisoformat(written), default, zone)
    return datetime.fromisoformat(written).replace(tzinfo=zone)


def _record(conversion: Conversion, side: str, has_status: bool) -> dict[str, Any]:
    state = conversion.history[-1]
    record: dict[str, Any] = {
        "conversion_id": conversion.conversion_id,
        "conversion_unix_timestamp": int(conversion.converted_at.timestamp()),
        "click_unix_timestamp": int(conversion.clicked_at.timestamp()),
        "transaction_id": f"{conversion.number:032x}",
        "sub1": conversion.click_id or "",
        **dict.fromkeys(("sub2", "sub3", "sub4", "sub5", "source_id", "event", "order_id", "coupon_code"), ""),
        "revenue_type": "CPA",
        "revenue": float(state.payout),  # three digits, which JSON writes as they are
        "is_event": False,
        "is_view_through": False,
        "country": "United States",
        "currency_id": conversion.offer.currency,
        "relationship": {
            "offer": {"network_offer_id": conversion.offer.number, "network_id": 7, "name": conversion.offer.offer_id},
            "events_count": 0,
        },
    }
    if side == "networks":
        record |= {"status": state.status, "payout": float(state.payout), "revenue": float(state.payout * 5 / 4)}
    elif has_status:
        record["conversion_status"] = state.status
    return record


def _failure(status: int, text: str) -> Answer:
    return Answer.json({"error": text}, status)


COUNTERPART: Counterpart = Everflow()
