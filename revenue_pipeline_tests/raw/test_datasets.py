"""The declared columns are the contract's table, section 2.1, written out here once more by hand."""

from __future__ import annotations

import pytest

from revenue_pipeline.raw.datasets import COSTS, EVENTS, LANDED, PARTNER_REVENUE_FILES, REJECTED_ROWS, Dataset

CONTRACT = {
    "events": (
        "event_id* event_name* event_time* user_id app_id platform country channel campaign_id partner ad_format "
        "ad_unit_id container_id creative_id is_automated revenue currency properties"
    ),
    "costs": "cost_date* channel* campaign_id app_id platform country cost* currency* impressions clicks installs",
    "partner_revenue": (
        "partner* report_date* revenue* currency app_id platform country ad_format ad_unit_id user_id "
        "impressions clicks"
    ),
    "fx_rates": "rate_date* currency* rate*",
    "message_sends": (
        "message_id* sent_at* contact_id* creative_id offer_id campaign_id sending_list segments* custom"
    ),
    "link_clicks": "click_id* message_id* clicked_at*",
    "manual_revenue": "click_id* amount* date* currency",
    "conversions": ("partner* conversion_id* click_id offer_id payout* currency* converted_at* status updated_at"),
    "line_items": (
        "line_item_id* proposal_id proposal_status rate_type* net_rate* gross_rate currency* contracted_volume* "
        "start_date* end_date"
    ),
    "line_item_delivery": "delivery_date* line_item_id* ad_unit_id* custom_criteria impressions* clicks",
    "invoices": "invoice_id* partner* period_start* period_end* amount* currency*",
}
DAYS = {
    "events": "event_date",
    "costs": "cost_date",
    "partner_revenue": "report_date",
    "fx_rates": "rate_date",
    "message_sends": "send_date",
    "link_clicks": "click_date",
    "manual_revenue": "date",
    "conversions": "report_date",
    "line_items": "folder_date",
    "line_item_delivery": "delivery_date",
    "invoices": "folder_date",
}
DATASETS = (*LANDED, PARTNER_REVENUE_FILES)


def columns(dataset: Dataset) -> dict[str, str]:
    """The columns of a raw table and their types."""
    return {column.name: column.type for column in dataset.table.columns}


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_the_fields_are_the_contracts_with_a_star_where_required(dataset: Dataset) -> None:
    declared = [f"{field.name}*" if field.required else field.name for field in dataset.fields]

    assert sorted(declared) == sorted(CONTRACT[dataset.name].split())


def test_every_dataset_of_the_contract_is_there() -> None:
    assert {dataset.name for dataset in DATASETS} == set(CONTRACT)


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_the_partitions_day_is_a_date_of_the_row(dataset: Dataset) -> None:
    assert dataset.table.day_column == DAYS[dataset.name]
    assert columns(dataset)[DAYS[dataset.name]] == "DATE"


def test_money_is_exact_with_nine_digits_and_never_a_float() -> None:
    assert columns(EVENTS)["revenue"] == "DECIMAL(18,9)"
    assert columns(COSTS)["cost"] == "DECIMAL(38,9)"
    assert columns(PARTNER_REVENUE_FILES)["revenue"] == "DECIMAL(38,9)"
    types = {kind for dataset in DATASETS for kind in columns(dataset).values()}
    assert not types & {"DOUBLE", "FLOAT", "HUGEINT"}


def test_ids_are_text() -> None:
    ids = {name: kind for dataset in DATASETS for name, kind in columns(dataset).items() if name.endswith("_id")}

    assert set(ids.values()) == {"VARCHAR"}


def test_what_was_landed_is_kept_beside_its_converted_amount() -> None:
    assert {"revenue", "currency", "reporting_revenue"} <= set(columns(EVENTS))
    assert {"cost", "currency", "reporting_cost"} <= set(columns(COSTS))


def test_rejected_rows_have_the_contracts_columns() -> None:
    names = [column.name for column in REJECTED_ROWS.columns]

    assert names[:5] == ["dataset", "folder_date", "file", "reason", "row"]


def test_every_column_has_a_meaning() -> None:
    assert [
        (dataset.name, column.name) for dataset in DATASETS for column in dataset.table.columns if not column.meaning
    ] == []


def test_partner_files_are_read_by_their_partners_and_no_asset_of_their_own() -> None:
    assert PARTNER_REVENUE_FILES not in LANDED
