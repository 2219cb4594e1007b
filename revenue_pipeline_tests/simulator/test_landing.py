"""What `land` writes is what the world holds, in the contract's shape, and never half a file."""

import json
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from revenue_pipeline.simulator import World, land
from revenue_pipeline.simulator.landing import FORMATS

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 14)
CONTRACT = {
    "events": "event_id event_name event_time user_id app_id platform country channel campaign_id partner ad_format "
    "ad_unit_id container_id creative_id is_automated revenue currency properties",
    "costs": "cost_date channel campaign_id app_id platform country cost currency impressions clicks installs",
    "fx_rates": "rate_date currency rate",
    "partner_revenue": "partner report_date revenue currency app_id user_id impressions",
    "message_sends": "message_id sent_at contact_id creative_id offer_id campaign_id sending_list segments custom",
    "link_clicks": "click_id message_id clicked_at",
    "manual_revenue": "click_id amount date currency",
    "line_items": "line_item_id proposal_id proposal_status rate_type net_rate gross_rate currency contracted_volume "
    "start_date end_date",
    "invoices": "invoice_id partner period_start period_end amount currency",
    "line_item_delivery": "delivery_date line_item_id ad_unit_id custom_criteria impressions clicks",
}
DUCKDB = duckdb.connect()
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def world() -> World:
    return World(first_day=FIRST, last_day=LAST, scale=0.03)


