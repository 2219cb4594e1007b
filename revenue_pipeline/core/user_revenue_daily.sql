-- What each user brought on each day, ad money and bookings together: the money behind every cohort report.
-- Grain: (event_date, user_id, app_id, revenue_event). Ad money comes from the allocation, under `ad_impression`; what
-- other events booked comes from the events. Only revenue events count: their revenue is neither NULL nor 0, though a
-- day of them may sum to 0. Money without a user is kept under a NULL `user_id`, with 0 events where no impression
-- carries it. Money is in the reporting currency. Source: the data contract, section 3.
WITH revenue_events AS (
    SELECT event_date, user_id, app_id, event_name AS revenue_event, reporting_revenue AS revenue, 1 AS events
    FROM raw.events
    WHERE
        event_date >= $start_date AND event_date < $end_date
        AND event_name <> 'ad_impression'
        AND revenue <> 0
    UNION ALL
    SELECT
        event_date, user_id, app_id, 'ad_impression' AS revenue_event, revenue,
        CASE WHEN event_id IS NULL THEN 0 ELSE 1 END AS events
    FROM core.allocated_revenue
    WHERE
        event_date >= $start_date AND event_date < $end_date
        AND report_date >= $start_date - 1 AND report_date < $end_date + 1
        AND revenue <> 0
)

SELECT
    CAST(event_date AS DATE) AS event_date, /* Day in the reporting time zone. */
    CAST(user_id AS VARCHAR) AS user_id, /* Who brought it; NULL keeps the money of nobody in particular. */
    CAST(app_id AS VARCHAR) AS app_id, /* The app or site it was brought in. */
    CAST(revenue_event AS VARCHAR) AS revenue_event, /* `ad_impression`, or the name of the event that booked it. */
    CAST(sum(revenue) AS DECIMAL(38, 9)) AS revenue, /* What they brought; refunds are negative. */
    CAST(sum(events) AS BIGINT) AS events /* Revenue events; 0 for money that no impression carries. */
FROM revenue_events
GROUP BY event_date, user_id, app_id, revenue_event
