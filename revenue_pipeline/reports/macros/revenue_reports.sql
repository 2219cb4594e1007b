-- The revenue report in all its forms at once: in both views, and of each revenue event beside `all`, so that whoever
-- shows several of them looks at users once. What one person asks for is `reports.revenue_report_by`, which is one form of
-- this one and says what the arguments mean. `revenue_event` NULL asks for each.
-- Money is in the reporting currency. Source: the revenue report document, and section 3 of the data contract.
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
    SELECT
        cohort_number, dimension_value, user_id, cohort_date,
        row_number() OVER (ORDER BY cohort_number) AS member_number,
        count(*) OVER (PARTITION BY user_id) AS cohorts_of_user
    FROM starts
    WHERE user_id IS NOT NULL AND position = 1
),

earned_periods AS (
    SELECT
        members.member_number,
        calendar.number - members.cohort_number AS period,
        CASE WHEN $revenue_event = 'all' THEN 'all' ELSE earned.revenue_event END AS counted_event,
        sum(earned.revenue) AS revenue,
        sum(earned.events) AS events
    FROM core.user_revenue_daily AS earned
    JOIN members ON members.user_id = earned.user_id AND members.cohort_date <= earned.event_date
    JOIN calendar ON calendar.day = earned.event_date
    JOIN bounds ON earned.event_date <= bounds.last_day
    WHERE
        earned.event_date >= CAST($start_date AS DATE) AND earned.event_date <= CAST($as_of AS DATE)
        AND ($revenue_event IS NULL OR $revenue_event IN ('all', earned.revenue_event))
    GROUP BY
        members.member_number,
        calendar.number - members.cohort_number,
        CASE WHEN $revenue_event = 'all' THEN 'all' ELSE earned.revenue_event END
),

-- An event named `all` has no rows of its own: they could not be told from those that count any event.
member_periods AS (
    SELECT member_number, period, counted_event, revenue, events
    FROM earned_periods
    WHERE $revenue_event IS NOT NULL OR counted_event <> 'all'
    UNION ALL
    SELECT member_number, period, 'all' AS counted_event, sum(revenue) AS revenue, sum(events) AS events
    FROM earned_periods
    WHERE $revenue_event IS NULL
    GROUP BY member_number, period
),

user_periods AS (
    SELECT
        members.cohort_number, members.dimension_value, members.user_id, members.cohorts_of_user,
        member_periods.member_number, member_periods.period, member_periods.counted_event, member_periods.revenue,
        member_periods.events
    FROM member_periods
    JOIN members ON members.member_number = member_periods.member_number
),

-- Of the cohorts that a user brought something to in their Nth period, the earliest counts them in the top row.
counted_users AS (
    SELECT cohort_number, dimension_value, period, counted_event, revenue, events, 1 AS position
    FROM user_periods
    WHERE cohorts_of_user = 1
    UNION ALL
    SELECT
        cohort_number, dimension_value, period, counted_event, revenue, events,
        row_number() OVER (
            PARTITION BY user_id, period, counted_event ORDER BY cohort_number
        ) AS position
    FROM user_periods
    WHERE cohorts_of_user > 1
),

earnings AS (
    SELECT
        cohort_number, dimension_value, period, counted_event,
        sum(revenue) AS revenue,
        sum(events) AS events,
        count(*) AS users,
        count(*) FILTER (WHERE position = 1) AS distinct_users
    FROM counted_users
    GROUP BY cohort_number, dimension_value, period, counted_event
),

payers AS (
    SELECT
        cohort_number, dimension_value, counted_event, count(DISTINCT member_number) AS paying_users
    FROM user_periods
    GROUP BY cohort_number, dimension_value, counted_event
),

counted_events AS (
    SELECT coalesce($revenue_event, 'all') AS counted_event
    UNION
    SELECT earnings.counted_event
    FROM earnings
),

lines AS (
    SELECT
        cohort_number, cohort_start, dimension_value,
        sum(cost) AS cost,
        sum(CASE WHEN user_id IS NULL THEN 0 ELSE 1 END) AS cohort_users
    FROM starts
    WHERE user_id IS NULL OR position = 1
    GROUP BY cohort_number, cohort_start, dimension_value
),

cohorts AS (
    SELECT
        lines.cohort_number, lines.cohort_start, lines.dimension_value, lines.cost, lines.cohort_users,
        counted_events.counted_event,
        coalesce(payers.paying_users, 0) AS paying_users
    FROM lines
    CROSS JOIN counted_events
    LEFT JOIN payers
        ON payers.cohort_number = lines.cohort_number
        AND payers.dimension_value IS NOT DISTINCT FROM lines.dimension_value
        AND payers.counted_event = counted_events.counted_event
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
        cohorts.counted_event, cohorts.paying_users,
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
        AND earnings.counted_event = cohorts.counted_event
        AND earnings.period = ages.period
),

viewed AS (
    SELECT
        cohort_start, dimension_value, counted_event, 'cumulative' AS view_type, period, cost, cohort_users,
        paying_users, is_partial,
        sum(revenue) OVER so_far AS revenue,
        sum(events) OVER so_far AS events,
        CAST(NULL AS BIGINT) AS users,
        CAST(NULL AS BIGINT) AS distinct_users
    FROM cells
    WINDOW so_far AS (PARTITION BY cohort_number, dimension_value, counted_event ORDER BY period)
    UNION ALL
    SELECT
        cohort_start, dimension_value, counted_event, 'non_cumulative' AS view_type, period, cost, cohort_users,
        paying_users, is_partial, revenue, events, users, distinct_users
    FROM cells
),

-- `is_partial` is NULL where a cohort is too young to have N.
report AS (
    SELECT
        dimension_value, counted_event, viewed.view_type, 'top' AS row_kind,
        CAST(NULL AS DATE) AS cohort_start, period,
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
    GROUP BY dimension_value, counted_event, viewed.view_type, period
    HAVING max(is_partial) IS NOT NULL OR viewed.view_type = 'cumulative'
    UNION ALL
    SELECT
        dimension_value, counted_event, viewed.view_type, 'sub' AS row_kind, cohort_start, period, revenue,
        events, users, cost, revenue AS revenue_with_cost, cohort_users, paying_users, revenue AS revenue_with_users,
        is_partial
    FROM viewed
    WHERE is_partial IS NOT NULL
)

SELECT
    CAST(counted_event AS VARCHAR) AS revenue_event, /* What brought the money; `all` counts any. */
    CAST(report.view_type AS VARCHAR) AS view_type, /* `cumulative`: through N. `non_cumulative`: in N alone. */
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
ORDER BY counted_event, report.view_type, dimension_value NULLS FIRST, cohort_start NULLS FIRST, period
