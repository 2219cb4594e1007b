-- Affiliate conversions matched to click -> message -> creative, each with the money it earned or the reason why none.
-- Grain: one row per conversion, (partner, conversion_id), in its latest state, on the day it happened; and one per
-- uploaded row of manual revenue, under the partner `manual`.
-- `status` is the first that applies of rejected, duplicate, unknown_click, unknown_message, before_click,
-- outside_window, attributed. A manual row happened at some instant of its day: inside the window if any instant fits.
-- Money is in the reporting currency where it does not say otherwise. Times are in UTC.
-- Source: data contract, section 3, "Affiliate messages"; the attribution windows of the message tracking document.
WITH reported AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY partner, conversion_id
            ORDER BY
                coalesce(updated_at, converted_at) DESC,
                report_date DESC,
                click_id DESC NULLS LAST,
                offer_id DESC NULLS LAST,
                payout DESC,
                currency DESC,
                converted_at DESC,
                status DESC NULLS LAST,
                updated_at DESC NULLS LAST,
                source DESC
        ) AS position
    FROM raw.conversions
    WHERE event_date >= $start_date AND event_date < $end_date
),

counted_elsewhere AS (
    SELECT DISTINCT partner, conversion_id
    FROM core.repeated_conversions
    WHERE
        event_date >= $start_date AND event_date < $end_date
        AND (counted_on < $start_date OR counted_on >= $end_date)
),

platform AS (
    SELECT
        event_date, source, partner, conversion_id, click_id, offer_id, payout, currency, reporting_payout,
        converted_at, updated_at,
        status AS reported_status
    FROM reported
    WHERE
        position = 1
        AND NOT EXISTS (
            SELECT 1
            FROM counted_elsewhere
            WHERE
                counted_elsewhere.partner = reported.partner
                AND counted_elsewhere.conversion_id = reported.conversion_id
        )
),

-- Rows alike in everything are one; a row without a currency is in the reporting one.
manual AS (
    SELECT
        date AS event_date,
        click_id,
        amount,
        coalesce(currency, $reporting_currency) AS currency,
        max(reporting_amount) AS reporting_amount
    FROM raw.manual_revenue
    WHERE date >= $start_date AND date < $end_date
    GROUP BY date, click_id, amount, coalesce(currency, $reporting_currency)
),

conversions AS (
    SELECT
        event_date, source, partner, conversion_id, click_id, offer_id, payout, currency, reporting_payout,
        converted_at, updated_at, reported_status,
        FALSE AS is_duplicate
    FROM platform
    UNION ALL
    SELECT
        event_date,
        'manual' AS source,
        'manual' AS partner,
        md5(
            CAST(event_date AS VARCHAR) || '|' || currency || '|' || CAST(amount AS VARCHAR) || '|' || click_id
        ) AS conversion_id,
        click_id,
        CAST(NULL AS VARCHAR) AS offer_id,
        amount AS payout,
        currency,
        reporting_amount AS reporting_payout,
        CAST(NULL AS TIMESTAMP) AS converted_at,
        CAST(NULL AS TIMESTAMP) AS updated_at,
        CAST(NULL AS VARCHAR) AS reported_status,
        EXISTS (
            SELECT 1
            FROM platform
            WHERE
                platform.click_id = manual.click_id
                AND platform.event_date = manual.event_date
                AND platform.reporting_payout = manual.reporting_amount
        ) AS is_duplicate
    FROM manual
),

named AS (
    SELECT DISTINCT click_id FROM conversions WHERE click_id IS NOT NULL
),

-- A conversion may name a click of any day: one long before the window is outside it, not unknown. Most are recent.
recent AS (
    SELECT *
    FROM core.message_clicks
    WHERE click_date >= $start_date - 31 AND click_id IN (SELECT click_id FROM named)
),

missing AS (
    SELECT named.click_id
    FROM named
    LEFT JOIN recent ON recent.click_id = named.click_id
    WHERE recent.click_id IS NULL
),

older AS (
    SELECT *
    FROM core.message_clicks
    WHERE click_date < $start_date - 31 AND click_id IN (SELECT click_id FROM missing)
),

landed_clicks AS (
    SELECT * FROM recent
    UNION ALL
    SELECT * FROM older
),

clicks AS (
    SELECT *, row_number() OVER (PARTITION BY click_id ORDER BY click_date DESC) AS position
    FROM landed_clicks
),

