"""Answers as impact.com does: `GET /Mediapartners/<account>/Actions`, a page and the relative address of the next one.

Every value is a text; a time that there is none of is an empty text; an empty page has no list of actions at all.
`…/ActionUpdates`, in the same pages, is the log of what changed a payout: it only grows, and what an action was to pay
at first and the changes since add up to what it pays now.
"""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from revenue_pipeline.simulator.conversions import told
from revenue_pipeline.simulator.counterpart import Answer, Call, Counterpart
from revenue_pipeline.simulator.messages import Conversion, State

ZONE = ZoneInfo("America/Los_Angeles")
WINDOW = timedelta(days=45)
LOCKED_AFTER = timedelta(days=30)
SMALLEST_PAGE, LARGEST_PAGE = 2_000, 20_000
STATES = {"pending": "PENDING", "approved": "APPROVED", "rejected": "REVERSED"}


class Impact:
    """The actions of the offers that are on impact.com, and their updates."""

    name = "impact"
    prefix = "/impact"
    secrets: frozenset[str] = frozenset()

    def credential(self, query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
        """Account and token, as Basic authentication writes them."""
        scheme, _, pair = headers.get("authorization", "").partition(" ")
        return base64.b64decode(pair).decode() if scheme == "Basic" else None

    def refuse_window(self) -> Answer:
        """An error like any other."""
        return _failure(400, f"A range is required, and it may not be longer than {WINDOW.days} days", "StartDate")

    def failure_in_body(self, code: int) -> Answer:
        """The usual error, under a status that hides it."""
        return Answer.json({"Status": "ERROR", "Message": f"Internal error {code}"})

    def answer(self, call: Call) -> Answer:
        """A page of actions or of updates, or why not."""
        account = (self.credential(call.query, call.headers) or "").partition(":")[0]
        if not account:
            return _failure(401, "Access denied")
        resource = call.path.removeprefix(f"/Mediapartners/{account}/")
        if resource not in RECORDS:
            return _failure(404, f"No such resource: {call.path}")
        if limited := call.faults.get("rate_limit_reset"):
            answer = _failure(429, "Too many requests")
            return Answer(429, answer.body, answer.content_type, {"X-RateLimit-Reset": f"{limited.amount(1):g}"})
        size = int(call.query.get("PageSize", LARGEST_PAGE))
        if size < SMALLEST_PAGE:
            return _failure(400, f"The smallest page has {SMALLEST_PAGE} actions", "PageSize")
        found = _filtered(call, RECORDS[resource])
        if found is None:
            return self.refuse_window()
        if cap := call.faults.get("page_cap"):
            size = int(cap.amount(2))
        addressed = [record | {"Uri": f"{call.path}/{record['Id']}"} for record in found]
        return _page(call, resource, addressed[::-1], size)  # the newest first


Record = tuple[dict[str, str], Sequence[datetime]]  # and when it was updated


def _filtered(call: Call, records: Callable[[Conversion], Iterator[Record]]) -> list[dict[str, str]] | None:
    """What the range asked for holds; None where it is none, or too long."""
    names = next((names for names in FILTERS if set(names) <= call.query.keys()), None)
    if names is None:
        return None
    start, end = (_moment(call.query[name]) for name in names)
    if end - start > WINDOW:
        return None
    # What is filtered by something else may have happened long before it.
    earlier = timedelta() if names == EVENT else WINDOW
    return [
        record
        for conversion in told(call, "impact", start - earlier, end + timedelta(seconds=1))
        for record, updated in records(conversion)
        if any(start <= at <= end for at in FILTERS[names](conversion, updated))
    ]


def _noon(state: State) -> datetime:
    """When it began: states know only their day."""
    return datetime.combine(state.since, time(12), ZONE)


def _payout(state: State) -> Decimal:
    """In whole cents, and nothing for what is reversed."""
    return (state.payout if state.status != "rejected" else Decimal(0)).quantize(Decimal("0.01"))


def _locking(conversion: Conversion) -> datetime:
    return datetime.combine((conversion.converted_at + LOCKED_AFTER).astimezone(ZONE).date(), time(), ZONE)


EVENT = ("ActionDateStart", "ActionDateEnd")
FILTERS: Mapping[tuple[str, str], Callable[[Conversion, Sequence[datetime]], Sequence[datetime]]] = {
    EVENT: lambda conversion, _: [conversion.converted_at],
    ("StartDate", "EndDate"): lambda _, updated: updated,
    ("LockingDateStart", "LockingDateEnd"): lambda conversion, _: [_locking(conversion)],
}


def _moment(written: str) -> datetime:
    return datetime.fromisoformat(written.replace("Z", "+00:00"))


def _page(call: Call, resource: str, records: Sequence[Any], size: int) -> Answer:
    number, pages = int(call.query.get("Page", "1")), -(-len(records) // size)
    following = urlencode({**call.query, "Page": number + 1})
    body: dict[str, Any] = {
        "@page": str(number),
        "@numpages": str(pages),
        "@pagesize": str(size),
        "@total": str(len(records)),
        "@uri": call.path,
        "@nextpageuri": f"{call.path}?{following}" if number < pages else "",
    }
    if page := call.page(records, (number - 1) * size, size):
        body[resource] = list(page)
    return Answer.json(body)


def _action(conversion: Conversion) -> Iterator[Record]:
    """The present state; that it was approved is no update to the partner."""
    first, *later = conversion.history
    payout = _payout(conversion.history[-1])
    record = {
        "Id": _id(conversion),
        "CampaignId": "1000",
        "CampaignName": conversion.offer.offer_id,
        "ActionTrackerId": str(conversion.offer.number),
        "State": STATES[conversion.history[-1].status],
        "Payout": f"{payout}",
        "DeltaPayout": f"{payout - _payout(first)}",
        "IntendedPayout": f"{_payout(first)}",
        "Amount": f"{_payout(first) * 20}",
        "ReferringDate": _written(conversion.clicked_at),
        "EventDate": _written(conversion.converted_at),
        "CreationDate": _written(conversion.converted_at),
        "ClearedDate": "",
        **dict.fromkeys(("SharedId", "PromoCode"), ""),
        **_common(conversion),
    }
    yield record, [_noon(first), *(_noon(state) for state in later if state.status != "approved")]


def _updates(conversion: Conversion) -> Iterator[Record]:
    """Each change of what it pays."""
    for number, (before, after) in enumerate(pairwise(conversion.history)):
        if delta := _payout(after) - _payout(before):
            record = {
                "Id": f"{_id(conversion)}.{number}",
                "ActionId": _id(conversion),
                "State": STATES[after.status],
                **dict.fromkeys(("StateDetail", "StateDetailDescription", "Category", "Sku"), ""),
                "DeltaPayout": f"{delta}",
                "DeltaAmount": f"{delta * 20}",
                "Quantity": "1",
                "ActionDate": _written(conversion.converted_at),
                "UpdateDate": _written(_noon(after)),
                "ClearingDate": "",
                **_common(conversion),
            }
            yield record, [_noon(after)]


RECORDS = {"Actions": _action, "ActionUpdates": _updates}


def _common(conversion: Conversion) -> dict[str, str]:
    return {
        "Currency": conversion.offer.currency,
        "LockingDate": _written(_locking(conversion)),
        "SubId1": conversion.click_id or "",
        **dict.fromkeys(("SubId2", "SubId3", "Oid"), ""),
    }


def _id(conversion: Conversion) -> str:
    return f"1000.{conversion.offer.number}.{conversion.number}"


def _written(instant: datetime) -> str:
    return instant.astimezone(ZONE).isoformat(timespec="seconds")


def _failure(status: int, text: str, field: str = "") -> Answer:
    errors = [{"Field": field, "Message": text}] if field else []
    return Answer.json({"Status": "ERROR", "Message": text, "Errors": errors}, status)


COUNTERPART: Counterpart = Impact()
