-- What happened with each message on each day: the facts behind every report on messages.
-- Grain: one row per (event_date, message_id, offer_id). Everything lies on its own day: the send on the day it was
-- sent, clicks on theirs, attributed conversions and their revenue on the day of the conversion.
-- The offer is the message's, else the one that the conversion's partner names. Money is in the reporting currency.
-- A click on a message that was never landed is kept; all that is known of the message is its id.
-- Source: data contract, section 3, "Affiliate messages".
WITH responses AS (
    SELECT
        click_date AS event_date, message_id, contact_id, creative_id, offer_id, campaign_id, sending_list, custom,
        1 AS clicks,
        0 AS conversions,
        CAST(0 AS DECIMAL(38, 9)) AS revenue
    FROM core.message_clicks
    WHERE click_date >= $start_date AND click_date < $end_date
    UNION ALL
    SELECT
        event_date, message_id, contact_id, creative_id, offer_id, campaign_id, sending_list, custom,
        0 AS clicks,
        1 AS conversions,
        revenue
    FROM core.attributed_conversions
    WHERE event_date >= $start_date AND event_date < $end_date AND status = 'attributed'
),

answered AS (
    SELECT
        event_date, message_id, offer_id,
        max(contact_id) AS contact_id,
        max(creative_id) AS creative_id,
        max(campaign_id) AS campaign_id,
        max(sending_list) AS sending_list,
        max(custom) AS custom,
        sum(clicks) AS clicks,
        sum(conversions) AS conversions,
        sum(revenue) AS revenue
    FROM responses
    GROUP BY event_date, message_id, offer_id
),

-- Where the run's first day is the last one there is nothing to compare, and its million ids need no grouping.
comparable AS (
    SELECT message_id, send_date
    FROM raw.message_sends
    WHERE send_date >= $start_date AND (SELECT max(send_date) FROM raw.message_sends) > $start_date
),

sent_again AS (
    SELECT message_id, max(send_date) AS newest_date
    FROM comparable
    GROUP BY message_id
    HAVING min(send_date) < max(send_date)
),

sends AS (
    SELECT
        sends.send_date, sends.message_id, sends.contact_id, sends.creative_id, sends.offer_id, sends.campaign_id,
        sends.sending_list, sends.custom, sends.segments
    FROM raw.message_sends AS sends
    LEFT JOIN sent_again ON sent_again.message_id = sends.message_id
    WHERE
        sends.send_date >= $start_date AND sends.send_date < $end_date
        AND sends.send_date = coalesce(sent_again.newest_date, sends.send_date)
),

-- Most messages of a day have no answer on it: joining the few that have costs less than grouping all of them.
activity AS (
    SELECT
        coalesce(sends.send_date, answered.event_date) AS event_date,
        coalesce(sends.message_id, answered.message_id) AS message_id,
        coalesce(sends.contact_id, answered.contact_id) AS contact_id,
        coalesce(sends.creative_id, answered.creative_id) AS creative_id,
        coalesce(sends.offer_id, answered.offer_id) AS offer_id,
        coalesce(sends.campaign_id, answered.campaign_id) AS campaign_id,
        coalesce(sends.sending_list, answered.sending_list) AS sending_list,
        coalesce(sends.custom, answered.custom) AS custom,
        CASE WHEN sends.message_id IS NULL THEN 0 ELSE 1 END AS sends,
        coalesce(sends.segments, 0) AS segments,
        coalesce(answered.clicks, 0) AS clicks,
        coalesce(answered.conversions, 0) AS conversions,
        coalesce(answered.revenue, 0) AS revenue
    FROM sends
    FULL JOIN answered
        ON answered.message_id = sends.message_id
        AND answered.event_date = sends.send_date
        AND answered.offer_id IS NOT DISTINCT FROM sends.offer_id
)

SELECT
    CAST(event_date AS DATE) AS event_date, /* Day in the reporting zone on which it happened. */
    CAST(message_id AS VARCHAR) AS message_id, /* The message. */
    CAST(contact_id AS VARCHAR) AS contact_id, /* Whom it was sent to. */
    CAST(creative_id AS VARCHAR) AS creative_id, /* What it said. */
    CAST(offer_id AS VARCHAR) AS offer_id, /* The message's offer, else the one its conversions name. */
    CAST(campaign_id AS VARCHAR) AS campaign_id, /* The campaign it was part of. */
    CAST(sending_list AS VARCHAR) AS sending_list, /* The list of contacts it was sent by. */
    CAST(custom AS VARCHAR) AS custom, /* Custom dimensions of the message, as JSON. */
    CAST(sends AS BIGINT) AS sends, /* 1 on the day it was sent, else 0. */
    CAST(segments AS BIGINT) AS segments, /* Billed parts, on the day it was sent. */
    CAST(clicks AS BIGINT) AS clicks, /* Clicks on its link that day. */
    CAST(conversions AS BIGINT) AS conversions, /* Attributed conversions of that day. */
    CAST(revenue AS DECIMAL(38, 9)) AS revenue /* What they earned. */
FROM activity
