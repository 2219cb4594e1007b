-- The revenue report for each value of a dimension: what the cohorts of a range of days brought in the Nth day, week or
-- month after they began, or through it, against what they cost; sub-rows for each cohort, and a top row for each N.
-- Ask: SELECT * FROM reports.revenue_report_by('channel', DATE '2026-11-01', DATE '2026-11-30', 'week', 'cumulative',
-- 'install', 'all', DATE '2026-12-01'). `dimension` is app_id, platform, country, channel, campaign_id, or none;
-- `granularity` day, week (ISO) or month; `view_type` cumulative or non_cumulative; `revenue_event` an event or all.
-- Cohort dates from `start_date` to `end_date`, both included, count under the first day of their period. A user's
-- several starts in a period count once, from the first and with its dimensions. N ends with the period of the earlier
-- of `as_of` and the last materialised day. Rows of all values add up to those of `none`, users included: in a top row
-- a user who is in several cohorts counts once, under the value of the earliest; and a value whose cohorts are all too
-- young for N has a cumulative top row of what they brought so far. Money is in the reporting currency.
-- Source: the revenue report document, and section 3 of the data contract.
WITH materialised AS (
    SELECT max(day) AS last_day FROM pipeline.written_days WHERE table_name = 'core.cohort_daily'
),

bounds AS (
    SELECT CAST($as_of AS DATE) AS as_of, least(CAST($as_of AS DATE), materialised.last_day) AS last_day
    FROM materialised
),

-- One day more than counts: it tells whether the last period is over.
days AS (
    SELECT CAST($start_date AS DATE) + CAST(numbers.number AS INTEGER) AS day
    FROM bounds
    CROSS JOIN unnest(
        generate_series(0, date_diff('day', CAST($start_date AS DATE), bounds.last_day) + 1)
    ) AS numbers (number)
),

days_of_periods AS (
    SELECT
        day,
        CASE
            WHEN $granularity = 'day' THEN day
            WHEN $granularity = 'week' THEN CAST(date_trunc('week', day) AS DATE)
            WHEN $granularity = 'month' THEN CAST(date_trunc('month', day) AS DATE)
            ELSE error('granularity is day, week or month, not ' || $granularity)
        END AS first_day
    FROM days
),

calendar AS (
    SELECT day, first_day, dense_rank() OVER (ORDER BY first_day) AS number
    FROM days_of_periods
),

periods AS (
    SELECT
        calendar.number,
        max(CASE WHEN calendar.day > bounds.last_day OR calendar.day >= bounds.as_of THEN 1 ELSE 0 END) AS is_partial
    FROM calendar
    CROSS JOIN bounds
    GROUP BY calendar.number, bounds.last_day
    HAVING min(calendar.day) <= bounds.last_day
),

beginnings AS (
    SELECT
        members.cohort_date, members.user_id, members.app_id, members.platform, members.country, members.channel,
        members.campaign_id, CAST(NULL AS DECIMAL(38, 9)) AS cost
    FROM core.cohort_members AS members
    WHERE
        members.start_event = $start_event
        AND members.cohort_date >= CAST($start_date AS DATE) AND members.cohort_date <= CAST($end_date AS DATE)
        AND members.cohort_date <= CAST($as_of AS DATE)
    UNION ALL
    SELECT
        daily.cohort_date, CAST(NULL AS VARCHAR) AS user_id, daily.app_id, daily.platform, daily.country, daily.channel,
        daily.campaign_id, daily.cost
    FROM core.cohort_daily AS daily
    WHERE
        daily.start_event = $start_event AND daily.revenue_event = 'all'
        AND daily.event_date >= CAST($start_date AS DATE) AND daily.event_date <= CAST($end_date AS DATE)
        AND daily.event_date <= CAST($as_of AS DATE)
        AND daily.cohort_date = daily.event_date AND daily.cost IS NOT NULL
),

starts AS (
    SELECT
        calendar.number AS cohort_number,
        calendar.first_day AS cohort_start,
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
        beginnings.user_id,
        beginnings.cost,
        row_number() OVER (
            PARTITION BY calendar.number, beginnings.user_id ORDER BY beginnings.cohort_date
        ) AS position
    FROM beginnings
    JOIN calendar ON calendar.day = beginnings.cohort_date
    JOIN bounds ON beginnings.cohort_date <= bounds.last_day
),

