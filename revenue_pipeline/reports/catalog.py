"""The tables of `reports`: which days of which tables each reads, and what must hold of it. The SQL lies beside it."""

from revenue_pipeline.partitions import Reads
from revenue_pipeline.sql_asset import SqlTable

PLACEMENT = ("event_date", "level", "container_id", "ad_unit_id")
SHOWN = ("event_date", "container_id", "ad_unit_id", "adjusted_opens")

ADVERTISING = (
    SqlTable(
        name="reports.rpm",
        day="event_date",
        reads=[Reads("core.engagement_daily")],
        unique_by=PLACEMENT,
        ratios=["rpm", "ecpm"],
        headline=[*SHOWN, "revenue", "is_final", "rpm", "ecpm"],
    ),
    SqlTable(
        name="reports.ctr",
        day="event_date",
        reads=[Reads("core.engagement_daily")],
        unique_by=PLACEMENT,
        ratios=["ctr"],
        headline=[*SHOWN, "clicks", "is_final", "ctr"],
    ),
)

GROUPS = (ADVERTISING,)
"""The tables of each group are written in one transaction, in this order."""

TABLES = tuple(table for group in GROUPS for table in group)
