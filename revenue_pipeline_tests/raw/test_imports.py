"""What an import books: batches that replace each other, their history, the log, and days that could not be had."""

from __future__ import annotations

import logging
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline.partners.base import ConversionRow, RevenueRow, content_id
from revenue_pipeline.raw.conversions import CONVERSIONS
from revenue_pipeline.raw.imports import Batch, FailedDay, book, fetch_batches
from revenue_pipeline.raw.partner_revenue import REVENUE
from revenue_pipeline.settings import Settings
from revenue_pipeline.simulator import Simulator, World
from revenue_pipeline_tests.raw.conftest import DAY, KEY, LOG, Import, Lake

NEXT = DAY + timedelta(days=1)


@pytest.fixture(scope="module")
def world() -> World:
    return World(first_day=DAY - timedelta(days=2), last_day=NEXT, scale=0.03)


def revenue(lake: Lake, partner: str = "max") -> list[tuple[Any, ...]]:
    return lake.ask(
        f"SELECT app_id, revenue FROM raw.partner_revenue WHERE partner = '{partner}' ORDER BY report_date, app_id"
    )


def reported(world: World, day: date) -> dict[str, Decimal]:
    """What the world's report says at the end, by the partner's own app ids."""
    package = {"acme_ios": "com.acme.game", "acme_puzzle": "com.acme.puzzle"}
    totals: dict[str, Decimal] = {}
    for row in world.final_report("applovin_max", day):
        app = package[row.app_id or ""]
        totals[app] = totals.get(app, Decimal(0)) + row.revenue
    return totals


# --- partners with an API --------------------------------------------------------------------------------------------


def test_a_day_of_the_api_is_booked_exactly_with_its_log_line(lake: Lake, import_days: Import, world: World) -> None:
    import_days()

    assert dict(revenue(lake)) == reported(world, DAY)
    assert lake.ask(
        "SELECT DISTINCT report_date, partner, original_currency, original_revenue = revenue FROM raw.partner_revenue"
    ) == [(DAY, "max", "USD", True)]
    total = sum(reported(world, DAY).values())
    assert lake.ask(
        "SELECT report_date, partner, as_of, rows, revenue, is_changed, error, length(import_id) "
        "FROM raw.partner_imports"
    ) == [(DAY, "max", DAY, 2, total, True, None, 64)]


def test_a_batch_replaces_the_one_before_rows_that_vanished_included(
    lake: Lake, import_days: Import, simulator: Simulator
) -> None:
    import_days()
    before = dict(revenue(lake))
    simulator.faults.add("vanished_rows")
    import_days()

    after = dict(revenue(lake))
    assert after != before
    assert sum(after.values()) < sum(before.values())


def test_an_empty_answer_is_a_batch_and_clears_the_day(lake: Lake, import_days: Import, simulator: Simulator) -> None:
    import_days(DAY, NEXT)
    simulator.faults.add("empty")
    import_days(DAY)

    assert lake.column("SELECT DISTINCT report_date FROM raw.partner_revenue") == [NEXT]
    assert lake.ask("SELECT rows, revenue, is_changed FROM raw.partner_imports ORDER BY imported_at DESC LIMIT 1") == [
        (0, Decimal(0), True)
    ]


def test_an_empty_answer_before_any_other_is_a_batch_too(lake: Lake, import_days: Import, simulator: Simulator) -> None:
    simulator.faults.add("empty")
    import_days()
    import_days()

    assert lake.ask("SELECT rows, is_changed FROM raw.partner_imports ORDER BY imported_at") == [(0, True), (0, False)]


