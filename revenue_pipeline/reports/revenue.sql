-- Revenue of each cohort on day N after its start, and through it. Day N of cohort c lies in the partition c + N.
-- Grain: that of core.cohort_daily. Money is in the reporting currency; revenue and events add up over cohorts and
-- dimensions, and over days; active users only over cohorts' dimensions, since one user may come on many days.
-- Source: the revenue report document, "Revenue", "User Count" and "Event Count".
SELECT
    CAST(event_date AS DATE) AS event_date, /* Day in the reporting time zone. */
    CAST(cohort_date AS DATE) AS cohort_date, /* Day the members began. */
    CAST(start_event AS VARCHAR) AS start_event, /* What began it, such as `install`. */
    CAST(revenue_event AS VARCHAR) AS revenue_event, /* The event that brought money; `all` counts any. */
    CAST(app_id AS VARCHAR) AS app_id, /* The app or site the members began with. */
    CAST(platform AS VARCHAR) AS platform, /* Operating system or medium. */
    CAST(country AS VARCHAR) AS country, /* Country code. */
    CAST(channel AS VARCHAR) AS channel, /* Acquisition channel. */
    CAST(campaign_id AS VARCHAR) AS campaign_id, /* Acquisition campaign. */
    CAST(period AS BIGINT) AS period, /* Days since the start, which is day 0. */
    CAST(revenue AS DECIMAL(38, 9)) AS revenue, /* What the members brought on the day. */
    CAST(cumulative_revenue AS DECIMAL(38, 9)) AS cumulative_revenue, /* From day 0 through the day. */
    CAST(events AS BIGINT) AS events, /* Their revenue events on the day. */
    CAST(cumulative_events AS BIGINT) AS cumulative_events, /* From day 0 through the day. */
    CAST(active_users AS BIGINT) AS active_users, /* Members with a revenue event on the day. */
    CAST(event_date >= $as_of AS BOOLEAN) AS is_partial /* Whether the day was not over when this was computed. */
FROM core.cohort_daily
WHERE event_date >= $start_date AND event_date < $end_date
