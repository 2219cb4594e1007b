-- The rows that a partner reported for the days of the period, with the batch each came in.
SELECT
    CAST(report_date AS VARCHAR) AS day,
    coalesce(nullif(concat_ws(', ', app_id, platform, country, ad_format, ad_unit_id, user_id), ''), 'the whole day')
    AS row_key,
    'row ' || row_number() OVER (
        PARTITION BY report_date, row_key
        ORDER BY revenue DESC, original_revenue, impressions
    ) AS partner_row,
    revenue AS value,
    original_revenue,
    original_currency,
    impressions,
    import_id,
    imported_at
FROM raw.partner_revenue
WHERE partner = $partner AND report_date >= $period_start AND report_date <= $period_end
