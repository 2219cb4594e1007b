-- The attributed conversions of the cell, by partner and message.
SELECT
    conversions.partner,
    conversions.message_id AS message,
    conversions.conversion_id AS conversion,
    CAST(1 AS DECIMAL(38, 9)) AS value,
    conversions.click_id,
    conversions.converted_at
FROM core.attributed_conversions AS conversions
SEMI JOIN explained.rows AS cell
    ON cell.event_date = conversions.event_date AND cell.message_id = conversions.message_id
    AND cell.offer_id IS NOT DISTINCT FROM conversions.offer_id AND cell.conversions <> 0
WHERE conversions.event_date = $event_date AND conversions.status = 'attributed'
