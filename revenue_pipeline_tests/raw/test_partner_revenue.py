"""Partners without an API: what of their landed files is booked, and how."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from revenue_pipeline.raw.files import LandingError
from revenue_pipeline.raw.imports import Batch, FailedDay
from revenue_pipeline_tests.raw.conftest import DAY, Import, Lake

PARTNER_HEADER = "partner,report_date,revenue,currency,app_id,user_id,impressions"
NEXT = DAY + timedelta(days=1)


def revenue(lake: Lake, partner: str) -> list[tuple[Any, ...]]:
    return lake.ask(
        f"SELECT app_id, revenue FROM raw.partner_revenue WHERE partner = '{partner}' ORDER BY report_date, app_id"
    )


def put_totals(lake: Lake, *rows: str, day: date = DAY, name: str = "totals.csv") -> None:
    lake.put("partner_revenue", name, "".join(f"{line}\n" for line in (PARTNER_HEADER, *rows)), day)


def test_each_partner_gets_its_own_rows_of_a_file(lake: Lake, import_days: Import) -> None:
    lake.put("fx_rates", "a.csv", "rate_date,currency,rate\n2026-10-05,EUR,1.5\n")
    put_totals(
        lake,
        "acme,2026-10-05,2,,game,u1,7",  # in the partner's currency
        "acme,2026-10-05,0.000000001,EUR,game,,",
        "acme,2026-10-05,-3,USD,game,u2,0",
        "other,2026-10-05,100,,,,",  # in the reporting currency
        "unknown,2026-10-05,100,,,,",
    )

    import_days(partner="acme")
    import_days(partner="other")

    assert lake.ask(
        "SELECT user_id, revenue, original_revenue, original_currency, impressions FROM raw.partner_revenue "
        "WHERE partner = 'acme' ORDER BY user_id NULLS FIRST"
    ) == [
        (None, Decimal("0.000000002"), Decimal("0.000000001"), "EUR", None),
        ("u1", Decimal(3), Decimal(2), "EUR", 7),
        ("u2", Decimal(-3), Decimal(-3), "USD", 0),
    ]
    assert revenue(lake, "other") == [(None, Decimal(100))]


def test_a_missing_folder_changes_nothing_and_is_no_import(lake: Lake, import_days: Import) -> None:
    put_totals(lake, "other,2026-10-05,1,,,,")
    import_days(partner="other")
    lake.put("partner_revenue", "totals.csv", "").unlink()

    assert import_days(partner="other") == []

    assert revenue(lake, "other") == [(None, Decimal(1))]
    assert lake.ask("SELECT count(*) FROM raw.partner_imports") == [(1,)]


@pytest.mark.parametrize("rows", [[], ["acme,2026-10-05,1,USD,,,"], ["other,2026-10-06,1,USD,,,"]])
def test_a_folder_without_own_rows_clears_the_day(lake: Lake, import_days: Import, rows: list[str]) -> None:
    put_totals(lake, "other,2026-10-05,1,,,,")
    import_days(partner="other")
    put_totals(lake, *rows)

    import_days(partner="other")

    assert revenue(lake, "other") == []


def test_a_corrupt_file_fails_its_day_only_and_is_named(lake: Lake, import_days: Import) -> None:
    put_totals(lake, "other,2026-10-05,1,,,,")
    put_totals(lake, "other,2026-10-06,2,,,,", day=NEXT)
    import_days(DAY, NEXT, partner="other")
    put_totals(lake, "other,2026-10-05,3,,,,")
    lake.put("partner_revenue", "bad.parquet", "junk", NEXT)

    fine, failed = import_days(DAY, NEXT, partner="other")

    assert isinstance(fine, Batch)
    assert isinstance(failed, FailedDay)
    assert "date=2026-10-06/bad.parquet" in failed.error
    assert revenue(lake, "other") == [(None, Decimal(3)), (None, Decimal(2))]


def test_a_corrupt_file_of_rates_fails_by_name_and_leaves_what_was_there(lake: Lake, import_days: Import) -> None:
    put_totals(lake, "other,2026-10-05,1,,,,")
    import_days(partner="other")
    lake.put("fx_rates", "bad.parquet", "junk")
    put_totals(lake, "other,2026-10-05,2,,,,")

    try:
        (outcome,) = import_days(partner="other")
    except LandingError as error:
        told = str(error)
    else:
        told = outcome.error if isinstance(outcome, FailedDay) else "bad.parquet was not needed"

    assert "bad.parquet" in told


def test_a_total_that_no_column_can_hold_fails_its_day_only(lake: Lake, import_days: Import) -> None:
    lake.put("fx_rates", "a.csv", "rate_date,currency,rate\n2026-10-05,EUR,2\n")
    put_totals(lake, f"other,2026-10-05,{'9' * 29},USD,,,", f"other,2026-10-05,{'9' * 29},USD,,,")
    put_totals(lake, "other,2026-10-06,2,,,,", day=NEXT)

    huge, fine = import_days(DAY, NEXT, partner="other")

    assert isinstance(fine, Batch)
    assert revenue(lake, "other")[-1] == (None, Decimal(2))
    assert isinstance(huge, Batch | FailedDay)


def test_text_that_is_not_ascii_and_ids_that_look_like_numbers_are_kept(lake: Lake, import_days: Import) -> None:
    put_totals(lake, 'other,2026-10-05,1,USD,"é ""x"" \\n 😀",007,', "other,2026-10-05,1,USD,1e5,null,")

    import_days(partner="other")

    assert lake.ask("SELECT app_id, user_id FROM raw.partner_revenue ORDER BY user_id") == [
        ('é "x" \\n 😀', "007"),
        ("1e5", "null"),
    ]


def test_the_order_of_rows_and_files_makes_no_other_batch(lake: Lake, import_days: Import) -> None:
    rows = ["other,2026-10-05,1.50,USD,a,,", "other,2026-10-05,2,USD,b,,"]
    put_totals(lake, *rows)
    import_days(partner="other")
    put_totals(lake, rows[1])
    put_totals(lake, rows[0].replace("1.50", "1.5"), name="another.csv")
    import_days(partner="other")

    assert lake.column("SELECT is_changed FROM raw.partner_imports ORDER BY imported_at") == [True, False]
    assert lake.ask("SELECT count(*) FROM raw.partner_revenue_history") == [(2,)]


def test_writing_one_partner_leaves_the_others_slice_alone(lake: Lake, import_days: Import) -> None:
    put_totals(lake, "other,2026-10-05,1,,,,", "acme,2026-10-05,5,USD,,,")
    import_days(partner="acme")
    import_days(partner="other")
    put_totals(lake)
    import_days(partner="other")

    assert lake.ask("SELECT partner, revenue FROM raw.partner_revenue") == [("acme", Decimal(5))]
    assert lake.column("SELECT table_name FROM pipeline.written_days ORDER BY 1") == [
        "raw.partner_imports",
        "raw.partner_revenue/acme",
        "raw.partner_revenue/other",
    ]
