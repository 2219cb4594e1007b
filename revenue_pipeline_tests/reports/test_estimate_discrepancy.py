"""How far estimates lie from imports, over verified keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from revenue_pipeline_tests.sql_fixture import AGGREGATED, DAY, NEXT_DAY, SqlFixture, impression, pick, reported

TABLE = "reports.estimate_discrepancy"
SHOWN = ("partner", "app_id", "estimated_revenue", "imported_revenue", "gap", "gap_ratio", "coverage")


def key(app_id: str | None, status: str = "verified", **columns: Any) -> dict[str, Any]:
    return {
        "report_date": DAY,
        "partner": "max",
        "app_id": app_id,
        "status": status,
        "sdk_impressions": 4,
        "estimated_impressions": 3,
        "estimated_revenue": "10",
        "imported_revenue": "8",
        "settled_revenue": "8",
    } | columns


def test_verified_keys_are_added_up_by_app_and_ratios_are_sums_over_sums(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert(
        "core.reconciled_estimates",
        key("game", country="DE"),
        key("game", country="US", estimated_revenue="30", imported_revenue="42", estimated_impressions=1),
        key(None, partner="acme", estimated_revenue="0", imported_revenue="5", estimated_impressions=0),
        key("news", report_date=NEXT_DAY),
    )

    assert pick(sql.run(TABLE), *SHOWN) == [
        ("acme", None, 0, 5, 5, None, 0.0),
        ("max", "game", 40, 50, 10, 0.25, 0.5),
    ]


def test_keys_without_both_sides_do_not_count(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path)
    sql.insert(
        "core.reconciled_estimates",
        *(key("game", status) for status in ("unallocated", "dropped", "estimated", "expired")),
    )

    assert sql.run(TABLE) == []


def test_it_comes_out_of_the_ledger(tmp_path: Path) -> None:
    sql = SqlFixture(tmp_path, partners={"max": {**AGGREGATED, "grain": ["app_id"]}})
    sql.insert("raw.events", impression("1", estimate="0.5", app_id="game"), impression("2", app_id="game"))
    sql.insert("raw.partner_revenue", reported("0.4", app_id="game"))

    (row,) = sql.run("core.reconciled_estimates", TABLE)

    assert pick([row], "gap_ratio", "coverage") == [(-0.2, 0.5)]
