-- How each message did: sent, clicked, converted, and what it earned.
-- Grain: (event_date, message_id). A message sent one day and clicked the next has a row on both.
-- Money is in the reporting currency; a ratio is NULL when its denominator is 0. Over several days divide the sums.
-- Source: "Per Message" of the message tracking document.
WITH sums AS (
    SELECT
        event_date, message_id,
        max(contact_id) AS contact_id,
        max(creative_id) AS creative_id,
        max(offer_id) AS offer_id,
        max(campaign_id) AS campaign_id,
        max(sending_list) AS sending_list,
        sum(sends) AS sends,
        sum(segments) AS segments,
        sum(clicks) AS clicks,
        sum(conversions) AS conversions,
        sum(revenue) AS revenue,
        CAST(sum(segments) AS DECIMAL(19, 0)) * CAST($cost_per_segment AS DECIMAL(18, 9)) AS cost
    FROM core.message_activity_daily
    WHERE event_date >= $start_date AND event_date < $end_date
    GROUP BY event_date, message_id
)

SELECT
    CAST(event_date AS DATE) AS event_date, /* Day in the reporting zone; everything is booked on its own day. */
    CAST(message_id AS VARCHAR) AS message_id, /* The message. */
    CAST(contact_id AS VARCHAR) AS contact_id, /* Whom it was sent to. */
    CAST(creative_id AS VARCHAR) AS creative_id, /* What it said. */
    CAST(offer_id AS VARCHAR) AS offer_id, /* The message's offer, else one that its conversions name. */
    CAST(campaign_id AS VARCHAR) AS campaign_id, /* The campaign it was part of. */
    CAST(sending_list AS VARCHAR) AS sending_list, /* The list of contacts it was sent by. */
    CAST(sends AS BIGINT) AS sends, /* Messages sent that day. */
    CAST(segments AS BIGINT) AS segments, /* Billed parts of them. */
    CAST(clicks AS BIGINT) AS clicks, /* Clicks of that day. */
    CAST(conversions AS BIGINT) AS conversions, /* Attributed conversions of that day. */
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
