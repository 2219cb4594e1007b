-- What a partner's day was known to have earned after each batch that differed from the one before: how it was restated.
-- Grain: one row per (partner, report_date, imported_at). Money is in the reporting currency, as it was converted then.
-- A batch that cleared the day is one with revenue 0. Partners that give no ad revenue have no rows.
-- Source: the log of imports, raw.partner_imports; the data contract, section 3.
WITH batches AS (
    SELECT
        partner, report_date, imported_at, as_of, import_id, revenue,
        revenue - lag(revenue) OVER (PARTITION BY partner, report_date ORDER BY imported_at) AS change
    FROM raw.partner_imports
    WHERE is_changed AND revenue IS NOT NULL
)

SELECT
    CAST(partner AS VARCHAR) AS partner, /* The partner. */
    CAST(report_date AS DATE) AS report_date, /* Day the partner books the revenue on. */
    CAST(imported_at AS TIMESTAMP) AS imported_at, /* When the batch was imported, in UTC. */
    CAST(revenue AS DECIMAL(38, 9)) AS revenue, /* Revenue of the day as known after the batch. */
    CAST(change AS DECIMAL(38, 9)) AS change, /* Difference from the batch before; NULL for the first. */
    CAST(date_diff('day', report_date, CAST(imported_at AS DATE)) AS BIGINT) AS age_days, /* Days from the report date to the day of the import, in UTC. */
    CAST(as_of AS DATE) AS as_of, /* The day that the importing run believed it was: another one in a replay. */
    CAST(import_id AS VARCHAR) AS import_id /* The batch. */
FROM batches
