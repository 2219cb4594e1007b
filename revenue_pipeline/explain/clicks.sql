-- The clicks of people on the ads of a placement or container on a day: one row a click.
SELECT
    coalesce(ad_unit_id, 'no ad unit') AS placement,
    event_id AS event,
    CAST(1 AS DECIMAL(38, 9)) AS value,
    event_time,
    user_id
FROM raw.events
WHERE
    event_date = $event_date AND event_name = 'ad_click' AND NOT coalesce(is_automated, FALSE)
    AND container_id IS NOT DISTINCT FROM $container_id
    AND ($level = 'container' OR ad_unit_id IS NOT DISTINCT FROM $ad_unit_id)
