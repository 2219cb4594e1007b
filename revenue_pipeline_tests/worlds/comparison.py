"""Runs a world through the real graph and holds the tables against each other, cell by cell."""

import json
import logging
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime, timezone
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from revenue_pipeline import core, reports
from revenue_pipeline.definitions import open_warehouse
from revenue_pipeline.partitions import Window
from revenue_pipeline.run import run_graph
from revenue_pipeline.settings import Settings
from revenue_pipeline.settings_tables import parameters
from revenue_pipeline.warehouse import replace_window
from revenue_pipeline_tests.reference import ad_revenue, contracts, messages
from revenue_pipeline_tests.reference.cohorts import ATTRIBUTES, COHORT, Facts, ltv_report, revenue_report
from revenue_pipeline_tests.reference.contracts import DELIVERY
from revenue_pipeline_tests.reference.landing import GRAIN
from revenue_pipeline_tests.reference.rules import Rules
from revenue_pipeline_tests.reference.values import Row, units
from revenue_pipeline_tests.worlds import World

LOG = logging.getLogger(__name__)

CELL = ("event_date", *COHORT, "revenue_event")
TABLES: Mapping[str, Sequence[str]] = {  # and the columns that tell their rows apart when they are shown side by side
    "raw.events": ("event_date", "event_id"),
    "raw.rejected_rows": ("dataset", "folder_date", "file", "reason"),
    "raw.partner_revenue": ("report_date", "partner", *GRAIN, "user_id", "original_revenue"),
    "raw.costs": ("cost_date", *ATTRIBUTES, "currency", "cost"),
    "raw.message_sends": ("send_date", "message_id"),
    "raw.link_clicks": ("click_date", "click_id"),
    "raw.manual_revenue": ("date", "click_id", "amount", "currency"),
    "raw.conversions": ("report_date", "partner", "conversion_id"),
    "raw.line_items": ("folder_date", "line_item_id"),
    "raw.line_item_delivery": ("delivery_date", *DELIVERY, "impressions", "clicks"),
    "raw.invoices": ("folder_date", "invoice_id"),
    "core.reconciled_estimates": ("report_date", "partner", *GRAIN, "user_id", "status"),
    "core.allocated_revenue": ("report_date", "partner", "event_date", "event_id", *GRAIN),
    "core.revenue_conservation": ("report_date", "partner"),
    "reports.rpm": ("event_date", "level", "container_id", "ad_unit_id"),
    "reports.ctr": ("event_date", "level", "container_id", "ad_unit_id"),
    "core.user_revenue_daily": ("event_date", "user_id", "app_id", "revenue_event"),
    "core.cohort_members": ("cohort_date", "start_event", "user_id"),
    "core.cohort_daily": CELL,
    "reports.revenue": CELL,
    "reports.roas": CELL,
    "reports.arpu": CELL,
    "reports.arppu": CELL,
    "reports.ltv": (*CELL, "horizon"),
    "core.attributed_conversions": ("event_date", "partner", "conversion_id", "click_id", "reporting_payout"),
    **{name: ("event_date", *ids) for name, ids in messages.REPORTS.items()},
    "reports.contracted_revenue": DELIVERY,
    "reports.invoice_reconciliation": ("partner", "period_start", "period_end"),
    "reports.estimate_discrepancy": ("report_date", "partner", "app_id"),
}
RESTATEMENTS = "reports.restatements"
SPLIT = "reports.contracted_revenue"
NOT_COMPARED: Mapping[str, set[str]] = {SPLIT: {"whole", *contracts.SPLIT}}  # but by `split_differences`
FACTS = ("core.cohort_members", "core.user_revenue_daily", "raw.costs")
KEYS: Mapping[str, Sequence[str]] = {
    **TABLES,
    "reports.revenue_report": ("row_kind", "cohort_start", "period"),
    RESTATEMENTS: ("partner", "report_date", "number"),
    "reports.ltv_report": ("row_kind", "cohort_start", "horizon"),
}
RAW_DAYS = {name: key[0] for name, key in TABLES.items() if name.startswith("raw.") and name != "raw.rejected_rows"}
DERIVED = tuple(name for name in TABLES if not name.startswith("raw."))


def settings_of(world: World, home: Path) -> Settings:
    storage = {"warehouse": home / "warehouse.duckdb", "landing": str(home / "landing"), "archive": home / "archive"}
    return Settings.model_validate({**world.settings, "storage": storage})


def run(settings: Settings, first: date, last: date, as_of: date, selection: str | None = None) -> None:
    outcome = run_graph(settings, Window.between(first, last), as_of, selection)
    assert not outcome.failures, outcome.failures


