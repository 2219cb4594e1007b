-- The clicks of the cell, by message.
SELECT
    clicks.message_id AS message,
    clicks.click_id AS click,
    CAST(1 AS DECIMAL(38, 9)) AS value,
    clicks.clicked_at,
    clicks.sent_at
FROM core.message_clicks AS clicks
SEMI JOIN explained.rows AS cell
    ON cell.event_date = clicks.click_date AND cell.message_id = clicks.message_id
    AND cell.offer_id IS NOT DISTINCT FROM clicks.offer_id AND cell.clicks <> 0
WHERE clicks.click_date = $event_date
