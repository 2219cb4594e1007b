-- Settled revenue over user events, exactly: the parts of a key sum to it in the last of the 9 digits.
-- Grain: one row per ad impression of a verified key, per estimated impression of an estimated key, and per
-- unallocated key. Expired and dropped keys have none. Money is in the reporting currency.
-- With n impressions, k of them estimated, estimates summing to E, and a total T: an estimated impression gets
-- T * k * e / (n * E), one without an estimate T / n, and all get T / n where E is 0. Each part is rounded towards
-- zero to whole units of 10^-9; the units left over go to the first impressions by (event_date, event_id).
-- DECIMAL(27, 9) because its product with a billion is as wide as every engine keeps exactly.
-- Source: the allocation rules of the data contract, section 3.
WITH settled AS (
    SELECT
        *,
        CASE WHEN settled_revenue < 0 THEN -1 ELSE 1 END AS direction,
        CASE
            WHEN status = 'verified' THEN CAST(CAST(abs(settled_revenue) AS DECIMAL(27, 9)) * 1000000000 AS BIGINT)
        END AS total_units,
        CAST(CAST(estimated_revenue AS DECIMAL(27, 9)) * 1000000000 AS HUGEINT) AS estimate_units,
        CAST(CAST(largest_estimate AS DECIMAL(27, 9)) * 1000000000 AS HUGEINT) AS largest_units
    FROM core.reconciled_estimates
    WHERE
        report_date >= $start_date AND report_date < $end_date
        AND sdk_impressions > 0 AND status IN ('verified', 'estimated')
),

-- What an estimate is multiplied with and divided by. Where every impression has one, k / n is 1 and takes no digits.
weighed AS (
    SELECT
        *,
        status = 'verified' AND estimate_units > 0 AS is_weighted,
        total_units // nullif(sdk_impressions, 0) AS even_share_units,
        CAST(total_units AS HUGEINT)
        * CASE WHEN estimated_impressions = sdk_impressions THEN 1 ELSE estimated_impressions END AS multiplier,
        estimate_units * CASE WHEN estimated_impressions = sdk_impressions THEN 1 ELSE sdk_impressions END AS divisor
    FROM settled
),

ledger AS (
    SELECT
        *,
        -- The same whenever it is worked out: it joins what two looks at the impressions find. Narrow, as are the days
        -- between, because ten million impressions are put in order by them.
        CAST(
            row_number() OVER (
                ORDER BY report_date, partner, app_id, platform, country, ad_format, ad_unit_id, user_id, status
            ) AS INTEGER
        ) AS key_number,
        -- Dividing in 64 bits takes a fiftieth of the time, and most keys fit.
        divisor < 9000000000000000000 AND multiplier * largest_units < 9000000000000000000 AS is_short
    FROM weighed
),

impressions AS NOT MATERIALIZED (
    SELECT
        events.report_date, events.event_date, events.event_id, events.event_time, events.user_id,
        coalesce(events.partner, 'unknown') AS partner, events.app_id, events.platform, events.country,
        events.ad_format, events.ad_unit_id, events.container_id, events.creative_id,
        CAST(date_diff('day', events.report_date, events.event_date) AS TINYINT) AS days_between,
        events.reporting_revenue AS estimate,
        CAST(floor(events.reporting_revenue) AS BIGINT) * 1000000000 + CAST(
            CAST(events.reporting_revenue - floor(events.reporting_revenue) AS DECIMAL(10, 9)) * 1000000000 AS BIGINT
        ) AS estimate_units,
        CASE WHEN partners.has_app_id THEN events.app_id END AS key_app_id,
        CASE WHEN partners.has_platform THEN events.platform END AS key_platform,
        CASE WHEN partners.has_country THEN events.country END AS key_country,
        CASE WHEN partners.has_ad_format THEN events.ad_format END AS key_ad_format,
        CASE WHEN partners.has_ad_unit_id THEN events.ad_unit_id END AS key_ad_unit_id,
        CASE WHEN partners.has_user_id THEN events.user_id END AS key_user_id
    FROM raw.events AS events
    LEFT JOIN settings.partners AS partners ON partners.partner = events.partner
    WHERE
        events.event_name = 'ad_impression'
        AND events.report_date >= $start_date AND events.report_date < $end_date
        AND events.event_date >= $start_date - 1 AND events.event_date < $end_date + 1
),

