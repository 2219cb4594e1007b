-- Who began on which day: the users of each cohort, with where their start came from.
-- Grain: (cohort_date, start_event, user_id). The dimensions are those of the user's first such event of that day, by
-- time and then by event id. A user may be in several cohorts; an event without a user starts none.
-- Which events start a cohort is a setting. Source: the data contract, section 3.
WITH starts AS (
    SELECT
        events.event_date, events.event_name, events.user_id, events.app_id, events.platform, events.country,
        events.channel, events.campaign_id,
        row_number() OVER (
            PARTITION BY events.event_date, events.event_name, events.user_id
            ORDER BY events.event_time, events.event_id
        ) AS position
    FROM raw.events AS events
    JOIN settings.start_events AS start_events ON start_events.start_event = events.event_name
    WHERE events.event_date >= $start_date AND events.event_date < $end_date AND events.user_id IS NOT NULL
)

SELECT
    CAST(event_date AS DATE) AS cohort_date, /* Day of the start event in the reporting time zone. */
    CAST(event_name AS VARCHAR) AS start_event, /* What began it, such as `install`. */
    CAST(user_id AS VARCHAR) AS user_id, /* The member. */
    CAST(app_id AS VARCHAR) AS app_id, /* The app or site they began with. */
    CAST(platform AS VARCHAR) AS platform, /* Operating system or medium. */
    CAST(country AS VARCHAR) AS country, /* Country code. */
    CAST(channel AS VARCHAR) AS channel, /* Acquisition channel. */
    CAST(campaign_id AS VARCHAR) AS campaign_id /* Acquisition campaign. */
FROM starts
WHERE position = 1
