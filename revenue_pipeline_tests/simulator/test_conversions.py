"""What the affiliate networks tell of one conversion in their several ways is the same conversion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import requests

from revenue_pipeline.simulator import Simulator, World

DAY = date(2026, 10, 5)
FIRST = DAY - timedelta(days=8)


@pytest.fixture(scope="module")
def world() -> World:
    return World(first_day=FIRST, last_day=DAY)


@pytest.fixture
def simulator(world: World) -> Iterator[Simulator]:
    with Simulator(world, today=DAY) as simulator:
        yield simulator


def impact(simulator: Simulator, resource: str) -> list[dict[str, str]]:
    """Whatever has happened in the world, as the network knows it today."""
    asked = {"ActionDateStart": f"{FIRST}T00:00:00Z", "ActionDateEnd": f"{DAY + timedelta(days=9)}T00:00:00Z"}
    address = f"{simulator.url}/impact/Mediapartners/sid/{resource}"
    body = requests.get(address, params=asked, auth=("sid", "token"), timeout=5).json()
    found: list[dict[str, str]] = body.get(resource, [])
    assert body["@total"] == str(len(found))
    return found


@pytest.mark.parametrize("fault", [None, ("status_flipped", 1), ("status_flipped", 2), ("restated", 10)], ids=str)
def test_what_an_action_paid_at_first_and_its_updates_add_up_to_what_it_pays(
    simulator: Simulator, fault: tuple[str, float] | None
) -> None:
    simulator.today = DAY + timedelta(days=20)
    if fault:
        simulator.faults.add(fault[0], value=fault[1])
    changes: dict[str, Decimal] = defaultdict(Decimal)
    for update in impact(simulator, "ActionUpdates"):
        changes[update["ActionId"]] += Decimal(update["DeltaPayout"])

    actions = impact(simulator, "Actions")

    assert changes.keys() <= {action["Id"] for action in actions}
    assert changes
    for action in actions:
        assert Decimal(action["IntendedPayout"]) + changes[action["Id"]] == Decimal(action["Payout"])
        assert changes[action["Id"]] == Decimal(action["DeltaPayout"])


def test_the_log_of_updates_only_grows(simulator: Simulator) -> None:
    logs = []
    for age in (0, 3, 20):
        simulator.today = DAY + timedelta(days=age)
        logs.append(impact(simulator, "ActionUpdates"))
    for earlier, later in pairwise(logs):
        assert [update for update in earlier if update not in later] == []
        assert len({update["Id"] for update in later}) == len(later) > len(earlier) > 0


def everflow(simulator: Simulator, body: dict[str, Any], **query: Any) -> dict[str, Any]:
    asked = {"from": f"{FIRST}", "to": f"{DAY}", "timezone_id": 67, "show_conversions": True, **body}
    headers = {"X-Eflow-API-Key": "key"}
    address = f"{simulator.url}/everflow/affiliates/reporting/conversions"
    answer: dict[str, Any] = requests.post(address, params=query, json=asked, headers=headers, timeout=5).json()
    return answer


def test_everflow_looks_for_pages_in_the_query_alone_and_gives_50_rows_otherwise(simulator: Simulator) -> None:
    everything = everflow(simulator, {}, page=1, page_size=2_000)["conversions"]
    assert len(everything) > 60
    unheard = everflow(simulator, {"page": 2, "page_size": 60, "limit": 60})
    assert unheard["conversions"] == everything[:50]
    assert unheard["paging"] == {"page": 1, "page_size": 50, "total_count": len(everything)}
    assert everflow(simulator, {}, page=2, page_size=60)["conversions"] == everything[60:120]
