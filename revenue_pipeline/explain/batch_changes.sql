-- What a batch changed: for each key whose revenue moved its rows, less the rows of the batch before.
-- The log of imports knows the batch before, since one that cleared the day has no rows.
WITH before AS (
    SELECT max(imported_at) AS imported_at
    FROM raw.partner_imports
    WHERE
        partner = $partner AND report_date = $report_date AND imported_at < $imported_at
        AND is_changed AND revenue IS NOT NULL
),

both_batches AS (
    SELECT
        coalesce(
            nullif(concat_ws(', ', app_id, platform, country, ad_format, ad_unit_id, user_id), ''), 'the whole day'
        ) AS row_key,
        CASE WHEN imported_at = $imported_at THEN 1 ELSE -1 END AS direction,
        *
    FROM raw.partner_revenue_history
    WHERE
        partner = $partner AND report_date = $report_date
        AND (imported_at = $imported_at OR imported_at = (SELECT imported_at FROM before))
)

SELECT
    row_key,
    CASE WHEN direction > 0 THEN 'now, row ' ELSE 'before, row ' END || row_number() OVER (
        PARTITION BY row_key, direction ORDER BY revenue DESC, original_revenue, impressions
    ) AS partner_row,
    direction * revenue AS value,
    original_revenue,
    original_currency,
    impressions,
    import_id,
    imported_at
FROM both_batches
QUALIFY sum(direction * revenue) OVER (PARTITION BY row_key) <> 0
