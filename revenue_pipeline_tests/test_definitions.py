from __future__ import annotations

import dagster as dg
import pytest

from revenue_pipeline.definitions import build_defs
from revenue_pipeline.settings import SettingsError
from revenue_pipeline_tests.conftest import ACME, MakeSettings

ASSETS = {
    "raw/events",
    "raw/fx_rates",
    "raw/costs",
    "raw/message_sends",
    "raw/link_clicks",
    "raw/manual_revenue",
    "raw/conversions",
    "raw/line_items",
    "raw/line_item_delivery",
    "raw/invoices",
    "raw/partner_revenue/acme",
    "raw/rejected_rows",
    "core/reconciled_estimates",
    "core/allocated_revenue",
    "core/revenue_conservation",
    "core/engagement_daily",
    "core/user_revenue_daily",
    "core/cohort_members",
    "core/cohort_daily",
    "core/message_clicks",
    "core/repeated_conversions",
    "core/attributed_conversions",
    "core/message_activity_daily",
    "reports/contracted_revenue",
    "reports/invoice_reconciliation",
    "reports/estimate_discrepancy",
    "reports/restatements",
    "reports/rpm",
    "reports/ctr",
    "reports/revenue",
    "reports/roas",
    "reports/arpu",
    "reports/arppu",
    "reports/ltv",
    "reports/message_performance",
    "reports/creative_performance",
    "reports/offer_performance",
    "reports/campaign_performance",
    "reports/contact_value",
    "reports/performance",
    "published/reports",
    "published/page",
}
WITHOUT_DAYS = {"published/page"}
"""There is one page, and its pictures would be stored again for each day of a run."""


@pytest.fixture
def definitions(make_settings: MakeSettings) -> dg.Definitions:
    return build_defs(make_settings(partners={"acme": ACME}))


def test_the_assets_are_the_tables(definitions: dg.Definitions) -> None:
    keys = {key.to_user_string() for key in definitions.resolve_asset_graph().get_all_asset_keys()}
    assert keys == ASSETS


def test_everything_is_loadable(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_every_asset_is_partitioned_by_day_and_backfilled_in_one_run(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        if key.to_user_string() not in WITHOUT_DAYS:
            assert isinstance(node.partitions_def, dg.DailyPartitionsDefinition), key
            assert node.backfill_policy == dg.BackfillPolicy.single_run(), key
        assert node.group_name == key.path[0] or key.path[0] == "published"
        assert node.description
        assert node.owners
        assert node.kinds


def test_a_failed_certificate_stops_what_is_downstream(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    key = dg.AssetCheckKey(dg.AssetKey(["core", "revenue_conservation"]), "revenue_is_conserved")
    assert graph.get_check_spec(key).blocking
    assert (
        dg.AssetKey(["core", "revenue_conservation"])
        in graph.get(dg.AssetKey(["core", "engagement_daily"])).parent_keys
    )


def test_a_failed_import_does_not(definitions: dg.Definitions) -> None:
    key = dg.AssetCheckKey(dg.AssetKey(["raw", "partner_revenue", "acme"]), "import_succeeded")
    assert not definitions.resolve_asset_graph().get_check_spec(key).blocking


def test_steps_run_in_one_process(definitions: dg.Definitions) -> None:
    assert definitions.resolve_job_def("revenue").executor_def.name == "in_process"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"connector": "applovin"}, "partners.acme.connector: 'applovin' is unknown; there are files, "),
        ({"connector": "applovin_max"}, "partners.acme: acme: credential api_key is empty"),
    ],
)
def test_a_partner_that_cannot_work_is_one_line_that_names_it(
    make_settings: MakeSettings, change: dict[str, str], key: str
) -> None:
    with pytest.raises(SettingsError, match=key):
        build_defs(make_settings(partners={"acme": {**ACME, **change}}))


def test_a_partner_may_have_a_dash_or_a_dot_in_its_name(make_settings: MakeSettings) -> None:
    definitions = build_defs(make_settings(partners={"acme-eu.1": ACME}))
    assert (
        dg.AssetKey(["raw", "partner_revenue", "acme-eu.1"]) in definitions.resolve_asset_graph().get_all_asset_keys()
    )


def test_a_resource_can_be_replaced(make_settings: MakeSettings) -> None:
    replaced = object()
    definitions = build_defs(make_settings(), resources={"warehouse": replaced})
    assert definitions.resources is not None
    assert definitions.resources["warehouse"] is replaced
