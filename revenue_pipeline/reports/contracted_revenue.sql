-- What proposal line items were contracted for, whatever their proposal's status, split by what they actually delivered.
-- Grain: one row per (line_item_id, delivery_date, ad_unit_id, custom_criteria) that was delivered; a line item that has
-- delivered no counted unit keeps everything on one row with NULL dimensions. Money is in the reporting currency.
-- The newest delivered state of a line item counts. Its contracted revenue is rate x contracted volume (CPM: for a
-- thousand), computed in the original currency, then converted at the rate of its start and rounded once, half away from
-- zero; with d of D counted units (clicks for CPC, else impressions) a row gets d / D of it, and of the volume, over the
-- whole life so far. Parts are rounded towards zero to units of 10^-9; the units left over go to the first rows with
-- counted units by (delivery_date, ad_unit_id, custom_criteria): any roll-up is a sum.
-- Products are taken apart before they are divided, so that nothing overflows that the result can hold.
-- Source: "Allocating revenue" of Ad Manager, and the data contract, section 3.
WITH states AS (
    SELECT
        line_item_id, rate_type, net_rate, gross_rate, contracted_volume, exchange_rate,
        row_number() OVER (
            PARTITION BY line_item_id
            ORDER BY
                folder_date DESC, source, partner, rate_type, net_rate DESC, gross_rate DESC, contracted_volume DESC,
                exchange_rate DESC
        ) AS position
    FROM raw.line_items
),

line_items AS (
    SELECT
        line_item_id, rate_type, contracted_volume, net_rate, gross_rate,
        CASE WHEN rate_type = 'CPM' THEN 1000 ELSE 1 END AS per_units,
        CAST(floor(exchange_rate) AS HUGEINT) AS rate_whole,
        CAST(
            CAST(exchange_rate - floor(exchange_rate) AS DECIMAL(25, 12)) * CAST(1000000000000 AS DECIMAL(13, 0))
            AS HUGEINT
        ) AS rate_rest
    FROM states
    WHERE position = 1
),

rates AS (
    SELECT
        line_item_id, contracted_volume, per_units, rate_whole, rate_rest, 'net' AS measure, net_rate AS rate
    FROM line_items
    UNION ALL
    SELECT
        line_item_id, contracted_volume, per_units, rate_whole, rate_rest, 'gross' AS measure, gross_rate AS rate
    FROM line_items
    WHERE gross_rate IS NOT NULL
),

-- Rate x volume in the original currency, in units of 10^-9, still to be divided by what the rate is for.
products AS (
    SELECT
        line_item_id, measure, rate_whole, rate_rest,
        CASE WHEN rate < 0 THEN -1 ELSE 1 END AS direction,
        (
            CAST(floor(abs(rate)) AS HUGEINT) * 1000000000
            + CAST(CAST(abs(rate) - floor(abs(rate)) AS DECIMAL(10, 9)) * 1000000000 AS HUGEINT)
        ) * contracted_volume AS product_units,
        CAST(per_units AS HUGEINT) AS per_units,
        CAST(per_units AS HUGEINT) * 1000000000000 AS per_fine_units
    FROM rates
),

