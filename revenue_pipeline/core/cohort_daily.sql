-- What each cohort brought on each day after its start, and through that day: the facts behind every cohort report.
-- Grain: (event_date, cohort_date, start_event, revenue_event, app_id, platform, country, channel, campaign_id), one
-- diagonal a day: the cohorts of the last `max_days` days, each at its period event_date - cohort_date.
-- There are rows under `all`, which counts any revenue event, for every cohort with members or cost, and for each
-- revenue event that the cohort has earned from so far. A date with cost and no members is a cohort of 0 users. Cost is
-- repeated on every start and revenue event: never add it over them. It is NULL where no cost row says any; 0 is a cost.
-- Money is in the reporting currency. Source: the data contract, section 3.
WITH members AS (
    SELECT cohort_date, start_event, user_id, app_id, platform, country, channel, campaign_id
    FROM core.cohort_members
    WHERE cohort_date >= $start_date - $max_days AND cohort_date < $end_date
),

-- A number stands for the cohort's seven columns from here on: rows are many, and numbers are never NULL.
cohorts AS (
    SELECT
        cohort_date, start_event, app_id, platform, country, channel, campaign_id,
        sum(users) AS users,
        sum(cost) AS cost,
        row_number() OVER (ORDER BY cohort_date, start_event) AS cohort_number
    FROM (
        SELECT
            cohort_date, start_event, app_id, platform, country, channel, campaign_id,
            1 AS users, CAST(NULL AS DECIMAL(38, 9)) AS cost
        FROM members
        UNION ALL
        SELECT
            costs.cost_date AS cohort_date, start_events.start_event, costs.app_id, costs.platform, costs.country,
            costs.channel, costs.campaign_id,
            0 AS users, costs.reporting_cost AS cost
        FROM raw.costs AS costs
        CROSS JOIN settings.start_events AS start_events
        WHERE costs.cost_date >= $start_date - $max_days AND costs.cost_date < $end_date
    ) AS sides
    GROUP BY cohort_date, start_event, app_id, platform, country, channel, campaign_id
),

numbered_members AS (
    SELECT
        members.user_id, members.cohort_date, cohorts.cohort_number,
        row_number() OVER (ORDER BY cohorts.cohort_number) AS member_number
    FROM members
    JOIN cohorts
        ON cohorts.cohort_date = members.cohort_date
        AND cohorts.start_event = members.start_event
        AND cohorts.app_id IS NOT DISTINCT FROM members.app_id
        AND cohorts.platform IS NOT DISTINCT FROM members.platform
        AND cohorts.country IS NOT DISTINCT FROM members.country
        AND cohorts.channel IS NOT DISTINCT FROM members.channel
        AND cohorts.campaign_id IS NOT DISTINCT FROM members.campaign_id
),

-- Looked at twice instead of kept: the second look is at the days of the run alone.
member_days AS NOT MATERIALIZED (
    SELECT
        members.cohort_number, members.member_number,
        earned.event_date, earned.revenue_event, earned.revenue, earned.events
    FROM core.user_revenue_daily AS earned
    JOIN numbered_members AS members
        ON members.user_id = earned.user_id
        AND members.cohort_date <= earned.event_date
        AND members.cohort_date >= earned.event_date - $max_days
    WHERE earned.event_date >= $start_date - $max_days AND earned.event_date < $end_date
),

-- When each member first paid, and what they had brought before the first day of the run.
lives AS (
    SELECT
        cohort_number, member_number, revenue_event,
        min(event_date) AS first_day,
        sum(CASE WHEN event_date < $start_date THEN revenue ELSE 0 END) AS revenue_before,
        sum(CASE WHEN event_date < $start_date THEN events ELSE 0 END) AS events_before
    FROM member_days
    GROUP BY cohort_number, member_number, revenue_event
),

-- An event named `all` has no rows of its own: they could not be told from those that count any event.
lives_by_event AS (
    SELECT cohort_number, revenue_event, first_day, revenue_before, events_before
    FROM lives
    WHERE revenue_event <> 'all'
    UNION ALL
    SELECT
        cohort_number, 'all' AS revenue_event, min(first_day) AS first_day,
        sum(revenue_before) AS revenue_before, sum(events_before) AS events_before
    FROM lives
    GROUP BY cohort_number, member_number
),

active_days AS (
    SELECT
        cohort_number, member_number, revenue_event, event_date, sum(revenue) AS revenue, sum(events) AS events
    FROM member_days
    WHERE event_date >= $start_date
    GROUP BY cohort_number, member_number, revenue_event, event_date
),

active_days_by_event AS (
    SELECT cohort_number, revenue_event, event_date, revenue, events
    FROM active_days
    WHERE revenue_event <> 'all'
    UNION ALL
    SELECT
        cohort_number, 'all' AS revenue_event, event_date, sum(revenue) AS revenue, sum(events) AS events
    FROM active_days
    GROUP BY cohort_number, member_number, event_date
),

