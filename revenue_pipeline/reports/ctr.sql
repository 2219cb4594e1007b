-- CTR: clicks of people per adjusted open, by placement and container.
-- Grain: (event_date, level, container_id, ad_unit_id). Money is in the reporting currency; the ratio is NULL when its
-- denominator is 0. Over several days divide the sums, never average the ratios.
-- CTR = clicks / adjusted opens. Source: the RPM and CTR document, "CTR (Click Through Rate)".
SELECT
    CAST(event_date AS DATE) AS event_date, /* Day in the reporting time zone. */
    CAST(level AS VARCHAR) AS level, /* `placement` or `container`. */
    CAST(container_id AS VARCHAR) AS container_id, /* The property; NULL keeps what names none. */
    CAST(ad_unit_id AS VARCHAR) AS ad_unit_id, /* The placement; NULL on container rows. */
    CAST(served_ads AS BIGINT) AS served_ads, /* Ads delivered. */
    CAST(impressions AS BIGINT) AS impressions, /* Ads shown. */
    CAST(opens AS BIGINT) AS opens, /* Loads of the container or placement, automated ones included. */
    CAST(automated_opens AS BIGINT) AS automated_opens, /* Those of them that a machine did. */
    CAST(adjusted_opens AS DECIMAL(38, 9)) AS adjusted_opens, /* Opens less the discounted automated ones. */
    CAST(opens_level AS VARCHAR) AS opens_level, /* Whose opens were used: container or placement. */
    CAST(clicks AS BIGINT) AS clicks, /* Clicks of people. */
    CAST(automated_clicks AS BIGINT) AS automated_clicks, /* Clicks of machines, not counted in clicks. */
    CAST(revenue AS DECIMAL(38, 9)) AS revenue, /* What the impressions earned. */
    CAST(estimated_revenue AS DECIMAL(38, 9)) AS estimated_revenue, /* The part of it still an estimate. */
    CAST(is_final AS BOOLEAN) AS is_final, /* Whether every partner day in the revenue is closed. */
    CAST(
        CAST(clicks AS DOUBLE) / nullif(CAST(adjusted_opens AS DOUBLE), 0) AS DOUBLE
    ) AS ctr /* Clicks per adjusted open, as a share: 0.02 is two clicks in a hundred opens. */
FROM core.engagement_daily
WHERE event_date >= $start_date AND event_date < $end_date
