-- The verification ledger: the SDK's estimates held against what the partner reported.
-- Grain: one row per (report_date, partner, key); the key is the partner's grain columns, and user_id for user-level
-- partners. Columns outside the key are NULL; NULL matches NULL, but an unknown user matches nobody.
-- Money is in the reporting currency. Source: the import and verification rules of the data contract, section 3.
WITH impressions AS (
    SELECT
        events.report_date,
        coalesce(events.partner, 'unknown') AS partner,
        CASE WHEN partners.has_app_id THEN events.app_id END AS app_id,
        CASE WHEN partners.has_platform THEN events.platform END AS platform,
        CASE WHEN partners.has_country THEN events.country END AS country,
        CASE WHEN partners.has_ad_format THEN events.ad_format END AS ad_format,
        CASE WHEN partners.has_ad_unit_id THEN events.ad_unit_id END AS ad_unit_id,
        CASE WHEN partners.has_user_id THEN events.user_id END AS user_id,
        events.reporting_revenue AS estimate
    FROM raw.events AS events
    LEFT JOIN settings.partners AS partners ON partners.partner = events.partner
    WHERE
        events.event_name = 'ad_impression'
        AND events.report_date >= $start_date AND events.report_date < $end_date
        AND events.event_date >= $start_date - 1 AND events.event_date < $end_date + 1
),

partner_rows AS (
    SELECT
        revenue.report_date,
        revenue.partner,
        CASE WHEN partners.has_app_id THEN revenue.app_id END AS app_id,
        CASE WHEN partners.has_platform THEN revenue.platform END AS platform,
        CASE WHEN partners.has_country THEN revenue.country END AS country,
        CASE WHEN partners.has_ad_format THEN revenue.ad_format END AS ad_format,
        CASE WHEN partners.has_ad_unit_id THEN revenue.ad_unit_id END AS ad_unit_id,
        CASE WHEN partners.has_user_id THEN revenue.user_id END AS user_id,
        revenue.impressions,
        revenue.revenue,
        revenue.import_id
    FROM raw.partner_revenue AS revenue
    LEFT JOIN settings.partners AS partners ON partners.partner = revenue.partner
    WHERE revenue.report_date >= $start_date AND revenue.report_date < $end_date
),

-- Both sides one under the other: grouping matches NULL with NULL, on every engine.
sides AS (
    SELECT
        report_date, partner, app_id, platform, country, ad_format, ad_unit_id, user_id, 'sdk' AS side,
        count(*) AS sdk_impressions,
        count(estimate) AS estimated_impressions,
        sum(estimate) AS estimated_revenue,
        max(estimate) AS largest_estimate,
        CAST(NULL AS HUGEINT) AS partner_impressions,
        CAST(NULL AS DECIMAL(38, 9)) AS imported_revenue,
        CAST(NULL AS VARCHAR) AS import_id
    FROM impressions
    GROUP BY report_date, partner, app_id, platform, country, ad_format, ad_unit_id, user_id
    UNION ALL
    SELECT
        report_date, partner, app_id, platform, country, ad_format, ad_unit_id, user_id, 'partner' AS side,
        0 AS sdk_impressions,
        0 AS estimated_impressions,
        CAST(NULL AS DECIMAL(38, 9)) AS estimated_revenue,
        CAST(NULL AS DECIMAL(18, 9)) AS largest_estimate,
        sum(impressions) AS partner_impressions,
        sum(revenue) AS imported_revenue,
        max(import_id) AS import_id
    FROM partner_rows
    GROUP BY report_date, partner, app_id, platform, country, ad_format, ad_unit_id, user_id
),

keyed AS (
    SELECT
        sides.*,
        coalesce(partners.granularity, 'aggregated') AS granularity,
        coalesce(partners.import_window_days, $default_import_window_days) AS import_window_days,
        CASE WHEN partners.has_user_id AND sides.user_id IS NULL THEN sides.side END AS unmatchable_side
    FROM sides
    LEFT JOIN settings.partners AS partners ON partners.partner = sides.partner
),

matched AS (
    SELECT
        report_date, partner, granularity, import_window_days,
        app_id, platform, country, ad_format, ad_unit_id, user_id,
        sum(sdk_impressions) AS sdk_impressions,
        sum(estimated_impressions) AS estimated_impressions,
        coalesce(sum(estimated_revenue), 0) AS estimated_revenue,
        max(largest_estimate) AS largest_estimate,
        sum(partner_impressions) AS partner_impressions,
        sum(imported_revenue) AS imported_revenue,
        max(import_id) AS import_id
    FROM keyed
    GROUP BY
        report_date, partner, granularity, import_window_days,
        app_id, platform, country, ad_format, ad_unit_id, user_id, unmatchable_side
),

verified AS (
    SELECT
        *,
        CASE
            WHEN imported_revenue IS NOT NULL AND sdk_impressions > 0 THEN 'verified'
            WHEN imported_revenue IS NOT NULL AND granularity = 'user_level' THEN 'dropped'
            WHEN imported_revenue IS NOT NULL THEN 'unallocated'
            WHEN date_diff('day', report_date, $as_of) >= import_window_days THEN 'expired'
            ELSE 'estimated'
        END AS status
    FROM matched
)

SELECT
    CAST(report_date AS DATE) AS report_date, /* Day the partner books revenue on, in the partner's time zone. */
    CAST(partner AS VARCHAR) AS partner, /* The partner, or `unknown` where impressions name none. */
    CAST(granularity AS VARCHAR) AS granularity, /* `aggregated` or `user_level`, as set for the partner. */
    CAST(app_id AS VARCHAR) AS app_id, /* Our app id; NULL outside the partner's grain. */
    CAST(platform AS VARCHAR) AS platform, /* Operating system; NULL outside the grain. */
    CAST(country AS VARCHAR) AS country, /* Country code; NULL outside the grain. */
    CAST(ad_format AS VARCHAR) AS ad_format, /* Ad format; NULL outside the grain. */
    CAST(ad_unit_id AS VARCHAR) AS ad_unit_id, /* The placement; NULL outside the grain. */
    CAST(user_id AS VARCHAR) AS user_id, /* The user, for user-level partners. */
    CAST(sdk_impressions AS BIGINT) AS sdk_impressions, /* Ad impressions that events show for the key. */
    CAST(estimated_impressions AS BIGINT) AS estimated_impressions, /* Those of them that carry an estimate. */
    CAST(estimated_revenue AS DECIMAL(38, 9)) AS estimated_revenue, /* Sum of the estimates; 0 when there is none. */
    CAST(largest_estimate AS DECIMAL(18, 9)) AS largest_estimate, /* The largest single one; NULL when there is none. */
    CAST(partner_impressions AS BIGINT) AS partner_impressions, /* As the partner counts; NULL if it does not say. */
    CAST(imported_revenue AS DECIMAL(38, 9)) AS imported_revenue, /* What the partner reports; NULL = nothing imported. */
    CAST(status AS VARCHAR) AS status, /* verified, unallocated, dropped, estimated or expired. */
    CAST(
        CASE
            WHEN status IN ('verified', 'unallocated') THEN imported_revenue
            WHEN status = 'estimated' THEN estimated_revenue
            ELSE 0
        END AS DECIMAL(38, 9)
    ) AS settled_revenue, /* The money that counts now: imported, else still estimated, else 0. */
    CAST(import_id AS VARCHAR) AS import_id /* The batch the imported money came in. */
FROM verified
