-- What the attributed conversions of the cell earned, by partner and message, as the partner reports it.
SELECT
    conversions.partner,
    conversions.message_id AS message,
    conversions.conversion_id AS conversion,
    conversions.revenue AS value,
    conversions.payout,
    conversions.currency,
    conversions.reported_status,
    conversions.click_id,
    conversions.clicked_at,
    conversions.converted_at
FROM core.attributed_conversions AS conversions
SEMI JOIN explained.rows AS cell
    ON cell.event_date = conversions.event_date AND cell.message_id = conversions.message_id
    AND cell.offer_id IS NOT DISTINCT FROM conversions.offer_id AND cell.conversions <> 0
WHERE conversions.event_date = $event_date AND conversions.status = 'attributed'
