"""Which cells can be explained, and which queries give the parts of their numbers."""

from revenue_pipeline.explain.explanation import Component, Explanation

# What stands beside the money of a cell: the keys it is a share of, and what partners reported for them.
SETTLED = Component("settled revenue of its ledger keys", "settled_keys")
REPORTED = Component("what partners reported for those keys", "partner_rows", equals=SETTLED.title)
REVENUE = Component("revenue", "revenue", column="revenue")
ADJUSTED_OPENS = Component("adjusted opens", "adjusted_opens", column="adjusted_opens")

USER_DAY = Explanation(
    formula="revenue of a user's day = shares of ad revenue + what the app booked",
    components=[Component("revenue", "revenue"), SETTLED, REPORTED],
    selection="selected_revenue_of_user",
)

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
}
