from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from revenue_pipeline.raw.conversions import CONVERSIONS
from revenue_pipeline.raw.partner_revenue import REVENUE


def test_a_table_with_a_source_is_sliced_by_it_as_well() -> None:
    assert REVENUE.slice_of("acme") == {"partner": "acme"}
    assert CONVERSIONS.slice_of("acme") == {"source": "api", "partner": "acme"}


def test_a_line_is_written_as_text_to_the_last_digit_and_instants_in_utc() -> None:
    line = {column.name: None for column in CONVERSIONS.table.columns}
    line |= {"payout": Decimal("1E-9"), "converted_at": datetime.fromisoformat("2026-10-05T22:00:00-04:00")}

    whole = CONVERSIONS.whole_line(line, "acme", "id", datetime.fromisoformat("2026-10-06T00:00:00+00:00"))

    assert (whole["payout"], whole["converted_at"]) == ("0.000000001", "2026-10-06T02:00:00")
    assert (whole["partner"], whole["source"], whole["import_id"]) == ("acme", "api", "id")
    assert whole["imported_at"] == "2026-10-06T00:00:00"
    assert whole["status"] is None


@pytest.mark.parametrize(
    ("payout", "large"),
    [("9" * 29 + ".9999999994", None), ("9" * 29 + ".9999999995", "payout " + "9" * 29 + ".9999999995"), ("-1", None)],
)
def test_an_amount_that_its_column_cannot_hold_is_named(payout: str, large: str | None) -> None:
    assert CONVERSIONS.too_large({"payout": Decimal(payout)}) == large
