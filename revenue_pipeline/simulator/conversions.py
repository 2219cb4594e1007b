"""What the affiliate networks have in common: the conversions that one of them tells of today, faults included."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from revenue_pipeline.simulator.counterpart import Call
from revenue_pipeline.simulator.messages import Conversion, State


def told(call: Call, network: str, start: datetime, end: datetime) -> list[Conversion]:
    """The conversions from `start` to before `end`, by time; `history` ends with what the network says of each today.

    A fault that changes a conversion is one more change of its history, on the day of the call.
    """
    if "empty" in call.faults:
        return []
    conversions = call.world.messages.conversions(network, start, end)
    found = [each._replace(history=states) for each in conversions if (states := _history(each, call))]
    if "pending_untold" in call.faults:
        found = [each for each in found if each.history[-1].status != "pending"]
    if "vanished_rows" in call.faults:
        found = found[1 + len(found) // 4 :]
    return found


def _history(conversion: Conversion, call: Call) -> Sequence[State]:
    """The states so far; none while the network does not know of the conversion."""
    states = [state for state in conversion.history if state.since <= call.today]
    if states and (flips := call.faults.get("status_flipped")):
        states = [states[0]._replace(status="approved")]
        for number in range(int(flips.amount(1))):
            states.append(State(call.today, ("rejected", "approved")[number % 2], states[0].payout))
    if states and (restated := call.faults.get("restated")):
        growth = 1 + Decimal(str(restated.amount(3))) / 100
        payout = (states[-1].payout * growth).quantize(states[-1].payout)
        states.append(State(call.today, states[-1].status, payout))
    return states
