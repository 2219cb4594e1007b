from __future__ import annotations

from revenue_pipeline.raw.slices import slices, writers
from revenue_pipeline_tests.conftest import ACME, MakeSettings


def test_one_table_has_an_asset_for_each_partner_that_fills_it(make_settings: MakeSettings) -> None:
    settings = make_settings(partners={"acme": ACME, "other": ACME})

    assert [key.to_user_string() for key in writers(settings)["raw.partner_revenue"]] == [
        "raw/partner_revenue/acme",
        "raw/partner_revenue/other",
    ]
    assert [each.written for each in slices(settings)["raw.partner_revenue"]] == [
        "raw.partner_revenue/acme",
        "raw.partner_revenue/other",
    ]
    assert [key.to_user_string() for key in writers(settings)["raw.events"]] == ["raw/events"]


def test_a_table_that_nobody_fills_has_no_asset(make_settings: MakeSettings) -> None:
    assert writers(make_settings())["raw.partner_revenue"] == []


def test_landed_rows_are_a_slice_where_partners_write_too(make_settings: MakeSettings) -> None:
    written = {table: [each.written for each in found] for table, found in slices(make_settings()).items()}

    assert written["raw.events"] == ["raw.events"]
    assert written["raw.conversions"] == ["raw.conversions/files"]
    assert written["raw.costs"] == ["raw.costs/files"]
