"""The tables of `reports`: which days of which tables each reads, and what must hold of it. The SQL lies beside it.

And the macros: the questions that people put to those tables and to the facts of `core`.
"""

from revenue_pipeline.partitions import Reads
from revenue_pipeline.sql_asset import SqlTable, check_file
from revenue_pipeline.sql_macro import SqlMacro

PLACEMENT = ("event_date", "level", "container_id", "ad_unit_id")
SHOWN = ("event_date", "container_id", "ad_unit_id", "adjusted_opens")

ADVERTISING = (
    SqlTable(
        name="reports.rpm",
        day="event_date",
        reads=[Reads("core.engagement_daily")],
        unique_by=PLACEMENT,
        explained_by="revenue",
        ratios=["rpm", "ecpm"],
        headline=[*SHOWN, "revenue", "is_final", "rpm", "ecpm"],
    ),
    SqlTable(
        name="reports.ctr",
        day="event_date",
        reads=[Reads("core.engagement_daily")],
        unique_by=PLACEMENT,
        explained_by="clicks",
        ratios=["ctr"],
        headline=[*SHOWN, "clicks", "is_final", "ctr"],
    ),
)

DIMENSIONS = ("app_id", "platform", "country", "channel", "campaign_id")
DAY_OF_COHORTS = [Reads("core.cohort_daily")]
CELL = ("event_date", "cohort_date", "start_event", "revenue_event", *DIMENSIONS)

COHORTS = (
    SqlTable(
        name="reports.revenue",
        day="event_date",
        reads=DAY_OF_COHORTS,
        unique_by=CELL,
        explained_by="cumulative_revenue",
    ),
    SqlTable(
        name="reports.roas",
        day="event_date",
        reads=DAY_OF_COHORTS,
        unique_by=CELL,
        explained_by="cumulative_revenue",
        ratios=["roas", "cumulative_roas"],
    ),
    SqlTable(
        name="reports.arpu",
        day="event_date",
        reads=DAY_OF_COHORTS,
        unique_by=CELL,
        explained_by="cumulative_revenue",
        ratios=["arpu", "cumulative_arpu"],
    ),
    SqlTable(
        name="reports.arppu",
        day="event_date",
        reads=DAY_OF_COHORTS,
        unique_by=CELL,
        explained_by="cumulative_revenue",
        ratios=["arppu", "cumulative_arppu"],
    ),
    SqlTable(
        name="reports.ltv",
        day="event_date",
        reads=DAY_OF_COHORTS,
        unique_by=[*CELL, "horizon"],
        explained_by="revenue",
        ratios=["ltv"],
    ),
)
"""The cells behind the cohort reports, all of the same facts; a person asks for them with `reports.revenue_report`."""

ACTIVITY = "core.message_activity_daily"
COUNTED = ("sends", "segments", "clicks", "conversions", "revenue")
MESSAGE_RATIOS = ("revenue_per_send", "epc", "conversion_rate", "roas", "roi")
SHOWN_OF_MESSAGES = (*COUNTED, "cost", *MESSAGE_RATIOS)

MESSAGES = (
    SqlTable(
        name="reports.message_performance",
        day="event_date",
        reads=[Reads(ACTIVITY)],
        unique_by=["event_date", "message_id"],
        explained_by="revenue",
        headline=["event_date", "message_id", *SHOWN_OF_MESSAGES],
        ratios=MESSAGE_RATIOS,
        conserves=(ACTIVITY, COUNTED),
    ),
    SqlTable(
        name="reports.creative_performance",
        day="event_date",
        reads=[Reads(ACTIVITY)],
        unique_by=["event_date", "creative_id"],
        explained_by="revenue",
        headline=["event_date", "creative_id", *SHOWN_OF_MESSAGES],
        ratios=MESSAGE_RATIOS,
        conserves=(ACTIVITY, COUNTED),
    ),
    SqlTable(
        name="reports.offer_performance",
        day="event_date",
        reads=[Reads(ACTIVITY)],
        unique_by=["event_date", "offer_id"],
        explained_by="revenue",
        headline=["event_date", "offer_id", *SHOWN_OF_MESSAGES],
        ratios=MESSAGE_RATIOS,
        conserves=(ACTIVITY, COUNTED),
    ),
    SqlTable(
        name="reports.campaign_performance",
        day="event_date",
        reads=[Reads(ACTIVITY)],
        unique_by=["event_date", "campaign_id"],
        explained_by="revenue",
        headline=["event_date", "campaign_id", *SHOWN_OF_MESSAGES],
        ratios=MESSAGE_RATIOS,
        conserves=(ACTIVITY, COUNTED),
    ),
    SqlTable(
        name="reports.contact_value",
        day="event_date",
        reads=[Reads(ACTIVITY)],
        unique_by=["event_date", "contact_id"],
        explained_by="revenue",
        headline=["event_date", "contact_id", *SHOWN_OF_MESSAGES],
        ratios=MESSAGE_RATIOS,
        conserves=(ACTIVITY, COUNTED),
    ),
    SqlTable(
        name="reports.performance",
        day="event_date",
        reads=[Reads(ACTIVITY)],
        unique_by=["event_date", "creative_id", "offer_id", "campaign_id", "sending_list", "custom"],
        explained_by="revenue",
        headline=["event_date", "creative_id", "offer_id", "campaign_id", "sending_list", "custom", *SHOWN_OF_MESSAGES],
        ratios=MESSAGE_RATIOS,
        conserves=(ACTIVITY, COUNTED),
    ),
)