earnings AS (
    SELECT
        cohort_number, revenue_event, event_date,
        sum(revenue) AS revenue,
        sum(events) AS events,
        sum(active_users) AS active_users,
        sum(new_payers) AS new_payers
    FROM (
        SELECT
            cohort_number, revenue_event, event_date, revenue, events, 1 AS active_users, 0 AS new_payers
        FROM active_days_by_event
        UNION ALL
        SELECT
            cohort_number, revenue_event, first_day AS event_date,
            0 AS revenue, 0 AS events, 0 AS active_users, 1 AS new_payers
        FROM lives_by_event
        WHERE first_day >= $start_date
    ) AS sides
    GROUP BY cohort_number, revenue_event, event_date
),

-- From which day on a cohort has rows under a revenue event, and what it had brought before the first day of the run.
lines AS (
    SELECT
        cohort_number, revenue_event,
        min(first_day) AS first_day,
        sum(revenue_before) AS revenue_before,
        sum(events_before) AS events_before,
        sum(payers_before) AS payers_before
    FROM (
        SELECT
            cohort_number, 'all' AS revenue_event, cohort_date AS first_day,
            0 AS revenue_before, 0 AS events_before, 0 AS payers_before
        FROM cohorts
        UNION ALL
        SELECT
            cohort_number, revenue_event, first_day, revenue_before, events_before,
            CASE WHEN first_day < $start_date THEN 1 ELSE 0 END AS payers_before
        FROM lives_by_event
    ) AS sides
    GROUP BY cohort_number, revenue_event
),

days AS (
    SELECT $start_date + CAST(numbers.number AS INTEGER) AS event_date
    FROM unnest(generate_series(0, date_diff('day', $start_date, $end_date) - 1)) AS numbers (number)
),

diagonals AS (
    SELECT
        days.event_date, cohorts.cohort_number, cohorts.cohort_date, cohorts.start_event, lines.revenue_event,
        cohorts.app_id, cohorts.platform, cohorts.country, cohorts.channel, cohorts.campaign_id,
        cohorts.users, cohorts.cost, lines.revenue_before, lines.events_before, lines.payers_before
    FROM lines
    JOIN cohorts ON cohorts.cohort_number = lines.cohort_number
    JOIN days ON days.event_date >= lines.first_day AND days.event_date <= cohorts.cohort_date + $max_days
),

cells AS (
    SELECT
        diagonals.*,
        coalesce(earnings.revenue, 0) AS revenue,
        coalesce(earnings.events, 0) AS events,
        coalesce(earnings.active_users, 0) AS active_users,
        coalesce(earnings.new_payers, 0) AS new_payers
    FROM diagonals
    LEFT JOIN earnings
        ON earnings.cohort_number = diagonals.cohort_number
        AND earnings.revenue_event = diagonals.revenue_event
        AND earnings.event_date = diagonals.event_date
)

SELECT
    CAST(event_date AS DATE) AS event_date, /* Day in the reporting time zone. */
    CAST(cohort_date AS DATE) AS cohort_date, /* Day the members began, and the cost was spent. */
    CAST(start_event AS VARCHAR) AS start_event, /* What began it, such as `install`. */
    CAST(revenue_event AS VARCHAR) AS revenue_event, /* The event that brought money; `all` counts any. */
    CAST(app_id AS VARCHAR) AS app_id, /* The app or site the members began with. */
    CAST(platform AS VARCHAR) AS platform, /* Operating system or medium. */
    CAST(country AS VARCHAR) AS country, /* Country code. */
    CAST(channel AS VARCHAR) AS channel, /* Acquisition channel. */
    CAST(campaign_id AS VARCHAR) AS campaign_id, /* Acquisition campaign. */
    CAST(date_diff('day', cohort_date, event_date) AS BIGINT) AS period, /* Days since the start, which is day 0. */
    CAST(users AS BIGINT) AS users, /* Members. */
    CAST(revenue AS DECIMAL(38, 9)) AS revenue, /* What they brought on the day. */
    CAST(revenue_before + sum(revenue) OVER so_far AS DECIMAL(38, 9)) AS cumulative_revenue, /* From day 0 through the day. */
    CAST(events AS BIGINT) AS events, /* Their revenue events on the day. */
    CAST(events_before + sum(events) OVER so_far AS BIGINT) AS cumulative_events, /* From day 0 through the day. */
    CAST(active_users AS BIGINT) AS active_users, /* Members with a revenue event on the day. */
    CAST(new_payers AS BIGINT) AS new_payers, /* Those for whom it is the first since their start. */
    CAST(payers_before + sum(new_payers) OVER so_far AS BIGINT) AS paying_users, /* Members with a revenue event so far. */
    CAST(cost AS DECIMAL(38, 9)) AS cost /* What winning the members cost; NULL where no cost row says any. */
FROM cells
WINDOW so_far AS (PARTITION BY cohort_number, revenue_event ORDER BY event_date)
