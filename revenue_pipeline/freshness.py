"""What can be said of how far numbers can be trusted: partner days, and days that are stale."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb

from revenue_pipeline import core, reports
from revenue_pipeline.catalog import CERTIFICATE
from revenue_pipeline.partitions import contiguous, is_closed
from revenue_pipeline.publish import PublishedCopy
from revenue_pipeline.raw.imports import PARTNER_IMPORTS
from revenue_pipeline.raw.slices import slices
from revenue_pipeline.settings import Settings
from revenue_pipeline.sql_asset import SqlTable
from revenue_pipeline.warehouse import WRITTEN_DAYS

ATTRIBUTED, REPEATED = "core.attributed_conversions", "core.repeated_conversions"
SUPERSEDED_DAYS = f"""
    WITH written AS (SELECT day, sequence FROM {WRITTEN_DAYS.name} WHERE table_name = '{ATTRIBUTED}'),
    states AS (
        SELECT partner, conversion_id, event_date, counted_on, sequence
        FROM {REPEATED} JOIN written ON day = event_date
    ),
    counted AS (
        SELECT partner, conversion_id, event_date, sequence
        FROM {ATTRIBUTED} JOIN written ON day = event_date
        WHERE (partner, conversion_id) IN (SELECT (partner, conversion_id) FROM states)
    ),
    -- Of two days that count one conversion, the one that was run last has seen the state of the other.
    counted_twice AS (
        SELECT counted.event_date
        FROM counted JOIN counted AS newer USING (partner, conversion_id)
        WHERE newer.sequence > counted.sequence
    ),
    counted_nowhere AS (
        SELECT states.event_date
        FROM states
        JOIN written AS moved_to ON moved_to.day = states.counted_on AND moved_to.sequence > states.sequence
        LEFT JOIN counted USING (partner, conversion_id)
        WHERE counted.event_date IS NULL
    )
    SELECT event_date FROM counted_twice UNION SELECT event_date FROM counted_nowhere ORDER BY event_date
