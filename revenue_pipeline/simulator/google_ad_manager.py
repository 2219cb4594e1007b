"""Answers as the Ad Manager API does over REST: line items, and a delivery report that is run and then fetched.

A report is not finished when it is first asked after. Values of a row are in the order of the definition; an impression
without the custom dimension's key is `(Not applicable)`. Any network number is ours; its days are UTC.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone
from threading import Lock
from typing import Any
from zlib import crc32

from revenue_pipeline.simulator.counterpart import Answer, Call, Counterpart
from revenue_pipeline.simulator.google_oauth import TOKEN_PATH, grant, refusal_of, status
from revenue_pipeline.simulator.line_items import Delivery, LineItem, delivery, line_items

NO_VALUE = "(Not applicable)"
PAGE_SIZE = 50
SECTION_KEY = "14000001"  # the id of the key `section`


class GoogleAdManager:
    """What is booked with us directly, and its delivery."""

    name = "google_ad_manager"
    prefix = "/google_ad_manager"
    secrets: frozenset[str] = frozenset()

    def __init__(self) -> None:
        """No report has been defined yet."""
        self._definitions: dict[str, dict[str, Any]] = {}  # by report id
        self._asked_after: Counter[str] = Counter()  # by run
        self._lock = Lock()

    def credential(self, query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
        """The access token is a header."""
        return headers.get("authorization", "").removeprefix("Bearer ") or None

    def refuse_window(self) -> Answer:
        """A range of dates it does not report."""
        return status(400, "INVALID_ARGUMENT", "The date range is not supported")

    def failure_in_body(self, code: int) -> Answer:
        """A run that has ended in an error."""
        return Answer.json({"done": True, "error": {"code": code, "message": "The report could not be computed"}})

    def answer(self, call: Call) -> Answer:
        """A token, the network, its line items, or one of the steps to a report."""
        if call.path == TOKEN_PATH:
            return grant(call)
        if refusal := refusal_of(call):
            return refusal
        for pattern, step in (
            (r"/v1/(networks/\d+)", self._network),
            (r"/v1/networks/\d+/lineItems", self._line_items),
            (r"/v1/(networks/\d+)/reports", self._create),
            (r"/v1/(networks/\d+)/reports/(\d+):run", self._run),
            (r"/v1/(networks/\d+)/operations/reports/runs/(\d+)-(\d+)", self._operation),
            (r"/v1/networks/\d+/reports/(\d+)/results/\d+:fetchRows", self._rows),
        ):
            if found := re.fullmatch(pattern, call.path):
                return step(call, *found.groups())
        return status(404, "NOT_FOUND", f"Method not found: {call.path}")

    def _network(self, call: Call, network: str) -> Answer:
        return Answer.json({"name": network, "timeZone": "Etc/UTC", "currencyCode": "USD"})

    def _line_items(self, call: Call) -> Answer:
        types = set(re.findall(r'lineItemType = "(\w+)"', call.query.get("filter", "")))
        items = [_line_item(item) for item in line_items(call.world)]
        return _page(call, "lineItems", [item for item in items if not types or item["lineItemType"] in types])

    def _create(self, call: Call, network: str) -> Answer:
        definition = json.loads(call.body)["reportDefinition"]
        report_id = str(crc32(json.dumps(definition).encode()))
        with self._lock:
            self._definitions[report_id] = definition
        return Answer.json({"name": f"{network}/reports/{report_id}", "reportId": report_id})

    def _run(self, call: Call, network: str, report_id: str) -> Answer:
        with self._lock:
            self._asked_after["runs"] += 1
            number = self._asked_after["runs"]
        return Answer.json({"name": f"{network}/operations/reports/runs/{report_id}-{number}", "done": False})

    def _operation(self, call: Call, network: str, report_id: str, number: str) -> Answer:
        with self._lock:
            self._asked_after[number] += 1
            is_done = self._asked_after[number] > 1 and "report_pending" not in call.faults
        name = {"name": call.path.removeprefix("/v1/")}
        if not is_done:
            return Answer.json({**name, "metadata": {"percentComplete": 50}})
        if "report_failed" in call.faults:
            return Answer.json({**name, "done": True, "error": {"code": 13, "message": "Internal error encountered."}})
        result = f"{network}/reports/{report_id}/results/{number}"
        return Answer.json({**name, "done": True, "response": {"reportResult": result}})

    def _rows(self, call: Call, report_id: str) -> Answer:
        definition = self._definitions[report_id]
        period = definition["dateRange"]["fixed"]
        start, end = (date(**{part: int(value) for part, value in period[edge].items()}) for edge in period)
        days = [start + timedelta(days=n) for n in range((min(end, call.today) - start).days + 1)]
        delivered = [row for day in days for row in delivery(call.world, day)] if "empty" not in call.faults else []
        if "vanished_rows" in call.faults:
            delivered = delivered[1 + len(delivered) // 4 :]
        totals: dict[tuple[str, ...], Counter[str]] = {}
        for row in delivered:
            key = tuple(_labels(row)[dimension] for dimension in definition["dimensions"])
            counts = {"AD_SERVER_IMPRESSIONS": row.impressions, "AD_SERVER_CLICKS": row.clicks}
            totals.setdefault(key, Counter()).update(counts)
        rows = [
            {
                "dimensionValues": [{"intValue" if text.isdecimal() else "stringValue": text} for text in key],
                "metricValueGroups": [
                    {"primaryValues": [{"intValue": str(counts[metric])} for metric in definition["metrics"]]}
                ],
            }
            for key, counts in totals.items()
        ]
        return _page(call, "rows", rows, "totalRowCount")


def _labels(row: Delivery) -> dict[str, str]:
    return {
        "DATE": f"{row.delivery_date:%Y%m%d}",
        "LINE_ITEM_ID": row.line_item_id,
        "AD_UNIT_ID": row.ad_unit_id,
        "CUSTOM_DIMENSION_0_VALUE": (row.custom_criteria or f"={NO_VALUE}").partition("=")[2],
    }


def _line_item(item: LineItem) -> dict[str, Any]:
    is_by_day = item.rate_type == "CPD"
    units, nanos = divmod(int(item.net_rate.scaleb(9)), 10**9)
    volume = str(item.contracted_volume)
    return {
        "name": f"networks/1/lineItems/{item.line_item_id}",
        "order": f"networks/1/orders/{item.proposal_id}",
        "startTime": _instant(item.start_date, time()),
        **({"endTime": _instant(item.end_date, time(23, 59))} if item.end_date else {"endTimeUnlimited": True}),
        "lineItemType": "SPONSORSHIP" if is_by_day else "STANDARD",
        "costType": item.rate_type,
        "rate": {"currencyCode": item.currency, "units": str(units), **({"nanos": nanos} if nanos else {})},
        **({} if is_by_day else {"contractedUnitsBought": volume}),
        "goal": {"goalType": "DAILY" if is_by_day else "LIFETIME", "units": "100" if is_by_day else volume},
        "reservationStatus": "RESERVED" if item.proposal_status == "sold" else "UNRESERVED",
    }


def _instant(day: date, moment: time) -> str:
    return datetime.combine(day, moment, timezone.utc).isoformat().replace("+00:00", "Z")


def _page(call: Call, name: str, entries: Sequence[Any], total: str | None = None) -> Answer:
    offset, limit = int(call.query.get("pageToken", "0")), int(call.query.get("pageSize", PAGE_SIZE))
    page = call.page(entries, offset, limit)
    following = offset + len(page)
    return Answer.json(
        {
            **({name: list(page)} if page else {}),  # an empty list is left out, as in all of Google's JSON
            **({total: len(entries)} if total and not offset else {}),
            **({"nextPageToken": str(following)} if following < len(entries) else {}),
        }
    )


COUNTERPART: Counterpart = GoogleAdManager()
