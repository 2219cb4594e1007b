-- The certificate that no digit was lost: imported money against the ledger, and the ledger against the allocation.
-- Grain: one row per (report_date, partner) with anything on it. Money is in the reporting currency; both
-- differences are exactly 0, and blocking checks hold them there. Source: the data contract, section 3.
WITH imported AS (
    SELECT report_date, partner, sum(revenue) AS imported_revenue
    FROM raw.partner_revenue
    WHERE report_date >= $start_date AND report_date < $end_date
    GROUP BY report_date, partner
),

ledger AS (
    SELECT
        report_date,
        partner,
        coalesce(sum(settled_revenue) FILTER (WHERE status = 'verified'), 0) AS verified_revenue,
        coalesce(sum(settled_revenue) FILTER (WHERE status = 'unallocated'), 0) AS unallocated_revenue,
        coalesce(sum(imported_revenue) FILTER (WHERE status = 'dropped'), 0) AS dropped_revenue,
        coalesce(sum(settled_revenue) FILTER (WHERE status = 'estimated'), 0) AS estimated_revenue,
        coalesce(sum(estimated_revenue) FILTER (WHERE status = 'expired'), 0) AS expired_revenue,
        count(*) FILTER (WHERE status = 'estimated') AS estimated_keys,
        sum(sdk_impressions) AS sdk_impressions,
        sum(estimated_impressions) AS estimated_impressions
    FROM core.reconciled_estimates
    WHERE report_date >= $start_date AND report_date < $end_date
    GROUP BY report_date, partner
),

allocated AS (
    SELECT report_date, partner, sum(revenue) AS allocated_revenue
    FROM core.allocated_revenue
    WHERE report_date >= $start_date AND report_date < $end_date
    GROUP BY report_date, partner
),

partner_days AS (
    SELECT report_date, partner FROM imported
    UNION
    SELECT report_date, partner FROM ledger
    UNION
    SELECT report_date, partner FROM allocated
),

certificate AS (
    SELECT
        partner_days.report_date,
        partner_days.partner,
        coalesce(imported.imported_revenue, 0) AS imported_revenue,
        coalesce(ledger.verified_revenue, 0) AS verified_revenue,
        coalesce(ledger.unallocated_revenue, 0) AS unallocated_revenue,
        coalesce(ledger.dropped_revenue, 0) AS dropped_revenue,
        coalesce(ledger.estimated_revenue, 0) AS estimated_revenue,
        coalesce(ledger.expired_revenue, 0) AS expired_revenue,
        coalesce(allocated.allocated_revenue, 0) AS allocated_revenue,
        coalesce(ledger.estimated_keys, 0) AS estimated_keys,
        coalesce(ledger.sdk_impressions, 0) AS sdk_impressions,
        coalesce(ledger.estimated_impressions, 0) AS estimated_impressions,
        date_diff('day', partner_days.report_date, $as_of)
        >= coalesce(partners.import_window_days, $default_import_window_days) AS is_closed
    FROM partner_days
    LEFT JOIN imported
        ON imported.report_date = partner_days.report_date AND imported.partner = partner_days.partner
    LEFT JOIN ledger ON ledger.report_date = partner_days.report_date AND ledger.partner = partner_days.partner
    LEFT JOIN allocated
        ON allocated.report_date = partner_days.report_date AND allocated.partner = partner_days.partner
    LEFT JOIN settings.partners AS partners ON partners.partner = partner_days.partner
)

SELECT
    CAST(report_date AS DATE) AS report_date, /* Day the partner books revenue on. */
    CAST(partner AS VARCHAR) AS partner, /* The partner. */
    CAST(imported_revenue AS DECIMAL(38, 9)) AS imported_revenue, /* What the partner reports, from raw. */
    CAST(verified_revenue AS DECIMAL(38, 9)) AS verified_revenue, /* Of it: confirmed for impressions that were seen. */
    CAST(unallocated_revenue AS DECIMAL(38, 9)) AS unallocated_revenue, /* Of it: for keys without an impression. */
    CAST(dropped_revenue AS DECIMAL(38, 9)) AS dropped_revenue, /* Of it: user-level money whose ids did not match. */
    CAST(estimated_revenue AS DECIMAL(38, 9)) AS estimated_revenue, /* Not imported yet: estimates of open days. */
    CAST(expired_revenue AS DECIMAL(38, 9)) AS expired_revenue, /* Estimates that no import confirmed in time. */
    CAST(allocated_revenue AS DECIMAL(38, 9)) AS allocated_revenue, /* What the allocation gives to events. */
    CAST(
        imported_revenue - verified_revenue - unallocated_revenue - dropped_revenue AS DECIMAL(38, 9)
    ) AS difference, /* imported - verified - unallocated - dropped: exactly 0. */
    CAST(
        allocated_revenue - verified_revenue - unallocated_revenue - estimated_revenue AS DECIMAL(38, 9)
    ) AS allocation_difference, /* allocated - verified - unallocated - estimated: exactly 0. */
    CAST(estimated_keys AS BIGINT) AS estimated_keys, /* Ledger rows that are still estimates. */
    CAST(sdk_impressions AS BIGINT) AS sdk_impressions, /* Ad impressions that events show. */
    CAST(estimated_impressions AS BIGINT) AS estimated_impressions, /* Those of them that carry an estimate. */
    CAST(is_closed AS BOOLEAN) AS is_closed /* Whether the import window had passed when this was computed. */
FROM certificate
