"""A refresh of three days in front of a long history of cohorts, against one plain scan of the user-days it stands on.

The history is a million users and twenty million user-days in a year, written into the tables as runs would have left
them. What is measured is `refresh`: three days of events land, the whole graph runs over them. The same with only the
last month of that history tells whether a refresh costs what its window holds: the ratio should stay under 1.2.
"""

from __future__ import annotations

import logging
import statistics
from datetime import date, timedelta
from pathlib import Path

import duckdb

from benchmarks.measuring import SETTINGS_FILE, measured, run_days
from revenue_pipeline import core, reports
from revenue_pipeline.catalog import all_macros, published_tables
from revenue_pipeline.definitions import open_warehouse
from revenue_pipeline.partitions import Window
from revenue_pipeline.publish import PublishedCopy
from revenue_pipeline.settings import SETTINGS_VARIABLE, Settings, load_settings
from revenue_pipeline.settings_tables import parameters
from revenue_pipeline.warehouse import remember_written, replace_window

LAST = date(2026, 11, 30)
REFRESHED = 3
SHORT_HISTORY, LONG_HISTORY = 30, 365
WRITTEN_TOGETHER = 30  # days of history
SETTINGS = """
start_date: {start}
cohorts: {{start_events: [install], max_days: 90}}
"""
CELLS = ("core.cohort_daily", "reports.revenue", "reports.roas", "reports.arpu", "reports.arppu", "reports.ltv")
# 5 countries, 2 platforms, 4 channels and 3 campaigns: 120 kinds of members a day.
DIMENSIONS = """
    'game' AS app_id,
    ['ios', 'android'][1 + CAST({u} % 2 AS BIGINT)] AS platform,
    ['US', 'DE', 'FR', 'GB', 'JP'][1 + CAST({u} // 2 % 5 AS BIGINT)] AS country,
    'channel-' || CAST({u} // 10 % 4 AS BIGINT) AS channel,
    'campaign-' || CAST({u} // 40 % 3 AS BIGINT) AS campaign_id
"""
MEMBERS = """
CREATE TEMP TABLE members AS
SELECT u, 'user-' || u AS user_id, CAST(DATE '{start}' + CAST(hash(u) % {days} AS INTEGER) AS DATE) AS cohort_date
FROM range({users}) AS users (u)
"""
# A user comes back less and less: most of their days are soon after the first.
USER_DAYS = """
CREATE TEMP TABLE user_days AS
SELECT DISTINCT
    members.user_id,
    cohort_date + CAST(floor(pow(random(), 3) * (date_diff('day', cohort_date, DATE '{last}') + 1)) AS INTEGER) AS day,
    CASE WHEN random() < 0.3 THEN 'purchase' ELSE 'subscription' END AS revenue_event
FROM members, range({days_each}) AS times (n)
"""


def make_history(folder: Path, days: int, users: int, user_days: int) -> None:
    """Fill a warehouse with the last `days` days of the year up to `LAST`: all but three written, and those landed."""
    start, year_start = LAST - timedelta(days=days - 1), LAST - timedelta(days=LONG_HISTORY - 1)
    folder.mkdir()
    (folder / SETTINGS_FILE).write_text(SETTINGS.format(start=start))
    settings = settings_of(folder)
    history = Window(start, LAST - timedelta(days=REFRESHED - 1))
    with open_warehouse(settings).writing(logging.getLogger(__name__), "the benchmark") as connection:
        connection.execute("SELECT setseed(0.5)").fetchall()
        connection.execute(MEMBERS.format(start=year_start, days=LONG_HISTORY, users=users))
        connection.execute(USER_DAYS.format(last=LAST, days_each=round(user_days / users * 1.05)))
        connection.execute(
            f"INSERT INTO core.cohort_members SELECT cohort_date, 'install', user_id, "
            f"{DIMENSIONS.format(u='u')} FROM members WHERE {history_days('cohort_date', history)} ORDER BY 1"
        )
        connection.execute(
            f"INSERT INTO core.user_revenue_daily SELECT day, user_id, 'game', revenue_event, 1.25, 1 "
            f"FROM user_days WHERE {history_days('day', history)} ORDER BY 1"
        )
        connection.execute(f"""
            INSERT INTO raw.costs BY NAME
            SELECT cost_date, {DIMENSIONS.format(u="u")}, 10 AS cost, 10 AS reporting_cost, 'files' AS source
            FROM unnest({[str(day) for day in history.days]}::DATE[]) AS days (cost_date), range(120) AS kinds (u)
        """)
        for table in ("core.cohort_members", "core.user_revenue_daily", "raw.costs"):
            remember_written(connection, table, history, LAST)
        cells = [table for table in (*core.TABLES, *reports.TABLES) if table.name in CELLS]
        for offset in range(0, days, WRITTEN_TOGETHER):
            first = start + timedelta(days=offset)
            window = Window(first, min(first + timedelta(days=WRITTEN_TOGETHER), history.end))
            values = parameters(settings, window, LAST)
            for table in cells:
                replace_window(connection, table.table, table.sql.select, table.sql.parameters(values), window, LAST)
        PublishedCopy(settings.storage.warehouse).publish(connection, published_tables(), all_macros())
        for day in Window(history.end, LAST + timedelta(days=1)).days:
            land(connection, Path(settings.storage.landing), day)


