from __future__ import annotations

import io
import json
from dataclasses import replace
from decimal import Decimal

from rich.console import Console

from revenue_pipeline.explain.explanation import Component, Explained, ExplainedCell, Part
from revenue_pipeline.explain.rendering import as_json, as_tree

IMPRESSIONS = [
    Part("seen-2", Decimal("0.300000000"), 1, {"allocation": "estimate_weighted", "estimate": Decimal("3E-9")}),
    Part("seen-1", Decimal("0.100000000"), 1, {"user_id": "[ann]"}),
]
GAME = Part("acme [game]", Decimal("0.400000000"), 2, {}, IMPRESSIONS)
REVENUE = Explained(
    Component("revenue", "revenue", column="revenue"),
    ["ledger_key", "event"],
    Part("revenue", Decimal("0.400000000"), 2, {}, [GAME]),
    Decimal("0.400000000"),
)
CELL = ExplainedCell("reports.rpm: event_date=2026-11-05", "rpm = revenue / adjusted_opens * 1000", [REVENUE])


def written(cell: ExplainedCell) -> str:
    text = io.StringIO()
    Console(width=200, file=text).print(as_tree(cell))
    return text.getvalue()


def test_as_text_every_number_stands_in_full() -> None:
    lines = [line.strip("│├└─ ") for line in written(CELL).splitlines()]

    assert [line.rstrip() for line in lines] == [
        "reports.rpm: event_date=2026-11-05",
        "rpm = revenue / adjusted_opens * 1000",
        "revenue 0.4  ledger key > event",
        "acme [game]  0.4",
        "seen-2  0.3  allocation=estimate_weighted, estimate=0.000000003",
        "seen-1  0.1  user_id=[ann]",
    ]


def test_as_text_a_cell_that_its_parts_do_not_sum_to_is_told() -> None:
    stale = replace(CELL, components=[replace(REVENUE, reported=Decimal("0.5"))])

    assert "revenue 0.4  but the report says 0.5" in written(stale)


def test_as_json_money_is_text() -> None:
    document = json.loads(json.dumps(as_json(CELL)))

    (revenue,) = document["components"]
    assert document["cell"] == "reports.rpm: event_date=2026-11-05"
    assert (revenue["column"], revenue["value"], revenue["reported"], revenue["is_exact"]) == (
        "revenue",
        "0.400000000",
        "0.400000000",
        True,
    )
    assert revenue["levels"] == ["ledger_key", "event"]
    assert revenue["parts"][0]["parts"][0] == {
        "label": "seen-2",
        "value": "0.300000000",
        "rows": 1,
        "facts": {"allocation": "estimate_weighted", "estimate": "0.000000003"},
        "parts": [],
    }
