-- ARPU of each cohort: what it brought by day N for each member, whether they paid or not.
-- Grain: that of core.cohort_daily. NULL where the cohort has no members. Over several cohorts divide the sums, never
-- average the ratios. Money is in the reporting currency. Source: the revenue report document, "ARPU".
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
    CAST(users AS BIGINT) AS users, /* Members. */
    CAST(
        CAST(revenue AS DOUBLE) / nullif(CAST(users AS DOUBLE), 0) AS DOUBLE
    ) AS arpu, /* Revenue of the day for one member. */
    CAST(
        CAST(cumulative_revenue AS DOUBLE) / nullif(CAST(users AS DOUBLE), 0) AS DOUBLE
    ) AS cumulative_arpu, /* Revenue through the day for one member. */
    CAST(event_date >= $as_of AS BOOLEAN) AS is_partial /* Whether the day was not over when this was computed. */
FROM core.cohort_daily
WHERE event_date >= $start_date AND event_date < $end_date
