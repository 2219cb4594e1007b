-- The rows of a batch of ad revenue, as they came.
SELECT
    coalesce(nullif(concat_ws(', ', app_id, platform, country, ad_format, ad_unit_id, user_id), ''), 'the whole day')
    AS row_key,
    'row ' || row_number() OVER (
        PARTITION BY row_key
        ORDER BY revenue DESC, original_revenue, impressions
    ) AS partner_row,
    revenue AS value,
    original_revenue,
    original_currency,
    impressions
FROM raw.partner_revenue_history
WHERE partner = $partner AND report_date = $report_date AND imported_at = $imported_at