"""


@dataclass(frozen=True)
class PartnerDay:
    """How far one partner's day can be trusted.

    `verified_share`, `estimated_share`, `expired_share` are of the money that the day has or had: imported money and
    estimates; None where there is none. `difference` is what conservation lost: exactly 0. A partner that gives no ad
    revenue is not in the ledger: of its days only the import is told, and both amounts are None.
    """

    partner: str
    report_date: date
    is_closed: bool
    last_imported_at: datetime | None
    import_error: str | None
    imported_revenue: Decimal | None
    verified_share: float | None
    estimated_share: float | None
    expired_share: float | None
    difference: Decimal | None


@dataclass(frozen=True)
class Settlement:
    """How soon one partner's days come to have their final value, as far as days that were asked for again tell.

    `settled_shares` is days of age -> the share of the final value that was known by then. The recommended window is
    None where days still moved at the last age that is known.
    """

    partner: str
    import_window_days: int
    recommended_import_window_days: int | None
    report_dates: int
    settled_shares: Mapping[int, float]


@dataclass(frozen=True)
class StaleDay:
    """A day of a table that was computed before something that it reads was written again.

    Of a table that every run replaces whole, `day` is the as-of date of the last that did.
    """

    table: str
    day: date
    newer: str


def partner_days(
    settings: Settings, as_of: date, start: date | None = None, end: date | None = None
) -> list[PartnerDay]:
    """Give every known partner day from `start` to `end`, both included, newest first.

    Raises:
        FileNotFoundError: nothing was published yet.
    """
    rows = (
        PublishedCopy(settings.storage.warehouse)
        .read(
            f"""
            WITH imports AS (
                SELECT
                    report_date, partner,
                    max(imported_at) FILTER (WHERE error IS NULL) AS last_imported_at,
                    arg_max(coalesce(error, ''), imported_at) AS last_error
                FROM {PARTNER_IMPORTS.name} GROUP BY report_date, partner
            )
            SELECT
                partner, report_date, last_imported_at, nullif(last_error, '') AS import_error,
                certificate.partner IS NOT NULL AS is_in_ledger,
                coalesce(imported_revenue, 0), coalesce(verified_revenue, 0), coalesce(estimated_revenue, 0),
                coalesce(expired_revenue, 0), coalesce(abs(difference) + abs(allocation_difference), 0)
            FROM {CERTIFICATE} AS certificate FULL JOIN imports USING (report_date, partner)
            WHERE report_date BETWEEN coalesce($start, report_date) AND coalesce($end, report_date)
            ORDER BY report_date DESC, partner
            """,
            {"start": start, "end": end},
        )
        .fetchall()
    )
    return [_partner_day(settings, as_of, *row) for row in rows]


def _partner_day(
    settings: Settings,
    as_of: date,
    partner: str,
    day: date,
    imported_at: datetime | None,
    error: str | None,
    is_in_ledger: bool,
    imported: Decimal,
    verified: Decimal,
    estimated: Decimal,
    expired: Decimal,
    difference: Decimal,
) -> PartnerDay:
    set_up = settings.partners.get(partner)
    has_revenue = is_in_ledger or (set_up is not None and set_up.granularity is not None)
    money = abs(imported) + estimated + expired

    def share(part: Decimal) -> float | None:
        return float(part / money) if money else None

    return PartnerDay(
        partner=partner,
        report_date=day,
        is_closed=is_closed(day, as_of, settings.window_days(partner)),
        last_imported_at=imported_at,
        import_error=error,
        imported_revenue=imported if has_revenue else None,
        verified_share=share(verified),
        estimated_share=share(estimated),
        expired_share=share(expired),
        difference=difference if has_revenue else None,
    )


def settlements(settings: Settings) -> list[Settlement]:
    """Give what the log of imports tells of how soon partners settle; a partner of which it tells nothing is left out.

    Raises:
        FileNotFoundError: nothing was published yet.
    """
    copy = PublishedCopy(settings.storage.warehouse)
    known: dict[str, dict[int, float]] = defaultdict(dict)
    for partner, age, share in copy.read(
        "SELECT partner, age_days, settled_share FROM reports.settlement_curves() WHERE settled_share IS NOT NULL"
    ).fetchall():
        known[partner][age] = share
    windows = copy.read(
        "SELECT partner, report_dates, recommended_import_window_days FROM "
        "reports.recommended_import_windows() ORDER BY partner"
    ).fetchall()
    return [
        Settlement(
            partner=partner,
            import_window_days=settings.window_days(partner),
            recommended_import_window_days=recommended,
            report_dates=report_dates,
            settled_shares=known[partner],
        )
        for partner, report_dates, recommended in windows
    ]


def stale_days(settings: Settings) -> list[StaleDay]:
    """Give the days to run again: something that they read was written after them.

    Raises:
        FileNotFoundError: nothing was published yet.
    """
    rows = (
        PublishedCopy(settings.storage.warehouse)
        .read(f"SELECT table_name, day, sequence FROM {WRITTEN_DAYS.name}")
        .fetchall()
    )
    written: dict[tuple[str, date], int] = {(table, day): sequence for table, day, sequence in rows}
    slices_of = {name: [each.written for each in found] for name, found in slices(settings).items()}
    found = []
    for table in (*core.TABLES, *reports.TABLES):
        days = {day: sequence for (name, day), sequence in written.items() if name == table.name}
        if table.is_whole and days:
            last = max(days, key=lambda day: days[day])
            days = {last: days[last]}
        for day, sequence in days.items():
            newer: dict[str, list[date]] = {}
            for source, source_day in _sources(table, day, settings, slices_of, written):
                if written.get((source, source_day), 0) > sequence:
                    newer.setdefault(source, []).append(source_day)
            if newer:
                told = [f"{source} {window}" for source, days in newer.items() for window in contiguous(days)]
                found.append(StaleDay(table.name, day, ", ".join(told)))
    moved = "a conversion of the day has moved to another one, or back"
    found += [StaleDay(ATTRIBUTED, day, moved) for day in superseded_days(settings)]
    return sorted(found, key=lambda stale: (stale.day, stale.table))


def superseded_days(settings: Settings) -> list[date]:
    """Give the days whose conversions have moved: each still counts one that now counts on another day, or does not
    count one that the day it had moved to has lost again. Running the day again puts it right.

    Raises:
        FileNotFoundError: nothing was published yet.
    """
    try:
        rows = PublishedCopy(settings.storage.warehouse).read(SUPERSEDED_DAYS).fetchall()
    except duckdb.CatalogException:
        return []  # published before there were conversions: the next run publishes them
    return [row[0] for row in rows]


def _sources(
    table: SqlTable,
    day: date,
    settings: Settings,
    slices_of: Mapping[str, Sequence[str]],
    written: Mapping[tuple[str, date], int],
) -> Iterator[tuple[str, date]]:
    """Give what the day `day` of a table is computed from: the slices of tables, and their days."""
    for read in table.reads:
        names = slices_of.get(read.table, [read.table])
        if table.is_whole:
            yield from ((name, source_day) for name, source_day in written if name in names)
            continue
        for offset in range(-read.days_before(settings.reach), read.after + 1):
            for name in names:
                yield name, day + timedelta(days=offset)
