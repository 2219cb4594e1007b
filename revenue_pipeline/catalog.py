"""Every table there is, gathered from the rooms: what the warehouse makes, what is published, what SQL may read."""

from __future__ import annotations

from functools import lru_cache

from revenue_pipeline import core, reports
from revenue_pipeline.raw.datasets import LANDED, REJECTED_ROWS
from revenue_pipeline.raw.imports import DESTINATIONS, PARTNER_IMPORTS
from revenue_pipeline.warehouse import WRITTEN_DAYS, Table

CERTIFICATE = "core.revenue_conservation"


@lru_cache(maxsize=1)
def all_tables() -> tuple[Table, ...]:
    """Every table of the rooms, those that come first in the flow first."""
    raw = [dataset.table for dataset in LANDED]
    imported = [table for each in DESTINATIONS.values() for table in (each.table, each.history) if table]
    raw += [table for table in imported if table not in raw]
    raw += [PARTNER_IMPORTS, REJECTED_ROWS]
    return (*raw, *(table.table for table in (*core.TABLES, *reports.TABLES)))


def published_tables() -> list[Table]:
    """What the published copy holds: the reports, and what tells how far they can be trusted."""
    certificate = [table.table for table in core.TABLES if table.name == CERTIFICATE]
    return [*(table.table for table in reports.TABLES), *certificate, PARTNER_IMPORTS, REJECTED_ROWS, WRITTEN_DAYS]
