"""Ten million ad impressions in a day: the whole graph, against reading the same file and writing it to a table once.

The target is a ratio of at most 4, in at most 6 GB of memory. Everything happens in processes of its own, so that the
memory of one does not count for the other; rounds alternate, and the median ratio is what to quote.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import duckdb

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


def make_landing(folder: Path, rows: int) -> Path:
    """Write a day of impressions and the partner's totals for it; give the file of impressions."""
    events = folder / "data/landing/events" / f"date={DAY}" / "impressions.parquet"
    totals = folder / "data/landing/partner_revenue" / f"date={DAY}" / "totals.parquet"
    for path in (events, totals):
        path.parent.mkdir(parents=True)
    (folder / "revenue_pipeline.yaml").write_text(SETTINGS)
    duckdb.execute(f"COPY ({IMPRESSIONS.format(rows=rows)}) TO '{events}'")
    duckdb.execute(f"COPY ({PARTNER_TOTALS.format(events=events)}) TO '{totals}'")
    return events


def copy_once(folder: Path, events: str) -> None:
    """Read the file and write it to a table, as plainly as DuckDB can."""
    with duckdb.connect(str(folder / "plain.duckdb")) as connection:
        connection.execute(f"CREATE TABLE events AS SELECT * FROM '{events}'").fetchall()


def run_graph(folder: Path) -> None:
    """Run the whole graph for the day."""
    from revenue_pipeline.partitions import Window  # noqa: PLC0415  what is measured begins here
    from revenue_pipeline.run import run_graph as run  # noqa: PLC0415
    from revenue_pipeline.settings import SETTINGS_VARIABLE, load_settings  # noqa: PLC0415

    outcome = run(
        load_settings({SETTINGS_VARIABLE: str(folder / "revenue_pipeline.yaml")}), Window.of_day(DAY), as_of=DAY
    )
    if outcome.failures:
        raise SystemExit("\n".join(outcome.failures))


def measured(what: str, *arguments: str) -> tuple[float, float]:
    """Run one of the two in a process of its own; give its seconds and its peak memory in GB."""
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks", what, *arguments], check=True, capture_output=True, text=True
    )
    seconds, gigabytes = json.loads(finished.stdout.splitlines()[-1])
    return seconds, gigabytes


def compare(rows: int, rounds: int) -> None:
    """Print what each round took, and the median ratio."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as temporary:
        folder = Path(temporary)
        print(f"writing {rows:,} impressions")
        events = make_landing(folder, rows)
        ratios = []
        for number in range(1, rounds + 1):
            plain, _ = measured("plain", str(folder), str(events))
            graph, gigabytes = measured("graph", str(folder))
            ratios.append(graph / plain)
            print(
                f"round {number}: read and write once {plain:.1f} s, whole graph {graph:.1f} s and {gigabytes:.1f} GB, "
                f"ratio {graph / plain:.2f}"
            )
        print(f"median ratio {statistics.median(ratios):.2f} (target: at most 4, at most 6 GB)")


def main() -> None:
    """Compare, or be one of the two processes that are compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["compare", "plain", "graph"], default="compare")
    parser.add_argument("arguments", nargs="*")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.what == "compare":
        compare(options.rows, options.rounds)
        return
    folder = Path(options.arguments[0])
    for leftover in [*folder.glob("plain.duckdb*"), *folder.glob("data/warehouse*")]:
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    started = time.perf_counter()
    copy_once(folder, options.arguments[1]) if options.what == "plain" else run_graph(folder)
    seconds = time.perf_counter() - started
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6]))


main()
