-- What partners invoice, held against what they reported.
-- Grain: one row per (partner, period_start, period_end): each invoiced period, with its invoices added up, and each
-- calendar month with imported revenue that no invoice of the partner overlaps, which has reported revenue only.
-- Of an invoice the newest delivered state counts. Money is in the reporting currency, invoices at the rate of their
-- period's end, reports at that of each day; the ratio is NULL where nothing was reported.
-- Source: the data contract, section 3.
WITH states AS (
    SELECT
        partner, period_start, period_end, reporting_amount,
        row_number() OVER (PARTITION BY invoice_id ORDER BY folder_date DESC) AS position
    FROM raw.invoices
),

invoiced AS (
    SELECT partner, period_start, period_end, sum(reporting_amount) AS invoiced_revenue
    FROM states
    WHERE position = 1
    GROUP BY partner, period_start, period_end
),

reported AS (
    SELECT partner, report_date, CAST(date_trunc('month', report_date) AS DATE) AS month, sum(revenue) AS revenue
    FROM raw.partner_revenue
    GROUP BY partner, report_date, CAST(date_trunc('month', report_date) AS DATE)
),

months AS (
    SELECT DISTINCT partner, month AS period_start, CAST(last_day(month) AS DATE) AS period_end
    FROM reported
),

periods AS (
    SELECT partner, period_start, period_end, invoiced_revenue, 'final' AS status
    FROM invoiced
    UNION ALL
    SELECT
        months.partner, months.period_start, months.period_end, CAST(NULL AS DECIMAL(38, 9)) AS invoiced_revenue,
        'indicative' AS status
    FROM months
    WHERE NOT EXISTS (
        SELECT 1
        FROM invoiced
        WHERE
            invoiced.partner = months.partner
            AND invoiced.period_start <= months.period_end AND invoiced.period_end >= months.period_start
    )
),

compared AS (
    SELECT
        periods.partner, periods.period_start, periods.period_end, periods.invoiced_revenue, periods.status,
        CAST(coalesce(sum(reported.revenue), 0) AS DECIMAL(38, 9)) AS reported_revenue
    FROM periods
    LEFT JOIN reported
        ON reported.partner = periods.partner
        AND reported.report_date >= periods.period_start AND reported.report_date <= periods.period_end
    GROUP BY periods.partner, periods.period_start, periods.period_end, periods.invoiced_revenue, periods.status
)

SELECT
    CAST(partner AS VARCHAR) AS partner, /* The partner. */
    CAST(period_start AS DATE) AS period_start, /* First day of the period. */
    CAST(period_end AS DATE) AS period_end, /* Last day of the period, included. */
    CAST(reported_revenue AS DECIMAL(38, 9)) AS reported_revenue, /* Imported revenue of the period's days; 0 where there is none. */
    CAST(invoiced_revenue AS DECIMAL(38, 9)) AS invoiced_revenue, /* Sum of the period's invoices; NULL without one. */
    CAST(invoiced_revenue - reported_revenue AS DECIMAL(38, 9)) AS difference, /* invoiced - reported; NULL without an invoice. */
    CAST(
        CAST(invoiced_revenue - reported_revenue AS DOUBLE) / nullif(CAST(reported_revenue AS DOUBLE), 0) AS DOUBLE
    ) AS difference_ratio, /* difference / reported. */
    CAST(status AS VARCHAR) AS status /* final with an invoice, else indicative. */
FROM compared
