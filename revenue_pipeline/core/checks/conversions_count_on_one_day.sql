-- A conversion counts on one day. Where its latest state moved it to another day, the day it was on before still counts
-- it until it is run again. Gives those days, and how many conversions each has too many.
WITH moved AS (
    SELECT DISTINCT partner, conversion_id, counted_on
    FROM core.repeated_conversions
    WHERE event_date >= $start_date AND event_date < $end_date
)

SELECT
    booked.event_date AS run_again,
    count(*) AS conversions,
    CAST(sum(booked.revenue) AS DECIMAL(38, 9)) AS revenue,
    min(booked.partner || ' ' || booked.conversion_id) AS for_example
FROM core.attributed_conversions AS booked
JOIN moved ON moved.partner = booked.partner AND moved.conversion_id = booked.conversion_id
WHERE booked.event_date <> moved.counted_on
GROUP BY booked.event_date
ORDER BY booked.event_date