CONTRACTS = (
    SqlTable(
        name="reports.contracted_revenue",
        day="delivery_date",
        is_whole=True,
        reads=[Reads("raw.line_items"), Reads("raw.line_item_delivery")],
        unique_by=["line_item_id", "delivery_date", "ad_unit_id", "custom_criteria"],
        explained_by="impressions",
        sums=["contracted_net_revenue", "contracted_gross_revenue"],
        headline=[
            "line_item_id",
            "delivery_date",
            "ad_unit_id",
            "custom_criteria",
            "impressions",
            "clicks",
            "contracted_net_revenue",
            "contracted_gross_revenue",
            "contracted_volume",
        ],
        checks=[
            check_file("reports", "contracted_revenue_is_conserved", blocking=True),
            check_file("reports", "delivery_has_a_contract"),
        ],
    ),
)

INVOICES = (
    SqlTable(
        name="reports.invoice_reconciliation",
        day="period_start",
        is_whole=True,
        reads=[Reads("raw.invoices"), Reads("raw.partner_revenue")],
        unique_by=["partner", "period_start", "period_end"],
        explained_by="reported_revenue",
        sums=["reported_revenue", "invoiced_revenue"],
        ratios=["difference_ratio"],
        headline=[
            "partner",
            "period_start",
            "period_end",
            "reported_revenue",
            "invoiced_revenue",
            "difference",
            "difference_ratio",
            "status",
        ],
    ),
)

ESTIMATES = (
    SqlTable(
        name="reports.estimate_discrepancy",
        day="report_date",
        reads=[Reads("core.reconciled_estimates")],
        unique_by=["report_date", "partner", "app_id"],
        explained_by="imported_revenue",
        sums=["estimated_revenue", "imported_revenue", "gap"],
        ratios=["gap_ratio", "coverage"],
        headline=[
            "report_date",
            "partner",
            "app_id",
            "estimated_revenue",
            "imported_revenue",
            "gap",
            "gap_ratio",
            "coverage",
        ],
    ),
)

RESTATEMENTS = (
    SqlTable(
        name="reports.restatements",
        day="report_date",
        is_whole=True,
        reads=[Reads("raw.partner_imports")],
        unique_by=["partner", "report_date", "imported_at"],
        explained_by="change",
        headline=["partner", "report_date", "imported_at", "age_days", "revenue", "change"],
        checks=[check_file("reports", "closed_days_stand")],
    ),
)

GROUPS = (ADVERTISING, COHORTS, MESSAGES, CONTRACTS, INVOICES, ESTIMATES, RESTATEMENTS)
"""The tables of each group are written in one transaction, in this order."""

TABLES = tuple(table for group in GROUPS for table in group)

RANGE = ("start_date", "end_date", "granularity")
COHORTS_ASKED = ("start_event", "revenue_event", "as_of")

MACROS = (
    SqlMacro("reports.revenue_reports", ["dimension", *RANGE, *COHORTS_ASKED]),
    SqlMacro("reports.revenue_report_by", ["dimension", *RANGE, "view_type", *COHORTS_ASKED]),
    SqlMacro("reports.revenue_report", [*RANGE, "view_type", *COHORTS_ASKED]),
    SqlMacro("reports.ltv_report_by", ["dimension", *RANGE, *COHORTS_ASKED]),
    SqlMacro("reports.ltv_report", [*RANGE, *COHORTS_ASKED]),
    SqlMacro(
        "reports.contracted_report",
        ["dimension"],
        headline=[
            *("row_kind", "dimension_value", "impressions", "clicks", "displayed_contracted_net_revenue"),
            *("displayed_contracted_gross_revenue", "displayed_contracted_volume"),
        ],
    ),
    SqlMacro(
        "reports.settlement_curves",
        [],
        headline=["partner", "age_days", "report_dates", "known_revenue", "final_revenue", "settled_share"],
    ),
    SqlMacro("reports.recommended_import_windows", []),
    SqlMacro(
        "reports.performance_report",
        ["start_date", "end_date", "dimension"],
        headline=["dimension_value", *SHOWN_OF_MESSAGES],
    ),
    SqlMacro(
        "reports.troubleshoot",
        ["start_date", "end_date"],
        headline=["question", "finding", "partner", "offer_id", "found", "out_of", "revenue", "example"],
    ),
)
"""Each after those it calls."""
