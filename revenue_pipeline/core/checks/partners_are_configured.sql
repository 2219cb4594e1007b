-- Impressions should name a partner of the settings: nothing is imported for others, so their estimates expire.
-- Gives the partners that are missing there, with the impressions that name them.
SELECT
    ledger.partner,
    CAST(sum(ledger.sdk_impressions) AS BIGINT) AS impressions,
    sum(ledger.estimated_revenue) AS estimated_revenue
FROM core.reconciled_estimates AS ledger
LEFT JOIN settings.partners AS partners ON partners.partner = ledger.partner
WHERE ledger.report_date >= $start_date AND ledger.report_date < $end_date AND partners.partner IS NULL
GROUP BY ledger.partner
ORDER BY ledger.partner
