-- Lifetime value for each value of a dimension: what the members of the cohorts of a range of days brought in their
-- first 7, 30 and 90 days, each counted from their own first start day in the cohort; a top row over all cohorts.
-- Ask: SELECT * FROM reports.ltv_report_by('channel', DATE '2026-11-01', DATE '2026-11-30', 'week', 'install', 'all',
-- DATE '2026-12-01'); the arguments are those of `reports.revenue_report_by`. A horizon that is not complete has the
-- money so far. Rows of all values add up to those of `none`. Money is in the reporting currency; ltv is NULL where there
-- are no members. Source: section 3 of the data contract.
WITH materialised AS (
    SELECT max(day) AS last_day FROM pipeline.written_days WHERE table_name = 'core.cohort_daily'
),

bounds AS (
    SELECT CAST($as_of AS DATE) AS as_of, least(CAST($as_of AS DATE), materialised.last_day) AS last_day
    FROM materialised
),

beginnings AS (
    SELECT
        members.cohort_date, members.user_id, members.app_id, members.platform, members.country, members.channel,
        members.campaign_id
    FROM core.cohort_members AS members
    WHERE
        members.start_event = $start_event
        AND members.cohort_date >= CAST($start_date AS DATE) AND members.cohort_date <= CAST($end_date AS DATE)
        AND members.cohort_date <= CAST($as_of AS DATE)
    UNION ALL
    SELECT
        daily.cohort_date, CAST(NULL AS VARCHAR) AS user_id, daily.app_id, daily.platform, daily.country, daily.channel,
        daily.campaign_id
    FROM core.cohort_daily AS daily
    WHERE
        daily.start_event = $start_event AND daily.revenue_event = 'all'
        AND daily.event_date >= CAST($start_date AS DATE) AND daily.event_date <= CAST($end_date AS DATE)
        AND daily.event_date <= CAST($as_of AS DATE)
        AND daily.cohort_date = daily.event_date AND daily.cost IS NOT NULL
),

starts AS (
    SELECT
        CASE
            WHEN $granularity = 'day' THEN beginnings.cohort_date
            WHEN $granularity = 'week' THEN CAST(date_trunc('week', beginnings.cohort_date) AS DATE)
            WHEN $granularity = 'month' THEN CAST(date_trunc('month', beginnings.cohort_date) AS DATE)
            ELSE error('granularity is day, week or month, not ' || $granularity)
        END AS cohort_start,
        CASE
            WHEN $dimension = 'app_id' THEN beginnings.app_id
            WHEN $dimension = 'platform' THEN beginnings.platform
            WHEN $dimension = 'country' THEN beginnings.country
            WHEN $dimension = 'channel' THEN beginnings.channel
            WHEN $dimension = 'campaign_id' THEN beginnings.campaign_id
            WHEN $dimension = 'none' THEN CAST(NULL AS VARCHAR)
            ELSE error('dimension is app_id, platform, country, channel, campaign_id or none, not ' || $dimension)
        END AS dimension_value,
        beginnings.cohort_date,
        beginnings.user_id
    FROM beginnings
    JOIN bounds ON beginnings.cohort_date <= bounds.last_day
),

ranked AS (
    SELECT *, row_number() OVER (PARTITION BY cohort_start, user_id ORDER BY cohort_date) AS position
    FROM starts
),

members AS (
    SELECT cohort_start, dimension_value, user_id, cohort_date
    FROM ranked
    WHERE user_id IS NOT NULL AND position = 1
),

earnings AS (
    SELECT
        members.cohort_start, members.dimension_value,
        date_diff('day', members.cohort_date, earned.event_date) AS day,
        sum(earned.revenue) AS revenue
    FROM core.user_revenue_daily AS earned
    JOIN members ON members.user_id = earned.user_id AND members.cohort_date <= earned.event_date
    JOIN bounds ON earned.event_date <= bounds.last_day
    WHERE
        earned.event_date >= CAST($start_date AS DATE) AND earned.event_date <= CAST($as_of AS DATE)
        AND (earned.revenue_event = $revenue_event OR $revenue_event = 'all')
    GROUP BY
        members.cohort_start, members.dimension_value, date_diff('day', members.cohort_date, earned.event_date)
),

horizons AS (
    SELECT lengths.horizon FROM (VALUES (7), (30), (90)) AS lengths (horizon)
),

-- A cohort without members begins on the last day that it cost something.
sides AS (
    SELECT
        members.cohort_start, members.dimension_value, horizons.horizon, members.cohort_date AS last_start,
        1 AS users, CAST(0 AS DECIMAL(38, 9)) AS revenue
    FROM members
    CROSS JOIN horizons
    UNION ALL
    SELECT
        ranked.cohort_start, ranked.dimension_value, horizons.horizon, ranked.cohort_date AS last_start,
        0 AS users, CAST(0 AS DECIMAL(38, 9)) AS revenue
    FROM ranked
    CROSS JOIN horizons
    WHERE ranked.user_id IS NULL
    UNION ALL
    SELECT
        earnings.cohort_start, earnings.dimension_value, horizons.horizon, CAST(NULL AS DATE) AS last_start,
        0 AS users, earnings.revenue
    FROM earnings
    JOIN horizons ON earnings.day < horizons.horizon
),

cohorts AS (
    SELECT
        cohort_start, dimension_value, horizon,
        coalesce(max(CASE WHEN users = 1 THEN last_start END), max(last_start)) AS last_start,
        sum(users) AS users,
        sum(revenue) AS revenue
    FROM sides
    GROUP BY cohort_start, dimension_value, horizon
),

report AS (
    SELECT
        dimension_value, 'top' AS row_kind, CAST(NULL AS DATE) AS cohort_start, horizon,
        max(last_start) AS last_start,
        sum(users) AS users,
        sum(revenue) AS revenue
    FROM cohorts
    GROUP BY dimension_value, horizon
    UNION ALL
    SELECT dimension_value, 'sub' AS row_kind, cohort_start, horizon, last_start, users, revenue
    FROM cohorts
)

SELECT
    CAST(report.dimension_value AS VARCHAR) AS dimension_value, /* Of the dimension that was asked for; NULL is one too. */
    CAST(report.row_kind AS VARCHAR) AS row_kind, /* `sub`: one cohort. `top`: all cohorts of the range. */
    CAST(report.cohort_start AS DATE) AS cohort_start, /* First day of the cohort's period; NULL in top rows. */
    CAST(report.horizon AS BIGINT) AS horizon, /* For how many days each member is followed: 7, 30 or 90. */
    CAST(report.users AS BIGINT) AS users, /* Members. */
    CAST(report.revenue AS DECIMAL(38, 9)) AS revenue, /* What they brought on their days 0 to horizon - 1, or so far. */
    CAST(
        CAST(report.revenue AS DOUBLE) / nullif(CAST(report.users AS DOUBLE), 0) AS DOUBLE
    ) AS ltv, /* revenue / users. */
    CAST(
        date_diff('day', report.last_start, bounds.last_day) >= report.horizon - 1
        AND date_diff('day', report.last_start, bounds.as_of) >= report.horizon AS BOOLEAN
    ) AS is_complete /* Whether the horizon's last day is reached and over for every member. */
FROM report
CROSS JOIN bounds
ORDER BY dimension_value NULLS FIRST, cohort_start NULLS FIRST, horizon
