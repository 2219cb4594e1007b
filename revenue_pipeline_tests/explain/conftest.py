"""A day of which a person can check every number: one ledger key over two containers, one restated import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from revenue_pipeline.explain import explain_cell
from revenue_pipeline.explain.explanation import Explained, Part
from revenue_pipeline.partitions import Window
from revenue_pipeline.run import run_graph
from revenue_pipeline.settings import Settings
from revenue_pipeline_tests.conftest import ACME, impression, land_csv_in, settings_in

DAY = date(2026, 11, 5)

Explain = Callable[..., dict[str, Explained]]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Run once for all tests of a module, which leave it as it is."""
    folder = tmp_path_factory.mktemp("explained")
    land_csv = partial(land_csv_in, folder)
    settings = settings_in(folder, partners={"acme": ACME}, mpp_discount={"default": "0.5"})
    day = DAY.isoformat()
    news = {"container_id": "news", "ad_unit_id": "top"}
    land_csv("events", day, [
        impression("seen-1", day, revenue="0.01", user_id="ann", **news),
        impression("seen-2", day, revenue="0.03", user_id="bob", **news),
        impression("seen-3", day, revenue="0.04", user_id="ann", container_id="blog", ad_unit_id="top"),
        {**impression("open-1", day, container_id="news", ad_unit_id=""), "event_name": "open"},
        {**impression("open-2", day, container_id="news", ad_unit_id=""), "event_name": "open", "is_automated": "true"},
        {**impression("click-1", day, **news), "event_name": "ad_click"},
        {**impression("buy-1", day, revenue="4.99", user_id="ann"), "event_name": "purchase"},
        *({**impression(f"install-{user}", day, user_id=user, channel="search"), "event_name": "install"}
          for user in ("ann", "bob", "cleo")),
    ])  # fmt: skip
    land_csv("costs", day, [
        {"cost_date": day, "channel": "search", "app_id": "game", "cost": cost, "currency": "USD"}
        for cost in ("1.5", "2")
    ])  # fmt: skip
    land_csv("partner_revenue", day, [
        {"partner": "acme", "report_date": day, "revenue": "0.5", "app_id": "game"},
        {"partner": "acme", "report_date": day, "revenue": "0.3", "app_id": "game"},
        {"partner": "acme", "report_date": day, "revenue": "7", "app_id": "another game"},
    ])  # fmt: skip
    outcome = run_graph(settings, Window.of_day(DAY), as_of=DAY)
    assert outcome.failures == []
    return settings


@pytest.fixture
def explain(settings: Settings) -> Explain:
    def explained(report: str, key: Mapping[str, str], most: int | None = None) -> dict[str, Explained]:
        return {each.component.title: each for each in explain_cell(settings, report, key, most).components}

    return explained


def sums(part: Part) -> Any:
    """Give a tree as label -> value or label -> tree, and hold each level against the one above on the way."""
    if not part.parts:
        return part.value
    assert sum((each.value for each in part.parts), Decimal(0)) == part.value
    assert sum(each.rows for each in part.parts) == part.rows
    return {each.label: sums(each) for each in part.parts}
