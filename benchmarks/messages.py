"""A day of a million messages: the whole graph, against reading the same files once.

200 thousand clicks and 20 thousand conversions of them are landed beside the messages, as Parquet. Most of the graph's
seconds go into what no size changes: starting Dagster, opening the warehouse, publishing. So the seconds are what to
look at, and the ratio tells whether they grow with the rows. Both sides are processes of their own; rounds alternate.
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
messages: {cost_per_segment: 0.01}
attribution: {default_window: 7d, offers: {offer-1: 24h}}
"""
# Sent in the first eight hours, clicked in the next eight, converted in the last.
LANDED = {
    "message_sends": """
        SELECT
            'message-' || range AS message_id,
            TIMESTAMP '2026-11-01' + to_microseconds(CAST(random() * 28799e6 AS BIGINT)) AS sent_at,
            'contact-' || CAST(floor(random() * {rows}) AS BIGINT) AS contact_id,
            'creative-' || CAST(floor(random() * 50) AS BIGINT) AS creative_id,
            'offer-' || CAST(floor(random() * 20) AS BIGINT) AS offer_id,
            'campaign-' || CAST(floor(random() * 10) AS BIGINT) AS campaign_id,
            'list-' || CAST(floor(random() * 5) AS BIGINT) AS sending_list,
            1 + CAST(floor(random() * 3) AS BIGINT) AS segments,
            '{{"state": "' || ['TX', 'CA', 'NY'][1 + CAST(floor(random() * 3) AS BIGINT)] || '"}}' AS custom
        FROM range({rows})
    """,
    "link_clicks": """
        SELECT
            'click-' || range AS click_id,
            'message-' || CAST(floor(random() * {rows}) AS BIGINT) AS message_id,
            TIMESTAMP '2026-11-01 08:00' + to_microseconds(CAST(random() * 28799e6 AS BIGINT)) AS clicked_at
        FROM range({rows} // 5)
    """,
    "conversions": """
        SELECT
            'tune' AS partner,
            'conversion-' || range AS conversion_id,
            'click-' || CAST(floor(random() * ({rows} // 5)) AS BIGINT) AS click_id,
            CAST(random() * 50 AS DECIMAL(18, 9)) AS payout,
            'USD' AS currency,
            TIMESTAMP '2026-11-01 16:00' + to_microseconds(CAST(random() * 28799e6 AS BIGINT)) AS converted_at,
            ['approved', 'approved', 'pending', 'rejected'][1 + CAST(floor(random() * 4) AS BIGINT)] AS status
        FROM range({rows} // 50)
    """,
}


def make_landing(folder: Path, rows: int) -> None:
    """Write a day of messages, their clicks and conversions, and the settings."""
    (folder / "revenue_pipeline.yaml").write_text(SETTINGS)
    for dataset, select in LANDED.items():
        path = folder / "data/landing" / dataset / f"date={DAY}" / "rows.parquet"
        path.parent.mkdir(parents=True)
        duckdb.execute(f"COPY ({select.format(rows=rows)}) TO '{path}'").fetchall()


def read_once(folder: Path) -> None:
    """Read every value of every file, as plainly as DuckDB can."""
    for path in sorted(folder.glob("data/landing/*/*/*.parquet")):
        duckdb.execute(f"SELECT count(*), max(COLUMNS(*)) FROM '{path}'").fetchall()


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


def measured(what: str, folder: Path) -> tuple[float, float]:
    """Run one of the two in a process of its own; give its seconds and its peak memory in GB."""
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.messages", what, str(folder)], check=True, capture_output=True, text=True
    )
    seconds, gigabytes = json.loads(finished.stdout.splitlines()[-1])
    return seconds, gigabytes


def compare(rows: int, rounds: int) -> None:
    """Print what each round took, and the medians."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as temporary:
        folder = Path(temporary)
        print(f"writing {rows:,} messages, {rows // 5:,} clicks and {rows // 50:,} conversions")
        make_landing(folder, rows)
        times = []
        for number in range(1, rounds + 1):
            plain, _ = measured("plain", folder)
            graph, gigabytes = measured("graph", folder)
            times.append((graph, graph / plain))
            print(
                f"round {number}: read once {plain:.2f} s, whole graph {graph:.1f} s and {gigabytes:.1f} GB, "
                f"ratio {graph / plain:.0f}"
            )
        seconds, ratio = (statistics.median(values) for values in zip(*times, strict=True))
        print(f"median {seconds:.1f} s, ratio {ratio:.0f}")


def main() -> None:
    """Compare, or be one of the two processes that are compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["compare", "plain", "graph"], default="compare")
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.folder is None:
        compare(options.rows, options.rounds)
        return
    for leftover in options.folder.glob("data/warehouse*"):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    started = time.perf_counter()
    (read_once if options.what == "plain" else run_graph)(options.folder)
    seconds = time.perf_counter() - started
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6]))


main()