def put_raw(settings: Settings, raw: Mapping[str, Sequence[Row]], first: date, last: date) -> None:
    """Fill `raw` as it should be: a moment where landing takes many seconds."""
    with open_warehouse(settings).writing(LOG, "a test") as connection:
        for name, day in RAW_DAYS.items():
            fill(connection, name, [row for row in raw[name] if first <= row[day] <= last])


def derive(settings: Settings, first: date, last: date, as_of: date) -> None:
    """Compute `core` and `reports` from `raw`."""
    window = Window.between(first, last)
    values = parameters(settings, window, as_of)
    with open_warehouse(settings).writing(LOG, "a test") as connection:
        for table in (*core.TABLES, *reports.TABLES):
            replace_window(connection, table.table, table.sql.select, table.sql.parameters(values), window, as_of)


def fill(connection: duckdb.DuckDBPyConnection, name: str, rows: Sequence[Row]) -> None:
    """Insert rows into a table; columns that they do not have are NULL."""
    present = [row[0] for row in connection.execute(f"DESCRIBE {name}").fetchall()]
    columns = [column for column in present if rows and column in rows[0]]
    places = "(" + ", ".join("?" * len(columns)) + ")"
    for part in (rows[n : n + 200] for n in range(0, len(rows), 200)):
        values = [stored(row[column]) for row in part for column in columns]
        connection.execute(
            f"INSERT INTO {name} ({', '.join(columns)}) VALUES {', '.join([places] * len(part))}", values
        )


