-- The selected money by day and revenue event, then for ads by partner day, ledger key and impression, with the estimate
-- that weighed it.
SELECT
    selected.event_date || ' ' || selected.revenue_event AS revenue_event,
    coalesce(selected.partner || ' ' || selected.report_date || ', ' || selected.status, 'booked by the app') AS source,
    coalesce(selected.ledger_key, 'no partner') AS ledger_key,
    coalesce(selected.event_id, 'no impression carries it') AS event,
    selected.revenue AS value,
    selected.allocation,
    events.event_time,
    selected.user_id,
    events.revenue AS landed_revenue,
    coalesce(events.currency, CASE WHEN events.revenue IS NOT NULL THEN 'reporting currency' END) AS currency,
    events.reporting_revenue AS landed_in_reporting_currency
FROM explained.selected_revenue AS selected
LEFT JOIN raw.events AS events
    ON events.event_id = selected.event_id AND events.event_date = selected.event_date
    AND events.event_date >= $first_event_date AND events.event_date <= $last_event_date
