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

DIMENSIONS = ("app_id", "platform", "country", "channel", "campaign_id")
DAY_OF_COHORTS = [Reads("core.cohort_daily")]
CELL = ("event_date", "cohort_date", "start_event", "revenue_event", *DIMENSIONS)

COHORTS = (
    SqlTable(name="reports.revenue", day="event_date", reads=DAY_OF_COHORTS, unique_by=CELL),
    SqlTable(
        name="reports.roas",
        day="event_date",
        reads=DAY_OF_COHORTS,
        unique_by=CELL,
        ratios=["roas", "cumulative_roas"],
    ),
    SqlTable(
        name="reports.arpu",
        day="event_date",
        reads=DAY_OF_COHORTS,
        unique_by=CELL,
        ratios=["arpu", "cumulative_arpu"],
    ),
    SqlTable(
        name="reports.arppu",
        day="event_date",
        reads=DAY_OF_COHORTS,
        unique_by=CELL,
        ratios=["arppu", "cumulative_arppu"],
    ),
    SqlTable(
        name="reports.ltv",
        day="event_date",
        reads=DAY_OF_COHORTS,
        unique_by=[*CELL, "horizon"],
        ratios=["ltv"],
    ),
)
"""The cells behind the cohort reports, all of the same facts; a person asks for them with `reports.revenue_report`."""

GROUPS = (ADVERTISING, COHORTS)
"""The tables of each group are written in one transaction, in this order."""

TABLES = tuple(table for group in GROUPS for table in group)
