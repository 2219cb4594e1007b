-- Nothing that happened with messages is lost or counted twice: the day's sends, clicks, attributed conversions and
-- their revenue are all there. Gives the days where they are not.
-- A message that was landed again on a later day was sent on that one; it is looked for where sends are missing.
WITH landed AS (
    SELECT send_date, count(*) AS sends
    FROM raw.message_sends
    WHERE send_date >= $start_date AND send_date < $end_date
    GROUP BY send_date
),

booked AS (
    SELECT
        event_date,
        sum(sends) AS sends,
        sum(clicks) AS clicks,
        sum(conversions) AS conversions,
        sum(revenue) AS revenue
    FROM core.message_activity_daily
    WHERE event_date >= $start_date AND event_date < $end_date
    GROUP BY event_date
),

short AS (
    SELECT landed.send_date
    FROM landed
    LEFT JOIN booked ON booked.event_date = landed.send_date
    WHERE landed.sends <> coalesce(booked.sends, 0)
),

sent_again AS (
    SELECT sends.send_date, count(DISTINCT sends.message_id) AS messages
    FROM raw.message_sends AS sends
    JOIN short ON short.send_date = sends.send_date
    JOIN raw.message_sends AS newer ON newer.message_id = sends.message_id AND newer.send_date > sends.send_date
    GROUP BY sends.send_date
),

sides AS (
    SELECT send_date AS event_date, sends, 0 AS clicks, 0 AS conversions, CAST(0 AS DECIMAL(38, 9)) AS revenue
    FROM landed
    UNION ALL
    SELECT send_date AS event_date, -messages AS sends, 0 AS clicks, 0 AS conversions, 0 AS revenue
    FROM sent_again
    UNION ALL
    SELECT click_date AS event_date, 0 AS sends, count(*) AS clicks, 0 AS conversions, 0 AS revenue
    FROM core.message_clicks
    WHERE click_date >= $start_date AND click_date < $end_date
    GROUP BY click_date
    UNION ALL
    SELECT event_date, 0 AS sends, 0 AS clicks, count(*) AS conversions, sum(revenue) AS revenue
    FROM core.attributed_conversions
    WHERE event_date >= $start_date AND event_date < $end_date AND status = 'attributed'
    GROUP BY event_date
    UNION ALL
    SELECT event_date, -sends AS sends, -clicks AS clicks, -conversions AS conversions, -revenue AS revenue
    FROM booked
)

SELECT
    event_date,
    CAST(sum(sends) AS BIGINT) AS missing_sends,
    CAST(sum(clicks) AS BIGINT) AS missing_clicks,
    CAST(sum(conversions) AS BIGINT) AS missing_conversions,
    CAST(sum(revenue) AS DECIMAL(38, 9)) AS missing_revenue
FROM sides
GROUP BY event_date
HAVING sum(sends) <> 0 OR sum(clicks) <> 0 OR sum(conversions) <> 0 OR sum(revenue) <> 0
ORDER BY event_date