members AS (
    SELECT cohort_number, cohort_start, dimension_value, user_id, cohort_date
    FROM starts
    WHERE user_id IS NOT NULL AND position = 1
),

user_periods AS (
    SELECT
        members.cohort_number, members.cohort_start, members.dimension_value, members.user_id,
        calendar.number - members.cohort_number AS period,
        sum(earned.revenue) AS revenue,
        sum(earned.events) AS events
    FROM core.user_revenue_daily AS earned
    JOIN members ON members.user_id = earned.user_id AND members.cohort_date <= earned.event_date
    JOIN calendar ON calendar.day = earned.event_date
    JOIN bounds ON earned.event_date <= bounds.last_day
    WHERE
        earned.event_date >= CAST($start_date AS DATE) AND earned.event_date <= CAST($as_of AS DATE)
        AND (earned.revenue_event = $revenue_event OR $revenue_event = 'all')
    GROUP BY
        members.cohort_number, members.cohort_start, members.dimension_value, members.user_id,
        calendar.number - members.cohort_number
),

-- Of the cohorts that a user brought something to in their Nth period, the earliest counts them in the top row.
counted_users AS (
    SELECT *, row_number() OVER (PARTITION BY user_id, period ORDER BY cohort_number) AS position
    FROM user_periods
),

earnings AS (
    SELECT
        cohort_number, dimension_value, period,
        sum(revenue) AS revenue,
        sum(events) AS events,
        count(*) AS users,
        count(*) FILTER (WHERE position = 1) AS distinct_users
    FROM counted_users
    GROUP BY cohort_number, dimension_value, period
),

cohorts AS (
    SELECT
        cohort_number, cohort_start, dimension_value,
        sum(cost) AS cost,
        sum(cohort_users) AS cohort_users,
        sum(paying_users) AS paying_users
    FROM (
        SELECT
            cohort_number, cohort_start, dimension_value, cost,
            CASE WHEN user_id IS NULL THEN 0 ELSE 1 END AS cohort_users, 0 AS paying_users
        FROM starts
        WHERE user_id IS NULL OR position = 1
        UNION ALL
        SELECT
            cohort_number, cohort_start, dimension_value, CAST(NULL AS DECIMAL(38, 9)) AS cost,
            0 AS cohort_users, count(DISTINCT user_id) AS paying_users
        FROM user_periods
        GROUP BY cohort_number, cohort_start, dimension_value
    ) AS sides
    GROUP BY cohort_number, cohort_start, dimension_value
),

oldest AS (
    SELECT min(cohort_number) AS cohort_number FROM cohorts
),

ages AS (
    SELECT periods.number - oldest.cohort_number AS period
    FROM periods
    JOIN oldest ON periods.number >= oldest.cohort_number
),

-- Every cohort with every N of any: one too young for N keeps its latest sum there, for the cumulative top row.
cells AS (
    SELECT
        cohorts.cohort_number, cohorts.cohort_start, cohorts.dimension_value, cohorts.cost, cohorts.cohort_users,
        cohorts.paying_users,
        ages.period,
        periods.is_partial,
        coalesce(earnings.users, 0) AS users,
        coalesce(earnings.distinct_users, 0) AS distinct_users,
        coalesce(earnings.revenue, 0) AS revenue,
        coalesce(earnings.events, 0) AS events
    FROM cohorts
    CROSS JOIN ages
    LEFT JOIN periods ON periods.number = cohorts.cohort_number + ages.period
    LEFT JOIN earnings
        ON earnings.cohort_number = cohorts.cohort_number
        AND earnings.dimension_value IS NOT DISTINCT FROM cohorts.dimension_value
        AND earnings.period = ages.period
),

