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
SELECT
    CAST(dimension_value AS VARCHAR) AS dimension_value, /* Of the dimension that was asked for; NULL is one too. */
    CAST(row_kind AS VARCHAR) AS row_kind, /* `sub`: one cohort. `top`: all cohorts of the range that have N. */
    CAST(cohort_start AS DATE) AS cohort_start, /* First day of the cohort's period; NULL in top rows. */
    CAST(period AS BIGINT) AS period, /* N: how many days, weeks or months after the cohort's own. */
    CAST(revenue AS DECIMAL(38, 9)) AS revenue, /* In N or through N; cumulative top rows add what younger cohorts have. */
    CAST(events AS BIGINT) AS events, /* Revenue events, likewise. */
    CAST(users AS BIGINT) AS users, /* Members with a revenue event in N, in a top row each once; NULL if cumulative. */
    CAST(cost AS DECIMAL(38, 9)) AS cost, /* What the cohorts that have N cost; NULL where no cost row says any. */
    CAST(roas AS DOUBLE) AS roas, /* revenue / cost; in a top row of the cohorts that have N and cost. */
    CAST(cohort_users AS BIGINT) AS cohort_users, /* Members of the cohorts that have N. */
    CAST(arpu AS DOUBLE) AS arpu, /* revenue / cohort_users, of the cohorts that have N. */
    CAST(paying_users AS BIGINT) AS paying_users, /* Those of them with a revenue event from their start to as_of. */
    CAST(arppu AS DOUBLE) AS arppu, /* revenue / paying_users, of the cohorts that have N. */
    CAST(is_partial AS BOOLEAN) AS is_partial /* Whether the period is still running, for any cohort that has N. */
FROM reports.revenue_reports(
    $dimension, $start_date, $end_date, $granularity, $start_event, $revenue_event, $as_of
) AS forms
WHERE
    CASE
        WHEN $view_type IN ('cumulative', 'non_cumulative') THEN forms.view_type = $view_type
        ELSE error('view_type is cumulative or non_cumulative, not ' || $view_type)
    END
ORDER BY dimension_value NULLS FIRST, cohort_start NULLS FIRST, period