@pytest.fixture(scope="module")
def landing(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    land(world, folder, LAST)
    return folder


def read(path: Path) -> Rows:
    """A file's rows: every value as text, None where there is none."""
    if "ndjson" in path.name:
        lines = DUCKDB.execute("SELECT json FROM read_ndjson_objects(?)", [str(path)]).fetchall()
        return [
            {key: value if value is None or isinstance(value, str) else json.dumps(value) for key, value in row.items()}
            for row in (json.loads(line) for (line,) in lines)
        ]
    reader = "read_parquet($1" if path.suffix == ".parquet" else "read_csv($1, header = true, all_varchar = true"
    query = f"SELECT COLUMNS(*)::VARCHAR FROM {reader}, hive_partitioning = false)"
    result = DUCKDB.execute(query, [str(path)])
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def read_day(landing: Path, dataset: str, day: date) -> Rows:
    return [row for path in (landing / dataset / f"date={day}").glob("*") for row in read(path)]


def test_the_folders(landing: Path) -> None:
    days = {dataset: sorted(p.name[5:] for p in (landing / dataset).iterdir()) for dataset in CONTRACT}
    assert {p.name for p in landing.iterdir()} == set(CONTRACT)
    assert (days["events"][0], days["events"][-1], len(days["events"])) == ("2026-10-01", "2026-10-14", 14)
    assert days["costs"] == days["events"]
    # Los Angeles is on its 30 September while the world begins in UTC.
    assert days["partner_revenue"] == ["2026-09-30", *days["events"]]
    # A rate for each day from a week before, but for the Sundays.
    assert (days["fx_rates"][0], days["fx_rates"][-1], len(days["fx_rates"])) == ("2026-09-24", "2026-10-14", 21 - 3)
    assert not list(landing.rglob(".*"))
    assert {path.name.partition(".")[2] for path in (landing / "events").glob("*/*")} == set(FORMATS)


@pytest.mark.parametrize("dataset", CONTRACT)
def test_every_row_has_the_columns_of_the_contract(landing: Path, dataset: str) -> None:
    for path in (landing / dataset).glob("*/*"):
        for row in read(path):
            assert list(row) == CONTRACT[dataset].split()


def test_events_are_what_was_received_and_a_few_rows_nobody_can_use(world: World, landing: Path) -> None:
    unusable: list[tuple[int, str]] = []
    for day in world.days():
        rows = read_day(landing, "events", day)
        received = world.received(day)
        wrong = [row for row in rows if row["event_id"] is None or row["event_id"].endswith("-unusable")]
        right = [row for row in rows if row not in wrong]
        assert Counter(row["event_id"] for row in right) == Counter(event.event_id for event in received)
        assert sum(Decimal(row["revenue"] or 0) for row in right) == sum(event.revenue or 0 for event in received)
        by_id = {row["event_id"]: row for row in right}
        for event in received:
            row = by_id[event.event_id]
            assert row["event_time"].replace("T", " ")[:19] == f"{event.event_time:%Y-%m-%d %H:%M:%S}"
            assert row["user_id"] == event.user_id
            assert row["is_automated"] == (None if event.is_automated is None else str(event.is_automated).lower())
            assert (json.loads(row["properties"]) if row["properties"] else None) == event.properties
        unusable += [(day.day, what_is_wrong(row, day)) for row in wrong]
    assert unusable == [
        (2, "no id"),
        (4, "nine days late"),
        (5, "negative"),
        (7, "no such currency"),
        (9, "no id"),
        (11, "nine days late"),
        (12, "negative"),
        (14, "no such currency"),
    ]


def what_is_wrong(row: dict[str, Any], day: date) -> str:
    reasons = {
        "no id": row["event_id"] is None,
        "nine days late": row["event_time"][:10] == str(day - timedelta(days=9)),
        "negative": Decimal(row["revenue"]) == -1,
        "no such currency": row["currency"] == "USX",
    }
    (reason,) = [name for name, applies in reasons.items() if applies]
    return reason


def test_amounts_are_exact_text(world: World, landing: Path) -> None:
    for day in world.days():
        assert sum(Decimal(row["cost"]) for row in read_day(landing, "costs", day)) == sum(
            c.cost for c in world.costs(day) if c.channel != "meta"
        )
        rates = [Decimal(row["rate"]) for row in read_day(landing, "fx_rates", day)]
        assert rates == [rate for rate in [world.exchange_rate(day)] if rate]
    text = "".join(path.read_text() for path in landing.glob("*/*/*.csv"))
    assert "E-" not in text


def test_partner_files_fill_up_as_their_day_ages(world: World, tmp_path: Path) -> None:
    day = date(2026, 10, 8)
    totals = []
    for age in (0, 1, 2):
        land(world, tmp_path, day + timedelta(days=age))
        rows = read_day(tmp_path, "partner_revenue", day)
        assert {(row["partner"], row["report_date"], row["currency"]) for row in rows} == {
            ("acme", "2026-10-08", "EUR")
        }
        totals.append(sum(Decimal(row["revenue"]) for row in rows))
    assert totals[0] < totals[1] < totals[2] == sum(row.revenue for row in world.final_report("acme", day))


def test_landing_again_leaves_untouched_what_has_not_changed(world: World, tmp_path: Path) -> None:
    land(world, tmp_path, date(2026, 10, 6))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    landed: list[date] = []
    land(world, tmp_path, date(2026, 10, 7), on_day=landed.append)
    assert landed == [FIRST + timedelta(days=n) for n in range(7)]
    changed = {path.relative_to(tmp_path).parts[:2] for path, time in before.items() if path.stat().st_mtime_ns != time}
    # The partner's two young days; everything else stayed as it was, down to the byte.
    assert changed == {("partner_revenue", "date=2026-10-05"), ("partner_revenue", "date=2026-10-06")}
    assert (tmp_path / "events" / "date=2026-10-07").exists()
    assert not (tmp_path / "events" / "date=2026-10-08").exists()


def test_late_events_still_arrive_after_the_last_day(world: World, tmp_path: Path) -> None:
    land(world, tmp_path, LAST + timedelta(days=30))
    assert max(p.name for p in (tmp_path / "events").iterdir()) <= "date=2026-10-16"
    assert {row["event_time"][:10] for row in read_day(tmp_path, "events", LAST + timedelta(days=1))} <= {
        "2026-10-13",
        "2026-10-14",
    }


def test_a_file_is_written_aside_and_then_renamed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_power(aside: Path, path: Path) -> None:
        raise OSError(f"{aside} never became {path}")

    monkeypatch.setattr(Path, "replace", out_of_power)
    with pytest.raises(OSError, match="never became"):
        land(world, tmp_path, LAST)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [".fx_rates.ndjson.gz"]
