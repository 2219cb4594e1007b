-- Conversions that partners reported more than once: every state that `raw` holds, and which of them counts.
-- Grain: one row per state of a conversion that was reported several times, on the day of that state; rows that were
-- landed for one day are one state, the latest of them. A conversion counts once, in its latest state: by `updated_at`,
-- else `converted_at`, then by the newest report date, then by the greatest content.
-- A state looks at all other days there are, before and after: they tell on which day the conversion counts.
-- Source: the rules on conversions of the data contract, section 3.
WITH reported AS (
    SELECT DISTINCT partner, conversion_id
    FROM raw.conversions
    WHERE event_date >= $start_date AND event_date < $end_date
),

states AS (
    SELECT
        conversions.event_date, conversions.partner, conversions.conversion_id, conversions.report_date,
        conversions.source, conversions.click_id, conversions.offer_id, conversions.payout, conversions.currency,
        conversions.converted_at, conversions.updated_at, conversions.status, conversions.landed_rows,
        row_number() OVER (
            PARTITION BY conversions.partner, conversions.conversion_id
            ORDER BY
                coalesce(conversions.updated_at, conversions.converted_at) DESC,
                conversions.report_date DESC,
                conversions.click_id DESC NULLS LAST,
                conversions.offer_id DESC NULLS LAST,
                conversions.payout DESC,
                conversions.currency DESC,
                conversions.converted_at DESC,
                conversions.status DESC NULLS LAST,
                conversions.updated_at DESC NULLS LAST,
                conversions.source DESC
        ) AS position
    FROM raw.conversions AS conversions
    JOIN reported
        ON reported.partner = conversions.partner AND reported.conversion_id = conversions.conversion_id
),

conversions AS (
    SELECT
        partner, conversion_id,
        count(*) AS states,
        sum(landed_rows) AS reports,
        max(CASE WHEN position = 1 THEN event_date END) AS counted_on
    FROM states
    GROUP BY partner, conversion_id
    HAVING count(*) > 1 OR sum(landed_rows) > 1
)

SELECT
    CAST(states.event_date AS DATE) AS event_date, /* Day of this state's `converted_at` in the reporting zone. */
    CAST(states.partner AS VARCHAR) AS partner, /* Who reported it. */
    CAST(states.conversion_id AS VARCHAR) AS conversion_id, /* Names the conversion within its partner. */
    CAST(states.position AS BIGINT) AS position, /* 1 for the latest state, which counts; 2 for the one before. */
    CAST(conversions.states AS BIGINT) AS states, /* How many states of it there are. */
    CAST(conversions.reports AS BIGINT) AS reports, /* How many times it was reported in all. */
    CAST(conversions.counted_on AS DATE) AS counted_on, /* The day on which the conversion counts. */
    CAST(states.report_date AS DATE) AS report_date, /* Day the partner books this state on. */
    CAST(states.source AS VARCHAR) AS source, /* `api` or `files`. */
    CAST(states.status AS VARCHAR) AS reported_status, /* The state, in the partner's word. */
    CAST(states.converted_at AS TIMESTAMP) AS converted_at, /* When it happened, by this state. */
    CAST(states.updated_at AS TIMESTAMP) AS updated_at, /* When the state changed, where the partner says. */
    CAST(states.click_id AS VARCHAR) AS click_id, /* The click it names. */
    CAST(states.payout AS DECIMAL(38, 9)) AS payout, /* What it pays, in `currency`. */
    CAST(states.currency AS VARCHAR) AS currency /* ISO 4217 code. */
FROM states
JOIN conversions ON conversions.partner = states.partner AND conversions.conversion_id = states.conversion_id
WHERE states.event_date >= $start_date AND states.event_date < $end_date
