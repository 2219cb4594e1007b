-- The money of a cohort from its day 0 through the day of the cell, under the cell's revenue event.
WITH members AS (
    SELECT user_id
    FROM core.cohort_members
    WHERE
        cohort_date = $cohort_date AND start_event = $start_event
        AND app_id IS NOT DISTINCT FROM $app_id AND platform IS NOT DISTINCT FROM $platform
        AND country IS NOT DISTINCT FROM $country AND channel IS NOT DISTINCT FROM $channel
        AND campaign_id IS NOT DISTINCT FROM $campaign_id
),

money AS (
    SELECT
        'ad_impression' AS revenue_event, event_date, report_date, partner, status, allocation, event_id, user_id,
        app_id, platform, country, ad_format, ad_unit_id, revenue
    FROM core.allocated_revenue
    WHERE
        event_date >= $cohort_date AND event_date <= $event_date
        AND report_date >= $cohort_date - 1 AND report_date < $event_date + 2
        AND revenue <> 0
    UNION ALL
    SELECT
        event_name AS revenue_event, event_date, NULL AS report_date, NULL AS partner, NULL AS status,
        NULL AS allocation, event_id, user_id, app_id, platform, country, ad_format, ad_unit_id,
        reporting_revenue AS revenue
    FROM raw.events
    WHERE
        event_date >= $cohort_date AND event_date <= $event_date
        AND event_name <> 'ad_impression' AND revenue <> 0
)

SELECT money.*
FROM money
SEMI JOIN members ON members.user_id = money.user_id
WHERE $revenue_event = 'all' OR money.revenue_event = $revenue_event
