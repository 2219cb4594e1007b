-- How messages did over a range of days, both included, by one dimension: creative, offer, campaign, sending_list,
-- message, contact (or the names of their columns), date, or a custom one such as custom.state.
-- Ask: SELECT * FROM reports.performance_report(DATE '2026-11-01', DATE '2026-11-30', 'creative').
-- Grain: one row per value of the dimension; NULL keeps what has none. Money is in the reporting currency; ratios are
-- sums over sums, NULL when the denominator is 0.
-- Source: "Performance Report" of the message tracking document; data contract, section 3, "Affiliate messages".
WITH facts AS (
    SELECT
        CASE
            WHEN $dimension = 'date' THEN CAST(event_date AS VARCHAR)
            WHEN $dimension IN ('creative', 'creative_id') THEN creative_id
            WHEN $dimension IN ('offer', 'offer_id') THEN offer_id
            WHEN $dimension IN ('campaign', 'campaign_id') THEN campaign_id
            WHEN $dimension = 'sending_list' THEN sending_list
            WHEN $dimension LIKE 'custom.%' THEN custom ->> substring($dimension, 8)
            ELSE error(
                'there is no dimension ' || $dimension || '; there are creative, offer, campaign, sending_list, message, '
                || 'contact, date and custom.<name>'
            )
        END AS dimension_value,
        sends, segments, clicks, conversions, revenue, cost
    FROM reports.performance
    WHERE
        event_date >= $start_date AND event_date <= $end_date
        AND $dimension NOT IN ('message', 'message_id', 'contact', 'contact_id')
    UNION ALL
    SELECT message_id AS dimension_value, sends, segments, clicks, conversions, revenue, cost
    FROM reports.message_performance
    WHERE event_date >= $start_date AND event_date <= $end_date AND $dimension IN ('message', 'message_id')
    UNION ALL
    SELECT contact_id AS dimension_value, sends, segments, clicks, conversions, revenue, cost
    FROM reports.contact_value
    WHERE event_date >= $start_date AND event_date <= $end_date AND $dimension IN ('contact', 'contact_id')
),

sums AS (
    SELECT
        dimension_value,
        sum(sends) AS sends,
        sum(segments) AS segments,
        sum(clicks) AS clicks,
        sum(conversions) AS conversions,
        sum(revenue) AS revenue,
        sum(cost) AS cost
    FROM facts
    GROUP BY dimension_value
)

SELECT
    CAST(dimension_value AS VARCHAR) AS dimension_value, /* The creative, offer, … or custom value. */
    CAST(sends AS BIGINT) AS sends, /* Messages sent in the range. */
    CAST(segments AS BIGINT) AS segments, /* Billed parts of them. */
    CAST(clicks AS BIGINT) AS clicks, /* Clicks in the range. */
    CAST(conversions AS BIGINT) AS conversions, /* Attributed conversions in the range. */
    CAST(revenue AS DECIMAL(38, 9)) AS revenue, /* What they earned. */
    CAST(cost AS DECIMAL(38, 9)) AS cost, /* Segments x cost per segment. */
    CAST(
        CAST(revenue AS DOUBLE) / nullif(CAST(sends AS DOUBLE), 0) AS DOUBLE
    ) AS revenue_per_send, /* What a message sent earned. */
    CAST(CAST(revenue AS DOUBLE) / nullif(CAST(clicks AS DOUBLE), 0) AS DOUBLE) AS epc, /* Earnings per click. */
    CAST(
        CAST(conversions AS DOUBLE) / nullif(CAST(clicks AS DOUBLE), 0) AS DOUBLE
    ) AS conversion_rate, /* Conversions per click. */
    CAST(CAST(revenue AS DOUBLE) / nullif(CAST(cost AS DOUBLE), 0) AS DOUBLE) AS roas, /* Revenue over cost. */
    CAST(
        CAST(revenue - cost AS DOUBLE) / nullif(CAST(cost AS DOUBLE), 0) AS DOUBLE
    ) AS roi /* What is left of the revenue after the cost, over the cost. */
FROM sums
ORDER BY revenue DESC, dimension_value NULLS LAST
