-- How soon partners settle: what share of the value that a day came to have was known how many days after it.
-- Ask: SELECT * FROM reports.settlement_curves().
-- Grain: one row per (partner, age_days), from the days of the partner that were asked for again when they were a week old
-- or older: their last import is taken for final. A day counts at an age from its first import to its last; what was
-- known at an age is the last import by then. Ages are counted to the as-of date of the importing run.
-- Money is in the reporting currency; ratios are sums over sums, NULL where there is nothing to divide by.
-- Source: the log of imports, raw.partner_imports.
WITH imports AS (
    SELECT
        logged.partner, logged.report_date, logged.imported_at, logged.revenue,
        greatest(date_diff('day', logged.report_date, logged.as_of), 0) AS age,
        row_number() OVER (PARTITION BY logged.partner, logged.report_date ORDER BY logged.imported_at DESC) AS from_last
    FROM raw.partner_imports AS logged
    WHERE logged.revenue IS NOT NULL
),

settled AS (
    SELECT
        imports.partner, imports.report_date,
        min(imports.age) AS first_age,
        max(imports.age) AS last_age,
        max(CASE WHEN imports.from_last = 1 THEN imports.revenue END) AS final_revenue
    FROM imports
    GROUP BY imports.partner, imports.report_date
    HAVING max(imports.age) >= 7
),

ages AS (
    SELECT age_days
    FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (14), (15), (30), (31), (60), (90)) AS listed (age_days)
),

known AS (
    SELECT
        settled.partner, settled.report_date, ages.age_days, settled.final_revenue, imports.revenue AS known_revenue,
        row_number() OVER (
            PARTITION BY settled.partner, settled.report_date, ages.age_days ORDER BY imports.imported_at DESC
        ) AS from_last
    FROM settled
    JOIN ages ON ages.age_days >= settled.first_age AND ages.age_days <= settled.last_age
    JOIN imports
        ON imports.partner = settled.partner AND imports.report_date = settled.report_date
        AND imports.age <= ages.age_days
),

curves AS (
    SELECT
        known.partner, known.age_days,
        count(*) AS report_dates,
        sum(known.known_revenue) AS known_revenue,
        sum(known.final_revenue) AS final_revenue,
        sum(abs(known.final_revenue - known.known_revenue)) AS moved_revenue,
        sum(abs(known.final_revenue)) AS whole_revenue
    FROM known
    WHERE known.from_last = 1
    GROUP BY known.partner, known.age_days
)

SELECT
    CAST(partner AS VARCHAR) AS partner, /* The partner. */
    CAST(age_days AS BIGINT) AS age_days, /* Days after the report date. */
    CAST(report_dates AS BIGINT) AS report_dates, /* How many days the row is drawn from. */
    CAST(known_revenue AS DECIMAL(38, 9)) AS known_revenue, /* What was known of them at that age. */
    CAST(final_revenue AS DECIMAL(38, 9)) AS final_revenue, /* What they came to have. */
    CAST(
        CAST(known_revenue AS DOUBLE) / nullif(CAST(final_revenue AS DOUBLE), 0) AS DOUBLE
    ) AS settled_share, /* known / final: above 1 where partners took back. */
    CAST(
        CAST(moved_revenue AS DOUBLE) / nullif(CAST(whole_revenue AS DOUBLE), 0) AS DOUBLE
    ) AS unsettled_share /* What still moved, up or down, over final: the sum of each day's |final - known|. */
FROM curves
ORDER BY partner, age_days
