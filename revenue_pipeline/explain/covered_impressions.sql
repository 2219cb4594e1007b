-- The selected impressions, one row each, by whether they carry an estimate: what coverage is the share of.
SELECT
    CASE WHEN revenue IS NULL THEN 'without an estimate' ELSE 'with an estimate' END AS kind,
    ledger_key,
    event_id AS event,
    CAST(1 AS DECIMAL(38, 9)) AS value,
    event_time,
    user_id
FROM explained.selected_revenue
