-- LTV of each cohort at 7, 30 and 90 days: what it brought for each member on days 0 to horizon - 1, or so far.
-- Grain: that of core.cohort_daily, and horizon; rows for the days N within the horizon, with the money through N. The
-- row of day horizon - 1 is the final one. NULL where the cohort has no members. Over several cohorts divide the sums.
-- Money is in the reporting currency. Source: the data contract, section 3.
SELECT
    CAST(daily.event_date AS DATE) AS event_date, /* Day in the reporting time zone. */
    CAST(daily.cohort_date AS DATE) AS cohort_date, /* Day the members began. */
    CAST(daily.start_event AS VARCHAR) AS start_event, /* What began it, such as `install`. */
    CAST(daily.revenue_event AS VARCHAR) AS revenue_event, /* The event that brought money; `all` counts any. */
    CAST(daily.app_id AS VARCHAR) AS app_id, /* The app or site the members began with. */
    CAST(daily.platform AS VARCHAR) AS platform, /* Operating system or medium. */
    CAST(daily.country AS VARCHAR) AS country, /* Country code. */
    CAST(daily.channel AS VARCHAR) AS channel, /* Acquisition channel. */
    CAST(daily.campaign_id AS VARCHAR) AS campaign_id, /* Acquisition campaign. */
    CAST(daily.period AS BIGINT) AS period, /* Days since the start, which is day 0. */
    CAST(horizons.horizon AS BIGINT) AS horizon, /* For how many days the cohort is followed: 7, 30 or 90. */
    CAST(daily.users AS BIGINT) AS users, /* Members. */
    CAST(daily.cumulative_revenue AS DECIMAL(38, 9)) AS revenue, /* What they brought from day 0 through the day. */
    CAST(
        CAST(daily.cumulative_revenue AS DOUBLE) / nullif(CAST(daily.users AS DOUBLE), 0) AS DOUBLE
    ) AS ltv, /* Revenue through the day for one member. */
    CAST(
        daily.period = horizons.horizon - 1 AND daily.event_date < $as_of AS BOOLEAN
    ) AS is_complete, /* Whether the last day of the horizon is reached and over. */
    CAST(daily.event_date >= $as_of AS BOOLEAN) AS is_partial /* Whether the day was not over when this was computed. */
FROM core.cohort_daily AS daily
JOIN (VALUES (7), (30), (90)) AS horizons (horizon) ON daily.period < horizons.horizon
WHERE daily.event_date >= $start_date AND daily.event_date < $end_date
