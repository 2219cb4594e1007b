"""What the affiliate networks have in common: the conversions that one of them tells of today, faults included."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from revenue_pipeline.simulator.counterpart import Call
from revenue_pipeline.simulator.messages import Conversion


class Told(NamedTuple):
    """A conversion as a network tells of it today."""

    conversion: Conversion
    status: str
    payout: Decimal


def told(call: Call, network: str, start: datetime, end: datetime) -> list[Told]:
    """The conversions from `start` to before `end`, in the state of the day of the call, by time."""
    found = list(_known(call, network, start, end))
    if "empty" in call.faults:
        return []
    if "vanished_rows" in call.faults:
        found = found[1 + len(found) // 4 :]
    if restated := call.faults.get("restated"):
        growth = 1 + Decimal(str(restated.amount(3))) / 100
        found = [each._replace(payout=(each.payout * growth).quantize(each.payout)) for each in found]
    return found


def _known(call: Call, network: str, start: datetime, end: datetime) -> Iterator[Told]:
    for conversion in call.world.messages.conversions(network, start, end):
        if state := conversion.state(call.today):
            yield Told(conversion, state.status, state.payout)