totals AS (
    SELECT
        line_item_id, measure, direction,
        (product_units // nullif(per_units, 0)) * rate_whole
        + (product_units // nullif(per_fine_units, 0)) * rate_rest
        + (
            (
                (product_units % nullif(per_units, 0)) * rate_whole * 1000000000000
                + (product_units % nullif(per_fine_units, 0)) * rate_rest
            ) * 2 + per_fine_units
        ) // nullif(per_fine_units * 2, 0) AS total_units
    FROM products
    UNION ALL
    SELECT
        line_item_id, 'volume' AS measure, 1 AS direction, CAST(contracted_volume AS HUGEINT) * 1000000000 AS total_units
    FROM line_items
),

delivered AS (
    SELECT
        line_item_id, delivery_date, ad_unit_id, custom_criteria,
        sum(impressions) AS impressions,
        sum(coalesce(clicks, 0)) AS clicks
    FROM raw.line_item_delivery
    GROUP BY line_item_id, delivery_date, ad_unit_id, custom_criteria
),

counted AS (
    SELECT
        delivered.line_item_id, delivered.delivery_date, delivered.ad_unit_id, delivered.custom_criteria,
        delivered.impressions, delivered.clicks,
        CAST(
            CASE WHEN line_items.rate_type = 'CPC' THEN delivered.clicks ELSE delivered.impressions END AS HUGEINT
        ) AS units
    FROM delivered
    JOIN line_items ON line_items.line_item_id = delivered.line_item_id
),

rows_of_line_items AS (
    SELECT line_item_id, delivery_date, ad_unit_id, custom_criteria, impressions, clicks, units
    FROM counted
    UNION ALL
    -- Stands for the delivery of a line item that has delivered nothing which counts: it takes everything.
    SELECT
        line_item_id, NULL AS delivery_date, NULL AS ad_unit_id, NULL AS custom_criteria, 0 AS impressions, 0 AS clicks,
        CAST(1 AS HUGEINT) AS units
    FROM line_items
    WHERE line_item_id NOT IN (SELECT line_item_id FROM counted WHERE units > 0)
),

placed AS (
    SELECT
        *,
        CAST(sum(units) OVER (PARTITION BY line_item_id) AS HUGEINT) AS all_units,
        row_number() OVER (
            PARTITION BY line_item_id
            ORDER BY
                CASE WHEN units > 0 THEN 0 ELSE 1 END, delivery_date, ad_unit_id, custom_criteria NULLS LAST
        ) AS position
    FROM rows_of_line_items
),

shares AS (
    SELECT
        placed.line_item_id, placed.delivery_date, placed.ad_unit_id, placed.custom_criteria, placed.impressions,
        placed.clicks, placed.position, totals.measure, totals.direction, totals.total_units,
        (totals.total_units // nullif(placed.all_units, 0)) * placed.units
        + ((totals.total_units % nullif(placed.all_units, 0)) * placed.units) // nullif(placed.all_units, 0)
        AS share_units
    FROM placed
    JOIN totals ON totals.line_item_id = placed.line_item_id
),

given AS (
    SELECT *, sum(share_units) OVER (PARTITION BY line_item_id, measure) AS given_units
    FROM shares
),

filled AS (
    SELECT
        line_item_id, delivery_date, ad_unit_id, custom_criteria, impressions, clicks, measure, direction,
        share_units + CASE WHEN position <= total_units - given_units THEN 1 ELSE 0 END AS part_units
    FROM given
),

amounts AS (
    SELECT
        line_item_id, delivery_date, ad_unit_id, custom_criteria, impressions, clicks, measure,
        CAST(direction * (part_units // 1000000000) AS DECIMAL(28, 0))
        + CAST(direction * (part_units % 1000000000) AS DECIMAL(9, 0)) * CAST(0.000000001 AS DECIMAL(10, 9)) AS amount
    FROM filled
)

SELECT
    CAST(line_item_id AS VARCHAR) AS line_item_id, /* The proposal line item. */
    CAST(delivery_date AS DATE) AS delivery_date, /* Day of the delivery; NULL where nothing that counts was delivered. */
    CAST(ad_unit_id AS VARCHAR) AS ad_unit_id, /* The placement; NULL where nothing that counts was delivered. */
    CAST(custom_criteria AS VARCHAR) AS custom_criteria, /* The key-value, such as section=sport; NULL for what belongs to none. */
    CAST(max(impressions) AS BIGINT) AS impressions, /* Ads shown. */
    CAST(max(clicks) AS BIGINT) AS clicks, /* Ads clicked; what names no clicks counts as 0. */
    CAST(max(CASE WHEN measure = 'net' THEN amount END) AS DECIMAL(38, 9)) AS contracted_net_revenue, /* The row's part of net rate x contracted volume. */
    CAST(max(CASE WHEN measure = 'gross' THEN amount END) AS DECIMAL(38, 9)) AS contracted_gross_revenue, /* The row's part of gross rate x contracted volume; NULL without a gross rate. */
    CAST(max(CASE WHEN measure = 'volume' THEN amount END) AS DECIMAL(38, 9)) AS contracted_volume /* The row's part of the contracted impressions, clicks or days. */
FROM amounts
GROUP BY line_item_id, delivery_date, ad_unit_id, custom_criteria
