-- The SDK's estimates of the selected impressions, by ledger key.
SELECT ledger_key, event_id AS event, revenue AS value, event_time, user_id, landed_revenue, currency
FROM explained.selected_revenue
WHERE revenue IS NOT NULL
