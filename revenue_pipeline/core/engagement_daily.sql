-- What placements and containers showed, what people did with it, and what it earned: the facts behind RPM and CTR.
-- Grain: (event_date, level, container_id, ad_unit_id), level `placement` or `container` (ad_unit_id NULL). Rows
-- without a container are kept under NULL; ads, clicks and money without an ad unit belong to the container alone.
-- Money is in the reporting currency. Source: the metric definitions of the RPM and CTR document, and the contract.
WITH actions AS (
    SELECT
        event_date,
        container_id,
        ad_unit_id,
        count(*) FILTER (WHERE event_name = 'ad_served') AS served_ads,
        count(*) FILTER (WHERE event_name = 'ad_impression') AS impressions,
        count(*) FILTER (WHERE event_name = 'open') AS opens,
        count(*) FILTER (WHERE event_name = 'open' AND is_automated) AS automated_opens,
        count(*) FILTER (WHERE event_name = 'ad_click' AND NOT coalesce(is_automated, FALSE)) AS clicks,
        count(*) FILTER (WHERE event_name = 'ad_click' AND is_automated) AS automated_clicks,
        CAST(0 AS DECIMAL(38, 9)) AS revenue,
        CAST(0 AS DECIMAL(38, 9)) AS estimated_revenue,
        0 AS open_partner_days
    FROM raw.events
    WHERE
        event_date >= $start_date AND event_date < $end_date
        AND event_name IN ('ad_served', 'ad_impression', 'open', 'ad_click')
    GROUP BY event_date, container_id, ad_unit_id
),

earnings_by_partner_day AS (
    SELECT
        event_date,
        container_id,
        ad_unit_id,
        partner,
        report_date,
        sum(revenue) AS revenue,
        coalesce(sum(revenue) FILTER (WHERE status = 'estimated'), 0) AS estimated_revenue
    FROM core.allocated_revenue
    WHERE
        event_date >= $start_date AND event_date < $end_date
        AND report_date >= $start_date - 1 AND report_date < $end_date + 1
    GROUP BY event_date, container_id, ad_unit_id, partner, report_date
),

earnings AS (
    SELECT
        earned.event_date,
        earned.container_id,
        earned.ad_unit_id,
        0 AS served_ads,
        0 AS impressions,
        0 AS opens,
        0 AS automated_opens,
        0 AS clicks,
        0 AS automated_clicks,
        earned.revenue,
        earned.estimated_revenue,
        CASE
            WHEN date_diff('day', earned.report_date, $as_of)
                >= coalesce(partners.import_window_days, $default_import_window_days) THEN 0
            ELSE 1
        END AS open_partner_days
    FROM earnings_by_partner_day AS earned
    LEFT JOIN settings.partners AS partners ON partners.partner = earned.partner
),

facts AS (
    SELECT * FROM actions
    UNION ALL
    SELECT * FROM earnings
),

placements AS (
    SELECT
        event_date, container_id, ad_unit_id,
        sum(served_ads) AS served_ads,
        sum(impressions) AS impressions,
        sum(opens) AS opens,
        sum(automated_opens) AS automated_opens,
        sum(clicks) AS clicks,
        sum(automated_clicks) AS automated_clicks,
        sum(revenue) AS revenue,
        sum(estimated_revenue) AS estimated_revenue,
        sum(open_partner_days) AS open_partner_days
    FROM facts
    GROUP BY event_date, container_id, ad_unit_id
),

containers AS (
    SELECT
        event_date, container_id,
        sum(served_ads) AS served_ads,
        sum(impressions) AS impressions,
        coalesce(sum(opens) FILTER (WHERE ad_unit_id IS NULL), 0) AS own_opens,
        coalesce(sum(automated_opens) FILTER (WHERE ad_unit_id IS NULL), 0) AS own_automated_opens,
        sum(opens) AS all_opens,
        sum(automated_opens) AS all_automated_opens,
        sum(clicks) AS clicks,
        sum(automated_clicks) AS automated_clicks,
        sum(revenue) AS revenue,
        sum(estimated_revenue) AS estimated_revenue,
        sum(open_partner_days) AS open_partner_days
    FROM placements
    GROUP BY event_date, container_id
),

-- Opens recorded on the container itself, or where there are none the sum over its placements.
opened_containers AS (
    SELECT
        *,
        CASE WHEN own_opens > 0 THEN own_opens ELSE all_opens END AS opens,
        CASE WHEN own_opens > 0 THEN own_automated_opens ELSE all_automated_opens END AS automated_opens,
        CASE WHEN own_opens > 0 THEN 'container' ELSE 'placement' END AS opens_level
    FROM containers
),

levels AS (
    SELECT
        event_date, 'container' AS level, container_id, CAST(NULL AS VARCHAR) AS ad_unit_id,
        served_ads, impressions, opens, automated_opens, opens_level, clicks, automated_clicks,
        revenue, estimated_revenue, open_partner_days
    FROM opened_containers
    UNION ALL
    SELECT
        placements.event_date, 'placement' AS level, placements.container_id, placements.ad_unit_id,
        placements.served_ads, placements.impressions,
        CASE WHEN placements.opens > 0 THEN placements.opens ELSE container.opens END AS opens,
        CASE
            WHEN placements.opens > 0 THEN placements.automated_opens ELSE container.automated_opens
        END AS automated_opens,
        CASE WHEN placements.opens > 0 THEN 'placement' ELSE 'container' END AS opens_level,
        placements.clicks, placements.automated_clicks,
        placements.revenue, placements.estimated_revenue, placements.open_partner_days
    FROM placements
    JOIN opened_containers AS container
        ON container.event_date = placements.event_date
        AND container.container_id IS NOT DISTINCT FROM placements.container_id
    WHERE placements.ad_unit_id IS NOT NULL
)

SELECT
    CAST(levels.event_date AS DATE) AS event_date, /* Day in the reporting time zone. */
    CAST(levels.level AS VARCHAR) AS level, /* `placement` or `container`. */
    CAST(levels.container_id AS VARCHAR) AS container_id, /* The property; NULL keeps what names none. */
    CAST(levels.ad_unit_id AS VARCHAR) AS ad_unit_id, /* The placement; NULL on container rows. */
    CAST(levels.served_ads AS BIGINT) AS served_ads, /* Ads delivered. */
    CAST(levels.impressions AS BIGINT) AS impressions, /* Ads shown. */
    CAST(levels.opens AS BIGINT) AS opens, /* Loads of the container or placement, automated ones included. */
    CAST(levels.automated_opens AS BIGINT) AS automated_opens, /* Those of them that a machine did. */
    CAST(
        levels.opens - levels.automated_opens * coalesce(containers.mpp_discount, $default_mpp_discount)
        AS DECIMAL(38, 9)
    ) AS adjusted_opens, /* opens - automated_opens * mpp_discount: what RPM and CTR divide by. */
    CAST(levels.opens_level AS VARCHAR) AS opens_level, /* Whose opens were used: container or placement. */
    CAST(levels.clicks AS BIGINT) AS clicks, /* Clicks of people. */
    CAST(levels.automated_clicks AS BIGINT) AS automated_clicks, /* Clicks of machines, not counted in clicks. */
    CAST(levels.revenue AS DECIMAL(38, 9)) AS revenue, /* What the impressions earned. */
    CAST(levels.estimated_revenue AS DECIMAL(38, 9)) AS estimated_revenue, /* The part of it still an estimate. */
    CAST(levels.open_partner_days = 0 AS BOOLEAN) AS is_final /* Whether every partner day in the revenue is closed. */
FROM levels
LEFT JOIN settings.containers AS containers ON containers.container_id = levels.container_id