viewed AS (
    SELECT
        cohort_start, dimension_value, period, cost, cohort_users, paying_users, is_partial,
        CASE
            WHEN $view_type = 'cumulative' THEN sum(revenue) OVER so_far
            WHEN $view_type = 'non_cumulative' THEN revenue
            ELSE error('view_type is cumulative or non_cumulative, not ' || $view_type)
        END AS revenue,
        CASE WHEN $view_type = 'cumulative' THEN sum(events) OVER so_far ELSE events END AS events,
        CASE WHEN $view_type = 'non_cumulative' THEN users END AS users,
        CASE WHEN $view_type = 'non_cumulative' THEN distinct_users END AS distinct_users
    FROM cells
    WINDOW so_far AS (PARTITION BY cohort_number, dimension_value ORDER BY period)
),

-- `is_partial` is NULL where a cohort is too young to have N.
report AS (
    SELECT
        dimension_value, 'top' AS row_kind, CAST(NULL AS DATE) AS cohort_start, period,
        sum(revenue) AS revenue,
        sum(events) AS events,
        sum(distinct_users) AS users,
        sum(cost) FILTER (WHERE is_partial IS NOT NULL) AS cost,
        sum(revenue) FILTER (WHERE is_partial IS NOT NULL AND cost <> 0) AS revenue_with_cost,
        coalesce(sum(cohort_users) FILTER (WHERE is_partial IS NOT NULL), 0) AS cohort_users,
        coalesce(sum(paying_users) FILTER (WHERE is_partial IS NOT NULL), 0) AS paying_users,
        sum(revenue) FILTER (WHERE is_partial IS NOT NULL) AS revenue_with_users,
        coalesce(max(is_partial), 0) AS is_partial
    FROM viewed
    GROUP BY dimension_value, period
    HAVING max(is_partial) IS NOT NULL OR $view_type = 'cumulative'
    UNION ALL
    SELECT
        dimension_value, 'sub' AS row_kind, cohort_start, period, revenue, events, users, cost,
        revenue AS revenue_with_cost, cohort_users, paying_users, revenue AS revenue_with_users, is_partial
    FROM viewed
    WHERE is_partial IS NOT NULL
)

SELECT
    CAST(dimension_value AS VARCHAR) AS dimension_value, /* Of the dimension that was asked for; NULL is one too. */
    CAST(row_kind AS VARCHAR) AS row_kind, /* `sub`: one cohort. `top`: all cohorts of the range that have N. */
    CAST(cohort_start AS DATE) AS cohort_start, /* First day of the cohort's period; NULL in top rows. */
    CAST(period AS BIGINT) AS period, /* N: how many days, weeks or months after the cohort's own. */
    CAST(revenue AS DECIMAL(38, 9)) AS revenue, /* In N or through N; cumulative top rows add what younger cohorts have. */
    CAST(events AS BIGINT) AS events, /* Revenue events, likewise. */
    CAST(users AS BIGINT) AS users, /* Members with a revenue event in N, in a top row each once; NULL if cumulative. */
    CAST(cost AS DECIMAL(38, 9)) AS cost, /* What the cohorts that have N cost; NULL where no cost row says any. */
    CAST(
        CAST(revenue_with_cost AS DOUBLE) / nullif(CAST(cost AS DOUBLE), 0) AS DOUBLE
    ) AS roas, /* revenue / cost; in a top row of the cohorts that have N and cost. */
    CAST(cohort_users AS BIGINT) AS cohort_users, /* Members of the cohorts that have N. */
    CAST(
        CAST(revenue_with_users AS DOUBLE) / nullif(CAST(cohort_users AS DOUBLE), 0) AS DOUBLE
    ) AS arpu, /* revenue / cohort_users, of the cohorts that have N. */
    CAST(paying_users AS BIGINT) AS paying_users, /* Those of them with a revenue event from their start to as_of. */
    CAST(
        CAST(revenue_with_users AS DOUBLE) / nullif(CAST(paying_users AS DOUBLE), 0) AS DOUBLE
    ) AS arppu, /* revenue / paying_users, of the cohorts that have N. */
    CAST(is_partial = 1 AS BOOLEAN) AS is_partial /* Whether the period is still running, for any cohort that has N. */
FROM report
ORDER BY dimension_value NULLS FIRST, cohort_start NULLS FIRST, period
