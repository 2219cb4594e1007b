-- Delivery should belong to a line item that was landed or imported. Gives the line items that delivered without one:
-- nothing is known of their rate, so they are not in the report.
SELECT
    line_item_id, CAST(sum(impressions) AS BIGINT) AS impressions, CAST(sum(clicks) AS BIGINT) AS clicks,
    min(delivery_date) AS first_delivery_date
FROM raw.line_item_delivery
WHERE line_item_id NOT IN (SELECT line_item_id FROM raw.line_items)
GROUP BY line_item_id
ORDER BY line_item_id
