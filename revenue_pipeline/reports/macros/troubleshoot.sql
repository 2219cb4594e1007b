-- The troubleshooting list of the message tracking document, answered from the data of a range of days, both included.
-- Grain: one row per question, finding, partner and offer; one with 0 for what was looked for and not found.
-- Money is in the reporting currency. A finding is a place to look, not a verdict.
WITH conversions AS (
    SELECT
        *,
        partner || ' ' || conversion_id AS told,
        coalesce(CAST(converted_at AS DATE), event_date) AS converted_on
    FROM core.attributed_conversions
    WHERE event_date >= $start_date AND event_date <= $end_date
),

-- A click may still convert after the range.
converted AS (
    SELECT DISTINCT click_id FROM core.attributed_conversions WHERE event_date >= $start_date
),

clicks AS (
    SELECT clicks.click_id, clicks.offer_id, converted.click_id IS NULL AS is_silent
    FROM core.message_clicks AS clicks
    LEFT JOIN converted ON converted.click_id = clicks.click_id
    WHERE clicks.click_date >= $start_date AND clicks.click_date <= $end_date
),

silent AS (
    SELECT
        offer_id,
        count(*) AS clicks,
        sum(CASE WHEN is_silent THEN 1 ELSE 0 END) AS silent_clicks,
        max(CASE WHEN is_silent THEN click_id END) AS example
    FROM clicks
    GROUP BY offer_id
),

-- What a conversion's status, or its missing click id, says of it.
reasons AS (
    SELECT
        partner, offer_id, reporting_payout, told,
        CASE
            WHEN status = 'unknown_click' AND click_id IS NULL THEN 'missing_click_id'
            WHEN status = 'duplicate' THEN 'manual_duplicate'
            ELSE status
        END AS finding,
        CASE
            WHEN status = 'unknown_click' AND click_id IS NOT NULL THEN told || ' names the click ' || click_id
            WHEN status = 'outside_window'
                THEN
                    told || ' came ' || CAST(date_diff('day', CAST(clicked_at AS DATE), converted_on) AS VARCHAR)
                    || ' days after its click'
            WHEN status = 'unknown_message' THEN told || ' is of the message ' || message_id
            ELSE told
        END AS example
    FROM conversions
    WHERE status <> 'attributed'
),

totals AS (
    SELECT partner, count(*) AS conversions FROM conversions GROUP BY partner
),

by_status AS (
    SELECT
        reasons.finding, reasons.partner, reasons.offer_id,
        count(*) AS found,
        max(totals.conversions) AS out_of,
        sum(reasons.reporting_payout) AS revenue,
        min(reasons.example) AS example
    FROM reasons
    JOIN totals ON totals.partner = reasons.partner
    GROUP BY reasons.finding, reasons.partner, reasons.offer_id
),

-- A longer window of 30 days would have credited these.
late AS (
    SELECT partner, offer_id, count(*) AS found, sum(reporting_payout) AS revenue, min(told) AS example
    FROM conversions
    WHERE status = 'outside_window' AND date_diff('day', CAST(clicked_at AS DATE), converted_on) <= 30
    GROUP BY partner, offer_id
),

-- What an offer pays, in the order of its conversions.
payouts AS (
    SELECT
        partner, offer_id, event_date, converted_at, conversion_id, payout, currency,
        lag(payout) OVER (PARTITION BY partner, offer_id, currency ORDER BY converted_at, conversion_id) AS payout_before
    FROM conversions
    WHERE source <> 'manual'
),

changes AS (
    SELECT
        partner, offer_id,
        CAST(event_date AS VARCHAR) || ': ' || CAST(CAST(payout_before AS DECIMAL(38, 2)) AS VARCHAR) || ' became '
        || CAST(CAST(payout AS DECIMAL(38, 2)) AS VARCHAR) || ' ' || currency AS change,
        row_number() OVER (
            PARTITION BY partner, offer_id ORDER BY converted_at DESC, conversion_id DESC, currency
        ) AS position
    FROM payouts
    WHERE payout <> payout_before
),

changed AS (
    SELECT partner, offer_id, count(*) AS found, max(CASE WHEN position = 1 THEN change END) AS example
    FROM changes
    GROUP BY partner, offer_id
),

