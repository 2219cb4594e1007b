-- Lifetime value: what the members of the cohorts of a range of days brought in their first 7, 30 and 90 days, each
-- counted from their own first start day in the cohort; sub-rows for each cohort, and a top row over all of them.
-- Ask: SELECT * FROM reports.ltv_report(DATE '2026-11-01', DATE '2026-11-30', 'week', 'install', 'all',
-- DATE '2026-12-01'). What the arguments mean is told at `reports.ltv_report_by`, of which this is the whole.
-- Money is in the reporting currency. Source: section 3 of the data contract.
SELECT
    CAST(row_kind AS VARCHAR) AS row_kind, /* `sub`: one cohort. `top`: all cohorts of the range. */
    CAST(cohort_start AS DATE) AS cohort_start, /* First day of the cohort's period; NULL in top rows. */
    CAST(horizon AS BIGINT) AS horizon, /* For how many days each member is followed: 7, 30 or 90. */
    CAST(users AS BIGINT) AS users, /* Members. */
    CAST(revenue AS DECIMAL(38, 9)) AS revenue, /* What they brought on their days 0 to horizon - 1, or so far. */
    CAST(ltv AS DOUBLE) AS ltv, /* revenue / users; NULL where there are no members. */
    CAST(is_complete AS BOOLEAN) AS is_complete /* Whether the horizon's last day is reached and over for every member. */
FROM reports.ltv_report_by('none', $start_date, $end_date, $granularity, $start_event, $revenue_event, $as_of)
ORDER BY cohort_start NULLS FIRST, horizon
