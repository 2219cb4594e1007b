-- The rows of delivery that the impressions or clicks of the cell are the sum of, as they were landed or imported.
SELECT
    coalesce(partner, source) AS source,
    'row ' || row_number() OVER (PARTITION BY partner, source ORDER BY impressions DESC, clicks DESC) AS delivered_row,
    CAST(CASE $column WHEN 'clicks' THEN coalesce(clicks, 0) ELSE impressions END AS DECIMAL(38, 9)) AS value,
    impressions,
    clicks
FROM raw.line_item_delivery
WHERE
    line_item_id = $line_item_id AND delivery_date = $delivery_date AND ad_unit_id = $ad_unit_id
    AND custom_criteria IS NOT DISTINCT FROM $custom_criteria