@pytest.mark.parametrize("fault", ["unauthorized", "not_json", "error_in_body", "offset_ignored"])
def test_a_failed_call_keeps_what_was_there_and_shows_no_secret(
    lake: Lake, import_days: Import, simulator: Simulator, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    import_days()
    before = revenue(lake)
    simulator.faults.add(fault)
    with caplog.at_level(logging.INFO):
        (outcome,) = import_days()

    assert isinstance(outcome, FailedDay)
    assert "max 2026-10-05" in outcome.error
    assert revenue(lake) == before
    assert lake.ask("SELECT import_id IS NULL, rows, is_changed FROM raw.partner_imports WHERE error IS NOT NULL") == [
        (True, None, None)
    ]
    assert KEY not in outcome.error + caplog.text + str(lake.ask("FROM raw.partner_imports"))


@pytest.mark.parametrize("fault", ["rate_limited", "page_cap"])
def test_a_partner_that_only_makes_it_hard_is_imported_all_the_same(
    lake: Lake, import_days: Import, simulator: Simulator, world: World, fault: str
) -> None:
    options: dict[str, Any] = {"times": 1, "value": 0.05} if fault == "rate_limited" else {"value": 1}
    simulator.faults.add(fault, **options)

    import_days()

    assert dict(revenue(lake)) == reported(world, DAY)


def test_a_day_beyond_the_reach_back_is_an_error_and_never_an_empty_batch(
    lake: Lake, import_days: Import, simulator: Simulator
) -> None:
    import_days()
    before = revenue(lake)

    (outcome,) = import_days(as_of=DAY + timedelta(days=46))

    assert isinstance(outcome, FailedDay)
    assert "45 days" in outcome.error
    assert "partner_revenue/date=2026-10-05" in outcome.error
    assert revenue(lake) == before

    simulator.faults.add("window_refused")  # and when it is the partner who says so
    (outcome,) = import_days()
    assert isinstance(outcome, FailedDay)
    assert revenue(lake) == before


def test_the_log_tells_how_far_an_import_has_come(
    import_days: Import, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    simulator.faults.add("not_json", times=1)
    with caplog.at_level(logging.INFO):
        import_days(DAY - timedelta(days=1), DAY, NEXT)

    lines = [record.message for record in caplog.records if record.name == LOG.name]
    assert sorted(line[line.index("(") : line.index(")") + 1] for line in lines) == ["(1 of 3)", "(2 of 3)", "(3 of 3)"]
    assert sum(": failed: " in line for line in lines) == 1
    assert sum("2 rows of partner_revenue, " in line for line in lines) == 2


def test_one_bad_day_does_not_hold_up_the_others(lake: Lake, import_days: Import, simulator: Simulator) -> None:
    simulator.faults.add("not_json", times=1)

    outcomes = import_days(DAY - timedelta(days=1), DAY, NEXT)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Batch", "Batch", "FailedDay"]
    assert [outcome.report_date for outcome in outcomes] == [DAY - timedelta(days=1), DAY, NEXT]
    assert len(lake.ask("SELECT DISTINCT report_date FROM raw.partner_revenue")) == 2


def test_history_keeps_every_batch_that_differs_from_the_one_before(
    lake: Lake, import_days: Import, simulator: Simulator
) -> None:
    import_days()
    import_days()  # the same again
    simulator.faults.add("restated", value=10)
    import_days()
    simulator.faults.clear()
    simulator.faults.add("not_json")
    import_days()  # fails, and is no batch
    simulator.faults.clear()
    import_days()

    totals = lake.column(
        "SELECT sum(revenue) FROM raw.partner_revenue_history GROUP BY imported_at ORDER BY imported_at"
    )
    assert len(totals) == 3
    assert totals[0] == totals[2] < totals[1]
    ids = lake.column("SELECT import_id FROM raw.partner_imports ORDER BY imported_at")
    assert [ids[0] == each for each in ids] == [True, True, False, False, True]
    assert lake.column("SELECT is_changed FROM raw.partner_imports ORDER BY imported_at") == [
        True,
        False,
        True,
        None,
        True,
    ]


def test_ids_are_mapped_to_ours_where_the_settings_say_so(lake: Lake, import_days: Import) -> None:
    import_days(ids={"app_id": {"com.acme.game": "acme_ios"}})

    assert [app for app, _ in revenue(lake)] == ["acme_ios", "com.acme.puzzle"]


def test_the_raw_answers_lie_in_the_archive_under_the_import_id(
    lake: Lake, import_days: Import, tmp_path: Path
) -> None:
    import_days()

    (import_id,) = lake.column("SELECT DISTINCT import_id FROM raw.partner_revenue")
    folder = tmp_path / "archive" / "max" / "2026-10-05" / import_id
    assert [path.name for path in folder.glob("*.gz")]
    assert all(KEY.encode() not in path.read_bytes() for path in folder.iterdir())


def test_an_amount_in_another_currency_is_converted_row_by_row(lake: Lake, import_days: Import, world: World) -> None:
    lake.put("fx_rates", "a.csv", "rate_date,currency,rate\n2026-10-04,EUR,2\n", DAY - timedelta(days=1))

    import_days(currency="EUR")

    assert dict(revenue(lake)) == {app: 2 * amount for app, amount in reported(world, DAY).items()}
    assert lake.column("SELECT DISTINCT original_currency FROM raw.partner_revenue") == ["EUR"]


def test_without_a_rate_the_day_fails_and_names_currency_and_day(lake: Lake, import_days: Import) -> None:
    (outcome,) = import_days(currency="EUR")

    assert isinstance(outcome, FailedDay)
    assert "EUR" in outcome.error
    assert "2026-10-05" in outcome.error
    assert revenue(lake) == []


def test_no_days_ask_nobody(import_days: Import, simulator: Simulator, lake: Lake) -> None:
    settings = Settings.model_validate({"start_date": "2026-10-01"})

    assert fetch_batches(settings, "max", [], DAY, LOG) == []
    assert simulator.requests == []


# --- what a batch fills ----------------------------------------------------------------------------------------------


def conversion(conversion_id: str, payout: str = "2.5", at: str = "2026-10-05T23:30:00+00:00") -> dict[str, Any]:
    instant = datetime.fromisoformat(at)
    return {
        "report_date": DAY,
        "event_date": instant.date(),
        "conversion_id": conversion_id,
        "click_id": "click-1",
        "offer_id": None,
        "payout": Decimal(payout),
        "currency": "USD",
        "converted_at": instant.astimezone(timezone.utc),
        "status": "pending",
        "updated_at": None,
        "reporting_payout": Decimal(payout),
        "landed_rows": 1,
    }


def test_a_batch_may_fill_two_tables_and_replaces_its_own_slices_only(lake: Lake) -> None:
    lake.connection.execute(
        "INSERT INTO raw.conversions (report_date, source, partner, conversion_id) VALUES "
        "(DATE '2026-10-05', 'files', 'both', 'landed'), (DATE '2026-10-05', 'api', 'other', 'of another'), "
        "(DATE '2026-10-06', 'api', 'both', 'of another day')"
    )
    revenue_line = {
        **dict.fromkeys(column.name for column in REVENUE.table.columns),
        "report_date": DAY,
        "revenue": Decimal("1.25"),
    }

    first = Batch(DAY, "1", {REVENUE: [revenue_line], CONVERSIONS: [conversion("a"), conversion("b")]})
    book(lake.connection, "both", [first], DAY)
    book(lake.connection, "both", [Batch(DAY, "2", {REVENUE: [], CONVERSIONS: [conversion("a", "3")]})], DAY)

    assert lake.ask("SELECT count(*) FROM raw.partner_revenue") == [(0,)]
    assert lake.ask("SELECT partner, source, conversion_id, payout FROM raw.conversions ORDER BY conversion_id") == [
        ("both", "api", "a", Decimal(3)),
        ("both", "files", "landed", None),
        ("other", "api", "of another", None),
        ("both", "api", "of another day", None),
    ]
    assert lake.ask("SELECT import_id, rows, revenue, is_changed FROM raw.partner_imports ORDER BY imported_at") == [
        ("1", 3, Decimal("1.25"), True),
        ("2", 1, Decimal(0), True),
    ]
    assert lake.column("SELECT table_name FROM pipeline.written_days WHERE day = DATE '2026-10-05' ORDER BY 1") == [
        "raw.conversions/api/both",
        "raw.partner_imports",
        "raw.partner_revenue/both",
    ]


def test_a_partner_without_ad_revenue_logs_none(lake: Lake) -> None:
    book(lake.connection, "net", [Batch(DAY, "1", {CONVERSIONS: [conversion("a")]})], DAY)

    assert lake.ask("SELECT rows, revenue FROM raw.partner_imports") == [(1, None)]
    assert lake.ask("SELECT CAST(converted_at AS VARCHAR), event_date, status FROM raw.conversions") == [
        ("2026-10-05 23:30:00", DAY, "pending")
    ]


def test_kinds_of_rows_with_equal_values_are_different_content() -> None:
    revenue_row = RevenueRow(report_date=DAY, revenue=Decimal(1), currency="USD")
    conversion_row = ConversionRow(
        conversion_id="a", payout=Decimal(1), currency="USD", converted_at=datetime(2026, 10, 5, tzinfo=timezone.utc)
    )
    assert content_id("both", DAY, [revenue_row]) != content_id("both", DAY, [conversion_row])
