-- The part of a contract that the cell carries: rate x volume, split by the counted units of its line item's whole life.
-- Of the contract the newest delivered state counts, which is found as reports.contracted_revenue finds it.
WITH contract AS (
    SELECT *
    FROM raw.line_items
    WHERE line_item_id = $line_item_id
    ORDER BY
        folder_date DESC, source, partner, rate_type, net_rate DESC, gross_rate DESC, contracted_volume DESC,
        exchange_rate DESC
    LIMIT 1
),

life AS (
    SELECT
        rows_now.*,
        CASE WHEN contract.rate_type = 'CPC' THEN rows_now.clicks ELSE rows_now.impressions END AS units,
        CASE WHEN contract.rate_type = 'CPC' THEN 'clicks' ELSE 'impressions' END AS counted,
        sum(units) OVER () AS all_units
    FROM explained.rows_now AS rows_now
    CROSS JOIN contract
)

SELECT
    CASE $column
        WHEN 'contracted_net_revenue' THEN contract.net_rate || ' ' || contract.currency || ' ' || contract.rate_type
        WHEN 'contracted_gross_revenue' THEN contract.gross_rate || ' ' || contract.currency || ' ' || contract.rate_type
        ELSE 'a volume'
    END || ' x ' || contract.contracted_volume AS contract,
    CASE
        WHEN life.delivery_date IS NULL THEN 'the whole: nothing that counts was delivered'
        ELSE life.units || ' of ' || life.all_units || ' ' || life.counted
    END AS share,
    CASE $column
        WHEN 'contracted_net_revenue' THEN life.contracted_net_revenue
        WHEN 'contracted_gross_revenue' THEN life.contracted_gross_revenue
        ELSE life.contracted_volume
    END AS value,
    CASE WHEN $column <> 'contracted_volume' THEN contract.exchange_rate END AS exchange_rate,
    contract.proposal_status,
    contract.start_date,
    contract.folder_date AS delivered_on,
    contract.source,
    contract.partner
FROM life
CROSS JOIN contract
WHERE
    life.delivery_date IS NOT DISTINCT FROM $delivery_date AND life.ad_unit_id IS NOT DISTINCT FROM $ad_unit_id
    AND life.custom_criteria IS NOT DISTINCT FROM $custom_criteria
