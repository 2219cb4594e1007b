-- The partner's invoices for exactly the period, each in its newest delivered state.
WITH states AS (
    SELECT *, row_number() OVER (PARTITION BY invoice_id ORDER BY folder_date DESC) AS position
    FROM raw.invoices
)

SELECT invoice_id AS invoice, reporting_amount AS value, amount, currency, folder_date AS delivered_on
FROM states
WHERE position = 1 AND partner = $partner AND period_start = $period_start AND period_end = $period_end
