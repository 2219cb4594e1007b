-- The parts of a line item must sum to what was contracted. Gives the line items without a row, and those whose parts of
-- the volume sum to no volume of their newest state.
WITH newest AS (
    SELECT line_item_id, max(folder_date) AS folder_date
    FROM raw.line_items
    GROUP BY line_item_id
),

contracted AS (
    SELECT line_items.line_item_id, line_items.contracted_volume
    FROM raw.line_items AS line_items
    JOIN newest ON newest.line_item_id = line_items.line_item_id AND newest.folder_date = line_items.folder_date
),

split AS (
    SELECT line_item_id, sum(contracted_volume) AS volume, count(contracted_net_revenue) AS priced_rows
    FROM reports.contracted_revenue
    GROUP BY line_item_id
)

SELECT contracted.line_item_id, max(contracted.contracted_volume) AS contracted_volume, max(split.volume) AS volume
FROM contracted
LEFT JOIN split ON split.line_item_id = contracted.line_item_id AND split.priced_rows > 0
GROUP BY contracted.line_item_id
HAVING max(CASE WHEN split.volume = contracted.contracted_volume THEN 1 ELSE 0 END) = 0
ORDER BY contracted.line_item_id
