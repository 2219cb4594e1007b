"""What runs when: the three-a-day refresh with the settling of closed days, and runs for newly landed files."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import fsspec

from revenue_pipeline.catalog import CERTIFICATE
from revenue_pipeline.freshness import superseded_days
from revenue_pipeline.partitions import ONE_DAY, Window, contiguous, is_closed
from revenue_pipeline.publish import PublishedCopy
from revenue_pipeline.raw.accounts import timezone_of
from revenue_pipeline.raw.datasets import EVENTS, FX_RATES, LANDED, PARTNER_REVENUE_FILES
from revenue_pipeline.raw.exchange_rates import OLDEST_RATE_DAYS
from revenue_pipeline.raw.imports import told_days
from revenue_pipeline.raw.published_rates import rate_publishers, rates_file
from revenue_pipeline.settings import Settings

# Early, after lunch and late: three times a day, and never on the hour, when everybody's jobs start.
REFRESH_CRON = "17 5,13,21 * * *"
# After the refresh of the morning, which settles the days that have closed.
PAGE_CRON = "47 5 * * *"
PROBE_CRON = "47 6 * * *"
PROBED_AGES = (8, 15)
TOLD_DAYS = 3  # of changes that partners are asked for at each probe: one may miss a day or two
SECONDS_BETWEEN_LOOKS = 300
DAYS_WATCHED = 45
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def refresh_windows(settings: Settings, as_of: date) -> list[Window]:
    """Give the windows that a refresh on `as_of` runs: the trailing one, and every closed day not settled yet.

    Days whose conversions have moved to other days are run again as well.
    """
    longest = max([settings.import_window_days, *(settings.window_days(name) for name in settings.partners)])
    around = 1 if zones_differ(settings) else 0
    days = {as_of - timedelta(days=age) for age in range(longest + around)}
    for day in unsettled_days(settings, as_of):
        days.update(day + timedelta(days=offset) for offset in range(-around, around + 1))
    days.update(_superseded_days(settings))
    return list(contiguous(day for day in days if settings.start_date <= day <= as_of))


def zones_differ(settings: Settings) -> bool:
    """Tell whether a partner's days are not the reporting zone's: its reports of a day read the days around it."""
    return any(timezone_of(settings, name) != settings.reporting.timezone for name in settings.partners)


def unsettled_days(settings: Settings, as_of: date) -> list[date]:
    """Give the days closed on `as_of` whose ledger still holds estimates, or was computed while they were open."""
    try:
        rows = (
            PublishedCopy(settings.storage.warehouse)
            .read(f"SELECT report_date, partner FROM {CERTIFICATE} WHERE estimated_keys > 0 OR NOT is_closed")
            .fetchall()
        )
    except FileNotFoundError:
        return []
    own = {name: settings.window_days(name) for name in settings.revenue_partners}
    closed = {day for day, partner in rows if is_closed(day, as_of, own.get(partner, settings.import_window_days))}
    return sorted(closed)


def _superseded_days(settings: Settings) -> list[date]:
    try:
        return superseded_days(settings)
    except FileNotFoundError:
        return []


def run_tags(window: Window) -> dict[str, str]:
    """Give the tags that make one run of all the days of `window`."""
    return {RANGE_START: window.start.isoformat(), RANGE_END: window.last.isoformat()}


def probe_windows(settings: Settings, as_of: date, told: Iterable[date] = ()) -> list[Window]:
    """Give the windows that a probe of closed days on `as_of` runs.

    The day of a week and a day ago, that of two weeks and a day ago, on the first of a month every day of the month
    before, when partners have closed their books, and the days that partners have `told` of.
    """
    around = 1 if zones_differ(settings) else 0
    probed = {*told, *(as_of - timedelta(days=age) for age in PROBED_AGES)}
    if as_of.day == 1:
        month = Window((as_of - ONE_DAY).replace(day=1), as_of)
        probed.update(month.days)
    days = {day + timedelta(days=offset) for day in probed for offset in range(-around, around + 1)}
    return list(contiguous(day for day in days if settings.start_date <= day <= as_of))


def run_config(
    settings: Settings, as_of: date, *, only_open_days: bool, only_reachable_days: bool = False
) -> dict[str, Any]:
    """Give the run config that tells a run its day, and for which days partners are asked: see `RunDay`."""
    day = {
        "timezone": settings.reporting.timezone,
        "as_of_date": as_of.isoformat(),
        "only_open_days": only_open_days,
        "only_reachable_days": only_reachable_days,
    }
    return {"resources": {"run_day": {"config": day}}}


def refresh_schedule(job_name: str, settings: Settings) -> dg.ScheduleDefinition:
    """Make the schedule that re-imports the trailing window three times a day, one run a window."""

    @dg.schedule(
        job_name=job_name,
        cron_schedule=REFRESH_CRON,
        execution_timezone=settings.reporting.timezone,
        name="refresh_trailing_window",
        description="Asks every partner for its open days again, and settles the days that have closed since.",
    )
    def refresh(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
        as_of = context.scheduled_execution_time.astimezone(ZoneInfo(settings.reporting.timezone)).date()
        return [
            dg.RunRequest(
                run_key=f"{context.scheduled_execution_time.isoformat()} {window}",
                tags=run_tags(window),
                run_config=run_config(settings, as_of, only_open_days=True),
            )
            for window in refresh_windows(settings, as_of)
        ]

    return refresh


def page_schedule(job_name: str, settings: Settings) -> dg.ScheduleDefinition:
    """Make the schedule that writes the page of reports once a day: it costs what history holds."""

    @dg.schedule(
        job_name=job_name,
        cron_schedule=PAGE_CRON,
        execution_timezone=settings.reporting.timezone,
        name="write_page",
        description="Writes the page of reports anew from the published copy.",
    )
    def write(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        as_of = context.scheduled_execution_time.astimezone(ZoneInfo(settings.reporting.timezone)).date()
        return dg.RunRequest(run_config=run_config(settings, as_of, only_open_days=False))

    return write


def probe_schedule(job_name: str, settings: Settings) -> dg.ScheduleDefinition:
    """Make the schedule that asks again for days long closed; it is off until somebody turns it on."""

    @dg.schedule(
        job_name=job_name,
        cron_schedule=PROBE_CRON,
        execution_timezone=settings.reporting.timezone,
        name="probe_closed_days",
        description=(
            f"Asks again for the days of {' and '.join(map(str, PROBED_AGES))} days ago, on the first of a month for "
            "all of the month before, and for closed days that a partner says it changed. Changed ad revenue becomes a "
            "dated restatement, and a warning of reports/restatements; how soon each partner settles is what `status` "
            "recommends an import window from."
        ),
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )
    def probe(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
        as_of = context.scheduled_execution_time.astimezone(ZoneInfo(settings.reporting.timezone)).date()
        told = told_days(settings, as_of - timedelta(days=TOLD_DAYS - 1), as_of, context.log)
        return [
            dg.RunRequest(
                run_key=f"{context.scheduled_execution_time.isoformat()} {window}",
                tags=run_tags(window),
                run_config=run_config(settings, as_of, only_open_days=False, only_reachable_days=True),
            )
            for window in probe_windows(settings, as_of, told)
        ]

    return probe


def landing_sensor(job_name: str, settings: Settings) -> dg.SensorDefinition:
    """Make the sensor that runs the days which newly landed or changed files belong to."""

    @dg.sensor(
        job_name=job_name,
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        name="newly_landed_files",
        description=f"Runs the days of files landed or changed in the folders of the last {DAYS_WATCHED} days.",
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        as_of = settings.today()
        seen = json.loads(context.cursor) if context.cursor else {}
        now = landed_folders(settings, as_of)
        changed = [folder for folder, fingerprint in now.items() if seen.get(folder) != fingerprint]
        if not changed:
            return dg.SkipReason("nothing new in the landing folders")
        cursor = json.dumps(now)
        digest = hashlib.sha256(cursor.encode()).hexdigest()[:16]
        requests = [
            dg.RunRequest(
                run_key=f"{digest} {window}",
                tags=run_tags(window),
                run_config=run_config(settings, as_of, only_open_days=True),
            )
            for window in contiguous(affected_days(settings, changed, as_of))
        ]
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return look


def landed_folders(settings: Settings, as_of: date) -> dict[str, str]:
    """Give `dataset/date=…` -> a fingerprint of its files' names, sizes and times, for the days that are watched."""
    filesystem, root = fsspec.core.url_to_fs(settings.storage.landing)
    watched = {f"date={as_of - timedelta(days=age)}" for age in range(-1, DAYS_WATCHED)}
    # The runs themselves land these, and read them at once.
    own = {rates_file(partner) for partner in rate_publishers(settings)}
    folders = {}
    for dataset in (*LANDED, PARTNER_REVENUE_FILES):
        # Most datasets have few of these days, or none: one look tells which.
        for name in sorted(watched & _names_in(filesystem, f"{root.rstrip('/')}/{dataset.name}"), reverse=True):
            folder = f"{dataset.name}/{name}"
            entries = filesystem.ls(f"{root.rstrip('/')}/{folder}", detail=True)
            others = [entry for entry in entries if PurePosixPath(entry["name"]).name not in own]
            facts = sorted((entry["name"], entry["size"], str(_changed_at(entry))) for entry in others)
            folders[folder] = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return folders


def affected_days(settings: Settings, folders: Iterable[str], as_of: date) -> set[date]:
    """Give the days that a run must redo when these landing folders changed."""
    days = set()
    for folder in folders:
        dataset, _, day_text = folder.partition("/date=")
        day = date.fromisoformat(day_text)
        first = last = day
        if dataset == EVENTS.name:
            # A folder of events holds late ones of earlier days, and early ones of the next.
            first, last = day - timedelta(days=1 + settings.events.late_arrival_days), day + ONE_DAY
        elif dataset == FX_RATES.name:
            last = day + timedelta(days=OLDEST_RATE_DAYS)
        days.update(Window.between(first, last).days)
    return {day for day in days if settings.start_date <= day <= as_of}


def _names_in(filesystem: Any, folder: str) -> set[str]:
    try:
        return {PurePosixPath(path).name for path in filesystem.ls(folder, detail=False)}
    except (FileNotFoundError, NotADirectoryError):
        return set()


def _changed_at(entry: Mapping[str, Any]) -> Any:
    return entry.get("mtime") or entry.get("LastModified") or entry.get("last_modified") or entry.get("ETag")
