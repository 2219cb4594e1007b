-- No conversion is lost and none counts twice: those that were reported or uploaded for a day are there, each once and
-- with a reason, but for those whose latest state is of another day; and what is attributed is what it pays.
-- Gives the days where the numbers differ.
WITH reported AS (
    SELECT DISTINCT event_date, partner, conversion_id
    FROM raw.conversions
    WHERE event_date >= $start_date AND event_date < $end_date
),

counted_elsewhere AS (
    SELECT DISTINCT event_date, partner, conversion_id
    FROM core.repeated_conversions
    WHERE event_date >= $start_date AND event_date < $end_date AND counted_on <> event_date
),

uploaded AS (
    SELECT DISTINCT date, click_id, amount, coalesce(currency, $reporting_currency) AS currency
    FROM raw.manual_revenue
    WHERE date >= $start_date AND date < $end_date
),

sides AS (
    SELECT event_date, 1 AS landed, 0 AS booked, CAST(0 AS DECIMAL(38, 9)) AS unexplained FROM reported
    UNION ALL
    SELECT event_date, -1 AS landed, 0 AS booked, CAST(0 AS DECIMAL(38, 9)) AS unexplained FROM counted_elsewhere
    UNION ALL
    SELECT date AS event_date, 1 AS landed, 0 AS booked, CAST(0 AS DECIMAL(38, 9)) AS unexplained FROM uploaded
    UNION ALL
    SELECT
        event_date,
        0 AS landed,
        1 AS booked,
        revenue - CASE WHEN status = 'attributed' THEN reporting_payout ELSE 0 END AS unexplained
    FROM core.attributed_conversions
    WHERE event_date >= $start_date AND event_date < $end_date
)

SELECT
    event_date,
    CAST(sum(landed) AS BIGINT) AS landed,
    CAST(sum(booked) AS BIGINT) AS booked,
    CAST(sum(unexplained) AS DECIMAL(38, 9)) AS unexplained_revenue
FROM sides
GROUP BY event_date
HAVING sum(landed) <> sum(booked) OR sum(unexplained) <> 0
ORDER BY event_date
