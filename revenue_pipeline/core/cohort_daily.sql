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

-- An event named `all` has no rows of its own: they could not be told from those that count any event.
user_days AS (
    SELECT event_date, user_id, revenue_event, sum(revenue) AS revenue, sum(events) AS events
    FROM core.user_revenue_daily
    WHERE
        event_date >= $start_date - $max_days AND event_date < $end_date
        AND user_id IS NOT NULL AND revenue_event <> 'all'
    GROUP BY event_date, user_id, revenue_event
    UNION ALL
    SELECT event_date, user_id, 'all' AS revenue_event, sum(revenue) AS revenue, sum(events) AS events
    FROM core.user_revenue_daily
    WHERE event_date >= $start_date - $max_days AND event_date < $end_date AND user_id IS NOT NULL
    GROUP BY event_date, user_id
),

member_days AS (
    SELECT
        members.cohort_date, members.start_event, members.user_id, members.app_id, members.platform, members.country,
        members.channel, members.campaign_id,
        user_days.event_date, user_days.revenue_event, user_days.revenue, user_days.events
    FROM user_days
    JOIN members
        ON members.user_id = user_days.user_id
        AND members.cohort_date <= user_days.event_date
        AND members.cohort_date >= user_days.event_date - $max_days
),

first_paid_days AS (
    SELECT
        cohort_date, start_event, user_id, revenue_event, app_id, platform, country, channel, campaign_id,
        min(event_date) AS event_date
    FROM member_days
    GROUP BY
        cohort_date, start_event, user_id, revenue_event, app_id, platform, country, channel, campaign_id
),

-- One row a day on which a cohort earned; grouping matches NULL dimensions with NULL ones, on every engine.
facts AS (
    SELECT
        cohort_date, start_event, revenue_event, app_id, platform, country, channel, campaign_id, event_date,
        sum(revenue) AS revenue,
        sum(events) AS events,
        sum(active_users) AS active_users,
        sum(new_payers) AS new_payers
    FROM (
        SELECT
            cohort_date, start_event, revenue_event, app_id, platform, country, channel, campaign_id, event_date,
            revenue, events, 1 AS active_users, 0 AS new_payers
        FROM member_days
        UNION ALL
        SELECT
            cohort_date, start_event, revenue_event, app_id, platform, country, channel, campaign_id, event_date,
            0 AS revenue, 0 AS events, 0 AS active_users, 1 AS new_payers
        FROM first_paid_days
    ) AS sides
    GROUP BY
        cohort_date, start_event, revenue_event, app_id, platform, country, channel, campaign_id, event_date
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

earnings AS (
    SELECT
        cohorts.cohort_number, facts.revenue_event, facts.event_date,
        facts.revenue, facts.events, facts.active_users, facts.new_payers
    FROM facts
    JOIN cohorts
        ON cohorts.cohort_date = facts.cohort_date
        AND cohorts.start_event = facts.start_event
        AND cohorts.app_id IS NOT DISTINCT FROM facts.app_id
        AND cohorts.platform IS NOT DISTINCT FROM facts.platform
        AND cohorts.country IS NOT DISTINCT FROM facts.country
        AND cohorts.channel IS NOT DISTINCT FROM facts.channel
        AND cohorts.campaign_id IS NOT DISTINCT FROM facts.campaign_id
),

-- From which day on a cohort has rows under a revenue event, and what it had brought before the first day of the run.
lines AS (
    SELECT
        cohort_number, revenue_event,
        min(first_day) AS first_day,
        sum(revenue) AS revenue_before,
        sum(events) AS events_before,
        sum(new_payers) AS payers_before
    FROM (
        SELECT
            cohort_number, 'all' AS revenue_event, cohort_date AS first_day,
            0 AS revenue, 0 AS events, 0 AS new_payers
        FROM cohorts
        UNION ALL
        SELECT
            cohort_number, revenue_event, event_date AS first_day,
            CASE WHEN event_date < $start_date THEN revenue ELSE 0 END AS revenue,
            CASE WHEN event_date < $start_date THEN events ELSE 0 END AS events,
            CASE WHEN event_date < $start_date THEN new_payers ELSE 0 END AS new_payers
        FROM earnings
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