-- Looked at twice instead of kept: to read ten million impressions again is cheaper than to hold them in between.
shares AS NOT MATERIALIZED (
    SELECT
        impressions.report_date, impressions.event_date, impressions.event_id, impressions.event_time,
        impressions.user_id, impressions.partner, impressions.app_id, impressions.platform, impressions.country,
        impressions.ad_format, impressions.ad_unit_id, impressions.container_id, impressions.creative_id,
        impressions.days_between, impressions.estimate,
        ledger.status, ledger.key_number, ledger.direction, ledger.total_units, ledger.is_weighted,
        CAST(
            CASE
                WHEN impressions.estimate IS NULL OR NOT ledger.is_weighted THEN ledger.even_share_units
                WHEN ledger.is_short
                    THEN CAST(ledger.multiplier AS BIGINT) * impressions.estimate_units
                        // nullif(CAST(ledger.divisor AS BIGINT), 0)
                ELSE ledger.multiplier * impressions.estimate_units // nullif(ledger.divisor, 0)
            END AS BIGINT
        ) AS share_units
    FROM impressions
    JOIN ledger
        ON ledger.report_date = impressions.report_date
        AND ledger.partner = impressions.partner
        AND ledger.app_id IS NOT DISTINCT FROM impressions.key_app_id
        AND ledger.platform IS NOT DISTINCT FROM impressions.key_platform
        AND ledger.country IS NOT DISTINCT FROM impressions.key_country
        AND ledger.ad_format IS NOT DISTINCT FROM impressions.key_ad_format
        AND ledger.ad_unit_id IS NOT DISTINCT FROM impressions.key_ad_unit_id
        AND ledger.user_id IS NOT DISTINCT FROM impressions.key_user_id
),

ranked AS (
    SELECT
        key_number, days_between, event_id, total_units,
        sum(share_units) OVER (PARTITION BY key_number) AS given_units,
        row_number() OVER (PARTITION BY key_number ORDER BY days_between, event_id) AS position
    FROM shares
    WHERE status = 'verified'
),

-- The last impression of each key that gets one of the units left over: those before it do, those after it do not.
last_favoured AS (
    SELECT key_number, days_between, event_id
    FROM ranked
    WHERE position = total_units - given_units
),

allocated AS (
    SELECT
        shares.report_date, shares.event_date, shares.event_id, shares.event_time, shares.user_id, shares.partner,
        shares.app_id, shares.platform, shares.country, shares.ad_format, shares.ad_unit_id, shares.container_id,
        shares.creative_id,
        CASE
            WHEN shares.status = 'estimated' THEN shares.estimate
            ELSE CAST(
                shares.direction * (
                    shares.share_units
                    + CASE
                        WHEN shares.days_between < last_favoured.days_between THEN 1
                        WHEN
                            shares.days_between = last_favoured.days_between
                            AND shares.event_id <= last_favoured.event_id
                            THEN 1
                        ELSE 0
                    END
                ) AS DECIMAL(18, 0)
            ) * CAST(0.000000001 AS DECIMAL(10, 9))
        END AS revenue,
        shares.status,
        CASE
            WHEN shares.status = 'estimated' THEN 'sdk_estimate'
            WHEN shares.is_weighted THEN 'estimate_weighted'
            ELSE 'impression_weighted'
        END AS allocation
    FROM shares
    LEFT JOIN last_favoured ON last_favoured.key_number = shares.key_number
    WHERE shares.status = 'verified' OR shares.estimate IS NOT NULL
    UNION ALL
    SELECT
        report_date, report_date AS event_date, NULL AS event_id, NULL AS event_time, user_id, partner, app_id,
        platform, country, ad_format, ad_unit_id, NULL AS container_id, NULL AS creative_id,
        settled_revenue AS revenue,
        status,
        'unallocated' AS allocation
    FROM core.reconciled_estimates
    WHERE report_date >= $start_date AND report_date < $end_date AND status = 'unallocated'
)

SELECT
    CAST(report_date AS DATE) AS report_date, /* Day the partner books the revenue on. */
    CAST(event_date AS DATE) AS event_date, /* Day of the impression in the reporting zone; the report date if unallocated. */
    CAST(event_id AS VARCHAR) AS event_id, /* The impression; NULL where no impression carries the money. */
    CAST(event_time AS TIMESTAMP) AS event_time, /* When it was shown, in UTC. */
    CAST(user_id AS VARCHAR) AS user_id, /* Who saw it, when known. */
    CAST(partner AS VARCHAR) AS partner, /* Who pays. */
    CAST(app_id AS VARCHAR) AS app_id, /* The app or site it was shown in. */
    CAST(platform AS VARCHAR) AS platform, /* Operating system or medium. */
    CAST(country AS VARCHAR) AS country, /* Country code. */
    CAST(ad_format AS VARCHAR) AS ad_format, /* Format of the ad. */
    CAST(ad_unit_id AS VARCHAR) AS ad_unit_id, /* The placement. */
    CAST(container_id AS VARCHAR) AS container_id, /* The property that holds the placement. */
    CAST(creative_id AS VARCHAR) AS creative_id, /* What was shown. */
    CAST(revenue AS DECIMAL(18, 9)) AS revenue, /* The part of the settled revenue this row carries. */
    CAST(status AS VARCHAR) AS status, /* verified, estimated or unallocated: that of the key. */
    CAST(allocation AS VARCHAR) AS allocation /* How it was split: estimate_weighted, impression_weighted, … */
FROM allocated
