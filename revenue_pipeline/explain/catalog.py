"""Which cells can be explained, and which queries give the parts of their numbers."""

from revenue_pipeline.explain.explanation import Component, Explanation

# What stands beside the money of a cell: the keys it is a share of, and what partners reported for them.
SETTLED = Component("settled revenue of its ledger keys", "settled_keys")
REPORTED = Component("what partners reported for those keys", "partner_rows", equals=SETTLED.title)
REVENUE = Component("revenue", "revenue", column="revenue")
CUMULATIVE_REVENUE = Component("cumulative revenue", "revenue", column="cumulative_revenue")
MEMBERS = Component("members", "cohort_members", column="users")
ADJUSTED_OPENS = Component("adjusted opens", "adjusted_opens", column="adjusted_opens")

USER_DAY = Explanation(
    formula="revenue of a user's day = shares of ad revenue + what the app booked",
    components=[Component("revenue", "revenue"), SETTLED, REPORTED],
    selection="selected_revenue_of_user",
)

MESSAGES = Explanation(
    formula=(
        "revenue_per_send = revenue / sends, epc = revenue / clicks, conversion_rate = conversions / clicks, "
        "roas = revenue / cost, roi = (revenue - cost) / cost"
    ),
    components=[
        Component("revenue", "message_revenue", column="revenue"),
        Component("cost", "message_cost", column="cost"),
        Component("sends", "message_sends", column="sends"),
        Component("clicks", "message_clicks", column="clicks"),
        Component("conversions", "message_conversions", column="conversions"),
    ],
    rows_of="core.message_activity_daily",
)

CONTRACTED = "reports.contracted_revenue"

EXPLANATIONS = {
    "reports.rpm": Explanation(
        formula="rpm = revenue / adjusted_opens * 1000",
        components=[REVENUE, ADJUSTED_OPENS, SETTLED, REPORTED],
        selection="selected_revenue_of_placement",
    ),
    "reports.ctr": Explanation(
        formula="ctr = clicks / adjusted_opens",
        components=[Component("clicks", "clicks", column="clicks"), ADJUSTED_OPENS],
    ),
    "reports.revenue": Explanation(
        formula="cumulative_revenue = revenue of the members on days 0 to N",
        components=[CUMULATIVE_REVENUE, SETTLED, REPORTED],
        selection="selected_revenue_of_cohort",
    ),
    "reports.roas": Explanation(
        formula="cumulative_roas = cumulative_revenue / cost",
        components=[CUMULATIVE_REVENUE, Component("cost", "cohort_cost", column="cost"), SETTLED, REPORTED],
        selection="selected_revenue_of_cohort",
    ),
    "reports.arpu": Explanation(
        formula="cumulative_arpu = cumulative_revenue / users",
        components=[CUMULATIVE_REVENUE, MEMBERS, SETTLED, REPORTED],
        selection="selected_revenue_of_cohort",
    ),
    "reports.arppu": Explanation(
        formula="cumulative_arppu = cumulative_revenue / paying_users",
        components=[
            CUMULATIVE_REVENUE,
            Component("paying members", "cohort_payers", column="paying_users"),
            SETTLED,
            REPORTED,
        ],
        selection="selected_revenue_of_cohort",
    ),
    "reports.ltv": Explanation(
        formula="ltv = revenue through day N / users",
        components=[REVENUE, MEMBERS, SETTLED, REPORTED],
        selection="selected_revenue_of_cohort",
    ),
    "reports.message_performance": MESSAGES,
    "reports.creative_performance": MESSAGES,
    "reports.offer_performance": MESSAGES,
    "reports.campaign_performance": MESSAGES,
    "reports.contact_value": MESSAGES,
    "reports.performance": MESSAGES,
    CONTRACTED: Explanation(
        formula=(
            "rate x contracted volume (CPM: / 1000) in the reporting currency, split by counted units (CPC: clicks, "
            "else impressions) of the line item's whole life; units of 10^-9 that are left over go to the first rows"
        ),
        components=[
            Component("contracted net revenue", "contracted_part", column="contracted_net_revenue"),
            Component("contracted gross revenue", "contracted_part", column="contracted_gross_revenue"),
            Component("contracted volume", "contracted_part", column="contracted_volume"),
            Component("impressions", "delivered_rows", column="impressions"),
            Component("clicks", "delivered_rows", column="clicks"),
            Component("net revenue of the line item's whole life", "contracted_life"),
        ],
        rows_now_of=(CONTRACTED, "line_item_id"),
    ),
    "reports.invoice_reconciliation": Explanation(
        formula="difference = invoiced_revenue - reported_revenue, difference_ratio = difference / reported_revenue",
        components=[
            Component("reported revenue", "reported_rows", column="reported_revenue"),
            Component("invoiced revenue", "invoices", column="invoiced_revenue"),
        ],
    ),
    "reports.estimate_discrepancy": Explanation(
        formula=(
            "gap = imported_revenue - estimated_revenue, gap_ratio = gap / estimated_revenue, "
            "coverage = impressions with an estimate / impressions"
        ),
        components=[
            Component("estimated revenue", "estimates", column="estimated_revenue"),
            Component("imported revenue", "partner_rows", column="imported_revenue"),
            Component("impressions", "covered_impressions"),
        ],
        selection="selected_impressions_of_estimates",
    ),
    "reports.restatements": Explanation(
        formula="change = revenue - revenue of the batch before",
        components=[
            Component("revenue", "batch_rows", column="revenue"),
            Component("change", "batch_changes", column="change"),
        ],
    ),
}