def read_tables(settings: Settings, names: Iterable[str] = tuple(TABLES)) -> dict[str, list[Row]]:
    with duckdb.connect(str(settings.storage.warehouse), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return {name: read(connection, name) for name in names}


def macro_differences(world: World, expected: Mapping[str, list[Row]], settings: Settings) -> list[str]:
    """Ask the macros what the world's people ask, and say where the answers differ."""
    members, revenue, costs = (expected[name] for name in FACTS)
    start_events = Rules(world.settings, {}, world.as_of).start_events
    facts = Facts(members, revenue, costs, world.last, start_events)
    found: list[str] = []
    with duckdb.connect(str(settings.storage.warehouse), read_only=True) as connection:
        for question in world.questions:
            values = [getattr(question, each.name) for each in fields(question)]
            got = read(connection, "reports.revenue_report(?, ?, ?, ?, ?, ?, ?)", values)
            lines = differences("reports.revenue_report", revenue_report(facts, question), got)
            del values[3]  # it has no view type
            got = read(connection, "reports.ltv_report(?, ?, ?, ?, ?, ?)", values)
            lines += differences("reports.ltv_report", ltv_report(facts, question), got)
            found += [f"{question}: {line}" for line in lines]
    return found


def read(connection: duckdb.DuckDBPyConnection, name: str, arguments: Sequence[Any] = ()) -> list[Row]:
    result = connection.execute(f"SELECT * FROM {name}", list(arguments))
    columns = [column[0] for column in result.description or []]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


def stored(value: Any) -> Any:
    """A value as the warehouse stores it: instants in UTC, without a zone."""
    return (
        value.astimezone(timezone.utc).replace(tzinfo=None) if isinstance(value, datetime) and value.tzinfo else value
    )


def comparable(name: str, rows: Iterable[Row]) -> list[Row]:
    if name == "core.attributed_conversions":  # uploaded rows are named by a hash, which may be any
        rows = [{**row, "conversion_id": None} if row["partner"] == messages.MANUAL else row for row in rows]
    if name != "raw.rejected_rows":
        return [{column: cell(column, value) for column, value in row.items()} for row in rows]
    columns = TABLES[name]
    counted: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        key = {**row, "file": str(row["file"]).rpartition("/")[2]}
        counted[tuple(key[column] for column in columns)] += row.get("rows", 1)
    return [dict(zip((*columns, "rows"), (*key, count), strict=True)) for key, count in counted.items()]


def cell(column: str, value: Any) -> Any:
    """Instants as UTC, JSON by what it says."""
    if column in ("properties", "custom") and isinstance(value, str):
        return json.dumps(json.loads(value), sort_keys=True)
    return stored(value)


def same(expected: Any, got: Any) -> bool:
    """Every number is exact but for ratios, which two ways of dividing may round differently."""
    if expected is None or got is None:
        return expected is got
    if isinstance(expected, float) and isinstance(got, float):
        return math.isclose(expected, got, rel_tol=1e-12)
    return bool(expected == (Fraction(got) if isinstance(expected, Fraction) else got))


def text_of(value: Any) -> str:
    """A text that is the same for equal values, whatever their type."""
    return str(Fraction(value)) if isinstance(value, Decimal | int) and not isinstance(value, bool) else str(value)


def differences(name: str, expected: Iterable[Row], got: Iterable[Row]) -> list[str]:
    """Say which cells differ, row by row: rows are paired by the table's key, several with one key in any order."""
    pairs: dict[tuple[str, ...], tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for side, rows in enumerate((comparable(name, expected), comparable(name, got))):
        for row in rows:
            pairs[tuple(text_of(row[column]) for column in KEYS[name])][side].append(row)
    found = []
    for key, sides in pairs.items():
        columns = sorted({column for row in sides[0] or sides[1] for column in row} - NOT_COMPARED.get(name, set()))
        wanted, present = sides
        if len(wanted) > 1:
            order = partial(in_order, columns=columns)
            wanted, present = sorted(wanted, key=order), sorted(present, key=order)
        if len(wanted) != len(present):
            found.append(f"{name} {key}: expected {len(wanted)} rows, got {len(present)}: {wanted} {present}")
            continue
        for a, b in zip(wanted, present, strict=True):
            cells = [
                f"{column}: expected {a[column]}, got {b[column]}"
                for column in columns
                if not same(a[column], b[column])
            ]
            if cells:
                found.append(f"{name} {key}: " + "; ".join(cells))
    return found


def in_order(row: Row, columns: Sequence[str]) -> list[str]:
    return [text_of(row[column]) for column in columns]


def restatement_differences(expected: Iterable[Row], got: Iterable[Row]) -> list[str]:
    """The moments of imports are the clock's: what is compared is their order."""
    earlier: Counter[tuple[str, date]] = Counter()
    numbered = []
    for row in sorted(got, key=lambda row: row["imported_at"]):
        key = row["partner"], row["report_date"]
        age = (row["imported_at"].date() - row["report_date"]).days
        assert row["age_days"] == age, row
        numbered.append({**row, "number": earlier[key]})
        earlier[key] += 1
    return differences(RESTATEMENTS, expected, numbered)


def split_differences(expected: Iterable[Row], got: Iterable[Row]) -> list[str]:
    """
    Say where contracted revenue is not split exactly: every part is within one unit of its exact share, and the parts
    of a line item sum to the whole.
    """
    shares = {tuple(row[column] for column in DELIVERY): row for row in expected}
    found: list[str] = []
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for row in got:
        key = tuple(row[column] for column in DELIVERY)
        for column in contracts.SPLIT if key in shares else ():
            share, part = shares[key][column], row[column]
            if (share is None) != (part is None) or (part is not None and abs(units(part) - share) > 1):
                found.append(f"{key}: {column}: expected {share} units, got {part}")
            sums[row["line_item_id"], column] += units(part or Decimal(0))
    for row in shares.values():
        for column in contracts.SPLIT:
            whole, parts = row["whole"][column] or 0, sums[row["line_item_id"], column]
            if whole != parts:
                found.append(f"{row['line_item_id']}: {column}: expected {whole} units in all, got {parts}")
    return found


def assert_same(
    expected: Mapping[str, list[Row]], got: Mapping[str, list[Row]], names: Iterable[str] = tuple(TABLES)
) -> None:
    found = [line for name in names for line in differences(name, expected[name], got[name])]
    found += split_differences(expected[SPLIT], got[SPLIT])
    assert not found, "\n".join(found[:40])


def with_keys(got: Mapping[str, list[Row]], world: World) -> dict[str, list[Row]]:
    """Add to the rows of the ledger and of the allocation the ledger key that they belong to."""
    rules = Rules(world.settings, {}, world.as_of)

    def keyed(row: Row) -> Row:
        key = ad_revenue.key_of(row, rules.partner(row["partner"]))
        return {**row, "key": (row["report_date"], row["partner"], key)}

    tables = ("core.reconciled_estimates", "core.allocated_revenue")
    return {**got, **{name: [keyed(row) for row in got[name]] for name in tables}}


def assert_exact(got: Mapping[str, list[Row]]) -> None:
    """No digit is lost, and each share is within one unit of the exact one, whoever carries the leftover units."""
    for certificate in got["core.revenue_conservation"]:
        assert certificate["difference"] == certificate["allocation_difference"] == 0, certificate
    estimates = {(event["event_date"], event["event_id"]): event["reporting_revenue"] for event in got["raw.events"]}
    verified = [entry for entry in got["core.reconciled_estimates"] if entry["status"] == "verified"]
    parts = [row for row in got["core.allocated_revenue"] if row["status"] == "verified"]
    for entry in verified:
        mine = [row for row in parts if row["key"] == entry["key"]]
        exact = ad_revenue.exact_shares(
            entry["settled_revenue"], [estimates[row["event_date"], row["event_id"]] for row in mine]
        )
        shares = [units(row["revenue"]) for row in mine]
        assert sum(shares) == units(entry["settled_revenue"]), entry
        assert all(abs(share - part) <= 1 for share, part in zip(shares, exact, strict=True)), entry
