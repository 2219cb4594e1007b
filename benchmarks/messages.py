"""A day of a million messages: the whole graph, against reading the same files once.

200 thousand clicks and 20 thousand conversions of them are landed beside the messages, as Parquet. Most of the graph's
seconds go into what no size changes: starting Dagster, opening the warehouse, publishing. So the seconds are what to
look at, and the ratio tells whether they grow with the rows. Rounds alternate.
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
    (folder / SETTINGS_FILE).write_text(SETTINGS)
    for dataset, select in LANDED.items():
        path = folder / "data/landing" / dataset / f"date={DAY}" / "rows.parquet"
        path.parent.mkdir(parents=True)
        duckdb.execute(f"COPY ({select.format(rows=rows)}) TO '{path}'").fetchall()


def read_once(folder: Path) -> None:
    """Read every value of every file, as plainly as DuckDB can."""
    for path in sorted(folder.glob("data/landing/*/*/*.parquet")):
        duckdb.execute(f"SELECT count(*), max(COLUMNS(*)) FROM '{path}'").fetchall()


def compare(folder: Path, rounds: int, scale: float) -> None:
    """Print what each round took, and the medians."""
    rows = round(1_000_000 * scale)
    print(f"writing {rows:,} messages, {rows // 5:,} clicks and {rows // 50:,} conversions", flush=True)
    measured(make_landing, folder, rows)
    times = []
    for number in range(1, rounds + 1):
        for leftover in folder.glob("data/warehouse*"):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        plain, graph = measured(read_once, folder), measured(run_days, folder, DAY, DAY)
        times.append((graph.seconds, graph.seconds / plain.seconds))
        print(
            f"round {number}: read once {plain.seconds:.2f} s, whole graph {graph.seconds:.1f} s and "
            f"{graph.gigabytes:.1f} GB, ratio {times[-1][1]:.0f}",
            flush=True,
        )
    seconds, ratio = (statistics.median(values) for values in zip(*times, strict=True))
    print(f"median {seconds:.1f} s, ratio {ratio:.0f}")
