-- An event id should name one event. Gives ids seen on two days or more among the days of the run and their
-- neighbours; each day keeps its own, so an event that was sent again under another time counts twice.
WITH loaded AS (
    SELECT event_id, event_date
    FROM raw.events
    WHERE event_date >= $start_date - 1 AND event_date < $end_date + 1
),

-- Where one day alone is loaded there is nothing to compare, and its millions of ids need no grouping.
comparable AS (
    SELECT event_id, event_date FROM loaded WHERE (SELECT min(event_date) < max(event_date) FROM loaded)
)

SELECT event_id, min(event_date) AS first_date, max(event_date) AS last_date
FROM comparable
GROUP BY event_id
HAVING min(event_date) < max(event_date)
ORDER BY event_id