repeats AS (
    SELECT
        partner,
        count(DISTINCT conversion_id) AS found,
        min(partner || ' ' || conversion_id || ', ' || CAST(reports AS VARCHAR) || ' times') AS example
    FROM core.repeated_conversions
    WHERE event_date >= $start_date AND event_date <= $end_date
    GROUP BY partner
),

twins AS (
    SELECT
        partner, offer_id, click_id,
        count(*) - 1 AS surplus,
        sum(revenue) - max(revenue) AS surplus_revenue,
        min(conversion_id) AS first_id,
        max(conversion_id) AS last_id
    FROM conversions
    WHERE status = 'attributed' AND source <> 'manual'
    GROUP BY partner, offer_id, click_id, event_date, reporting_payout
    HAVING count(*) > 1
),

fired_twice AS (
    SELECT
        partner, offer_id,
        sum(surplus) AS found,
        sum(surplus_revenue) AS revenue,
        min(partner || ' ' || first_id || ' and ' || last_id || ' of the click ' || click_id) AS example
    FROM twins
    GROUP BY partner, offer_id
),

questions AS (
    SELECT 1 AS position, 'Are postbacks configured correctly?' AS question, 'clicks_without_conversions' AS finding
    UNION ALL SELECT 2, 'Are postbacks configured correctly?', 'unknown_click'
    UNION ALL SELECT 3, 'Is the click_id being passed?', 'missing_click_id'
    UNION ALL SELECT 4, 'Is the conversion within the attribution window?', 'outside_window'
    UNION ALL SELECT 5, 'Is the conversion within the attribution window?', 'before_click'
    UNION ALL SELECT 6, 'Are payout amounts current?', 'payout_changed'
    UNION ALL SELECT 7, 'Are all conversions being captured?', 'unknown_message'
    UNION ALL SELECT 8, 'Are all conversions being captured?', 'rejected'
    UNION ALL SELECT 9, 'Is the attribution window appropriate?', 'credited_with_30_days'
    UNION ALL SELECT 10, 'Are postbacks firing multiple times?', 'repeated_conversion'
    UNION ALL SELECT 11, 'Are postbacks firing multiple times?', 'same_click_and_payout'
    UNION ALL SELECT 12, 'Do manual imports duplicate platform data?', 'manual_duplicate'
),

findings AS (
    SELECT
        'clicks_without_conversions' AS finding,
        CAST(NULL AS VARCHAR) AS partner,
        offer_id,
        silent_clicks AS found,
        clicks AS out_of,
        CAST(NULL AS DECIMAL(38, 9)) AS revenue,
        'click ' || example AS example
    FROM silent
    WHERE silent_clicks > 0
    UNION ALL
    SELECT finding, partner, offer_id, found, out_of, revenue, example FROM by_status
    UNION ALL
    SELECT 'payout_changed' AS finding, partner, offer_id, found, NULL AS out_of, NULL AS revenue, example FROM changed
    UNION ALL
    SELECT 'credited_with_30_days' AS finding, partner, offer_id, found, NULL AS out_of, revenue, example FROM late
    UNION ALL
    SELECT 'repeated_conversion' AS finding, partner, NULL AS offer_id, found, NULL AS out_of, NULL AS revenue, example
    FROM repeats
    UNION ALL
    SELECT 'same_click_and_payout' AS finding, partner, offer_id, found, NULL AS out_of, revenue, example
    FROM fired_twice
)

SELECT
    CAST(questions.question AS VARCHAR) AS question, /* What to check. */
    CAST(questions.finding AS VARCHAR) AS finding, /* What was looked for. */
    CAST(findings.partner AS VARCHAR) AS partner, /* Whose conversions; NULL where it is not about conversions. */
    CAST(findings.offer_id AS VARCHAR) AS offer_id, /* The offer they are credited to, where one is known. */
    CAST(coalesce(findings.found, 0) AS BIGINT) AS found, /* How many clicks, conversions or changes. */
    CAST(findings.out_of AS BIGINT) AS out_of, /* Of how many: the offer's clicks, the partner's conversions. */
    CAST(findings.revenue AS DECIMAL(38, 9)) AS revenue, /* The money that they pay, credited or not. */
    CAST(findings.example AS VARCHAR) AS example /* One of them. */
FROM questions
LEFT JOIN findings ON findings.finding = questions.finding
ORDER BY questions.position, found DESC, findings.partner NULLS FIRST, findings.offer_id NULLS FIRST
