-- The opens behind the adjusted opens of a placement or container on a day: one row an open, with what it counts for.
-- The choice between the container's own opens and those of its placements is that of core.engagement_daily.
WITH opens AS (
    SELECT event_id, ad_unit_id, event_time, user_id, coalesce(is_automated, FALSE) AS is_automated
    FROM raw.events
    WHERE event_date = $event_date AND event_name = 'open' AND container_id IS NOT DISTINCT FROM $container_id
),

own AS (
    SELECT count(*) AS opens FROM opens WHERE ad_unit_id IS NULL
),

discounts AS (
    SELECT coalesce(max(mpp_discount), $default_mpp_discount) AS discount
    FROM settings.containers
    WHERE container_id IS NOT DISTINCT FROM $container_id
)

SELECT
    CASE
        WHEN opens.is_automated THEN 'automated opens, each counts 1 - ' || discounts.discount
        ELSE 'opens'
    END AS kind,
    opens.event_id AS event,
    CAST(CASE WHEN opens.is_automated THEN 1 - discounts.discount ELSE 1 END AS DECIMAL(38, 9)) AS value,
    opens.event_time,
    opens.user_id,
    opens.ad_unit_id
FROM opens
CROSS JOIN own
CROSS JOIN discounts
WHERE
    CASE
        WHEN $level = 'placement' AND $opens_level = 'placement' THEN opens.ad_unit_id IS NOT DISTINCT FROM $ad_unit_id
        WHEN own.opens > 0 THEN opens.ad_unit_id IS NULL
        ELSE TRUE
    END
