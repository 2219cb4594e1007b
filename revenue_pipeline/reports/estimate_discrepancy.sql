-- How far the SDK's estimates lie from what partners report, over the keys that have both (verified).
-- Grain: one row per (report_date, partner, app_id); app_id is NULL where the partner's rows do not carry it.
-- Money is in the reporting currency; ratios are sum over sum, NULL where there is nothing to divide by.
-- Source: core.reconciled_estimates; the data contract, section 3.
WITH verified AS (
    SELECT
        report_date, partner, app_id,
        sum(estimated_revenue) AS estimated_revenue,
        sum(imported_revenue) AS imported_revenue,
        sum(sdk_impressions) AS sdk_impressions,
        sum(estimated_impressions) AS estimated_impressions
    FROM core.reconciled_estimates
    WHERE report_date >= $start_date AND report_date < $end_date AND status = 'verified'
    GROUP BY report_date, partner, app_id
)

SELECT
    CAST(report_date AS DATE) AS report_date, /* Day the partner books the revenue on. */
    CAST(partner AS VARCHAR) AS partner, /* The partner. */
    CAST(app_id AS VARCHAR) AS app_id, /* The app or site; NULL outside the partner's grain. */
    CAST(estimated_revenue AS DECIMAL(38, 9)) AS estimated_revenue, /* Sum of the SDK's estimates; 0 where it gave none. */
    CAST(imported_revenue AS DECIMAL(38, 9)) AS imported_revenue, /* What the partner reports for the same keys. */
    CAST(imported_revenue - estimated_revenue AS DECIMAL(38, 9)) AS gap, /* imported - estimated: below 0 the SDK promised too much. */
    CAST(
        CAST(imported_revenue - estimated_revenue AS DOUBLE) / nullif(CAST(estimated_revenue AS DOUBLE), 0) AS DOUBLE
    ) AS gap_ratio, /* gap / estimated. */
    CAST(
        CAST(estimated_impressions AS DOUBLE) / nullif(CAST(sdk_impressions AS DOUBLE), 0) AS DOUBLE
    ) AS coverage /* Share of the impressions that carry an estimate. */
FROM verified