def history_days(column: str, history: Window) -> str:
    """Write which rows are of the history."""
    return f"{column} >= DATE '{history.start}' AND {column} < DATE '{history.end}'"


def land(connection: duckdb.DuckDBPyConnection, landing: Path, day: date) -> None:
    """Land what happened on one of the days to refresh: starts, and what people brought."""
    folder = landing / "events" / f"date={day}"
    folder.mkdir(parents=True)
    connection.execute(f"""
        COPY (
            SELECT
                'start-' || user_id AS event_id, 'install' AS event_name,
                TIMESTAMPTZ '{day}T08:00:00Z' AS event_time, user_id, {DIMENSIONS.format(u="u")},
                CAST(NULL AS DECIMAL(18, 9)) AS revenue
            FROM members WHERE cohort_date = DATE '{day}'
            UNION ALL BY NAME
            SELECT
                revenue_event || user_id AS event_id, revenue_event AS event_name,
                TIMESTAMPTZ '{day}T12:00:00Z' AS event_time, user_id, 'game' AS app_id,
                CAST(1.25 AS DECIMAL(18, 9)) AS revenue
            FROM user_days WHERE day = DATE '{day}'
        ) TO '{folder / "events.parquet"}'
    """)


def settings_of(folder: Path) -> Settings:
    """Read the settings of one history."""
    return load_settings({SETTINGS_VARIABLE: str(folder / SETTINGS_FILE)})


def plain_scan(folder: Path) -> None:
    """Read every user-day once, and add up what it brought."""
    with duckdb.connect(str(folder / "data/warehouse.duckdb"), read_only=True) as connection:
        connection.execute(
            "SELECT event_date, count(user_id), max(app_id), sum(revenue), sum(events) FROM core.user_revenue_daily "
            "GROUP BY event_date"
        ).fetchall()


def compare(folder: Path, rounds: int, scale: float) -> None:
    """Print what each round took, and the two ratios."""
    users, user_days = round(1_000_000 * scale), round(20_000_000 * scale)
    histories = {days: folder / f"{days}-days" for days in (SHORT_HISTORY, LONG_HISTORY)}
    for days, history in histories.items():
        print(f"writing {days} days of a year of {users:,} users and {user_days:,} user-days", flush=True)
        measured(make_history, history, days, users, user_days)
    first = LAST - timedelta(days=REFRESHED - 1)
    longer, scans = [], []
    for number in range(1, rounds + 1):
        short, long = (measured(run_days, history, first, LAST, True) for history in histories.values())
        scan = measured(plain_scan, histories[LONG_HISTORY])
        longer.append(long.seconds / short.seconds)
        scans.append(long.seconds / scan.seconds)
        print(
            f"round {number}: refresh of {REFRESHED} days after {SHORT_HISTORY} days {short.seconds:.1f} s, after "
            f"{LONG_HISTORY} days {long.seconds:.1f} s and {long.gigabytes:.1f} GB, ratio {longer[-1]:.2f}; "
            f"plain scan {scan.seconds:.2f} s, ratio {scans[-1]:.0f}",
            flush=True,
        )
    print(
        f"median ratio of a long history to a short one {statistics.median(longer):.2f} (target: under 1.2), "
        f"of a refresh to a plain scan {statistics.median(scans):.0f}"
    )
