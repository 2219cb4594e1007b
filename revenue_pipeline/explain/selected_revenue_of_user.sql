-- The money of one user on one day: shares of ad revenue, and what the app booked.
SELECT
    'ad_impression' AS revenue_event, event_date, report_date, partner, status, allocation, event_id, user_id,
    app_id, platform, country, ad_format, ad_unit_id, revenue
FROM core.allocated_revenue
WHERE
    event_date = $event_date AND report_date >= $event_date - 1 AND report_date < $event_date + 2
    AND user_id IS NOT DISTINCT FROM $user_id AND revenue <> 0
UNION ALL
SELECT
    event_name AS revenue_event, event_date, NULL AS report_date, NULL AS partner, NULL AS status, NULL AS allocation,
    event_id, user_id, app_id, platform, country, ad_format, ad_unit_id, reporting_revenue AS revenue
FROM raw.events
WHERE
    event_date = $event_date AND user_id IS NOT DISTINCT FROM $user_id
    AND event_name <> 'ad_impression' AND reporting_revenue <> 0
