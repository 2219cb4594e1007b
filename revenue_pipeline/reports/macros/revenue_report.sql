-- The revenue report: what the cohorts of a range of days brought in the Nth day, week or month after they began, or
-- through it, against what they cost; sub-rows for each cohort, and a top row for each N over all of them.
-- Ask: SELECT * FROM reports.revenue_report(DATE '2026-11-01', DATE '2026-11-30', 'week', 'cumulative', 'install',
-- 'all', DATE '2026-12-01'). What the arguments mean is told at `reports.revenue_report_by`, of which this is the whole.
-- Money is in the reporting currency. Source: the revenue report document, and section 3 of the data contract.
SELECT
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
FROM reports.revenue_report_by(
    'none', $start_date, $end_date, $granularity, $view_type, $start_event, $revenue_event, $as_of
)
ORDER BY cohort_start NULLS FIRST, period
