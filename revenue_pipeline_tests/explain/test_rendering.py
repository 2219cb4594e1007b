from __future__ import annotations

import io
import json

from rich.console import Console

from revenue_pipeline.explain import explain_cell
from revenue_pipeline.explain.rendering import as_json, as_tree
from revenue_pipeline.settings import Settings
from revenue_pipeline_tests.explain.conftest import DAY

NEWS = {"event_date": DAY.isoformat(), "container_id": "news"}


def test_as_text_every_number_stands_in_full(settings: Settings) -> None:
    written = io.StringIO()
    Console(width=200, file=written).print(as_tree(explain_cell(settings, "rpm", NEWS)))
    text = written.getvalue()

    assert "rpm = revenue / adjusted_opens * 1000" in text
    assert "acme 2026-11-05, verified  0.4" in text
    assert "seen-2  0.3  allocation=estimate_weighted" in text
    assert "landed_revenue=0.030000000" in text


def test_as_json_money_is_text(settings: Settings) -> None:
    document = json.loads(json.dumps(as_json(explain_cell(settings, "rpm", NEWS))))

    revenue = document["components"][0]
    assert document["cell"] == "reports.rpm: event_date=2026-11-05, level=container, container_id=news, ad_unit_id=None"
    assert (revenue["column"], revenue["value"], revenue["reported"], revenue["is_exact"]) == (
        "revenue",
        "0.400000000",
        "0.400000000",
        True,
    )
    assert revenue["levels"] == ["revenue_event", "source", "ledger_key", "event"]
    assert revenue["parts"][0]["parts"][0]["parts"][0]["parts"][1]["label"] == "seen-1"
