"""What an import books: batches that replace each other, their history, the log, and days that could not be had."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from revenue_pipeline.raw.files import LandingError
from revenue_pipeline.raw.partner_revenue import Batch, FailedDay, book, fetch_batches
from revenue_pipeline.settings import Settings
from revenue_pipeline.simulator import Simulator, World
from revenue_pipeline_tests.raw.conftest import DAY, Lake

LOG = logging.getLogger(__name__)
KEY = "a-key-nobody-may-see"
PARTNER_HEADER = "partner,report_date,revenue,currency,app_id,user_id,impressions"
NEXT = DAY + timedelta(days=1)


@pytest.fixture(scope="module")
def world() -> World:
    return World(first_day=DAY - timedelta(days=2), last_day=NEXT, scale=0.03)


@pytest.fixture
def simulator(world: World) -> Iterator[Simulator]:
    with Simulator(world, today=DAY + timedelta(days=10)) as simulator:
        yield simulator


Import = Callable[..., list[Batch | FailedDay]]


@pytest.fixture
def import_days(lake: Lake, simulator: Simulator, tmp_path: Path) -> Import:
    """Import days of a partner and book them."""

    def run(*days: date, partner: str = "max", as_of: date = DAY, **changes: Any) -> list[Batch | FailedDay]:
        partners = {
            "max": {
                "connector": "applovin_max",
                "granularity": "aggregated",
                "grain": ["app_id"],
                "base_url": f"{simulator.url}/applovin",
                "credentials": {"api_key": {"env": "KEY"}},
            },
            "acme": {"connector": "files", "granularity": "user_level", "grain": ["app_id"], "currency": "EUR"},
            "other": {"connector": "files", "granularity": "aggregated"},
        }
        partners[partner] |= changes
        storage = {"landing": str(lake.landing), "archive": tmp_path / "archive"}
        document = {"start_date": "2026-10-01", "storage": storage, "partners": partners}
        settings = Settings.model_validate(document).model_copy(update={"secrets": {"KEY": SecretStr(KEY)}})
        outcomes = fetch_batches(settings, partner, days or [DAY], as_of, LOG)
        book(lake.connection, partner, outcomes, as_of)
        return outcomes

    return run


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


def put_totals(lake: Lake, *rows: str, day: date = DAY, name: str = "totals.csv") -> None:
    lake.put("partner_revenue", name, "".join(f"{line}\n" for line in (PARTNER_HEADER, *rows)), day)


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


# --- partners whose totals are landed as files -----------------------------------------------------------------------


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
