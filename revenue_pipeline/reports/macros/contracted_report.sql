-- Contracted revenue rolled up by one dimension: date, week (ISO, by its Monday), month (by its first day), day_of_week,
-- ad_unit or custom_criteria.
-- Ask: SELECT * FROM reports.contracted_report('ad_unit').
-- Grain: a `total` row, and a `sub` row for each value; the value is NULL for what has none: delivery of no key-value, and
-- contracts that have delivered nothing which counts. The sub-rows sum to the total, exactly. The displayed_ columns are
-- rounded half up each by itself, the total from the exact amounts: they may look as if they did not add up.
-- Money is in the reporting currency. Source: "Allocating revenue" of Ad Manager, and the data contract, section 3.
WITH facts AS (
    SELECT
        contracted.impressions, contracted.clicks, contracted.contracted_net_revenue,
        contracted.contracted_gross_revenue, contracted.contracted_volume,
        -- The first of January 2024 was a Monday.
        (date_diff('day', DATE '2024-01-01', contracted.delivery_date) % 7 + 7) % 7 AS weekday,
        CASE
            WHEN $dimension = 'date' THEN CAST(contracted.delivery_date AS VARCHAR)
            WHEN $dimension = 'week' THEN CAST(CAST(date_trunc('week', contracted.delivery_date) AS DATE) AS VARCHAR)
            WHEN $dimension = 'month' THEN CAST(CAST(date_trunc('month', contracted.delivery_date) AS DATE) AS VARCHAR)
            WHEN $dimension = 'day_of_week' THEN NULL
            WHEN $dimension = 'ad_unit' THEN contracted.ad_unit_id
            WHEN $dimension = 'custom_criteria' THEN contracted.custom_criteria
            ELSE error('dimension is date, week, month, day_of_week, ad_unit or custom_criteria, not ' || $dimension)
        END AS value
    FROM reports.contracted_revenue AS contracted
),

placed AS (
    SELECT
        facts.*,
        CASE WHEN $dimension = 'day_of_week' THEN facts.weekday ELSE 0 END AS place,
        CASE
            WHEN $dimension <> 'day_of_week' THEN facts.value
            WHEN facts.weekday = 0 THEN 'Monday'
            WHEN facts.weekday = 1 THEN 'Tuesday'
            WHEN facts.weekday = 2 THEN 'Wednesday'
            WHEN facts.weekday = 3 THEN 'Thursday'
            WHEN facts.weekday = 4 THEN 'Friday'
            WHEN facts.weekday = 5 THEN 'Saturday'
            WHEN facts.weekday = 6 THEN 'Sunday'
        END AS dimension_value
    FROM facts
),

rolled_up AS (
    SELECT
        'total' AS row_kind, 0 AS kind_place, 0 AS place, CAST(NULL AS VARCHAR) AS dimension_value,
        coalesce(sum(placed.impressions), 0) AS impressions,
        coalesce(sum(placed.clicks), 0) AS clicks,
        sum(placed.contracted_net_revenue) AS net_revenue,
        sum(placed.contracted_gross_revenue) AS gross_revenue,
        sum(placed.contracted_volume) AS volume
    FROM placed
    UNION ALL
    SELECT
        'sub' AS row_kind, 1 AS kind_place, placed.place, placed.dimension_value,
        sum(placed.impressions) AS impressions,
        sum(placed.clicks) AS clicks,
        sum(placed.contracted_net_revenue) AS net_revenue,
        sum(placed.contracted_gross_revenue) AS gross_revenue,
        sum(placed.contracted_volume) AS volume
    FROM placed
    GROUP BY placed.place, placed.dimension_value
)

SELECT
    CAST(row_kind AS VARCHAR) AS row_kind, /* `total`: everything. `sub`: one value of the dimension. */
    CAST(dimension_value AS VARCHAR) AS dimension_value, /* The value; NULL in the total, and for what has none. */
    CAST(impressions AS BIGINT) AS impressions, /* Ads shown. */
    CAST(clicks AS BIGINT) AS clicks, /* Ads clicked. */
    CAST(net_revenue AS DECIMAL(38, 9)) AS contracted_net_revenue, /* Its part of net rate x contracted volume, exactly. */
    CAST(gross_revenue AS DECIMAL(38, 9)) AS contracted_gross_revenue, /* Its part of gross rate x volume; contracts without a gross rate add nothing. */
    CAST(volume AS DECIMAL(38, 9)) AS contracted_volume, /* Its part of the contracted impressions, clicks or days. */
    CAST(round(net_revenue, 2) AS DECIMAL(38, 2)) AS displayed_contracted_net_revenue, /* To cents, half up. */
    CAST(round(gross_revenue, 2) AS DECIMAL(38, 2)) AS displayed_contracted_gross_revenue, /* To cents, half up. */
    CAST(round(volume, 0) AS DECIMAL(38, 0)) AS displayed_contracted_volume /* To whole units, half up. */
FROM rolled_up
ORDER BY kind_place, place, dimension_value NULLS LAST
