-- The cost rows of a cohort: spent on its day, under its dimensions.
SELECT
    'row ' || row_number() OVER (ORDER BY reporting_cost DESC, cost, clicks, impressions) AS cost_row,
    reporting_cost AS value,
    cost AS landed_cost,
    currency,
    impressions,
    clicks,
    installs
FROM raw.costs
WHERE
    cost_date = $cohort_date
    AND app_id IS NOT DISTINCT FROM $app_id AND platform IS NOT DISTINCT FROM $platform
    AND country IS NOT DISTINCT FROM $country AND channel IS NOT DISTINCT FROM $channel
    AND campaign_id IS NOT DISTINCT FROM $campaign_id
