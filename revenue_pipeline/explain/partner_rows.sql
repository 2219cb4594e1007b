-- The rows that partners reported for the imported ledger keys of the selected money, with the batch each came in.
SELECT
    reported.partner || ' ' || reported.report_date AS source,
    reported.ledger_key,
    'row ' || row_number() OVER (
        PARTITION BY reported.partner, reported.report_date, reported.ledger_key
        ORDER BY reported.revenue DESC, reported.original_revenue, reported.impressions
    ) AS partner_row,
    reported.revenue AS value,
    reported.original_revenue,
    reported.original_currency,
    reported.impressions,
    reported.import_id,
    reported.imported_at
FROM explained.partner_rows AS reported
SEMI JOIN (
    SELECT partner, report_date, ledger_key FROM explained.selected_revenue WHERE status IN ('verified', 'unallocated')
) AS selected
    ON selected.partner = reported.partner AND selected.report_date = reported.report_date
    AND selected.ledger_key = reported.ledger_key
