-- The imported ledger keys that the selected money is a part of: what of each is in this number, and what elsewhere.
WITH here AS (
    SELECT report_date, partner, ledger_key, status, sum(revenue) AS revenue, count(event_id) AS impressions
    FROM explained.selected_revenue
    WHERE status IN ('verified', 'unallocated')
    GROUP BY report_date, partner, ledger_key, status
),

keys AS (
    SELECT
        ledger.report_date, ledger.partner, ledger.ledger_key, ledger.settled_revenue, ledger.sdk_impressions,
        here.revenue AS here, here.impressions
    FROM explained.ledger AS ledger
    JOIN here
        ON here.report_date = ledger.report_date AND here.partner = ledger.partner
        AND here.ledger_key = ledger.ledger_key AND here.status = ledger.status
)

SELECT
    partner || ' ' || report_date AS source,
    ledger_key,
    'in this number' AS share,
    here AS value,
    impressions
FROM keys
UNION ALL
SELECT
    partner || ' ' || report_date AS source,
    ledger_key,
    'elsewhere' AS share,
    settled_revenue - here AS value,
    sdk_impressions - impressions AS impressions
FROM keys
