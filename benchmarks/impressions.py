"""Ten million ad impressions in a day: the whole graph, against reading the same file and writing it to a table once.

The target is a ratio of at most 4, in at most 6 GB of memory. Rounds alternate; the median ratio is what to quote.
"""

from __future__ import annotations

import shutil
import statistics
from datetime import date
from pathlib import Path

import duckdb

from benchmarks.measuring import SETTINGS_FILE, measured, run_days

DAY = date(2026, 11, 1)
SETTINGS = """
start_date: 2026-11-01
partners:
  applovin_max:
    connector: files
    granularity: aggregated
    grain: [app_id, platform, country, ad_format, ad_unit_id]
"""
IMPRESSIONS = """
SELECT
    CAST(uuid() AS VARCHAR) AS event_id,
    'ad_impression' AS event_name,
    TIMESTAMP '2026-11-01' + to_microseconds(CAST(random() * 86399e6 AS BIGINT)) AS event_time,
    'user-' || CAST(floor(random() * 1e6) AS BIGINT) AS user_id,
    'app-' || CAST(floor(random() * 5) AS BIGINT) AS app_id,
    ['ios', 'android'][1 + CAST(floor(random() * 2) AS BIGINT)] AS platform,
    ['US', 'DE', 'FR', 'GB', 'JP', 'BR', 'IN', 'CA', 'AU', 'ES'][1 + CAST(floor(random() * 10) AS BIGINT)] AS country,
    'organic' AS channel,
    'campaign-' || CAST(floor(random() * 20) AS BIGINT) AS campaign_id,
    'applovin_max' AS partner,
    ['banner', 'inter', 'reward'][1 + CAST(floor(random() * 3) AS BIGINT)] AS ad_format,
    'unit-' || CAST(floor(random() * 30) AS BIGINT) AS ad_unit_id,
    'container-' || CAST(floor(random() * 10) AS BIGINT) AS container_id,
    'creative-' || CAST(floor(random() * 100) AS BIGINT) AS creative_id,
    FALSE AS is_automated,
    CAST(random() * 0.01 AS DECIMAL(18, 9)) AS revenue,
    'USD' AS currency,
    CAST(NULL AS VARCHAR) AS properties
FROM range({rows})
"""
PARTNER_TOTALS = """
SELECT
    'applovin_max' AS partner, DATE '2026-11-01' AS report_date, CAST(sum(revenue) * 1.03 AS DECIMAL(38, 9)) AS revenue,
    app_id, platform, country, ad_format, ad_unit_id, count(*) AS impressions
FROM '{events}' GROUP BY ALL
"""


EVENTS = f"data/landing/events/date={DAY}/impressions.parquet"


def make_landing(folder: Path, rows: int) -> None:
    """Write a day of impressions and the partner's totals for it."""
    events = folder / EVENTS
    totals = folder / "data/landing/partner_revenue" / f"date={DAY}" / "totals.parquet"
    for path in (events, totals):
        path.parent.mkdir(parents=True)
    (folder / SETTINGS_FILE).write_text(SETTINGS)
    duckdb.execute(f"COPY ({IMPRESSIONS.format(rows=rows)}) TO '{events}'")
    duckdb.execute(f"COPY ({PARTNER_TOTALS.format(events=events)}) TO '{totals}'")


def copy_once(folder: Path) -> None:
    """Read the file and write it to a table, as plainly as DuckDB can."""
    with duckdb.connect(str(folder / "plain.duckdb")) as connection:
        connection.execute(f"CREATE TABLE events AS SELECT * FROM '{folder / EVENTS}'").fetchall()


def compare(folder: Path, rounds: int, scale: float) -> None:
    """Print what each round took, and the median ratio."""
    rows = round(10_000_000 * scale)
    print(f"writing {rows:,} impressions", flush=True)
    measured(make_landing, folder, rows)
    ratios = []
    for number in range(1, rounds + 1):
        for leftover in [*folder.glob("plain.duckdb*"), *folder.glob("data/warehouse*")]:
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        plain, graph = measured(copy_once, folder), measured(run_days, folder, DAY, DAY)
        ratios.append(graph.seconds / plain.seconds)
        print(
            f"round {number}: read and write once {plain.seconds:.1f} s, whole graph {graph.seconds:.1f} s and "
            f"{graph.gigabytes:.1f} GB, ratio {ratios[-1]:.2f}",
            flush=True,
        )
    print(f"median ratio {statistics.median(ratios):.2f} (target: at most 4, at most 6 GB)")