matched AS (
    SELECT
        conversions.*,
        clicks.click_date, clicks.clicked_at, clicks.message_id, clicks.send_date, clicks.sent_at,
        clicks.contact_id, clicks.creative_id, clicks.campaign_id, clicks.sending_list, clicks.custom,
        coalesce(clicks.offer_id, conversions.offer_id) AS credited_offer_id
    FROM conversions
    LEFT JOIN clicks ON clicks.click_id = conversions.click_id AND clicks.position = 1
),

windowed AS (
    SELECT
        matched.*,
        matched.clicked_at + coalesce(offers.attribution_window, $default_attribution_window) AS credited_until
    FROM matched
    LEFT JOIN settings.offers AS offers ON offers.offer_id = matched.credited_offer_id
),

judged AS (
    SELECT
        *,
        CASE
            WHEN reported_status IN ('rejected', 'reversed', 'invalid', 'declined') THEN 'rejected'
            WHEN is_duplicate THEN 'duplicate'
            WHEN clicked_at IS NULL THEN 'unknown_click'
            WHEN sent_at IS NULL THEN 'unknown_message'
            WHEN converted_at < clicked_at OR (converted_at IS NULL AND event_date < click_date) THEN 'before_click'
            WHEN
                converted_at > credited_until
                OR (
                    converted_at IS NULL
                    AND event_date > CAST(
                        credited_until AT TIME ZONE 'UTC' AT TIME ZONE $reporting_timezone AS DATE
                    )
                )
                THEN 'outside_window'
            ELSE 'attributed'
        END AS status
    FROM windowed
)

SELECT
    CAST(event_date AS DATE) AS event_date, /* Day of the conversion in the reporting zone. */
    CAST(partner AS VARCHAR) AS partner, /* Who pays; `manual` for uploaded rows. */
    CAST(conversion_id AS VARCHAR) AS conversion_id, /* The partner's id; for uploaded rows a hash of their content. */
    CAST(source AS VARCHAR) AS source, /* `api`, `files` or `manual`. */
    CAST(status AS VARCHAR) AS status, /* `attributed`, or the first reason why it earned nothing. */
    CAST(coalesce(reported_status = 'pending', FALSE) AS BOOLEAN) AS is_pending, /* Whether the partner may still reject it. */
    CAST(reported_status AS VARCHAR) AS reported_status, /* Its state in the partner's word; NULL where it says none. */
    CAST(
        CASE WHEN status = 'attributed' THEN reporting_payout ELSE 0 END AS DECIMAL(38, 9)
    ) AS revenue, /* What it earned; 0 unless attributed. */
    CAST(reporting_payout AS DECIMAL(38, 9)) AS reporting_payout, /* What it pays whatever its status. */
    CAST(payout AS DECIMAL(38, 9)) AS payout, /* The same in `currency`, as reported. */
    CAST(currency AS VARCHAR) AS currency, /* ISO 4217 code. */
    CAST(converted_at AS TIMESTAMP) AS converted_at, /* When it happened; NULL for uploaded rows, which say a day. */
    CAST(updated_at AS TIMESTAMP) AS updated_at, /* When its state last changed, where the partner says. */
    CAST(click_id AS VARCHAR) AS click_id, /* The click it names; NULL where it names none. */
    CAST(clicked_at AS TIMESTAMP) AS clicked_at, /* When that click happened; NULL where it is unknown. */
    CAST(credited_until AS TIMESTAMP) AS credited_until, /* Until when a conversion of the click counts. */
    CAST(message_id AS VARCHAR) AS message_id, /* The message that was clicked. */
    CAST(sent_at AS TIMESTAMP) AS sent_at, /* When it was sent; NULL where it is unknown. */
    CAST(contact_id AS VARCHAR) AS contact_id, /* Whom it was sent to. */
    CAST(creative_id AS VARCHAR) AS creative_id, /* What it said. */
    CAST(credited_offer_id AS VARCHAR) AS offer_id, /* The message's offer, else the one the partner names. */
    CAST(offer_id AS VARCHAR) AS reported_offer_id, /* The offer that the partner names. */
    CAST(campaign_id AS VARCHAR) AS campaign_id, /* The campaign the message was part of. */
    CAST(sending_list AS VARCHAR) AS sending_list, /* The list of contacts it was sent by. */
    CAST(custom AS VARCHAR) AS custom /* Custom dimensions of the message, as JSON. */
FROM judged
