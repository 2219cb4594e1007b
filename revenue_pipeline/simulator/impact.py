"""Answers as impact.com does: `GET /Mediapartners/<account>/Actions`, a page and the relative address of the next one.

Every value is a text; a time that there is none of is an empty text; an empty page has no list of actions at all.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from revenue_pipeline.simulator.conversions import Told, told
from revenue_pipeline.simulator.counterpart import Answer, Call, Counterpart
from revenue_pipeline.simulator.messages import Conversion

ZONE = ZoneInfo("America/Los_Angeles")
WINDOW = timedelta(days=45)
LOCKED_AFTER = timedelta(days=30)
SMALLEST_PAGE, LARGEST_PAGE = 2_000, 20_000
STATES = {"pending": "PENDING", "approved": "APPROVED", "rejected": "REVERSED"}


class Impact:
    """The actions of the offers that are on impact.com."""

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
        """A page of actions, or why not."""
        account = (self.credential(call.query, call.headers) or "").partition(":")[0]
        if not account:
            return _failure(401, "Access denied")
        if call.path != f"/Mediapartners/{account}/Actions":
            return _failure(404, f"No such resource: {call.path}")
        if limited := call.faults.get("rate_limit_reset"):
            answer = _failure(429, "Too many requests")
            return Answer(429, answer.body, answer.content_type, {"X-RateLimit-Reset": f"{limited.amount(1):g}"})
        size = int(call.query.get("PageSize", LARGEST_PAGE))
        if size < SMALLEST_PAGE:
            return _failure(400, f"The smallest page has {SMALLEST_PAGE} actions", "PageSize")
        found = _filtered(call)
        if found is None:
            return self.refuse_window()
        if cap := call.faults.get("page_cap"):
            size = int(cap.amount(2))
        return _page(call, [_action(each, account) for each in reversed(found)], size)  # the newest first


def _filtered(call: Call) -> list[Told] | None:
    """What the range asked for holds; None where it is none, or too long."""
    names = next((names for names in FILTERS if set(names) <= call.query.keys()), None)
    if names is None:
        return None
    start, end = (_moment(call.query[name]) for name in names)
    if end - start > WINDOW:
        return None
    # What is filtered by something else may have happened long before it.
    earlier = timedelta() if names == EVENT else WINDOW
    found = told(call, "impact", start - earlier, end + timedelta(seconds=1))
    return [each for each in found if any(start <= at <= end for at in FILTERS[names](each.conversion, call))]


def _updates(conversion: Conversion, call: Call) -> list[datetime]:
    """At the noon of its day each; that something was approved is no update."""
    first, *later = [state for state in conversion.history if state.since <= call.today]
    updates = [first.since, *(state.since for state in later if state.status != "approved")]
    return [datetime.combine(day, time(12), ZONE) for day in updates]


def _locking(conversion: Conversion) -> datetime:
    return datetime.combine((conversion.converted_at + LOCKED_AFTER).astimezone(ZONE).date(), time(), ZONE)


EVENT = ("ActionDateStart", "ActionDateEnd")
FILTERS: Mapping[tuple[str, str], Callable[[Conversion, Call], Sequence[datetime]]] = {
    EVENT: lambda conversion, _: [conversion.converted_at],
    ("StartDate", "EndDate"): _updates,
    ("LockingDateStart", "LockingDateEnd"): lambda conversion, _: [_locking(conversion)],
}


def _moment(written: str) -> datetime:
    return datetime.fromisoformat(written.replace("Z", "+00:00"))


def _page(call: Call, actions: Sequence[Any], size: int) -> Answer:
    number, pages = int(call.query.get("Page", "1")), -(-len(actions) // size)
    following = urlencode({**call.query, "Page": number + 1})
    body: dict[str, Any] = {
        "@page": str(number),
        "@numpages": str(pages),
        "@pagesize": str(size),
        "@total": str(len(actions)),
        "@uri": call.path,
        "@nextpageuri": f"{call.path}?{following}" if number < pages else "",
    }
    if page := call.page(actions, (number - 1) * size, size):
        body["Actions"] = list(page)
    return Answer.json(body)


def _action(each: Told, account: str) -> dict[str, str]:
    conversion = each.conversion
    identifier = f"1000.{conversion.offer.number}.{conversion.number}"
    first = conversion.history[0].payout
    payout = each.payout if each.status != "rejected" else each.payout * 0
    locked = _locking(conversion)
    return {
        "Id": identifier,
        "CampaignId": "1000",
        "CampaignName": conversion.offer.offer_id,
        "ActionTrackerId": str(conversion.offer.number),
        "State": STATES[each.status],
        "Payout": f"{payout:.2f}",
        "DeltaPayout": f"{payout - first:.2f}",
        "IntendedPayout": f"{first:.2f}",
        "Amount": f"{first * 20:.2f}",
        "Currency": conversion.offer.currency,
        "ReferringDate": conversion.clicked_at.astimezone(ZONE).isoformat(timespec="seconds"),
        "EventDate": conversion.converted_at.astimezone(ZONE).isoformat(timespec="seconds"),
        "CreationDate": conversion.converted_at.astimezone(ZONE).isoformat(timespec="seconds"),
        "LockingDate": locked.isoformat(timespec="seconds"),
        "ClearedDate": "",
        "SubId1": conversion.click_id or "",
        **dict.fromkeys(("SubId2", "SubId3", "SharedId", "PromoCode", "Oid"), ""),
        "Uri": f"/Mediapartners/{account}/Actions/{identifier}",
    }


def _failure(status: int, text: str, field: str = "") -> Answer:
    errors = [{"Field": field, "Message": text}] if field else []
    return Answer.json({"Status": "ERROR", "Message": text, "Errors": errors}, status)


COUNTERPART: Counterpart = Impact()
