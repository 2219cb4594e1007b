"""The tables of `core`: which days of which tables each reads, and what must hold of it. The SQL lies beside it."""

from revenue_pipeline.partitions import CREDITED, FOLLOWED, Reads
from revenue_pipeline.sql_asset import SqlTable, check_file

KEY = ("report_date", "partner", "app_id", "platform", "country", "ad_format", "ad_unit_id", "user_id")

MONEY = (
    SqlTable(
        name="core.reconciled_estimates",
        day="report_date",
        reads=[Reads("raw.events", before=1, after=1), Reads("raw.partner_revenue")],
        # An unknown user matches nobody, so one key may have an imported row and an estimated one.
        unique_by=[*KEY, "imported_revenue IS NULL"],
        sums=["estimated_revenue", "imported_revenue", "settled_revenue"],
        checks=[
            check_file("core", "partners_are_configured"),
            check_file("core", "estimates_are_near_imports"),
            check_file("core", "impressions_carry_estimates"),
        ],
    ),
    SqlTable(
        name="core.allocated_revenue",
        day="report_date",
        reads=[Reads("raw.events", before=1, after=1), Reads("core.reconciled_estimates")],
        sums=["revenue"],
        requires=[check_file("core", "keys_can_be_split")],
    ),
    SqlTable(
        name="core.revenue_conservation",
        day="report_date",
        reads=[
            Reads("raw.partner_revenue"),
            Reads("core.reconciled_estimates"),
            Reads("core.allocated_revenue"),
        ],
        unique_by=["report_date", "partner"],
        sums=["imported_revenue", "allocated_revenue", "difference", "allocation_difference"],
        checks=[check_file("core", "revenue_is_conserved", blocking=True)],
    ),
)
"""Written in one transaction: an impression that another run lands between two of them would break the certificate."""

ENGAGEMENT = (
    SqlTable(
        name="core.engagement_daily",
        day="event_date",
        reads=[
            Reads("raw.events"),
            Reads("core.allocated_revenue", before=1, after=1),
            # Read for its check only: a report never shows money that the certificate does not cover.
            Reads("core.revenue_conservation", before=1, after=1),
        ],
        unique_by=["event_date", "level", "container_id", "ad_unit_id"],
        sums=["estimated_revenue"],
    ),
)

COHORT = ("cohort_date", "start_event", "app_id", "platform", "country", "channel", "campaign_id")

COHORTS = (
    SqlTable(
        name="core.user_revenue_daily",
        day="event_date",
        reads=[
            Reads("raw.events"),
            Reads("core.allocated_revenue", before=1, after=1),
            # Read for its check only: a report never shows money that the certificate does not cover.
            Reads("core.revenue_conservation", before=1, after=1),
        ],
        unique_by=["event_date", "user_id", "app_id", "revenue_event"],
        sums=["revenue", "events"],
    ),
    SqlTable(
        name="core.cohort_members",
        day="cohort_date",
        reads=[Reads("raw.events")],
        unique_by=["cohort_date", "start_event", "user_id"],
    ),
    SqlTable(
        name="core.cohort_daily",
        day="event_date",
        # What a cohort has brought through a day depends on every day since it began: a day that is run again makes
        # the later days of its cohorts stale, and those alone.
        reads=[
            Reads("core.user_revenue_daily", before=FOLLOWED),
            Reads("core.cohort_members", before=FOLLOWED),
            Reads("raw.costs", before=FOLLOWED),
        ],
        unique_by=["event_date", *COHORT, "revenue_event"],
    ),
)

CLICKS = (
    SqlTable(
        name="core.message_clicks",
        day="click_date",
        # A message of any earlier day is found; nearly all clicks are on one of the last month.
        reads=[Reads("raw.link_clicks"), Reads("raw.message_sends", before=31)],
        unique_by=["click_id"],
    ),
)

CONVERSION = ("partner", "conversion_id")

CONVERSIONS = (
    SqlTable(
        name="core.repeated_conversions",
        day="event_date",
        # It looks at states of all days, before and after: `freshness.superseded_days` says which days that concerns.
        reads=[Reads("raw.conversions", before=1, after=1)],
        unique_by=[*CONVERSION, "position"],
    ),
    SqlTable(
        name="core.attributed_conversions",
        day="event_date",
        reads=[
            Reads("raw.conversions", before=1, after=1),
            Reads("raw.manual_revenue"),
            Reads("core.repeated_conversions"),
            # A click of any earlier day is found, but one before the longest window moves no money.
            Reads("core.message_clicks", before=CREDITED),
        ],
        unique_by=CONVERSION,
        sums=["revenue", "reporting_payout"],
        checks=[
            check_file("core", "conversions_are_conserved", blocking=True),
            check_file("core", "conversions_count_on_one_day"),
        ],
    ),
)

ACTIVITY = (
    SqlTable(
        name="core.message_activity_daily",
        day="event_date",
        reads=[
            Reads("raw.message_sends"),
            Reads("core.message_clicks"),
            Reads("core.attributed_conversions"),
        ],
        unique_by=["event_date", "message_id", "offer_id"],
        sums=["sends", "segments", "clicks", "conversions", "revenue"],
        checks=[check_file("core", "activity_is_complete", blocking=True)],
    ),
)

GROUPS = (MONEY, ENGAGEMENT, COHORTS, CLICKS, CONVERSIONS, ACTIVITY)
"""The tables of each group are written in one transaction, in this order."""

TABLES = tuple(table for group in GROUPS for table in group)
