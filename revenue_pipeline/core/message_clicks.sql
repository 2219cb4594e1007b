-- Clicks on links in messages, each with what is known of its message.
-- Grain: one row per click_id. A click that was landed on several days is the newest one; so is a message.
-- The columns of a message that was never landed are NULL. Times are in UTC.
-- Source: the revenue flow of the message tracking document (message -> click -> conversion), data contract, section 3.
WITH landed AS (
    SELECT click_date, click_id, clicked_at, message_id
    FROM raw.link_clicks
    WHERE click_date >= $start_date AND click_date < $end_date
),

-- Where the run's first day is the last one there is nothing to compare.
comparable AS (
    SELECT click_id, click_date
    FROM raw.link_clicks
    WHERE click_date >= $start_date AND (SELECT max(click_date) FROM raw.link_clicks) > $start_date
),

landed_again AS (
    SELECT click_id, max(click_date) AS newest_date
    FROM comparable
    GROUP BY click_id
    HAVING min(click_date) < max(click_date)
),

clicks AS (
    SELECT landed.click_date, landed.click_id, landed.clicked_at, landed.message_id
    FROM landed
    LEFT JOIN landed_again ON landed_again.click_id = landed.click_id
    WHERE landed.click_date = coalesce(landed_again.newest_date, landed.click_date)
),

clicked AS (
    SELECT DISTINCT message_id FROM clicks
),

-- Nearly every click is on a message of the last weeks. Only the others are looked for in all of history, which costs
-- nothing where there are none.
recent AS (
    SELECT
        sends.message_id, sends.send_date, sends.sent_at, sends.contact_id, sends.creative_id, sends.offer_id,
        sends.campaign_id, sends.sending_list, sends.custom
    FROM raw.message_sends AS sends
    WHERE sends.send_date >= $start_date - 31 AND sends.message_id IN (SELECT message_id FROM clicked)
),

missing AS (
    SELECT clicked.message_id
    FROM clicked
    LEFT JOIN recent ON recent.message_id = clicked.message_id
    WHERE recent.message_id IS NULL
),

older AS (
    SELECT
        sends.message_id, sends.send_date, sends.sent_at, sends.contact_id, sends.creative_id, sends.offer_id,
        sends.campaign_id, sends.sending_list, sends.custom
    FROM raw.message_sends AS sends
    WHERE sends.send_date < $start_date - 31 AND sends.message_id IN (SELECT message_id FROM missing)
),

sent AS (
    SELECT * FROM recent
    UNION ALL
    SELECT * FROM older
),

newest AS (
    SELECT message_id, max(send_date) AS send_date FROM sent GROUP BY message_id
),

messages AS (
    SELECT sent.*
    FROM sent
    JOIN newest ON newest.message_id = sent.message_id AND newest.send_date = sent.send_date
)

SELECT
    CAST(clicks.click_date AS DATE) AS click_date, /* Day of the click in the reporting zone. */
    CAST(clicks.click_id AS VARCHAR) AS click_id, /* Names the click; partners hand it back with a conversion. */
    CAST(clicks.clicked_at AS TIMESTAMP) AS clicked_at, /* When the link was clicked. */
    CAST(clicks.message_id AS VARCHAR) AS message_id, /* The message it was in. */
    CAST(messages.send_date AS DATE) AS send_date, /* Day the message was sent; NULL where it was never landed. */
    CAST(messages.sent_at AS TIMESTAMP) AS sent_at, /* When it was sent. */
    CAST(messages.contact_id AS VARCHAR) AS contact_id, /* Whom it was sent to. */
    CAST(messages.creative_id AS VARCHAR) AS creative_id, /* What it said. */
    CAST(messages.offer_id AS VARCHAR) AS offer_id, /* The offer it linked to. */
    CAST(messages.campaign_id AS VARCHAR) AS campaign_id, /* The campaign it was part of. */
    CAST(messages.sending_list AS VARCHAR) AS sending_list, /* The list of contacts it was sent by. */
    CAST(messages.custom AS VARCHAR) AS custom /* Custom dimensions of the message, as JSON. */
FROM clicks
LEFT JOIN messages ON messages.message_id = clicks.message_id
