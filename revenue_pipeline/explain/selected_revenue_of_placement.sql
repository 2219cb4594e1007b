-- The money of a placement or container on a day, as the reports of engagement add it up. One row a share.
SELECT
    'ad_impression' AS revenue_event, event_date, report_date, partner, status, allocation, event_id, user_id,
    app_id, platform, country, ad_format, ad_unit_id, revenue
FROM core.allocated_revenue
WHERE
    event_date = $event_date AND report_date >= $event_date - 1 AND report_date < $event_date + 2
    AND container_id IS NOT DISTINCT FROM $container_id
    AND ($level = 'container' OR ad_unit_id IS NOT DISTINCT FROM $ad_unit_id)
