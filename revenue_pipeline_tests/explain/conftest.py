"""A day of which a person can check every number.

One ledger key over two containers; a partner that restates what single users brought; a mailing, contracts, invoices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import dagster as dg
import pytest

from revenue_pipeline.explain import explain_cell
from revenue_pipeline.explain.explanation import Explained, Part
from revenue_pipeline.partitions import Window
from revenue_pipeline.run import run_graph
from revenue_pipeline.settings import Settings
from revenue_pipeline_tests.conftest import ACME, Land, impression, land_csv_in, settings_in

DAY = date(2026, 11, 5)

Explain = Callable[..., dict[str, Explained]]

OTHER = {"connector": "files", "granularity": "user_level", "grain": [], "currency": "EUR"}


@pytest.fixture(scope="module")
def commands() -> dict[str, str]:
    """Report -> the command that the run shows for one of its rows; filled by `settings`."""
    return {}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, commands: dict[str, str]) -> Settings:
    """Run once for all tests of a module, which leave it as it is."""
    folder = tmp_path_factory.mktemp("explained")
    land_csv = partial(land_csv_in, folder)
    settings = settings_in(folder, partners={"acme": ACME, "other": OTHER}, mpp_discount={"default": "0.5"})
    day = DAY.isoformat()
    news = {"container_id": "news", "ad_unit_id": "top"}
    shop = {"partner": "other", "app_id": "shop"}
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
        {**impression("sold-1", day, user_id="dan", revenue="0.2"), **shop},
        {**impression("sold-2", day, user_id="dan"), **shop},
        {**impression("sold-3", day, user_id="eve", revenue="0.1"), **shop},
        {**impression("sold-4", day, revenue="0.1"), **shop},
    ])  # fmt: skip
    land_csv("costs", day, [
        {"cost_date": day, "channel": "search", "app_id": "game", "cost": cost, "currency": "USD"}
        for cost in ("1.5", "2")
    ])  # fmt: skip
    land_csv("fx_rates", day, [{"rate_date": day, "currency": "EUR", "rate": "1.25"}])
    acme = [
        {"partner": "acme", "report_date": day, "revenue": "0.5", "app_id": "game"},
        {"partner": "acme", "report_date": day, "revenue": "0.3", "app_id": "game"},
        {"partner": "acme", "report_date": day, "revenue": "7", "app_id": "another game"},
    ]
    _land_messages(land_csv, day)
    _land_contracts_and_invoices(land_csv, day)

    other = {"partner": "other", "report_date": day}
    land_csv("partner_revenue", day, [
        *acme,
        {**other, "user_id": "dan", "revenue": "0.4"},
        {**other, "user_id": "fay", "revenue": "1"},
        {**other, "user_id": "gil", "revenue": "2"},
    ])  # fmt: skip
    selection = 'key:"raw/partner_revenue/other"'
    assert run_graph(settings, Window.of_day(DAY), as_of=DAY, selection=selection).failures == []
    # dan is restated, fay taken back, gil as before, hal new.
    land_csv("partner_revenue", day, [
        *acme,
        {**other, "user_id": "dan", "revenue": "0.48"},
        {**other, "user_id": "gil", "revenue": "2"},
        {**other, "user_id": "hal", "revenue": "0.04"},
    ])  # fmt: skip

    def remember_command(event: dg.DagsterEvent) -> None:
        if event.is_step_materialization and "explain" in event.materialization.metadata:
            command = event.materialization.metadata["explain"].value
            commands[event.materialization.asset_key.to_user_string()] = str(command)

    outcome = run_graph(settings, Window.of_day(DAY), as_of=DAY, on_event=remember_command)
    assert outcome.failures == []
    return settings


def _land_messages(land_csv: Land, day: str) -> None:
    sent = {"sent_at": f"{day}T08:00:00Z", "offer_id": "sofa", "custom": '{"state": "TX", "from": "web, or not"}'}
    land_csv("message_sends", day, [
        {**sent, "message_id": "m1", "contact_id": "ann", "segments": 2},
        {**sent, "message_id": "m2", "contact_id": "bob", "segments": 1},
    ])  # fmt: skip
    land_csv("link_clicks", day, [{"click_id": "c1", "message_id": "m1", "clicked_at": f"{day}T09:00:00Z"}])
    land_csv("conversions", day, [
        {"partner": "tune", "conversion_id": "v1", "click_id": "c1", "payout": "24", "currency": "EUR",
         "converted_at": f"{day}T10:00:00Z", "status": "approved"},
    ])  # fmt: skip


def _land_contracts_and_invoices(land_csv: Land, day: str) -> None:
    line_item = {"currency": "EUR", "start_date": day}
    land_csv("line_items", day, [
        {**line_item, "line_item_id": "L", "rate_type": "CPM", "net_rate": "8", "gross_rate": "9.6",
         "contracted_volume": 1000},
        {**line_item, "line_item_id": "M", "rate_type": "CPC", "net_rate": "0.5", "contracted_volume": 100},
    ])  # fmt: skip
    delivered = {"delivery_date": day, "line_item_id": "L", "ad_unit_id": "A"}
    land_csv("line_item_delivery", day, [
        {**delivered, "impressions": 500, "clicks": 5},
        {**delivered, "impressions": 100},
        {**delivered, "impressions": 400, "custom_criteria": "section=sport,level=2"},
    ])  # fmt: skip
    period = {"partner": "acme", "period_start": "2026-11-01", "period_end": day}
    land_csv("invoices", day, [
        {**period, "invoice_id": "i-1", "amount": "4", "currency": "EUR"},
        {**period, "invoice_id": "i-2", "amount": "3", "currency": "USD"},
    ])  # fmt: skip


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
